/* A task from start to end: the order of steps is in docs/reference/workflow.md. */
#include "scheduler/decide/call_cache.h"
#include "scheduler/decide/decide.h"
#include "scheduler/decide/job_question.h"
#include "scheduler/decide/late_job.h"
#include "scheduler/decide/retry_rule.h"
#include "scheduler/decide/undo_run.h"
#include "scheduler/run/job_key.h"
#include "workflow/function_catalog.h"

#include "base/assert.h"
#include "base/mem.h"

#include <stdlib.h>

/* --- starting ------------------------------------------------------------------------------------
 */

static uint32_t activations_max(const struct decide_env *env)
{
    uint32_t max = env->limits.activations_max;
    return max > 0 && max < RUN_ACTIVATIONS_MAX ? max : RUN_ACTIVATIONS_MAX;
}

static status times_prepare(struct scene *scene, struct event *started, json *ret_error)
{
    const struct task *task = scene->task;
    int64_t timeout_us      = 0;
    TRY(scene_duration(scene, &task->timeout, &timeout_us, ret_error));
    if (timeout_us > 0) started->deadline_us = decide_after(scene->env, timeout_us);

    const struct retry_rule *rule = task->has_own_retry ? task->retry : NULL;
    if (task->kind == TASK_TRY) rule = task->try_.retry;
    if (!rule) return STATUS_OK;
    int64_t now_us = scene->env->now_us;
    TRY(retry_end(scene, rule, now_us, &started->retry_until_us, ret_error));
    if (task->kind == TASK_CALL) { /* an attempt's own end is its job's, from the lease */
        started->attempt_deadline_us = started->retry_until_us;
        return STATUS_OK;
    }
    return retry_attempt_end(scene, rule, now_us, started->retry_until_us,
                             &started->attempt_deadline_us, ret_error);
}

/* All that task.started says: transformed input, times, what its kind needs. */
static status prepare(struct scene *scene, struct event *started, json *ret_error)
{
    const struct task *task = scene->task;
    TRY(scene_check(scene, task->input_schema, scene->raw_input, "input", ret_error));
    if (task->input_from) {
        TRY(scene_eval(scene, task->input_from, scene->raw_input, &started->input, ret_error));
        scene->input = started->input;
    }
    if (scene->run->activations.open + 1 >= activations_max(scene->env)) {
        return scene_fail(scene, ERROR_RUNTIME, "too many tasks of this run are open at once",
                          ret_error);
    }
    if (task->is_undoable && scene->run->undo_count >= UNDO_MAX) {
        return scene_fail(scene, ERROR_RUNTIME,
                          "too many tasks of this run would have to be undone", ret_error);
    }
    TRY(times_prepare(scene, started, ret_error));
    const struct task_behaviour *behaviour = task_behaviour(task->kind);
    return behaviour->prepare ? behaviour->prepare(scene, started, ret_error) : STATUS_OK;
}

static void skip(struct decision *decision, struct event event)
{
    event.kind                  = EVENT_TASK_SKIPPED;
    const struct event *skipped = decide_emit(decision, &event);
    const struct scope *scope   = run_scope(decision->run, skipped->scope);
    uint32_t owner              = scope ? scope->owner : skipped->owner;
    decide_list_moved(decision, skipped->scope, owner);
}

void task_start(struct decision *decision, const struct place *place, task_index index,
                json raw_input)
{
    decision->steps++;
    CLEANUP(json_unrefp) json input = json_ref(raw_input); /* its scope may change hands */
    const struct task *task         = &decision->run->workflow->tasks[index];
    struct scene scene = scene_of_task(decision->run, decision->env, place, task, input);
    json error         = json_invalid();
    struct event event = {
        .kind  = EVENT_TASK_STARTED,
        .task  = index,
        .scope = place->scope == SLOT_NONE ? 0 : place->scope,
        .opens = place->scope == SLOT_NONE ? place->kind : SCOPE_NONE,
        .owner = place->owner,
        .index = place->index,
    };

    bool is_wanted = true;
    status code    = STATUS_OK;
    if (task->condition) code = scene_test(&scene, task->condition, input, &is_wanted, &error);
    if (code == STATUS_OK && !is_wanted) {
        skip(decision, event);
        return;
    }
    if (code == STATUS_OK) code = prepare(&scene, &event, &error);

    uint32_t slot                 = decide_emit(decision, &event)->activation;
    struct activation *activation = run_activation(decision->run, slot);
    if (code != STATUS_OK) {
        task_fault_finally(decision, activation, error); /* the next attempt would fail as well */
    } else {
        task_behaviour(task->kind)->begin(decision, activation);
    }
}

/* --- completing ----------------------------------------------------------------------------------
 */

/* What the journal need not repeat of the `output`, or what was made of it. Scalars are as short as
 * the reference. */
