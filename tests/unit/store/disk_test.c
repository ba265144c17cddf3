/* What only the store on disk has: its folder, its one owner, damage, and a disk that refuses. */
#include "store/disk.h"

#include "cmocka.h"

#include "store/store.h"
#include "support/folder.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

static const char *const tables[] = {"a", NULL};

static bytes of(const char *text)
{
    return bytes_from(str_from(text));
}

static status open_in(const char *path, struct store **ret_store, struct error *reterr)
{
    const struct store_options options = {.path = path, .size_max = 1 << 20, .tables = tables};
    return store_open(&options, ret_store, reterr);
}

static void network_file_systems_are_known(void **state)
{
    (void)state;
    assert_string_equal(disk_network_name(0x6969), "nfs");
    assert_string_equal(disk_network_name(0xff534d42), "cifs");
    assert_string_equal(disk_network_name(0x65735546), "fuse");
    assert_null(disk_network_name(0xef53));     /* ext4 */
    assert_null(disk_network_name(0x58465342)); /* xfs */
    assert_null(disk_network_name(0x01021994)); /* tmpfs */
}

static void missing_folder_is_unavailable(void **state)
{
    (void)state;
    struct store *store = NULL;
    struct error error  = {};
    assert_int_equal(open_in("/nonexistent/folder", &store, &error), STATUS_UNAVAILABLE);
    assert_non_null(strstr(error.text, "/nonexistent/folder"));
    assert_null(store);
}

static void second_owner_is_refused(void **state)
{
    (void)state;
    CLEANUP(folder_remove) struct folder folder = folder_new();
    struct store *first                         = NULL;
    struct store *second                        = NULL;
    struct error error                          = {};
    assert_int_equal(open_in(folder.path, &first, &error), STATUS_OK);
    assert_int_equal(open_in(folder.path, &second, &error), STATUS_FAILED_PRECONDITION);
    char owner[32];
    (void)snprintf(owner, sizeof owner, "process %d;", (int)getpid());
    assert_non_null(strstr(error.text, owner));
    store_close(first);
    assert_int_equal(open_in(folder.path, &second, &error), STATUS_OK);
    store_close(second);
    store_close(NULL);
}

static void reopened_store_has_its_data(void **state)
{
    (void)state;
    CLEANUP(folder_remove) struct folder folder = folder_new();
    struct store *store                         = NULL;
    struct txn *txn                             = NULL;
    assert_int_equal(open_in(folder.path, &store, NULL), STATUS_OK);
    assert_int_equal(txn_begin_write(store, &txn, NULL), STATUS_OK);
    assert_int_equal(txn_put(txn, 0, of("k"), of("v"), NULL), STATUS_OK);
    assert_int_equal(txn_commit(txn, NULL), STATUS_OK);
    store_close(store);

    assert_int_equal(open_in(folder.path, &store, NULL), STATUS_OK);
    assert_int_equal(txn_begin_read(store, &txn, NULL), STATUS_OK);
    bytes value;
    assert_int_equal(txn_get(txn, 0, of("k"), &value, NULL), STATUS_OK);
    txn_abort(txn);
    store_close(store);
}

