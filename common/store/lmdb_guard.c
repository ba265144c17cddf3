/*
 * The guard (store.h) is changed where it stands, not by a commit: a commit writes its row to
 * another page and leaves the old one in the file, and after a power cut an older page that leads
 * there may be all that arrived. Nothing sums up LMDB's pages, and one byte arrives whole or not.
 */
#include "base/assert.h"
#include "store/disk.h"
#include "store/lmdb_internal.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

enum { ROW_MAX = STORE_KEY_MAX + 16 /* bytes of key and value */ };

static bool is_same(MDB_val value, bytes expected)
{
    return value.mv_size == expected.len && memcmp(value.mv_data, expected.ptr, expected.len) == 0;
}

/* A page begins with its number (liblmdb 0.9.24, MDB_page), and its size is a power of two. */
static off_t place_of(const void *in_map, size_t page_size)
{
    size_t within = (uintptr_t)in_map % page_size;
    size_t number = 0;
    memcpy(&number, (const char *)in_map - within, sizeof number);
    return (off_t)(number * page_size + within);
}

/* In a leaf the value stands behind its key, which tells whether this is the place. */
static status check_place(const struct store_guard *guard, int fd, off_t place, bytes value,
                          struct error *reterr)
{
    char row[ROW_MAX];
    size_t len = guard->key.len + value.len;
    ASSERT(len <= sizeof row);
    ssize_t got = pread(fd, row, len, place - (off_t)guard->key.len);
    if (got == (ssize_t)len && memcmp(row, guard->key.ptr, guard->key.len) == 0 &&
        memcmp(row + guard->key.len, value.ptr, value.len) == 0) {
        return STATUS_OK;
    }
    return fail(reterr, STATUS_UNAVAILABLE, "store: its guard is not where it was expected");
}

/* Where the row's value stands in the file, if it is `from`; -1: it is another one, or none. */
static status find(const struct lmdb_store *store, bytes from, off_t *ret_place,
                   struct error *reterr)
{
    MDB_txn *txn = NULL;
    MDB_stat stat;
    MDB_val value = {};
    MDB_val key   = {.mv_size = store->guard->key.len,
                     .mv_data = (void *)(uintptr_t)store->guard->key.ptr};
    TRY(lmdb_status(mdb_env_stat(store->env, &stat), "guard", reterr));
    TRY(lmdb_status(mdb_txn_begin(store->env, NULL, MDB_RDONLY, &txn), "guard", reterr));
    int rc      = mdb_get(txn, store->tables[store->guard->table], &key, &value);
    bool is_set = rc == MDB_SUCCESS && is_same(value, from);
    *ret_place  = is_set ? place_of(value.mv_data, stat.ms_psize) : -1;
    mdb_txn_abort(txn);
    return rc == MDB_NOTFOUND ? STATUS_OK : lmdb_status(rc, "guard", reterr);
}

static status change(const struct lmdb_store *store, bytes from, bytes to, struct error *reterr)
{
    off_t place = -1;
    int fd      = -1;
    ASSERT(from.len == to.len);
    TRY(find(store, from, &place, reterr));
    if (place < 0) return STATUS_OK;
    TRY(lmdb_status(mdb_env_get_fd(store->env, &fd), "guard", reterr));
    TRY(check_place(store->guard, fd, place, from, reterr));
    TRY(disk_write(fd, to.ptr, to.len, place, "data.mdb", reterr));
    return disk_sync(fd, "data.mdb", reterr);
}

status guard_raise(const struct lmdb_store *store, struct error *reterr)
{
    if (!store->guard) return STATUS_OK;
    return change(store, store->guard->lowered, store->guard->raised, reterr);
}

status guard_lower(const struct lmdb_store *store, struct error *reterr)
{
    if (!store->guard) return STATUS_OK;
    return change(store, store->guard->raised, store->guard->lowered, reterr);
}
