/* do: a list within a list. */
#include "scheduler/decide/tasks/tasks.h"

static void begin(struct decision *decision, struct activation *activation)
{
    if (activation_task(decision->run, activation)->list.count == 0) {
        task_complete(decision, activation, activation->input, NULL);
    } else {
        decide_ready(decision, READY_OWNER, activation->slot);
    }
}

static void open(struct decision *decision, struct activation *activation)
{
    const struct place place = place_within(activation, SCOPE_BODY, 0);
    task_start(decision, &place, activation_task(decision->run, activation)->list.tasks[0],
               activation->input);
}

static void settle(struct decision *decision, struct activation *activation, json error)
{
    if (error.kind != JSON_INVALID) {
        task_fault(decision, activation, json_ref(error));
    } else {
        task_complete(decision, activation, activation_result(decision->run, activation), NULL);
    }
}

const struct task_behaviour do_behaviour = {.begin = begin, .open = open, .settle = settle};
