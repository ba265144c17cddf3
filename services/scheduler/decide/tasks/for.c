/*
 * for: its list once per item. One after the other, each iteration gets the output of the one
 * before (A12); with `parallel: n` up to n at once, each gets the loop's input, the output is the
 * array of theirs, and what they export is applied in item order at the join (E9).
 */
#include "scheduler/decide/tasks/tasks.h"

#include <stdio.h>

/* --- what to go through
 * --------------------------------------------------------------------------- */

/* `while` of a parallel loop sees the same input and context for all items, so it is asked once for
 * each at the start, and the items end where it first says no. */
static status items_cut(struct scene *scene, json *items, json *ret_error)
{
    const struct for_body *loop = &scene->task->loop;
    for (size_t i = 0; i < json_count(*items); i++) {
        bool goes_on = true;
        scene->item  = json_at(*items, i);
        scene->index = (uint32_t)i;
        TRY(scene_test(scene, loop->while_, scene->input, &goes_on, ret_error));
        if (goes_on) continue;
        json_array_truncate(items, i);
        break;
    }
    return STATUS_OK;
}

static status prepare(struct scene *scene, struct event *started, json *ret_error)
{
    const struct for_body *loop     = &scene->task->loop;
    CLEANUP(json_unrefp) json items = json_invalid();
    TRY(scene_eval(scene, loop->in, scene->input, &items, ret_error));
    if (!json_is(items, JSON_ARRAY)) {
        char detail[80];
        (void)snprintf(detail, sizeof detail, "for.in must yield an array, not %s",
                       json_kind_name(items));
        return scene_fail(scene, ERROR_EXPRESSION, detail, ret_error);
    }
    if (json_count(items) > RUN_ITEMS_MAX) {
        return scene_fail(scene, ERROR_RUNTIME, "for.in: over 100,000 items", ret_error);
    }
    if (loop->parallel && loop->while_) TRY(items_cut(scene, &items, ret_error));
    started->value = json_take(&items);
    return STATUS_OK;
}

/* --- going through
 * -------------------------------------------------------------------------------- */

/* Nothing to do per item: the iterations' outputs are their inputs. */
static void complete_empty(struct decision *decision, struct activation *activation)
{
    const struct task *task = activation_task(decision->run, activation);
    if (!task->loop.parallel) {
        task_complete(decision, activation, activation->input, NULL);
        return;
    }
    size_t count                      = json_count(activation->items);
    CLEANUP(json_unrefp) json outputs = json_array_new(count);
    for (size_t i = 0; i < count; i++) json_array_push(&outputs, json_ref(activation->input));
    task_complete(decision, activation, outputs, NULL);
}

static void begin(struct decision *decision, struct activation *activation)
{
    const struct task *task = activation_task(decision->run, activation);
    if (json_count(activation->items) == 0 || task->loop.body.count == 0) {
        complete_empty(decision, activation);
    } else {
        decide_ready(decision, READY_OWNER, activation->slot);
    }
}

/* The input of the next iteration: a view. */
static json next_input(const struct run *run, const struct activation *activation)
{
    if (activation_task(run, activation)->loop.parallel) return activation->input;
    const struct scope *scope = run_scope(run, activation->first_scope);
    return scope ? scope->data : activation->input;
}

static void open(struct decision *decision, struct activation *activation)
{
    const struct for_body *loop = &activation_task(decision->run, activation)->loop;
    uint32_t index              = activation->next_index;
    json input                  = next_input(decision->run, activation);
    if (loop->while_ && !loop->parallel) {
        struct scene scene = scene_of(decision->run, decision->env, activation);
        scene.item         = json_at(activation->items, index);
        scene.index        = index;
        bool goes_on       = true;
        json error         = json_invalid();
        if (scene_test(&scene, loop->while_, input, &goes_on, &error) != STATUS_OK) {
            task_fault(decision, activation, error);
            return;
        }
        if (!goes_on) {
            task_complete(decision, activation, input, NULL);
            return;
        }
    }
    const struct place place = place_within(activation, SCOPE_ITERATION, index);
    task_start(decision, &place, loop->body.tasks[0], input);
    if (activation_can_open(decision->run, activation) && loop->parallel) {
        decide_ready(decision, READY_OWNER, activation->slot);
    }
}

/* --- coming together
 * ------------------------------------------------------------------------------- */

/* Sets in `*context` what `changed` has otherwise than `base`. */
static void context_merge(json *context, json base, json changed)
{
    bool are_objects = json_is(*context, JSON_OBJECT) && json_is(changed, JSON_OBJECT);
    if (!are_objects) {
        json_replace(context, json_ref(changed));
        return;
    }
    for (size_t i = 0; i < json_count(changed); i++) {
        json value = json_value_at(changed, i);
        json old   = json_get(base, json_key_at(changed, i));
        if (old.kind != JSON_INVALID && json_equal(old, value)) continue;
        json_object_put_key(context, json_key_value_at(changed, i), json_ref(value));
    }
    for (size_t i = 0; i < json_count(base); i++) {
        str key = json_key_at(base, i);
        if (json_get(changed, key).kind == JSON_INVALID) (void)json_object_remove(context, key);
    }
}

/* The context after all iterations; JSON_INVALID: none of them exported. Owned. */
static json context_joined(const struct run *run, const struct activation *activation)
{
    if (activation->contexts.kind == JSON_INVALID) return json_invalid();
    json context = json_ref(scope_context(run, run_scope(run, activation->scope)));
    for (size_t i = 0; i < json_count(activation->items); i++) {
        char key[24];
        int length = snprintf(key, sizeof key, "%zu", i);
        json own   = json_get(activation->contexts, (str){key, (size_t)length});
        if (own.kind != JSON_INVALID) context_merge(&context, activation->context_base, own);
    }
    return context;
}

static void settle_parallel(struct decision *decision, struct activation *activation)
{
    bool is_over =
        activation->next_index == json_count(activation->items) && activation->scopes_open == 0;
    if (is_over) {
        CLEANUP(json_unrefp) json context = context_joined(decision->run, activation);
        task_complete_joined(decision, activation, activation->result, context);
    } else if (activation_can_open(decision->run, activation)) {
        decide_ready(decision, READY_OWNER, activation->slot);
    }
}

static void settle(struct decision *decision, struct activation *activation, json error)
{
    const struct task *task = activation_task(decision->run, activation);
    if (error.kind != JSON_INVALID) {
        task_fault(decision, activation, json_ref(error));
    } else if (task->loop.parallel) {
        settle_parallel(decision, activation);
    } else if (activation->next_index < json_count(activation->items)) {
        decide_ready(decision, READY_OWNER, activation->slot);
    } else {
        task_complete(decision, activation, activation_result(decision->run, activation), NULL);
    }
}

const struct task_behaviour for_behaviour = {
    .prepare = prepare,
    .begin   = begin,
    .open    = open,
    .settle  = settle,
};
