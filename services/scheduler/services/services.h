/** services: the methods of the scheduler's RPC services; their context is a struct scheduler *. */
#ifndef SCHEDULER_SERVICES_H
#define SCHEDULER_SERVICES_H

#include "budget.pb-c.h"
#include "rpc/rpc.h"
#include "scheduler/engine/commands/command.h"

extern const struct rpc_method run_service_methods[];
extern const struct rpc_method subscription_service_methods[];
extern const struct rpc_method event_service_methods[];
extern const struct rpc_method job_service_methods[];
extern const struct rpc_method workflow_service_methods[];
extern const struct rpc_method approval_service_methods[];
extern const struct rpc_method system_service_methods[];
extern const struct rpc_method function_service_methods[];
extern const struct rpc_method assistant_service_methods[];
extern const struct rpc_method file_service_methods[];
extern const struct rpc_method dead_letter_service_methods[];
extern const struct rpc_method breaker_service_methods[];
extern const struct rpc_method limit_service_methods[];
extern const struct rpc_method budget_service_methods[];
extern const struct rpc_method call_cache_service_methods[];
extern const struct rpc_method partition_service_methods[];
extern const struct rpc_method schedule_service_methods[];
extern const struct rpc_method key_service_methods[];
extern const struct rpc_method provider_key_service_methods[];
extern const struct rpc_method usage_service_methods[];
extern const struct rpc_method audit_service_methods[];

/* Of System, likewise. */
status queue_set_handle(struct rpc_call *call, struct error *reterr);
status backup_begin_handle(struct rpc_call *call, struct error *reterr);
status backup_list_handle(struct rpc_call *call, struct error *reterr);

/* Handlers of Workflows and of Runs that have files of their own. */
status graph_handle(struct rpc_call *call, struct error *reterr);
status workflow_in_use_handle(struct rpc_call *call, struct error *reterr);
status workflow_delete_handle(struct rpc_call *call, struct error *reterr);
status run_tasks_handle(struct rpc_call *call, struct error *reterr);
status run_variables_handle(struct rpc_call *call, struct error *reterr);
status run_variable_set_handle(struct rpc_call *call, struct error *reterr);
status run_list_handle(struct rpc_call *call, struct error *reterr);
status run_edit_handle(struct rpc_call *call, struct error *reterr);
status run_approve_handle(struct rpc_call *call, struct error *reterr);
status run_bulk_handle(struct rpc_call *call, struct error *reterr);
status run_operation_handle(struct rpc_call *call, struct error *reterr);
status run_export_handle(struct rpc_call *call, struct error *reterr);
status run_import_handle(struct rpc_call *call, struct error *reterr);
status run_reset_handle(struct rpc_call *call, struct error *reterr);
status run_history_handle(struct rpc_call *call, struct error *reterr);
void run_history_cancel(struct rpc_call *call);

/** Posts a command to the run of that id (a client's own one, too), or sends the caller to its
 * owner. Takes `command`. */
status run_post(struct rpc_call *call, const char *id, const char *namespace,
                struct command *command, struct error *reterr);

/** Checks an input here, so that a refused one costs the engine nothing. INVALID_ARGUMENT
 * ("input_invalid"), with findings of every fault. */
status run_input_check(struct rpc_call *call, const struct workflow *workflow, json input,
                       struct error *reterr);

/** Reads `spec_json` of a request into its `spec`, and looks at its name. INVALID_ARGUMENT
 * ("input_invalid"), with findings. */
status budget_request_read(struct rpc_call *call, Pb__PutBudget *request, struct error *reterr);

/* Of Jobs, likewise. */
status job_state_fill(struct txn *txn, const Pb__JobRecord *record, struct arena *arena,
                      Pb__JobView *view, struct error *reterr);
status job_get_handle(struct rpc_call *call, struct error *reterr);

#endif