static enum value_from source_of(const struct run *run, const struct activation *activation,
                                 json output, json value)
{
    if (value.kind < JSON_TEXT) return VALUE_HERE;
    if (activation->agent && json_same(value, output)) return VALUE_AGENT;
    if (json_same(value, activation->raw_input)) return VALUE_RAW_INPUT;
    if (json_same(value, activation->input)) return VALUE_INPUT;
    if (json_same(value, activation_result(run, activation))) return VALUE_RESULT;
    return VALUE_HERE;
}

/* output.as, output.schema, export.as, export.schema. Both results are owned. */
static status transform(struct scene *scene, json output, json *ret_value, json *ret_context,
                        json *ret_error)
{
    const struct task *task         = scene->task;
    CLEANUP(json_unrefp) json value = json_invalid();
    scene->raw_output               = output;
    if (task->kind == TASK_CALL) {
        TRY(scene_check(scene, task->call.output_schema, output, "answer", ret_error));
    }
    if (task->output_as) {
        TRY(scene_eval(scene, task->output_as, output, &value, ret_error));
    } else {
        value = json_ref(output);
    }
    TRY(scene_check(scene, task->output_schema, value, "output", ret_error));
    if (task->export_as) {
        scene->output                     = value;
        CLEANUP(json_unrefp) json context = json_invalid();
        TRY(scene_eval(scene, task->export_as, value, &context, ret_error));
        TRY(scene_check(scene, task->export_schema, context, "export", ret_error));
        *ret_context = json_take(&context);
    }
    *ret_value = json_take(&value);
    return STATUS_OK;
}

/* How it came to its output. */
struct completion {
    const struct flow *flow; /* NULL: the definition's `then` */
    json joined;             /* the context that iterations have changed; invalid: they have not */
    json key;                /* under which it was done, if the state does not tell; else invalid */
};

static void complete(struct decision *decision, struct activation *activation, json output,
                     const struct completion *how)
{
    const struct task *task = activation_task(decision->run, activation);
    struct scene scene      = scene_of(decision->run, decision->env, activation);
    scene.body_of           = activation;
    scene.context           = how->joined;

    CLEANUP(json_unrefp) json kept_output = json_ref(output);
    CLEANUP(json_unrefp) json value       = json_invalid();
    CLEANUP(json_unrefp) json context     = json_invalid();
    json error                            = json_invalid();
    if (transform(&scene, kept_output, &value, &context, &error) != STATUS_OK) {
        decision->refused     = kept_output;
        decision->refused_key = how->key;
        task_fault(decision, activation, error);
        decision->refused = decision->refused_key = json_invalid();
        return;
    }
    if (context.kind == JSON_INVALID) context = json_ref(how->joined);

    uint32_t scope     = activation->scope;
    uint32_t owner     = run_scope(decision->run, scope)->owner;
    struct event event = {
        .kind       = EVENT_TASK_COMPLETED,
        .activation = activation->slot,
        .flow       = how->flow ? *how->flow : task->then,
        .key        = json_ref(how->key),
        .value_from = source_of(decision->run, activation, kept_output, value),
        .context    = json_take(&context),
    };
    bool is_here = event.value_from == VALUE_HERE || event.value_from == VALUE_AGENT;
    if (is_here) event.value = json_ref(value);
    bool is_end = event.flow.kind == FLOW_END &&
                  !scope_passes_flow(decision->run, run_scope(decision->run, scope));
    (void)decide_emit(decision, &event);
    if (is_end) {
        decide_end(decision, owner, json_take(&value));
    } else {
        decide_list_moved(decision, scope, owner);
    }
}

void task_complete(struct decision *decision, struct activation *activation, json output,
                   const struct flow *flow)
{
    complete(decision, activation, output, &(struct completion){.flow = flow});
}

void task_complete_joined(struct decision *decision, struct activation *activation, json output,
                          json context)
{
    complete(decision, activation, output, &(struct completion){.joined = context});
}

void task_complete_under(struct decision *decision, struct activation *activation, json output,
                         json key)
{
    bool is_own = task_has_own_key(activation_task(decision->run, activation));
    complete(decision, activation, output,
             &(struct completion){.key = is_own ? key : json_invalid()});
}

/* --- cancelling ----------------------------------------------------------------------------------
 */

static bool is_to_be_undone(const struct decision *decision, const struct activation *activation)
{
    const struct task *task = activation_task(decision->run, activation);
    return task->is_undoable && !activation->undo && !decision->is_terminating;
}

