/** core_documents: definitions with the documents that they name by URL, which the stand-in of the
 * world outside answers. Over HTTP a tool-adapter asks for them. */
#ifndef LANGUAGE_CORE_DOCUMENTS_H
#define LANGUAGE_CORE_DOCUMENTS_H

#include "base/arena.h"
#include "base/diagnostic.h"
#include "language/script.h"
#include "workflow/workflow.h"

/** workflow_read_with() until nothing is needed any more. The findings are made in `arena`. */
status core_documents_read(str definition, const struct function_catalog *catalog,
                           struct script *script, struct arena *arena,
                           struct diagnostics **ret_findings, const struct workflow **ret_workflow,
                           struct error *reterr);

#endif
