/* Schedules: which starts they make, and that each is made once. */
#include "cmocka.h"

#include "base/clock.h"
#include "scheduler/engine/partition.h"
#include "scheduler/tables/record.h"
#include "scheduler/tables/tables.h"
#include "support/scheduler/rig.h"

#include <stdio.h>

#define HOUR_US INT64_C(3'600'000'000)
#define DAY_US  (24 * HOUR_US)

enum { TEXT_MAX = 1'024 };

static void put(struct rig *rig, const char *version, const char *schedule, const char *tasks)
{
    char text[TEXT_MAX];
    (void)snprintf(text, sizeof text,
                   "document: {dsl: 1.0.3, namespace: default, name: job, version: %s}\n"
                   "%sdo:\n%s",
                   version, schedule, tasks);
    rig_put_text(rig, text);
}

static const Pb__WorkflowView *look(struct rig *rig)
{
    Pb__GetWorkflow message     = PB__GET_WORKFLOW__INIT;
    message.namespace_          = "default";
    message.name                = "job";
    const struct question asked = {
        .service = &pb__workflows__descriptor, .method = "Get", .message = &message};
    return rig_ask(rig, &asked);
}

static const Pb__RunList *runs(struct rig *rig)
{
    Pb__ListRuns message        = PB__LIST_RUNS__INIT;
    message.workflow            = "job";
    message.oldest_first        = true;
    const struct question asked = {
        .service = &pb__runs__descriptor, .method = "List", .message = &message};
    return rig_ask(rig, &asked);
}

/* Waits until there are so many runs. */
static const Pb__RunList *wait_for_runs(struct rig *rig, size_t count)
{
    for (;;) {
        const Pb__RunList *list = runs(rig);
        if (list->n_runs >= count) return list;
        rig_forget(rig);
        rig_pause();
    }
}

static void signal_go(struct rig *rig, const char *run)
{
    Pb__SignalRun message       = PB__SIGNAL_RUN__INIT;
    message.id                  = run;
    message.name                = "go";
    const struct question asked = {
        .service = &pb__runs__descriptor, .method = "Signal", .message = &message};
    (void)rig_ask(rig, &asked);
}

static const char set_task[]    = "  - a: {set: {n: 1}}\n";
static const char listen_task[] = "  - a: {listen: {to: {one: {with: {type: go}}}}}\n";

/* --- what is next ------------------------------------------------------------------------------
 */

static void test_next_times(void **)
{
    struct rig rig = {};
    rig_init(&rig, 1, true);
    put(&rig, "1.0.0", "schedule: {cron: '30 3 1 1 *'}\n", set_task);
    const Pb__ScheduleView *row = look(&rig)->schedule;
    char text[TIME_TEXT_SIZE];
    time_format(row->next_us, text);
    assert_non_null(strstr(text, "-01-01T03:30:00.000Z"));
    assert_string_equal(row->kind, "cron");
    assert_string_equal(row->version, "1.0.0");

    put(&rig, "1.1.0", "schedule: {every: {hours: 2}}\n", set_task); /* takes its place */
    row = look(&rig)->schedule;
    assert_string_equal(row->kind, "every");
    assert_string_equal(row->version, "1.1.0");
    int64_t every_us = row->next_us;
    assert_true(every_us % (2 * HOUR_US) == 0);
    assert_true(every_us - clock_unix_us() <= 2 * HOUR_US);

    put(&rig, "1.2.0", "schedule: {every: {hours: 2}}\n", set_task); /* puts nothing off */
    assert_true(look(&rig)->schedule->next_us == every_us ||
                look(&rig)->schedule->next_us == every_us + 2 * HOUR_US);

    put(&rig, "1.0.1", "", set_task);      /* older, so it says nothing */
    put(&rig, "2.0.0-rc.1", "", set_task); /* nor does one that is no release */
    assert_string_equal(look(&rig)->schedule->version, "1.2.0");
    rig_restart(&rig);
    assert_string_equal(look(&rig)->schedule->version, "1.2.0");

    put(&rig, "2.0.0", "", set_task);
    assert_null(look(&rig)->schedule);
    assert_int_equal(runs(&rig)->n_runs, 0);
    rig_done(&rig);
}

/* --- starts ------------------------------------------------------------------------------------
 */

static void test_every_second(void **)
{
    struct rig rig = {};
    rig_init(&rig, 1, false);
    put(&rig, "1.0.0", "schedule: {every: PT1S}\n", listen_task); /* does not wait for the end */
    const Pb__RunList *list = wait_for_runs(&rig, 2);
    assert_string_equal(list->runs[0]->created_by, "schedule");
    assert_non_null(strstr(list->runs[0]->client_id, "schedule:job:2"));
    assert_string_not_equal(list->runs[0]->client_id, list->runs[1]->client_id);
    assert_int_equal(list->runs[0]->status, PB__RUN_STATUS__RUN_STATUS_WAITING);
    rig_done(&rig);
}

static void test_after_the_end(void **)
{
    struct rig rig = {};
    rig_init(&rig, 1, true);
    put(&rig, "1.0.0", "schedule: {after: {milliseconds: 20}}\n", listen_task);
    const Pb__RunList *list = wait_for_runs(&rig, 1); /* at once */
    char first[32];
    (void)snprintf(first, sizeof first, "%s", list->runs[0]->id);
    rig_wait_for(&rig, first, PB__RUN_STATUS__RUN_STATUS_WAITING);
    const Pb__ScheduleView *row = look(&rig)->schedule;
    assert_true(row->next_us == 0);

    put(&rig, "1.1.0", "schedule: {after: {milliseconds: 30}}\n", listen_task);
    rig_restart(&rig);
    assert_int_equal(runs(&rig)->n_runs, 1);
    signal_go(&rig, first);
    list = wait_for_runs(&rig, 2);
    assert_string_equal(list->runs[1]->version, "1.1.0");
    int64_t gap_us = list->runs[1]->created_us - rig_get(&rig, first)->ended_us;
    assert_true(gap_us >= 30'000);
    row = look(&rig)->schedule;
    assert_true(row->last_us > 0);
    rig_done(&rig);
}

static void test_a_start_that_is_refused(void **)
{
    struct rig rig = {};
    rig_init(&rig, 1, false);
    put(&rig, "1.0.0",
        "schedule: {after: PT1H}\ninput: {schema: {document: {type: object, required: [n]}}}\n",
        set_task);
    const Pb__ScheduleView *row = look(&rig)->schedule;
    while (!*row->last_error) {
        rig_forget(&rig);
        rig_pause();
        row = look(&rig)->schedule;
    }
    assert_non_null(strstr(row->last_error, "`n`"));
    assert_true(row->next_us > clock_unix_us()); /* it is tried again, in an hour */
    assert_int_equal(runs(&rig)->n_runs, 0);
    rig_done(&rig);
}

/* --- what was missed ---------------------------------------------------------------------------
 */

/* Turns the one schedule of a scheduler that is down back by some hours. */
static void turn_back(const struct rig *rig, int64_t hours)
{
    struct partition *partition            = NULL;
    struct txn *txn                        = NULL;
    struct error error                     = {};
    const struct partition_options options = {
        .folder = rig->folder, .map_size = 1 << 30, .index = 0, .count = rig->partitions};
    assert_int_equal(partition_open(&options, &partition, &error), STATUS_OK);
    assert_int_equal(txn_begin_write(partition->store, &txn, &error), STATUS_OK);

    struct arena *arena   = arena_new(1 << 20);
    Pb__ScheduleView *row = NULL;
    struct key key;
    schedule_key(&key, str_from("default"), str_from("job"));
    assert_int_equal(record_get(txn, TABLE_SCHEDULES, key_bytes(&key),
                                &pb__schedule_view__descriptor, arena, &row, &error),
                     STATUS_OK);
    struct key due;
    schedule_due_key(&due, row->next_us, str_from("default"), str_from("job"));
    assert_int_equal(txn_delete(txn, TABLE_SCHEDULE_DUE, key_bytes(&due), &error), STATUS_OK);
    row->next_us -= hours * HOUR_US;
    schedule_due_key(&due, row->next_us, str_from("default"), str_from("job"));
    assert_int_equal(txn_put(txn, TABLE_SCHEDULE_DUE, key_bytes(&due), (bytes){}, &error),
                     STATUS_OK);
    assert_int_equal(record_put(txn, TABLE_SCHEDULES, key_bytes(&key), &row->base, &error),
                     STATUS_OK);
    assert_int_equal(txn_commit(txn, &error), STATUS_OK);
    arena_free(arena);
    partition_close(partition);
}

static void test_of_what_was_missed_the_latest_is_started(void **)
{
    static const char *const schedules[] = {"schedule: {every: P1D}\n",
                                            "schedule: {cron: '0 0 * * *'}\n"};
    for (size_t i = 0; i < ARRAY_LEN(schedules); i++) {
        struct rig rig = {};
        rig_init(&rig, 1, true);
        put(&rig, "1.0.0", schedules[i], set_task);
        rig_stop(&rig);
        turn_back(&rig, 30 * 24); /* it was down for a month */
        rig_resume(&rig);
        const Pb__RunList *list     = wait_for_runs(&rig, 1);
        const Pb__ScheduleView *row = look(&rig)->schedule;
        int64_t now_us              = clock_unix_us();
        char time[TIME_TEXT_SIZE];
        time_format(row->last_us, time);
        assert_non_null(strstr(list->runs[0]->client_id, time));
        assert_true(row->last_us % DAY_US == 0);
        assert_true(now_us - row->last_us < 2 * DAY_US);
        assert_true(row->next_us == row->last_us + DAY_US);

        /* The same time once more, as after a restore: it has been started. */
        rig_stop(&rig);
        turn_back(&rig, 24);
        rig_resume(&rig);
        while (look(&rig)->schedule->next_us <= now_us) {
            rig_forget(&rig);
            rig_pause();
        }
        rig_restart(&rig);
        assert_int_equal(runs(&rig)->n_runs, 1);
        rig_done(&rig);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_next_times),
        cmocka_unit_test(test_every_second),
        cmocka_unit_test(test_after_the_end),
        cmocka_unit_test(test_a_start_that_is_refused),
        cmocka_unit_test(test_of_what_was_missed_the_latest_is_started),
    };
    return cmocka_run_group_tests_name("schedule", tests, NULL, NULL);
}
