/* set: its output is what its template yields. */
#include "scheduler/decide/tasks/tasks.h"

static void begin(struct decision *decision, struct activation *activation)
{
    const struct task *task          = activation_task(decision->run, activation);
    struct scene scene               = scene_of(decision->run, decision->env, activation);
    CLEANUP(json_unrefp) json output = json_invalid();
    json error                       = json_invalid();
    if (scene_eval(&scene, task->set, activation->input, &output, &error) != STATUS_OK) {
        task_fault(decision, activation, error);
        return;
    }
    task_complete(decision, activation, output, NULL);
}

const struct task_behaviour set_behaviour = {.begin = begin};
