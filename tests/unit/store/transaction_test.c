/* Transactions: what store.h promises of either kind of store. */
#include "support/store/both_kinds.h"

static void commit_shows_changes(struct fixture *f)
{
    struct txn *txn = begin_write(f);
    put(f, txn, "k", "1");
    expect_entry(txn, "k", "1");
    put(f, txn, "k", "longer");
    put(f, txn, "empty", "");
    commit(f, txn);

    txn = begin_read(f);
    expect_entry(txn, "k", "longer");
    expect_entry(txn, "empty", "");
    expect_entry(txn, "none", NULL);
    bytes value;
    assert_int_equal(txn_get(txn, TABLE_B, of("k"), &value, NULL), STATUS_NOT_FOUND);
    txn_abort(txn);
}

static void abort_drops_changes(struct fixture *f)
{
    fill(f, "a");
    struct txn *txn = begin_write(f);
    put(f, txn, "a", "changed");
    put(f, txn, "b", "new");
    txn_abort(txn);

    txn = begin_write(f);
    expect_entry(txn, "a", "a");
    expect_entry(txn, "b", NULL);
    assert_int_equal(txn_delete(txn, TABLE_A, of("a"), NULL), STATUS_OK);
    txn_abort(txn);

    txn = begin_read(f);
    expect_entry(txn, "a", "a");
    txn_abort(txn);
    txn_abort(NULL);
}

static void insert_keeps_what_is_there(struct fixture *f)
{
    struct txn *txn = begin_write(f);
    assert_int_equal(txn_insert(txn, TABLE_A, of("k"), of("1"), &f->error), STATUS_OK);
    assert_int_equal(txn_insert(txn, TABLE_A, of("k"), of("2"), &f->error), STATUS_ALREADY_EXISTS);
    expect_entry(txn, "k", "1");
    put(f, txn, "still", "usable");
    commit(f, txn);
}

static void append_wants_growing_keys(struct fixture *f)
{
    struct txn *txn = begin_write(f);
    assert_int_equal(txn_append(txn, TABLE_A, of("b"), of("1"), &f->error), STATUS_OK);
    assert_int_equal(txn_append(txn, TABLE_A, of("b"), of("2"), &f->error),
                     STATUS_FAILED_PRECONDITION);
    assert_int_equal(txn_append(txn, TABLE_A, of("a"), of("2"), &f->error),
                     STATUS_FAILED_PRECONDITION);
    assert_int_equal(txn_append(txn, TABLE_A, of("bb"), of("3"), &f->error), STATUS_OK);
    commit(f, txn);

    txn = begin_read(f);
    expect_scan(txn, &(struct scan){}, "b bb");
    expect_entry(txn, "b", "1");
    txn_abort(txn);
}

static void delete_says_what_was_not_there(struct fixture *f)
{
    fill(f, "abc");
    struct txn *txn = begin_write(f);
    assert_int_equal(txn_delete(txn, TABLE_A, of("b"), &f->error), STATUS_OK);
    assert_int_equal(txn_delete(txn, TABLE_A, of("b"), &f->error), STATUS_NOT_FOUND);
    commit(f, txn);
    txn = begin_read(f);
    expect_scan(txn, &(struct scan){}, "a c");
    txn_abort(txn);
}

static void count_and_last_follow(struct fixture *f)
{
    struct txn *txn = begin_write(f);
    uint64_t count  = 99;
    bytes key;
    bytes value;
    assert_int_equal(txn_count(txn, TABLE_A, &count, &f->error), STATUS_OK);
    assert_int_equal(count, 0);
    assert_int_equal(txn_last(txn, TABLE_A, &key, &value, &f->error), STATUS_NOT_FOUND);
    put(f, txn, "m", "1");
    put(f, txn, "z", "2");
    put(f, txn, "a", "3");
    assert_int_equal(txn_count(txn, TABLE_A, &count, &f->error), STATUS_OK);
    assert_int_equal(count, 3);
    assert_int_equal(txn_last(txn, TABLE_A, &key, &value, &f->error), STATUS_OK);
    assert_memory_equal(key.ptr, "z", 1);
    assert_memory_equal(value.ptr, "2", 1);
    commit(f, txn);
}

static void keys_and_values_reach_their_limits(struct fixture *f)
{
    char key[STORE_KEY_MAX];
    memset(key, 'k', sizeof key);
    bytes longest   = {.ptr = key, .len = sizeof key};
    struct txn *txn = begin_write(f);
    assert_int_equal(txn_put(txn, TABLE_A, longest, of("v"), &f->error), STATUS_OK);
    bytes value = {.ptr = key, .len = STORE_VALUE_MAX + (size_t)1};
    assert_int_equal(txn_put(txn, TABLE_A, of("k"), value, &f->error), STATUS_INVALID_ARGUMENT);

    /* A page can end at the longest key, and the next one begins right behind it. */
    put(f, txn, "l", "after");
    expect_scan(txn, &(struct scan){.after = longest}, "l");
    expect_scan(txn, &(struct scan){.after = longest, .backward = true}, "");
    commit(f, txn);
}

static void reader_keeps_its_snapshot(struct fixture *f)
{
    fill(f, "a");
    struct txn *reader = begin_read(f);
    struct txn *txn    = begin_write(f);
    put(f, txn, "a", "changed");
    put(f, txn, "b", "b");
    commit(f, txn);
    expect_entry(reader, "a", "a");
    expect_entry(reader, "b", NULL);

    txn_reset(reader);
    txn_reset(reader);
    assert_int_equal(txn_renew(reader, &f->error), STATUS_OK);
    expect_entry(reader, "a", "changed");
    expect_entry(reader, "b", "b");
    txn_abort(reader);
}

static void age_is_that_of_the_oldest_reader(struct fixture *f)
{
    enum { FAR = 1'000'000'000 };
    assert_int_equal(store_reader_age_ms(f->store, INT64_MAX), 0);
    struct txn *reader = begin_read(f);
    int64_t age_ms     = store_reader_age_ms(f->store, INT64_MAX);
    assert_true(age_ms > FAR);
    txn_reset(reader);
    assert_int_equal(store_reader_age_ms(f->store, INT64_MAX), 0);
    assert_int_equal(txn_renew(reader, &f->error), STATUS_OK);
    assert_true(store_reader_age_ms(f->store, INT64_MAX) <= age_ms);
    txn_abort(reader);
    unsigned dead = 99;
    assert_int_equal(store_check_readers(f->store, &dead, &f->error), STATUS_OK);
    assert_int_equal(dead, 0);
}

static const struct row rows[] = {
    {"commit_shows_changes", commit_shows_changes},
    {"abort_drops_changes", abort_drops_changes},
    {"insert_keeps_what_is_there", insert_keeps_what_is_there},
    {"append_wants_growing_keys", append_wants_growing_keys},
    {"delete_says_what_was_not_there", delete_says_what_was_not_there},
    {"count_and_last_follow", count_and_last_follow},
    {"keys_and_values_reach_their_limits", keys_and_values_reach_their_limits},
    {"reader_keeps_its_snapshot", reader_keeps_its_snapshot},
    {"age_is_that_of_the_oldest_reader", age_is_that_of_the_oldest_reader},
};

int main(void)
{
    return run_rows(rows, ARRAY_LEN(rows));
}
