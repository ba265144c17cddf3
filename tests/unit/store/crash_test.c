/*
 * kill -9 in the middle of commits, again and again: nothing acknowledged may be lost, and nothing
 * may be half there. The child writes the same number into two tables, commits, and acknowledges
 * through a pipe; the parent kills it after a number of acknowledgements and looks.
 */
#include "store/store.h"

#include "cmocka.h"

#include "store/key.h"
#include "support/folder.h"

#include <signal.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

enum { TABLE_LEFT, TABLE_RIGHT };
static const char *const tables[] = {"left", "right", NULL};
enum { ROUNDS = 30, VALUE_BYTES = 3000 };

static struct store *open_in(const char *path)
{
    const struct store_options options = {.path = path, .size_max = 64 << 20, .tables = tables};
    struct store *store                = NULL;
    struct error error                 = {};
    if (store_open(&options, &store, &error) == STATUS_OK) return store;
    (void)fprintf(stderr, "%s\n", error.text);
    return NULL;
}

static status commit_number(struct store *store, uint64_t number)
{
    static const char value[VALUE_BYTES];
    struct key_u64 key                  = key_of_u64(number);
    CLEANUP(txn_abortp) struct txn *txn = NULL;
    TRY(txn_begin_write(store, &txn, NULL));
    TRY(txn_append(txn, TABLE_LEFT, key_u64_bytes(&key), (bytes){value, VALUE_BYTES}, NULL));
    TRY(txn_append(txn, TABLE_RIGHT, key_u64_bytes(&key), (bytes){value, VALUE_BYTES}, NULL));
    return txn_commit(TAKE(txn), NULL);
}

/* Never returns: commits and acknowledges until it is killed. */
static _Noreturn void write_for_ever(const char *path, uint64_t next, int acks)
{
    struct store *store = open_in(path);
    while (store && commit_number(store, next) == STATUS_OK) {
        if (write(acks, &next, sizeof next) != sizeof next) break;
        next++;
    }
    _exit(1);
}

/* The last number of a table, which must hold all before it; 0 if it is empty. */
static uint64_t last_number(struct txn *txn, unsigned table)
{
    bytes key;
    bytes value;
    uint64_t number = 0;
    uint64_t count  = 0;
    assert_int_equal(txn_count(txn, table, &count, NULL), STATUS_OK);
    if (txn_last(txn, table, &key, &value, NULL) != STATUS_OK) return 0;
    assert_true(key_take_u64(&key, &number));
    assert_int_equal(count, number);
    assert_int_equal(value.len, VALUE_BYTES);
    return number;
}

static uint64_t check(const char *path)
{
    struct store *store = open_in(path);
    assert_non_null(store);
    struct txn *txn = NULL;
    assert_int_equal(txn_begin_read(store, &txn, NULL), STATUS_OK);
    uint64_t left = last_number(txn, TABLE_LEFT);
    assert_int_equal(left, last_number(txn, TABLE_RIGHT));
    txn_abort(txn);
    store_close(store);
    return left;
}

static void nothing_acknowledged_is_lost(void **state)
{
    (void)state;
    CLEANUP(folder_remove) struct folder folder = folder_new();
    uint64_t last                               = 0;
    for (int round = 0; round < ROUNDS; round++) {
        int pipe_fds[2];
        assert_int_equal(pipe(pipe_fds), 0);
        pid_t child = fork();
        assert_true(child >= 0);
        if (child == 0) write_for_ever(folder.path, last + 1, pipe_fds[1]);
        close(pipe_fds[1]);

        uint64_t acknowledged = last;
        for (int acks = 0; acks <= round; acks++) {
            assert_int_equal(read(pipe_fds[0], &acknowledged, sizeof acknowledged),
                             sizeof acknowledged);
        }
        assert_int_equal(kill(child, SIGKILL), 0);
        assert_int_equal(waitpid(child, NULL, 0), child);
        /* It may have acknowledged more while it died. */
        while (read(pipe_fds[0], &acknowledged, sizeof acknowledged) > 0) continue;
        close(pipe_fds[0]);

        last = check(folder.path);
        assert_true(last >= acknowledged);
        assert_true(last <= acknowledged + 1); /* committed, killed before it could say so */
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(nothing_acknowledged_is_lost)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
