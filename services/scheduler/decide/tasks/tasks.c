#include "scheduler/decide/tasks/tasks.h"

#include "base/assert.h"

static const struct task_behaviour *const behaviours[] = {
    [TASK_AGENT]     = &agent_behaviour,
    [TASK_CALL]      = &call_behaviour,
    [TASK_DO]        = &do_behaviour,
    [TASK_EMIT]      = &emit_behaviour,
    [TASK_FOR]       = &for_behaviour,
    [TASK_FORK]      = &fork_behaviour,
    [TASK_LISTEN]    = &listen_behaviour,
    [TASK_RAISE]     = &raise_behaviour,
    [TASK_RUN]       = &run_behaviour,
    [TASK_SET]       = &set_behaviour,
    [TASK_SWITCH]    = &switch_behaviour,
    [TASK_TRY]       = &try_behaviour,
    [TASK_WAIT]      = &wait_behaviour,
    [TASK_FUNCTION]  = &function_behaviour,
    [TASK_EXTENSION] = &extension_behaviour,
};

const struct task_behaviour *task_behaviour(enum task_kind kind)
{
    ASSERT(kind < ARRAY_LEN(behaviours));
    return behaviours[kind];
}
