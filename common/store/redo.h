/**
 * redo: what each commit of a store writes, kept in a table of the store until it was taken away.
 *
 * For an archive: the writes of a transaction stand in the same transaction as what they say, so
 * after any crash the table holds exactly what was committed and not taken. Whoever takes it reads
 * the table (any thread) and then says how far it came; the next commits delete that. Nobody waits:
 * if nobody takes anything, the table grows to `bytes_max`, then all of it is given up, and a new
 * timeline begins. Applied to a copy of the store that stands on the same timeline, they make it
 * what it was after any later commit.
 *
 * A timeline is a line of commits without a gap. Another one begins where there was no redo (a new
 * store, a restored one, one that was opened without) and after one that was given up.
 *
 *     key     sequence u64, without gaps; it goes on across timelines while the store is open
 *     value   timeline (16 bytes), time in us u64, flags u8, a part of the transaction's changes
 *
 * A timeline begins with a row without changes.
 *
 * How changes are written: changes.h.
 *
 * Cost: a transaction is written twice. Threads: as said at each function.
 */
#ifndef STORE_REDO_H
#define STORE_REDO_H

#include "store/changes.h"
#include "store/store.h"

enum {
    REDO_TIMELINE_SIZE = 16,
    REDO_PART_MAX      = 64 << 10, /* bytes of changes in a row */
    REDO_TRIM_ROWS     = 256,      /* deleted by a commit, beside as many as it has made */
    REDO_NAME_MAX      = CHANGE_TABLE_NAME_MAX,
};

/** Says the time; never the same twice. Shared by stores whose commits follow from each other. */
struct redo_clock {
    int64_t (*now_us)(void *context);
    void *context;
};

struct redo_options {
    unsigned table;
    uint64_t bytes_max; /* of rows that were not taken */
    struct redo_clock clock;
};

/** From now on keeps redo. Before other threads use the store. Fails as a transaction does, and
 * with DATA_LOSS if rows that are there cannot be read. */
status store_redo_keep(struct store *store, const struct redo_options *options,
                       struct error *reterr);

/** Deletes what is there, in small transactions: for a store that is used without redo, and for one
 * that becomes another timeline. The writer. */
status store_redo_drop(struct store *store, unsigned table, struct error *reterr);

/** All up to `sequence` was taken. Any thread. */
void store_redo_taken(struct store *store, uint64_t sequence);

struct redo_state {
    uint64_t kept_bytes; /* of rows that are there */
    uint64_t given_up;   /* how often since the store was opened */
};
void store_redo_state(struct store *store, struct redo_state *ret_state);

/** A moment such that all commits until then are visible to a reader that begins now. Any thread.
 */
int64_t store_redo_settled_us(struct store *store);

/** --- Reading ------------------------------------------------------------------------------- */

struct redo_record {
    uint64_t sequence;
    uint8_t timeline[REDO_TIMELINE_SIZE];
    int64_t at_us;
    bool is_end;      /* the transaction ends with this part */
    bool is_given_up; /* nothing more comes on this timeline */
    bytes part;       /* a view */
};

/** False: damaged. */
bool redo_record_read(bytes key, bytes value, struct redo_record *ret_record);

/** Names of the slots of a transaction. Start with {}. */
struct redo_names {
    struct {
        uint8_t len;
        char text[REDO_NAME_MAX];
    } slots[STORE_TABLES_MAX];
};

struct redo_change {
    str table;
    bytes key, value;
    bool is_deletion;
};

/** Takes the next change off the front of all parts of a transaction put together. Views of `*rest`
 * and `names`. False: at the end (nothing is left), or what is left is damaged. */
bool redo_take(bytes *rest, struct redo_names *names, struct redo_change *ret_change);

/** Does the changes of a whole transaction to `txn`, but those of the table `redo_table`. DATA_LOSS
 * if they are damaged, or name a table that the store has not. */
status redo_apply(struct txn *txn, bytes changes, unsigned redo_table, struct error *reterr);

#endif
