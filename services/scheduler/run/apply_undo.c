/* Undoing: how it begins, what it goes through, how each compensation ends. */
#include "scheduler/run/apply.h"
#include "scheduler/run/undo.h"

#include "base/assert.h"

/* --- beginning ---------------------------------------------------------------------------------
 */

/* Nothing but compensations starts any more in what is left. */
static void lists_stop(struct run *run, uint32_t first)
{
    for (uint32_t slot = first; slot != SLOT_NONE;) {
        struct scope *scope = run_scope(run, slot);
        slot                = scope->next;
        if (scope->state == SCOPE_OPEN) scope_set_state(run, scope, SCOPE_FAILED);
    }
}

static status begin_of_run(struct run *run, const struct event *event, struct error *reterr)
{
    if (run->activations.open > 0 || run->is_ending) {
        return damaged(reterr, event, "the run cannot undo now");
    }
    struct scope *root = run_scope(run, ROOT_SLOT);
    if (root->state == SCOPE_OPEN) scope_set_state(run, root, SCOPE_FAILED);
    run->is_ending    = true;
    run->ending_then  = event->index;
    run->ending_error = json_ref(event->error);
    run->ending_value = json_ref(event->value);
    run->is_due_known = false;
    bool is_left      = run->workflow->is_saga && event->index != UNDO_THEN_COMPLETE;
    if (is_left || event->is_kept) undo_make_due(run, NULL);
    return STATUS_OK;
}

/* The scope of an undoing that is over: a second one follows the first. */
static void undo_scope_close(struct run *run, struct activation *activation)
{
    struct scope *last = run_scope(run, activation->last_scope);
    if (last && last->kind == SCOPE_UNDO) scope_close(run, last);
}

static status begin_of_task(struct run *run, struct activation *activation,
                            const struct event *event, struct error *reterr)
{
    bool is_answer = event->index == UNDO_THEN_ANSWER;
    bool is_call   = activation_task(run, activation)->kind == TASK_CALL;
    for (uint32_t slot = activation->first_scope; slot != SLOT_NONE;) {
        const struct scope *scope = run_scope(run, slot);
        if (scope->active != SLOT_NONE) return damaged(reterr, event, "tasks within are open");
        slot = scope->next;
    }
    if (is_answer != is_call) return damaged(reterr, event, "the task has nothing to undo");
    TRY(apply_input(activation, INPUT_UNDO, event, reterr));
    undo_scope_close(run, activation);
    lists_stop(run, activation->first_scope);
    activation->undo_then = event->index;
    json_replace(&activation->error, json_ref(event->error));
    json_replace(&activation->undo_value, json_ref(event->value));
    run->is_due_known = false;
    if (is_answer) {
        undo_make_due_in(run, activation);
    } else if (event->index == UNDO_THEN_LEAVE && activation_task(run, activation)->is_saga) {
        undo_make_due(run, activation);
    }
    return STATUS_OK;
}

/* What is told of it in the end: {"undone": 0, "failed": 0}. */
static json report_new(void)
{
    json report = json_object_new(2);
    json_object_put_text(&report, "undone", json_int(0));
    json_object_put_text(&report, "failed", json_int(0));
    return report;
}

static status apply_begun(struct run *run, struct event *event, struct error *reterr)
{
    struct activation *activation = run_activation(run, event->owner);
    if (event->opens != SCOPE_UNDO || event->index > UNDO_THEN_ANSWER) {
        return damaged(reterr, event, "it undoes in no way that is known");
    }
    if (activation) {
        TRY(begin_of_task(run, activation, event, reterr));
    } else if (event->owner == SLOT_NONE) {
        TRY(begin_of_run(run, event, reterr));
    } else {
        return damaged(reterr, event, "no such owner");
    }
    event->activation   = event->owner;
    event->task         = activation ? activation->task : TASK_NONE;
    struct scope *scope = scope_open(run, activation, SCOPE_UNDO, UINT32_MAX);
    scope->data         = report_new();
    event->scope        = scope->slot;
    return STATUS_OK;
}

