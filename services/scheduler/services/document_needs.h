/** document_needs: the documents that a definition lacks, for whoever reads them: with the
 * credentials that the definition names, so its secrets are asked for here, before there is a run.
 */
#ifndef SCHEDULER_DOCUMENT_NEEDS_H
#define SCHEDULER_DOCUMENT_NEEDS_H

#include "base/diagnostic.h"
#include "rpc/rpc.h"
#include "workflow.pb-c.h"
#include "workflow/workflow.h"

/**
 * Makes the needs of `workflow` messages, in the call's arena. The caller has checked that the
 * request may use the workflow's namespace. INVALID_ARGUMENT (code "workflow_invalid"), with
 * findings (V14) in `findings`: a secret is missing, or an expression fails.
 */
status document_needs_in(struct rpc_call *call, const struct workflow *workflow,
                         struct diagnostics *findings, Pb__DocumentNeed ***ret_needs,
                         size_t *ret_count, struct error *reterr);

#endif