static void a_file_that_was_not_finished_is_begun_anew(void **state)
{
    (void)state;
    CLEANUP(folder_remove) struct folder folder = folder_new();
    const struct folder fresh                   = folder_join(&folder, "data.mdb.new");
    int fd = open(fresh.path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    assert_int_equal(write(fd, "half of a page", 14), 14);
    close(fd);
    struct store *store = NULL;
    assert_int_equal(open_in(folder.path, &store, NULL), STATUS_OK);
    store_close(store);
    assert_int_equal(access(fresh.path, F_OK), -1);
}

static void foreign_file_is_data_loss(void **state)
{
    (void)state;
    CLEANUP(folder_remove) struct folder folder = folder_new();
    const struct folder file                    = folder_join(&folder, "data.mdb");
    char noise[8192];
    memset(noise, 0x5a, sizeof noise);
    int fd = open(file.path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    assert_int_equal(write(fd, noise, sizeof noise), sizeof noise);
    close(fd);
    struct store *store = NULL;
    struct error error  = {};
    assert_int_equal(open_in(folder.path, &store, &error), STATUS_DATA_LOSS);
}

static void second_reader_of_a_thread_is_refused(void **state)
{
    (void)state;
    CLEANUP(folder_remove) struct folder folder = folder_new();
    struct store *store                         = NULL;
    struct txn *txn                             = NULL;
    struct txn *other                           = NULL;
    assert_int_equal(open_in(folder.path, &store, NULL), STATUS_OK);
    assert_int_equal(txn_begin_read(store, &txn, NULL), STATUS_OK);
    assert_int_equal(txn_begin_read(store, &other, NULL), STATUS_FAILED_PRECONDITION);
    txn_abort(txn);
    store_close(store);
}

/* Commits until the disk refuses; 0 if everything was as store.h says. In a process of its own. */
static int commit_into_a_refusing_disk(const char *path)
{
    struct store *store = NULL;
    struct txn *txn     = NULL;
    static const char block[100'000];
    const bytes value = {.ptr = block, .len = sizeof block};
    if (open_in(path, &store, NULL) != STATUS_OK) return 1;
    if (txn_begin_write(store, &txn, NULL) != STATUS_OK) return 2;
    if (txn_put(txn, 0, of("first"), of("small"), NULL) != STATUS_OK) return 3;
    if (txn_commit(txn, NULL) != STATUS_OK) return 4;

    /* From here on a write behind 64 KiB fails with EFBIG. */
    (void)signal(SIGXFSZ, SIG_IGN);
    const struct rlimit limit = {.rlim_cur = 65536, .rlim_max = 65536};
    if (setrlimit(RLIMIT_FSIZE, &limit) != 0) return 5;
    if (txn_begin_write(store, &txn, NULL) != STATUS_OK) return 6;
    if (txn_put(txn, 0, of("second"), value, NULL) != STATUS_OK) return 7;
    if (txn_commit(txn, NULL) != STATUS_UNAVAILABLE) return 8;
    if (!store_is_failed(store)) return 9;
    if (txn_begin_write(store, &txn, NULL) != STATUS_UNAVAILABLE) return 10;
    if (txn_begin_read(store, &txn, NULL) != STATUS_OK) return 11;
    bytes found;
    if (txn_get(txn, 0, of("second"), &found, NULL) != STATUS_NOT_FOUND) return 12;
    if (txn_get(txn, 0, of("first"), &found, NULL) != STATUS_OK) return 13;
    txn_abort(txn);
    store_close(store);
    return 0;
}

static void refused_write_is_final(void **state)
{
    (void)state;
    CLEANUP(folder_remove) struct folder folder = folder_new();
    pid_t child                                 = fork();
    assert_true(child >= 0);
    if (child == 0) _exit(commit_into_a_refusing_disk(folder.path));
    int result = 0;
    assert_int_equal(waitpid(child, &result, 0), child);
    assert_int_equal(result, 0);
}

static void probe_measures_a_sync(void **state)
{
    (void)state;
    CLEANUP(folder_remove) struct folder folder = folder_new();
    int64_t p50_us                              = -1;
    struct error error                          = {};
    assert_int_equal(disk_probe_sync(folder.path, 3, &p50_us, &error), STATUS_OK);
    assert_true(p50_us >= 0);
    assert_int_not_equal(access(folder_join(&folder, "sync.probe").path, F_OK), 0);
    assert_int_equal(disk_probe_sync("/nonexistent", 3, &p50_us, &error), STATUS_UNAVAILABLE);
}

static void a_full_disk_is_told_from_others(void **state)
{
    (void)state;
    CLEANUP(folder_remove) struct folder folder = folder_new();
    int with_room                               = open(folder.path, O_RDONLY | O_DIRECTORY);
    int without_blocks                          = open("/proc", O_RDONLY | O_DIRECTORY);
    assert_true(with_room >= 0 && without_blocks >= 0);
    assert_false(disk_is_full(with_room));
    assert_false(disk_is_full(without_blocks));
    assert_false(disk_is_full(-1));
    close(with_room);
    close(without_blocks);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(network_file_systems_are_known),
        cmocka_unit_test(missing_folder_is_unavailable),
        cmocka_unit_test(second_owner_is_refused),
        cmocka_unit_test(reopened_store_has_its_data),
        cmocka_unit_test(a_file_that_was_not_finished_is_begun_anew),
        cmocka_unit_test(foreign_file_is_data_loss),
        cmocka_unit_test(second_reader_of_a_thread_is_refused),
        cmocka_unit_test(refused_write_is_final),
        cmocka_unit_test(probe_measures_a_sync),
        cmocka_unit_test(a_full_disk_is_told_from_others),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
