/* A store that another process owns: what it commits is read here, also after it was killed. */
#include "cmocka.h"

#include "store/key.h"
#include "store/store.h"
#include "support/folder.h"

#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

static const char *const tables[] = {"numbers", NULL};

/* The owner: commits 0, 1, 2, ... one for each byte that comes, and answers each with a byte. */
static void own(const char *path, int in, int out)
{
    const struct store_options options = {.path = path, .size_max = 16 << 20, .tables = tables};
    struct store *store                = NULL;
    char byte                          = 0;
    if (store_open(&options, &store, NULL) != STATUS_OK) _exit(1);
    for (uint64_t i = 0; write(out, "x", 1) == 1 && read(in, &byte, 1) == 1; i++) {
        struct txn *txn    = NULL;
        struct key_u64 key = key_of_u64(i);
        if (txn_begin_write(store, &txn, NULL) != STATUS_OK) _exit(2);
        if (txn_append(txn, 0, key_u64_bytes(&key), (bytes){"v", 1}, NULL) != STATUS_OK) _exit(3);
        if (txn_commit(txn, NULL) != STATUS_OK) _exit(4);
    }
    _exit(0);
}

static uint64_t count_of(struct store *store)
{
    struct txn *txn = NULL;
    uint64_t count  = 0;
    assert_int_equal(txn_begin_read(store, &txn, NULL), STATUS_OK);
    assert_int_equal(txn_count(txn, 0, &count, NULL), STATUS_OK);
    txn_abort(txn);
    return count;
}

static void commits_of_the_owner_are_read_also_after_its_death(void **)
{
    CLEANUP(folder_remove) struct folder folder = folder_new();
    const struct store_options options          = {
                 .path = folder.path, .size_max = 16 << 20, .tables = tables};
    CLEANUP(store_closep) struct store *store = NULL;
    struct txn *txn                           = NULL;
    int to_owner[2];
    int from_owner[2];
    char byte = 0;
    assert_int_equal(store_open_shared(&options, &store, NULL), STATUS_NOT_FOUND);
    assert_int_equal(pipe(to_owner), 0);
    assert_int_equal(pipe(from_owner), 0);
    pid_t owner = fork();
    assert_true(owner >= 0);
    if (owner == 0) own(folder.path, to_owner[0], from_owner[1]);

    assert_int_equal(read(from_owner[0], &byte, 1), 1);
    assert_int_equal(store_open_shared(&options, &store, NULL), STATUS_OK);
    assert_int_equal(txn_begin_write(store, &txn, NULL), STATUS_FAILED_PRECONDITION);
    assert_int_equal(count_of(store), 0);
    for (uint64_t i = 1; i <= 20; i++) {
        assert_int_equal(write(to_owner[1], "x", 1), 1);
        assert_int_equal(read(from_owner[0], &byte, 1), 1);
        assert_int_equal(count_of(store), i);
    }
    assert_int_equal(kill(owner, SIGKILL), 0);
    assert_int_equal(waitpid(owner, NULL, 0), owner);
    assert_int_equal(count_of(store), 20);
    for (int i = 0; i < 2; i++) {
        (void)close(to_owner[i]);
        (void)close(from_owner[i]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(commits_of_the_owner_are_read_also_after_its_death),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
