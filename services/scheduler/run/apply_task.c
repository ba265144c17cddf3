/* How tasks start, end and move the list they are in. */
#include "scheduler/run/agent.h"
#include "scheduler/run/apply.h"
#include "scheduler/run/call_cache.h"
#include "scheduler/run/due.h"
#include "scheduler/run/job_key.h"
#include "scheduler/run/progress.h"
#include "scheduler/run/undo.h"

#include "base/assert.h"

#include <stdio.h>

/* --- where a task starts ------------------------------------------------------------------------
 */

/* A sequential `for` walks its iterations in one scope, so each finds the output of the one before;
 * an iteration of a `listen` finds its event. */
static struct scope *iteration_open(struct run *run, struct activation *owner,
                                    const struct task *task, uint32_t index)
{
    bool is_own         = task->kind == TASK_LISTEN || task->loop.parallel;
    struct scope *scope = is_own ? NULL : run_scope(run, owner->first_scope);
    if (!scope) {
        bool is_loop = task->kind == TASK_FOR;
        scope        = scope_open(run, owner, SCOPE_ITERATION, index);
        scope->data  = json_ref(is_loop ? owner->input : json_at(owner->events, index));
        return scope;
    }
    json_replace(&scope->steps, json_invalid());
    scope_set_state(run, scope, SCOPE_OPEN);
    scope->index    = index;
    scope->position = 0;
    scope->pass     = 1;
    scope->counted  = 0;
    return scope;
}

static bool list_may_open(const struct run *run, const struct activation *owner,
                          enum scope_kind kind)
{
    if (activation_task(run, owner)->kind == TASK_EXTENSION) {
        return extension_next(run, owner) == kind;
    }
    const struct scope *scope = run_scope(run, owner->first_scope);
    if (kind == SCOPE_BODY || kind == SCOPE_COMPENSATION) return !scope;
    return scope && scope->kind == SCOPE_BODY && scope->state == SCOPE_FAILED;
}

/* The list of a compensation sees what the task saw that it undoes. */
static void compensation_dress(const struct run *run, const struct activation *owner,
                               struct scope *scope)
{
    const struct undo *entry = undo_find(run, owner->undo);
    json_replace(&scope->data, json_ref(entry->output));
    scope->context = json_ref(entry->context);
    scope->steps   = json_ref(entry->steps);
}

/* The lists of an extension follow each other; what the task made is kept for the end. */
static void extension_close_list(struct run *run, struct activation *owner, enum scope_kind next)
{
    const struct scope *scope = run_scope(run, owner->first_scope);
    if (!scope) return;
    if (next == SCOPE_AFTER) json_replace(&owner->result, json_ref(scope->data));
    scopes_close_of(run, owner);
}

/* What the first task of a list of `owner` gets. */
static json list_input(const struct run *run, const struct activation *owner, enum scope_kind kind)
{
    if (kind == SCOPE_AFTER) return owner->result;
    bool is_function = activation_task(run, owner)->kind == TASK_FUNCTION;
    return is_function ? owner->items : owner->input;
}

/* A step of an agent: a list of one task, which need not be the first of the agent's. */
static status step_open(struct run *run, struct activation *owner, const struct event *event,
                        struct scope **ret_scope, struct error *reterr)
{
    const struct task_list *tasks = &activation_task(run, owner)->agent.tasks;
    const struct agent_step step  = agent_step_of(event->index);
    if (!agent_may_open(run, owner, event->index, event->task)) {
        return damaged(reterr, event, "no step of its agent");
    }
    struct scope *scope = scope_open(run, owner, SCOPE_AGENT, event->index);
    scope->data         = agent_input_new(run, owner, &step);
    while (tasks->tasks[scope->position] != event->task) scope->position++;
    *ret_scope = scope;
    return STATUS_OK;
}

static status list_open(struct run *run, const struct event *event, struct scope **ret_scope,
                        struct error *reterr)
{
    struct activation *owner = run_activation(run, event->owner);
    if (!owner) return damaged(reterr, event, "no such owner");
    bool is_undone = owner->undo != 0;
    if (is_undone != (event->opens == SCOPE_COMPENSATION)) {
        return damaged(reterr, event, "its owner is undone, or not");
    }
    const struct task *task      = activation_task(run, owner);
    const struct task_list *list = list_of(run->workflow, task, event->opens);
    if (!list) return damaged(reterr, event, "its owner has no such list");
    if (owner->state == TASK_RETRYING) {
        TRY(apply_input(owner, INPUT_REENTER, event, reterr));
        owner->due_us     = 0;
        run->is_due_known = false;
    }
    if (!activation_walks(run, owner)) return damaged(reterr, event, "its owner does not run");