/* What a call may have done, or do, has to be undone; reading does nothing. */
static enum job_holding job_holding(const struct decision *decision,
                                    const struct activation *activation)
{
    const struct task *task                     = activation_task(decision->run, activation);
    const struct function_description *function = task->call.description;
    const struct job_holders *holders           = decision->env->holders;
    bool is_read                                = function && function->effect == EFFECT_READ;
    if (!is_to_be_undone(decision, activation) || is_read || !holders) return JOB_UNTOUCHED;
    return holders->look(holders->context, str_from(activation->id.text));
}

static void close_job(struct decision *decision, struct activation *activation)
{
    const struct task *task  = activation_task(decision->run, activation);
    enum job_holding holding = job_holding(decision, activation);
    bool is_undone           = is_to_be_undone(decision, activation);
    struct event event       = {
              .kind       = EVENT_JOB_CANCELLED,
              .activation = activation->slot,
              .id         = activation->id,
              .is_kept    = holding != JOB_UNTOUCHED,
              .undo       = is_undone ? json_ref(activation->calls) : json_invalid(),
    };
    struct id job = activation->id;
    (void)decide_emit(decision, &event);
    bool is_lost = holding == JOB_IN_DOUBT && !run_task_can_settle(task);
    if (is_lost) late_job_doubt(decision, task, &job);
}

void task_close_outside(struct decision *decision, struct activation *activation, bool is_expired)
{
    if (!activation->id.text[0]) return;
    if (call_cache_is_awaited(decision->run, activation)) {
        call_cache_leave(decision, activation);
        return;
    }
    enum task_kind kind = activation_task(decision->run, activation)->kind;
    if (kind == TASK_CALL) {
        job_question_close(decision, activation, is_expired);
        close_job(decision, activation);
        return;
    }
    struct event event = {.activation = activation->slot, .id = activation->id};
    if (kind == TASK_RUN) {
        event.kind = decision->is_terminating ? EVENT_CHILD_TERMINATED : EVENT_CHILD_CANCELLED;
    } else {
        event.kind = is_expired ? EVENT_APPROVAL_EXPIRED : EVENT_APPROVAL_CANCELLED;
    }
    (void)decide_emit(decision, &event);
}

static void cancel_one(struct decision *decision, struct activation *activation)
{
    task_close_outside(decision, activation, false);
    struct event event = {.kind = EVENT_TASK_CANCELLED, .activation = activation->slot};
    (void)decide_emit(decision, &event);
}

struct slot_list {
    uint32_t *items;
    size_t count, capacity;
};

static void slot_list_done(struct slot_list *list)
{
    free(list->items);
}

static void add_children(const struct run *run, const struct activation *activation,
                         struct slot_list *list)
{
    for (uint32_t slot = activation->first_scope; slot != SLOT_NONE;) {
        const struct scope *scope = run_scope(run, slot);
        slot                      = scope->next;
        if (scope->active == SLOT_NONE) continue;
        if (list->count == list->capacity) {
            list->capacity = list->capacity ? list->capacity * 2 : 16;
            list->items    = mem_resize(list->items, list->capacity, sizeof *list->items);
        }
        list->items[list->count++] = scope->active;
    }
}

/* Level by level, then back: so what is within always goes before what is around it. */
void task_cancel_below(struct decision *decision, const struct activation *activation)
{
    const struct run *run                          = decision->run;
    CLEANUP(slot_list_done) struct slot_list below = {};
    add_children(run, activation, &below);
    for (size_t i = 0; i < below.count; i++) {
        add_children(run, run_activation(run, below.items[i]), &below);
    }
    for (size_t i = below.count; i-- > 0;) {
        cancel_one(decision, run_activation(run, below.items[i]));
    }
}

void task_cancel(struct decision *decision, struct activation *activation)
{
    task_cancel_below(decision, activation);
    cancel_one(decision, activation);
}

void run_cancel_all(struct decision *decision)
{
    const struct run *run = decision->run;
    for (uint32_t i = 0; i < run->scopes.count; i++) {
        const struct scope *scope = run_scope(run, i); /* the root, or what undoes the run */
        if (!scope || scope->owner != SLOT_NONE || scope->active == SLOT_NONE) continue;
        task_cancel(decision, run_activation(run, scope->active));
    }
}

/* --- faulting ------------------------------------------------------------------------------------
 */

/* What a task is refused for that has done what it is about: a call, a child run, an event. */
static json refused_of(const struct decision *decision, const struct activation *activation)
{
    const struct task *task = activation_task(decision->run, activation);
    if (task->kind == TASK_CALL && task->call.by == CALL_JOB) return activation->result;
    return task_has_own_key(task) ? decision->refused : json_invalid();
}

/* What it would have put out is needed to undo it. Owned; invalid: there is nothing to undo. */
static json refused_output_new(const struct decision *decision, struct activation *activation)
{
    json answer = refused_of(decision, activation);
    bool is_had = answer.kind != JSON_INVALID;
    if (!is_had || !is_to_be_undone(decision, activation)) return json_invalid();
    struct scene scene = scene_of(decision->run, decision->env, activation);
    scene.body_of      = activation;
    return late_output_new(&scene, answer);
}

