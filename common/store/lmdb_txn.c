/* Transactions and cursors of the LMDB kind. */
#include "base/assert.h"
#include "store/disk.h"
#include "store/lmdb_internal.h"

#include <errno.h>
#include <pthread.h>

static struct lmdb_txn *lmdb_of(struct txn *txn)
{
    return (struct lmdb_txn *)txn;
}

static const struct lmdb_store *store_of(const struct txn *txn)
{
    return (const struct lmdb_store *)txn->store;
}

static struct lmdb_store *owner_of(struct txn *txn)
{
    return (struct lmdb_store *)txn->store;
}

/* --- Reading -----------------------------------------------------------------------------------
 */

static status start_reading(struct txn *txn, struct error *reterr)
{
    struct lmdb_txn *lmdb = lmdb_of(txn);
    pthread_key_t reading = store_of(txn)->reading;
    if (pthread_getspecific(reading)) return lmdb_status(MDB_BAD_RSLOT, "read", reterr);
    int rc = lmdb->txn ? mdb_txn_renew(lmdb->txn)
                       : mdb_txn_begin(store_of(txn)->env, NULL, MDB_RDONLY, &lmdb->txn);
    if (rc == MDB_SUCCESS && pthread_setspecific(reading, txn) != 0) {
        mdb_txn_reset(lmdb->txn);
        rc = ENOMEM;
    }
    return lmdb_status(rc, "begin to read", reterr);
}

static void stop_reading(const struct txn *txn)
{
    pthread_key_t reading = store_of(txn)->reading;
    if (pthread_getspecific(reading) == txn) (void)pthread_setspecific(reading, NULL);
}

void lmdb_txn_stop(struct txn *txn)
{
    mdb_txn_reset(lmdb_of(txn)->txn);
    stop_reading(txn);
}

/* --- Begin and end -----------------------------------------------------------------------------
 */

enum { CHANGES_KEPT = 1 << 20 /* bytes of memory, between transactions */ };

status lmdb_txn_start(struct txn *txn, struct error *reterr)
{
    if (!txn->is_write) return start_reading(txn, reterr);
    TRY(lmdb_status(mdb_txn_begin(store_of(txn)->env, NULL, 0, &lmdb_of(txn)->txn),
                    "begin transaction", reterr));
    changes_clear(&owner_of(txn)->changes, CHANGES_KEPT);
    return owner_of(txn)->wal ? checkpoint_make_room(owner_of(txn), reterr) : STATUS_OK;
}

static bool has_full_disk(const struct lmdb_store *store)
{
    int fd = -1;
    return mdb_env_get_fd(store->env, &fd) == MDB_SUCCESS && disk_is_full(fd);
}

/* The header could not be written: LMDB begins no transaction any more, not even to read. */
static bool is_over(const struct lmdb_store *store)
{
    MDB_txn *probe = NULL;
    int rc         = mdb_txn_begin(store->env, NULL, MDB_RDONLY, &probe);
    if (rc == MDB_SUCCESS) mdb_txn_abort(probe);
    return rc == MDB_PANIC;
}

static status commit_inner(struct lmdb_store *store, MDB_txn *inner, struct error *reterr)
{
    int rc = mdb_txn_commit(inner); /* LMDB frees it even when the commit fails */
    /* A write that found room for a part of it only is EIO to LMDB 0.9 (mdb_page_flush). Nothing
     * that was committed knows its pages. */
    if (rc == EIO && has_full_disk(store)) rc = ENOSPC;
    /* A full disk may be the header's, and that is final: nobody is told to come back. */
    if (rc != MDB_SUCCESS && is_over(store)) rc = MDB_PANIC;
    return lmdb_status(rc, "commit", reterr);
}

/* First durable, then to be seen: a reader never sees what a crash could take away. */
static status commit_logged(struct lmdb_store *store, MDB_txn *inner, struct error *reterr)
{
    uint64_t number = mdb_txn_id(inner);
    str changes     = buf_str(&store->changes.buf);
    status code     = checkpoint_step(store, reterr);
    if (code == STATUS_OK) {
        code = wal_append(store->wal, number, (bytes){changes.ptr, changes.len}, reterr);
    }
    if (code != STATUS_OK) {
        mdb_txn_abort(inner);
        return code;
    }
    code = commit_inner(store, inner, reterr);
    if (code != STATUS_RESOURCE_EXHAUSTED) return code;
    TRY(wal_take_back(store->wal, number, reterr)); /* the caller hears that nothing has changed */
    return code;
}

status lmdb_txn_commit(struct txn *txn, struct error *reterr)
{
    struct lmdb_store *store = owner_of(txn);
    MDB_txn *inner           = lmdb_of(txn)->txn;
    lmdb_of(txn)->txn        = NULL;
    if (!store->wal) return commit_inner(store, inner, reterr);
    if (store->changes.buf.len > 0) return commit_logged(store, inner, reterr);
    mdb_txn_abort(inner); /* nothing has changed, and commits without a record do not exist */
    return STATUS_OK;
}

void lmdb_txn_abort(struct txn *txn)
{
    if (lmdb_of(txn)->txn) mdb_txn_abort(lmdb_of(txn)->txn);
    lmdb_of(txn)->txn = NULL;
    if (!txn->is_write) stop_reading(txn);
}

/* --- Entries ---------------------------------------------------------------------------------- */

/* LMDB takes non-const pointers for both input and output but never writes through an input. */
static MDB_val to_val(bytes view)
{
    return (MDB_val){.mv_size = view.len, .mv_data = (void *)(uintptr_t)view.ptr};
}

static bytes to_bytes(MDB_val val)
{
    return (bytes){.ptr = val.mv_data, .len = val.mv_size};
}

