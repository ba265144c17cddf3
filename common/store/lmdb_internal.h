/* What the files of the LMDB kind share. The only header of the tree that knows LMDB. */
#ifndef STORE_LMDB_INTERNAL_H
#define STORE_LMDB_INTERNAL_H

#include "store/changes.h"
#include "store/store_internal.h"
#include "store/wal.h"

#include <lmdb.h>

/*
 * LMDB's file is made durable in the background (lmdb_checkpoint.c). LMDB uses no page again that a
 * snapshot which is being read needs, so as long as one reads the state of the last checkpoint, all
 * of its pages are on disk as they were, whatever else is. The two pages in front, which say where
 * a state begins, are written over by each commit; the log keeps them as they were.
 *
 * Guarded by LMDB's lock of the writer, but for what the thread uses while it runs.
 */
struct checkpoint {
    MDB_txn *pin;      /* reads the state that is durable */
    MDB_txn *next_pin; /* of the one under way; NULL: none is */
    pthread_t thread;
    bool has_thread;
    atomic_bool is_over; /* the thread is, and says how in `result` */
    status result;
    struct error error;
    bool is_by_hand, is_wanted; /* tests */
    int64_t begun_us, took_us;  /* the last one */
    MDB_txn *look;              /* reads what the last commit has left, for a moment */
    uint64_t freed_pages;       /* by commits since it began: they wait for the next one */
};

struct lmdb_store {
    struct store common; /* first */
    MDB_env *env;
    int lock_fd; /* the folder's lock; -1: none */
    MDB_dbi tables[STORE_TABLES_MAX];
    pthread_key_t reading; /* the transaction that this thread reads with */
    bool has_reading;
    const struct store_guard *guard; /* NULL: none */

    struct wal *wal;        /* owned; NULL: nothing is logged, while it opens or if it only reads */
    struct changes changes; /* of the transaction that writes */
    struct checkpoint checkpoint;
};

struct lmdb_txn {
    struct txn common; /* first */
    MDB_txn *txn;      /* NULL: never begun, or ended */
};

struct lmdb_cursor {
    struct cursor common; /* first */
    MDB_cursor *cursor;
};

/* The only place where an LMDB or errno number becomes a status. */
status lmdb_status(int rc, const char *action, struct error *reterr);

/* lmdb_free.c: pages that were freed by commits with these numbers; from `enough` on it is not said
 * how many. `txn` only reads. */
struct free_pages {
    size_t from, until; /* numbers; `until` is not one of them */
    size_t enough;
};
status free_pages_count(MDB_txn *txn, const struct free_pages *which, size_t *ret_pages,
                        struct error *reterr);

/* lmdb_create.c: begins the file of a store in `folder`, unless there is one. A power cut leaves
 * none, or a whole one. UNAVAILABLE: file system. */
status lmdb_create(const char *folder, struct error *reterr);

/* lmdb_recover.c: opens an environment whose folder is locked, puts it in order and begins the log.
 * Fails as store_open(). */
status lmdb_recover(struct lmdb_store *store, const struct store_options *options,
                    struct error *reterr);

/* lmdb_guard.c: durable when it has returned. `guard_lower`: the log is gone. UNAVAILABLE: file
 * system, or the row is not where LMDB is known to keep it. Nothing to do: OK. */
status guard_raise(const struct lmdb_store *store, struct error *reterr);
status guard_lower(const struct lmdb_store *store, struct error *reterr);

/* --- lmdb_checkpoint.c ---------------------------------------------------------------------------
 *
 * Makes the file durable as it is, and begins the log with that. No transaction is open, and the
 * pages of the checkpoint before are needed until this has returned. `past`: what the log held. */
status checkpoint_first(struct lmdb_store *store, const struct wal_past *past,
                        struct error *reterr);

/* All of `past` was applied to the pinned state: goes on with that log if it can, and the next
 * commit begins a checkpoint. Else waits for one. No transaction is open. */
status checkpoint_resume(struct lmdb_store *store, const struct wal_past *past,
                         struct error *reterr);

/* The state that is there is what a checkpoint has made durable: keeps its pages. Before the first
 * commit that is logged. */
status checkpoint_pin(struct lmdb_store *store, struct error *reterr);

/* Ends a checkpoint that is through, begins one that is due. By the writer, in front of its commit.
 * A failure is final. */
status checkpoint_step(struct lmdb_store *store, struct error *reterr);

/* Where room is short: makes one now, so that a transaction finds all there is.
 * By the writer, before its first change. A failure is final. */
status checkpoint_make_room(struct lmdb_store *store, struct error *reterr);

/* Waits for one under way. If all is durable then, removes the log. */
void checkpoint_last(struct lmdb_store *store);

/* lmdb_txn.c */
status lmdb_txn_start(struct txn *txn, struct error *reterr);
void lmdb_txn_stop(struct txn *txn);
status lmdb_txn_commit(struct txn *txn, struct error *reterr);
void lmdb_txn_abort(struct txn *txn);
status lmdb_get(struct txn *txn, unsigned table, bytes key, bytes *ret_value, struct error *reterr);
status lmdb_write(struct txn *txn, unsigned table, bytes key, bytes value, enum txn_write how,
                  struct error *reterr);
status lmdb_remove(struct txn *txn, unsigned table, bytes key, struct error *reterr);
status lmdb_count(struct txn *txn, unsigned table, uint64_t *ret_count, struct error *reterr);
status lmdb_cursor_start(struct cursor *cursor, struct error *reterr);
void lmdb_cursor_stop(struct cursor *cursor);
status lmdb_seek(struct cursor *cursor, bytes key, bytes *ret_key, bytes *ret_value,
                 struct error *reterr);
status lmdb_seek_before(struct cursor *cursor, bytes key, bytes *ret_key, bytes *ret_value,
                        struct error *reterr);
status lmdb_step(struct cursor *cursor, bytes *ret_key, bytes *ret_value, struct error *reterr);

/* lmdb_backup.c */
status lmdb_backup(struct store *store, const char *folder, const struct backup_listener *listener,
                   struct backup_info *ret_info, struct error *reterr);

#endif
