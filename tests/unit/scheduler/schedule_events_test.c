/* `schedule.on`: which events start which runs, each once. */
#include "cmocka.h"

#include "event.pb-c.h"
#include "scheduler/engine/schedules/schedules.h"
#include "support/scheduler/rig.h"

#include <stdio.h>

enum { TEXT_MAX = 2'048, RUNS_MAX = 8 };

static const char set_task[] = "  - a: {set: '${ $workflow.input }'}\n";

static void put(struct rig *rig, const char *version, const char *schedule, const char *tasks)
{
    char text[TEXT_MAX];
    (void)snprintf(text, sizeof text,
                   "document: {dsl: 1.0.3, namespace: default, name: job, version: %s}\n"
                   "%s%sdo:\n%s",
                   version, schedule, *schedule ? "\n" : "", tasks);
    rig_put_text(rig, text);
}

static bool publish_text(struct rig *rig, const char *text)
{
    ProtobufCBinaryData events[] = {rig_bytes(text)};
    Pb__PublishEvents message    = PB__PUBLISH_EVENTS__INIT;
    message.namespace_           = "default";
    message.events_json          = events;
    message.n_events_json        = 1;
    const struct question asked  = {
         .service = &pb__events__descriptor, .method = "Publish", .message = &message};
    const Pb__PublishedEvents *answer = rig_ask(rig, &asked);
    return answer->events[0]->duplicate;
}

/* Says whether it was one that has been there. */
static bool publish(struct rig *rig, const char *id, const char *type, const char *data)
{
    char text[TEXT_MAX];
    (void)snprintf(text, sizeof text,
                   "{\"specversion\": \"1.0\", \"source\": \"/test\", \"id\": \"%s\", \"type\": "
                   "\"%s\", \"data\": %s}",
                   id, type, data);
    return publish_text(rig, text);
}

static const Pb__ScheduleView *look(struct rig *rig)
{
    Pb__GetWorkflow message     = PB__GET_WORKFLOW__INIT;
    message.namespace_          = "default";
    message.name                = "job";
    const struct question asked = {
        .service = &pb__workflows__descriptor, .method = "Get", .message = &message};
    const Pb__WorkflowView *view = rig_ask(rig, &asked);
    return view->schedule;
}

/* Waits until the schedule holds so many events and has made so many starts. */
static void wait_for(struct rig *rig, uint64_t held, uint64_t starts)
{
    for (;;) {
        const Pb__ScheduleView *row = look(rig);
        if (row->events_held == held && row->starts == starts) return;
        rig_forget(rig);
        rig_pause();
    }
}

/* The runs of "job" in all partitions. */
struct run_list {
    const Pb__RunView *runs[RUNS_MAX];
    size_t n_runs;
};

static struct run_list runs(struct rig *rig)
{
    struct run_list list = {};
    for (uint16_t i = 0; i < rig->partitions; i++) {
        Pb__ListRuns message        = PB__LIST_RUNS__INIT;
        message.workflow            = "job";
        message.oldest_first        = true;
        const struct question asked = {.service   = &pb__runs__descriptor,
                                       .method    = "List",
                                       .message   = &message,
                                       .partition = i};
        const Pb__RunList *there    = rig_ask(rig, &asked);
        for (size_t k = 0; k < there->n_runs; k++) {
            assert_true(list.n_runs < RUNS_MAX);
            list.runs[list.n_runs++] = there->runs[k];
        }
    }
    return list;
}

static struct run_list wait_for_runs(struct rig *rig, size_t count)
{
    for (;;) {
        struct run_list list = runs(rig);
        if (list.n_runs >= count) return list;
        for (uint16_t i = 0; i < rig->partitions; i++) rig_forget(rig);
        rig_pause();
    }
}

static bool has_output(struct rig *rig, const char *run, const char *expected)
{
    const Pb__RunView *view = rig_get(rig, run);
    return view->output_json.len == strlen(expected) &&
           memcmp(view->output_json.data, expected, view->output_json.len) == 0;
}

/* There are as many runs as outputs, and each output is that of one run. */
static void assert_runs(struct rig *rig, const char *const *outputs, size_t count)
{
    struct run_list list = wait_for_runs(rig, count);
    assert_int_equal(list.n_runs, count);
    for (size_t i = 0; i < count; i++) {
        rig_wait_for(rig, list.runs[i]->id, PB__RUN_STATUS__RUN_STATUS_COMPLETED);
        assert_string_equal(list.runs[i]->created_by, "schedule");
    }
    for (size_t k = 0; k < count; k++) {
        size_t found = 0;
        for (size_t i = 0; i < count; i++) found += has_output(rig, list.runs[i]->id, outputs[k]);
        if (found != 1) fail_msg("%zu runs with output %s", found, outputs[k]);
    }
}
#define ASSERT_RUNS(rig, ...)                                                                      \
    assert_runs(rig, (const char *const[]){__VA_ARGS__},                                           \
                sizeof((const char *const[]){__VA_ARGS__}) / sizeof(const char *))

/* --- strategies --------------------------------------------------------------------------------
 */

static const struct {
    const char *schedule;
    struct {
        const char *type, *data;
    } events[6];
    const char *outputs[4]; /* of the runs */
    uint64_t held;
} cases[] = {
    {"{on: {one: {with: {type: go}}}}",
     {{"go", "1"}, {"other", "2"}, {"go", "{\"n\":3}"}},
     {"[1]", "[{\"n\":3}]"},
     0},
    {"{on: {one: {with: {type: go, data: '${ .n > 1 }'}}}}",
     {{"go", "{\"n\":1}"}, {"go", "{\"n\":2}"}, {"go", "7"}},
     {"[{\"n\":2}]"},
     0},
    {"{on: {any: [{with: {type: a}}, {with: {type: 'b.*'}}]}}",
     {{"a", "1"}, {"bc", "2"}, {"c", "3"}},
     {"[1]", "[2]"},
     0},
    {"{on: {any: []}}", {{"a", "1"}, {"b", "2"}}, {"[1]", "[2]"}, 0},
    /* Nothing that comes twice is lost: it waits for the next batch. */
    {"{on: {all: [{with: {type: a}}, {with: {type: b}}]}}",
     {{"a", "1"}, {"a", "2"}, {"b", "3"}, {"b", "4"}, {"b", "5"}},
     {"[1,3]", "[2,4]"},
     1},
    {"{on: {all: [{with: {type: a}, correlate: {o: {from: .data.o}}},"
     " {with: {type: b}, correlate: {o: {from: .data.o}}}]}}",
     {{"a", "{\"o\":1}"}, {"a", "{\"o\":2}"}, {"b", "{\"o\":2}"}, {"b", "{\"o\":3}"}},
     {"[{\"o\":2},{\"o\":2}]"},
     2},
    {"{on: {one: {with: {type: a}, correlate: {o: {from: .data, expect: '${ 1 + 1 | tostring }'}}}}"
     "}",
     {{"a", "1"}, {"a", "\"2\""}, {"a", "3"}},
     {"[\"2\"]"},
     0},
    {"{on: {any: [{with: {type: a}}], until: length == 2}}",
     {{"a", "1"}, {"a", "2"}, {"a", "3"}},
     {"[1,2]"},
     1},
    /* An end alone begins nothing, and is in no run. */
    {"{on: {any: [{with: {type: a}}], until: {one: {with: {type: end}}}}}",
     {{"end", "0"}, {"a", "1"}, {"a", "2"}, {"end", "3"}, {"end", "4"}},
     {"[1,2]"},
     0},
    {"{on: {any: [{with: {type: a}}], until: {all: [{with: {type: x}}, {with: {type: y}}]}}}",
     {{"a", "1"}, {"x", "2"}, {"a", "3"}, {"y", "4"}},
     {"[1,3]"},
     0},
};

static size_t count_of(const char *const *texts, size_t max)
{
    size_t count = 0;
    while (count < max && texts[count]) count++;
    return count;
}

static void test_strategies(void **)
{
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct rig rig = {};
        rig_init(&rig, i % 2 == 0 ? 1 : 3, false);
        char text[TEXT_MAX];
        (void)snprintf(text, sizeof text, "schedule: %s", cases[i].schedule);
        put(&rig, "1.0.0", text, set_task);
        assert_string_equal(look(&rig)->kind, "on");
        for (size_t k = 0; k < ARRAY_LEN(cases[i].events) && cases[i].events[k].type; k++) {
            char id[8];
            (void)snprintf(id, sizeof id, "%zu", k);
            assert_false(publish(&rig, id, cases[i].events[k].type, cases[i].events[k].data));
        }
        size_t count = count_of(cases[i].outputs, ARRAY_LEN(cases[i].outputs));
        wait_for(&rig, cases[i].held, count);
        assert_runs(&rig, cases[i].outputs, count);
        rig_done(&rig);
    }
}

