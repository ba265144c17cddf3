/*
 * The fold: events in, state out. No clock, no randomness, no I/O, and no expression is evaluated,
 * so the same journal gives the same run on every machine and in every release. What comes from
 * disk is checked, not asserted: a damaged journal is refused.
 */
#include "scheduler/run/apply.h"
#include "scheduler/run/paused.h"
#include "scheduler/run/reopen.h"

#include "base/assert.h"

status damaged(struct error *reterr, const struct event *event, const char *what)
{
    return fail(reterr, STATUS_DATA_LOSS, "event %llu (%s): %s",
                (unsigned long long)event->sequence, event_type(event->kind), what);
}

status apply_input(struct activation *activation, enum task_input input, const struct event *event,
                   struct error *reterr)
{
    enum task_state next = task_next(activation->state, input);
    if (next == TASK_ILLEGAL) return damaged(reterr, event, "the task is in no state for it");
    activation->state = next;
    return STATUS_OK;
}

static status apply_run_drafted(struct run *run, const struct event *event, struct error *reterr)
{
    if (run->sequence > 0) return damaged(reterr, event, "not the first one");
    if (event->value.kind == JSON_INVALID) return damaged(reterr, event, "no input");
    run->status           = event->is_kept ? RUN_PENDING : RUN_DRAFT;
    run->expires_us       = event->due_us;
    run->deadline_us      = event->deadline_us;
    run->priority         = event->priority;
    run->budget_usd_nanos = event->budget_usd_nanos;
    run->budget_tokens    = event->budget_tokens;
    json_replace(&run->input, json_ref(event->value));
    return STATUS_OK;
}

static status apply_run_edited(struct run *run, const struct event *event, struct error *reterr)
{
    if (run->status != RUN_DRAFT) return damaged(reterr, event, "no draft");
    if (event->input.kind == JSON_INVALID) return damaged(reterr, event, "no input");
    json_replace(&run->input, json_ref(event->input));
    return STATUS_OK;
}

static status apply_run_approved(const struct run *run, const struct event *event,
                                 struct error *reterr)
{
    return run->status == RUN_DRAFT ? STATUS_OK : damaged(reterr, event, "no draft");
}

static status apply_run_variable(struct run *run, const struct event *event, struct error *reterr)
{
    json name  = json_get_text(event->value, "name");
    json value = json_get_text(event->value, "value");
    if (!json_is(name, JSON_TEXT) || value.kind == JSON_INVALID ||
        !json_is(run->context, JSON_OBJECT)) {
        return damaged(reterr, event, "no variable");
    }
    json_object_put(&run->context, json_str(name), json_ref(value));
    return STATUS_OK;
}

static status apply_run_started(struct run *run, struct event *event, struct error *reterr)
{
    bool has_begun = run->status != RUN_PENDING && run->status != RUN_DRAFT;
    if (has_begun) return damaged(reterr, event, "started twice");
    if (event->value.kind == JSON_INVALID) return damaged(reterr, event, "no input");
    run->status           = RUN_RUNNING;
    run->started_us       = event->time_us;
    run->deadline_us      = event->deadline_us;
    run->priority         = event->priority;
    run->budget_usd_nanos = event->budget_usd_nanos;
    run->budget_tokens    = event->budget_tokens;
    run->parent           = event->id;
    run->depth            = event->depth;
    run->expires_us       = 0;
    json_replace(&run->input, json_ref(event->value));
    run->context = json_ref(event->context.kind == JSON_INVALID ? event->value : event->context);

    struct scope *root = scope_open(run, NULL, SCOPE_ROOT, 0);
    ASSERT(root->slot == ROOT_SLOT);
    root->data = json_ref(run->context);
    if (run->workflow->root.count == 0) scope_set_state(run, root, SCOPE_OVER);
    return STATUS_OK;
}

