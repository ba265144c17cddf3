#include "scheduler/decide/run_retry.h"

#include "base/assert.h"
#include "scheduler/decide/paused_task.h"
#include "scheduler/decide/tasks/tasks.h"
#include "scheduler/decide/undo_run.h"
#include "scheduler/run/reopen.h"
#include "json/json_pointer.h"

uint64_t retry_place(const struct decision *decision)
{
    const struct run *run = decision->run;
    uint64_t place        = decision->first_sequence;
    if (decision->failed_sequence > place) place = decision->failed_sequence;
    bool has_begun = place > 1; /* what failed in the first event would fail again */
    return has_begun && run->undo_total == 0 && !decision->is_terminating ? place : 0;
}

uint64_t undo_place(const struct decision *decision, uint64_t first_sequence)
{
    const struct run *run = decision->run;
    bool can_undo         = run->undo_count > 0 && run->undo_total == 0;
    return can_undo && first_sequence > 1 ? first_sequence : 0;
}

static status check_retryable(const struct run *run, const struct run_retry *command,
                              struct error *reterr)
{
    if (run->status != RUN_FAULTED) {
        return fail_code(reterr, STATUS_FAILED_PRECONDITION, "nothing_to_retry",
                         "run %s has not faulted", run->id.text);
    }
    if (run->undo_total > 0) {
        return fail_code(reterr, STATUS_FAILED_PRECONDITION, "nothing_to_retry",
                         "run %s was undone; start a new one", run->id.text);
    }
    if (run->retry_from == 0 || run->before.len == 0) {
        return fail_code(reterr, STATUS_FAILED_PRECONDITION, "nothing_to_retry",
                         "run %s failed before its first task; start a new one", run->id.text);
    }
    bool has_task  = run->failed_task != TASK_NONE;
    bool is_wanted = command->task.len == 0;
    if (has_task && str_is(command->task, run->workflow->tasks[run->failed_task].reference)) {
        is_wanted = true;
    }
    if (is_wanted) return STATUS_OK;
    return fail_code(reterr, STATUS_FAILED_PRECONDITION, "nothing_to_retry",
                     "the task `" STR_FMT "` did not fail%s%s", STR_ARG(command->task),
                     has_task ? "; it was " : "",
                     has_task ? run->workflow->tasks[run->failed_task].reference : "");
}

/* The raw input of the task that failed, patched; JSON_INVALID: not to be patched like that. The
 * state to look at is the kept one, so the run is opened for a moment. Owned. */
static status patch_input(const struct run *run, json patch, json *ret_input, struct error *reterr)
{
    CLEANUP(run_freep) struct run *kept = NULL;
    TRY(retry_kept_unpack(run, &kept, reterr));
    const struct event place  = {.scope = run->failed_scope};
    const struct scope *scope = retry_failed_scope(kept, &place);
    bool is_next              = scope && scope->active == SLOT_NONE && scope_can_start(scope);
    if (!is_next) {
        return fail_code(reterr, STATUS_INVALID_ARGUMENT, "invalid_request",
                         "input_patch: the input of the task that failed is not its own");
    }
    *ret_input = json_merge_patch_new(scope->data, patch);
    return STATUS_OK;
}

static bool is_call_at_rest(const struct run *run, const struct activation *activation)
{
    return activation_task(run, activation)->kind == TASK_CALL && activation->state == TASK_RUNNING;
}

/* Whatever waited for somebody outside asks again; `failed` gets the patch. */
static void begin_again(struct decision *decision, const struct event *failed, json patch)
{
    struct run *run = decision->run;
    for (uint32_t i = 0; i < run->activations.count && run->status == RUN_RUNNING; i++) {
        struct activation *activation = run_activation(run, i);
        if (!activation || activation->undo) continue;
        enum task_kind kind = activation_task(run, activation)->kind;
        bool is_call        = is_call_at_rest(run, activation);
        bool is_failed =
            activation->scope + 1 == failed->scope && activation->task + 1 == failed->index;
        bool is_other = (kind == TASK_RUN && activation->state == TASK_RUNNING) ||
                        (kind == TASK_LISTEN && activation->state == TASK_WAITING);
        if (is_call && is_failed && run->workflow->tasks[activation->task].call.by == CALL_JOB) {
            call_begin_again(decision, activation, patch, failed->is_kept);
        } else if (is_call || is_other) {
            task_behaviour(kind)->begin(decision, activation);
        }
        decision_settle(decision);
    }
}

