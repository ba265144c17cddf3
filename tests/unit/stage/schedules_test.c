/* Schedules of callers on the stage: what starts when, over crashes and steps of the clock. */
#include "cmocka.h"

#include "base/clock.h"
#include "run.pb-c.h"
#include "scheduler/engine/schedules/schedules.h"
#include "stage/stage.h"

#include <stdio.h>

enum { ARENA_MAX = 64 << 20, PARTITIONS = 3, RUNS_MAX = 1'000 };

#define SECOND   INT64_C(1'000'000)
#define MINUTE   (60 * SECOND)
#define HOUR     (60 * MINUTE)
#define DAY      (24 * HOUR)
#define START_US INT64_C(1'795'305'600'000'000) /* 2026-11-22T00:00:00Z */

struct world {
    struct stage *stage;
    struct arena *arena;
    const struct workflow *workflow;
};

static void world_open(struct world *world, const char *tasks)
{
    const struct stage_options options = {
        .partitions = PARTITIONS, .seed = 11, .now_us = START_US + SECOND};
    world->arena             = arena_new(ARENA_MAX);
    struct diagnostics *list = diagnostics_new(world->arena);
    const char *text         = arena_printf(
                world->arena,
                "document: {dsl: 1.0.3, namespace: default, name: job, version: 1.0.0}\ndo:\n%s", tasks);
    assert_int_equal(stage_open(&options, &world->stage, NULL), STATUS_OK);
    assert_int_equal(workflow_read(str_from(text), list, &world->workflow, NULL), STATUS_OK);
    assert_int_equal(stage_put(world->stage, world->workflow, NULL), STATUS_OK);
}

static void world_close(struct world *world)
{
    workflow_unref(world->workflow);
    stage_close(world->stage);
    arena_free(world->arena);
}

/* --- commands ----------------------------------------------------------------------------------
 */

/* The answer is `response`, whose memory is of the call: read it before the call goes. */
static status ask(struct world *world, enum command_kind kind, const void *request,
                  struct stage_call *call, void *response)
{
    call->command.kind      = kind;
    call->command.request   = request;
    call->command.response  = response;
    call->command.namespace = str_from("default");
    return stage_ask(world->stage, 0, call, NULL);
}

static status put(struct world *world, const Pb__ScheduleSpec *given, bool create)
{
    CLEANUP(stage_call_freep) struct stage_call *call = stage_call_new(COMMAND_PUT_SCHEDULE, 0);
    Pb__PutSchedule request                           = PB__PUT_SCHEDULE__INIT;
    Pb__ScheduleView response                         = PB__SCHEDULE_VIEW__INIT;
    Pb__ScheduleSpec spec                             = *given;
    spec.workflow                                     = "job";
    request.id                                        = "nightly";
    request.create                                    = create;
    request.spec                                      = &spec;
    status asked = ask(world, COMMAND_PUT_SCHEDULE, &request, call, &response);
    if (asked == STATUS_OK) assert_string_equal(response.name, ":nightly");
    return asked;
}

static void create(struct world *world, const Pb__ScheduleSpec *spec)
{
    assert_int_equal(put(world, spec, true), STATUS_OK);
}

static void set_paused(struct world *world, bool paused)
{
    CLEANUP(stage_call_freep) struct stage_call *call = stage_call_new(COMMAND_PAUSE_SCHEDULE, 0);
    Pb__PauseSchedule request                         = PB__PAUSE_SCHEDULE__INIT;
    Pb__ScheduleView response                         = PB__SCHEDULE_VIEW__INIT;
    request.id                                        = "nightly";
    request.paused                                    = paused;
    assert_int_equal(ask(world, COMMAND_PAUSE_SCHEDULE, &request, call, &response), STATUS_OK);
    assert_int_equal(response.paused, paused);
}

static Pb__ScheduleOutcome trigger(struct world *world)
{
    CLEANUP(stage_call_freep) struct stage_call *call = stage_call_new(COMMAND_TRIGGER_SCHEDULE, 0);
    Pb__TriggerSchedule request                       = PB__TRIGGER_SCHEDULE__INIT;
    Pb__TriggeredSchedule response                    = PB__TRIGGERED_SCHEDULE__INIT;
    request.id                                        = "nightly";
    assert_int_equal(ask(world, COMMAND_TRIGGER_SCHEDULE, &request, call, &response), STATUS_OK);
    return response.outcome;
}

static status backfill(struct world *world, int64_t from_us, int64_t to_us, bool allow,
                       uint32_t *ret_count)
{
    CLEANUP(stage_call_freep)
    struct stage_call *call         = stage_call_new(COMMAND_BACKFILL_SCHEDULE, 0);
    Pb__BackfillSchedule request    = PB__BACKFILL_SCHEDULE__INIT;
    Pb__BackfilledSchedule response = PB__BACKFILLED_SCHEDULE__INIT;
    request.id                      = "nightly";
    request.from_us                 = from_us;
    request.to_us                   = to_us;
    request.allow                   = allow;
    status asked = ask(world, COMMAND_BACKFILL_SCHEDULE, &request, call, &response);
    *ret_count   = response.count;
    return asked;
}

static void delete_schedule(struct world *world)
{
    CLEANUP(stage_call_freep) struct stage_call *call = stage_call_new(COMMAND_DELETE_SCHEDULE, 0);
    Pb__DeleteSchedule request                        = PB__DELETE_SCHEDULE__INIT;
    Pb__DeletedSchedule response                      = PB__DELETED_SCHEDULE__INIT;
    request.id                                        = "nightly";
    assert_int_equal(ask(world, COMMAND_DELETE_SCHEDULE, &request, call, &response), STATUS_OK);
}

/* --- time and what is there --------------------------------------------------------------------
 */

static void live(struct world *world, int64_t us)
{
    assert_int_equal(stage_settle(world->stage, NULL), STATUS_OK);
    while (us > 0) {
        int64_t wait_us = stage_wait_us(world->stage);
        if (wait_us > us) wait_us = us;
        stage_pass(world->stage, wait_us);
        us -= wait_us;
        assert_int_equal(stage_settle(world->stage, NULL), STATUS_OK);
    }
}

static void restart(struct world *world, int64_t after_us)
{
    stage_crash(world->stage);
    stage_pass(world->stage, after_us);
    assert_int_equal(stage_restart(world->stage, NULL), STATUS_OK);
    assert_int_equal(stage_settle(world->stage, NULL), STATUS_OK);
}

struct seen {
    Pb__RunView *runs[RUNS_MAX];
    size_t count;
    struct arena *arena;
};

static status see_run(bytes, bytes row, struct error *reterr, void *context)
{
    struct seen *seen = context;
    assert_true(seen->count < RUNS_MAX);
    return record_read(row, &pb__run_view__descriptor, seen->arena, &seen->runs[seen->count++],
                       reterr);
}

static void look(struct world *world, struct seen *ret_seen)
{
    *ret_seen = (struct seen){.arena = world->arena};
    for (uint16_t i = 0; i < PARTITIONS; i++) {
        CLEANUP(txn_abortp) struct txn *txn = NULL;
        struct page page                    = {.has_more = true};
        const struct scan scan              = {};
        assert_int_equal(txn_begin_read(stage_store(world->stage, i), &txn, NULL), STATUS_OK);
        while (page.has_more) {
            assert_int_equal(txn_page(txn, TABLE_RUNS, &scan, 100, &page, see_run, ret_seen, NULL),
                             STATUS_OK);
        }
    }
}

static size_t runs(struct world *world)
{
    struct seen seen;
    look(world, &seen);
    return seen.count;
}

static bool has_run_for(struct world *world, int64_t due_us)
{
    struct seen seen;
    char time[TIME_TEXT_SIZE];
    char client_id[128];
    size_t found = 0;
    time_format(due_us, time);
    (void)snprintf(client_id, sizeof client_id, "scheduled:nightly:%s", time);
    look(world, &seen);
    for (size_t i = 0; i < seen.count; i++) {
        found += strcmp(seen.runs[i]->client_id, client_id) == 0;
    }
    assert_true(found <= 1); /* one start for one time */
    return found == 1;
}

static size_t runs_in(struct world *world, Pb__RunStatus run_status)
{
    struct seen seen;
    size_t found = 0;
    look(world, &seen);
    for (size_t i = 0; i < seen.count; i++) found += seen.runs[i]->status == run_status;
    return found;
}

static const Pb__ScheduleView *row_of(struct world *world)
{
    CLEANUP(txn_abortp) struct txn *txn = NULL;
    Pb__ScheduleView *row               = NULL;
    struct key key;
    schedule_key(&key, str_from("default"), str_from(":nightly"));
    assert_int_equal(txn_begin_read(stage_store(world->stage, 0), &txn, NULL), STATUS_OK);
    assert_int_equal(record_get(txn, TABLE_SCHEDULES, key_bytes(&key),
                                &pb__schedule_view__descriptor, world->arena, &row, NULL),
                     STATUS_OK);
    return row;
}

static const char short_task[] = "  - a: {set: {x: 1}}\n";
static const char long_task[]  = "  - a: {wait: {minutes: 150}}\n";

static Pb__ScheduleSpec hourly(Pb__ScheduleOverlap overlap)
{
    Pb__ScheduleSpec spec = PB__SCHEDULE_SPEC__INIT;
    spec.every_us         = HOUR;
    spec.overlap          = overlap;
    spec.catch_up_us      = DAY;
    return spec;
}

#define SKIP    PB__SCHEDULE_OVERLAP__SCHEDULE_OVERLAP_SKIP
#define QUEUE   PB__SCHEDULE_OVERLAP__SCHEDULE_OVERLAP_QUEUE
#define ALLOW   PB__SCHEDULE_OVERLAP__SCHEDULE_OVERLAP_ALLOW
#define REPLACE PB__SCHEDULE_OVERLAP__SCHEDULE_OVERLAP_REPLACE

/* --- times -------------------------------------------------------------------------------------
 */

static void every_cron_and_at(void **state)
{
    (void)state;
    struct world world    = {};
    Pb__ScheduleSpec spec = hourly(SKIP);
    world_open(&world, short_task);
    create(&world, &spec);
    assert_int_equal(put(&world, &spec, true), STATUS_ALREADY_EXISTS);
    live(&world, 3 * HOUR);
    assert_int_equal(runs(&world), 3);
    assert_true(has_run_for(&world, START_US + HOUR));
    assert_true(has_run_for(&world, START_US + 3 * HOUR));

    spec.every_us  = 0;
    spec.cron      = "0 9 * * *";
    spec.time_zone = "Europe/Berlin";
    assert_int_equal(put(&world, &spec, false), STATUS_OK);
    live(&world, DAY);
    assert_int_equal(runs(&world), 4);
    assert_true(has_run_for(&world, START_US + 8 * HOUR));

    spec.cron  = "";
    spec.at_us = START_US + 2 * DAY;
    assert_int_equal(put(&world, &spec, false), STATUS_OK);
    live(&world, 3 * DAY);
    assert_int_equal(runs(&world), 5);
    assert_true(has_run_for(&world, spec.at_us));
    assert_int_equal(row_of(&world)->next_us, 0);

    delete_schedule(&world);
    assert_int_equal(put(&world, &spec, false), STATUS_NOT_FOUND);
    live(&world, DAY);
    assert_int_equal(runs(&world), 5);
    world_close(&world);
}

static void jitter_puts_off_and_keeps_the_time(void **state)
{
    (void)state;
    struct world world    = {};
    Pb__ScheduleSpec spec = hourly(SKIP);
    spec.jitter_us        = 30 * MINUTE;
    world_open(&world, short_task);
    create(&world, &spec);
    const Pb__ScheduleView *row = row_of(&world);
    int64_t late_us             = row->fire_us - row->next_us;
    assert_int_equal(row->next_us, START_US + HOUR);
    assert_true(late_us > 0 && late_us <= 30 * MINUTE);
    live(&world, HOUR - SECOND + late_us - 1);
    assert_int_equal(runs(&world), 0);
    live(&world, 1);
    assert_true(has_run_for(&world, START_US + HOUR));
    world_close(&world);
}

/* --- overlap -----------------------------------------------------------------------------------
 */

static void overlap_of_runs(void **state)
{
    (void)state;
    /* A run takes two and a half hours; after six hours and a bit: */
    static const struct {
        Pb__ScheduleOverlap overlap;
        size_t runs, waiting, cancelled;
        uint64_t held, skipped;
    } cases[] = {
        {SKIP, 2, 1, 0, 0, 4},
        {QUEUE, 3, 1, 0, 3, 0},
        {ALLOW, 6, 3, 0, 0, 0},
        {REPLACE, 6, 1, 5, 0, 0},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct world world          = {};
        const Pb__ScheduleSpec spec = hourly(cases[i].overlap);
        world_open(&world, long_task);
        create(&world, &spec);
        live(&world, 3 * HOUR);
        restart(&world, 0); /* what is waited for is not forgotten */
        live(&world, 3 * HOUR + MINUTE);
        const Pb__ScheduleView *row = row_of(&world);
        assert_int_equal(runs(&world), cases[i].runs);
        assert_int_equal(runs_in(&world, PB__RUN_STATUS__RUN_STATUS_WAITING), cases[i].waiting);
        assert_int_equal(runs_in(&world, PB__RUN_STATUS__RUN_STATUS_CANCELLED), cases[i].cancelled);
        assert_int_equal(row->n_waiting_us, cases[i].held);
        assert_int_equal(row->skipped, cases[i].skipped);
        world_close(&world);
    }
}

static void pause_and_trigger(void **state)
{
    (void)state;
    struct world world          = {};
    const Pb__ScheduleSpec spec = hourly(SKIP);
    world_open(&world, long_task);
    create(&world, &spec);
    set_paused(&world, true);
    live(&world, 5 * HOUR);
    assert_int_equal(runs(&world), 0);
    assert_int_equal(trigger(&world), PB__SCHEDULE_OUTCOME__SCHEDULE_OUTCOME_STARTED);
    assert_int_equal(trigger(&world), PB__SCHEDULE_OUTCOME__SCHEDULE_OUTCOME_SKIPPED);
    live(&world, 5 * HOUR); /* it ends */
    assert_int_equal(runs(&world), 1);
    set_paused(&world, false); /* the pause is not made up for */
    live(&world, HOUR);
    assert_int_equal(runs(&world), 2);
    assert_true(has_run_for(&world, START_US + 11 * HOUR));
    world_close(&world);
}

/* --- outages and clocks ------------------------------------------------------------------------
 */

static void outages_are_caught_up(void **state)
{
    (void)state;
    static const struct {
        Pb__ScheduleOverlap overlap;
        int64_t catch_up_us;
        size_t runs; /* after an outage of ten hours and a half */
    } cases[] = {
        {ALLOW, DAY, 10}, {ALLOW, 3 * HOUR, 3}, {ALLOW, 0, 0},
        {QUEUE, DAY, 10}, {SKIP, DAY, 1},       {SKIP, 2 * HOUR, 1},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct world world    = {};
        Pb__ScheduleSpec spec = hourly(cases[i].overlap);
        spec.catch_up_us      = cases[i].catch_up_us;
        world_open(&world, short_task);
        create(&world, &spec);
        restart(&world, 10 * HOUR + 30 * MINUTE);
        live(&world, MINUTE);
        assert_int_equal(runs(&world), cases[i].runs);
        for (int j = 0; j < 3; j++) restart(&world, SECOND);
        assert_int_equal(runs(&world), cases[i].runs);
        live(&world, 30 * MINUTE); /* and on it goes */
        assert_true(has_run_for(&world, START_US + 11 * HOUR));
        world_close(&world);
    }
}

/* An engine's time does not go back; that of the next process may. */
static void steps_of_the_clock_start_nothing_twice(void **state)
{
    (void)state;
    static const struct {
        int64_t to_us; /* the wall clock, then */
        bool restarts;
    } steps[] = {
        {MINUTE, false},        {MINUTE, true},   {2 * HOUR + 1, true}, {9 * HOUR + MINUTE, false},
        {6 * HOUR, false},      {6 * HOUR, true}, {3 * HOUR, true},     {12 * HOUR, true},
        {11 * HOUR + 1, false},
    };
    struct world world          = {};
    const Pb__ScheduleSpec spec = hourly(ALLOW);
    world_open(&world, short_task);
    create(&world, &spec);
    live(&world, 3 * HOUR);
    assert_int_equal(runs(&world), 3);
    for (size_t i = 0; i < ARRAY_LEN(steps); i++) {
        stage_set_now(world.stage, START_US + steps[i].to_us);
        if (steps[i].restarts) restart(&world, 0);
        live(&world, 90 * MINUTE);
    }
    stage_set_now(world.stage, START_US + 20 * HOUR + MINUTE);
    live(&world, MINUTE);
    assert_int_equal(runs(&world), 20);
    for (int64_t i = 1; i <= 20; i++) assert_true(has_run_for(&world, START_US + i * HOUR));
    world_close(&world);
}

static void backfill_starts_what_has_no_run(void **state)
{
    (void)state;
    struct world world    = {};
    Pb__ScheduleSpec spec = hourly(SKIP);
    uint32_t count        = 0;
    world_open(&world, short_task);
    create(&world, &spec);
    live(&world, 2 * HOUR);
    assert_int_equal(backfill(&world, START_US - 5 * HOUR, START_US + 2 * HOUR, false, &count),
                     STATUS_OK);
    assert_int_equal(count, 7); /* of which one has its run */
    live(&world, MINUTE);
    assert_int_equal(runs(&world), 2 + 6);
    assert_true(has_run_for(&world, START_US - 5 * HOUR));
    assert_int_equal(backfill(&world, START_US - 9 * HOUR, START_US, true, &count), STATUS_OK);
    live(&world, MINUTE);
    assert_int_equal(runs(&world), 2 + 6 + 4);
    assert_int_equal(row_of(&world)->n_waiting_us, 0);
    assert_false(row_of(&world)->running);

    assert_int_equal(backfill(&world, START_US - 600 * HOUR, START_US, true, &count),
                     STATUS_INVALID_ARGUMENT);
    assert_int_equal(backfill(&world, START_US, START_US, true, &count), STATUS_INVALID_ARGUMENT);
    assert_int_equal(backfill(&world, START_US, START_US + DAY, true, &count),
                     STATUS_INVALID_ARGUMENT);
    world_close(&world);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_cron_and_at),
        cmocka_unit_test(jitter_puts_off_and_keeps_the_time),
        cmocka_unit_test(overlap_of_runs),
        cmocka_unit_test(pause_and_trigger),
        cmocka_unit_test(outages_are_caught_up),
        cmocka_unit_test(steps_of_the_clock_start_nothing_twice),
        cmocka_unit_test(backfill_starts_what_has_no_run),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