/* Whether it ends or goes on, what it has done is noted. */
static void put_refused(const struct decision *decision, struct activation *activation,
                        struct event *event)
{
    CLEANUP(json_unrefp) json made = refused_output_new(decision, activation);
    if (made.kind == JSON_INVALID) return;
    bool is_call      = activation_task(decision->run, activation)->kind == TASK_CALL;
    event->value_from = source_of(decision->run, activation, made, made);
    if (event->value_from == VALUE_HERE) event->value = json_ref(made);
    if (!is_call) event->key = json_ref(decision->refused_key);
}

/* A task with a retry of its own (E8) is entered again. An error of the rule replaces `*error`. */
static bool retry_itself(struct decision *decision, struct activation *activation, json *error)
{
    const struct task *task       = activation_task(decision->run, activation);
    const struct retry_rule *rule = retry_own_rule(task);
    if (!rule) return false;
    bool is_timeout =
        activation->deadline_us != 0 && activation->deadline_us <= decision->env->now_us;
    if (is_timeout) return false; /* it bounds all attempts */

    struct scene scene             = scene_of(decision->run, decision->env, activation);
    scene.error                    = *error;
    const struct retry_case failed = {activation->attempt, activation->retry_until_us, 0};
    struct retry_choice choice     = {};
    json wrong                     = json_invalid();
    int64_t attempt_us             = 0;
    if (retry_by_rule(&scene, rule, &failed, &choice, &wrong) != STATUS_OK ||
        retry_attempt_end(&scene, rule, choice.due_us, failed.until_us, &attempt_us, &wrong) !=
            STATUS_OK) {
        json_replace(error, wrong);
        return false;
    }
    if (choice.verdict != RETRY_AGAIN) return false;

    struct event event = {
        .kind                = EVENT_TASK_RETRIED,
        .activation          = activation->slot,
        .attempt             = activation->attempt + 1,
        .due_us              = choice.due_us,
        .attempt_deadline_us = attempt_us,
        .error               = json_take(error),
    };
    put_refused(decision, activation, &event);
    (void)decide_emit(decision, &event);
    decide_ready(decision, READY_OWNER, activation->slot);
    return true;
}

static void fault(struct decision *decision, struct activation *activation, json error)
{
    uint32_t owner     = run_scope(decision->run, activation->scope)->owner;
    struct event event = {
        .kind       = EVENT_TASK_FAULTED,
        .activation = activation->slot,
        .error      = json_ref(error),
    };
    put_refused(decision, activation, &event);
    (void)decide_emit(decision, &event);
    decide_settle(decision, owner, error);
}

void task_fault_undone(struct decision *decision, struct activation *activation, json error,
                       bool may_retry)
{
    if (may_retry) {
        /* Sagas within that were left are undone first: what is entered again finds them so. */
        if (undo_begin(decision, activation, UNDO_THEN_FAULT, error)) return;
        if (retry_itself(decision, activation, &error)) return;
    }
    if (undo_begin(decision, activation, UNDO_THEN_LEAVE, error)) return;
    fault(decision, activation, error);
}

/* What a retry of the run would have to do again, should this end it. */
static void note_failure(struct decision *decision, const struct activation *activation)
{
    if (decision->is_cascade) return;
    bool is_new   = activation->started_sequence >= decision->first_sequence;
    bool is_call  = activation_task(decision->run, activation)->kind == TASK_CALL;
    bool is_first = is_new && run_scope(decision->run, activation->scope)->kind == SCOPE_BRANCH;
    decision->failed_sequence    = is_new ? activation->started_sequence : 0;
    decision->failed_task        = activation->task;
    decision->failed_scope       = is_first ? 0 : activation->scope + 1;
    decision->is_failed_answered = is_call && activation->result.kind != JSON_INVALID;
}

static void stop(struct decision *decision, struct activation *activation, json error,
                 bool may_retry)
{
    note_failure(decision, activation);
    if (activation->undo) {
        undo_fail(decision, activation, error);
        return;
    }
    task_cancel_below(decision, activation);
    task_close_outside(decision, activation, false);
    task_fault_undone(decision, activation, error, may_retry);
}

void task_fault(struct decision *decision, struct activation *activation, json error)
{
    stop(decision, activation, error, true);
}

void task_fault_finally(struct decision *decision, struct activation *activation, json error)
{
    stop(decision, activation, error, false);
}

void task_fault_with(struct decision *decision, struct activation *activation, enum error_kind kind,
                     const char *detail)
{
    const struct task *task = activation_task(decision->run, activation);
    task_fault(decision, activation,
               error_new(kind, 0, str_from(detail), str_from(task->reference)));
}
