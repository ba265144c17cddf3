/*
 * The front of a store: what does not depend on its kind.
 *
 * Growing the map must not meet an open transaction (LMDB would move the memory under it), yet
 * readers must stay as cheap as a store to their own memory. So the two sides shake hands: a reader
 * first writes that it reads, then looks whether the map grows; growing first says so, then looks
 * for readers. Both orders are sequentially consistent, so one of the two always sees the other.
 */
#include "store/store.h"

#include "base/assert.h"
#include "base/clock.h"
#include "store/fault.h"
#include "store/redo_internal.h"
#include "store/store_internal.h"

static void lock(struct store *store)
{
    int rc = pthread_mutex_lock(&store->mutex);
    ASSERT(rc == 0);
}

static void unlock(struct store *store)
{
    int rc = pthread_mutex_unlock(&store->mutex);
    ASSERT(rc == 0);
}

static unsigned count_tables(const char *const *tables)
{
    unsigned count = 0;
    while (tables[count]) {
        count++;
        ASSERT(count <= STORE_TABLES_MAX);
    }
    return count;
}

void store_init(struct store *store, const struct store_ops *ops, const char *const *tables)
{
    store->ops         = ops;
    store->table_names = tables;
    store->table_count = count_tables(tables);
    int rc             = pthread_mutex_init(&store->mutex, NULL);
    ASSERT(rc == 0);
}

void store_done(struct store *store)
{
    ASSERT(!store->readers);
    ASSERT(atomic_load(&store->writers) == 0);
    redo_free(store->redo);
    int rc = pthread_mutex_destroy(&store->mutex);
    ASSERT(rc == 0);
}

void store_close(struct store *store)
{
    if (store) store->ops->close(store);
}

void store_closep(struct store **store)
{
    store_close(*store);
}

const char *store_kind(const struct store *store)
{
    return store->ops->kind;
}

void txn_register(struct txn *txn)
{
    struct store *store = txn->store;
    lock(store);
    txn->next = store->readers;
    if (txn->next) txn->next->prev = txn;
    store->readers = txn;
    unlock(store);
}

void txn_unregister(struct txn *txn)
{
    struct store *store = txn->store;
    lock(store);
    if (txn->next) txn->next->prev = txn->prev;
    if (txn->prev) {
        txn->prev->next = txn->next;
    } else {
        store->readers = txn->next;
    }
    unlock(store);
}

void store_wait_for_growth(struct store *store)
{
    lock(store); /* store_grow() holds it throughout */
    unlock(store);
}

bool store_is_failed(const struct store *store)
{
    return atomic_load(&store->is_failed);
}

status store_fill(struct store *store, struct store_fill *ret_fill, struct error *reterr)
{
    ASSERT(ret_fill);
    struct store_fill fill = {};
    TRY(store->ops->fill(store, &fill, reterr));
    fill.percent = (unsigned)(fill.used_bytes * 100 / fill.size_bytes);
    *ret_fill    = fill;
    return STATUS_OK;
}

/* The caller holds the mutex and has announced that the map grows. */
static bool is_in_use(struct store *store)
{
    if (atomic_load(&store->writers) > 0) return true;
    for (struct txn *txn = store->readers; txn; txn = txn->next) {
        if (atomic_load(&txn->begun_ms) != 0) return true;
    }
    return false;
}

status store_grow(struct store *store, uint64_t size_max, struct error *reterr)
{
    lock(store);
    atomic_store(&store->is_growing, true);
    status code = is_in_use(store)
                      ? fail(reterr, STATUS_FAILED_PRECONDITION,
                             "store: grow: a transaction is open; end it and call again")
                      : store->ops->grow(store, size_max, reterr);
    atomic_store(&store->is_growing, false);
    unlock(store);
    return code;
}

status store_check_readers(struct store *store, unsigned *ret_dead, struct error *reterr)
{
    ASSERT(ret_dead);
    return store->ops->check_readers(store, ret_dead, reterr);
}

int64_t store_reader_age_ms(struct store *store, int64_t now_ms)
{
    int64_t age_ms = 0;
    lock(store);
    for (struct txn *txn = store->readers; txn; txn = txn->next) {
        int64_t begun_ms = atomic_load(&txn->begun_ms);
        if (begun_ms != 0 && now_ms - begun_ms > age_ms) age_ms = now_ms - begun_ms;
    }
    unlock(store);
    return age_ms;
}

status store_backup(struct store *store, const char *folder, const struct backup_listener *listener,
                    struct backup_info *ret_info, struct error *reterr)
{
    ASSERT(folder);
    ASSERT(ret_info);
    return store->ops->backup(store, folder, listener, ret_info, reterr);
}

/* --- Failures on demand ----------------------------------------------------------------------- */

void store_fault_at(struct store *store, uint64_t nth, status code)
{
    ASSERT(nth == 0 || code != STATUS_OK);
    store->fault_left      = nth;
    store->fault_code      = code;
    store->fault_of_writes = false;
}

void store_fault_write_at(struct store *store, uint64_t nth, status code)
{
    store_fault_at(store, nth, code);
    store->fault_of_writes = true;
}

void store_fault_at_commit(struct store *store, status code)
{
    store->commit_fault = code;
}

bool store_fault_is_pending(const struct store *store)
{
    return store->fault_left > 0;
}

void store_revive(struct store *store)
{
    ASSERT(atomic_load(&store->writers) == 0);
    redo_free(store->redo);
    store->fault_left   = 0;
    store->commit_fault = STATUS_OK;
    atomic_store(&store->is_failed, false);
}

status store_write_operation(struct store *store, const char *action, struct error *reterr)
{
    if (store->fault_left == 0) return STATUS_OK;
    store->fault_left--;
    if (store->fault_left > 0) return STATUS_OK;
    return fail(reterr, store->fault_code, "store: %s: failure injected by a test", action);
}

status store_operation(struct store *store, const char *action, struct error *reterr)
{
    if (store->fault_of_writes) return STATUS_OK;
    return store_write_operation(store, action, reterr);
}
