/* The kind of store that lasts: an LMDB environment in a folder. Opening and care. */
#include "base/assert.h"
#include "base/mem.h"
#include "store/disk.h"
#include "store/lmdb_internal.h"
#include "store/vouch.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

static status code_of(int rc)
{
    switch (rc) {
    case MDB_SUCCESS: return STATUS_OK;
    case MDB_NOTFOUND: return STATUS_NOT_FOUND;
    case MDB_KEYEXIST:
    case EEXIST: return STATUS_ALREADY_EXISTS;
    case MDB_BAD_RSLOT: return STATUS_FAILED_PRECONDITION; /* this thread reads already */
    case MDB_MAP_FULL:
    case MDB_TXN_FULL:
    case MDB_READERS_FULL:
    case ENOSPC:
    case EDQUOT:
    case ENOMEM: return STATUS_RESOURCE_EXHAUSTED;
    case MDB_CORRUPTED:
    case MDB_PAGE_NOTFOUND:
    case MDB_INVALID:
    case MDB_INCOMPATIBLE:
    case MDB_VERSION_MISMATCH: return STATUS_DATA_LOSS;
    default: return STATUS_UNAVAILABLE; /* the file system refused, or an earlier failure lasts */
    }
}

status lmdb_status(int rc, const char *action, struct error *reterr)
{
    status code = code_of(rc);
    if (code == STATUS_OK) return STATUS_OK;
    return fail(reterr, code, "store: %s: %s", action, mdb_strerror(rc));
}

static struct lmdb_store *lmdb_of(struct store *store)
{
    return (struct lmdb_store *)store;
}

/* --- Care ------------------------------------------------------------------------------------- */

static status lmdb_fill(struct store *store, struct store_fill *ret_fill, struct error *reterr)
{
    CLEANUP(txn_abortp) struct txn *txn = NULL;
    TRY(txn_begin_read(store, &txn, reterr));
    const struct free_pages all = {.until = SIZE_MAX, .enough = SIZE_MAX};
    size_t free_pages           = 0;
    TRY(free_pages_count(((struct lmdb_txn *)txn)->txn, &all, &free_pages, reterr));

    MDB_envinfo info;
    MDB_stat stat;
    TRY(lmdb_status(mdb_env_info(lmdb_of(store)->env, &info), "fill", reterr));
    TRY(lmdb_status(mdb_env_stat(lmdb_of(store)->env, &stat), "fill", reterr));
    size_t pages = info.me_last_pgno + 1;
    if (free_pages > pages) {
        return fail(reterr, STATUS_DATA_LOSS, "store: more free pages than pages");
    }
    ret_fill->used_bytes = (uint64_t)(pages - free_pages) * stat.ms_psize;
    ret_fill->size_bytes = info.me_mapsize;
    return STATUS_OK;
}

static status lmdb_grow(struct store *store, uint64_t size_max, struct error *reterr)
{
    MDB_envinfo info;
    TRY(lmdb_status(mdb_env_info(lmdb_of(store)->env, &info), "grow", reterr));
    if (size_max <= info.me_mapsize) {
        return fail(reterr, STATUS_INVALID_ARGUMENT, "store: grow: the map has %zu bytes already",
                    info.me_mapsize);
    }
    return lmdb_status(mdb_env_set_mapsize(lmdb_of(store)->env, size_max), "grow", reterr);
}

static status lmdb_check_readers(struct store *store, unsigned *ret_dead, struct error *reterr)
{
    int dead = 0;
    TRY(lmdb_status(mdb_reader_check(lmdb_of(store)->env, &dead), "forget dead readers", reterr));
    *ret_dead = (unsigned)dead;
    return STATUS_OK;
}

/* --- Open and close --------------------------------------------------------------------------- */

static void lmdb_close(struct store *store)
{
    struct lmdb_store *lmdb = lmdb_of(store);
    checkpoint_last(lmdb);
    store_done(store);
    buf_done(&lmdb->changes.buf);
    if (lmdb->env) mdb_env_close(lmdb->env);
    if (lmdb->has_reading) (void)pthread_key_delete(lmdb->reading);
    if (lmdb->lock_fd >= 0) close(lmdb->lock_fd); /* last: another owner may come now */
    free(lmdb);
}

