#include "support/scheduler/rig_rows.h"

#include "support/cmocka.h"

#include <string.h>

struct txn *rig_txn(const struct rig *rig, bool is_write)
{
    struct store *store = scheduler_shard(rig->scheduler, 0)->partition->store;
    struct txn *txn     = NULL;
    status begun =
        is_write ? txn_begin_write(store, &txn, NULL) : txn_begin_read(store, &txn, NULL);
    assert_int_equal(begun, STATUS_OK);
    return txn;
}

uint64_t rig_count_rows(const struct rig *rig, enum table table)
{
    CLEANUP(txn_abortp) struct txn *txn = rig_txn(rig, false);
    uint64_t count                      = 0;
    assert_int_equal(txn_count(txn, table, &count, NULL), STATUS_OK);
    return count;
}

void rig_put_row(const struct rig *rig, enum table table, bytes key, const char *value)
{
    CLEANUP(txn_abortp) struct txn *txn = rig_txn(rig, true);
    assert_int_equal(txn_put(txn, table, key, bytes_from(str_from(value)), NULL), STATUS_OK);
    assert_int_equal(txn_commit(TAKE(txn), NULL), STATUS_OK);
}

size_t rig_spoil_rows(const struct rig *rig, enum table table, bytes prefix, const char *value)
{
    CLEANUP(txn_abortp) struct txn *txn          = rig_txn(rig, true);
    const struct scan scan                       = {.prefix = prefix};
    CLEANUP(cursor_closep) struct cursor *cursor = NULL;
    size_t count                                 = 0;
    bytes key                                    = {};
    bytes row                                    = {};
    assert_int_equal(cursor_open(txn, table, &scan, &cursor, NULL), STATUS_OK);
    for (; cursor_next(cursor, &key, &row, NULL) == STATUS_OK; count++) {
        char copy[STORE_KEY_MAX];
        const bytes kept = {copy, key.len};
        memcpy(copy, key.ptr, key.len);
        assert_int_equal(txn_put(txn, table, kept, bytes_from(str_from(value)), NULL), STATUS_OK);
    }
    cursor_close(TAKE(cursor));
    assert_int_equal(txn_commit(TAKE(txn), NULL), STATUS_OK);
    return count;
}
