#include "cmocka.h"

#include "scheduler/tables/record.h"
#include "scheduler/tables/tables.h"

static const char run_a[] = "01JD0000000000000000000000";
static const char run_b[] = "01JD0000000000000000000001";

static int compare(const struct key *a, const struct key *b)
{
    size_t shorter = a->len < b->len ? a->len : b->len;
    int order      = memcmp(a->data, b->data, shorter);
    return order ? order : (int)a->len - (int)b->len;
}

static void test_every_table_has_a_name(void **)
{
    for (size_t i = 0; i < TABLE_COUNT; i++) {
        assert_non_null(table_names[i]);
        for (size_t k = 0; k < i; k++) assert_string_not_equal(table_names[i], table_names[k]);
    }
    assert_null(table_names[TABLE_COUNT]);
}

/* Each row stands before the next one in its queue. */
static void test_ready_sorts_by_priority_time_sequence(void **)
{
    const struct ready_place rows[] = {
        {.priority = 9, .due_us = INT64_MAX, .sequence = UINT64_MAX},
        {.priority = 5, .due_us = 10, .sequence = 1},
        {.priority = 5, .due_us = 10, .sequence = 2},
        {.priority = 5, .due_us = 256, .sequence = 0},
        {.priority = 0, .due_us = 0, .sequence = 0},
    };
    struct key before = {};
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct ready_place place = rows[i];
        place.namespace          = str_from("acme");
        place.queue              = str_from("gpu");
        struct key key;
        ready_key(&key, &place);
        if (i > 0) assert_true(compare(&before, &key) < 0);
        before = key;

        struct key_text namespace = {};
        struct key_text queue     = {};
        struct ready_place read   = {};
        assert_true(ready_key_read(key_bytes(&key), &namespace, &queue, &read));
        assert_true(str_is(read.namespace, "acme"));
        assert_true(str_is(read.queue, "gpu"));
        assert_int_equal(read.priority, place.priority);
        assert_int_equal(read.due_us, place.due_us);
        assert_int_equal(read.sequence, place.sequence);
        for (size_t cut = 0; cut < key.len; cut++) {
            const bytes part = {key.data, cut};
            assert_false(ready_key_read(part, &namespace, &queue, &read));
        }
    }
}

static void test_ready_refuses_what_it_does_not_write(void **)
{
    struct key_text namespace = {};
    struct key_text queue     = {};
    struct ready_place read   = {};
    struct key key;
    queue_key(&key, str_from("a"), str_from("b"));
    key_put_u8(&key, 10); /* no such priority */
    key_put_u64(&key, 1);
    key_put_u64(&key, 1);
    assert_false(ready_key_read(key_bytes(&key), &namespace, &queue, &read));
    queue_key(&key, str_from("a"), str_from("b"));
    key_put_u8(&key, 1);
    key_put_u64(&key, UINT64_MAX); /* no such time */
    key_put_u64(&key, 1);
    assert_false(ready_key_read(key_bytes(&key), &namespace, &queue, &read));
    const struct ready_place place = {.queue = str_from("q")};
    ready_key(&key, &place);
    key_put_u8(&key, 0); /* one byte too many */
    assert_false(ready_key_read(key_bytes(&key), &namespace, &queue, &read));
}

static void test_timers_sort_by_time(void **)
{
    struct key one;
    struct key two;
    timer_key(&one, 255, str_from(run_b));
    timer_key(&two, 256, str_from(run_a));
    assert_true(compare(&one, &two) < 0);
    timer_key(&two, 255, str_from(run_a));
    assert_true(compare(&two, &one) < 0);

    int64_t due_us = 0;
    struct id run  = {};
    assert_true(timer_key_read(key_bytes(&one), &due_us, &run));
    assert_int_equal(due_us, 255);
    assert_string_equal(run.text, run_b);
    for (size_t cut = 0; cut < one.len; cut++) {
        assert_false(timer_key_read((bytes){one.data, cut}, &due_us, &run));
    }
}

static void test_names_do_not_run_into_each_other(void **)
{
    struct key one;
    struct key two;
    client_id_key(&one, str_from("ab"), str_from("c"));
    client_id_key(&two, str_from("a"), str_from("bc"));
    assert_true(compare(&one, &two) != 0);
    idempotency_key(&one, str_from("n"), str_from("k1"), str_from("x"));
    idempotency_key(&two, str_from("n"), str_from("k"), str_from("1x"));
    assert_true(compare(&one, &two) != 0);
    workflow_key(&one, str_from("n"), str_from("a"), (str){});
    workflow_key(&two, str_from("n"), str_from("a"), str_from("1.0.0"));
    assert_memory_equal(one.data, two.data, one.len); /* the prefix of its versions */
    workflow_key(&two, str_from("n"), str_from("ab"), str_from("1.0.0"));
    assert_memory_not_equal(one.data, two.data, one.len); /* and of no other name's */
}

static void test_own_queues(void **)
{
    static const char *const own[]    = {"tools", "llm", "tools.memory", "llm.batch"};
    static const char *const others[] = {"", "default", "tool", "toolsx", "llms", "x.tools"};
    for (size_t i = 0; i < ARRAY_LEN(own); i++) assert_true(queue_is_own(str_from(own[i])));
    for (size_t i = 0; i < ARRAY_LEN(others); i++) assert_false(queue_is_own(str_from(others[i])));
}

/* What does not fit into memory is no damage. */
static void test_a_full_arena_is_no_damage(void **)
{
    Pb__RunHead head                       = PB__RUN_HEAD__INIT;
    Pb__RunHead *read                      = NULL;
    char phase[2'000]                      = {};
    uint8_t packed[4'000]                  = {};
    struct arena *small                    = arena_new(1'024);
    struct arena *large                    = arena_new(16'384);
    const ProtobufCMessageDescriptor *type = &pb__run_head__descriptor;
    memset(phase, 'a', sizeof phase - 1);
    head.phase = phase;
    bytes row  = {packed, protobuf_c_message_pack(&head.base, packed)};
    assert_int_equal(record_read(row, type, small, &read, NULL), STATUS_RESOURCE_EXHAUSTED);
    assert_int_equal(record_read(row, type, large, &read, NULL), STATUS_OK);
    assert_string_equal(read->phase, phase);
    row.len -= 5;
    assert_int_equal(record_read(row, type, large, &read, NULL), STATUS_DATA_LOSS);
    arena_free(small);
    arena_free(large);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_table_has_a_name),
        cmocka_unit_test(test_a_full_arena_is_no_damage),
        cmocka_unit_test(test_ready_sorts_by_priority_time_sequence),
        cmocka_unit_test(test_ready_refuses_what_it_does_not_write),
        cmocka_unit_test(test_timers_sort_by_time),
        cmocka_unit_test(test_names_do_not_run_into_each_other),
        cmocka_unit_test(test_own_queues),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