static const struct store_ops lmdb_ops = {
    .kind          = "lmdb",
    .close         = lmdb_close,
    .fill          = lmdb_fill,
    .grow          = lmdb_grow,
    .check_readers = lmdb_check_readers,
    .backup        = lmdb_backup,
    .txn_size      = sizeof(struct lmdb_txn),
    .txn_start     = lmdb_txn_start,
    .txn_stop      = lmdb_txn_stop,
    .txn_commit    = lmdb_txn_commit,
    .txn_abort     = lmdb_txn_abort,
    .get           = lmdb_get,
    .write         = lmdb_write,
    .remove        = lmdb_remove,
    .count         = lmdb_count,
    .cursor_size   = sizeof(struct lmdb_cursor),
    .cursor_start  = lmdb_cursor_start,
    .cursor_stop   = lmdb_cursor_stop,
    .seek          = lmdb_seek,
    .seek_before   = lmdb_seek_before,
    .step          = lmdb_step,
};

/* LMDB's handles of readers belong to no thread (MDB_NOTLS), so who reads already is noted here. */
static status make(const char *const *tables, struct store **ret_store, struct error *reterr)
{
    struct lmdb_store *lmdb = mem_new(1, sizeof *lmdb);
    lmdb->lock_fd           = -1;
    lmdb->changes.buf       = buf_init(WAL_PAYLOAD_MAX);
    store_init(&lmdb->common, &lmdb_ops, tables);
    int rc            = pthread_key_create(&lmdb->reading, NULL);
    lmdb->has_reading = rc == 0;
    *ret_store        = &lmdb->common;
    return lmdb_status(rc, "create", reterr);
}

status store_open(const struct store_options *options, struct store **ret_store,
                  struct error *reterr)
{
    ASSERT(options);
    ASSERT(options->path);
    ASSERT(ret_store);

    CLEANUP(store_closep) struct store *store = NULL;
    TRY(make(options->tables, &store, reterr));
    lmdb_of(store)->guard = options->guard;
    TRY(disk_check_local(options->path, reterr));
    TRY(disk_lock(options->path, &lmdb_of(store)->lock_fd, reterr));
    TRY(lmdb_recover(lmdb_of(store), options, reterr));
    *ret_store = TAKE(store);
    return STATUS_OK;
}

status store_settle(const char *folder, const char *const *tables, struct error *reterr)
{
    CLEANUP(wal_past_freep) struct wal_past *past = NULL;
    CLEANUP(store_closep) struct store *store     = NULL;
    const struct store_options options            = {.path = folder, .tables = tables};
    TRY(wal_past_read(folder, &past, reterr));
    return past ? store_open(&options, &store, reterr) : STATUS_OK;
}

/* --- A copy, to read -------------------------------------------------------------------------- */

/* Handles of tables outlive a transaction that is committed, also one that only reads.
 * `may_be_older`: of all tables but the first, those that are not there stay 0. */
static status find_tables(struct lmdb_store *store, bool may_be_older, struct error *reterr)
{
    MDB_txn *txn = NULL;
    TRY(lmdb_status(mdb_txn_begin(store->env, NULL, MDB_RDONLY, &txn), "find tables", reterr));
    status opened = STATUS_OK;
    for (unsigned i = 0; opened == STATUS_OK && i < store->common.table_count; i++) {
        const char *name = store->common.table_names[i];
        int rc           = mdb_dbi_open(txn, name, 0, &store->tables[i]);
        if (rc == MDB_NOTFOUND && may_be_older && i > 0) continue;
        opened = lmdb_status(rc, name, reterr);
    }
    status ended = lmdb_status(mdb_txn_commit(txn), "find tables", reterr);
    return opened == STATUS_OK ? ended : opened;
}

