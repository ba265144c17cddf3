#include "store/redo.h"

#include "support/store/both_kinds.h"

/* The table of redo is `b`; the clock is a counter. */
enum { REDO = TABLE_B, BIG = 200'000 /* bytes */ };

static int64_t next_tick(void *context)
{
    int64_t *ticks = context;
    return ++*ticks;
}

static void keep(struct fixture *f, uint64_t bytes_max, void *ticks)
{
    const struct redo_options options = {
        .table = REDO, .bytes_max = bytes_max, .clock = {next_tick, ticks}};
    assert_int_equal(store_redo_keep(f->store, &options, &f->error), STATUS_OK);
}

/* All rows of redo: the changes of whole transactions applied to a store of its own. */
struct copy {
    struct store *store;
    struct redo_record last;
    size_t rows, commits;
};

static void copy_done(struct copy *copy)
{
    store_close(copy->store);
}

static void apply(struct copy *copy, const struct buf *changes)
{
    struct txn *txn    = NULL;
    struct error error = {};
    bytes all          = bytes_from(buf_str(changes));
    assert_int_equal(txn_begin_write(copy->store, &txn, NULL), STATUS_OK);
    if (redo_apply(txn, all, REDO, &error) != STATUS_OK) fail_msg("%s", error.text);
    assert_int_equal(txn_commit(txn, NULL), STATUS_OK);
    copy->commits++;
}

static struct copy copy_of(struct fixture *f)
{
    const struct store_options options           = {.size_max = 64 << 20, .tables = tables};
    struct copy copy                             = {.store = store_open_memory(&options)};
    CLEANUP(buf_done) struct buf changes         = buf_init(64 << 20);
    CLEANUP(txn_abortp) struct txn *txn          = begin_read(f);
    CLEANUP(cursor_closep) struct cursor *cursor = NULL;
    const struct scan all                        = {};
    bytes key                                    = {};
    bytes value                                  = {};
    assert_int_equal(cursor_open(txn, REDO, &all, &cursor, NULL), STATUS_OK);
    while (cursor_next(cursor, &key, &value, NULL) == STATUS_OK) {
        assert_true(redo_record_read(key, value, &copy.last));
        assert_true(buf_put(&changes, copy.last.part.ptr, copy.last.part.len));
        copy.rows++;
        if (!copy.last.is_end) continue;
        apply(&copy, &changes);
        buf_clear(&changes);
    }
    copy.last.part = (bytes){};
    return copy;
}

static void expect_same(struct fixture *f, struct store *other)
{
    CLEANUP(txn_abortp) struct txn *mine       = begin_read(f);
    CLEANUP(cursor_closep) struct cursor *here = NULL;
    const struct scan all                      = {};
    assert_int_equal(cursor_open(mine, TABLE_A, &all, &here, NULL), STATUS_OK);
    CLEANUP(buf_done) struct buf left  = buf_init(64 << 20);
    CLEANUP(buf_done) struct buf right = buf_init(64 << 20);
    bytes key                          = {};
    bytes value                        = {};
    while (cursor_next(here, &key, &value, NULL) == STATUS_OK) {
        assert_true(buf_put(&left, key.ptr, key.len) && buf_put(&left, value.ptr, value.len));
    }
    cursor_close(TAKE(here));
    txn_abort(TAKE(mine));

    struct txn *txn       = NULL;
    struct cursor *cursor = NULL;
    assert_int_equal(txn_begin_read(other, &txn, NULL), STATUS_OK);
    assert_int_equal(cursor_open(txn, TABLE_A, &all, &cursor, NULL), STATUS_OK);
    while (cursor_next(cursor, &key, &value, NULL) == STATUS_OK) {
        assert_true(buf_put(&right, key.ptr, key.len) && buf_put(&right, value.ptr, value.len));
    }
    cursor_close(cursor);
    txn_abort(txn);
    assert_true(str_equal(buf_str(&left), buf_str(&right)));
}

/* Everything that changes a store: put, insert, append, delete, through a cursor; what is refused
 * is not in it. */
static void redo_makes_the_same_store(struct fixture *f)
{
    int64_t ticks = 100;
    keep(f, SIZE_MAX_BYTES, &ticks);
    struct txn *txn = begin_write(f);
    put(f, txn, "a", "1");
    put(f, txn, "b", "2");
    assert_int_equal(txn_insert(txn, TABLE_A, of("a"), of("no"), NULL), STATUS_ALREADY_EXISTS);
    assert_int_equal(txn_append(txn, TABLE_A, of("a"), of("no"), NULL), STATUS_FAILED_PRECONDITION);
    assert_int_equal(txn_delete(txn, TABLE_A, of("x"), NULL), STATUS_NOT_FOUND);
    commit(f, txn);

    txn = begin_write(f);
    assert_int_equal(txn_insert(txn, TABLE_A, of("c"), of("3"), NULL), STATUS_OK);
    assert_int_equal(txn_append(txn, TABLE_A, of("d"), of(""), NULL), STATUS_OK);
    assert_int_equal(txn_delete(txn, TABLE_A, of("a"), NULL), STATUS_OK);
    struct cursor *cursor = NULL;
    const struct scan all = {};
    bytes key             = {};
    bytes value           = {};
    assert_int_equal(cursor_open(txn, TABLE_A, &all, &cursor, NULL), STATUS_OK);
    assert_int_equal(cursor_next(cursor, &key, &value, NULL), STATUS_OK);
    assert_int_equal(cursor_delete(cursor, NULL), STATUS_OK);
    cursor_close(cursor);
    commit(f, txn);

    txn = begin_write(f);
    put(f, txn, "never", "seen");
    txn_abort(txn);
    commit(f, begin_write(f)); /* nothing to do again */

    CLEANUP(copy_done) struct copy copy = copy_of(f);
    assert_int_equal(copy.commits, 3); /* with the one that begins the timeline */
    assert_int_equal(copy.last.sequence, 3);
    assert_true(copy.last.at_us > 100);
    expect_same(f, copy.store);
}

/* A transaction that takes many rows; it counts with its last one only. */
static void large_transactions_are_cut(struct fixture *f)
{
    static char text[BIG + 1];
    int64_t ticks = 0;
    memset(text, 'x', BIG);
    keep(f, SIZE_MAX_BYTES, &ticks);
    struct txn *txn = begin_write(f);
    put(f, txn, "first", "1");
    put(f, txn, "large", text);
    put(f, txn, "last", "2");
    commit(f, txn);
    CLEANUP(copy_done) struct copy copy = copy_of(f);
    assert_int_equal(copy.rows, 1 + BIG / REDO_PART_MAX + 1);
    assert_int_equal(copy.commits, 2);
    expect_same(f, copy.store);

    /* Undone with its transaction. */
    txn = begin_write(f);
    put(f, txn, "other", text);
    txn_abort(txn);
    txn = begin_write(f);
    put(f, txn, "more", "3");
    commit(f, txn);
    CLEANUP(copy_done) struct copy again = copy_of(f);
    assert_int_equal(again.rows, copy.rows + 1);
    expect_same(f, again.store);
}

/* Rows that were taken go with the next commits, but for the newest, which says where we are. */
static void what_was_taken_is_deleted(struct fixture *f)
{
    int64_t ticks = 0;
    keep(f, SIZE_MAX_BYTES, &ticks);
    fill(f, "a");
    fill(f, "b");
    fill(f, "c");
    store_redo_taken(f->store, 4);
    fill(f, "d");
    CLEANUP(copy_done) struct copy copy = copy_of(f);
    assert_int_equal(copy.rows, 1);
    assert_int_equal(copy.last.sequence, 5);
    store_redo_taken(f->store, 1'000); /* more than there is */
    fill(f, "e");
    CLEANUP(copy_done) struct copy again = copy_of(f);
    assert_int_equal(again.rows, 1);
    assert_int_equal(again.last.sequence, 6);
}

static void nobody_takes_anything(struct fixture *f)
{
    int64_t ticks = 0;
    keep(f, 200, &ticks);
    fill(f, "a");
    CLEANUP(copy_done) struct copy first = copy_of(f);
    struct redo_state state              = {};
    for (char letter[] = "b"; state.given_up == 0; letter[0]++) {
        assert_true(letter[0] <= 'z');
        fill(f, letter);
        store_redo_state(f->store, &state);
    }
    CLEANUP(copy_done) struct copy last = copy_of(f);
    assert_true(last.last.is_given_up);
    assert_true(state.kept_bytes > 200);

    fill(f, "y"); /* all rows go; it is in no timeline, but another one begins */
    store_redo_state(f->store, &state);
    assert_true(state.kept_bytes < 200);
    fill(f, "z");
    CLEANUP(copy_done) struct copy anew = copy_of(f);
    assert_int_equal(anew.rows, 2);
    assert_true(anew.last.sequence > last.last.sequence);
    assert_memory_not_equal(anew.last.timeline, first.last.timeline, REDO_TIMELINE_SIZE);
    struct txn *txn = begin_read(f);
    expect_entry(txn, "y", "y"); /* redo is given up, never what it tells of */
    txn_abort(txn);
}

/* The time of a commit that is under way is not settled. */
static void settled_is_before_what_is_open(struct fixture *f)
{
    static char text[BIG + 1];
    int64_t ticks = 1'000;
    memset(text, 'x', BIG);
    keep(f, SIZE_MAX_BYTES, &ticks);
    int64_t before_us = store_redo_settled_us(f->store);
    struct txn *txn   = begin_write(f);
    put(f, txn, "large", text); /* has a time now, since rows were written */
    int64_t open_us = store_redo_settled_us(f->store);
    commit(f, txn);
    CLEANUP(copy_done) struct copy copy = copy_of(f);
    assert_true(before_us < copy.last.at_us);
    assert_int_equal(open_us, copy.last.at_us - 1);
    assert_true(store_redo_settled_us(f->store) >= copy.last.at_us);
}

static void full_store_keeps_both_or_none(struct fixture *f)
{
    static char text[BIG + 1];
    int64_t ticks = 0;
    memset(text, 'x', BIG);
    keep(f, UINT64_MAX, &ticks);
    size_t commits = 0;
    for (;; commits++) {
        char key[2]     = {(char)('a' + commits), 0};
        struct txn *txn = begin_write(f);
        status written  = txn_put(txn, TABLE_A, of(key), of(text), NULL);
        if (written != STATUS_OK) {
            assert_int_equal(written, STATUS_RESOURCE_EXHAUSTED);
            txn_abort(txn);
            break;
        }
        status code = txn_commit(txn, NULL);
        if (code == STATUS_OK) continue;
        assert_int_equal(code, STATUS_RESOURCE_EXHAUSTED);
        break;
    }
    assert_true(commits > 0);
    assert_false(store_is_failed(f->store));
    CLEANUP(copy_done) struct copy copy = copy_of(f);
    assert_int_equal(copy.commits, commits + 1);
    expect_same(f, copy.store);
}

/* --- across openings: on disk only -------------------------------------------------------------
 */

static struct store *open_folder(const struct folder *folder)
{
    const struct store_options options = {
        .path = folder->path, .size_max = SIZE_MAX_BYTES, .tables = tables};
    struct store *store = NULL;
    assert_int_equal(store_open(&options, &store, NULL), STATUS_OK);
    return store;
}

static void timeline_goes_on_after_a_restart(void **)
{
    struct fixture f = {.folder = folder_new()};
    int64_t ticks    = 500;
    f.store          = open_folder(&f.folder);
    keep(&f, SIZE_MAX_BYTES, &ticks);
    fill(&f, "a");
    fill(&f, "b");
    CLEANUP(copy_done) struct copy before = copy_of(&f);
    store_close(f.store);

    f.store = open_folder(&f.folder);
    ticks   = 0; /* the clock was set back */
    keep(&f, SIZE_MAX_BYTES, &ticks);
    fill(&f, "c");
    CLEANUP(copy_done) struct copy after = copy_of(&f);
    assert_int_equal(after.last.sequence, 4);
    assert_memory_equal(after.last.timeline, before.last.timeline, REDO_TIMELINE_SIZE);
    assert_true(after.last.at_us > before.last.at_us);
    store_close(f.store);

    /* One opening without redo ends the timeline. */
    f.store = open_folder(&f.folder);
    assert_int_equal(store_redo_drop(f.store, REDO, NULL), STATUS_OK);
    keep(&f, SIZE_MAX_BYTES, &ticks);
    fill(&f, "d");
    CLEANUP(copy_done) struct copy other = copy_of(&f);
    assert_int_equal(other.rows, 2);
    assert_memory_not_equal(other.last.timeline, before.last.timeline, REDO_TIMELINE_SIZE);
    store_close(f.store);
    folder_remove(&f.folder);
}

static void given_up_is_known_after_a_restart(void **)
{
    struct fixture f = {.folder = folder_new()};
    int64_t ticks    = 0;
    f.store          = open_folder(&f.folder);
    keep(&f, 40, &ticks); /* more than the row that begins a timeline */
    fill(&f, "a");
    CLEANUP(copy_done) struct copy before = copy_of(&f);
    fill(&f, "b");
    store_close(f.store);
    f.store = open_folder(&f.folder);
    keep(&f, 40, &ticks);
    fill(&f, "c");
    fill(&f, "d");
    CLEANUP(copy_done) struct copy after = copy_of(&f);
    assert_int_equal(after.rows, 2);
    assert_memory_not_equal(after.last.timeline, before.last.timeline, REDO_TIMELINE_SIZE);
    store_close(f.store);
    folder_remove(&f.folder);
}

/* --- damage ------------------------------------------------------------------------------------
 */

static void damaged_changes_are_refused(void **)
{
    static const struct {
        const char *what;
        const char *raw;
        size_t len;
    } rows[] = {
        {"unknown kind", "\x07\x00", 2},
        {"slot without name", "\x02\x00\x00\x01\x00\x00\x00\x00k", 9},
        {"slot out of range", "\x01\x40\x01k", 4},
        {"empty name", "\x01\x00\x00", 3},
        {"cut name", "\x01\x00\x05k", 4},
        {"unknown table", "\x01\x00\x01z\x03\x00\x00\x01k", 9},
        {"empty key",
         "\x01\x00\x01"
         "a\x03\x00\x00\x00",
         8},
        {"key too long",
         "\x01\x00\x01"
         "a\x03\x00\x02\x00k",
         9},
        {"cut value",
         "\x01\x00\x01"
         "a\x02\x00\x00\x01\x00\x00\x00\x09kv",
         14},
        {"deletes what is not there",
         "\x01\x00\x01"
         "a\x03\x00\x00\x01k",
         9},
    };
    const struct store_options options        = {.size_max = 1 << 20, .tables = tables};
    CLEANUP(store_closep) struct store *store = store_open_memory(&options);
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct txn *txn = NULL;
        assert_int_equal(txn_begin_write(store, &txn, NULL), STATUS_OK);
        status code = redo_apply(txn, (bytes){rows[i].raw, rows[i].len}, REDO, NULL);
        if (code != STATUS_DATA_LOSS) fail_msg("%s: %s", rows[i].what, status_name(code));
        txn_abort(txn);
    }
}

static void damaged_rows_are_refused(void **)
{
    uint8_t row[REDO_TIMELINE_SIZE + 9] = {};
    struct redo_record record           = {};
    struct key_u64 key                  = key_of_u64(1);
    bytes whole                         = key_u64_bytes(&key);
    assert_true(redo_record_read(whole, (bytes){row, sizeof row}, &record));
    assert_false(redo_record_read((bytes){whole.ptr, 7}, (bytes){row, sizeof row}, &record));
    assert_false(redo_record_read(whole, (bytes){row, sizeof row - 1}, &record));
    row[sizeof row - 1] = 4;
    assert_false(redo_record_read(whole, (bytes){row, sizeof row}, &record));
    row[sizeof row - 1]     = 1;
    row[REDO_TIMELINE_SIZE] = 0x80;
    assert_false(redo_record_read(whole, (bytes){row, sizeof row}, &record));
}

int main(void)
{
    static const struct row rows[] = {
        {"redo makes the same store", redo_makes_the_same_store},
        {"large transactions are cut", large_transactions_are_cut},
        {"what was taken is deleted", what_was_taken_is_deleted},
        {"nobody takes anything", nobody_takes_anything},
        {"settled is before what is open", settled_is_before_what_is_open},
        {"a full store keeps both or none", full_store_keeps_both_or_none},
    };
    const struct CMUnitTest tests_on_disk[] = {
        cmocka_unit_test(timeline_goes_on_after_a_restart),
        cmocka_unit_test(given_up_is_known_after_a_restart),
        cmocka_unit_test(damaged_changes_are_refused),
        cmocka_unit_test(damaged_rows_are_refused),
    };
    int failed = run_rows(rows, ARRAY_LEN(rows));
    return failed + cmocka_run_group_tests(tests_on_disk, NULL, NULL);
}
