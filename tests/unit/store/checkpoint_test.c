/*
 * A store whose commits stand in its log first: what a full or failing disk, a kill and other
 * readers do to it. What a power cut does is in tests/crash.
 */
#include "store/checkpoint.h"

#include "cmocka.h"

#include "base/attr.h"
#include "store/backup.h"
#include "store/fault.h"
#include "store/key.h"
#include "store/store.h"
#include "support/folder.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

static const char *const tables[] = {"numbers", NULL};
enum { MAP_SIZE = 64 << 20, HEADER_SIZE = 2 * 4096 /* bytes: two pages */ };

/* --- a disk that fails ---------------------------------------------------------------------------
 *
 * The functions below stand before the C library's, also for LMDB, which has no place for a context
 * of ours: calls for a file with `name` in its path fail. */
static struct {
    const char *no_write, *no_sync; /* NULL: none fails */
    bool only_header;               /* of LMDB's file: writes of its first pages fail */
    int error;
} disk;

static bool is_file(int fd, const char *name)
{
    char link[64];
    char target[512];
    if (!name) return false;
    (void)snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t len = readlink(link, target, sizeof target - 1);
    if (len < 0) return false;
    target[len] = '\0';
    return strstr(target, name) != NULL;
}

static bool fails(int fd, const char *name)
{
    if (!is_file(fd, name)) return false;
    errno = disk.error;
    return true;
}

ssize_t pwrite(int fd, const void *data, size_t len, off_t offset)
{
    bool is_hit = (!disk.only_header || offset < HEADER_SIZE) && fails(fd, disk.no_write);
    return is_hit ? -1 : syscall(SYS_pwrite64, fd, data, len, offset);
}

ssize_t writev(int fd, const struct iovec *parts, int count)
{
    bool is_hit = !disk.only_header && fails(fd, disk.no_write);
    return is_hit ? -1 : syscall(SYS_writev, fd, parts, count);
}

int fdatasync(int fd)
{
    return fails(fd, disk.no_sync) ? -1 : (int)syscall(SYS_fdatasync, fd);
}

/* --- a store of numbers ------------------------------------------------------------------------
 */

static status open_in(const struct folder *folder, struct store **ret_store)
{
    const struct store_options options = {
        .path = folder->path, .size_max = MAP_SIZE, .tables = tables};
    return store_open(&options, ret_store, NULL);
}

static struct store *open_store(const struct folder *folder)
{
    struct store *store = NULL;
    assert_int_equal(open_in(folder, &store), STATUS_OK);
    return store;
}

static status add(struct store *store, uint64_t number)
{
    struct key_u64 key                  = key_of_u64(number);
    CLEANUP(txn_abortp) struct txn *txn = NULL;
    TRY(txn_begin_write(store, &txn, NULL));
    TRY(txn_append(txn, 0, key_u64_bytes(&key), (bytes){"v", 1}, NULL));
    return txn_commit(TAKE(txn), NULL);
}

static status see(bytes key, bytes, struct error *, void *context)
{
    uint64_t number = 0;
    assert_true(key_take_u64(&key, &number));
    *(uint64_t *)context = *(uint64_t *)context * 10 + number;
    return STATUS_OK;
}

/* Its numbers as digits: 1, 2, 5 is 125. */
static uint64_t digits(struct store *store)
{
    struct txn *txn  = NULL;
    struct page page = {};
    uint64_t seen    = 0;
    assert_int_equal(txn_begin_read(store, &txn, NULL), STATUS_OK);
    assert_int_equal(txn_page(txn, 0, &(struct scan){}, 100, &page, see, &seen, NULL), STATUS_OK);
    txn_abort(txn);
    return seen;
}

/* As if its process was killed: the log stays as it is. */
static void kill_store(struct store *store)
{
    store_fault_at_commit(store, STATUS_UNAVAILABLE);
    assert_int_equal(add(store, 1'000'000), STATUS_UNAVAILABLE);
    store_close(store);
}

static bool has_log(const struct folder *folder)
{
    const struct folder file = folder_join(folder, "wal.0");
    return access(file.path, F_OK) == 0;
}

