/*
 * A store is opened by its owner. If the log is there, the process before was killed, or the
 * machine died: the state of the last checkpoint is put back and what was committed since is done
 * again. Only where somebody else has read the file all the time is it left as it is: he must not
 * see it change, and it is whole as long as the machine lives (vouch.h).
 */
#include "base/assert.h"
#include "base/attr.h"
#include "store/disk.h"
#include "store/lmdb_internal.h"
#include "store/redo.h"
#include "store/vouch.h"

#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

enum {
    FILE_MODE   = 0600,
    READERS     = 3,        /* readers that checkpoints need */
    BATCH_BYTES = 16 << 20, /* of commits that are done again in one transaction */
    ALL_TABLES  = STORE_TABLES_MAX,
};

static void fd_closep(const int *fd)
{
    if (*fd >= 0) close(*fd);
}

/* --- the environment ---------------------------------------------------------------------------
 */

/* A reader has a slot of its own, not one per thread: a checkpoint reads beside the writer. */
static status open_env(struct lmdb_store *store, const struct store_options *options,
                       struct error *reterr)
{
    TRY(lmdb_status(mdb_env_create(&store->env), "create", reterr));
    TRY(lmdb_status(mdb_env_set_maxdbs(store->env, store->common.table_count), "set tables",
                    reterr));
    TRY(lmdb_status(mdb_env_set_maxreaders(store->env, STORE_READERS_MAX + READERS), "set readers",
                    reterr));
    if (options->size_max > 0) {
        TRY(lmdb_status(mdb_env_set_mapsize(store->env, options->size_max), "set size", reterr));
    }
    TRY(lmdb_status(mdb_env_open(store->env, options->path, MDB_NOTLS, FILE_MODE), options->path,
                    reterr));
    return lmdb_status(mdb_reader_check(store->env, NULL), "forget dead readers", reterr);
}

/* From here on LMDB syncs nothing: a commit is durable by the log, or by the next checkpoint. */
static status stop_syncing(struct lmdb_store *store, struct error *reterr)
{
    return lmdb_status(mdb_env_set_flags(store->env, MDB_NOSYNC, 1), "open", reterr);
}

static status last_commit(const struct lmdb_store *store, uint64_t *ret_commit,
                          struct error *reterr)
{
    MDB_txn *txn = NULL;
    TRY(lmdb_status(mdb_txn_begin(store->env, NULL, MDB_RDONLY, &txn), "open", reterr));
    *ret_commit = mdb_txn_id(txn);
    mdb_txn_abort(txn);
    return STATUS_OK;
}

/* A store that is new has its guard before anything is in it. */
static status insert_guard(struct txn *txn, const struct store_guard *guard, struct error *reterr)
{
    if (!guard) return STATUS_OK;
    status inserted = txn_insert(txn, guard->table, guard->key, guard->raised, reterr);
    return inserted == STATUS_ALREADY_EXISTS ? STATUS_OK : inserted;
}

static status open_tables(struct lmdb_store *store, struct error *reterr)
{
    CLEANUP(txn_abortp) struct txn *txn = NULL;
    TRY(txn_begin_write(&store->common, &txn, reterr));
    for (unsigned i = 0; i < store->common.table_count; i++) {
        const char *name = store->common.table_names[i];
        int rc = mdb_dbi_open(((struct lmdb_txn *)txn)->txn, name, MDB_CREATE, &store->tables[i]);
        TRY(lmdb_status(rc, name, reterr));
    }
    TRY(insert_guard(txn, store->guard, reterr));
    TRY(txn_commit(TAKE(txn), reterr));
    return guard_raise(store, reterr);
}

/* --- after a crash -----------------------------------------------------------------------------
 */

/* Its newest commit, as the pages in front of it say; nothing else of it is read. */
static status newest_commit(const char *folder, uint64_t *ret_commit, struct error *reterr)
{
    MDB_env *env = NULL;
    MDB_envinfo info;
    TRY(lmdb_status(mdb_env_create(&env), "open", reterr));
    int rc = mdb_env_open(env, folder, MDB_RDONLY | MDB_NOLOCK, FILE_MODE);
    if (rc == MDB_SUCCESS) rc = mdb_env_info(env, &info);
    if (rc == MDB_SUCCESS) *ret_commit = info.me_last_txnid;
    mdb_env_close(env);
    return lmdb_status(rc, folder, reterr);
}

/* A copy that somebody has put in the place of the file is no state that the log goes on from. */
static status check_file(const char *folder, const struct wal_base *base, struct error *reterr)
{
    uint64_t commit = 0;
    TRY(newest_commit(folder, &commit, reterr));
    if (commit >= base->commit) return STATUS_OK;
    return fail(
        reterr, STATUS_FAILED_PRECONDITION,
        "store: the log in %s (wal.0, wal.1) does not belong to the data.mdb beside it: put "
        "its own there, or remove the log if that one is meant",
        folder);
}

/* The pages in front of the file say again where the state of the checkpoint begins. Not synced: a
 * crash finds the log as it is and does the same once more. */
