/**
 * undo: what a run has noted to undo (E1, E2); decide/undo_run.h is how a task that is left goes
 * about it.
 *
 * A task that can be undone is noted when it completes, with all that its compensation may ask for.
 * An entry is held by the task in whose lists it happened, and passes on to the one around when
 * that ends; so whoever is left holds exactly what was done in it. Leaving a saga makes its entries
 * *due*. A task that holds due entries does not end before they are undone: it opens one SCOPE_UNDO
 * and starts in it, last entry first, one activation of each task to be undone, marked as such by
 * `activation->undo`. Within it walk the tasks of the compensation, or go out the calls that the
 * worker declared. If such a task is cancelled meanwhile, its due entries pass on as well: nothing
 * is undone twice after it was acknowledged, and nothing is forgotten.
 *
 * A call that is under way when its task is cancelled may still do what it is about, so its entry
 * awaits the answer of its job; so does one that was given up without knowing what it has done, and
 * whose job goes out again to find that out. Undoing goes no further than to such an entry before
 * the answer is there.
 *
 * What it does not do: remember what was undone once it is; the counts of the run say how many.
 */
#ifndef SCHEDULER_UNDO_H
#define SCHEDULER_UNDO_H

#include "scheduler/run/state.h"

struct place;

enum {
    UNDO_MAX       = 10'000, /* entries of one run */
    UNDO_CALLS_MAX = 10'001, /* that a worker may declare for one call; the last may be {error} */
};

/** NULL: there is none of that number. Views are valid until the next change. */
struct undo *undo_find(const struct run *run, uint32_t number);
/** Appends; takes the values. For apply and for snapshots. */
void undo_add(struct run *run, const struct undo *entry);
void undo_remove(struct run *run, struct undo *entry);
void undos_clear(struct run *run);

/** Notes what `activation` has just done; `output` is its transformed output. One that went out
 * under the same key is replaced: a retry did it again. */
void undo_note(struct run *run, const struct activation *activation, json output);

/** Notes a call that has failed when a part of it was done, which `calls` undo. */
void undo_note_part(struct run *run, const struct activation *activation, json calls);

/** Notes a call whose task ends while a worker has its job, or while nobody knows what that has
 * done: it is known when the job answers. `calls` undo what is known already (invalid: nothing is).
 */
void undo_await(struct run *run, const struct activation *activation, json calls);
/** Says whether what `activation` undoes was done in part only: its compensation is not for that.
 */
bool undo_is_part(const struct run *run, const struct activation *activation);

/** `calls`, taken, and then what no call undoes: nobody knows whether it was done. Owned. */
json undo_doubt_new(json calls, json error);

/** The one whose job that is; NULL: none. */
struct undo *undo_awaiting(const struct run *run, str job);
/** How many there are. */
uint32_t undo_awaited(const struct run *run);
/** Nothing was done after all. */
void undo_forget(struct run *run, struct undo *entry);

/** Passes what `activation` holds on to whoever is around. */
void undo_pass_on(struct run *run, struct activation *activation);

/** A saga is left: everything that `activation` holds (NULL: the run, all there is) becomes due. */
void undo_make_due(struct run *run, struct activation *activation);

/** Makes due, and gives to `activation`, what happened in the task it undoes (E2). */
void undo_make_due_in(struct run *run, struct activation *call);

/** The last due entry of `holder` (SLOT_NONE: the run); NULL: none. */
struct undo *undo_next(const struct run *run, uint32_t holder);

/** Says whether a `tutti.compensate` would find anything. */
bool undo_is_in(const struct run *run, const struct activation *call);

/** The activation that undoes a task, around the place; NULL: it is part of no compensation. */
const struct activation *undoing_around(const struct run *run, const struct place *place);

#endif
