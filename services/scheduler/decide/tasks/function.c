/*
 * function: a call of a task that is written elsewhere. `with` is evaluated once, when the call
 * begins, and is the input of that task; what stands around the call is not seen in there.
 */
#include "scheduler/decide/tasks/tasks.h"

static status prepare(struct scene *scene, struct event *started, json *ret_error)
{
    const struct template *with = scene->task->call.with;
    if (scene->task->call.takes_input) {
        started->value = json_ref(scene->input);
        return STATUS_OK;
    }
    if (with) return scene_eval(scene, with, scene->input, &started->value, ret_error);
    started->value = json_object_new(0);
    return STATUS_OK;
}

static void begin(struct decision *decision, struct activation *activation)
{
    decide_ready(decision, READY_OWNER, activation->slot);
}

static void open(struct decision *decision, struct activation *activation)
{
    const struct place place = place_within(activation, SCOPE_BODY, 0);
    task_start(decision, &place, activation_task(decision->run, activation)->call.body.tasks[0],
               activation->items);
}

static void settle(struct decision *decision, struct activation *activation, json error)
{
    if (error.kind != JSON_INVALID) {
        task_fault(decision, activation, json_ref(error));
    } else {
        task_complete(decision, activation, activation_result(decision->run, activation), NULL);
    }
}

const struct task_behaviour function_behaviour = {
    .prepare = prepare, .begin = begin, .open = open, .settle = settle};
