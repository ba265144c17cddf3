/** sources: what a definition may refer to beside itself, at hand of whoever reads it (workflow.h).
 * Reading does no I/O but what is called here. */
#ifndef WORKFLOW_SOURCES_H
#define WORKFLOW_SOURCES_H

#include "base/status.h"
#include "base/str.h"
#include "json/json.h"

#include <stdint.h>

struct function_catalog;

enum {
    DOCUMENTS_MAX      = 64,      /* that one definition names, and those name in turn */
    DOCUMENTS_SIZE_MAX = 4 << 20, /* bytes of all of them; of each as of a definition */
    DOCUMENT_DEPTH_MAX = 8,       /* documents that name documents, from the definition on */
    DOCUMENT_URL_MAX   = 2'048,   /* bytes */
};

/** What is at a URL: a function, or a schema. */
struct document {
    str url;             /* as document_need has it */
    str text;            /* YAML or JSON, as it came */
    const char *failure; /* why it could not be read; NULL: `text` is there */
};

/** Where the assistants of agents are found, for their tools: `find` gives the definition of "name"
 * or "name:version" (owned) and the version it has. NOT_FOUND, INVALID_ARGUMENT: the error says
 * why.
 */
struct workflow_assistants {
    status (*find)(str namespace, str reference, json *ret_definition, uint32_t *ret_version,
                   struct error *reterr, void *context);
    void *context;
};

/** What a definition may refer to beside itself. Borrowed for the call. */
struct workflow_sources {
    const struct function_catalog *catalog; /* NULL: only the functions that are built in */
    bool is_portable; /* notes (P01..P07) about what other runtimes ignore or do otherwise */
    const struct workflow_assistants *assistants; /* NULL: nobody can be asked */
    const struct document *documents;             /* those at hand */
    size_t document_count;
    /* A document that is not at hand is no error: the workflow comes with `needs`, and whoever
     * reads it gets them and reads it again. Nothing here does I/O. */
    bool may_need;
};

#endif
