/**
 * local_documents: definitions with the documents that they name by URL, as far as these are files
 * of this machine. Nothing is asked for over the network: a server reads the rest.
 */
#ifndef CLI_LOCAL_DOCUMENTS_H
#define CLI_LOCAL_DOCUMENTS_H

#include "base/arena.h"
#include "base/diagnostic.h"
#include "workflow/workflow.h"

/** Where documents are. */
struct local_places {
    bool reads_files;    /* `file://` URLs: whoever asked wants this machine's; regular files */
    const char *resolve; /* "URL=FILE[,URL=FILE]"; NULL: none */
    const char *folder;  /* stands for every catalog whose function is in it; NULL: none */
};

/** Says whether `--catalog` names such a folder; else it is a file of functions. */
bool local_is_folder(const char *path);

/**
 * workflow_read_with() and the documents at `places`. Those that are nowhere are warnings (V14) in
 * the findings, which are made in `arena`; the workflow can then be looked at, not more.
 */
status local_workflow_read(str text, const struct workflow_sources *sources,
                           const struct local_places *places, struct arena *arena,
                           struct diagnostics **ret_findings, const struct workflow **ret_workflow,
                           struct error *reterr);

#endif
