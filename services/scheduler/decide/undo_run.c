#include "scheduler/decide/undo_run.h"

#include "base/assert.h"
#include "scheduler/decide/job_policy.h"
#include "scheduler/decide/late_job.h"
#include "scheduler/decide/run_end.h"
#include "scheduler/decide/tasks/tasks.h"
#include "scheduler/run/job_key.h"

enum { CLIENT_CLOSED_REQUEST = 499 };

/* --- beginning ---------------------------------------------------------------------------------
 */

static void begin(struct decision *decision, uint32_t owner, enum undo_then then, json error,
                  json value)
{
    struct event event = {
        .kind  = EVENT_UNDO_BEGUN,
        .opens = SCOPE_UNDO,
        .owner = owner,
        .index = then,
        .error = error,
        .value = value,
    };
    uint32_t scope = decide_emit(decision, &event)->scope;
    decide_ready(decision, READY_LIST, scope);
}

bool undo_begin(struct decision *decision, struct activation *activation, enum undo_then then,
                json what)
{
    const struct run *run = decision->run;
    bool is_left          = then == UNDO_THEN_LEAVE && activation_task(run, activation)->is_saga;
    if (activation->undo_held == 0) return false;
    if (!is_left && !undo_next(run, activation->slot)) return false;
    bool is_value = then == UNDO_THEN_COMPLETE;
    begin(decision, activation->slot, then, is_value ? json_invalid() : what,
          is_value ? what : json_invalid());
    return true;
}

void undo_begin_call(struct decision *decision, struct activation *call, json error)
{
    begin(decision, call->slot, UNDO_THEN_ANSWER, error, json_invalid());
}

static json cancelled_new(json value)
{
    json reason = json_get_text(value, "reason");
    str detail  = json_is(reason, JSON_TEXT) ? json_str(reason) : str_from("");
    return error_own_new("cancelled", CLIENT_CLOSED_REQUEST, "Cancelled", detail, str_from("/"));
}

bool undo_begin_run(struct decision *decision, enum undo_then then, json what)
{
    const struct run *run = decision->run;
    bool is_left          = then != UNDO_THEN_COMPLETE && run->workflow->is_saga;
    if (run->undo_count == 0 || (!is_left && !undo_next(run, SLOT_NONE))) return false;
    json error = json_invalid();
    if (then == UNDO_THEN_FAULT) error = what;
    if (then == UNDO_THEN_CANCEL) error = cancelled_new(what);
    begin(decision, SLOT_NONE, then, error, then == UNDO_THEN_FAULT ? json_invalid() : what);
    return true;
}

void undo_begin_all(struct decision *decision, json value)
{
    ASSERT(decision->run->undo_count > 0);
    struct event event = {
        .kind    = EVENT_UNDO_BEGUN,
        .opens   = SCOPE_UNDO,
        .owner   = SLOT_NONE,
        .index   = UNDO_THEN_CANCEL,
        .error   = cancelled_new(value),
        .value   = value,
        .is_kept = true,
    };
    decide_ready(decision, READY_LIST, decide_emit(decision, &event)->scope);
}

/* --- calls that a worker declared --------------------------------------------------------------
 */

/* Fills in all of a job but its key and id. */
static status call_prepare(const struct scene *scene, const struct activation *activation,
                           struct event *job, json *ret_error)
{
    const struct undo *entry       = undo_find(scene->run, activation->undo);
    json call                      = json_at(entry->calls, activation->next_index);
    json function                  = json_get_text(call, "function");
    json with                      = json_get_text(call, "with");
    json doubt                     = json_get_text(call, "error");
    const struct job_policy policy = job_policy_of(scene->env, scene->task, true);
    if (doubt.kind != JSON_INVALID) {
        *ret_error = json_ref(doubt);
        return STATUS_FAILED_PRECONDITION;
    }
    if (!json_is(function, JSON_TEXT) || json_str(function).len == 0) {
        return scene_fail(scene, ERROR_CONFIGURATION, "what the worker said undoes nothing",
                          ret_error);
    }
    job->activation         = activation->slot;
    job->attempt            = 1;
    job->attempts_max       = job_attempts_max(&policy);
    bool has_priority       = scene->task->priority != PRIORITY_INHERIT;
    job->priority           = has_priority ? scene->task->priority : scene->run->priority;
    job->function           = json_str(function).ptr;
    job->queue              = scene->task->call.queue;
    job->attempt_timeout_us = job_attempt_timeout_default(scene->env);
    job->value              = json_is(with, JSON_INVALID) ? json_object_new(0) : json_ref(with);
    return STATUS_OK;
}

static void call_next(struct decision *decision, struct activation *activation)
{
    struct scene scene = scene_of(decision->run, decision->env, activation);
    struct event event = {.kind = EVENT_JOB_SCHEDULED};
    json error         = json_invalid();
    if (call_prepare(&scene, activation, &event, &error) != STATUS_OK) {
        undo_fail(decision, activation, error);
        return;
    }
    event.key       = job_key_new(decision->run, activation, json_invalid());
    event.iteration = iteration_new(decision->run, run_scope(decision->run, activation->scope));
    event.id        = decide_id(decision->env);
    (void)decide_emit(decision, &event);
}

