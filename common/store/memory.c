/*
 * The kind of store that forgets: for tests, which want speed, and for the simulator, which wants
 * no disk, no threads and no time. It behaves like the other kind in all that store.h promises but
 * durability, and is stricter in one point: a view that is used too long is a use after free.
 */
#include "base/assert.h"
#include "base/mem.h"
#include "store/memory_tree_internal.h"
#include "store/store.h"
#include "store/store_internal.h"

#include <pthread.h>
#include <stdlib.h>

struct memory_store {
    struct store common;       /* first */
    pthread_mutex_t writing;   /* held by the writing transaction */
    pthread_mutex_t committed; /* guards all below, for the moment of taking or giving a snapshot */
    uint64_t size_max;         /* bytes */
    uint64_t used;             /* bytes of keys and values */
    struct tree *tables[STORE_TABLES_MAX];
};

struct memory_txn {
    struct txn common; /* first */
    bool is_started;
    uint64_t used;
    struct tree *tables[STORE_TABLES_MAX];
};

static struct memory_store *memory_of(struct store *store)
{
    return (struct memory_store *)store;
}

static struct memory_txn *txn_of(struct txn *txn)
{
    return (struct memory_txn *)txn;
}

static void lock(pthread_mutex_t *mutex)
{
    int rc = pthread_mutex_lock(mutex);
    ASSERT(rc == 0);
}

static void unlock(pthread_mutex_t *mutex)
{
    int rc = pthread_mutex_unlock(mutex);
    ASSERT(rc == 0);
}

/* --- Transactions ----------------------------------------------------------------------------- */

static status memory_txn_start(struct txn *txn, struct error *)
{
    struct memory_store *store = memory_of(txn->store);
    struct memory_txn *memory  = txn_of(txn);
    if (txn->is_write) lock(&store->writing);
    lock(&store->committed);
    for (unsigned i = 0; i < txn->store->table_count; i++) {
        memory->tables[i] = tree_ref(store->tables[i]);
    }
    memory->used = store->used;
    unlock(&store->committed);
    memory->is_started = true;
    return STATUS_OK;
}

static void memory_txn_stop(struct txn *txn)
{
    struct memory_txn *memory = txn_of(txn);
    if (!memory->is_started) return;
    for (unsigned i = 0; i < txn->store->table_count; i++) tree_unref(memory->tables[i]);
    memory->is_started = false;
    if (txn->is_write) unlock(&memory_of(txn->store)->writing);
}

/* Swaps the committed tables for ours; ending the transaction then drops the old ones. */
static status memory_txn_commit(struct txn *txn, struct error *)
{
    struct memory_store *store = memory_of(txn->store);
    struct memory_txn *memory  = txn_of(txn);
    lock(&store->committed);
    for (unsigned i = 0; i < txn->store->table_count; i++) {
        struct tree *old  = store->tables[i];
        store->tables[i]  = memory->tables[i];
        memory->tables[i] = old;
    }
    store->used = memory->used;
    unlock(&store->committed);
    memory_txn_stop(txn);
    return STATUS_OK;
}

/* --- Entries ---------------------------------------------------------------------------------- */

static status memory_get(struct txn *txn, unsigned table, bytes key, bytes *ret_value,
                         struct error *reterr)
{
    const struct tree *tree = txn_of(txn)->tables[table];
    struct tree_place place;
    if (!tree_find(tree, key, &place)) {
        return fail(reterr, STATUS_NOT_FOUND, "store: get: no such key");
    }
    bytes found;
    bool is_there = tree_at(tree, place, &found, ret_value);
    ASSERT(is_there);
    return STATUS_OK;
}

static status check_append(struct txn *txn, unsigned table, const struct tree *tree,
                           struct tree_place place, struct error *reterr)
{
    bytes next_key;
    bytes next_value;
    if (!tree_at(tree, place, &next_key, &next_value)) return STATUS_OK;
    return fail(reterr, STATUS_FAILED_PRECONDITION,
                "store: append to %s: the key is not behind the last one",
                txn->store->table_names[table]);
}

static status memory_write(struct txn *txn, unsigned table, bytes key, bytes value,
                           enum txn_write how, struct error *reterr)
{
    struct memory_txn *memory = txn_of(txn);
    const struct tree *tree   = memory->tables[table];
    struct tree_place place;
    bool is_there = tree_find(tree, key, &place);
    if (is_there && how == TXN_INSERT) {
        return fail(reterr, STATUS_ALREADY_EXISTS, "store: write: the key exists");
    }
    if (how == TXN_APPEND) TRY(check_append(txn, table, tree, place, reterr));

    bytes old_key   = {};
    bytes old_value = {};
    if (is_there) (void)tree_at(tree, place, &old_key, &old_value);
    uint64_t used = memory->used - old_key.len - old_value.len + key.len + value.len;
    if (used > memory_of(txn->store)->size_max) {
        return fail(reterr, STATUS_RESOURCE_EXHAUSTED, "store: write: the store is full");
    }
    memory->used = used;
    tree_put(&memory->tables[table], key, value);
    return STATUS_OK;
}

