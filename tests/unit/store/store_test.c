/* One table of cases for both kinds of store: what store.h promises of either. */
#include "store/store.h"

#include "cmocka.h"

#include "base/buf.h"
#include "store/fault.h"
#include "store/key.h"
#include "support/folder.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

enum { TABLE_A, TABLE_B, TABLE_COUNT };
static const char *const tables[] = {"a", "b", NULL};
enum { SIZE_MAX_BYTES = 1 << 20 };

struct fixture {
    struct folder folder;
    struct store *store;
    struct error error;
};

typedef void (*case_fn)(struct fixture *fixture);

/* --- Shorthands ------------------------------------------------------------------------------- */

static bytes of(const char *text)
{
    return bytes_from(str_from(text));
}

static void put(struct fixture *f, struct txn *txn, const char *key, const char *value)
{
    assert_int_equal(txn_put(txn, TABLE_A, of(key), of(value), &f->error), STATUS_OK);
}

static struct txn *begin_write(struct fixture *f)
{
    struct txn *txn = NULL;
    assert_int_equal(txn_begin_write(f->store, &txn, &f->error), STATUS_OK);
    return txn;
}

static struct txn *begin_read(struct fixture *f)
{
    struct txn *txn = NULL;
    assert_int_equal(txn_begin_read(f->store, &txn, &f->error), STATUS_OK);
    return txn;
}

static void commit(struct fixture *f, struct txn *txn)
{
    assert_int_equal(txn_commit(txn, &f->error), STATUS_OK);
}

/* Commits one entry per letter of `keys`, each with its key as value. */
static void fill(struct fixture *f, const char *keys)
{
    struct txn *txn = begin_write(f);
    for (const char *key = keys; *key; key++) {
        bytes one = {.ptr = key, .len = 1};
        assert_int_equal(txn_put(txn, TABLE_A, one, one, &f->error), STATUS_OK);
    }
    commit(f, txn);
}

static void expect_entry(struct txn *txn, const char *key, const char *value)
{
    bytes found = {};
    if (!value) {
        assert_int_equal(txn_get(txn, TABLE_A, of(key), &found, NULL), STATUS_NOT_FOUND);
        return;
    }
    assert_int_equal(txn_get(txn, TABLE_A, of(key), &found, NULL), STATUS_OK);
    assert_int_equal(found.len, strlen(value));
    assert_memory_equal(found.ptr, value, found.len);
}

/* The keys of a scan, joined by spaces. */
static void expect_scan(struct txn *txn, const struct scan *scan, const char *expected)
{
    CLEANUP(cursor_closep) struct cursor *cursor = NULL;
    assert_int_equal(cursor_open(txn, TABLE_A, scan, &cursor, NULL), STATUS_OK);
    char joined[256] = "";
    size_t len       = 0;
    bytes key;
    bytes value;
    status code = STATUS_OK;
    while ((code = cursor_next(cursor, &key, &value, NULL)) == STATUS_OK) {
        len += (size_t)snprintf(joined + len, sizeof joined - len, "%s%.*s", len ? " " : "",
                                (int)key.len, (const char *)key.ptr);
    }
    assert_int_equal(code, STATUS_NOT_FOUND);
    assert_int_equal(cursor_next(cursor, &key, &value, NULL), STATUS_NOT_FOUND);
    assert_string_equal(joined, expected);
}

/* --- Transactions ----------------------------------------------------------------------------- */

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

/* --- Scans ------------------------------------------------------------------------------------ */