/* A table of a later release, in a copy that is only read: as good as empty. */
static bool is_absent(const struct txn *txn, unsigned table)
{
    return store_of(txn)->tables[table] == 0;
}

status lmdb_get(struct txn *txn, unsigned table, bytes key, bytes *ret_value, struct error *reterr)
{
    MDB_val k = to_val(key);
    MDB_val v;
    if (is_absent(txn, table)) return lmdb_status(MDB_NOTFOUND, "get", reterr);
    TRY(lmdb_status(mdb_get(lmdb_of(txn)->txn, store_of(txn)->tables[table], &k, &v), "get",
                    reterr));
    *ret_value = to_bytes(v);
    return STATUS_OK;
}

/* A change is noted before it is tried, and forgotten if it was refused. */
static status note(struct txn *txn, enum change_kind kind, unsigned table, bytes key, bytes value,
                   struct error *reterr)
{
    struct lmdb_store *store = owner_of(txn);
    if (!store->wal) return STATUS_OK;
    if (changes_add(&store->changes, kind, table, store->common.table_names[table], key, value)) {
        return STATUS_OK;
    }
    return fail(reterr, STATUS_RESOURCE_EXHAUSTED, "store: a transaction of over %d bytes",
                WAL_PAYLOAD_MAX);
}

static void note_result(struct txn *txn, int rc)
{
    struct lmdb_store *store = owner_of(txn);
    if (store->wal && rc != MDB_SUCCESS) changes_undo(&store->changes);
}

status lmdb_write(struct txn *txn, unsigned table, bytes key, bytes value, enum txn_write how,
                  struct error *reterr)
{
    static const unsigned flags[] = {
        [TXN_PUT] = 0, [TXN_INSERT] = MDB_NOOVERWRITE, [TXN_APPEND] = MDB_APPEND};
    MDB_val k = to_val(key);
    MDB_val v = to_val(value);
    TRY(note(txn, CHANGE_PUT, table, key, value, reterr));
    int rc = mdb_put(lmdb_of(txn)->txn, store_of(txn)->tables[table], &k, &v, flags[how]);
    note_result(txn, rc);
    if (rc == MDB_KEYEXIST && how == TXN_APPEND) {
        return fail(reterr, STATUS_FAILED_PRECONDITION,
                    "store: append to %s: the key is not behind the last one",
                    txn->store->table_names[table]);
    }
    return lmdb_status(rc, "write", reterr);
}

status lmdb_remove(struct txn *txn, unsigned table, bytes key, struct error *reterr)
{
    MDB_val k = to_val(key);
    TRY(note(txn, CHANGE_DELETION, table, key, (bytes){}, reterr));
    int rc = mdb_del(lmdb_of(txn)->txn, store_of(txn)->tables[table], &k, NULL);
    note_result(txn, rc);
    return lmdb_status(rc, "delete", reterr);
}

status lmdb_count(struct txn *txn, unsigned table, uint64_t *ret_count, struct error *reterr)
{
    MDB_stat stat;
    *ret_count = 0;
    if (is_absent(txn, table)) return STATUS_OK;
    TRY(lmdb_status(mdb_stat(lmdb_of(txn)->txn, store_of(txn)->tables[table], &stat), "count",
                    reterr));
    *ret_count = stat.ms_entries;
    return STATUS_OK;
}

/* --- Cursors ---------------------------------------------------------------------------------- */

static struct lmdb_cursor *cursor_of(struct cursor *cursor)
{
    return (struct lmdb_cursor *)cursor;
}

status lmdb_cursor_start(struct cursor *cursor, struct error *reterr)
{
    struct txn *txn = cursor->txn;
    if (is_absent(txn, cursor->table)) return STATUS_OK;
    return lmdb_status(mdb_cursor_open(lmdb_of(txn)->txn, store_of(txn)->tables[cursor->table],
                                       &cursor_of(cursor)->cursor),
                       "open cursor", reterr);
}

void lmdb_cursor_stop(struct cursor *cursor)
{
    if (cursor_of(cursor)->cursor) mdb_cursor_close(cursor_of(cursor)->cursor);
}

static status move(struct cursor *cursor, MDB_cursor_op op, bytes key, bytes *ret_key,
                   bytes *ret_value, struct error *reterr)
{
    MDB_val k = to_val(key);
    MDB_val v;
    if (!cursor_of(cursor)->cursor) return lmdb_status(MDB_NOTFOUND, "cursor", reterr);
    TRY(lmdb_status(mdb_cursor_get(cursor_of(cursor)->cursor, &k, &v, op), "cursor", reterr));
    *ret_key   = to_bytes(k);
    *ret_value = to_bytes(v);
    return STATUS_OK;
}

status lmdb_seek(struct cursor *cursor, bytes key, bytes *ret_key, bytes *ret_value,
                 struct error *reterr)
{
    return move(cursor, key.len == 0 ? MDB_FIRST : MDB_SET_RANGE, key, ret_key, ret_value, reterr);
}

status lmdb_seek_before(struct cursor *cursor, bytes key, bytes *ret_key, bytes *ret_value,
                        struct error *reterr)
{
    const bytes none = {};
    if (key.len > 0) {
        status code = move(cursor, MDB_SET_RANGE, key, ret_key, ret_value, reterr);
        if (code == STATUS_OK) return move(cursor, MDB_PREV, none, ret_key, ret_value, reterr);
        if (code != STATUS_NOT_FOUND) return code;
    }
    return move(cursor, MDB_LAST, none, ret_key, ret_value, reterr);
}

status lmdb_step(struct cursor *cursor, bytes *ret_key, bytes *ret_value, struct error *reterr)
{
    MDB_cursor_op op = cursor->backward ? MDB_PREV : MDB_NEXT;
    return move(cursor, op, (bytes){}, ret_key, ret_value, reterr);
}
