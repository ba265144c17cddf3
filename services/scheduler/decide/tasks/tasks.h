/* tasks: what each kind of task does; one file per kind. They are found by task_behaviour(). */
#ifndef SCHEDULER_TASKS_TASKS_H
#define SCHEDULER_TASKS_TASKS_H

#include "scheduler/decide/decide.h"

extern const struct task_behaviour agent_behaviour;
extern const struct task_behaviour call_behaviour;
extern const struct task_behaviour extension_behaviour;
extern const struct task_behaviour function_behaviour;
extern const struct task_behaviour do_behaviour;
extern const struct task_behaviour emit_behaviour;
extern const struct task_behaviour for_behaviour;
extern const struct task_behaviour fork_behaviour;
extern const struct task_behaviour listen_behaviour;
extern const struct task_behaviour raise_behaviour;
extern const struct task_behaviour run_behaviour;
extern const struct task_behaviour set_behaviour;
extern const struct task_behaviour switch_behaviour;
extern const struct task_behaviour try_behaviour;
extern const struct task_behaviour wait_behaviour;

/* What a task says whose child's workflow cannot be asked or is not there; fails (run.c). */
status child_unfound(struct scene *scene, status found, const struct error *why, json *ret_error);

/* Calls that the engine carries out itself. */
void compensate_begin(struct decision *decision, struct activation *activation);
void variant_begin(struct decision *decision, struct activation *activation);

/** A call of a run that is retried, with a merge patch of its arguments (JSON_INVALID: none).
 * `is_fresh`: the answer that it had was refused, so the cache is not asked for it. */
void call_begin_again(struct decision *decision, struct activation *activation, json patch,
                      bool is_fresh);

/** A call that waits for the cache is to be made. */
void call_begin_granted(struct decision *decision, struct activation *activation);

/** A list of `owner` that its first task is about to open. */
static inline struct place place_within(const struct activation *owner, enum scope_kind kind,
                                        uint32_t index)
{
    return (struct place){
        .scope = SLOT_NONE,
        .owner = owner->slot,
        .kind  = kind,
        .index = index,
    };
}

#endif