/* --- ends ------------------------------------------------------------------------------------- */

static void a_store_that_is_closed_has_no_log(void **)
{
    CLEANUP(folder_remove) struct folder folder = folder_new();
    struct store *store                         = open_store(&folder);
    assert_true(has_log(&folder));
    assert_int_equal(add(store, 1), STATUS_OK);
    store_close(store);
    assert_false(has_log(&folder));
    store = open_store(&folder);
    assert_int_equal(digits(store), 1);
    store_close(store);
}

static void what_was_committed_before_a_kill_is_there(void **)
{
    CLEANUP(folder_remove) struct folder folder = folder_new();
    for (uint64_t life = 0; life < 3; life++) {
        struct store *store = open_store(&folder);
        store_checkpoint_by_hand(store);
        assert_int_equal(add(store, 3 * life + 1), STATUS_OK);
        store_checkpoint_want(store);
        assert_int_equal(add(store, 3 * life + 2), STATUS_OK);
        if (life > 0) assert_int_equal(store_checkpoint_work(store, NULL), STATUS_OK);
        assert_int_equal(add(store, 3 * life + 3), STATUS_OK);
        kill_store(store);
        assert_true(has_log(&folder));
    }
    struct store *store = open_store(&folder);
    assert_int_equal(digits(store), 123'456'789);
    store_close(store);
}

static void a_copy_is_not_opened_where_a_store_was_killed(void **)
{
    CLEANUP(folder_remove) struct folder folder = folder_new();
    CLEANUP(store_closep) struct store *copy    = NULL;
    struct store *store                         = open_store(&folder);
    assert_int_equal(add(store, 1), STATUS_OK);
    kill_store(store);
    assert_int_equal(store_open_backup(folder.path, tables, &copy, NULL),
                     STATUS_FAILED_PRECONDITION);
    assert_int_equal(store_settle(folder.path, tables, NULL), STATUS_OK);
    assert_int_equal(store_settle(folder.path, tables, NULL), STATUS_OK);
    assert_int_equal(store_open_backup(folder.path, tables, &copy, NULL), STATUS_OK);
    assert_int_equal(digits(copy), 1);
}

/* Put there by hand, with the log of another file beside it. */
static void a_log_is_applied_to_its_own_file_only(void **)
{
    CLEANUP(folder_remove) struct folder folder = folder_new();
    CLEANUP(folder_remove) struct folder copied = folder_new();
    struct backup_info info                     = {};
    struct store *store                         = open_store(&folder);
    for (uint64_t i = 1; i <= 4; i++) assert_int_equal(add(store, i), STATUS_OK);
    assert_int_equal(store_backup(store, copied.path, NULL, &info, NULL), STATUS_OK);
    store_close(store);
    store = open_store(&folder);
    kill_store(store);

    const struct folder file = folder_join(&folder, "data.mdb");
    const struct folder kept = folder_join(&folder, "kept");
    const struct folder copy = folder_join(&copied, "data.mdb");
    assert_int_equal(rename(file.path, kept.path), 0);
    assert_int_equal(rename(copy.path, file.path), 0);
    assert_int_equal(open_in(&folder, &store), STATUS_FAILED_PRECONDITION);
    assert_int_equal(rename(kept.path, file.path), 0);
    store = open_store(&folder);
    assert_int_equal(digits(store), 1234);
    store_close(store);
}

static void a_store_that_grows_goes_on(void **)
{
    CLEANUP(folder_remove) struct folder folder = folder_new();
    struct store *store                         = open_store(&folder);
    store_checkpoint_by_hand(store);
    assert_int_equal(add(store, 1), STATUS_OK);
    store_checkpoint_want(store);
    assert_int_equal(add(store, 2), STATUS_OK);
    assert_int_equal(store_grow(store, 2 * MAP_SIZE, NULL), STATUS_OK);
    assert_int_equal(add(store, 3), STATUS_OK);
    assert_int_equal(store_checkpoint_work(store, NULL), STATUS_OK);
    assert_int_equal(add(store, 4), STATUS_OK);
    assert_int_equal(digits(store), 1234);
    kill_store(store);
    store = open_store(&folder);
    assert_int_equal(digits(store), 1234);
    store_close(store);
}