static status memory_remove(struct txn *txn, unsigned table, bytes key, struct error *reterr)
{
    struct memory_txn *memory = txn_of(txn);
    bytes value;
    TRY(memory_get(txn, table, key, &value, reterr));
    memory->used -= key.len + value.len;
    tree_remove(&memory->tables[table], key);
    return STATUS_OK;
}

static status memory_count(struct txn *txn, unsigned table, uint64_t *ret_count, struct error *)
{
    *ret_count = tree_count(txn_of(txn)->tables[table]);
    return STATUS_OK;
}

/* --- Cursors: they have no place, only a key -------------------------------------------------- */

static status memory_cursor_start(struct cursor *, struct error *)
{
    return STATUS_OK;
}

static void memory_cursor_stop(struct cursor *)
{
}

static const struct tree *tree_under(struct cursor *cursor)
{
    return txn_of(cursor->txn)->tables[cursor->table];
}

static status memory_seek(struct cursor *cursor, bytes key, bytes *ret_key, bytes *ret_value,
                          struct error *reterr)
{
    struct tree_place place;
    (void)tree_find(tree_under(cursor), key, &place);
    if (tree_at(tree_under(cursor), place, ret_key, ret_value)) return STATUS_OK;
    return fail(reterr, STATUS_NOT_FOUND, "store: cursor: no such key");
}

static status memory_seek_before(struct cursor *cursor, bytes key, bytes *ret_key, bytes *ret_value,
                                 struct error *reterr)
{
    static const uint8_t behind_all[STORE_KEY_MAX + 1] = {[0 ... STORE_KEY_MAX] = 0xff};
    if (key.len == 0) key = (bytes){.ptr = behind_all, .len = sizeof behind_all};
    struct tree_place place;
    (void)tree_find(tree_under(cursor), key, &place);
    if (tree_before(tree_under(cursor), &place) &&
        tree_at(tree_under(cursor), place, ret_key, ret_value)) {
        return STATUS_OK;
    }
    return fail(reterr, STATUS_NOT_FOUND, "store: cursor: no such key");
}

/* --- Care, opening, closing ------------------------------------------------------------------- */

static status memory_fill(struct store *store, struct store_fill *ret_fill, struct error *)
{
    struct memory_store *memory = memory_of(store);
    lock(&memory->committed);
    ret_fill->used_bytes = memory->used;
    ret_fill->size_bytes = memory->size_max;
    unlock(&memory->committed);
    return STATUS_OK;
}

static status memory_grow(struct store *store, uint64_t size_max, struct error *reterr)
{
    struct memory_store *memory = memory_of(store);
    if (size_max <= memory->size_max) {
        return fail(reterr, STATUS_INVALID_ARGUMENT, "store: grow: not greater than before");
    }
    memory->size_max = size_max;
    return STATUS_OK;
}

static status memory_check_readers(struct store *, unsigned *ret_dead, struct error *)
{
    *ret_dead = 0;
    return STATUS_OK;
}

static status memory_backup(struct store *, const char *, const struct backup_listener *,
                            struct backup_info *, struct error *reterr)
{
    return fail(reterr, STATUS_UNIMPLEMENTED, "backup: a store in memory has nothing to copy");
}

static void memory_close(struct store *store)
{
    struct memory_store *memory = memory_of(store);
    store_done(store);
    for (unsigned i = 0; i < store->table_count; i++) tree_unref(memory->tables[i]);
    (void)pthread_mutex_destroy(&memory->writing);
    (void)pthread_mutex_destroy(&memory->committed);
    free(memory);
}

static const struct store_ops memory_ops = {
    .kind          = "memory (nothing is durable)",
    .close         = memory_close,
    .fill          = memory_fill,
    .grow          = memory_grow,
    .check_readers = memory_check_readers,
    .backup        = memory_backup,
    .txn_size      = sizeof(struct memory_txn),
    .txn_start     = memory_txn_start,
    .txn_stop      = memory_txn_stop,
    .txn_commit    = memory_txn_commit,
    .txn_abort     = memory_txn_stop,
    .get           = memory_get,
    .write         = memory_write,
    .remove        = memory_remove,
    .count         = memory_count,
    .cursor_size   = sizeof(struct cursor),
    .cursor_start  = memory_cursor_start,
    .cursor_stop   = memory_cursor_stop,
    .seek          = memory_seek,
    .seek_before   = memory_seek_before,
    .step          = NULL,
};

struct store *store_open_memory(const struct store_options *options)
{
    ASSERT(options);
    ASSERT(options->size_max > 0);
    struct memory_store *memory = mem_new(1, sizeof *memory);
    store_init(&memory->common, &memory_ops, options->tables);
    int rc = pthread_mutex_init(&memory->writing, NULL);
    ASSERT(rc == 0);
    rc = pthread_mutex_init(&memory->committed, NULL);
    ASSERT(rc == 0);
    memory->size_max = options->size_max;
    for (unsigned i = 0; i < memory->common.table_count; i++) memory->tables[i] = tree_new();
    return &memory->common;
}
