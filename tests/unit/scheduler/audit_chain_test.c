/* The chain of the audit log: any change of it is found, and old records leave an anchor. */
#include "cmocka.h"

#include "scheduler/tables/audit_chain.h"

#include <stdio.h>

enum { RECORDS = 40, ARENA_MAX = 16 << 20 };

struct rig {
    struct store *store;
    struct txn *txn;
    struct arena *arena;
    struct audit_end end;
};

static int set_up(void **state)
{
    static struct rig rig;
    const struct store_options options = {.tables = table_names, .size_max = 64 << 20};
    rig                                = (struct rig){.store = store_open_memory(&options)};
    rig.arena                          = arena_new(ARENA_MAX);
    *state                             = &rig;
    return txn_begin_write(rig.store, &rig.txn, NULL) == STATUS_OK && rig.arena ? 0 : -1;
}

static int tear_down(void **state)
{
    struct rig *rig = *state;
    txn_abort(rig->txn);
    store_close(rig->store);
    arena_free(rig->arena);
    return 0;
}

/* Record i was noted at 10 * i. */
static void append(struct rig *rig, size_t count)
{
    char resource[32];
    for (size_t i = 0; i < count; i++) {
        Pb__AuditRecord record = PB__AUDIT_RECORD__INIT;
        (void)snprintf(resource, sizeof resource, "/v1/runs/%d", (int)rig->end.number);
        record.noted_us = (int64_t)(rig->end.number + 1) * 10;
        record.action   = "startRun";
        record.resource = resource;
        record.result   = "done";
        assert_int_equal(audit_append(rig->txn, &rig->end, &record, rig->arena, NULL), STATUS_OK);
    }
}

static struct audit_check check(struct rig *rig, uint64_t after, uint64_t until, size_t count_max)
{
    struct audit_check found = {};
    assert_int_equal(audit_verify(rig->txn, after, until, count_max, &found, NULL), STATUS_OK);
    return found;
}

static bytes row_of(struct rig *rig, uint64_t number)
{
    const struct key_u64 key = key_of_u64(number);
    bytes row                = {};
    assert_int_equal(txn_get(rig->txn, TABLE_AUDIT, key_u64_bytes(&key), &row, NULL), STATUS_OK);
    return row;
}

static void put_row(struct rig *rig, uint64_t number, bytes row)
{
    const struct key_u64 key = key_of_u64(number);
    assert_int_equal(txn_put(rig->txn, TABLE_AUDIT, key_u64_bytes(&key), row, NULL), STATUS_OK);
}

static void delete_row(struct rig *rig, uint64_t number)
{
    const struct key_u64 key = key_of_u64(number);
    assert_int_equal(txn_delete(rig->txn, TABLE_AUDIT, key_u64_bytes(&key), NULL), STATUS_OK);
}

static void a_whole_chain_is_intact_page_by_page(void **state)
{
    struct rig *rig          = *state;
    struct audit_check found = check(rig, 0, 0, 10);
    assert_int_equal(found.first, 0);
    assert_int_equal(found.checked, 0);
    append(rig, RECORDS);
    uint64_t checked = 0;
    for (uint64_t after = 0;; after = found.last.number) {
        found = check(rig, after, 0, 7);
        assert_int_equal(found.bad, 0);
        checked += found.checked;
        if (!found.has_more) break;
        assert_int_equal(found.checked, 7);
    }
    assert_int_equal(checked, RECORDS);
    assert_int_equal(found.last.number, RECORDS);
    assert_memory_equal(found.last.hash, rig->end.hash, SHA256_SIZE);
    assert_int_equal(check(rig, 0, 12, 100).last.number, 12);

    struct audit_end end = {};
    assert_int_equal(audit_end_read(rig->txn, &end, NULL), STATUS_OK);
    assert_memory_equal(&end, &rig->end, sizeof end);
    assert_int_equal(audit_verify(rig->txn, RECORDS + 1, 0, 10, &found, NULL), STATUS_NOT_FOUND);
}

/* Any bit of a row, and any row. */
static void a_changed_bit_is_found(void **state)
{
    struct rig *rig = *state;
    uint8_t copy[512];
    append(rig, 3);
    bytes row  = row_of(rig, 2);
    size_t len = row.len;
    assert_true(len <= sizeof copy);
    memcpy(copy, row.ptr, len);
    for (size_t bit = 0; bit < 8 * len; bit++) {
        copy[bit / 8] ^= (uint8_t)(1U << bit % 8);
        put_row(rig, 2, (bytes){copy, len});
        assert_int_equal(check(rig, 0, 0, 10).bad, 2);
        copy[bit / 8] ^= (uint8_t)(1U << bit % 8);
    }
    put_row(rig, 2, (bytes){copy, len});
    assert_int_equal(check(rig, 0, 0, 10).bad, 0);
}

