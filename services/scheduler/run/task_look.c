#include "scheduler/run/paused.h"

static const char *state_name(const struct run *run, const struct activation *activation)
{
    if (task_is_paused(run, activation)) return "paused";
    switch (activation->state) {
    case TASK_QUEUED: return "queued";
    case TASK_WAITING: return "waiting";
    case TASK_RETRYING: return "retrying";
    case TASK_UNDOING: return "undoing";
    case TASK_ILLEGAL:
    case TASK_RUNNING:
    case TASK_COMPLETED:
    case TASK_FAULTED:
    case TASK_CANCELLED:
    case TASK_STATE_COUNT: break;
    }
    return "running";
}

uint32_t run_task_slots(const struct run *run)
{
    return run->activations.count;
}

bool run_look_at_task(const struct run *run, uint32_t slot, struct task_look *ret_look)
{
    const struct activation *activation = run_activation(run, slot);
    if (!activation) return false;
    *ret_look = (struct task_look){
        .began = activation->started_sequence,
        .state = state_name(run, activation),
        .input = activation->input,
    };
    return true;
}
