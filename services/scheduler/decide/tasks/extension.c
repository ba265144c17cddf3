/*
 * extension: what stands before a task, the task, what stands after it. The output is the task's; a
 * `before` that is left by `exit` gives its own and skips the task. Whether the extension applies
 * is decided once, when it begins, and kept in `items`.
 */
#include "scheduler/decide/tasks/tasks.h"

static status prepare(struct scene *scene, struct event *started, json *ret_error)
{
    const struct expression *when = scene->task->extension.when;
    bool applies                  = true;
    if (when) TRY(scene_test(scene, when, scene->raw_input, &applies, ret_error));
    started->value = json_bool(applies);
    return STATUS_OK;
}

static void begin(struct decision *decision, struct activation *activation)
{
    decide_ready(decision, READY_OWNER, activation->slot);
}

static void open(struct decision *decision, struct activation *activation)
{
    enum scope_kind kind         = extension_next(decision->run, activation);
    const struct workflow *flow  = decision->run->workflow;
    const struct task *task      = activation_task(decision->run, activation);
    const struct task_list *list = list_of(flow, task, kind);
    const struct place place     = place_within(activation, kind, 0);
    const struct scope *body     = run_scope(decision->run, activation->first_scope);
    task_start(decision, &place, list->tasks[0],
               kind == SCOPE_AFTER ? body->data : activation->input);
}

static void settle(struct decision *decision, struct activation *activation, json error)
{
    const struct run *run    = decision->run;
    const struct scope *list = run_scope(run, activation->first_scope);
    if (error.kind != JSON_INVALID) {
        task_fault(decision, activation, json_ref(error));
    } else if (extension_next(run, activation) != SCOPE_NONE) {
        decide_ready(decision, READY_OWNER, activation->slot);
    } else {
        bool is_skipped = list->kind == SCOPE_BEFORE;
        task_complete(decision, activation, activation_result(run, activation),
                      is_skipped ? NULL : &activation->flow);
    }
}

const struct task_behaviour extension_behaviour = {
    .prepare = prepare, .begin = begin, .open = open, .settle = settle};
