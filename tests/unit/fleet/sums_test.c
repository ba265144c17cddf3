/* Rows of the same queue and the same worker become one, whoever says them. */
#include "cmocka.h"

#include "fleet/sums.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>

enum { ROOM = 4 };

static Pb__QueueView queue_row(const char *name)
{
    Pb__QueueView row = PB__QUEUE_VIEW__INIT;
    row.name          = (char *)(uintptr_t)name;
    return row;
}

static void counts_are_added(void **)
{
    Pb__QueueView *items[ROOM];
    struct queue_sum sum         = {.items = items};
    Pb__QueueView rows[]         = {queue_row("mail"), queue_row("other"), queue_row("mail")};
    rows[0].depth                = 1;
    rows[0].delayed              = 2;
    rows[0].held                 = 3;
    rows[0].running              = 4;
    rows[0].dead_letters         = 5;
    rows[0].completed_per_second = 0.5;
    rows[0].failed_per_second    = 0.25;
    rows[0].workers              = 2;
    rows[2].depth                = 10;
    rows[2].delayed              = 20;
    rows[2].held                 = 30;
    rows[2].running              = 40;
    rows[2].dead_letters         = 50;
    rows[2].completed_per_second = 1.5;
    rows[2].failed_per_second    = 2.5;
    rows[2].workers              = 3;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) queue_sum_add(&sum, &rows[i]);

    assert_int_equal(sum.count, 2);
    assert_string_equal(items[0]->name, "mail");
    assert_int_equal(items[0]->depth, 11);
    assert_int_equal(items[0]->delayed, 22);
    assert_int_equal(items[0]->held, 33);
    assert_int_equal(items[0]->running, 44);
    assert_int_equal(items[0]->dead_letters, 55);
    assert_true(items[0]->completed_per_second == 2.0);
    assert_true(items[0]->failed_per_second == 2.75);
    assert_int_equal(items[0]->workers, 3); /* they poll all partitions */
    assert_string_equal(items[1]->name, "other");
    assert_int_equal(items[1]->depth, 0);
}

static void the_oldest_job_is_the_oldest_of_all(void **)
{
    static const int64_t cases[][3] = {
        {0, 0, 0}, {0, 7, 7}, {7, 0, 7}, {7, 5, 5}, {5, 7, 5}}; /* 0: it has none */
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        Pb__QueueView *items[ROOM];
        struct queue_sum sum = {.items = items};
        Pb__QueueView rows[] = {queue_row("mail"), queue_row("mail")};
        rows[0].oldest_us    = cases[i][0];
        rows[1].oldest_us    = cases[i][1];
        queue_sum_add(&sum, &rows[0]);
        queue_sum_add(&sum, &rows[1]);
        assert_int_equal(items[0]->oldest_us, cases[i][2]);
    }
}

/* Paused in all, at work in any: in either order. */
static void states_are_those_of_all_or_any(void **)
{
    for (unsigned i = 0; i < 4; i++) {
        bool first = i & 1U;
        bool other = i & 2U;
        Pb__QueueView *items[ROOM];
        struct queue_sum sum = {.items = items};
        Pb__QueueView rows[] = {queue_row("mail"), queue_row("mail")};
        rows[0].paused = rows[0].purging = rows[0].redriving = first;
        rows[1].paused = rows[1].purging = rows[1].redriving = other;
        queue_sum_add(&sum, &rows[0]);
        queue_sum_add(&sum, &rows[1]);
        assert_int_equal(items[0]->paused, first && other);
        assert_int_equal(items[0]->purging, first || other);
        assert_int_equal(items[0]->redriving, first || other);
    }
}

/* The row that does not know the queue yet may come first. */
static void settings_are_those_of_the_first_that_has_them(void **)
{
    Pb__QueueView *items[ROOM];
    struct queue_sum sum       = {.items = items};
    Pb__QueueView rows[]       = {queue_row("mail"), queue_row("mail"), queue_row("mail")};
    rows[1].concurrency        = 3;
    rows[1].rate_count         = 4;
    rows[1].rate_period_us     = 5;
    rows[1].key_concurrency    = 6;
    rows[1].key_rate_count     = 7;
    rows[1].key_rate_period_us = 8;
    rows[1].redrive_json       = (char *)(uintptr_t) "{}";
    rows[2]                    = rows[1];
    rows[2].rate_count         = 40;
    rows[2].rate_period_us     = 50;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) queue_sum_add(&sum, &rows[i]);
    assert_int_equal(items[0]->concurrency, 3);
    assert_int_equal(items[0]->rate_count, 4);
    assert_int_equal(items[0]->rate_period_us, 5);
    assert_int_equal(items[0]->key_concurrency, 6);
    assert_int_equal(items[0]->key_rate_count, 7);
    assert_int_equal(items[0]->key_rate_period_us, 8);
    assert_string_equal(items[0]->redrive_json, "{}");
}