/* Nobody else has it open, so it needs no lock file. */
static status open_copy(struct lmdb_store *store, const char *folder, struct error *reterr)
{
    CLEANUP(wal_past_freep) struct wal_past *past = NULL;
    TRY(wal_past_read(folder, &past, reterr));
    if (past) {
        return fail(reterr, STATUS_FAILED_PRECONDITION,
                    "%s is a store that was not closed, no copy of one", folder);
    }
    TRY(lmdb_status(mdb_env_create(&store->env), "open the copy", reterr));
    TRY(lmdb_status(mdb_env_set_maxdbs(store->env, STORE_TABLES_MAX), "open the copy", reterr));
    int rc = mdb_env_open(store->env, folder, MDB_RDONLY | MDB_NOLOCK | MDB_NOTLS, 0);
    if (rc == ENOENT) return fail(reterr, STATUS_NOT_FOUND, "%s holds no copy of a store", folder);
    TRY(lmdb_status(rc, folder, reterr));
    return find_tables(store, true, reterr);
}

status store_open_backup(const char *folder, const char *const *tables, struct store **ret_store,
                         struct error *reterr)
{
    ASSERT(folder);
    CLEANUP(store_closep) struct store *store = NULL;
    TRY(make(tables, &store, reterr));
    store->is_read_only = true;
    TRY(open_copy(lmdb_of(store), folder, reterr));
    *ret_store = TAKE(store);
    return STATUS_OK;
}

/* --- Another process's store, to read --------------------------------------------------------- */

enum { FILE_MODE = 0600 };

static status find_out(const struct lmdb_store *store, const char *folder, struct error *reterr)
{
    CLEANUP(wal_past_freep) struct wal_past *past = NULL;
    if (vouch_is_given(store->lock_fd)) return STATUS_OK;
    TRY(wal_past_read(folder, &past, reterr));
    if (!past) return STATUS_OK; /* closed in order */
    return fail(reterr, STATUS_UNAVAILABLE, "%s was not closed: wait until its owner is back",
                folder);
}

/* What is in the file may be believed, or the store stays closed. */
static status vouch(struct lmdb_store *store, const char *folder, struct error *reterr)
{
    TRY(vouch_open(folder, &store->lock_fd, reterr));
    TRY(vouch_enter(store->lock_fd, reterr));
    status found = find_out(store, folder, reterr);
    if (found == STATUS_OK) found = vouch_give(store->lock_fd, reterr);
    vouch_leave(store->lock_fd);
    return found;
}

/* Readers of several processes meet in LMDB's lock file, so that the owner frees no page that one
 * of them still reads. The map is as large as the owner's: a smaller one could not follow its
 * growth. */
static status open_shared(struct lmdb_store *store, const struct store_options *options,
                          struct error *reterr)
{
    TRY(lmdb_status(mdb_env_create(&store->env), "create", reterr));
    TRY(lmdb_status(mdb_env_set_maxdbs(store->env, store->common.table_count), "set tables",
                    reterr));
    TRY(lmdb_status(mdb_env_set_maxreaders(store->env, STORE_READERS_MAX), "set readers", reterr));
    TRY(lmdb_status(mdb_env_set_mapsize(store->env, options->size_max), "set size", reterr));
    int rc = mdb_env_open(store->env, options->path, MDB_RDONLY | MDB_NOTLS, FILE_MODE);
    if (rc == ENOENT) {
        return fail(reterr, STATUS_NOT_FOUND, "%s holds no store yet", options->path);
    }
    TRY(lmdb_status(rc, options->path, reterr));
    return find_tables(store, false, reterr);
}

status store_open_shared(const struct store_options *options, struct store **ret_store,
                         struct error *reterr)
{
    ASSERT(options && options->path);
    CLEANUP(store_closep) struct store *store = NULL;
    TRY(make(options->tables, &store, reterr));
    store->is_read_only = true;
    TRY(disk_check_local(options->path, reterr));
    TRY(vouch(lmdb_of(store), options->path, reterr));
    TRY(open_shared(lmdb_of(store), options, reterr));
    *ret_store = TAKE(store);
    return STATUS_OK;
}
