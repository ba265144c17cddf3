/**
 * store: ordered key-value tables with transactions; one store per partition.
 *
 * What it promises: a committed transaction survives kill -9 and power loss; a reader sees one
 * consistent snapshot and never waits for the writer. Two kinds stand behind this header: a folder
 * on disk (store_open) and a store in memory for tests and simulation (store_open_memory), which
 * behaves alike and keeps nothing. What it does not: replicate, encrypt, or merge two writers.
 *
 * Nothing in this header is LMDB's, so that a shared database can stand behind it one day. Its
 * fence will show as ABORTED from txn_commit(), and nowhere else.
 *
 * Speed: one commit costs a sync of the disk, whatever is in it; so one writer applies everything
 * that waits and commits once. Keys that only grow go in with txn_append(): random keys cost 5 to
 * 20 times as much. Values above STORE_VALUE_ADVISED bytes take whole pages of 4 KiB.
 *
 * Threads: one writer thread, up to STORE_READERS_MAX reading threads. A transaction and its
 * cursors belong to the thread that began it; a thread has one reading transaction at a time and
 * none while it writes. The engine thread is the only writer; others post it a command.
 *
 * Limits: keys 1..STORE_KEY_MAX bytes. Source: MDB_MAXKEYSIZE, liblmdb 0.9.24.
 */
#ifndef STORE_STORE_H
#define STORE_STORE_H

#include "base/status.h"
#include "base/str.h"

#include <stdbool.h>
#include <stdint.h>

struct store;
struct txn;
struct cursor;

enum {
    STORE_KEY_MAX       = 511,              /* bytes */
    STORE_VALUE_ADVISED = 2000,             /* bytes; more costs whole pages: 2,100 B cost 1.97x */
    STORE_VALUE_MAX     = 64 * 1024 * 1024, /* bytes */
    STORE_TABLES_MAX    = 64,
    STORE_READERS_MAX   = 256,
    STORE_PATH_MAX      = 1024, /* bytes */

    STORE_FULL_PERCENT = 90, /* new work is refused from here on; the rest is for finishing */
};

/**
 * A row by which releases that do not know the store's log refuse its file while there is one: it
 * is `raised` from before the log begins until after it is removed, else `lowered`. The two have
 * one length and differ in one byte. Any other value is left alone.
 */
struct store_guard {
    unsigned table;
    bytes key, lowered, raised;
};

struct store_options {
    const char *path;          /* of an existing folder, on a local file system */
    uint64_t size_max;         /* bytes; reserves address space, not disk. 64 GiB is usual */
    const char *const *tables; /* at most STORE_TABLES_MAX names, then NULL; a table is its index */
    const struct store_guard *guard; /* outlives the store; NULL: none. Not for one in memory */
};

/**
 * Opens the store in a folder or creates it there. On OK, `*ret_store` is owned by the caller:
 * store_close(). Borrows `options` for the call only; the names in `tables` must outlive the store.
 *
 * Fails with FAILED_PRECONDITION (another process owns the folder; a network file system, where
 * neither locks nor mapped files can be trusted; the log beside the file is another one's),
 * UNAVAILABLE (file system) or DATA_LOSS (not a store, corrupted).
 */
status store_open(const struct store_options *options, struct store **ret_store,
                  struct error *reterr);

/**
 * Opens the store that another process of this machine owns, for reading only. `options` as the
 * owner's. It sees every commit of the owner as soon as that is durable, and goes on while the
 * owner is away. txn_begin_write() fails with FAILED_PRECONDITION. Owned: store_close().
 *
 * Fails with NOT_FOUND (the owner has not made it yet, or not all of the tables), UNAVAILABLE
 * (also: the owner was killed, nobody reads it, and he is not back yet) or DATA_LOSS.
 */
status store_open_shared(const struct store_options *options, struct store **ret_store,
                         struct error *reterr);

/** Makes an empty store in memory: the same behaviour, but nothing is durable. `path` is not used;
 * `size_max` bounds keys and values together. Cannot fail. Owned: store_close(). */
struct store *store_open_memory(const struct store_options *options);

/** Closes a store that has no transaction left. NULL is fine. */
void store_close(struct store *store);
void store_closep(struct store **store);

/** Says which kind it is: "lmdb" or "memory (nothing is durable)"; static. For logs. */
const char *store_kind(const struct store *store);

/** --- Transactions ------------------------------------------------------------------------------
 *
 * Begins a transaction on a borrowed store; owned by the caller: commit or abort. Begin-write waits
 * for another writer. After a failed commit it fails with UNAVAILABLE for ever.
 *
 * Both fail with RESOURCE_EXHAUSTED (too many readers) or UNAVAILABLE; begin-read also with
 * FAILED_PRECONDITION (this thread reads already).
 */
status txn_begin_read(struct store *store, struct txn **ret_txn, struct error *reterr);
status txn_begin_write(struct store *store, struct txn **ret_txn, struct error *reterr);

/**
 * The cheap way to read often (15 ns): keep one reading transaction per thread, reset it after each
 * use, renew it for the next. A reset one holds no snapshot; an unreset one keeps every page that
 * is deleted meanwhile, so that the file grows: never keep one across a wait.
 *
 * Reset ends the cursors; renew fails like txn_begin_read() and leaves the transaction reset.
 */
void txn_reset(struct txn *txn);
status txn_renew(struct txn *txn, struct error *reterr);