/* Whatever is written again and again must not fill the map by waiting for a checkpoint. */
static void a_small_map_is_enough(void **)
{
    enum { SMALL = 1 << 20, ROUNDS = 60 };
    CLEANUP(folder_remove) struct folder folder = folder_new();
    const struct store_options options = {.path = folder.path, .size_max = SMALL, .tables = tables};
    CLEANUP(store_closep) struct store *store = NULL;
    char value[40'000]                        = "";
    assert_int_equal(store_open(&options, &store, NULL), STATUS_OK);
    for (int i = 0; i < ROUNDS; i++) {
        struct key_u64 key = key_of_u64(7);
        struct txn *txn    = NULL;
        assert_int_equal(txn_begin_write(store, &txn, NULL), STATUS_OK);
        assert_int_equal(txn_put(txn, 0, key_u64_bytes(&key), (bytes){value, sizeof value}, NULL),
                         STATUS_OK);
        assert_int_equal(txn_commit(txn, NULL), STATUS_OK);
    }
}

/* --- disks ------------------------------------------------------------------------------------ */

static void a_commit_that_lmdb_has_no_room_for_is_taken_back(void **)
{
    CLEANUP(folder_remove) struct folder folder = folder_new();
    struct store *store                         = open_store(&folder);
    assert_int_equal(add(store, 1), STATUS_OK);
    disk.no_write = "data.mdb";
    disk.error    = ENOSPC;
    assert_int_equal(add(store, 2), STATUS_RESOURCE_EXHAUSTED);
    assert_int_equal(add(store, 3), STATUS_RESOURCE_EXHAUSTED);
    disk.no_write = NULL;
    assert_false(store_is_failed(store));
    assert_int_equal(digits(store), 1);
    assert_int_equal(add(store, 4), STATUS_OK);
    disk.no_write = "data.mdb";
    assert_int_equal(add(store, 5), STATUS_RESOURCE_EXHAUSTED);
    disk.no_write = NULL;
    kill_store(store);
    store = open_store(&folder);
    assert_int_equal(digits(store), 14);
    store_close(store);
}

static void a_commit_that_cannot_be_taken_back_is_final(void **)
{
    CLEANUP(folder_remove) struct folder folder = folder_new();
    struct store *store                         = open_store(&folder);
    disk.no_write                               = "data.mdb";
    disk.error                                  = EIO;
    assert_int_equal(add(store, 1), STATUS_UNAVAILABLE);
    disk.no_write = NULL;
    assert_true(store_is_failed(store));
    assert_int_equal(add(store, 2), STATUS_UNAVAILABLE);
    store_close(store);
    store = open_store(&folder); /* nobody was told that it is not there */
    assert_int_equal(digits(store), 1);
    store_close(store);
}

/* LMDB begins no transaction any more then: who hears of a full store would come back in vain. */
static void a_header_without_room_is_final(void **)
{
    CLEANUP(folder_remove) struct folder folder = folder_new();
    struct store *store                         = open_store(&folder);
    struct txn *txn                             = NULL;
    assert_int_equal(add(store, 1), STATUS_OK);
    disk.no_write    = "data.mdb";
    disk.only_header = true;
    disk.error       = ENOSPC;
    assert_int_equal(add(store, 2), STATUS_UNAVAILABLE);
    disk.no_write    = NULL;
    disk.only_header = false;
    assert_true(store_is_failed(store));
    assert_int_equal(add(store, 3), STATUS_UNAVAILABLE);
    assert_int_equal(txn_begin_read(store, &txn, NULL), STATUS_UNAVAILABLE);
    store_close(store);
    store = open_store(&folder); /* nobody was told that 2 is not there */
    assert_int_equal(digits(store), 12);
    store_close(store);
}

static void a_log_without_room_changes_nothing(void **)
{
    CLEANUP(folder_remove) struct folder folder = folder_new();
    struct store *store                         = open_store(&folder);
    assert_int_equal(add(store, 1), STATUS_OK);
    disk.no_write = "wal.";
    disk.error    = ENOSPC;
    assert_int_equal(add(store, 2), STATUS_RESOURCE_EXHAUSTED);
    store_checkpoint_want(store);
    assert_int_equal(add(store, 3), STATUS_RESOURCE_EXHAUSTED);
    disk.no_write = NULL;
    assert_int_equal(add(store, 4), STATUS_OK);
    kill_store(store);
    store = open_store(&folder);
    assert_int_equal(digits(store), 14);
    store_close(store);
}

static void a_log_that_cannot_be_synced_is_final(void **)
{
    CLEANUP(folder_remove) struct folder folder = folder_new();
    struct store *store                         = open_store(&folder);
    assert_int_equal(add(store, 1), STATUS_OK);
    disk.no_sync = "wal.";
    disk.error   = ENOSPC; /* also what a full disk says then proves nothing */
    assert_int_equal(add(store, 2), STATUS_UNAVAILABLE);
    disk.no_sync = NULL;
    assert_true(store_is_failed(store));
    assert_int_equal(digits(store), 1);
    store_close(store);
    store         = open_store(&folder);
    uint64_t seen = digits(store); /* it may be there: nobody was told */
    assert_true(seen == 1 || seen == 12);
    store_close(store);
}

static void a_file_that_cannot_be_synced_is_final(void **)
{
    CLEANUP(folder_remove) struct folder folder = folder_new();
    struct store *store                         = open_store(&folder);
    store_checkpoint_by_hand(store);
    assert_int_equal(add(store, 1), STATUS_OK);
    store_checkpoint_want(store);
    assert_int_equal(add(store, 2), STATUS_OK);
    disk.no_sync = "data.mdb";
    disk.error   = EIO;
    assert_int_equal(store_checkpoint_work(store, NULL), STATUS_UNAVAILABLE);
    disk.no_sync = NULL;
    assert_int_equal(add(store, 3), STATUS_UNAVAILABLE);
    assert_true(store_is_failed(store));
    store_close(store);
    assert_true(has_log(&folder));
    store = open_store(&folder);
    assert_int_equal(digits(store), 12);
    store_close(store);
}

static void a_store_that_cannot_be_synced_at_its_end_keeps_its_log(void **)
{
    CLEANUP(folder_remove) struct folder folder = folder_new();
    struct store *store                         = open_store(&folder);
    assert_int_equal(add(store, 1), STATUS_OK);
    disk.no_sync = "data.mdb";
    disk.error   = EIO;
    store_close(store);
    disk.no_sync = NULL;
    assert_true(has_log(&folder));
    store = open_store(&folder);
    assert_int_equal(digits(store), 1);
    store_close(store);
}

/* --- other readers ---------------------------------------------------------------------------- */

static status open_shared(const struct folder *folder, struct store **ret_store)
{
    const struct store_options options = {
        .path = folder->path, .size_max = MAP_SIZE, .tables = tables};
    return store_open_shared(&options, ret_store, NULL);
}

/* A process that opens the store, adds the numbers `from` to `to`, says so, and waits. */
static pid_t own(const struct folder *folder, uint64_t from, uint64_t to)
{
    int ends[2];
    char byte = 0;
    assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        struct store *store = NULL;
        if (open_in(folder, &store) != STATUS_OK) _exit(1);
        for (uint64_t number = from; number <= to; number++) {
            if (number == from + 1) store_checkpoint_want(store);
            if (add(store, number) != STATUS_OK) _exit(2);
        }
        if (write(ends[1], "x", 1) != 1) _exit(3);
        for (;;) (void)pause();
    }
    (void)close(ends[1]);
    assert_int_equal(read(ends[0], &byte, 1), 1);
    (void)close(ends[0]);
    return child;
}