static status put_back(const char *folder, const struct wal_base *base, struct error *reterr)
{
    char path[STORE_PATH_MAX];
    int len = snprintf(path, sizeof path, "%s/data.mdb", folder);
    if (len >= (int)sizeof path) {
        return fail(reterr, STATUS_INVALID_ARGUMENT, "store: the folder's name is too long");
    }
    CLEANUP(fd_closep) int fd = open(path, O_WRONLY | O_CLOEXEC);
    if (fd < 0) return fail(reterr, STATUS_UNAVAILABLE, "store: %s: %m", path);
    return disk_write(fd, base->keep.ptr, base->keep.len, 0, path, reterr);
}

static status check_put_back(const struct lmdb_store *store, const struct wal_base *base,
                             struct error *reterr)
{
    uint64_t commit = 0;
    TRY(last_commit(store, &commit, reterr));
    if (commit == base->commit) return STATUS_OK;
    return fail(reterr, STATUS_UNAVAILABLE,
                "store: a program that is none of ours has data.mdb open: stop it");
}

static status apply_batch(struct lmdb_store *store, struct wal_past *past, bool *ret_is_done,
                          struct error *reterr)
{
    CLEANUP(txn_abortp) struct txn *txn = NULL;
    struct wal_record record            = {};
    TRY(txn_begin_write(&store->common, &txn, reterr));
    for (size_t size = 0; size < BATCH_BYTES; size += record.payload.len) {
        *ret_is_done = !wal_past_next(past, &record);
        if (*ret_is_done) break;
        TRY(redo_apply(txn, record.payload, ALL_TABLES, reterr));
    }
    return txn_commit(TAKE(txn), reterr);
}

static status recover(struct lmdb_store *store, struct wal_past *past,
                      const struct store_options *options, struct error *reterr)
{
    const struct wal_base base = wal_past_base(past);
    TRY(check_file(options->path, &base, reterr));
    TRY(put_back(options->path, &base, reterr));
    TRY(open_env(store, options, reterr));
    TRY(stop_syncing(store, reterr));
    TRY(check_put_back(store, &base, reterr));
    TRY(checkpoint_pin(store, reterr));
    TRY(open_tables(store, reterr));
    for (bool is_done = false; !is_done;) TRY(apply_batch(store, past, &is_done, reterr));
    return checkpoint_resume(store, past, reterr);
}

/* --- not after a crash -------------------------------------------------------------------------
 */

/* Stopped in order, written by a release without a log, or new: LMDB's own syncs are enough. */
static status begin(struct lmdb_store *store, const struct store_options *options,
                    struct error *reterr)
{
    TRY(open_env(store, options, reterr));
    TRY(open_tables(store, reterr));
    TRY(checkpoint_first(store, NULL, reterr));
    TRY(checkpoint_pin(store, reterr));
    return stop_syncing(store, reterr);
}

/* The file holds what was committed, but for a commit that was under way and told nobody. The disk
 * does not, so first of all it is made durable. */
static status go_on(struct lmdb_store *store, const struct wal_past *past,
                    const struct store_options *options, struct error *reterr)
{
    uint64_t before = 0;
    uint64_t after  = 0;
    if (wal_past_is_doubted(past)) {
        return fail(reterr, STATUS_UNAVAILABLE,
                    "store: %s could not be synced, and other processes read it: stop them",
                    options->path);
    }
    TRY(open_env(store, options, reterr));
    TRY(stop_syncing(store, reterr));
    TRY(checkpoint_first(store, past, reterr));
    TRY(checkpoint_pin(store, reterr));
    TRY(last_commit(store, &before, reterr));
    struct wal *wal = TAKE(store->wal); /* new tables are not logged */
    status opened   = open_tables(store, reterr);
    if (opened == STATUS_OK) opened = last_commit(store, &after, reterr);
    if (opened == STATUS_OK && after == before) {
        store->wal = wal;
        return STATUS_OK;
    }
    wal_close(wal);
    TRY(opened);
    TRY(checkpoint_first(store, past, reterr));
    return checkpoint_pin(store, reterr);
}

/* Behind the door. */
static status open_behind(struct lmdb_store *store, const struct store_options *options,
                          struct error *reterr)
{
    CLEANUP(wal_past_freep) struct wal_past *past = NULL;
    TRY(lmdb_create(options->path, reterr));
    TRY(wal_past_read(options->path, &past, reterr));
    if (!past) return begin(store, options, reterr);
    if (vouch_is_given(store->lock_fd)) return go_on(store, past, options, reterr);
    return recover(store, past, options, reterr);
}

status lmdb_recover(struct lmdb_store *store, const struct store_options *options,
                    struct error *reterr)
{
    TRY(vouch_enter(store->lock_fd, reterr));
    status opened = open_behind(store, options, reterr);
    if (opened == STATUS_OK) opened = vouch_give(store->lock_fd, reterr);
    vouch_leave(store->lock_fd);
    return opened;
}
