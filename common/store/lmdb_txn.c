/* Transactions and cursors of the LMDB kind. */
#include "base/assert.h"
#include "store/disk.h"
#include "store/lmdb_internal.h"

#include <errno.h>

static struct lmdb_txn *lmdb_of(struct txn *txn)
{
    return (struct lmdb_txn *)txn;
}

static const struct lmdb_store *store_of(const struct txn *txn)
{
    return (const struct lmdb_store *)txn->store;
}

status lmdb_txn_start(struct txn *txn, struct error *reterr)
{
    struct lmdb_txn *lmdb = lmdb_of(txn);
    if (lmdb->txn) return lmdb_status(mdb_txn_renew(lmdb->txn), "renew", reterr);
    unsigned flags = txn->is_write ? 0 : MDB_RDONLY;
    return lmdb_status(mdb_txn_begin(store_of(txn)->env, NULL, flags, &lmdb->txn),
                       "begin transaction", reterr);
}

void lmdb_txn_stop(struct txn *txn)
{
    mdb_txn_reset(lmdb_of(txn)->txn);
}

static bool has_full_disk(const struct lmdb_store *store)
{
    int fd = -1;
    return mdb_env_get_fd(store->env, &fd) == MDB_SUCCESS && disk_is_full(fd);
}

status lmdb_txn_commit(struct txn *txn, struct error *reterr)
{
    MDB_txn *inner    = lmdb_of(txn)->txn;
    lmdb_of(txn)->txn = NULL; /* LMDB frees it even when the commit fails */
    int rc            = mdb_txn_commit(inner);
    /* A write that found room for a part of it only is EIO to LMDB 0.9 (mdb_page_flush). Nothing
     * that was committed knows its pages; had it been the header's, LMDB would begin no more
     * transactions, and that is final. */
    if (rc == EIO && has_full_disk(store_of(txn))) rc = ENOSPC;
    return lmdb_status(rc, "commit", reterr);
}

void lmdb_txn_abort(struct txn *txn)
{
    if (lmdb_of(txn)->txn) mdb_txn_abort(lmdb_of(txn)->txn);
    lmdb_of(txn)->txn = NULL;
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

status lmdb_write(struct txn *txn, unsigned table, bytes key, bytes value, enum txn_write how,
                  struct error *reterr)
{
    static const unsigned flags[] = {
        [TXN_PUT] = 0, [TXN_INSERT] = MDB_NOOVERWRITE, [TXN_APPEND] = MDB_APPEND};
    MDB_val k = to_val(key);
    MDB_val v = to_val(value);
    int rc    = mdb_put(lmdb_of(txn)->txn, store_of(txn)->tables[table], &k, &v, flags[how]);
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
    return lmdb_status(mdb_del(lmdb_of(txn)->txn, store_of(txn)->tables[table], &k, NULL), "delete",
                       reterr);
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
