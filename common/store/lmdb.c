/* The kind of store that lasts: an LMDB environment in a folder. Opening and care. */
#include "base/assert.h"
#include "base/mem.h"
#include "store/disk.h"
#include "store/lmdb_internal.h"

#include <errno.h>
#include <fcntl.h>
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

/* Pages in LMDB's own table of free pages: each value is a count and as many page numbers. */
static status count_free_pages(MDB_txn *txn, size_t *ret_pages, struct error *reterr)
{
    enum { FREE_TABLE = 0 }; /* liblmdb 0.9.24, mdb_stat.c: the table of free pages is number 0 */
    MDB_cursor *cursor = NULL;
    TRY(lmdb_status(mdb_cursor_open(txn, FREE_TABLE, &cursor), "count free pages", reterr));

    size_t pages = 0;
    MDB_val key;
    MDB_val value;
    int rc = 0;
    while ((rc = mdb_cursor_get(cursor, &key, &value, MDB_NEXT)) == MDB_SUCCESS) {
        size_t count = 0;
        if (value.mv_size >= sizeof count) memcpy(&count, value.mv_data, sizeof count);
        pages += count;
    }
    mdb_cursor_close(cursor);
    if (rc != MDB_NOTFOUND) return lmdb_status(rc, "count free pages", reterr);
    *ret_pages = pages;
    return STATUS_OK;
}

static status lmdb_fill(struct store *store, struct store_fill *ret_fill, struct error *reterr)
{
    CLEANUP(txn_abortp) struct txn *txn = NULL;
    TRY(txn_begin_read(store, &txn, reterr));
    size_t free_pages = 0;
    TRY(count_free_pages(((struct lmdb_txn *)txn)->txn, &free_pages, reterr));

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
    store_done(store);
    if (lmdb->env) mdb_env_close(lmdb->env);
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

static status open_tables(struct lmdb_store *store, struct error *reterr)
{
    CLEANUP(txn_abortp) struct txn *txn = NULL;
    TRY(txn_begin_write(&store->common, &txn, reterr));
    for (unsigned i = 0; i < store->common.table_count; i++) {
        const char *name = store->common.table_names[i];
        int rc = mdb_dbi_open(((struct lmdb_txn *)txn)->txn, name, MDB_CREATE, &store->tables[i]);
        TRY(lmdb_status(rc, name, reterr));
    }
    return txn_commit(TAKE(txn), reterr);
}

/*
 * No flags: every commit is synced, always. With MDB_NOSYNC, 1,849 of 2,592 simulated crash states
 * were corrupt; with the default, none of 2,946. Speed comes from many commands per commit.
 */
enum { ENV_FLAGS = 0, FILE_MODE = 0600 };

static status open_env(struct lmdb_store *store, const struct store_options *options,
                       struct error *reterr)
{
    TRY(lmdb_status(mdb_env_create(&store->env), "create", reterr));
    TRY(lmdb_status(mdb_env_set_maxdbs(store->env, store->common.table_count), "set tables",
                    reterr));
    TRY(lmdb_status(mdb_env_set_maxreaders(store->env, STORE_READERS_MAX), "set readers", reterr));
    TRY(lmdb_status(mdb_env_set_mapsize(store->env, options->size_max), "set size", reterr));
    TRY(lmdb_status(mdb_env_open(store->env, options->path, ENV_FLAGS, FILE_MODE), options->path,
                    reterr));
    TRY(lmdb_status(mdb_reader_check(store->env, NULL), "forget dead readers", reterr));
    return open_tables(store, reterr);
}

status store_open(const struct store_options *options, struct store **ret_store,
                  struct error *reterr)
{
    ASSERT(options);
    ASSERT(options->path);
    ASSERT(ret_store);

    CLEANUP(store_closep) struct store *store = mem_new(1, sizeof(struct lmdb_store));
    struct lmdb_store *lmdb                   = lmdb_of(store);
    lmdb->lock_fd                             = -1;
    store_init(store, &lmdb_ops, options->tables);
    TRY(disk_check_local(options->path, reterr));
    TRY(disk_lock(options->path, &lmdb->lock_fd, reterr));
    TRY(lmdb_create(options->path, reterr));
    TRY(open_env(lmdb, options, reterr));
    *ret_store = TAKE(store);
    return STATUS_OK;
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
    TRY(lmdb_status(mdb_env_create(&store->env), "open the copy", reterr));
    TRY(lmdb_status(mdb_env_set_maxdbs(store->env, STORE_TABLES_MAX), "open the copy", reterr));
    int rc = mdb_env_open(store->env, folder, MDB_RDONLY | MDB_NOLOCK, 0);
    if (rc == ENOENT) return fail(reterr, STATUS_NOT_FOUND, "%s holds no copy of a store", folder);
    TRY(lmdb_status(rc, folder, reterr));
    return find_tables(store, true, reterr);
}

status store_open_backup(const char *folder, const char *const *tables, struct store **ret_store,
                         struct error *reterr)
{
    ASSERT(folder);
    CLEANUP(store_closep) struct store *store = mem_new(1, sizeof(struct lmdb_store));
    lmdb_of(store)->lock_fd                   = -1;
    store_init(store, &lmdb_ops, tables);
    store->is_read_only = true;
    TRY(open_copy(lmdb_of(store), folder, reterr));
    *ret_store = TAKE(store);
    return STATUS_OK;
}

/* --- Another process's store, to read --------------------------------------------------------- */

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
    int rc = mdb_env_open(store->env, options->path, MDB_RDONLY, FILE_MODE);
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
    CLEANUP(store_closep) struct store *store = mem_new(1, sizeof(struct lmdb_store));
    lmdb_of(store)->lock_fd                   = -1;
    store_init(store, &lmdb_ops, options->tables);
    store->is_read_only = true;
    TRY(disk_check_local(options->path, reterr));
    TRY(open_shared(lmdb_of(store), options, reterr));
    *ret_store = TAKE(store);
    return STATUS_OK;
}
