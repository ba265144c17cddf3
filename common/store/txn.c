/* The front of transactions: begin, get, write, and exactly one of commit or abort. */
#include "base/assert.h"
#include "base/clock.h"
#include "base/mem.h"
#include "store/redo_internal.h"
#include "store/store.h"

#include <stdlib.h>

/* --- Begin and end ---------------------------------------------------------------------------- */

static bool is_open(const struct txn *txn)
{
    return txn->is_write || atomic_load_explicit(&txn->begun_ms, memory_order_relaxed) != 0;
}

static struct txn *txn_new(struct store *store)
{
    ASSERT(store->ops->txn_size >= sizeof(struct txn));
    struct txn *txn = mem_new(1, store->ops->txn_size);
    txn->store      = store;
    return txn;
}

status txn_begin_read(struct store *store, struct txn **ret_txn, struct error *reterr)
{
    ASSERT(store);
    ASSERT(ret_txn);

    CLEANUP(txn_abortp) struct txn *txn = txn_new(store);
    txn_register(txn);
    TRY(txn_renew(txn, reterr));
    *ret_txn = TAKE(txn);
    return STATUS_OK;
}

/* The handshake of readers with store_grow(): see the top of store.c. */
status txn_renew(struct txn *txn, struct error *reterr)
{
    ASSERT(!is_open(txn));
    struct store *store = txn->store;
    TRY(store_operation(store, "begin to read", reterr));

    int64_t now_ms = clock_mono_ms();
    atomic_store(&txn->begun_ms, now_ms);
    while (atomic_load(&store->is_growing)) {
        atomic_store(&txn->begun_ms, 0);
        store_wait_for_growth(store);
        atomic_store(&txn->begun_ms, now_ms);
    }

    status code = store->ops->txn_start(txn, reterr);
    if (code != STATUS_OK) atomic_store(&txn->begun_ms, 0);
    return code;
}

void txn_reset(struct txn *txn)
{
    ASSERT(!txn->is_write);
    if (!is_open(txn)) return;
    txn_detach_cursors(txn);
    txn->store->ops->txn_stop(txn);
    atomic_store(&txn->begun_ms, 0);
}

status txn_begin_write(struct store *store, struct txn **ret_txn, struct error *reterr)
{
    ASSERT(store);
    ASSERT(ret_txn);
    TRY(store_operation(store, "begin to write", reterr));
    if (store->is_read_only) {
        return fail(reterr, STATUS_FAILED_PRECONDITION, "store: a backup is for reading only");
    }
    if (store_is_failed(store)) {
        return fail(reterr, STATUS_UNAVAILABLE,
                    "store: an earlier commit failed for good: end the process");
    }

    CLEANUP(txn_abortp) struct txn *txn = txn_new(store);
    txn->is_write                       = true;
    atomic_fetch_add(&store->writers, 1);
    while (atomic_load(&store->is_growing)) {
        atomic_fetch_sub(&store->writers, 1);
        store_wait_for_growth(store);
        atomic_fetch_add(&store->writers, 1);
    }
    TRY(store->ops->txn_start(txn, reterr));
    if (store->redo) redo_begin(store->redo);
    *ret_txn = TAKE(txn);
    return STATUS_OK;
}

/* Takes a transaction whose inner part has ended. */
static void txn_free(struct txn *txn)
{
    if (txn->is_write) {
        atomic_fetch_sub(&txn->store->writers, 1);
    } else {
        txn_unregister(txn);
    }
    free(txn);
}

static status commit(struct txn *txn, struct error *reterr)
{
    status code              = store_write_operation(txn->store, "commit", reterr);
    status planned           = txn->store->commit_fault;
    txn->store->commit_fault = STATUS_OK;
    if (code == STATUS_OK && planned != STATUS_OK) {
        code = fail(reterr, planned, "store: commit: failure injected by a test");
    }
    if (code == STATUS_OK && txn->failed_with != STATUS_OK) {
        code = fail(reterr, txn->failed_with, "store: commit: a write in it failed before");
    }
    if (code == STATUS_OK && txn->store->redo) code = redo_seal(txn, reterr);
    if (code == STATUS_OK) return txn->store->ops->txn_commit(txn, reterr);
    txn->store->ops->txn_abort(txn);
    return code;
}

