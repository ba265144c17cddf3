/* Cases that both kinds of store must pass, each on a fresh one. */
#ifndef SUPPORT_STORE_BOTH_KINDS_H
#define SUPPORT_STORE_BOTH_KINDS_H

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

static inline bytes of(const char *text)
{
    return bytes_from(str_from(text));
}

static inline void put(struct fixture *f, struct txn *txn, const char *key, const char *value)
{
    assert_int_equal(txn_put(txn, TABLE_A, of(key), of(value), &f->error), STATUS_OK);
}

static inline struct txn *begin_write(struct fixture *f)
{
    struct txn *txn = NULL;
    assert_int_equal(txn_begin_write(f->store, &txn, &f->error), STATUS_OK);
    return txn;
}

static inline struct txn *begin_read(struct fixture *f)
{
    struct txn *txn = NULL;
    assert_int_equal(txn_begin_read(f->store, &txn, &f->error), STATUS_OK);
    return txn;
}

static inline void commit(struct fixture *f, struct txn *txn)
{
    assert_int_equal(txn_commit(txn, &f->error), STATUS_OK);
}

/* Commits one entry per letter of `keys`, each with its key as value. */
static inline void fill(struct fixture *f, const char *keys)
{
    struct txn *txn = begin_write(f);
    for (const char *key = keys; *key; key++) {
        bytes one = {.ptr = key, .len = 1};
        assert_int_equal(txn_put(txn, TABLE_A, one, one, &f->error), STATUS_OK);
    }
    commit(f, txn);
}

static inline void expect_entry(struct txn *txn, const char *key, const char *value)
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
static inline void expect_scan(struct txn *txn, const struct scan *scan, const char *expected)
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

struct reader {
    pthread_t thread;
    struct store *store;
    const char *problem; /* NULL: none; read after joining */
};

struct row {
    const char *name;
    case_fn check;
};

static inline void check_in_memory(void **state)
{
    const struct row *row              = *state;
    const struct store_options options = {.size_max = SIZE_MAX_BYTES, .tables = tables};
    struct fixture fixture             = {.store = store_open_memory(&options)};
    assert_string_equal(store_kind(fixture.store), "memory (nothing is durable)");
    row->check(&fixture);
    store_close(fixture.store);
}

static inline void check_on_disk(void **state)
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

enum { ROWS_MAX = 32 };

/** Runs each row against a store in memory and one on disk. */
static inline int run_rows(const struct row *rows, size_t count)
{
    struct CMUnitTest tests[2 * ROWS_MAX];
    char names[2 * ROWS_MAX][64];
    assert_true(count <= ROWS_MAX);
    for (size_t i = 0; i < count; i++) {
        (void)snprintf(names[2 * i], sizeof names[0], "memory: %s", rows[i].name);
        (void)snprintf(names[2 * i + 1], sizeof names[0], "lmdb: %s", rows[i].name);
        tests[2 * i]     = row_test(names[2 * i], check_in_memory, &rows[i]);
        tests[2 * i + 1] = row_test(names[2 * i + 1], check_on_disk, &rows[i]);
    }
    return _cmocka_run_group_tests("store", tests, 2 * count, NULL, NULL);
}

#endif
