/**
 * damage: how a run goes whose row or head cannot be read.
 *
 * Nothing fails but what is asked of that run: DATA_LOSS ("run_damaged"), which says what to do. A
 * forced deletion removes it all the same. What its row would have told, where its journal ends and
 * what points at it, is looked for instead: in the second step of the deletion (deletion.h) the
 * tables that may have something of it are gone through, a part in each turn, and the journal last,
 * from the newest entry back. Who waits for its end is told that it has faulted.
 *
 * What is left: its place in a group of runs that may be at work only so many at once (the group is
 * named in the row), and entries of the journal that cannot be read themselves.
 *
 * Threads: the engine's. A status other than OK means that the transaction is lost.
 */
#ifndef SCHEDULER_DAMAGE_H
#define SCHEDULER_DAMAGE_H

#include "scheduler/engine/engine_internal.h"

/** The first step. `live` (may be NULL) is dropped; it is not touched in this turn. */
status engine_delete_damaged(struct engine *engine, struct live_run *live, str run,
                             struct error *reterr);

/** The chain of entries of a deleted run is broken: the others are looked for. */
void engine_damage_search_entries(Pb__DeletionRecord *record);

/** Looks on until `until_us` (monotonic), or until an entry of the journal is found: `record` has
 * it then, and whether the search is over. */
status engine_damage_search(struct engine *engine, str run, Pb__DeletionRecord *record,
                            int64_t until_us, struct error *reterr);

#endif