/**
 * Makes the transaction durable. Takes `txn` whether it succeeds or fails; ends its cursors.
 *
 * RESOURCE_EXHAUSTED: `size_max` reached or disk full; nothing was changed, the store goes on.
 * Any other failure is final: ABORTED means that another process owns the partition now, the rest
 * that nobody knows what is on disk, and syncing again proves nothing. The caller refuses
 * everything it was about to acknowledge and ends the process; store_is_failed() says so from then
 * on.
 *
 * If a write in the transaction failed with RESOURCE_EXHAUSTED, committing returns that again.
 */
status txn_commit(struct txn *txn, struct error *reterr);

/** Drops the transaction and every change in it; ends its cursors. NULL is fine. */
void txn_abort(struct txn *txn);
void txn_abortp(struct txn **txn);

/** Says whether a commit failed for good; the process must end. */
bool store_is_failed(const struct store *store);

/* Of the four below: reading what is not there is normal; pass NULL as `reterr` where nobody will
 * read the text, and it costs nothing. */

/** `*ret_value` is a view: valid until the transaction ends or writes. NOT_FOUND if none. */
status txn_get(struct txn *txn, unsigned table, bytes key, bytes *ret_value, struct error *reterr);

/** The greatest key of a table and its value; views as of txn_get(). NOT_FOUND if it is empty. */
status txn_last(struct txn *txn, unsigned table, bytes *ret_key, bytes *ret_value,
                struct error *reterr);

/** Counts the entries of a table, at no cost. */
status txn_count(struct txn *txn, unsigned table, uint64_t *ret_count, struct error *reterr);

/** Deletes an entry. NOT_FOUND if there is none, and nothing has changed. */
status txn_delete(struct txn *txn, unsigned table, bytes key, struct error *reterr);

/**
 * Writing copies key and value. Every failure but those named leaves the transaction unusable:
 * RESOURCE_EXHAUSTED (`size_max`, disk); then only abort is left. Values above STORE_VALUE_MAX are
 * INVALID_ARGUMENT and change nothing.
 */

/** Inserts or replaces. */
status txn_put(struct txn *txn, unsigned table, bytes key, bytes value, struct error *reterr);

/** Inserts; ALREADY_EXISTS leaves the old value untouched and the transaction usable. */
status txn_insert(struct txn *txn, unsigned table, bytes key, bytes value, struct error *reterr);

/** Inserts behind all keys of the table; the fast way. FAILED_PRECONDITION if the key is not
 * greater than the last one: nothing has changed then, and the transaction stays usable. */
status txn_append(struct txn *txn, unsigned table, bytes key, bytes value, struct error *reterr);

/** --- Cursors ------------------------------------------------------------------------------- */

/** Which entries, in which order. An empty member does not restrict. */
struct scan {
    bytes prefix;  /* keys that begin with it */
    bytes from;    /* this key and greater ones */
    bytes until;   /* keys smaller than this one */
    bytes after;   /* goes on behind this key, in the direction of the scan: the next page */
    bool backward; /* from the greatest to the smallest */
};

/** Opens a cursor in front of the first entry of a scan. Copies the bounds. Owned:
 * cursor_close(), before or after the transaction ends. Fails with UNAVAILABLE. */
status cursor_open(struct txn *txn, unsigned table, const struct scan *scan,
                   struct cursor **ret_cursor, struct error *reterr);

/**
 * Moves to the next entry. Views as of txn_get(). The transaction may write meanwhile, also to this
 * table: the cursor goes on from its place. NOT_FOUND at the end, and again if called again.
 */
status cursor_next(struct cursor *cursor, bytes *ret_key, bytes *ret_value, struct error *reterr);

/** Deletes the entry that cursor_next() returned last; once. */
status cursor_delete(struct cursor *cursor, struct error *reterr);

/** NULL is fine. */
void cursor_close(struct cursor *cursor);
void cursor_closep(struct cursor **cursor);

/** Gets one entry of a page; any status but OK ends the page and is what txn_page() returns. */
typedef status (*page_fn)(bytes key, bytes value, struct error *reterr, void *context);

/** Where a page ended. Start with {}; pass it on for the next page, also in a later transaction. */
struct page {
    size_t key_len; /* bytes; 0: nothing was read yet */
    uint8_t key[STORE_KEY_MAX];
    bool has_more; /* entries are left behind `key` */
};

/**
 * Visits the next `count_max` entries of a scan (`scan->after` is not used: `page` says where to go
 * on). Lists and exports read page by page, each in a short transaction. `visit` must not write.
 */
status txn_page(struct txn *txn, unsigned table, const struct scan *scan, unsigned count_max,
                struct page *page, page_fn visit, void *context, struct error *reterr);

/** --- Care ---------------------------------------------------------------------------------- */

/** How full the store is. Pages that were freed and can be used again count as free. */
struct store_fill {
    uint64_t used_bytes;
    uint64_t size_bytes; /* `size_max` */
    unsigned percent;    /* of `size_bytes`, rounded down */
};

/** Costs a walk over the list of free pages: once a second, not per command. It reads, so the
 * thread must not have a transaction open. Fails like txn_begin_read(). */
status store_fill(struct store *store, struct store_fill *ret_fill, struct error *reterr);

/** Makes `size_max` greater, while no transaction is open; a transaction that another thread begins
 * meanwhile waits. FAILED_PRECONDITION if one is open: reset readers and call again.
 * INVALID_ARGUMENT if it is not greater. */
status store_grow(struct store *store, uint64_t size_max, struct error *reterr);

/** Forgets readers of processes that died, whose snapshots would keep pages for ever. Call it once
 * a minute. */
status store_check_readers(struct store *store, unsigned *ret_dead, struct error *reterr);

/** Age of the oldest open reading transaction, 0 if there is none. `now_ms` is clock_mono_ms(). Any
 * thread. For a metric with an alert. */
int64_t store_reader_age_ms(struct store *store, int64_t now_ms);

#endif
