#include "store/backup.h"

#include "cmocka.h"

#include "store/key.h"
#include "support/folder.h"

#include <fcntl.h>
#include <unistd.h>

static const char *const tables[] = {"numbers", "empty", NULL};
enum { ENTRIES = 1000, VALUE_BYTES = 100 };

static struct store *open_in(const char *path)
{
    const struct store_options options = {.path = path, .size_max = 16 << 20, .tables = tables};
    struct store *store                = NULL;
    assert_int_equal(store_open(&options, &store, NULL), STATUS_OK);
    return store;
}

static void write_numbers(struct store *store)
{
    static const char value[VALUE_BYTES];
    struct txn *txn = NULL;
    assert_int_equal(txn_begin_write(store, &txn, NULL), STATUS_OK);
    for (uint64_t i = 0; i < ENTRIES; i++) {
        struct key_u64 key = key_of_u64(i);
        assert_int_equal(txn_append(txn, 0, key_u64_bytes(&key), (bytes){value, VALUE_BYTES}, NULL),
                         STATUS_OK);
    }
    assert_int_equal(txn_commit(txn, NULL), STATUS_OK);
}

struct fixture {
    struct folder folder, from, to;
    struct store *store;
    struct backup_info info;
};

/* A store with numbers, and its copy. */
static struct fixture copied(void)
{
    struct fixture f = {.folder = folder_new()};
    f.from           = folder_sub(&f.folder, "from");
    f.to             = folder_sub(&f.folder, "to");
    f.store          = open_in(f.from.path);
    write_numbers(f.store);
    assert_int_equal(store_backup(f.store, f.to.path, NULL, &f.info, NULL), STATUS_OK);
    return f;
}

static void fixture_done(struct fixture *f)
{
    store_close(f->store);
    folder_remove(&f->folder);
}

static void copy_reads_back(void **state)
{
    (void)state;
    CLEANUP(fixture_done) struct fixture f = copied();
    struct backup_info info                = {};
    struct backup_content content          = {};
    assert_int_equal(store_verify_backup(f.to.path, tables, &info, &content, NULL), STATUS_OK);
    assert_int_equal(info.size_bytes, f.info.size_bytes);
    assert_memory_equal(info.sha256, f.info.sha256, sizeof info.sha256);
    assert_int_equal(content.table_count, 2);
    assert_int_equal(content.entries[0], ENTRIES);
    assert_int_equal(content.entries[1], 0);
    assert_int_equal(content.content_bytes, ENTRIES * (8 + VALUE_BYTES));

    struct store *copy = open_in(f.to.path);
    struct txn *txn    = NULL;
    uint64_t count     = 0;
    assert_int_equal(txn_begin_read(copy, &txn, NULL), STATUS_OK);
    assert_int_equal(txn_count(txn, 0, &count, NULL), STATUS_OK);
    assert_int_equal(count, ENTRIES);
    txn_abort(txn);
    store_close(copy);
}

struct witness {
    struct store *store;
    unsigned count;
};

static void on_begun(void *context)
{
    struct witness *witness = context;
    witness->count++;
    struct txn *txn    = NULL;
    struct key_u64 key = key_of_u64(ENTRIES);
    assert_int_equal(txn_begin_write(witness->store, &txn, NULL), STATUS_OK);
    assert_int_equal(txn_append(txn, 0, key_u64_bytes(&key), (bytes){"late", 4}, NULL), STATUS_OK);
    assert_int_equal(txn_commit(txn, NULL), STATUS_OK);
}

static void what_is_committed_after_the_begin_is_not_in_it(void **state)
{
    (void)state;
    CLEANUP(fixture_done) struct fixture f = copied();
    const struct folder second             = folder_sub(&f.folder, "second");
    struct witness witness                 = {.store = f.store};
    const struct backup_listener listener  = {.begun = on_begun, .context = &witness};
    struct backup_info info                = {};
    struct backup_info again               = {};
    struct backup_content content          = {};
    assert_int_equal(store_backup(f.store, second.path, &listener, &info, NULL), STATUS_OK);
    assert_int_equal(witness.count, 1);
    assert_int_equal(store_verify_backup(second.path, tables, &again, &content, NULL), STATUS_OK);
    assert_int_equal(content.entries[0], ENTRIES);
    assert_memory_equal(info.sha256, again.sha256, sizeof info.sha256);
}

static void copy_is_never_overwritten(void **state)
{
    (void)state;
    CLEANUP(fixture_done) struct fixture f = copied();
    struct backup_info info                = {};
    struct error error                     = {};
    assert_int_equal(store_backup(f.store, f.to.path, NULL, &info, &error), STATUS_ALREADY_EXISTS);
    assert_int_equal(store_backup(f.store, "/nonexistent", NULL, &info, &error),
                     STATUS_UNAVAILABLE);
}