static status apply_run_ended(struct run *run, struct event *event, enum run_status end,
                              struct error *reterr)
{
    if (run->activations.open > 0) return damaged(reterr, event, "tasks are open");
    const struct scope *root = run_scope(run, ROOT_SLOT);
    bool has_begun           = run->status == RUN_RUNNING;
    if (has_begun && !root) return damaged(reterr, event, "no root");
    if (has_begun && event->value_from == VALUE_RESULT) {
        json_replace(&event->value, json_ref(root->data));
    }
    if (end == RUN_COMPLETED) {
        if (event->value.kind == JSON_INVALID) return damaged(reterr, event, "no output");
        run->output = json_ref(event->value);
    } else {
        run->error = json_ref(end == RUN_FAULTED ? event->error : event->value);
    }
    run->retry_from = event->retry_from;
    if (end == RUN_FAULTED) {
        run->failed_task    = event->index - 1; /* 0: TASK_NONE */
        run->failed_scope   = event->scope;
        run->is_failed_open = event->attempt > 0;
        run->needs_new_pass = event->is_kept;
    }
    run->status       = end;
    run->is_suspended = false;
    run->ended_us     = event->time_us;
    run_clear(run);
    return STATUS_OK;
}

static status apply_suspension(struct run *run, const struct event *event, struct error *reterr)
{
    bool is_suspended = event->kind == EVENT_RUN_SUSPENDED;
    if (run->is_suspended == is_suspended) return damaged(reterr, event, "it is so already");
    run->is_suspended = is_suspended;
    run->is_due_known = false;
    return STATUS_OK;
}

static status apply_run(struct run *run, struct event *event, struct error *reterr)
{
    event->task = TASK_NONE;
    switch (event->kind) {
    case EVENT_RUN_STARTED: return apply_run_started(run, event, reterr);
    case EVENT_RUN_COMPLETED: return apply_run_ended(run, event, RUN_COMPLETED, reterr);
    case EVENT_RUN_FAULTED: return apply_run_ended(run, event, RUN_FAULTED, reterr);
    case EVENT_RUN_RETRIED: return apply_run_retried(run, event, reterr);
    case EVENT_RUN_COMPENSATED: return apply_run_compensated(run, event, reterr);
    case EVENT_RUN_RESET: apply_run_reset(run, event); return STATUS_OK;
    case EVENT_RUN_DRAFTED: return apply_run_drafted(run, event, reterr);
    case EVENT_RUN_EDITED: return apply_run_edited(run, event, reterr);
    case EVENT_RUN_APPROVED: return apply_run_approved(run, event, reterr);
    case EVENT_RUN_VARIABLE: return apply_run_variable(run, event, reterr);
    case EVENT_RUN_CHARGED: usage_add(&run->usage, &event->usage); return STATUS_OK;
    case EVENT_RUN_CANCELLED: return apply_run_ended(run, event, RUN_CANCELLED, reterr);
    case EVENT_RUN_TERMINATED: return apply_run_ended(run, event, RUN_TERMINATED, reterr);
    case EVENT_RUN_SUSPENDED:
    case EVENT_RUN_RESUMED: return apply_suspension(run, event, reterr);
    case EVENT_SIGNAL_RECEIVED: return apply_signal(run, event, reterr);
    case EVENT_EXPIRED: return apply_expired(run, event, reterr);
    default: return damaged(reterr, event, "unknown kind"); /* of a newer release: do not guess */
    }
}

static status apply_activation(struct run *run, struct event *event, struct error *reterr)
{
    struct activation *activation = run_activation(run, event->activation);
    if (!activation) return damaged(reterr, event, "no such task");
    event->task = activation->task;
    switch (event->kind) {
    case EVENT_TASK_COMPLETED:
    case EVENT_TASK_FAULTED:
    case EVENT_TASK_CANCELLED:
    case EVENT_TASK_RETRIED: return apply_task(run, activation, event, reterr);
    case EVENT_JOB_SCHEDULED:
    case EVENT_JOB_RETRIED:
    case EVENT_JOB_COMPLETED:
    case EVENT_JOB_FAILED:
    case EVENT_JOB_DEAD:
    case EVENT_JOB_CANCELLED: return apply_job(run, activation, event, reterr);
    case EVENT_APPROVAL_REQUESTED:
    case EVENT_APPROVAL_DECIDED:
    case EVENT_APPROVAL_EXPIRED:
    case EVENT_APPROVAL_EDITED:
    case EVENT_APPROVAL_CANCELLED: return apply_approval(run, activation, event, reterr);
    case EVENT_LISTEN_CLOSED: return apply_closed(run, activation, event, reterr);
    case EVENT_ITEM_COMPLETED: return apply_item(run, activation, event, reterr);
    case EVENT_EMITTED: return apply_emitted(run, activation, event, reterr);
    case EVENT_CHILD_SCHEDULED:
    case EVENT_CHILD_STARTED:
    case EVENT_CHILD_COMPLETED:
    case EVENT_CHILD_FAULTED:
    case EVENT_CHILD_CANCELLED:
    case EVENT_CHILD_TERMINATED: return apply_child(run, activation, event, reterr);
    case EVENT_COMPENSATION_COMPLETED:
    case EVENT_COMPENSATION_FAILED: return apply_compensation(run, activation, event, reterr);
    case EVENT_RUN_LABELLED: return STATUS_OK; /* of its row, not of its state */
    case EVENT_AGENT_TURN:
    case EVENT_AGENT_CALLS: return apply_agent(run, activation, event, reterr);
    case EVENT_CACHE_ASKED:
    case EVENT_CACHE_HIT:
    case EVENT_CACHE_LEFT: return apply_cache(run, activation, event, reterr);
    case EVENT_TASK_PAUSED:
    case EVENT_TASK_RESUMED: return apply_paused(run, activation, event, reterr);
    default: return apply_taken(run, activation, event, reterr);
    }
}