static void test_read(void **)
{
    struct rig rig = {};
    rig_init(&rig, 1, false);
    put(&rig, "1.0.0", "schedule: {on: {one: {with: {type: go}}}, read: envelope}",
        "  - a: {set: '${ $workflow.input[0] | [.id, .type, .data] }'}\n");
    (void)publish(&rig, "7", "go", "1");
    (void)publish_text(&rig, "{\"specversion\": \"1.0\", \"source\": \"/test\", \"id\": \"8\", "
                             "\"type\": \"go\"}");
    ASSERT_RUNS(&rig, "[\"7\",\"go\",1]", "[\"8\",\"go\",null]");
    rig_done(&rig);
}

/* --- each event once ---------------------------------------------------------------------------
 */

static void test_a_restart_in_the_middle(void **state)
{
    uint16_t partitions = *state ? 3 : 1;
    struct rig rig      = {};
    rig_init(&rig, partitions, true);
    put(&rig, "1.0.0", "schedule: {on: {all: [{with: {type: a}}, {with: {type: b}}]}}", set_task);
    assert_false(publish(&rig, "1", "a", "1"));
    wait_for(&rig, 1, 0);
    rig_restart(&rig);
    assert_true(publish(&rig, "1", "a", "1")); /* the sender tries again */
    assert_int_equal(look(&rig)->events_held, 1);
    assert_false(publish(&rig, "2", "b", "2"));
    wait_for(&rig, 0, 1);
    rig_restart(&rig);
    assert_true(publish(&rig, "2", "b", "2"));
    ASSERT_RUNS(&rig, "[1,2]");
    struct run_list list = runs(&rig);
    assert_string_equal(list.runs[0]->client_id, "schedule:job:1.0.0:1");
    while (strcmp(look(&rig)->last_run, list.runs[0]->id) != 0) rig_pause();
    const Pb__ScheduleView *row = look(&rig);
    assert_true(row->last_us > 0);
    assert_true(row->next_us == 0);
    rig_done(&rig);
}