static void what_is_left_out_moved_or_put_in_is_found(void **state)
{
    struct rig *rig = *state;
    uint8_t copy[512];
    append(rig, RECORDS);
    bytes row  = row_of(rig, 5);
    size_t len = row.len;
    memcpy(copy, row.ptr, len);

    delete_row(rig, 5);
    struct audit_check found = check(rig, 0, 0, 100);
    assert_int_equal(found.bad, 5);
    assert_non_null(found.why);
    assert_int_equal(found.last.number, 4);
    put_row(rig, 5, row_of(rig, 6)); /* a record twice */
    assert_int_equal(check(rig, 0, 0, 100).bad, 5);
    put_row(rig, 5, (bytes){copy, SHA256_SIZE}); /* an anchor in the middle */
    assert_int_equal(check(rig, 0, 0, 100).bad, 5);
    put_row(rig, 5, (bytes){copy, 3});
    assert_int_equal(check(rig, 0, 0, 100).bad, 5);
    put_row(rig, 5, (bytes){copy, len});
    assert_int_equal(check(rig, 0, 0, 100).bad, 0);

    delete_row(rig, 1); /* without an anchor */
    assert_int_equal(check(rig, 0, 0, 100).bad, 1);
}

static void old_records_leave_an_anchor(void **state)
{
    struct rig *rig = *state;
    size_t count    = 0;
    append(rig, RECORDS);
    const struct audit_end end = rig->end;
    assert_int_equal(audit_remove(rig->txn, 10, 100, rig->arena, &count, NULL), STATUS_OK);
    assert_int_equal(count, 0);
    assert_false(check(rig, 0, 0, 100).has_anchor);

    static const struct {
        int64_t before_us;
        size_t most, removed;
        uint64_t first;
    } steps[] = {{101, 4, 4, 5}, {101, 100, 6, 11}, {101, 100, 0, 11}, {105, 1, 0, 11}};
    for (size_t i = 0; i < ARRAY_LEN(steps); i++) {
        assert_int_equal(
            audit_remove(rig->txn, steps[i].before_us, steps[i].most, rig->arena, &count, NULL),
            STATUS_OK);
        assert_int_equal(count, steps[i].removed);
        const struct audit_check found = check(rig, 0, 0, 100);
        assert_int_equal(found.bad, 0);
        assert_int_equal(found.first, steps[i].first);
        assert_true(found.has_anchor);
        assert_memory_equal(found.last.hash, end.hash, SHA256_SIZE);
    }
    /* All of them: numbers and hashes go on. */
    assert_int_equal(audit_remove(rig->txn, INT64_MAX, 100, rig->arena, &count, NULL), STATUS_OK);
    assert_int_equal(count, RECORDS - 10);
    assert_int_equal(audit_end_read(rig->txn, &rig->end, NULL), STATUS_OK);
    assert_memory_equal(&rig->end, &end, sizeof end);
    assert_int_equal(check(rig, 0, 0, 100).checked, 0);
    append(rig, 2);
    const struct audit_check found = check(rig, 0, 0, 100);
    assert_int_equal(found.bad, 0);
    assert_int_equal(found.checked, 2);
    assert_int_equal(found.first, RECORDS + 1);

    uint8_t row[SHA256_SIZE] = {1}; /* another anchor than that of the chain */
    put_row(rig, RECORDS, (bytes){row, sizeof row});
    assert_int_equal(check(rig, 0, 0, 100).bad, RECORDS + 1);
}

static void a_time_is_found(void **state)
{
    struct rig *rig = *state;
    uint64_t number = 7;
    size_t count    = 0;
    assert_int_equal(audit_number_at(rig->txn, 5, rig->arena, &number, NULL), STATUS_OK);
    assert_int_equal(number, 1);
    append(rig, RECORDS);
    static const struct {
        int64_t time_us;
        uint64_t whole, cut; /* after the first ten have gone */
    } rows[] = {{0, 1, 11},    {10, 1, 11},   {11, 2, 11},   {100, 10, 11},      {110, 11, 11},
                {111, 12, 12}, {400, 40, 40}, {401, 41, 41}, {INT64_MAX, 41, 41}};
    for (int is_cut = 0; is_cut < 2; is_cut++) {
        for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
            arena_clear(rig->arena);
            assert_int_equal(audit_number_at(rig->txn, rows[i].time_us, rig->arena, &number, NULL),
                             STATUS_OK);
            assert_int_equal(number, is_cut ? rows[i].cut : rows[i].whole);
        }
        assert_int_equal(audit_remove(rig->txn, 101, 100, rig->arena, &count, NULL), STATUS_OK);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_whole_chain_is_intact_page_by_page, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_changed_bit_is_found, set_up, tear_down),
        cmocka_unit_test_setup_teardown(what_is_left_out_moved_or_put_in_is_found, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(old_records_leave_an_anchor, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_time_is_found, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
