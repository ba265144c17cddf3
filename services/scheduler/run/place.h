/** place: where in a run a task stands, which may not have begun, and what `$steps` is there. */
#ifndef SCHEDULER_PLACE_H
#define SCHEDULER_PLACE_H

#include "scheduler/run/state.h"

/** Which list of tasks a task belongs to; it may not be open yet. */
struct place {
    uint32_t scope; /* SLOT_NONE: not open */
    uint32_t owner; /* activation; SLOT_NONE: the run */
    enum scope_kind kind;
    uint32_t index; /* of the branch or iteration */
};

struct place place_of(const struct scope *scope);

/** $steps of two lists: the members of `inner` hide those of `outer`. Takes both; either may be
 * invalid. */
json steps_overlay(json outer, json inner);

#endif