static void scans_keep_their_bounds(struct fixture *f)
{
    struct txn *txn          = begin_write(f);
    const char *const keys[] = {"a", "b", "ba", "bb", "b\xff", "c", "\xff", "\xff\xff"};
    for (size_t i = 0; i < ARRAY_LEN(keys); i++) put(f, txn, keys[i], "");
    commit(f, txn);

    const struct {
        struct scan scan;
        const char *expected;
    } rows[] = {
        {{}, "a b ba bb b\xff c \xff \xff\xff"},
        {{.backward = true}, "\xff\xff \xff c b\xff bb ba b a"},
        {{.prefix = of("b")}, "b ba bb b\xff"},
        {{.prefix = of("b"), .backward = true}, "b\xff bb ba b"},
        {{.prefix = of("\xff")}, "\xff \xff\xff"},
        {{.prefix = of("\xff"), .backward = true}, "\xff\xff \xff"},
        {{.prefix = of("b\xff")}, "b\xff"},
        {{.prefix = of("x")}, ""},
        {{.prefix = of("x"), .backward = true}, ""},
        {{.from = of("bb")}, "bb b\xff c \xff \xff\xff"},
        {{.from = of("aa"), .until = of("bb")}, "b ba"},
        {{.from = of("aa"), .until = of("bb"), .backward = true}, "ba b"},
        {{.from = of("c"), .until = of("a")}, ""},
        {{.until = of("a")}, ""},
        {{.until = of("a"), .backward = true}, ""},
        {{.prefix = of("b"), .from = of("ba"), .until = of("z")}, "ba bb b\xff"},
        {{.prefix = of("b"), .after = of("ba")}, "bb b\xff"},
        {{.prefix = of("b"), .after = of("ba"), .backward = true}, "b"},
        {{.after = of("aaa")}, "b ba bb b\xff c \xff \xff\xff"},
        {{.after = of("\xff\xff")}, ""},
    };
    txn = begin_read(f);
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) expect_scan(txn, &rows[i].scan, rows[i].expected);
    txn_abort(txn);
    txn = begin_write(f);
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) expect_scan(txn, &rows[i].scan, rows[i].expected);
    txn_abort(txn);
}

static void scan_of_nothing_is_empty(struct fixture *f)
{
    struct txn *txn = begin_read(f);
    expect_scan(txn, &(struct scan){}, "");
    expect_scan(txn, &(struct scan){.backward = true}, "");
    expect_scan(txn, &(struct scan){.from = of("a"), .backward = true, .until = of("b")}, "");
    txn_abort(txn);
}

static void expect_next(struct cursor *cursor, const char *expected)
{
    bytes key;
    bytes value;
    if (!expected) {
        assert_int_equal(cursor_next(cursor, &key, &value, NULL), STATUS_NOT_FOUND);
        return;
    }
    assert_int_equal(cursor_next(cursor, &key, &value, NULL), STATUS_OK);
    assert_int_equal(key.len, strlen(expected));
    assert_memory_equal(key.ptr, expected, key.len);
}

static void cursor_goes_on_after_writes(struct fixture *f)
{
    fill(f, "bdf");
    struct txn *txn                              = begin_write(f);
    CLEANUP(cursor_closep) struct cursor *cursor = NULL;
    const struct scan all                        = {};
    assert_int_equal(cursor_open(txn, TABLE_A, &all, &cursor, &f->error), STATUS_OK);
    expect_next(cursor, "b");
    put(f, txn, "a", "behind us");
    put(f, txn, "c", "before us");
    expect_next(cursor, "c");
    assert_int_equal(cursor_delete(cursor, &f->error), STATUS_OK);
    assert_int_equal(txn_delete(txn, TABLE_A, of("d"), &f->error), STATUS_OK);
    expect_next(cursor, "f");
    expect_next(cursor, NULL);
    txn_abort(txn);

    txn                                           = begin_write(f);
    CLEANUP(cursor_closep) struct cursor *reverse = NULL;
    const struct scan backward                    = {.backward = true};
    assert_int_equal(cursor_open(txn, TABLE_A, &backward, &reverse, &f->error), STATUS_OK);
    expect_next(reverse, "f");
    assert_int_equal(cursor_delete(reverse, &f->error), STATUS_OK);
    put(f, txn, "e", "");
    expect_next(reverse, "e");
    expect_next(reverse, "d");
    txn_abort(txn); /* ends the cursor; closing it later is fine */
}

static status collect(bytes key, bytes, struct error *reterr, void *context)
{
    struct buf *joined = context;
    if (memcmp(key.ptr, "!", 1) == 0) return fail(reterr, STATUS_CANCELLED, "stop");
    assert_true(buf_put(joined, key.ptr, key.len));
    return STATUS_OK;
}

