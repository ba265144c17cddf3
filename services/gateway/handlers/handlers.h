/* The handlers of the API, one per operation; the table in api_table.c names them. */
#ifndef GATEWAY_HANDLERS_H
#define GATEWAY_HANDLERS_H

#include "gateway/api/api.h"

void runs_start(struct api_call *call);
void runs_list(struct api_call *call);
void runs_get(struct api_call *call);
void runs_history(struct api_call *call);
void runs_follow(struct api_call *call);
void runs_result(struct api_call *call);
void runs_cancel(struct api_call *call);
void runs_terminate(struct api_call *call);
void runs_pause(struct api_call *call);
void runs_resume(struct api_call *call);
void runs_signal(struct api_call *call);
void runs_erase(struct api_call *call);
void runs_delete(struct api_call *call);
void runs_export(struct api_call *call);
void runs_import(struct api_call *call);
void runs_bulk(struct api_call *call);
void operations_get(struct api_call *call);
void runs_batch(struct api_call *call);
void runs_signal_with_start(struct api_call *call);
void runs_edit_input(struct api_call *call);
void runs_approve(struct api_call *call);
void runs_compensate(struct api_call *call);
void runs_reset(struct api_call *call);
void runs_restart(struct api_call *call);

void approvals_list(struct api_call *call);
void approvals_get(struct api_call *call);
void approvals_approve(struct api_call *call);
void approvals_reject(struct api_call *call);
void approvals_edit(struct api_call *call);

void events_publish(struct api_call *call);

void subscriptions_create(struct api_call *call);
void subscriptions_list(struct api_call *call);
void subscriptions_get(struct api_call *call);
void subscriptions_delete(struct api_call *call);
void schedules_create(struct api_call *call);
void schedules_list(struct api_call *call);
void schedules_get(struct api_call *call);
void schedules_put(struct api_call *call);
void schedules_delete(struct api_call *call);
void schedules_pause(struct api_call *call);
void schedules_resume(struct api_call *call);
void schedules_trigger(struct api_call *call);
void schedules_backfill(struct api_call *call);
void schedules_upcoming(struct api_call *call);

void workflows_list(struct api_call *call);
void workflows_put(struct api_call *call);
void workflows_validate(struct api_call *call);
void workflows_get(struct api_call *call);
void workflows_versions(struct api_call *call);
void workflows_get_version(struct api_call *call);
void workflows_graph(struct api_call *call);

void assistants_list(struct api_call *call);
void assistants_put(struct api_call *call);
void assistants_get(struct api_call *call);
void assistants_versions(struct api_call *call);
void assistants_get_version(struct api_call *call);
void assistants_delete_version(struct api_call *call);
void assistants_render(struct api_call *call);

void queues_list(struct api_call *call);
void queues_get(struct api_call *call);
void queues_set(struct api_call *call);

/** Reads a `rate` {count, per} of a body, where there is one; `name` is its place. False: the call
 * has been answered. */
bool queue_rate_read(struct api_call *call, json rate, const char *name, uint32_t *ret_count,
                     int64_t *ret_period_us);
void queues_pause(struct api_call *call);
void queues_resume(struct api_call *call);
void queues_purge(struct api_call *call);
void queues_poll(struct api_call *call);

void jobs_get(struct api_call *call);
void jobs_cancel(struct api_call *call);
void jobs_heartbeat(struct api_call *call);
void jobs_complete(struct api_call *call);
void jobs_fail(struct api_call *call);
void jobs_release(struct api_call *call);

void workers_list(struct api_call *call);
void workers_get(struct api_call *call);
void workers_drain(struct api_call *call);
void workers_resume(struct api_call *call);

void tools_list(struct api_call *call);
void tools_get(struct api_call *call);

void runs_retry(struct api_call *call);
void runs_fail(struct api_call *call);
void runs_tasks(struct api_call *call);
void runs_variables(struct api_call *call);
void runs_set_variable(struct api_call *call);
void workflows_delete_version(struct api_call *call);
void dead_letters_list(struct api_call *call);
void dead_letters_redrive(struct api_call *call);
void dead_letters_redrive_all(struct api_call *call);
void dead_letters_drop(struct api_call *call);

void backups_create(struct api_call *call);
void backups_list(struct api_call *call);
void backups_get(struct api_call *call);
void breakers_list(struct api_call *call);
void breakers_get(struct api_call *call);
void breakers_reset(struct api_call *call);
void breakers_open(struct api_call *call);
void limits_list(struct api_call *call);
void limits_get(struct api_call *call);
void limits_set(struct api_call *call);
void limits_delete(struct api_call *call);
void usage_get(struct api_call *call);
void models_list(struct api_call *call);
void models_get(struct api_call *call);
void content_models_list(struct api_call *call); /* in Gemini's shape */
void content_models_get(struct api_call *call);
void providers_list(struct api_call *call); /* or one of them */
void provider_test(struct api_call *call);
void provider_key_put(struct api_call *call);
void provider_key_delete(struct api_call *call);

void keys_list(struct api_call *call);
void audit_list(struct api_call *call);
void audit_verify(struct api_call *call);
void keys_create(struct api_call *call);
void keys_get(struct api_call *call);
void keys_revoke(struct api_call *call);
void keys_rotate(struct api_call *call);

void budgets_list(struct api_call *call);
void budgets_get(struct api_call *call);
void budgets_put(struct api_call *call);
void budgets_delete(struct api_call *call);
void call_cache_get(struct api_call *call);
void call_cache_clear(struct api_call *call);

void secrets_list(struct api_call *call);

void files_create(struct api_call *call);
void files_list(struct api_call *call);
void files_get(struct api_call *call);
void files_content(struct api_call *call);
void files_delete(struct api_call *call);

void llm_chat(struct api_call *call);
void llm_embeddings(struct api_call *call);
void llm_message(struct api_call *call);
void llm_count_tokens(struct api_call *call);
void llm_content(struct api_call *call);

void system_status(struct api_call *call);
void system_version(struct api_call *call);
void system_health(struct api_call *call);
void system_openapi(struct api_call *call);
void mcp_post(struct api_call *call);
void tools_invoke(struct api_call *call);
void connectors_test(struct api_call *call);

#endif
