/**
 * undo_run: how a run undoes what it has noted (undo.h): when a saga is left, when a task asks for
 * it by hand, and one compensation after the other.
 */
#ifndef SCHEDULER_UNDO_RUN_H
#define SCHEDULER_UNDO_RUN_H

#include "scheduler/decide/decide.h"
#include "scheduler/run/undo.h"

/** If `activation` holds due entries, or is a saga that holds any and is left for good, begins to
 * undo and returns true; `then` follows afterwards. Takes `what`, an error or a value, if so. */
bool undo_begin(struct decision *decision, struct activation *activation, enum undo_then then,
                json what);

/** `tutti.compensate`: there is something to undo, and `error` (taken) is what is seen of it. */
void undo_begin_call(struct decision *decision, struct activation *call, json error);

/** The same for the run. */
bool undo_begin_run(struct decision *decision, enum undo_then then, json what);

/** The same of all that the run can undo, also outside of sagas; then it is cancelled with `value`
 * (taken). There must be something. */
void undo_begin_all(struct decision *decision, json value);

/** The next compensation in a scope that undoes, or what follows the last one. */
void undo_step(struct decision *decision, const struct scope *scope);

/** Of an activation that undoes: opens its list; hears that it is over or failed (`error`
 * borrowed); its job completed; it failed (takes `error`). */
void undo_open(struct decision *decision, struct activation *activation);
void undo_settle(struct decision *decision, struct activation *activation, json error);
void undo_answered(struct decision *decision, struct activation *activation);
void undo_fail(struct decision *decision, struct activation *activation, json error);

#endif
