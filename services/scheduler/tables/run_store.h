/**
 * run_store: runs in the tables: entries of the journal, payloads, heads, snapshots.
 *
 * The engine writes with it; readers on other threads load a run as it was at a commit. Loading is
 * the newest snapshot and the entries behind it, found by following them backwards.
 *
 * Threads: none of its own; a loaded run belongs to the thread that loaded it.
 */
#ifndef SCHEDULER_RUN_STORE_H
#define SCHEDULER_RUN_STORE_H

#include "run.pb-c.h"
#include "scheduler/run/run.h"
#include "scheduler/tables/definitions.h"
#include "scheduler/tables/record.h"

enum {
    RUN_ENTRIES_MAX = 10'000'000, /* followed backwards */
};

/** Reads and, for the one writer, writes payloads. */
struct payload_access {
    struct txn *txn;
    uint64_t *next; /* number of the next payload; NULL: only reads */
};
struct payload_store payload_store_of(struct payload_access *access);

/** What lists show of a run (RunView without input and output). Lives as long as `arena`.
 * NOT_FOUND: there is no such run. DATA_LOSS ("run_damaged"): it cannot be read. */
status run_row_get(struct txn *txn, str id, struct arena *arena, Pb__RunView **ret_row,
                   struct error *reterr);

/** The same, and its head: a row of its own until the run has ended, from then on a part of that
 * row, so that TABLE_RUN_HEADS lists the runs that have not. DATA_LOSS ("run_damaged"): it has
 * none, or cannot be read. */
status run_rows_get(struct txn *txn, str id, struct arena *arena, Pb__RunView **ret_row,
                    Pb__RunHead **ret_head, struct error *reterr);

/** The refusal of what a run is asked whose rows `why` keeps from being read: DATA_LOSS
 * ("run_damaged"), with what to do. */
status run_damaged(str id, const struct error *why, struct error *reterr);

/** The run has ended: its head goes into its row. */
status run_row_add_head(Pb__RunView *row, const Pb__RunHead *head, struct arena *arena,
                        struct error *reterr);

/** Called for each event of a history, in order. */
struct run_visit {
    entry_visitor *visit; /* NULL: only load */
    void *context;
    void (*entry)(const struct run *run, void *context); /* called behind each entry; NULL: not */
    const bool *is_done; /* set by `visit`: no more entries; the run is then of no use. NULL: all */
};

/**
 * Loads a run as `head` describes it. `*ret_run` is owned: run_free(). With `visit`, events are
 * shown from the snapshot on, or all of them if `from_start`. DATA_LOSS: the tables do not fit
 * together.
 */
status run_load(struct txn *txn, struct definitions *definitions, str id, const Pb__RunHead *head,
                bytes digest, bool from_start, const struct run_visit *visit, struct run **ret_run,
                struct error *reterr);

/** Calls `visit` with each entry up to `last_entry`, the oldest first; a view of the table. Fails
 * as `visit` does; DATA_LOSS: the chain is broken. */
status run_entries_walk(struct txn *txn, uint64_t last_entry,
                        status (*visit)(bytes entry, void *context, struct error *reterr),
                        void *context, struct error *reterr);

/** Replays onto `run` the entries behind `after_entry` (0: all) up to `last_entry`. */
status run_replay(struct txn *txn, struct run *run, uint64_t after_entry, uint64_t last_entry,
                  const struct run_visit *visit, struct error *reterr);

#endif