/* --- one compensation --------------------------------------------------------------------------
 */

static status apply_started(struct run *run, struct event *event, struct error *reterr)
{
    struct scope *scope      = run_scope(run, event->scope);
    const struct undo *entry = undo_find(run, event->index);
    if (!scope || scope->kind != SCOPE_UNDO || !scope_can_start(scope)) {
        return damaged(reterr, event, "nothing undoes there");
    }
    if (!entry || !entry->is_due || entry->holder != scope->owner) {
        return damaged(reterr, event, "no such thing is to be undone");
    }
    if (entry->job.text[0]) return damaged(reterr, event, "its job has not answered");
    if (run->activations.open >= RUN_ACTIVATIONS_MAX) {
        return damaged(reterr, event, "too many open tasks");
    }
    const struct activation *owner = run_activation(run, scope->owner);
    struct activation *activation  = activation_open(run, scope, entry->task);
    activation->undo               = entry->number;
    activation->input              = json_ref(entry->input);
    activation->error              = json_ref(owner ? owner->error : run->ending_error);
    bool is_part                   = entry->output.kind == JSON_INVALID;
    json_replace(&activation->raw_input, is_part ? json_null() : json_ref(entry->output));
    event->activation = activation->slot;
    event->task       = activation->task;
    return STATUS_OK;
}

static void report_count(struct scope *scope, const char *name)
{
    int64_t count = json_get_text(scope->data, name).integer;
    json_object_put_text(&scope->data, name, json_int(count + 1));
}

status apply_compensation(struct run *run, struct activation *activation, struct event *event,
                          struct error *reterr)
{
    bool is_failure    = event->kind == EVENT_COMPENSATION_FAILED;
    struct undo *entry = undo_find(run, activation->undo);
    if (!entry) return damaged(reterr, event, "the task undoes nothing");
    TRY(apply_check_closed(run, activation, event, reterr));
    TRY(apply_input(activation, is_failure ? INPUT_FAULT : INPUT_COMPLETE, event, reterr));
    report_count(run_scope(run, activation->scope), is_failure ? "failed" : "undone");
    undo_remove(run, entry);
    run->undo_done += !is_failure;
    run->undo_failed += is_failure;
    activation_close(run, activation);
    return STATUS_OK;
}

/* --- a job that was awaited --------------------------------------------------------------------
 */

static status apply_settled(struct run *run, struct event *event, struct error *reterr)
{
    struct undo *entry = undo_awaiting(run, str_from(event->id.text));
    if (!entry) return damaged(reterr, event, "nothing awaits its job");
    event->task  = entry->task;
    event->index = entry->number;
    usage_add(&run->usage, &event->usage);
    entry->job    = (struct id){};
    bool was_part = entry->output.kind == JSON_INVALID;
    bool is_whole = event->value.kind != JSON_INVALID;
    if (is_whole) json_replace(&entry->output, json_ref(event->value));
    if (event->undo.kind != JSON_INVALID || (was_part && is_whole)) {
        json_replace(&entry->calls, json_ref(event->undo));
    }
    if (event->error.kind != JSON_INVALID && json_count(entry->calls) > 0) {
        entry->calls = undo_doubt_new(entry->calls, event->error); /* what is known goes first */
    } else {
        entry->error = json_ref(event->error);
    }
    bool is_nothing = entry->output.kind == JSON_INVALID && entry->error.kind == JSON_INVALID &&
                      json_count(entry->calls) == 0;
    if (is_nothing) undo_forget(run, entry);
    return STATUS_OK;
}

status apply_undo(struct run *run, struct event *event, struct error *reterr)
{
    if (event->kind == EVENT_JOB_SETTLED) return apply_settled(run, event, reterr);
    if (event->kind == EVENT_UNDO_BEGUN) return apply_begun(run, event, reterr);
    return apply_started(run, event, reterr);
}
