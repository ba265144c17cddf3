/* Rows that cannot be read of jobs, times, keys and messages: what they were for goes on without
 * them. */
#include "cmocka.h"

#include "base/clock.h"
#include "provider_key.pb-c.h"
#include "scheduler/tables/record.h"
#include "support/scheduler/rig_rows.h"

#include <stdio.h>

/* --- rows that are read at the start ------------------------------------------------------------
 */

static const bytes nothing = {"\xff\xff\xff", 3};

/* All rows of a table, and one more that is none. */
static void spoil(struct rig *rig, enum table table)
{
    (void)rig_spoil_rows(rig, table, (bytes){}, "\xff\xff\xff");
    rig_put_row(rig, table, nothing, "\xff\xff\xff");
}

static const char *start(struct rig *rig, const char *workflow)
{
    return rig_start(rig, workflow, "{}")->run->id;
}

static void test_a_partition_starts_without_them(void **)
{
    static const enum table spoiled[] = {TABLE_READY,         TABLE_QUEUES,      TABLE_BUDGETS,
                                         TABLE_RUN_PURSES,    TABLE_BUDGET_ASKS, TABLE_MODEL_PRICES,
                                         TABLE_UNSAID_LEASES, TABLE_LIMITS};
    struct rig rig                    = {};
    rig_init(&rig, 1, true);
    rig_put(&rig, "calls", "  - a: {call: llm.chat, with: {model: m, prompt: hi}}\n");
    const char *lost = start(&rig, "calls");
    rig_wait_for_event(&rig, lost, "job.scheduled");
    rig_restart(&rig);
    for (size_t i = 0; i < ARRAY_LEN(spoiled); i++) spoil(&rig, spoiled[i]);
    rig_restart(&rig);

    const char *run          = start(&rig, "calls");
    const Pb__LeasedJob *job = rig_lease(&rig, "llm", 5'000);
    assert_string_equal(job->run, run);
    assert_int_equal(rig_complete(&rig, job, "{}"), STATUS_OK);
    rig_wait_for(&rig, run, PB__RUN_STATUS__RUN_STATUS_COMPLETED);

    /* One that goes while somebody has it looks at those that went before. */
    run = start(&rig, "calls");
    job = rig_lease(&rig, "llm", 5'000);
    assert_string_equal(job->run, run);
    rig_cancel(&rig, run);
    rig_wait_for(&rig, run, PB__RUN_STATUS__RUN_STATUS_CANCELLED);
    rig_restart(&rig);
    rig_done(&rig);
}

/* --- jobs that have ended -----------------------------------------------------------------------
 */

static const Pb__JobView *get_job(struct rig *rig, const char *id, status expected)
{
    Pb__GetJob message          = PB__GET_JOB__INIT;
    message.namespace_          = "default";
    message.id                  = id;
    const struct question asked = {.service   = &pb__jobs__descriptor,
                                   .method    = "Get",
                                   .message   = &message,
                                   .namespace = "default",
                                   .expected  = expected};
    return rig_ask(rig, &asked);
}

static const char *job_done(struct rig *rig)
{
    const char *run          = start(rig, "calls");
    const Pb__LeasedJob *job = rig_lease(rig, "llm", 5'000);
    assert_int_equal(rig_complete(rig, job, "{}"), STATUS_OK);
    rig_wait_for(rig, run, PB__RUN_STATUS__RUN_STATUS_COMPLETED);
    return job->id;
}

/* Their entries are sought in the journal, where others may be damaged. */
static void test_jobs_before_entries_that_cannot_be_read(void **)
{
    struct rig rig = {};
    rig_init(&rig, 1, true);
    rig_put(&rig, "calls", "  - a: {call: llm.chat, with: {model: m, prompt: hi}}\n");
    const char *whole = job_done(&rig);
    uint64_t before   = rig_count_rows(&rig, TABLE_JOURNAL);
    rig_pause(); /* entries of one time are looked through without halving */
    const char *hurt = job_done(&rig);
    (void)job_done(&rig);
    uint64_t count = rig_count_rows(&rig, TABLE_JOURNAL);
    assert_true(count > before);
    for (uint64_t number = before + 1; number <= count; number++) {
        const struct key_u64 key = key_of_u64(number);
        rig_put_row(&rig, TABLE_JOURNAL, key_u64_bytes(&key), "\xff");
    }
    assert_string_equal(get_job(&rig, whole, STATUS_OK)->state, "completed");
    assert_null(get_job(&rig, hurt, STATUS_NOT_FOUND));
    rig_done(&rig);
}

/* --- keys of providers --------------------------------------------------------------------------
 */

static void set_key(struct rig *rig, const char *provider)
{
    Pb__ProviderKey message     = PB__PROVIDER_KEY__INIT;
    message.provider            = provider;
    message.secret              = "spare";
    const struct question asked = {
        .service = &pb__provider_keys__descriptor, .method = "Put", .message = &message};
    (void)rig_ask(rig, &asked);
}

static void test_keys_beside_one_that_cannot_be_read(void **)
{
    Pb__ListProviderKeys message = PB__LIST_PROVIDER_KEYS__INIT;
    const struct question asked  = {
         .service = &pb__provider_keys__descriptor, .method = "List", .message = &message};
    struct rig rig = {};
    struct key key;
    rig_init(&rig, 1, true);
    set_key(&rig, "hurt");
    set_key(&rig, "whole");
    provider_key_row(&key, str_from("hurt"));
    rig_put_row(&rig, TABLE_META, key_bytes(&key), "\xff\xff\xff");
    const Pb__ProviderKeyList *list = rig_ask(&rig, &asked);
    assert_int_equal(list->n_keys, 1);
    assert_string_equal(list->keys[0]->provider, "whole");
    set_key(&rig, "hurt"); /* anew */
    list = rig_ask(&rig, &asked);
    assert_int_equal(list->n_keys, 2);
    rig_done(&rig);
}

/* --- times -------------------------------------------------------------------------------------
 */

static const bytes before_all = {(const uint8_t *)"\0", 1};

static void test_a_timer_that_says_no_time(void **)
{
    struct rig rig = {};
    rig_init(&rig, 1, true);
    rig_put(&rig, "waits", "  - w: {wait: {milliseconds: 300}}\n");
    rig_put_row(&rig, TABLE_TIMERS, before_all, "");
    const char *run = start(&rig, "waits");
    rig_wait_for(&rig, run, PB__RUN_STATUS__RUN_STATUS_COMPLETED);
    assert_int_equal(rig_count_rows(&rig, TABLE_TIMERS), 0);
    rig_put_row(&rig, TABLE_TIMERS, before_all, "");
    rig_restart(&rig);
    assert_int_equal(rig_count_rows(&rig, TABLE_TIMERS), 0);
    rig_done(&rig);
}

static void put_scheduled(struct rig *rig, const char *name, const char *version)
{
    char text[256];
    (void)snprintf(text, sizeof text,
                   "document: {dsl: '1.0.3', namespace: test, name: %s, version: %s}\n"
                   "schedule: {every: PT1S}\ndo:\n  - a: {set: {x: 1}}\n",
                   name, version);
    rig_put_text(rig, text);
}

static void pause_until(int64_t until_ms)
{
    assert_true(clock_mono_ms() < until_ms);
    rig_pause();
}

/* It starts nothing any more until it is registered anew; the others go on. */
static void test_a_schedule_that_cannot_be_read(void **)
{
    int64_t until_ms = clock_mono_ms() + RIG_WAIT_MS;
    struct rig rig   = {};
    struct key key;
    rig_init(&rig, 1, true);
    put_scheduled(&rig, "hurt", "1.0.0");
    put_scheduled(&rig, "whole", "1.0.0");
    schedule_key(&key, str_from("test"), str_from("hurt"));
    rig_put_row(&rig, TABLE_SCHEDULES, key_bytes(&key), "\xff\xff\xff");
    rig_put_row(&rig, TABLE_SCHEDULE_DUE, before_all, "");
    while (rig_count_rows(&rig, TABLE_SCHEDULE_DUE) > 1) pause_until(until_ms);
    uint64_t runs = rig_count_rows(&rig, TABLE_RUNS);
    while (rig_count_rows(&rig, TABLE_RUNS) < runs + 2) pause_until(until_ms);
    assert_int_equal(rig_count_rows(&rig, TABLE_SCHEDULES), 2); /* it stays */
    rig_put_row(&rig, TABLE_SCHEDULE_DUE, before_all, "");
    rig_restart(&rig);
    assert_int_equal(rig_count_rows(&rig, TABLE_SCHEDULE_DUE), 1);
    put_scheduled(&rig, "hurt", "1.1.0");
    assert_int_equal(rig_count_rows(&rig, TABLE_SCHEDULE_DUE), 2);
    rig_done(&rig);
}

/* --- numbers of messages -----------------------------------------------------------------------
 */

/* What a partition has taken, and what it has sent: a child run needs messages in both directions.
 */
static void test_numbers_of_messages_that_cannot_be_read(void **)
{
    struct rig rig = {};
    struct key outbox;
    rig_init(&rig, 1, true);
    key_begin(&outbox);
    key_put_text(&outbox, str_from("outbox"));
    rig_put(&rig, "child", "  - a: {set: {x: 1}}\n");
    rig_put(&rig, "parent",
            "  - a: {run: {workflow: {namespace: default, name: child, version: latest}}}\n");
    for (int i = 0; i < 4; i++) {
        const char *run = rig_start(&rig, "parent", "{}")->run->id;
        rig_wait_for(&rig, run, PB__RUN_STATUS__RUN_STATUS_COMPLETED);
        if (i == 0) assert_true(rig_spoil_rows(&rig, TABLE_INBOX, (bytes){}, "?") > 0);
        if (i == 1) {
            rig_restart(&rig);
            assert_true(rig_spoil_rows(&rig, TABLE_META, key_bytes(&outbox), "?") > 0);
            rig_restart(&rig);
        }
    }
    rig_done(&rig);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_partition_starts_without_them),
        cmocka_unit_test(test_jobs_before_entries_that_cannot_be_read),
        cmocka_unit_test(test_keys_beside_one_that_cannot_be_read),
        cmocka_unit_test(test_a_timer_that_says_no_time),
        cmocka_unit_test(test_a_schedule_that_cannot_be_read),
        cmocka_unit_test(test_numbers_of_messages_that_cannot_be_read),
    };
    return cmocka_run_group_tests_name("damaged rows", tests, NULL, NULL);
}
