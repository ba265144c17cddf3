/*
 * fork: its branches go side by side, each with the fork's input. The output is the array of theirs
 * in declaration order (A7), and a branch that faults takes the others with it (A8). With `compete`
 * the first to complete wins and the others are cancelled; it faults only if all branches do (A9).
 */
#include "scheduler/decide/tasks/tasks.h"
#include "scheduler/decide/undo_run.h"

static void begin(struct decision *decision, struct activation *activation)
{
    if (activation_task(decision->run, activation)->fork.branches.count == 0) {
        task_complete(decision, activation, activation->input, NULL);
    } else {
        decide_ready(decision, READY_OWNER, activation->slot);
    }
}

/* One branch a step, so that a fork of many does not pass the step budget. */
static void open(struct decision *decision, struct activation *activation)
{
    const struct task *task  = activation_task(decision->run, activation);
    uint32_t index           = activation->next_index;
    const struct place place = place_within(activation, SCOPE_BRANCH, index);
    task_start(decision, &place, task->fork.branches.tasks[index], activation->input);
    if (activation_can_open(decision->run, activation)) {
        decide_ready(decision, READY_OWNER, activation->slot);
    }
}

static bool is_all_over(const struct task *task, const struct activation *activation)
{
    return activation->next_index == task->fork.branches.count && activation->scopes_open == 0;
}

static void settle_race(struct decision *decision, struct activation *activation, json error)
{
    const struct task *task = activation_task(decision->run, activation);
    if (error.kind != JSON_INVALID) {
        if (is_all_over(task, activation)) task_fault(decision, activation, json_ref(error));
        return;
    }
    const struct scope *winner = run_scope(decision->run, activation->first_scope);
    while (winner->state != SCOPE_OVER) winner = run_scope(decision->run, winner->next);
    CLEANUP(json_unrefp) json output = json_ref(winner->data);
    task_cancel_below(decision, activation);
    if (undo_begin(decision, activation, UNDO_THEN_COMPLETE, output)) {
        output = json_invalid(); /* taken: the losers undo first */
        return;
    }
    task_complete(decision, activation, output, NULL);
}

static void join(struct decision *decision, struct activation *activation)
{
    CLEANUP(json_unrefp) json outputs = json_array_new(activation->next_index);
    for (uint32_t slot = activation->first_scope; slot != SLOT_NONE;) {
        const struct scope *branch = run_scope(decision->run, slot);
        json_array_push(&outputs, json_ref(branch->data));
        slot = branch->next;
    }
    task_complete(decision, activation, outputs, NULL);
}

static void settle(struct decision *decision, struct activation *activation, json error)
{
    const struct task *task = activation_task(decision->run, activation);
    if (task->fork.is_compete) {
        settle_race(decision, activation, error);
    } else if (error.kind != JSON_INVALID) {
        task_fault(decision, activation, json_ref(error));
    } else if (is_all_over(task, activation)) {
        join(decision, activation);
    }
}

const struct task_behaviour fork_behaviour = {.begin = begin, .open = open, .settle = settle};