    if (event->opens == SCOPE_BRANCH || event->opens == SCOPE_ITERATION) {
        bool is_next = event->index == owner->next_index && activation_can_open(run, owner);
        if (!is_next) return damaged(reterr, event, "not the next branch or iteration");
        owner->next_index++;
    } else if (event->opens == SCOPE_AGENT) {
        return step_open(run, owner, event, ret_scope, reterr);
    } else if (list->count == 0 || !list_may_open(run, owner, event->opens)) {
        return damaged(reterr, event, "its list is open or empty");
    }
    if (event->opens == SCOPE_ITERATION) {
        *ret_scope = iteration_open(run, owner, task, event->index);
        return STATUS_OK;
    }
    if (event->opens == SCOPE_HANDLER) {
        scopes_close_of(run, owner);
        owner->attempt_deadline_us = 0; /* it bounds the attempts, not what mends them */
        run->is_due_known          = false;
    }
    if (task->kind == TASK_EXTENSION) extension_close_list(run, owner, event->opens);
    *ret_scope         = scope_open(run, owner, event->opens, event->index);
    (*ret_scope)->data = json_ref(list_input(run, owner, event->opens));
    if (is_undone) compensation_dress(run, owner, *ret_scope);
    return STATUS_OK;
}

static status place_open(struct run *run, struct event *event, struct scope **ret_scope,
                         struct error *reterr)
{
    struct scope *scope = NULL;
    if (event->opens == SCOPE_NONE) {
        scope = run_scope(run, event->scope);
        if (!scope) return damaged(reterr, event, "no such scope");
    } else {
        TRY(list_open(run, event, &scope, reterr));
    }
    if (!scope_can_start(scope)) return damaged(reterr, event, "its list does not walk");
    const struct task_list *list = scope_list(run, scope);
    if (scope->position >= list->count || list->tasks[scope->position] != event->task) {
        return damaged(reterr, event, "not the next task of its list");
    }
    if (run->activations.open >= RUN_ACTIVATIONS_MAX) {
        return damaged(reterr, event, "too many open tasks");
    }
    event->scope = scope->slot;
    *ret_scope   = scope;
    return STATUS_OK;
}

/* A parallel `for` collects outputs by index, so all places exist from the start. */
static json nulls_new(size_t count)
{
    json array = json_array_new(count);
    for (size_t i = 0; i < count; i++) json_array_push(&array, json_null());
    return array;
}

static void loop_reset(const struct task *task, struct activation *activation)
{
    activation->next_index = 0;
    if (task->kind == TASK_AGENT) {
        agent_free(activation->agent);
        activation->agent = agent_new();
    }
    json_replace(&activation->contexts, json_invalid());
    json_replace(&activation->result, json_invalid());
    json_replace(&activation->matched, json_invalid());
    json_replace(&activation->events, json_invalid());
    if (task->kind == TASK_FOR && task->loop.parallel) {
        activation->result = nulls_new(json_count(activation->items));
    }
}

status apply_task_started(struct run *run, struct event *event, struct error *reterr)
{
    struct scope *scope = NULL;
    TRY(place_open(run, event, &scope, reterr));
    const struct task *task = &run->workflow->tasks[event->task];
    if (event->value.kind == JSON_ARRAY && json_count(event->value) > RUN_ITEMS_MAX) {
        return damaged(reterr, event, "too many items");
    }

    struct activation *activation = activation_open(run, scope, event->task);
    event->activation             = activation->slot;
    activation->input =
        json_ref(event->input.kind == JSON_INVALID ? activation->raw_input : event->input);
    activation->items               = json_ref(event->value);
    activation->due_us              = event->due_us;
    activation->deadline_us         = event->deadline_us;
    activation->attempt_deadline_us = event->attempt_deadline_us;
    activation->retry_until_us      = event->retry_until_us;
    if (task->kind == TASK_WAIT || task->kind == TASK_LISTEN) activation->state = TASK_WAITING;
    if (task->kind == TASK_FOR && task->loop.parallel) {
        activation->context_base = json_ref(scope_context(run, scope));
    }
    loop_reset(task, activation);
    run->task_last = event->task;
    due_note(run, activation);
    return STATUS_OK;
}

