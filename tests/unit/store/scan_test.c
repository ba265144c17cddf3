/* Scans and cursors of either kind of store. */
#include "support/store/both_kinds.h"

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

static const struct row rows[] = {
    {"scans_keep_their_bounds", scans_keep_their_bounds},
    {"scan_of_nothing_is_empty", scan_of_nothing_is_empty},
    {"cursor_goes_on_after_writes", cursor_goes_on_after_writes},
    {"pages_go_on_where_they_ended", pages_go_on_where_they_ended},
    {"agrees_with_a_model", agrees_with_a_model},
};

int main(void)
{
    return run_rows(rows, ARRAY_LEN(rows));
}