status txn_commit(struct txn *txn, struct error *reterr)
{
    ASSERT(txn);
    ASSERT(txn->is_write);
    txn_detach_cursors(txn);
    status code = commit(txn, reterr);
    if (txn->store->redo) redo_end(txn->store->redo, code == STATUS_OK);
    if (code != STATUS_OK && code != STATUS_RESOURCE_EXHAUSTED) {
        atomic_store(&txn->store->is_failed, true);
    }
    txn_free(txn);
    return code;
}

void txn_abort(struct txn *txn)
{
    if (!txn) return;
    txn_detach_cursors(txn);
    if (txn->is_write && txn->store->redo) redo_end(txn->store->redo, false);
    txn->store->ops->txn_abort(txn);
    txn_free(txn);
}

void txn_abortp(struct txn **txn)
{
    txn_abort(*txn);
}

/* --- Reading and writing ---------------------------------------------------------------------- */

static void check_table(const struct txn *txn, unsigned table)
{
    ASSERT(txn);
    ASSERT(is_open(txn));
    ASSERT(table < txn->store->table_count);
}

static void check_key(bytes key)
{
    ASSERT(key.ptr);
    ASSERT(key.len > 0);
    ASSERT(key.len <= STORE_KEY_MAX);
}

status txn_get(struct txn *txn, unsigned table, bytes key, bytes *ret_value, struct error *reterr)
{
    check_table(txn, table);
    check_key(key);
    ASSERT(ret_value);
    TRY(store_operation(txn->store, "get", reterr));
    return txn->store->ops->get(txn, table, key, ret_value, reterr);
}

status txn_count(struct txn *txn, unsigned table, uint64_t *ret_count, struct error *reterr)
{
    check_table(txn, table);
    ASSERT(ret_count);
    TRY(store_operation(txn->store, "count", reterr));
    return txn->store->ops->count(txn, table, ret_count, reterr);
}

static bool is_harmless(status code)
{
    return code == STATUS_NOT_FOUND || code == STATUS_ALREADY_EXISTS ||
           code == STATUS_FAILED_PRECONDITION;
}

/* Notes a failure that left the transaction in an unknown state. */
static status after_write(struct txn *txn, status code)
{
    if (code == STATUS_OK) txn->writes++;
    if (code != STATUS_OK && !is_harmless(code)) txn->failed_with = code;
    return code;
}

/* A change was tried, and noted before: what it was made from may be gone by now. */
static status after_change(struct txn *txn, status code, struct error *reterr)
{
    if (txn->store->redo && code == STATUS_OK) code = redo_done(txn, reterr);
    if (txn->store->redo && is_harmless(code)) redo_undone(txn->store->redo);
    return after_write(txn, code);
}

/* Everything that writes begins here. */
static status before_write(struct txn *txn, const char *action, struct error *reterr)
{
    ASSERT(txn->is_write);
    if (txn->failed_with != STATUS_OK) {
        return fail(reterr, txn->failed_with,
                    "store: %s: a write in this transaction failed before", action);
    }
    return after_write(txn, store_write_operation(txn->store, action, reterr));
}

static status txn_write(struct txn *txn, unsigned table, bytes key, bytes value, enum txn_write how,
                        struct error *reterr)
{
    check_table(txn, table);
    check_key(key);
    if (value.len > STORE_VALUE_MAX) {
        return fail(reterr, STATUS_INVALID_ARGUMENT, "store: a value of %zu bytes; %d are allowed",
                    value.len, STORE_VALUE_MAX);
    }
    TRY(before_write(txn, "write", reterr));
    if (txn->store->redo) redo_note(txn, CHANGE_PUT, table, key, value);
    return after_change(txn, txn->store->ops->write(txn, table, key, value, how, reterr), reterr);
}

status txn_put(struct txn *txn, unsigned table, bytes key, bytes value, struct error *reterr)
{
    return txn_write(txn, table, key, value, TXN_PUT, reterr);
}

status txn_insert(struct txn *txn, unsigned table, bytes key, bytes value, struct error *reterr)
{
    return txn_write(txn, table, key, value, TXN_INSERT, reterr);
}

status txn_append(struct txn *txn, unsigned table, bytes key, bytes value, struct error *reterr)
{
    return txn_write(txn, table, key, value, TXN_APPEND, reterr);
}

status txn_delete(struct txn *txn, unsigned table, bytes key, struct error *reterr)
{
    check_table(txn, table);
    check_key(key);
    TRY(before_write(txn, "delete", reterr));
    if (txn->store->redo) redo_note(txn, CHANGE_DELETION, table, key, (bytes){});
    return after_change(txn, txn->store->ops->remove(txn, table, key, reterr), reterr);
}
