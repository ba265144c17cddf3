/**
 * kept_run: a run that has ended as one message (KeptRun of proto/run.proto), for keeping it
 * outside of a store and for bringing it into another one.
 *
 * The message holds the run's journal, its payloads, its definition and its row, and nothing that
 * depends on where it was: the same run gives the same bytes, also after it was brought elsewhere.
 * What can be told from the journal is told from the journal: reading one folds it from the start.
 *
 * Threads: any; nothing is shared but the definitions.
 */
#ifndef SCHEDULER_KEPT_RUN_H
#define SCHEDULER_KEPT_RUN_H

#include "run.pb-c.h"
#include "scheduler/run/run.h"
#include "scheduler/tables/definitions.h"
#include "store/store.h"

enum {
    KEPT_RUN_SIZE_MAX  = 11 << 20, /* bytes of a message; as base64 it fits a body of 16 MiB */
    KEPT_RUN_ITEMS_MAX = 90'000,   /* entries and payloads; RPC reads 100,000 fields */
};

/** Fills `ret_kept` from the rows of a run that has ended. It lives as long as `arena`. NOT_FOUND;
 * FAILED_PRECONDITION ("run_not_finished"); UNAVAILABLE: it is being erased; RESOURCE_EXHAUSTED
 * ("body_too_large"): it is over a limit above; DATA_LOSS. */
status kept_run_make(struct txn *txn, str id, struct arena *arena, Pb__KeptRun *ret_kept,
                     struct error *reterr);

/** What such a message says. Release: kept_run_done(), once or more often. */
struct kept_run {
    struct id id;
    const struct workflow *workflow; /* a reference of its own */
    struct run *run;            /* at its end; payloads are numbered as in the message; owned */
    Pb__RunView *row;           /* what the state does not tell; lives as long as the arena */
    const Pb__KeptRun *message; /* borrowed */
};
void kept_run_done(struct kept_run *kept);

/** Reads one that comes from outside: whatever its bytes are, it is a run that this program would
 * have made, or INVALID_ARGUMENT (code "run_invalid") with what is wrong and what to do;
 * RESOURCE_EXHAUSTED. */
status kept_run_read(const Pb__KeptRun *message, struct definitions *definitions,
                     struct arena *arena, struct kept_run *ret_kept, struct error *reterr);

#endif