status run_retry(struct run *run, const struct decide_env *env, const struct run_retry *command,
                 struct event_list *events, struct error *reterr)
{
    bool is_paused = run->status == RUN_RUNNING;
    if (is_paused) return run_retry_paused(run, env, command, events, reterr);
    TRY(check_retryable(run, command, reterr));
    bool has_patch = command->patch.kind != JSON_INVALID;
    bool is_call   = run->is_failed_open && run->failed_task != TASK_NONE &&
                   run->workflow->tasks[run->failed_task].kind == TASK_CALL;
    json input = json_invalid();
    if (has_patch && is_call && run->workflow->tasks[run->failed_task].sends_secrets) {
        return fail_code(reterr, STATUS_INVALID_ARGUMENT, "invalid_request",
                         "input_patch: the arguments of the task that failed hold secrets");
    }
    if (has_patch && !is_call) TRY(patch_input(run, command->patch, &input, reterr));

    json value = json_object_new(1);
    json_object_put_text(&value, "by", json_text_lossy(command->by));
    CLEANUP(json_unrefp) json run_by = json_ref(value);
    struct event event               = {
                      .kind    = EVENT_RUN_RETRIED,
                      .scope   = run->failed_scope,
                      .index   = run->failed_task + 1,
                      .is_kept = has_patch || run->needs_new_pass,
                      .input   = input,
                      .value   = value,
    };
    const struct event failed = {
        .scope = event.scope, .index = event.index, .is_kept = event.is_kept};
    struct decision decision = decision_begin(run, env, events);
    (void)decide_emit(&decision, &event);
    if (run->is_suspended) { /* it was when it failed; whoever has it tried again wants it to go */
        struct event resumed = {.kind = EVENT_RUN_RESUMED, .value = json_ref(run_by)};
        (void)decide_emit(&decision, &resumed);
    }
    begin_again(&decision, &failed, command->patch);
    decision_collect(&decision);
    decision_end(&decision);
    return STATUS_OK;
}

/* --- undoing -----------------------------------------------------------------------------------
 */

static status check_undoable(const struct run *run, struct error *reterr)
{
    if (!run_status_is_final(run->status)) {
        return fail_code(reterr, STATUS_FAILED_PRECONDITION, "run_not_finished",
                         "run %s has not ended; cancel it", run->id.text);
    }
    uint32_t count  = 0;
    bool was_undone = run->undo_done + run->undo_failed > 0;
    if (!was_undone && run->retry_from > 0 && run->before.len > 0) {
        CLEANUP(run_freep) struct run *kept = NULL;
        TRY(retry_kept_unpack(run, &kept, reterr));
        count = kept->undo_count;
    }
    if (count > 0) return STATUS_OK;
    return fail_code(
        reterr, STATUS_FAILED_PRECONDITION, "nothing_to_compensate", "run %s %s", run->id.text,
        was_undone ? "was undone already" : "did nothing in a saga that can be undone");
}

status run_compensate(struct run *run, const struct decide_env *env, str reason, str by,
                      struct event_list *events, struct error *reterr)
{
    TRY(check_undoable(run, reterr));
    json value = json_object_new(2);
    json_object_put_text(&value, "reason", json_text_lossy(reason));
    json_object_put_text(&value, "by", json_text_lossy(by));
    struct event event       = {.kind = EVENT_RUN_COMPENSATED, .value = json_ref(value)};
    struct decision decision = decision_begin(run, env, events);
    (void)decide_emit(&decision, &event);
    run_cancel_all(&decision);
    undo_begin_all(&decision, value);
    decision_end(&decision);
    return STATUS_OK;
}

/* --- from an earlier event on ------------------------------------------------------------------
 */

status run_reset(struct run *run, const struct decide_env *env, const struct run_reset *command,
                 struct event_list *events, struct error *)
{
    ASSERT(run->status == RUN_RUNNING);
    json value = json_object_new(4);
    json_object_put_text(&value, "run", json_text_lossy(command->run));
    json_object_put_text(&value, "sequence", json_int((int64_t)command->sequence));
    json_object_put_text(&value, "reason", json_text_lossy(command->reason));
    json_object_put_text(&value, "by", json_text_lossy(command->by));
    struct event event       = {.kind = EVENT_RUN_RESET, .value = value, .due_us = run->now_us};
    run->more                = MORE_NO; /* collected when it is reset */
    const struct event none  = {};
    struct decision decision = decision_begin(run, env, events);
    (void)decide_emit(&decision, &event);
    begin_again(&decision, &none, json_invalid());
    decision_collect(&decision);
    decision_end(&decision);
    return STATUS_OK;
}
