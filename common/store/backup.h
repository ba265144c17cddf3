/**
 * backup: hot copies of a store, and the proof that a copy can be read.
 *
 * A copy is compacted and consistent: it is the last commit before it began. It is a reader while
 * it runs (0.8 s per GB from the page cache), so the file may grow meanwhile. Any thread but one
 * with a transaction of the store open.
 */
#ifndef STORE_BACKUP_H
#define STORE_BACKUP_H

#include "base/hash.h"
#include "base/status.h"
#include "store/store.h"

#include <stdint.h>

/** What a manifest says about a copy. */
struct backup_info {
    uint64_t size_bytes;
    uint8_t sha256[SHA256_SIZE]; /* of the whole file */
};

/** Hears that a copy has begun: what is committed from now on is not in it. On the thread that
 * asked for the copy. */
struct backup_listener {
    void (*begun)(void *context);
    void *context;
};

/**
 * Copies the store into an existing, empty folder and syncs it. `listener` may be NULL; if the copy
 * fails before it begins, it hears nothing.
 *
 * Fails with ALREADY_EXISTS (a store is there), UNAVAILABLE or RESOURCE_EXHAUSTED (file system),
 * UNIMPLEMENTED (a store in memory has nothing to copy).
 */
status store_backup(struct store *store, const char *folder, const struct backup_listener *listener,
                    struct backup_info *ret_info, struct error *reterr);

/**
 * Opens the copy in `folder` for reading only; writes nothing there, not even a lock. `tables` as
 * for store_open(). Owned: store_close().
 *
 * Tables that an older release did not make are empty.
 *
 * Fails with NOT_FOUND (no copy there, or it has not even the first table), FAILED_PRECONDITION (a
 * store whose owner lives or was killed), DATA_LOSS or UNAVAILABLE.
 */
status store_open_backup(const char *folder, const char *const *tables, struct store **ret_store,
                         struct error *reterr);

/**
 * If the process that owned the store in `folder` was killed: does what it left to be done, as
 * store_open() would, and closes it. Afterwards store_open_backup() reads it. `tables` as for
 * store_open(). Fails like that.
 */
status store_settle(const char *folder, const char *const *tables, struct error *reterr);

struct backup_content {
    unsigned table_count;
    uint64_t entries[STORE_TABLES_MAX]; /* in the order of `tables` */
    uint64_t content_bytes;             /* keys and values together */
};

/**
 * Opens the copy in `folder`, reads every entry of every table and computes the file's digest, for
 * the caller to compare with the manifest. `tables` as for store_open_backup().
 *
 * Fails with NOT_FOUND (no copy there, or it has not even the first table), DATA_LOSS (damaged) or
 * UNAVAILABLE.
 */
status store_verify_backup(const char *folder, const char *const *tables,
                           struct backup_info *ret_info, struct backup_content *ret_content,
                           struct error *reterr);

#endif
