/**
 * erasures: which runs of a partition were erased, so that neither a restore nor an import brings
 * back what was in them. Ids and times, nothing of what they held.
 *
 * Rows of TABLE_META, behind the text `erasures`:
 *
 *     0, run id, kind (u8)   ->   sequence (u64)
 *     1, sequence (u64)      ->   run id, time in us (u64), kind (u8): the list, as it happened
 *     2, sequence (u64)      ->   the same: what a restore found in the list beside its backup
 *                                 (backups/erasure_file.h), and its data did not know of. It is
 *                                 done again by engine/removal/erased_again.c
 *
 * Threads: plain functions over a transaction. What cannot be read is DATA_LOSS.
 */
#ifndef SCHEDULER_ERASURES_H
#define SCHEDULER_ERASURES_H

#include "base/id.h"
#include "base/status.h"
#include "store/store.h"

enum erasure_kind {
    ERASURE_OF_VALUES = 1, /* what it was given and made */
    ERASURE_OF_RUN    = 2, /* one whose values were erased was deleted by a person */
};

struct erasure {
    struct id run;
    int64_t time_us; /* since 1970 */
    enum erasure_kind kind;
};

/** Appends it to the list, unless it is there. */
status erasures_add(struct txn *txn, const struct erasure *erasure, struct error *reterr);

/** The same, and notes that it is to be done again; `*ret_new`: the list did not have it. */
status erasures_add_due(struct txn *txn, const struct erasure *erasure, bool *ret_new,
                        struct error *reterr);

/** Where it stands in the list; 0: nowhere. */
status erasures_find(struct txn *txn, str run, enum erasure_kind kind, uint64_t *ret_sequence,
                     struct error *reterr);

/** A place in the list; start with {}. */
struct erasure_place {
    uint64_t sequence; /* of the last one that was read */
    bool is_due;       /* only what is to be done again is read */
};

/** The next one; `*ret_found`: there is one. */
status erasures_next(struct txn *txn, struct erasure_place *place, struct erasure *ret_erasure,
                     bool *ret_found, struct error *reterr);

/** The sequence of the newest; 0: there is none. */
status erasures_newest(struct txn *txn, uint64_t *ret_sequence, struct error *reterr);

/** What was to be done again is done. */
status erasures_end_due(struct txn *txn, uint64_t sequence, struct error *reterr);

/** Forgets the oldest, those of before `before_us`, `count_max` at most; `*ret_count` of them. The
 * newest stays: sequences go on behind it. */
status erasures_forget(struct txn *txn, int64_t before_us, size_t count_max, size_t *ret_count,
                       struct error *reterr);

#endif
