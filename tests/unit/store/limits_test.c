/* Full stores, and operations that fail, of either kind of store. */
#include "support/store/both_kinds.h"

static void full_store_recovers(struct fixture *f)
{
    static const char block[8192];
    bytes value     = {.ptr = block, .len = sizeof block};
    struct txn *txn = begin_write(f);
    status code     = STATUS_OK;
    for (uint64_t i = 0; code == STATUS_OK; i++) {
        assert_true(i < 1000);
        struct key_u64 key = key_of_u64(i);
        code               = txn_append(txn, TABLE_B, key_u64_bytes(&key), value, &f->error);
    }
    assert_int_equal(code, STATUS_RESOURCE_EXHAUSTED);
    assert_int_equal(txn_put(txn, TABLE_A, of("k"), of("v"), NULL), STATUS_RESOURCE_EXHAUSTED);
    assert_int_equal(txn_commit(txn, NULL), STATUS_RESOURCE_EXHAUSTED);
    assert_false(store_is_failed(f->store));

    assert_int_equal(store_grow(f->store, SIZE_MAX_BYTES, &f->error), STATUS_INVALID_ARGUMENT);
    struct txn *reader = begin_read(f);
    assert_int_equal(store_grow(f->store, 2 * SIZE_MAX_BYTES, &f->error),
                     STATUS_FAILED_PRECONDITION);
    txn_reset(reader);
    txn = begin_write(f);
    assert_int_equal(store_grow(f->store, 2 * SIZE_MAX_BYTES, &f->error),
                     STATUS_FAILED_PRECONDITION);
    txn_abort(txn);
    assert_int_equal(store_grow(f->store, 2 * SIZE_MAX_BYTES, &f->error), STATUS_OK);

    txn = begin_write(f);
    for (uint64_t i = 0; i < SIZE_MAX_BYTES / sizeof block; i++) {
        struct key_u64 key = key_of_u64(i);
        assert_int_equal(txn_append(txn, TABLE_B, key_u64_bytes(&key), value, &f->error),
                         STATUS_OK);
    }
    commit(f, txn);
    assert_int_equal(txn_renew(reader, &f->error), STATUS_OK);
    uint64_t count = 0;
    assert_int_equal(txn_count(reader, TABLE_B, &count, &f->error), STATUS_OK);
    assert_int_equal(count, SIZE_MAX_BYTES / sizeof block);
    txn_abort(reader);
}

static void fill_falls_after_deletions(struct fixture *f)
{
    static const char block[4000];
    struct store_fill empty;
    struct store_fill full;
    struct store_fill after;
    assert_int_equal(store_fill(f->store, &empty, &f->error), STATUS_OK);
    assert_int_equal(empty.size_bytes, SIZE_MAX_BYTES);
    struct txn *txn = begin_write(f);
    for (uint64_t i = 0; i < 100; i++) {
        struct key_u64 key = key_of_u64(i);
        bytes value        = {.ptr = block, .len = sizeof block};
        assert_int_equal(txn_append(txn, TABLE_A, key_u64_bytes(&key), value, NULL), STATUS_OK);
    }
    commit(f, txn);
    assert_int_equal(store_fill(f->store, &full, &f->error), STATUS_OK);
    assert_true(full.used_bytes >= empty.used_bytes + 100 * sizeof block);
    assert_int_equal(full.percent, full.used_bytes * 100 / SIZE_MAX_BYTES);

    txn = begin_write(f);
    for (uint64_t i = 0; i < 100; i++) {
        struct key_u64 key = key_of_u64(i);
        assert_int_equal(txn_delete(txn, TABLE_A, key_u64_bytes(&key), NULL), STATUS_OK);
    }
    commit(f, txn);
    assert_int_equal(store_fill(f->store, &after, &f->error), STATUS_OK);
    assert_true(after.used_bytes < full.used_bytes - 90 * sizeof block);
}

/* A little of everything; every step may fail. */
static status everything(struct store *store, struct error *reterr)
{
    CLEANUP(txn_abortp) struct txn *txn = NULL;
    TRY(txn_begin_write(store, &txn, reterr));
    TRY(txn_put(txn, TABLE_A, of("a"), of("1"), reterr));
    TRY(txn_put(txn, TABLE_A, of("b"), of("1"), reterr));
    uint64_t count = 0;
    TRY(txn_count(txn, TABLE_A, &count, reterr));
    bytes key;
    bytes value;
    TRY(txn_last(txn, TABLE_A, &key, &value, reterr));
    CLEANUP(cursor_closep) struct cursor *cursor = NULL;
    TRY(cursor_open(txn, TABLE_A, &(struct scan){}, &cursor, reterr));
    TRY(cursor_next(cursor, &key, &value, reterr));
    TRY(cursor_delete(cursor, reterr));
    TRY(txn_commit(TAKE(txn), reterr));

    CLEANUP(txn_abortp) struct txn *reader = NULL;
    TRY(txn_begin_read(store, &reader, reterr));
    txn_reset(reader);
    TRY(txn_renew(reader, reterr));
    return txn_get(reader, TABLE_A, of("b"), &value, reterr);
}

static void nth_operation_fails(struct fixture *f)
{
    unsigned failures = 0;
    for (uint64_t nth = 1;; nth++) {
        assert_true(nth < 100);
        store_fault_at(f->store, nth, STATUS_RESOURCE_EXHAUSTED);
        status code = everything(f->store, &f->error);
        if (store_fault_is_pending(f->store)) {
            assert_int_equal(code, STATUS_OK);
            break;
        }
        assert_int_equal(code, STATUS_RESOURCE_EXHAUSTED);
        assert_false(store_is_failed(f->store));
        failures++;
    }
    assert_int_equal(failures, 13);
    store_fault_at(f->store, 0, STATUS_OK);
    assert_int_equal(everything(f->store, &f->error), STATUS_OK);
}

static void failed_commit_is_final(struct fixture *f)
{
    fill(f, "a");
    struct txn *txn = begin_write(f);
    put(f, txn, "a", "lost");
    store_fault_at(f->store, 1, STATUS_UNAVAILABLE);
    assert_int_equal(txn_commit(txn, &f->error), STATUS_UNAVAILABLE);
    assert_true(store_is_failed(f->store));
    assert_int_equal(txn_begin_write(f->store, &txn, &f->error), STATUS_UNAVAILABLE);
    txn = begin_read(f);
    expect_entry(txn, "a", "a");
    txn_abort(txn);
}

static const struct row rows[] = {
    {"full_store_recovers", full_store_recovers},
    {"fill_falls_after_deletions", fill_falls_after_deletions},
    {"nth_operation_fails", nth_operation_fails},
    {"failed_commit_is_final", failed_commit_is_final},
};

int main(void)
{
    return run_rows(rows, ARRAY_LEN(rows));
}
