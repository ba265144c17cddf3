#include "scheduler/run_retry.h"

#include "base/assert.h"
#include "scheduler/apply.h"
#include "scheduler/tasks/tasks.h"
#include "scheduler/undo.h"
#include "json/json_pointer.h"

enum { BEFORE_MAX = 256 << 20 /* bytes */ };

/* --- keeping -----------------------------------------------------------------------------------
 */

status retry_keep(struct run *run, struct error *reterr)
{
    buf_done(&run->before);
    run->before = buf_init(BEFORE_MAX);
    return run_snapshot_pack_inline(run, &run->before, reterr);
}

uint64_t retry_place(const struct decision *decision)
{
    const struct run *run = decision->run;
    uint64_t place        = decision->first_sequence;
    if (decision->failed_sequence > place) place = decision->failed_sequence;
    bool has_begun = place > 1; /* what failed in the first event would fail again */
    return has_begun && run->undo_total == 0 && !decision->is_terminating ? place : 0;
}

/* --- applying ----------------------------------------------------------------------------------
 */

static status load_nothing(uint64_t, str *, void *, struct error *reterr)
{
    return fail(reterr, STATUS_DATA_LOSS, "a kept state names a payload");
}

/* `fresh` becomes the run, which goes on counting where it was. */
static void adopt(struct run *run, struct run *fresh)
{
    struct run old = *run;
    *run           = *fresh;
    *fresh         = old;

    struct payload_index payloads = run->payloads;
    run->payloads                 = old.payloads;
    fresh->payloads               = payloads;
    run->sequence                 = old.sequence;
    run->usage                    = old.usage;
    run->before                   = (struct buf){};
}

/* One that was past begins anew; the others move on by the time that the run was over. */
static void deadline_move(int64_t *deadline_us, int64_t started_us, int64_t ended_us,
                          int64_t now_us)
{
    if (*deadline_us == 0) return;
    bool was_past = *deadline_us <= ended_us;
    *deadline_us =
        was_past ? now_us + (*deadline_us - started_us) : *deadline_us + (now_us - ended_us);
}

/* What it waited for outside is closed: it begins again. */
static void reopen(struct run *run, struct activation *activation, int64_t ended_us, int64_t now_us)
{
    int64_t started_us = activation->started_us;
    deadline_move(&activation->deadline_us, started_us, ended_us, now_us);
    deadline_move(&activation->retry_until_us, started_us, ended_us, now_us);
    deadline_move(&activation->attempt_deadline_us, started_us, ended_us, now_us);
    if (!activation->id.text[0]) return;
    enum task_kind kind = activation_task(run, activation)->kind;
    if (activation->state == TASK_QUEUED) job_index_remove(run, &activation->id);
    if (kind == TASK_CALL || kind == TASK_RUN) {
        activation->state   = TASK_RUNNING;
        activation->attempt = 1;
        json_replace(&activation->key, json_invalid());
    }
    activation->id = (struct id){};
}

static struct scope *failed_scope(const struct run *run, const struct event *event)
{
    if (event->scope == 0) return NULL;
    struct scope *scope = run_scope(run, event->scope - 1);
    return scope && scope->kind != SCOPE_UNDO ? scope : NULL;
}

status apply_run_retried(struct run *run, struct event *event, struct error *reterr)
{
    event->task = TASK_NONE;
    if (run->status != RUN_FAULTED || run->before.len == 0) {
        return damaged(reterr, event, "there is nothing to go back to");
    }
    const struct payload_store payloads = {.load = load_nothing};
    struct run *fresh                   = NULL;
    TRY(run_snapshot_unpack(str_from(run->id.text), run->workflow,
                            bytes_from(buf_str(&run->before)), &payloads, &fresh, reterr));
    int64_t ended_us = run->ended_us;
    adopt(run, fresh);
    run_free(fresh);

    deadline_move(&run->deadline_us, run->started_us, ended_us, event->time_us);
    for (uint32_t i = 0; i < run->activations.count; i++) {
        struct activation *activation = run_activation(run, i);
        if (activation) reopen(run, activation, ended_us, event->time_us);
    }
    struct scope *scope = failed_scope(run, event);
    if (scope && event->is_kept) scope->pass++;
    if (scope && event->input.kind != JSON_INVALID) {
        json_replace(&scope->data, json_ref(event->input));
    }
    run->is_due_known = false;
    run->more         = MORE_UNKNOWN;
    run->now_us       = event->time_us;
    return STATUS_OK;
}

/* --- deciding ----------------------------------------------------------------------------------
 */

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
    const struct payload_store payloads = {.load = load_nothing};
    CLEANUP(run_freep) struct run *kept = NULL;
    TRY(run_snapshot_unpack(str_from(run->id.text), run->workflow,
                            bytes_from(buf_str(&run->before)), &payloads, &kept, reterr));
    const struct event place  = {.scope = run->failed_scope};
    const struct scope *scope = failed_scope(kept, &place);
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
        if (is_call && is_failed && patch.kind != JSON_INVALID) {
            call_begin_patched(decision, activation, patch);
        } else if (is_call || is_other) {
            task_behaviour(kind)->begin(decision, activation);
        }
        decision_settle(decision);
    }
}

status run_retry(struct run *run, const struct decide_env *env, const struct run_retry *command,
                 struct event_list *events, struct error *reterr)
{
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
    struct event event = {
        .kind    = EVENT_RUN_RETRIED,
        .scope   = run->failed_scope,
        .index   = run->failed_task + 1,
        .is_kept = has_patch || run->needs_new_pass,
        .input   = input,
        .value   = value,
    };
    const struct event failed = {.scope = event.scope, .index = event.index};
    struct decision decision  = decision_begin(run, env, events);
    (void)decide_emit(&decision, &event);
    begin_again(&decision, &failed, command->patch);
    decision_collect(&decision);
    decision_end(&decision);
    return STATUS_OK;
}