/* --- how a list goes on -------------------------------------------------------------------------
 */

/* The output and the context of a finished parallel iteration wait for the join. */
static void iteration_collect(struct run *run, struct activation *owner, struct scope *scope)
{
    json_array_set(&owner->result, scope->index, json_ref(scope->data));
    if (scope->context.kind != JSON_INVALID) {
        char key[16];
        int length = snprintf(key, sizeof key, "%u", scope->index);
        if (owner->contexts.kind == JSON_INVALID) owner->contexts = json_object_new(4);
        json_object_put(&owner->contexts, (str){key, (size_t)length}, json_ref(scope->context));
    }
    scope_close(run, scope);
}

static status scope_move(struct run *run, struct scope *scope, const struct event *event,
                         struct error *reterr)
{
    uint32_t count = scope_list(run, scope)->count;
    if (scope_passes_flow(run, scope)) {
        run_activation(run, scope->owner)->flow = event->flow;
        scope->position                         = count;
        scope_set_state(run, scope, SCOPE_OVER);
        return STATUS_OK;
    }
    switch (event->flow.kind) {
    case FLOW_CONTINUE: scope->position++; break;
    case FLOW_EXIT: /* behind the end: extension_next() tells it from having come to the end */
        scope->position = scope->kind == SCOPE_BEFORE ? count + 1 : count;
        break;
    case FLOW_END: scope->position = count; break;
    case FLOW_GOTO:
        if (event->flow.position >= count) return damaged(reterr, event, "goes to no task");
        if (event->flow.position <= scope->position) scope->pass++;
        progress_count(run, scope, progress_until(run, scope, event->flow.position));
        scope->position = event->flow.position;
        break;
    default: return damaged(reterr, event, "unknown flow");
    }
    bool is_alone = scope->kind == SCOPE_BRANCH || scope->kind == SCOPE_AGENT;
    if (is_alone) scope->position = count;
    if (scope->position < count) return STATUS_OK;

    scope_set_state(run, scope, SCOPE_OVER);
    struct activation *owner = run_activation(run, scope->owner);
    const struct task *loop  = owner ? activation_task(run, owner) : NULL;
    if (loop && loop->kind == TASK_FOR && loop->loop.parallel) iteration_collect(run, owner, scope);
    return STATUS_OK;
}

status apply_task_skipped(struct run *run, struct event *event, struct error *reterr)
{
    struct scope *scope = NULL;
    TRY(place_open(run, event, &scope, reterr));
    progress_count(run, scope, progress_until(run, scope, scope->position + 1));
    return scope_move(run, scope, event, reterr);
}

/* --- how a task ends ----------------------------------------------------------------------------
 */

status apply_check_closed(const struct run *run, const struct activation *activation,
                          const struct event *event, struct error *reterr)
{
    if (activation->id.text[0]) return damaged(reterr, event, "its job or approval is open");
    for (uint32_t slot = activation->first_scope; slot != SLOT_NONE;) {
        const struct scope *scope = run_scope(run, slot);
        if (scope->active != SLOT_NONE) return damaged(reterr, event, "tasks within are open");
        slot = scope->next;
    }
    return STATUS_OK;
}

static status resolve_value(const struct run *run, const struct activation *activation,
                            struct event *event, struct error *reterr)
{
    switch (event->value_from) {
    case VALUE_HERE:
    case VALUE_AGENT: break;
    case VALUE_RAW_INPUT: json_replace(&event->value, json_ref(activation->raw_input)); break;
    case VALUE_INPUT: json_replace(&event->value, json_ref(activation->input)); break;
    case VALUE_RESULT:
        json_replace(&event->value, json_ref(activation_result(run, activation)));
        break;
    default: return damaged(reterr, event, "unknown source of its value");
    }
    if (event->value.kind == JSON_INVALID) return damaged(reterr, event, "no output");
    return STATUS_OK;
}

static status apply_completed(struct run *run, struct activation *activation, struct event *event,
                              struct error *reterr)
{
    TRY(resolve_value(run, activation, event, reterr));
    TRY(apply_input(activation, INPUT_COMPLETE, event, reterr));
    json_replace(&event->cache, call_cache_end_new(run, activation, activation->result));
    struct scope *scope     = run_scope(run, activation->scope);
    const struct task *task = activation_task(run, activation);

