/* What the engine does with each kind of command. */
#include "base/assert.h"
#include "scheduler/engine/audit/engine_audit.h"
#include "scheduler/engine/breakers/engine_breakers.h"
#include "scheduler/engine/budgets/engine_budgets.h"
#include "scheduler/engine/call_cache.h"
#include "scheduler/engine/commands/import.h"
#include "scheduler/engine/commands/keys.h"
#include "scheduler/engine/commands/operations.h"
#include "scheduler/engine/commands/provider_keys.h"
#include "scheduler/engine/engine_internal.h"
#include "scheduler/engine/events/events.h"
#include "scheduler/engine/events/webhooks.h"
#include "scheduler/engine/files/engine_files.h"
#include "scheduler/engine/jobs/drain.h"
#include "scheduler/engine/limits/engine_limits.h"
#include "scheduler/engine/queues/engine_queues.h"
#include "scheduler/engine/removal/deletion.h"
#include "scheduler/engine/removal/erasure.h"
#include "scheduler/engine/usages/usage_rows.h"

/* Breakers, limits, budgets, and what was used. */
static status execute_quota(struct engine *engine, struct command *command, struct error *reterr)
{
    switch (command->kind) {
    case COMMAND_SET_BREAKER: return engine_set_breaker(engine, command, reterr);
    case COMMAND_REPORT_BREAKERS: return engine_report_breakers(engine, command, reterr);
    case COMMAND_SET_LIMIT: return engine_set_limit(engine, command, reterr);
    case COMMAND_LEASE_LIMITS: return engine_lease_limits(engine, command, reterr);
    case COMMAND_PASS_LIMITS: return engine_pass_limits(engine, command, reterr);
    case COMMAND_HOLD_LIMITS: return engine_hold_limits(engine, command, reterr);
    case COMMAND_PUT_BUDGET: return engine_put_budget(engine, command, reterr);
    case COMMAND_DELETE_BUDGET: return engine_delete_budget(engine, command, reterr);
    case COMMAND_RESERVE_BUDGETS: return engine_reserve_budgets(engine, command, reterr);
    case COMMAND_SETTLE_BUDGETS: return engine_settle_budgets(engine, command, reterr);
    case COMMAND_RESERVE_RUN: return engine_reserve_run(engine, command, reterr);
    case COMMAND_REPORT_USAGE: return engine_count_usage(engine, command, reterr);
    default: ASSERT(false && "a command that nobody executes");
    }
    return STATUS_OK;
}

