/* wait: passes its input on when its time has come. */
#include "scheduler/decide/tasks/tasks.h"

static status prepare(struct scene *scene, struct event *started, json *ret_error)
{
    int64_t us = 0;
    TRY(scene_duration(scene, &scene->task->wait, &us, ret_error));
    started->due_us = decide_after(scene->env, us);
    return STATUS_OK;
}

static void begin(struct decision *decision, struct activation *activation)
{
    if (activation->due_us > decision->env->now_us) return;
    task_complete(decision, activation, activation->input, NULL);
}

const struct task_behaviour wait_behaviour = {.prepare = prepare, .begin = begin};