static void a_worker_has_its_slots_in_all(void **)
{
    Pb__WorkerStatus *items[ROOM];
    struct worker_sum sum   = {.items = items};
    Pb__WorkerStatus rows[] = {PB__WORKER_STATUS__INIT, PB__WORKER_STATUS__INIT,
                               PB__WORKER_STATUS__INIT};
    rows[0].name = rows[2].name = (char *)(uintptr_t) "tools-1";
    rows[1].name                = (char *)(uintptr_t) "tools-2";
    rows[0].slots               = 4;
    rows[2].slots               = 5;
    rows[0].busy                = 1;
    rows[2].busy                = 2;
    rows[0].last_seen_us        = 100;
    rows[2].last_seen_us        = 300;
    rows[1].last_seen_us        = 200;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) worker_sum_add(&sum, &rows[i]);
    assert_int_equal(sum.count, 2);
    assert_int_equal(items[0]->slots, 9);
    assert_int_equal(items[0]->busy, 3);
    assert_int_equal(items[0]->last_seen_us, 300);
    assert_int_equal(items[1]->last_seen_us, 200);
}

/* One of a user's own says the same to all partitions. */
static void external_slots_are_not_added(void **)
{
    Pb__WorkerStatus *items[ROOM];
    struct worker_sum sum   = {.items = items};
    Pb__WorkerStatus rows[] = {PB__WORKER_STATUS__INIT, PB__WORKER_STATUS__INIT};
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        rows[i].name  = (char *)(uintptr_t) "default:w";
        rows[i].kind  = (char *)(uintptr_t) "external";
        rows[i].slots = 4;
        worker_sum_add(&sum, &rows[i]);
    }
    assert_int_equal(items[0]->slots, 4);
    Pb__QueueView *views[ROOM];
    struct queue_sum queues = {.items = views};
    Pb__QueueView of[]      = {PB__QUEUE_VIEW__INIT, PB__QUEUE_VIEW__INIT};
    for (size_t i = 0; i < ARRAY_LEN(of); i++) {
        of[i].name           = "q";
        of[i].slots          = 3;
        of[i].external_slots = 4;
        queue_sum_add(&queues, &of[i]);
    }
    assert_int_equal(views[0]->slots, 6);
    assert_int_equal(views[0]->external_slots, 4);
}

static void names_beyond_the_limit_are_left_out(void **)
{
    enum { ROWS = SUM_NAMES_MAX + 1, NAME_SIZE = 16 };
    struct queue_sum queues   = {.items = calloc(SUM_NAMES_MAX, sizeof *queues.items)};
    struct worker_sum workers = {.items = calloc(SUM_NAMES_MAX, sizeof *workers.items)};
    Pb__QueueView *rows       = calloc(ROWS, sizeof *rows);
    Pb__WorkerStatus *others  = calloc(ROWS, sizeof *others);
    char(*names)[NAME_SIZE]   = calloc(ROWS, sizeof *names);
    assert_true(queues.items && workers.items && rows && others && names);
    for (int i = 0; i < ROWS; i++) {
        (void)snprintf(names[i], NAME_SIZE, "q%d", i);
        rows[i]        = queue_row(names[i]);
        rows[i].depth  = 1;
        others[i]      = (Pb__WorkerStatus)PB__WORKER_STATUS__INIT;
        others[i].name = names[i];
        queue_sum_add(&queues, &rows[i]);
        worker_sum_add(&workers, &others[i]);
    }
    assert_int_equal(queues.count, SUM_NAMES_MAX);
    assert_int_equal(workers.count, SUM_NAMES_MAX);
    Pb__QueueView again = queue_row("q0");
    again.depth         = 1;
    queue_sum_add(&queues, &again); /* a known name is added still */
    assert_int_equal(queues.items[0]->depth, 2);
    free(names);
    free(others);
    free(rows);
    free(workers.items);
    free(queues.items);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(counts_are_added),
        cmocka_unit_test(the_oldest_job_is_the_oldest_of_all),
        cmocka_unit_test(states_are_those_of_all_or_any),
        cmocka_unit_test(settings_are_those_of_the_first_that_has_them),
        cmocka_unit_test(a_worker_has_its_slots_in_all),
        cmocka_unit_test(external_slots_are_not_added),
        cmocka_unit_test(names_beyond_the_limit_are_left_out),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