static status execute(struct engine *engine, struct command *command, struct error *reterr)
{
    switch (command->kind) {
    case COMMAND_START: return engine_start_run(engine, command, reterr);
    case COMMAND_CANCEL: return engine_cancel_run(engine, command, reterr);
    case COMMAND_SIGNAL: return engine_signal_run(engine, command, reterr);
    case COMMAND_DECIDE: return engine_decide_approval(engine, command, reterr);
    case COMMAND_EDIT: return engine_edit_approval(engine, command, reterr);
    case COMMAND_LEASE: return engine_lease(engine, command, reterr);
    case COMMAND_LEASE_GIVE_UP: engine_give_up(engine, command); return STATUS_OK;
    case COMMAND_HEARTBEAT: return engine_heartbeat(engine, command, reterr);
    case COMMAND_REPORT: return engine_report(engine, command, reterr);
    case COMMAND_SUBSCRIBE: return engine_subscribe(engine, command, reterr);
    case COMMAND_UNSUBSCRIBE: return engine_unsubscribe(engine, command, reterr);
    case COMMAND_PUBLISH: return engine_publish(engine, command, reterr);
    case COMMAND_PUT_WORKFLOW: return engine_put_workflow(engine, command, reterr);
    case COMMAND_DELETE_WORKFLOW: return engine_delete_workflow(engine, command, reterr);
    case COMMAND_SET_VARIABLE: return engine_set_variable(engine, command, reterr);
    case COMMAND_PUT_KEY: return engine_put_key(engine, command, reterr);
    case COMMAND_CREATE_KEY: return engine_create_key(engine, command, reterr);
    case COMMAND_NOTE_KEYS: return engine_note_keys(engine, command, reterr);
    case COMMAND_PUT_PROVIDER_KEY: return engine_put_provider_key(engine, command, reterr);
    case COMMAND_DROP_PROVIDER_KEY: return engine_delete_provider_key(engine, command, reterr);
    case COMMAND_ROTATE_KEY: return engine_rotate_key(engine, command, reterr);
    case COMMAND_REVOKE_KEY: return engine_revoke_key(engine, command, reterr);
    case COMMAND_REGISTER_FUNCTIONS: return engine_register_functions(engine, command, reterr);
    case COMMAND_PUT_ASSISTANT: return engine_put_assistant(engine, command, reterr);
    case COMMAND_DELETE_ASSISTANT: return engine_delete_assistant(engine, command, reterr);
    case COMMAND_BEGIN_FILE: return engine_begin_file(engine, command, reterr);
    case COMMAND_APPEND_FILE: return engine_append_file(engine, command, reterr);
    case COMMAND_DELETE_FILE: return engine_delete_file(engine, command, reterr);
    case COMMAND_PUT_SCHEDULE: return engine_put_schedule(engine, command, reterr);
    case COMMAND_PAUSE_SCHEDULE: return engine_pause_schedule(engine, command, reterr);
    case COMMAND_TRIGGER_SCHEDULE: return engine_trigger_schedule(engine, command, reterr);
    case COMMAND_BACKFILL_SCHEDULE: return engine_backfill_schedule(engine, command, reterr);
    case COMMAND_DELETE_SCHEDULE: return engine_delete_schedule(engine, command, reterr);
    case COMMAND_REDRIVE: return engine_redrive_letter(engine, command, reterr);
    case COMMAND_DROP_LETTER: return engine_drop_letter(engine, command, reterr);
    case COMMAND_RETRY: return engine_retry_run(engine, command, reterr);
    case COMMAND_FAIL_RUN: return engine_fail_run(engine, command, reterr);
    case COMMAND_ERASE_RUN: return engine_erase_run(engine, command, reterr);
    case COMMAND_DELETE_RUN: return engine_delete_run(engine, command, reterr);
    case COMMAND_IMPORT_RUN: return engine_import_run(engine, command, reterr);
    case COMMAND_BULK: return engine_start_bulk(engine, command, reterr);
    case COMMAND_EDIT_RUN: return engine_edit_run(engine, command, reterr);
    case COMMAND_APPROVE_RUN: return engine_approve_run(engine, command, reterr);
    case COMMAND_COMPENSATE: return engine_compensate_run(engine, command, reterr);
    case COMMAND_RESET: return engine_reset_run(engine, command, reterr);
    case COMMAND_TERMINATE: return engine_terminate_run(engine, command, reterr);
    case COMMAND_SUSPEND: return engine_suspend_run(engine, command, reterr);
    case COMMAND_RESUME: return engine_resume_run(engine, command, reterr);
    case COMMAND_CLEAR_CALL_CACHE: return engine_clear_call_cache(engine, command, reterr);
    case COMMAND_MESSAGES: return engine_take_messages(engine, command, reterr);
    case COMMAND_SET_QUEUE: return engine_set_queue(engine, command, reterr);
    case COMMAND_DRAIN_WORKER: return engine_drain_worker(engine, command, reterr);
    case COMMAND_LOOK_AT_JOB: engine_look_at_job(engine, command); return STATUS_OK;
    case COMMAND_CANCEL_JOB: return engine_cancel_job(engine, command, reterr);
    case COMMAND_NOTE_AUDIT: return engine_note_audit(engine, command, reterr);
    case COMMAND_STAND: engine_answer(engine, command); return STATUS_OK;
    default: return execute_quota(engine, command, reterr);
    }
    return STATUS_OK;
}

/* What was answered is not done again. */
static status execute_once(struct engine *engine, struct command *command, struct error *reterr)
{
    bool is_answered = false;
    if (!engine_is_answered_once(command)) return execute(engine, command, reterr);
    TRY(engine_answer_recall(engine, command, &is_answered, reterr));
    if (is_answered) return STATUS_OK;
    TRY(execute(engine, command, reterr));
    return engine_answer_keep(engine, command, reterr);
}

static status execute_recorded(struct engine *engine, struct command *command, struct error *reterr)
{
    engine->is_done_before = false;
    TRY(execute_once(engine, command, reterr));
    return engine_audit_command(engine, command, reterr);
}

status engine_execute(struct engine *engine, struct mail *mail, struct error *reterr)
{
    status executed = STATUS_OK;
    while (mail) {
        struct mail *next       = mail->next;
        struct command *command = command_of(mail);
        engine->command_count++;
        if (executed == STATUS_OK) {
            executed = execute_recorded(engine, command, reterr);
        } else {
            engine_answer(engine, command);
        }
        mail = next;
    }
    return executed;
}