static void kill_owner(pid_t child)
{
    assert_int_equal(kill(child, SIGKILL), 0);
    assert_int_equal(waitpid(child, NULL, 0), child);
}

static void a_reader_stays_while_owners_are_killed(void **)
{
    CLEANUP(folder_remove) struct folder folder = folder_new();
    CLEANUP(store_closep) struct store *first   = NULL;
    CLEANUP(store_closep) struct store *second  = NULL;
    struct txn *old                             = NULL;
    uint64_t count                              = 0;
    pid_t owner                                 = own(&folder, 1, 3);
    assert_int_equal(open_shared(&folder, &first), STATUS_OK);
    assert_int_equal(txn_begin_read(first, &old, NULL), STATUS_OK);
    kill_owner(owner);
    assert_int_equal(open_shared(&folder, &second), STATUS_OK); /* the first one vouches */
    assert_int_equal(digits(second), 123);

    owner = own(&folder, 4, 6);
    assert_int_equal(txn_count(old, 0, &count, NULL), STATUS_OK);
    assert_int_equal(count, 3);
    txn_abort(old);
    assert_int_equal(digits(first), 123'456);
    assert_int_equal(digits(second), 123'456);
    kill_owner(owner);
    assert_int_equal(digits(first), 123'456);

    struct store *store = open_store(&folder);
    assert_int_equal(add(store, 7), STATUS_OK);
    assert_int_equal(digits(first), 1'234'567);
    store_close(store);
    assert_int_equal(digits(first), 1'234'567);
}

static void a_reader_waits_for_the_owner_of_a_store_that_was_killed(void **)
{
    CLEANUP(folder_remove) struct folder folder = folder_new();
    CLEANUP(store_closep) struct store *reader  = NULL;
    assert_int_equal(open_shared(&folder, &reader), STATUS_NOT_FOUND);
    kill_owner(own(&folder, 1, 2));
    assert_int_equal(open_shared(&folder, &reader), STATUS_UNAVAILABLE);
    assert_int_equal(open_shared(&folder, &reader),
                     STATUS_UNAVAILABLE); /* it vouches for nothing */
    pid_t owner = own(&folder, 3, 3);
    assert_int_equal(open_shared(&folder, &reader), STATUS_OK);
    assert_int_equal(digits(reader), 123);
    kill_owner(owner);
}

/* What the page cache shows is not believed after a failed sync, and it must not change under a
 * reader. */
static void an_owner_in_doubt_waits_for_the_readers(void **)
{
    CLEANUP(folder_remove) struct folder folder = folder_new();
    struct store *reader                        = NULL;
    struct store *other                         = NULL;
    struct store *store                         = open_store(&folder);
    store_checkpoint_by_hand(store);
    assert_int_equal(open_shared(&folder, &reader), STATUS_OK);
    assert_int_equal(add(store, 1), STATUS_OK);
    store_checkpoint_want(store);
    assert_int_equal(add(store, 2), STATUS_OK);
    disk.no_sync = "data.mdb";
    disk.error   = EIO;
    assert_int_equal(store_checkpoint_work(store, NULL), STATUS_UNAVAILABLE);
    disk.no_sync = NULL;
    kill_store(store);
    assert_int_equal(open_in(&folder, &other), STATUS_UNAVAILABLE);
    store_close(reader);
    store = open_store(&folder);
    assert_int_equal(digits(store), 12);
    store_close(store);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_store_that_is_closed_has_no_log),
        cmocka_unit_test(what_was_committed_before_a_kill_is_there),
        cmocka_unit_test(a_copy_is_not_opened_where_a_store_was_killed),
        cmocka_unit_test(a_log_is_applied_to_its_own_file_only),
        cmocka_unit_test(a_store_that_grows_goes_on),
        cmocka_unit_test(a_small_map_is_enough),
        cmocka_unit_test(a_commit_that_lmdb_has_no_room_for_is_taken_back),
        cmocka_unit_test(a_commit_that_cannot_be_taken_back_is_final),
        cmocka_unit_test(a_header_without_room_is_final),
        cmocka_unit_test(a_log_without_room_changes_nothing),
        cmocka_unit_test(a_log_that_cannot_be_synced_is_final),
        cmocka_unit_test(a_file_that_cannot_be_synced_is_final),
        cmocka_unit_test(a_store_that_cannot_be_synced_at_its_end_keeps_its_log),
        cmocka_unit_test(a_reader_stays_while_owners_are_killed),
        cmocka_unit_test(a_reader_waits_for_the_owner_of_a_store_that_was_killed),
        cmocka_unit_test(an_owner_in_doubt_waits_for_the_readers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