/* --- one compensation --------------------------------------------------------------------------
 */

/* It is over, one way or another; its scope goes on. Takes what is in `event`. */
static void close_one(struct decision *decision, const struct activation *activation,
                      struct event *event)
{
    uint32_t scope    = activation->scope;
    event->activation = activation->slot;
    (void)decide_emit(decision, event);
    decide_ready(decision, READY_LIST, scope);
}

static void complete_one(struct decision *decision, const struct activation *activation)
{
    struct event event = {.kind = EVENT_COMPENSATION_COMPLETED};
    close_one(decision, activation, &event);
}

/* Its job has just become a dead letter; otherwise one is to be made for it. That of another task
 * comes before it starts. */
static bool has_dead_job(const struct decision *decision)
{
    for (size_t i = decision->events->count; i-- > 0;) {
        enum event_kind kind = decision->events->items[i].kind;
        if (kind == EVENT_COMPENSATION_STARTED) return false;
        if (kind == EVENT_JOB_DEAD) return true;
    }
    return false;
}

void undo_fail(struct decision *decision, struct activation *activation, json error)
{
    task_cancel_below(decision, activation);
    task_close_outside(decision, activation, false);
    struct event event = {
        .kind    = EVENT_COMPENSATION_FAILED,
        .error   = error,
        .is_kept = has_dead_job(decision),
    };
    if (!event.is_kept) event.id = decide_id(decision->env);
    close_one(decision, activation, &event);
}

void undo_settle(struct decision *decision, struct activation *activation, json error)
{
    if (error.kind == JSON_INVALID) {
        complete_one(decision, activation);
    } else {
        undo_fail(decision, activation, json_ref(error));
    }
}

void undo_open(struct decision *decision, struct activation *activation)
{
    const struct task *task  = activation_task(decision->run, activation);
    const struct place place = place_within(activation, SCOPE_COMPENSATION, 0);
    task_start(decision, &place, task->compensation.tasks.tasks[0], activation->raw_input);
}

static void go_on(struct decision *decision, struct activation *activation)
{
    const struct undo *entry = undo_find(decision->run, activation->undo);
    if (activation_can_open(decision->run, activation)) {
        undo_open(decision, activation);
    } else if (activation->next_index < json_count(entry->calls)) {
        call_next(decision, activation);
    } else {
        complete_one(decision, activation);
    }
}

void undo_answered(struct decision *decision, struct activation *activation)
{
    go_on(decision, activation);
}

/* --- one after the other -----------------------------------------------------------------------
 */

static void end_run(struct decision *decision)
{
    const struct run *run = decision->run;
    struct event event    = {};
    late_jobs_drop(decision);
    switch ((enum undo_then)run->ending_then) {
    case UNDO_THEN_CANCEL:
        event.kind  = EVENT_RUN_CANCELLED;
        event.value = json_ref(run->ending_value);
        break;
    case UNDO_THEN_COMPLETE:
        event.kind  = EVENT_RUN_COMPLETED;
        event.value = json_ref(run->ending_value);
        break;
    case UNDO_THEN_FAULT:
    case UNDO_THEN_LEAVE:
    case UNDO_THEN_ANSWER:
        event.kind  = EVENT_RUN_FAULTED;
        event.error = json_ref(run->ending_error);
        break;
    }
    (void)decide_emit(decision, &event);
}

static void end_task(struct decision *decision, struct activation *activation,
                     const struct scope *scope)
{
    CLEANUP(json_unrefp) json report = json_ref(scope->data);
    CLEANUP(json_unrefp) json value  = json_ref(activation->undo_value);
    json error                       = json_ref(activation->error);
    enum undo_then then              = (enum undo_then)activation->undo_then;
    if (then == UNDO_THEN_FAULT || then == UNDO_THEN_LEAVE) {
        task_fault_undone(decision, activation, error, then == UNDO_THEN_FAULT);
        return;
    }
    json_unref(error);
    task_complete(decision, activation, then == UNDO_THEN_ANSWER ? report : value, NULL);
}

void undo_step(struct decision *decision, const struct scope *scope)
{
    const struct undo *entry = undo_next(decision->run, scope->owner);
    if (!entry) {
        struct activation *owner = run_activation(decision->run, scope->owner);
        if (owner) {
            end_task(decision, owner, scope);
        } else {
            end_run(decision);
        }
        return;
    }
    decision->steps++;
    CLEANUP(json_unrefp) json error = json_ref(entry->error);
    struct event event              = {
                     .kind  = EVENT_COMPENSATION_STARTED,
                     .scope = scope->slot,
                     .index = entry->number,
    };
    uint32_t slot                 = decide_emit(decision, &event)->activation;
    struct activation *activation = run_activation(decision->run, slot);
    if (error.kind == JSON_INVALID) {
        go_on(decision, activation);
    } else {
        undo_fail(decision, activation, json_take(&error));
    }
}
