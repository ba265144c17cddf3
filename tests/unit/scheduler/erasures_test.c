/* The list of erasures, in the store and as a file: nothing is there twice, lost or misread. */
#include "cmocka.h"

#include "scheduler/backups/erasure_file.h"
#include "scheduler/backups/erasure_list.h"
#include "scheduler/tables/tables.h"
#include "support/folder.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

static const char *const ids[] = {"01ARZ3NDEKTSV4RRFFQ69G5FAA", "01ARZ3NDEKTSV4RRFFQ69G5FAB",
                                  "01ARZ3NDEKTSV4RRFFQ69G5FAC", "01ARZ3NDEKTSV4RRFFQ69G5FAD"};

static struct erasure erasure_of(size_t i, enum erasure_kind kind)
{
    struct erasure erasure = {.time_us = (int64_t)(i + 1) * 1'000, .kind = kind};
    memcpy(erasure.run.text, ids[i], ID_LEN);
    return erasure;
}

/* --- the store ---------------------------------------------------------------------------------
 */

static struct store *store_new(void)
{
    const struct store_options options = {.tables = table_names, .size_max = 16 << 20};
    return store_open_memory(&options);
}

static void add(struct store *store, size_t i, enum erasure_kind kind)
{
    const struct erasure erasure = erasure_of(i, kind);
    struct txn *txn              = NULL;
    assert_int_equal(txn_begin_write(store, &txn, NULL), STATUS_OK);
    assert_int_equal(erasures_add(txn, &erasure, NULL), STATUS_OK);
    assert_int_equal(txn_commit(txn, NULL), STATUS_OK);
}

static size_t count_of(struct txn *txn, bool is_due)
{
    struct erasure_place place = {.is_due = is_due};
    struct erasure erasure     = {};
    bool is_found              = true;
    size_t count               = 0;
    for (; is_found; count++) {
        assert_int_equal(erasures_next(txn, &place, &erasure, &is_found, NULL), STATUS_OK);
    }
    return count - 1;
}

static void a_run_is_listed_once(void **)
{
    CLEANUP(store_closep) struct store *store = store_new();
    CLEANUP(txn_abortp) struct txn *txn       = NULL;
    const struct erasure fourth               = erasure_of(3, ERASURE_OF_VALUES);
    const struct erasure known                = erasure_of(0, ERASURE_OF_VALUES);
    uint64_t sequence                         = 0;
    bool is_new                               = false;
    for (size_t i = 0; i < 3; i++) add(store, i, ERASURE_OF_VALUES);
    add(store, 1, ERASURE_OF_VALUES);
    add(store, 1, ERASURE_OF_RUN);
    assert_int_equal(txn_begin_write(store, &txn, NULL), STATUS_OK);
    assert_int_equal(count_of(txn, false), 4);
    assert_int_equal(erasures_find(txn, str_from(ids[2]), ERASURE_OF_VALUES, &sequence, NULL), 0);
    assert_int_equal(sequence, 3);
    assert_int_equal(erasures_find(txn, str_from(ids[2]), ERASURE_OF_RUN, &sequence, NULL), 0);
    assert_int_equal(sequence, 0);

    /* What a restore joins is due if it was not known. */
    assert_int_equal(erasures_add_due(txn, &known, &is_new, NULL), STATUS_OK);
    assert_false(is_new);
    assert_int_equal(erasures_add_due(txn, &fourth, &is_new, NULL), STATUS_OK);
    assert_true(is_new);
    assert_int_equal(count_of(txn, true), 1);
    assert_int_equal(erasures_end_due(txn, 5, NULL), STATUS_OK);
    assert_int_equal(count_of(txn, true), 0);
    assert_int_equal(count_of(txn, false), 5);
}

static void old_ones_are_forgotten_but_the_newest(void **)
{
    CLEANUP(store_closep) struct store *store = store_new();
    CLEANUP(txn_abortp) struct txn *txn       = NULL;
    uint64_t sequence                         = 0;
    size_t count                              = 0;
    for (size_t i = 0; i < 4; i++) add(store, i, ERASURE_OF_VALUES);
    assert_int_equal(txn_begin_write(store, &txn, NULL), STATUS_OK);
    assert_int_equal(erasures_forget(txn, 2'001, 1, &count, NULL), STATUS_OK);
    assert_int_equal(count, 1);
    assert_int_equal(erasures_forget(txn, 2'001, 9, &count, NULL), STATUS_OK);
    assert_int_equal(count, 1);
    assert_int_equal(erasures_find(txn, str_from(ids[0]), ERASURE_OF_VALUES, &sequence, NULL), 0);
    assert_int_equal(sequence, 0);
    assert_int_equal(erasures_forget(txn, INT64_MAX, 9, &count, NULL), STATUS_OK);
    assert_int_equal(count, 1);
    assert_int_equal(erasures_newest(txn, &sequence, NULL), STATUS_OK);
    assert_int_equal(sequence, 4);
}

/* --- lines -------------------------------------------------------------------------------------
 */

static void a_line_is_read_as_it_was_written(void **)
{
    struct erasure written = erasure_of(1, ERASURE_OF_RUN);
    struct erasure read    = {};
    written.time_us        = INT64_MAX;
    struct buf line        = buf_init(ERASURE_LINE_MAX - 1);
    assert_true(erasure_line_write(&written, &line));
    assert_int_equal(line.ptr[line.len - 1], '\n');
    str text = {line.ptr, line.len - 1};
    assert_true(erasure_line_read(text, &read));
    assert_string_equal(read.run.text, written.run.text);
    assert_int_equal(read.time_us, written.time_us);
    assert_int_equal(read.kind, ERASURE_OF_RUN);
    for (size_t i = 0; i < text.len; i++) { /* no byte may be another one */
        line.ptr[i] ^= 1;
        assert_false(erasure_line_read(text, &read));
        line.ptr[i] ^= 1;
        assert_false(erasure_line_read((str){line.ptr, i}, &read));
    }
    buf_done(&line);
}

/* --- files -------------------------------------------------------------------------------------
 */

struct fixture {
    struct folder folder;
    struct store *store;
    struct partition partition;
    struct backup_source source;
    struct backup_set set;
    char path[STORE_PATH_MAX];
};

static void begin(struct fixture *f)
{
    f->folder          = folder_new();
    f->store           = store_new();
    f->partition.store = f->store;
    f->source          = (struct backup_source){.partition = &f->partition};
    f->set = (struct backup_set){.partition_count = 1, .sources = &f->source, .count = 1};
    assert_int_equal(erasure_file_path(f->folder.path, 0, f->path, NULL), STATUS_OK);
}

static void end(struct fixture *f)
{
    store_close(f->store);
    folder_remove(&f->folder);
}

static status collect(const struct erasure *erasure, void *context, struct error *reterr)
{
    struct buf *names = context;
    bool is_put       = buf_put_byte(names, erasure->run.text[ID_LEN - 1]) &&
                  (erasure->kind == ERASURE_OF_VALUES || buf_put_byte(names, '-'));
    return is_put ? STATUS_OK : fail(reterr, STATUS_RESOURCE_EXHAUSTED, "names");
}

/* The last letters of the ids, with a `-` behind those that were deleted. */
static void expect(const struct fixture *f, const char *names, uint64_t damaged_line, bool is_end)
{
    struct erasure_damage damage      = {};
    CLEANUP(buf_done) struct buf read = buf_init(100);
    assert_true(buf_put(&read, "", 0));
    assert_int_equal(erasure_file_read(f->path, collect, &read, &damage, NULL), STATUS_OK);
    assert_string_equal(read.len > 0 ? read.ptr : "", names);
    assert_int_equal(damage.line, damaged_line);
    assert_int_equal(damage.is_end, is_end);
}

static void write_list(struct fixture *f, int64_t tidy_before_us)
{
    struct erasure_list *list = erasure_list_new(f->folder.path, &f->set, 1);
    erasure_list_write(list);
    erasure_list_write(list);
    if (tidy_before_us > 0) erasure_list_tidy(list, tidy_before_us);
    erasure_list_free(list);
}

static void the_file_follows_the_store(void **)
{
    struct fixture f = {};
    begin(&f);
    write_list(&f, 0);
    expect(&f, "", 0, false); /* it is there: nothing was erased */
    add(f.store, 0, ERASURE_OF_VALUES);
    struct erasure_list *list = erasure_list_new(f.folder.path, &f.set, 1);
    erasure_list_write(list);
    add(f.store, 1, ERASURE_OF_VALUES);
    add(f.store, 1, ERASURE_OF_RUN);
    erasure_list_write(list);
    erasure_list_free(list);
    expect(&f, "ABB-", 0, false);
    write_list(&f, 0); /* as after a restart */
    expect(&f, "ABB-", 0, false);

    /* Another store, as after a loss: what the file knows stays. */
    store_close(f.store);
    f.store           = store_new();
    f.partition.store = f.store;
    add(f.store, 2, ERASURE_OF_VALUES);
    add(f.store, 0, ERASURE_OF_VALUES);
    write_list(&f, 0);
    expect(&f, "ABB-C", 0, false);
    write_list(&f, 2'000); /* the oldest backup is of then */
    expect(&f, "BB-C", 0, false);
    end(&f);
}

static void damage_is_told_from_a_torn_end(void **)
{
    static const char torn[] = "01ARZ3NDEKTSV4RRFFQ69G5";
    struct fixture f         = {};
    begin(&f);
    for (size_t i = 0; i < 3; i++) add(f.store, i, ERASURE_OF_VALUES);
    write_list(&f, 0);
    FILE *file = fopen(f.path, "r+");
    assert_non_null(file);
    assert_int_equal(fseek(file, 0, SEEK_END), 0);
    assert_int_equal(fwrite(torn, 1, sizeof torn, file), sizeof torn); /* with a NUL */
    assert_int_equal(fflush(file), 0);
    expect(&f, "ABC", 4, true);
    assert_int_equal(fseek(file, 3, SEEK_SET), 0);
    assert_int_equal(fputc('?', file), '?');
    assert_int_equal(fclose(file), 0);
    expect(&f, "BC", 1, false);
    add(f.store, 3, ERASURE_OF_VALUES);
    write_list(&f, 0); /* the store knows better */
    expect(&f, "BCAD", 0, false);
    end(&f);
}

static void a_list_that_cannot_be_written_is_written_later(void **)
{
    struct fixture f = {};
    begin(&f);
    add(f.store, 0, ERASURE_OF_VALUES);
    const struct folder in_the_way = folder_sub(&f.folder, "erasures.p0");
    struct erasure_list *list      = erasure_list_new(f.folder.path, &f.set, 1);
    erasure_list_write(list);
    assert_int_equal(rmdir(in_the_way.path), 0);
    erasure_list_write(list);
    erasure_list_free(list);
    expect(&f, "A", 0, false);
    end(&f);
}

static void one_that_cannot_be_written_does_not_hold_up_others(void **)
{
    struct fixture f                         = {};
    CLEANUP(store_closep) struct store *lost = store_new();
    begin(&f);
    struct partition without       = {.store = lost, .index = 7};
    struct backup_source sources[] = {{.partition = &without}, f.source};
    f.set = (struct backup_set){.partition_count = 8, .sources = sources, .count = 2};
    add(lost, 1, ERASURE_OF_VALUES);
    add(f.store, 0, ERASURE_OF_VALUES);
    const struct folder in_the_way = folder_sub(&f.folder, "erasures.p7");
    write_list(&f, 0);
    expect(&f, "A", 0, false);
    assert_int_equal(rmdir(in_the_way.path), 0);
    end(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_run_is_listed_once),
        cmocka_unit_test(old_ones_are_forgotten_but_the_newest),
        cmocka_unit_test(a_line_is_read_as_it_was_written),
        cmocka_unit_test(the_file_follows_the_store),
        cmocka_unit_test(damage_is_told_from_a_torn_end),
        cmocka_unit_test(a_list_that_cannot_be_written_is_written_later),
        cmocka_unit_test(one_that_cannot_be_written_does_not_hold_up_others),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