static void copy_is_for_reading_only(void **state)
{
    (void)state;
    CLEANUP(fixture_done) struct fixture f    = copied();
    CLEANUP(store_closep) struct store *store = NULL;
    assert_int_equal(store_open_backup(f.to.path, tables, &store, NULL), STATUS_OK);
    struct txn *txn = NULL;
    uint64_t count  = 0;
    assert_int_equal(txn_begin_write(store, &txn, NULL), STATUS_FAILED_PRECONDITION);
    assert_int_equal(txn_begin_read(store, &txn, NULL), STATUS_OK);
    assert_int_equal(txn_count(txn, 0, &count, NULL), STATUS_OK);
    assert_int_equal(count, ENTRIES);
    txn_abort(txn);
    const struct folder lock = folder_join(&f.to, "lock.mdb");
    assert_int_equal(access(lock.path, F_OK), -1);

    const char *const more[] = {"other", "numbers", NULL};
    struct store *none       = NULL;
    assert_int_equal(store_open_backup(f.to.path, more, &none, NULL), STATUS_NOT_FOUND);
    assert_int_equal(store_open_backup("/nonexistent", tables, &none, NULL), STATUS_NOT_FOUND);
}

static void damage_is_found(void **state)
{
    (void)state;
    CLEANUP(fixture_done) struct fixture f = copied();
    struct backup_info info                = {};
    struct backup_content content          = {};
    struct error error                     = {};

    /* One byte of one value: only the digest can tell. */
    const struct folder file = folder_join(&f.to, "data.mdb");
    int fd                   = open(file.path, O_RDWR | O_CLOEXEC);
    assert_true(fd >= 0);
    char byte    = 'X';
    off_t middle = (off_t)f.info.size_bytes / 2;
    assert_int_equal(pwrite(fd, &byte, 1, middle), 1);
    status code = store_verify_backup(f.to.path, tables, &info, &content, &error);
    assert_true(code == STATUS_DATA_LOSS ||
                memcmp(info.sha256, f.info.sha256, sizeof info.sha256) != 0);

    assert_int_equal(ftruncate(fd, 0), 0);
    close(fd);
    assert_int_equal(store_verify_backup(f.to.path, tables, &info, &content, &error),
                     STATUS_DATA_LOSS);
}

static void what_is_missing_is_named(void **state)
{
    (void)state;
    CLEANUP(fixture_done) struct fixture f = copied();
    struct backup_info info                = {};
    struct backup_content content          = {};
    struct error error                     = {};
    const char *const others[]             = {"other", "numbers", NULL};
    assert_int_equal(store_verify_backup(f.to.path, others, &info, &content, &error),
                     STATUS_NOT_FOUND);
    assert_non_null(strstr(error.text, "other"));
    assert_int_equal(store_verify_backup(f.folder.path, tables, &info, &content, &error),
                     STATUS_NOT_FOUND);
}

/* Tables of a later release are empty in a copy that an older one has made. */
static void a_later_table_is_empty(void **state)
{
    (void)state;
    CLEANUP(fixture_done) struct fixture f = copied();
    struct backup_info info                = {};
    struct backup_content content          = {};
    const char *const more[]               = {"numbers", "later", "empty", NULL};
    const struct scan all                  = {};
    struct store *store                    = NULL;
    struct txn *txn                        = NULL;
    struct cursor *cursor                  = NULL;
    uint64_t count                         = 1;
    bytes key                              = {"k", 1};
    bytes value                            = {};
    assert_int_equal(store_verify_backup(f.to.path, more, &info, &content, NULL), STATUS_OK);
    assert_int_equal(content.table_count, 3);
    assert_int_equal(content.entries[0], ENTRIES);
    assert_int_equal(content.entries[1], 0);
    assert_int_equal(store_open_backup(f.to.path, more, &store, NULL), STATUS_OK);
    assert_int_equal(txn_begin_read(store, &txn, NULL), STATUS_OK);
    assert_int_equal(txn_count(txn, 1, &count, NULL), STATUS_OK);
    assert_int_equal(count, 0);
    assert_int_equal(txn_get(txn, 1, key, &value, NULL), STATUS_NOT_FOUND);
    assert_int_equal(txn_last(txn, 1, &key, &value, NULL), STATUS_NOT_FOUND);
    assert_int_equal(cursor_open(txn, 1, &all, &cursor, NULL), STATUS_OK);
    assert_int_equal(cursor_next(cursor, &key, &value, NULL), STATUS_NOT_FOUND);
    cursor_close(cursor);
    assert_int_equal(txn_count(txn, 0, &count, NULL), STATUS_OK);
    assert_int_equal(count, ENTRIES);
    txn_abort(txn);
    store_close(store);
}

static void memory_has_no_backup(void **state)
{
    (void)state;
    const struct store_options options = {.size_max = 1, .tables = tables};
    struct store *store                = store_open_memory(&options);
    struct backup_info info            = {};
    assert_int_equal(store_backup(store, "/tmp", NULL, &info, NULL), STATUS_UNIMPLEMENTED);
    store_close(store);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(copy_reads_back),
        cmocka_unit_test(what_is_committed_after_the_begin_is_not_in_it),
        cmocka_unit_test(copy_is_never_overwritten),
        cmocka_unit_test(copy_is_for_reading_only),
        cmocka_unit_test(damage_is_found),
        cmocka_unit_test(what_is_missing_is_named),
        cmocka_unit_test(a_later_table_is_empty),
        cmocka_unit_test(memory_has_no_backup),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
