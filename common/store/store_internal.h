/*
 * What the files of store share: the front (store.c, txn.c, cursor.c), which checks, counts and
 * fails on demand, and the table of functions that the two kinds (lmdb*.c, memory*.c) fill in.
 */
#ifndef STORE_STORE_INTERNAL_H
#define STORE_STORE_INTERNAL_H

#include "base/status.h"
#include "base/str.h"
#include "store/backup.h"
#include "store/store.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

enum txn_write { TXN_PUT, TXN_INSERT, TXN_APPEND };

/*
 * One kind of store. Its structs begin with the common part below, so that one allocation holds
 * both. Functions may rely on what the front has checked: table and key in range, transaction open
 * and of the right sort. NOT_FOUND, ALREADY_EXISTS and FAILED_PRECONDITION change nothing.
 */
struct store_ops {
    const char *kind;

    void (*close)(struct store *store);
    status (*fill)(struct store *store, struct store_fill *ret_fill, struct error *reterr);
    status (*grow)(struct store *store, uint64_t size_max, struct error *reterr);
    status (*check_readers)(struct store *store, unsigned *ret_dead, struct error *reterr);
    status (*backup)(struct store *store, const char *folder,
                     const struct backup_listener *listener, struct backup_info *ret_info,
                     struct error *reterr);

    size_t txn_size; /* of the kind's struct, which begins with struct txn */
    status (*txn_start)(struct txn *txn, struct error *reterr); /* begins or renews */
    void (*txn_stop)(struct txn *txn);                          /* a reader: drops the snapshot */
    status (*txn_commit)(struct txn *txn, struct error *reterr);
    void (*txn_abort)(struct txn *txn); /* also one that was stopped or never started */

    status (*get)(struct txn *txn, unsigned table, bytes key, bytes *ret_value,
                  struct error *reterr);
    status (*write)(struct txn *txn, unsigned table, bytes key, bytes value, enum txn_write how,
                    struct error *reterr);
    status (*remove)(struct txn *txn, unsigned table, bytes key, struct error *reterr);
    status (*count)(struct txn *txn, unsigned table, uint64_t *ret_count, struct error *reterr);

    size_t cursor_size; /* of the kind's struct, which begins with struct cursor */
    status (*cursor_start)(struct cursor *cursor, struct error *reterr);
    void (*cursor_stop)(struct cursor *cursor); /* before its transaction stops or ends */

    /* To the smallest key >= `key`, or to the smallest of all if it is empty. */
    status (*seek)(struct cursor *cursor, bytes key, bytes *ret_key, bytes *ret_value,
                   struct error *reterr);
    /* To the greatest key < `key`, or to the greatest of all if it is empty. */
    status (*seek_before)(struct cursor *cursor, bytes key, bytes *ret_key, bytes *ret_value,
                          struct error *reterr);
    /* On from the last place, if the transaction has not written since; NULL: seek instead. */
    status (*step)(struct cursor *cursor, bytes *ret_key, bytes *ret_value, struct error *reterr);
};

struct redo;

struct store {
    const struct store_ops *ops;
    struct redo *redo;              /* owned; NULL: none is kept */
    const char *const *table_names; /* borrowed */
    unsigned table_count;
    bool is_read_only;
    atomic_bool is_failed; /* a commit failed for good */

    /* Tests: see fault.h. */
    uint64_t fault_left; /* operations; 0: none will fail */
    status fault_code;
    bool fault_of_writes; /* only they count */
    status commit_fault;  /* of the next commit; OK: none */

    /* Guards the list of readers; held by store_grow() throughout, so that renewing waits. */
    pthread_mutex_t mutex;
    atomic_bool is_growing;
    struct txn *readers; /* reset ones included */
    atomic_int writers;  /* open or waiting for their turn */
};

struct txn {
    struct store *store; /* borrowed */
    bool is_write;
    status failed_with;      /* a write failed: only abort is left */
    uint64_t writes;         /* so that cursors notice */
    struct cursor *cursors;  /* open ones, newest first */
    struct txn *prev, *next; /* in store->readers */
    atomic_llong begun_ms;   /* reader: clock_mono_ms() of begin or renew; 0: reset */
};

/* A key, or the smallest byte string behind one: the key and a zero byte. */
struct bound {
    size_t len;
    uint8_t data[STORE_KEY_MAX + 1];
};

struct cursor {
    struct txn *txn; /* borrowed; NULL once the transaction ended */
    unsigned table;
    bool backward;
    struct cursor *prev, *next; /* in txn->cursors */

    enum { CURSOR_NEW, CURSOR_ON, CURSOR_DELETED, CURSOR_END } state;
    uint64_t writes_seen; /* by the transaction, when the cursor last moved */

    /* Keys in [lower, upper); an empty bound does not restrict. */
    struct bound lower, upper;
    struct bound last; /* the key it stands on; not kept by readers that can step */
};

/* Sets up and releases what both kinds share. */
void store_init(struct store *store, const struct store_ops *ops, const char *const *tables);
void store_done(struct store *store);

/* Counts an operation; fails if a test asked for it. `action` is the text. */
status store_operation(struct store *store, const char *action, struct error *reterr);
status store_write_operation(struct store *store, const char *action, struct error *reterr);

/* Puts a reading transaction into the list of readers, or takes it out. */
void txn_register(struct txn *txn);
void txn_unregister(struct txn *txn);
void store_wait_for_growth(struct store *store);

/* Ends all cursors of a transaction that is about to end. */
void txn_detach_cursors(struct txn *txn);

#endif
