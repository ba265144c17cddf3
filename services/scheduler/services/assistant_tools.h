/** assistant_tools: the tools of assistants, checked when one is put, and found when a workflow
 * whose agent names one is registered. */
#ifndef SCHEDULER_ASSISTANT_TOOLS_H
#define SCHEDULER_ASSISTANT_TOOLS_H

#include "base/diagnostic.h"
#include "scheduler/tables/assistant_store.h"
#include "workflow/function_catalog.h"
#include "workflow/workflow.h"

/** Reads the tools of `definition` as those of an agent in a workflow of `namespace`, which
 * declares nothing; findings have pointers into the definition. */
void assistant_tools_check(json definition, str namespace, const struct function_catalog *catalog,
                           struct diagnostics *findings);

/** Assistants for one reading of a definition: those of the namespace that the request may use. */
struct assistant_shelf {
    struct assistant_tables tables; /* of the system partition */
    str namespace;                  /* "*": any */
};
struct workflow_assistants assistant_shelf_source(struct assistant_shelf *shelf);

#endif