static void test_a_newer_version_takes_over(void **)
{
    struct rig rig = {};
    rig_init(&rig, 1, true);
    put(&rig, "1.0.0", "schedule: {on: {all: [{with: {type: a}}, {with: {type: b}}]}}", set_task);
    (void)publish(&rig, "1", "a", "1");
    wait_for(&rig, 1, 0);
    put(&rig, "1.1.0", "schedule: {on: {all: [{with: {type: b}}, {with: {type: c}}]}}", set_task);
    assert_int_equal(look(&rig)->events_held, 0); /* half of what 1.0.0 waited for */
    (void)publish(&rig, "2", "a", "2");
    (void)publish(&rig, "3", "b", "3");
    put(&rig, "1.0.1", "schedule: {on: {any: []}}", set_task);      /* older */
    put(&rig, "2.0.0-rc.1", "schedule: {on: {any: []}}", set_task); /* no release */
    rig_restart(&rig);
    (void)publish(&rig, "4", "c", "4");
    wait_for(&rig, 0, 1);
    ASSERT_RUNS(&rig, "[3,4]");

    put(&rig, "2.0.0", "", set_task);
    assert_null(look(&rig));
    (void)publish(&rig, "5", "b", "5");
    (void)publish(&rig, "6", "c", "6");
    assert_int_equal(runs(&rig).n_runs, 1);
    rig_done(&rig);
}

