/**
 * rows: tables that are read as a whole, and rows of them that cannot be read.
 *
 * Such a row is passed over and stays where it is: what it said is not known, everything else goes
 * on. The log (`row.unreadable`) names its table and key, and `tutti_store_unreadable_rows_total`
 * counts it. Rows of runs: removal/damage.h. One of a table that is a heap of times would be met
 * again in each turn: it goes, since the key in the log is all of it.
 *
 * Threads: the engine's.
 */
#ifndef SCHEDULER_ENGINE_ROWS_H
#define SCHEDULER_ENGINE_ROWS_H

#include "scheduler/engine/engine_internal.h"

/** Calls `visit` with each row of a table. One for which it says DATA_LOSS is passed over; any
 * other failure is passed on. `visit` must not write. */
status engine_each_row(struct engine *engine, enum table table, page_fn visit, void *context,
                       struct error *reterr);

/** Says that a row cannot be read, and deletes it: the one that the cursor has come to, of a table
 * that has nothing but keys. */
status engine_row_drop(struct engine *engine, enum table table, struct cursor *cursor, bytes key,
                       struct error *reterr);

/** Says that a row cannot be read. */
void engine_row_unreadable(struct engine *engine, enum table table, bytes key,
                           const struct error *why);

#endif