static status apply_kind(struct run *run, struct event *event, struct error *reterr)
{
    switch (event->kind) {
    case EVENT_TASK_STARTED: return apply_task_started(run, event, reterr);
    case EVENT_TASK_SKIPPED: return apply_task_skipped(run, event, reterr);
    case EVENT_TASK_COMPLETED:
    case EVENT_TASK_FAULTED:
    case EVENT_TASK_CANCELLED:
    case EVENT_TASK_RETRIED:
    case EVENT_JOB_SCHEDULED:
    case EVENT_JOB_RETRIED:
    case EVENT_JOB_COMPLETED:
    case EVENT_JOB_FAILED:
    case EVENT_JOB_DEAD:
    case EVENT_JOB_CANCELLED:
    case EVENT_APPROVAL_REQUESTED:
    case EVENT_APPROVAL_DECIDED:
    case EVENT_APPROVAL_EXPIRED:
    case EVENT_APPROVAL_CANCELLED:
    case EVENT_COMPENSATION_COMPLETED:
    case EVENT_COMPENSATION_FAILED:
    case EVENT_RUN_LABELLED:
    case EVENT_TAKEN:
    case EVENT_LISTEN_CLOSED:
    case EVENT_EMITTED:
    case EVENT_APPROVAL_EDITED:
    case EVENT_ITEM_COMPLETED:
    case EVENT_CHILD_SCHEDULED:
    case EVENT_CHILD_STARTED:
    case EVENT_CHILD_COMPLETED:
    case EVENT_CHILD_FAULTED:
    case EVENT_CHILD_CANCELLED:
    case EVENT_AGENT_TURN:
    case EVENT_AGENT_CALLS:
    case EVENT_CACHE_ASKED:
    case EVENT_CACHE_HIT:
    case EVENT_CACHE_LEFT:
    case EVENT_TASK_PAUSED:
    case EVENT_TASK_RESUMED:
    case EVENT_CHILD_TERMINATED: return apply_activation(run, event, reterr);
    case EVENT_UNDO_BEGUN:
    case EVENT_JOB_SETTLED:
    case EVENT_COMPENSATION_STARTED: return apply_undo(run, event, reterr);
    default: return apply_run(run, event, reterr);
    }
}

/* Says whether an event of this kind may come now; what it says is another matter. */
static bool is_timely(const struct run *run, const struct event *event)
{
    switch (event->kind) {
    case EVENT_RUN_DRAFTED:
    case EVENT_RUN_EDITED:
    case EVENT_RUN_APPROVED:
    case EVENT_RUN_STARTED:
    case EVENT_RUN_RETRIED:
    case EVENT_RUN_CHARGED:
    case EVENT_RUN_COMPENSATED: return true;
    case EVENT_RUN_CANCELLED:
    case EVENT_RUN_TERMINATED: return run_is_waiting_to_start(run) || run->status == RUN_RUNNING;
    default: return run->status == RUN_RUNNING;
    }
}

status run_apply(struct run *run, struct event *event, struct error *reterr)
{
    ASSERT(run);
    ASSERT(event);
    if (event->sequence != run->sequence + 1) return damaged(reterr, event, "not the next one");
    if (!is_timely(run, event)) return damaged(reterr, event, "not running");

    run->now_us = event->time_us;
    run->more   = MORE_UNKNOWN;
    TRY(apply_kind(run, event, reterr));
    run->sequence = event->sequence;
    return STATUS_OK;
}