    progress_count(run, scope, activation->share - activation->counted);
    json_replace(&scope->data, json_ref(event->value));
    if (task->is_output_kept) {
        if (scope->steps.kind == JSON_INVALID) scope->steps = json_object_new(4);
        json_object_put_text(&scope->steps, task->name, json_ref(event->value));
    }
    if (event->context.kind != JSON_INVALID) {
        scope_set_context(run, scope, json_ref(event->context));
    }
    if (event->key.kind == JSON_TEXT) json_replace(&activation->key, json_ref(event->key));
    undo_pass_on(run, activation);
    if (task->is_undoable) undo_note(run, activation, event->value);
    activation_close(run, activation);
    return scope_move(run, scope, event, reterr);
}

/* It has done what it is about, and what it made was refused: that is undone with the rest. */
static bool is_refused(const struct event *event)
{
    return event->value_from != VALUE_HERE || event->value.kind != JSON_INVALID;
}

static status resolve_refused(const struct run *run, const struct activation *activation,
                              struct event *event, struct error *reterr)
{
    return is_refused(event) ? resolve_value(run, activation, event, reterr) : STATUS_OK;
}

static void note_refused(struct run *run, struct activation *activation, const struct event *event)
{
    if (!is_refused(event)) return;
    if (event->key.kind == JSON_TEXT) json_replace(&activation->key, json_ref(event->key));
    undo_note(run, activation, event->value);
}

static status apply_stopped(struct run *run, struct activation *activation, struct event *event,
                            struct error *reterr)
{
    bool is_fault = event->kind == EVENT_TASK_FAULTED;
    if (is_fault) TRY(resolve_refused(run, activation, event, reterr));
    TRY(apply_input(activation, is_fault ? INPUT_FAULT : INPUT_CANCEL, event, reterr));
    json_replace(&event->cache, call_cache_end_new(run, activation, json_invalid()));
    /* Under its own key: the rejection begins another one. */
    if (is_fault) note_refused(run, activation, event);
    if (is_fault && activation->result.kind != JSON_INVALID) remember_rejection(run, activation);

    struct scope *scope      = run_scope(run, activation->scope);
    struct activation *owner = run_activation(run, scope->owner);
    if (is_fault && owner) json_replace(&owner->error, json_ref(event->error));
    if (!is_fault && activation_task(run, activation)->is_saga) undo_make_due(run, activation);
    undo_pass_on(run, activation);
    if (is_fault && scope->kind == SCOPE_AGENT) json_replace(&scope->data, json_ref(event->error));
    activation_close(run, activation);
    scope_set_state(run, scope, SCOPE_FAILED);
    return STATUS_OK;
}

static status apply_retried(struct run *run, struct activation *activation, struct event *event,
                            struct error *reterr)
{
    TRY(resolve_refused(run, activation, event, reterr));
    TRY(apply_input(activation, INPUT_RETRY, event, reterr));
    if (event->attempt != activation->attempt + 1) return damaged(reterr, event, "wrong attempt");
    note_refused(run, activation, event);
    json_replace(&activation->key, json_invalid());
    scopes_close_of(run, activation);
    loop_reset(activation_task(run, activation), activation);
    activation->attempt             = event->attempt;
    activation->due_us              = event->due_us;
    activation->attempt_deadline_us = event->attempt_deadline_us;
    json_replace(&activation->error, json_ref(event->error));
    json_replace(&activation->undo_value, json_invalid());
    activation->undo_then = 0;
    activation->earned    = 0;
    run->is_due_known     = false;
    return STATUS_OK;
}

status apply_task(struct run *run, struct activation *activation, struct event *event,
                  struct error *reterr)
{
    TRY(apply_check_closed(run, activation, event, reterr));
    bool is_undone = activation->undo != 0 && event->kind != EVENT_TASK_CANCELLED;
    if (is_undone) return damaged(reterr, event, "the task is being undone");
    switch (event->kind) {
    case EVENT_TASK_COMPLETED: return apply_completed(run, activation, event, reterr);
    case EVENT_TASK_RETRIED: return apply_retried(run, activation, event, reterr);
    default: return apply_stopped(run, activation, event, reterr);
    }
}
