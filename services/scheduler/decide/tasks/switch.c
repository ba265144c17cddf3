/* switch: passes its input on, and says where its list goes on. */
#include "scheduler/decide/tasks/tasks.h"

static status choose(struct scene *scene, const struct switch_case **ret_choice, json *ret_error)
{
    const struct task *task          = scene->task;
    const struct switch_case *choice = NULL;
    for (uint32_t i = 0; i < task->choice.case_count; i++) {
        const struct switch_case *option = &task->choice.cases[i];
        bool is_true                     = false;
        if (!option->when) {
            choice = option; /* the default, wherever it stands */
            continue;
        }
        TRY(scene_test(scene, option->when, scene->input, &is_true, ret_error));
        if (is_true) {
            choice = option;
            break;
        }
    }
    *ret_choice = choice;
    return STATUS_OK;
}

static void begin(struct decision *decision, struct activation *activation)
{
    struct scene scene               = scene_of(decision->run, decision->env, activation);
    json error                       = json_invalid();
    const struct switch_case *choice = NULL;
    if (choose(&scene, &choice, &error) != STATUS_OK) {
        task_fault(decision, activation, error);
        return;
    }
    task_complete(decision, activation, activation->input, choice ? &choice->then : NULL);
}

const struct task_behaviour switch_behaviour = {.begin = begin};