/* --- what is emitted ---------------------------------------------------------------------------
 */

static void test_runs_start_runs(void **state)
{
    uint16_t partitions = *state ? 3 : 1;
    struct rig rig      = {};
    rig_init(&rig, partitions, true);
    put(&rig, "1.0.0", "schedule: {on: {one: {with: {type: done}}}}", set_task);
    rig_put(&rig, "sender", "  - a: {emit: {event: {with: {type: done, data: '${ .n }'}}}}\n");
    for (int i = 0; i < 4; i++) {
        char input[16];
        (void)snprintf(input, sizeof input, "{\"n\":%d}", i);
        (void)rig_start(&rig, "sender", input);
    }
    wait_for(&rig, 0, 4);
    ASSERT_RUNS(&rig, "[0]", "[1]", "[2]", "[3]");
    rig_done(&rig);
}

/* What has started a run is its input: it listens for the next one. */
static void test_a_run_does_not_get_its_own_start(void **state)
{
    uint16_t partitions = *state ? 3 : 1;
    struct rig rig      = {};
    rig_init(&rig, partitions, true);
    put(&rig, "1.0.0", "schedule: {on: {one: {with: {type: go, data: first}}}}",
        "  - a: {listen: {to: {one: {with: {type: go}}}}}\n"
        "  - b: {set: '${ [$workflow.input[0], .[0]] }'}\n");
    (void)publish(&rig, "1", "go", "\"first\"");
    struct run_list list = wait_for_runs(&rig, 1);
    rig_wait_for(&rig, list.runs[0]->id, PB__RUN_STATUS__RUN_STATUS_WAITING);
    (void)publish(&rig, "2", "go", "\"second\"");
    ASSERT_RUNS(&rig, "[\"first\",\"second\"]");
    rig_done(&rig);
}

/* --- keys, refusals, limits --------------------------------------------------------------------
 */

static void test_one_run_per_key(void **)
{
    struct rig rig = {};
    rig_init(&rig, 3, false);
    rig_put_text(&rig, "document: {dsl: 1.0.3, namespace: default, name: job, version: 1.0.0,\n"
                       "  metadata: {tutti: {idempotencyKey: '${ .[0].order }'}}}\n"
                       "schedule: {on: {one: {with: {type: paid}}}}\n"
                       "do:\n  - a: {set: '${ $workflow.input }'}\n");
    (void)publish(&rig, "1", "paid", "{\"order\":\"x\"}");
    (void)publish(&rig, "2", "paid", "{\"order\":\"x\"}");
    (void)publish(&rig, "3", "paid", "{\"order\":\"y\"}");
    wait_for(&rig, 0, 3);
    ASSERT_RUNS(&rig, "[{\"order\":\"x\"}]", "[{\"order\":\"y\"}]");
    rig_done(&rig);
}

static void test_a_start_that_is_refused(void **)
{
    struct rig rig = {};
    rig_init(&rig, 1, false);
    put(&rig, "1.0.0",
        "schedule: {on: {one: {with: {type: go}}}}\n"
        "input: {schema: {document: {type: array, items: {type: string}}}}",
        set_task);
    (void)publish(&rig, "1", "go", "1");
    const Pb__ScheduleView *row = look(&rig);
    while (!*row->last_error) {
        rig_forget(&rig);
        rig_pause();
        row = look(&rig);
    }
    assert_int_equal(runs(&rig).n_runs, 0);
    (void)publish(&rig, "2", "go", "\"x\""); /* goes on with the next */
    ASSERT_RUNS(&rig, "[\"x\"]");
    rig_done(&rig);
}