static void pages_go_on_where_they_ended(struct fixture *f)
{
    fill(f, "abcde");
    for (int backward = 0; backward < 2; backward++) {
        const struct scan scan              = {.backward = backward};
        struct page page                    = {};
        CLEANUP(buf_done) struct buf joined = buf_init(16);
        for (unsigned round = 0; round < 3; round++) {
            struct txn *txn = begin_read(f);
            assert_int_equal(txn_page(txn, TABLE_A, &scan, 2, &page, collect, &joined, &f->error),
                             STATUS_OK);
            assert_int_equal(page.has_more, round < 2);
            txn_abort(txn);
            assert_true(buf_put_byte(&joined, '|'));
        }
        assert_string_equal(joined.ptr, backward ? "ed|cb|a|" : "ab|cd|e|");
    }
    fill(f, "!");
    struct page page                    = {};
    CLEANUP(buf_done) struct buf joined = buf_init(16);
    struct txn *txn                     = begin_read(f);
    assert_int_equal(
        txn_page(txn, TABLE_A, &(struct scan){}, 2, &page, collect, &joined, &f->error),
        STATUS_CANCELLED);
    assert_int_equal(page.key_len, 0);
    txn_abort(txn);
}

/* Every operation against an array that says what should be there. */
static void agrees_with_a_model(struct fixture *f)
{
    enum { KEYS = 600, ROUNDS = 40, STEPS = 100 };
    bool model[KEYS] = {};
    uint32_t seed    = 1;
    for (int round = 0; round < ROUNDS; round++) {
        struct txn *txn = begin_write(f);
        bool next[KEYS];
        memcpy(next, model, sizeof next);
        for (int step = 0; step < STEPS; step++) {
            seed               = seed * 1664525 + 1013904223;
            unsigned key       = (seed >> 16) % KEYS;
            struct key_u64 raw = key_of_u64(key);
            bool remove        = (seed >> 8) % 5 < 2;
            status code        = remove ? txn_delete(txn, TABLE_A, key_u64_bytes(&raw), NULL)
                                        : txn_put(txn, TABLE_A, key_u64_bytes(&raw), of("v"), NULL);
            assert_int_equal(code, remove && !next[key] ? STATUS_NOT_FOUND : STATUS_OK);
            next[key] = !remove;
        }
        if (round % 4 == 3) {
            txn_abort(txn);
        } else {
            commit(f, txn);
            memcpy(model, next, sizeof model);
        }
        txn                                          = begin_read(f);
        CLEANUP(cursor_closep) struct cursor *cursor = NULL;
        const struct scan scan                       = {.backward = round % 2};
        assert_int_equal(cursor_open(txn, TABLE_A, &scan, &cursor, NULL), STATUS_OK);
        for (unsigned i = 0; i < KEYS; i++) {
            unsigned key = round % 2 ? KEYS - 1 - i : i;
            if (!model[key]) continue;
            bytes found;
            bytes value;
            uint64_t number = 0;
            assert_int_equal(cursor_next(cursor, &found, &value, NULL), STATUS_OK);
            assert_true(key_take_u64(&found, &number));
            assert_int_equal(number, key);
        }
        expect_next(cursor, NULL);
        txn_abort(txn);
    }
}

/* --- Limits and failures ---------------------------------------------------------------------- */

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

/* --- Threads ---------------------------------------------------------------------------------- */

enum { TRANSFERS = 300, READS = 300 };

struct reader {
    pthread_t thread;
    struct store *store;
    const char *problem; /* NULL: none; read after joining */
};

/* Two entries that are always written together must always read the same. */
static const char *read_pairs(struct store *store)
{
    CLEANUP(txn_abortp) struct txn *txn = NULL;
    if (txn_begin_read(store, &txn, NULL) != STATUS_OK) return "begin failed";
    for (int i = 0; i < READS; i++) {
        bytes a;
        bytes b;
        status code_a = txn_get(txn, TABLE_A, of("pair"), &a, NULL);
        status code_b = txn_get(txn, TABLE_B, of("pair"), &b, NULL);
        if (code_a != code_b) return "half a commit";
        if (code_a == STATUS_OK && memcmp(a.ptr, b.ptr, 8) != 0) return "two commits";
        txn_reset(txn);
        if (txn_renew(txn, NULL) != STATUS_OK) return "renew failed";
    }
    return NULL;
}

static void *run_reader(void *context)
{
    struct reader *reader = context;
    reader->problem       = read_pairs(reader->store);
    return NULL;
}

static void readers_see_whole_commits(struct fixture *f)
{
    enum { READERS = 3 };
    struct reader readers[READERS];
    for (int i = 0; i < READERS; i++) {
        readers[i] = (struct reader){.store = f->store};
        assert_int_equal(pthread_create(&readers[i].thread, NULL, run_reader, &readers[i]), 0);
    }
    uint64_t size = SIZE_MAX_BYTES;
    for (uint64_t i = 0; i < TRANSFERS; i++) {
        struct key_u64 value = key_of_u64(i);
        struct txn *txn      = begin_write(f);
        assert_int_equal(txn_put(txn, TABLE_A, of("pair"), key_u64_bytes(&value), &f->error),
                         STATUS_OK);
        assert_int_equal(txn_put(txn, TABLE_B, of("pair"), key_u64_bytes(&value), &f->error),
                         STATUS_OK);
        commit(f, txn);
        if (i % 10 == 0 && store_grow(f->store, size + 4096, NULL) == STATUS_OK) size += 4096;
    }
    for (int i = 0; i < READERS; i++) {
        assert_int_equal(pthread_join(readers[i].thread, NULL), 0);
        assert_null(readers[i].problem);
    }
}

/* --- Both kinds ------------------------------------------------------------------------------- */

struct row {
    const char *name;
    case_fn check;
};

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
    {"scans_keep_their_bounds", scans_keep_their_bounds},
    {"scan_of_nothing_is_empty", scan_of_nothing_is_empty},
    {"cursor_goes_on_after_writes", cursor_goes_on_after_writes},
    {"pages_go_on_where_they_ended", pages_go_on_where_they_ended},
    {"agrees_with_a_model", agrees_with_a_model},
    {"full_store_recovers", full_store_recovers},
    {"fill_falls_after_deletions", fill_falls_after_deletions},
    {"nth_operation_fails", nth_operation_fails},
    {"failed_commit_is_final", failed_commit_is_final},
    {"readers_see_whole_commits", readers_see_whole_commits},
};

static void check_in_memory(void **state)
{
    const struct row *row              = *state;
    const struct store_options options = {.size_max = SIZE_MAX_BYTES, .tables = tables};
    struct fixture fixture             = {.store = store_open_memory(&options)};
    assert_string_equal(store_kind(fixture.store), "memory (nothing is durable)");
    row->check(&fixture);
    store_close(fixture.store);
}

static void check_on_disk(void **state)
{
    const struct row *row  = *state;
    struct fixture fixture = {.folder = folder_new()};

    const struct store_options options = {
        .path = fixture.folder.path, .size_max = SIZE_MAX_BYTES, .tables = tables};
    assert_int_equal(store_open(&options, &fixture.store, &fixture.error), STATUS_OK);
    assert_string_equal(store_kind(fixture.store), "lmdb");
    row->check(&fixture);
    store_close(fixture.store);
    folder_remove(&fixture.folder);
}

int main(void)
{
    struct CMUnitTest tests[2 * ARRAY_LEN(rows)];
    char names[2 * ARRAY_LEN(rows)][64];
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        (void)snprintf(names[2 * i], sizeof names[0], "memory: %s", rows[i].name);
        (void)snprintf(names[2 * i + 1], sizeof names[0], "lmdb: %s", rows[i].name);
        tests[2 * i]     = row_test(names[2 * i], check_in_memory, &rows[i]);
        tests[2 * i + 1] = row_test(names[2 * i + 1], check_on_disk, &rows[i]);
    }
    return cmocka_run_group_tests(tests, NULL, NULL);
}