static void test_an_expression_that_fails(void **)
{
    static const char *const schedules[] = {
        "schedule: {on: {one: {with: {type: go}, correlate: {o: {from: .data, expect: "
        "'${ error(\"oh\") }'}}}}}",
        "schedule: {on: {any: [{with: {type: go}}], until: error(\"oh\")}}",
    };
    for (size_t i = 0; i < ARRAY_LEN(schedules); i++) {
        struct rig rig = {};
        rig_init(&rig, 1, false);
        put(&rig, "1.0.0", schedules[i], set_task);
        (void)publish(&rig, "1", "go", "1");
        assert_non_null(strstr(look(&rig)->last_error, "oh"));
        assert_int_equal(look(&rig)->events_held, i); /* `until` has not said that it is over */
        assert_int_equal(look(&rig)->starts, 0);
        rig_done(&rig);
    }
}

static void test_the_oldest_makes_room(void **)
{
    struct rig rig = {};
    rig_init(&rig, 1, false);
    put(&rig, "1.0.0",
        "schedule: {on: {any: [{with: {type: a}}], until: {one: {with: {type: end}}}}}",
        "  - a: {set: '${ [($workflow.input | length), $workflow.input[0], $workflow.input[-1]] "
        "}'}\n");
    for (int i = 0; i <= SCHEDULE_EVENTS_MAX; i++) {
        char text[16];
        (void)snprintf(text, sizeof text, "%d", i);
        (void)publish(&rig, text, "a", text);
        rig_forget(&rig);
    }
    assert_int_equal(look(&rig)->events_held, SCHEDULE_EVENTS_MAX);
    (void)publish(&rig, "end", "end", "0");
    ASSERT_RUNS(&rig, "[1000,1,1000]");
    assert_int_equal(look(&rig)->events_held, 0);
    assert_int_equal(look(&rig)->held_bytes, 0);

    put(&rig, "1.1.0", "schedule: {on: {all: [{with: {type: b}}, {with: {type: c}}]}}", set_task);
    for (int i = 0; i <= SCHEDULE_EVENTS_MAX; i++) { /* each begins a batch */
        char text[16];
        (void)snprintf(text, sizeof text, "b%d", i);
        (void)publish(&rig, text, "b", text + 1);
        rig_forget(&rig);
    }
    assert_int_equal(look(&rig)->events_held, SCHEDULE_EVENTS_MAX);
    (void)publish(&rig, "c", "c", "0");
    struct run_list list = wait_for_runs(&rig, 2);
    rig_wait_for(&rig, list.runs[1]->id, PB__RUN_STATUS__RUN_STATUS_COMPLETED);
    assert_true(has_output(&rig, list.runs[1]->id, "[1,0]")); /* 0 was dropped */
    rig_done(&rig);
}

int main(void)
{
    int three                       = 3; /* partitions */
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_strategies),
        cmocka_unit_test(test_read),
        cmocka_unit_test(test_a_restart_in_the_middle),
        cmocka_unit_test_prestate(test_a_restart_in_the_middle, &three),
        cmocka_unit_test(test_a_newer_version_takes_over),
        cmocka_unit_test(test_runs_start_runs),
        cmocka_unit_test_prestate(test_runs_start_runs, &three),
        cmocka_unit_test(test_a_run_does_not_get_its_own_start),
        cmocka_unit_test_prestate(test_a_run_does_not_get_its_own_start, &three),
        cmocka_unit_test(test_one_run_per_key),
        cmocka_unit_test(test_a_start_that_is_refused),
        cmocka_unit_test(test_an_expression_that_fails),
        cmocka_unit_test(test_the_oldest_makes_room),
    };
    return cmocka_run_group_tests_name("schedule_events", tests, NULL, NULL);
}
