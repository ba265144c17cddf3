/* Events of a namespace: who gets them, how often, and what is kept for whom. */
#include "cmocka.h"

#include "event.pb-c.h"
#include "scheduler/engine/events/events.h"
#include "support/scheduler/rig.h"

#include "base/mem.h"
#include <stdio.h>
#include <stdlib.h>

enum { RUNNING = PB__RUN_STATUS__RUN_STATUS_WAITING };

static const char listens_go[] = "  - a: {listen: {to: {one: {with: {type: go}}}}}\n";
static const char by_order[] =
    "  - a: {listen: {to: {one: {with: {type: paid}, correlate: {order: {from: .data.order,"
    " expect: '${ .order }'}}}}}}\n";

/* `rest` is the end of the event: `"data": 1`. */
static const Pb__PublishedEvents *publish_to(struct rig *rig, const char *namespace, const char *id,
                                             const char *type, const char *rest, status expected)
{
    char text[512];
    (void)snprintf(text, sizeof text,
                   "{\"specversion\": \"1.0\", \"source\": \"/test\", \"id\": \"%s\", "
                   "\"type\": \"%s\", %s}",
                   id, type, rest);
    ProtobufCBinaryData events[] = {rig_bytes(text)};
    Pb__PublishEvents message    = PB__PUBLISH_EVENTS__INIT;
    message.namespace_           = namespace;
    message.events_json          = events;
    message.n_events_json        = 1;
    const struct question asked  = {.service  = &pb__events__descriptor,
                                    .method   = "Publish",
                                    .message  = &message,
                                    .expected = expected};
    return rig_ask(rig, &asked);
}

static bool publish(struct rig *rig, const char *id, const char *type, const char *rest)
{
    const Pb__PublishedEvents *answer = publish_to(rig, "default", id, type, rest, STATUS_OK);
    assert_int_equal(answer->n_events, 1);
    assert_string_equal(answer->events[0]->id, id);
    return answer->events[0]->duplicate;
}

static void assert_output(struct rig *rig, const char *run, const char *expected)
{
    rig_wait_for(rig, run, PB__RUN_STATUS__RUN_STATUS_COMPLETED);
    const Pb__RunView *view = rig_get(rig, run);
    assert_int_equal(view->output_json.len, strlen(expected));
    assert_memory_equal(view->output_json.data, expected, strlen(expected));
}

static void assert_waits(struct rig *rig, const char *run)
{
    assert_int_equal(rig_get(rig, run)->status, RUNNING);
}

/* --- who gets an event -------------------------------------------------------------------------
 */

static void test_all_who_listen_get_it_once(void **state)
{
    uint16_t partitions = *state ? 3 : 1;
    struct rig rig      = {};
    rig_init(&rig, partitions, true);
    rig_put(&rig, "go", listens_go);
    const char *runs[6];
    for (int i = 0; i < 6; i++) runs[i] = rig_start(&rig, "go", "{}")->run->id;
    if (partitions == 1) rig_restart(&rig); /* they sleep on disk now */
    assert_false(publish(&rig, "1", "other", "\"data\": 0"));
    for (int i = 0; i < 6; i++) assert_waits(&rig, runs[i]);
    assert_false(publish(&rig, "2", "go", "\"data\": {\"n\": 2}"));
    for (int i = 0; i < 6; i++) assert_output(&rig, runs[i], "[{\"n\":2}]");
    rig_done(&rig);
}

static void test_a_source_and_id_count_once(void **)
{
    struct rig rig = {};
    rig_init(&rig, 1, true);
    rig_put(&rig, "two",
            "  - a: {listen: {to: {any: [{with: {type: go}}], until: 'length == 2'}}}\n");
    const char *run = rig_start(&rig, "two", "{}")->run->id;
    assert_false(publish(&rig, "1", "go", "\"data\": 1"));
    assert_true(publish(&rig, "1", "go", "\"data\": 2"));
    rig_restart(&rig);
    assert_true(publish(&rig, "1", "go", "\"data\": 3"));
    assert_waits(&rig, run);
    assert_false(publish(&rig, "2", "go", "\"data\": 4"));
    assert_output(&rig, run, "[1,4]");
    rig_done(&rig);
}

static void test_a_correlation_finds_its_run(void **)
{
    struct rig rig = {};
    rig_init(&rig, 1, true);
    rig_put(&rig, "order", by_order);
    const char *one = rig_start(&rig, "order", "{\"order\": 1}")->run->id;
    const char *two = rig_start(&rig, "order", "{\"order\": 2}")->run->id;
    (void)publish(&rig, "a", "paid", "\"data\": {\"order\": 3}");
    (void)publish(&rig, "b", "paid", "\"data\": {\"order\": 2.0}");
    assert_output(&rig, two, "[{\"order\":2}]");
    assert_waits(&rig, one);
    (void)publish(&rig, "c", "paid", "\"data\": {\"order\": 1}");
    assert_output(&rig, one, "[{\"order\":1}]");
    rig_done(&rig);
}

static void test_another_namespace_hears_nothing(void **)
{
    struct rig rig = {};
    rig_init(&rig, 1, false);
    rig_put(&rig, "go", listens_go);
    const char *run = rig_start(&rig, "go", "{}")->run->id;
    (void)publish_to(&rig, "elsewhere", "1", "go", "\"data\": 1", STATUS_OK);
    assert_waits(&rig, run);
    (void)publish_to(&rig, "*", "1", "go", "\"data\": 1", STATUS_INVALID_ARGUMENT);
    (void)publish_to(&rig, "default", "", "go", "\"data\": 1", STATUS_INVALID_ARGUMENT);
    (void)publish_to(&rig, "default", "1", "go", "\"Bad-Name\": 1", STATUS_INVALID_ARGUMENT);
    rig_done(&rig);
}

static void test_filters_that_no_index_knows(void **)
{
    struct rig rig = {};
    rig_init(&rig, 1, true);
    rig_put(&rig, "pattern", "  - a: {listen: {to: {one: {with: {type: 'g[op]+'}}}}}\n");
    rig_put(&rig, "whole", "  - a: {listen: {to: {any: []}}}\n");
    rig_put(&rig, "asks",
            "  - a: {listen: {to: {one: {with: {type: gop, data: '${ . > 2 }'}}}}}\n");
    const char *pattern = rig_start(&rig, "pattern", "{}")->run->id;
    const char *asks    = rig_start(&rig, "asks", "{}")->run->id;
    const char *whole   = rig_start(&rig, "whole", "{}")->run->id;
    (void)publish(&rig, "1", "gop", "\"data\": 1");
    assert_output(&rig, pattern, "[1]");
    assert_output(&rig, whole, "[1]");
    assert_waits(&rig, asks);
    (void)publish(&rig, "2", "gop", "\"data\": 3");
    assert_output(&rig, asks, "[3]");
    rig_done(&rig);
}

static void test_emit_reaches_other_runs(void **state)
{
    struct rig rig = {};
    rig_init(&rig, *state ? 3 : 1, true);
    rig_put(&rig, "go", listens_go);
    rig_put(&rig, "send",
            "  - a: {emit: {event: {with: {type: go, data: {by: send}}}}}\n"
            "  - b: {set: {done: true}}\n");
    const char *one    = rig_start(&rig, "go", "{}")->run->id;
    const char *two    = rig_start(&rig, "go", "{}")->run->id;
    const char *sender = rig_start(&rig, "send", "{}")->run->id;
    assert_output(&rig, sender, "{\"done\":true}");
    assert_output(&rig, one, "[{\"by\":\"send\"}]");
    assert_output(&rig, two, "[{\"by\":\"send\"}]");
    rig_done(&rig);
}

/* --- who comes later ---------------------------------------------------------------------------
 */

static void test_a_run_that_listens_later_gets_it_too(void **)
{
    struct rig rig = {};
    rig_init(&rig, 1, true);
    rig_put(&rig, "go", listens_go);
    rig_put(&rig, "later",
            "  - w: {listen: {to: {one: {with: {type: first}}}}}\n"
            "  - a: {listen: {to: {one: {with: {type: go}}}}}\n");
    const char *late = rig_start(&rig, "later", "{}")->run->id;
    const char *now  = rig_start(&rig, "go", "{}")->run->id;
    (void)publish(&rig, "1", "go", "\"data\": 1");
    assert_output(&rig, now, "[1]");
    const char *new = rig_start(&rig, "go", "{}")->run->id; /* too late: somebody has it */
    rig_restart(&rig);
    (void)publish(&rig, "2", "first", "\"data\": 0");
    assert_output(&rig, late, "[1]");
    assert_waits(&rig, new);
    rig_done(&rig);
}

static void test_an_event_for_nobody_waits_for_the_first(void **)
{
    struct rig rig = {};
    rig_init(&rig, 1, true);
    rig_put(&rig, "go", listens_go);
    (void)publish(&rig, "1", "go", "\"data\": 1");
    (void)publish(&rig, "2", "go", "\"data\": 2");
    rig_restart(&rig);
    assert_output(&rig, rig_start(&rig, "go", "{}")->run->id, "[1]");
    assert_output(&rig, rig_start(&rig, "go", "{}")->run->id, "[2]");
    assert_waits(&rig, rig_start(&rig, "go", "{}")->run->id);
    rig_done(&rig);
}

static void test_a_loop_takes_each_kept_event_once(void **)
{
    struct rig rig = {};
    rig_init(&rig, 1, true);
    rig_put(&rig, "loop",
            "  - w: {listen: {to: {one: {with: {type: first}}}}}\n"
            "  - l: {for: {in: '[1, 2, 3]'}, do: [{a: {listen: {to: {one: {with:"
            " {type: go}}}}, output: {as: '.[0]'}, export: {as: '($context.all //"
            " []) + [.] | {all: .}'}}}]}\n"
            "  - o: {set: '${ $context.all }'}\n");
    const char *run = rig_start(&rig, "loop", "{}")->run->id;
    (void)publish(&rig, "1", "go", "\"data\": 1");
    (void)publish(&rig, "2", "go", "\"data\": 2");
    (void)publish(&rig, "3", "first", "\"data\": 0");
    assert_waits(&rig, run);
    (void)publish(&rig, "4", "go", "\"data\": 3");
    assert_output(&rig, run, "[1,2,3]");
    rig_done(&rig);
}

static void test_a_full_buffer_refuses_the_sender(void **)
{
    struct rig rig = {};
    rig_init(&rig, 1, false);
    rig_put(&rig, "go", listens_go);
    ProtobufCBinaryData events[EVENTS_PER_CALL_MAX];
    struct {
        char text[128];
    } *texts = mem_new(EVENTS_PER_CALL_MAX, sizeof *texts);
    for (int batch = 0; batch < 3; batch++) {
        for (int i = 0; i < EVENTS_PER_CALL_MAX; i++) {
            (void)snprintf(texts[i].text, sizeof texts[i].text,
                           "{\"specversion\":\"1.0\",\"source\":\"s\",\"id\":\"%d\",\"type\":"
                           "\"go\",\"data\":%d}",
                           batch * EVENTS_PER_CALL_MAX + i, i);
            events[i] = rig_bytes(texts[i].text);
        }
        Pb__PublishEvents message   = PB__PUBLISH_EVENTS__INIT;
        message.namespace_          = "default";
        message.events_json         = events;
        message.n_events_json       = EVENTS_PER_CALL_MAX;
        const struct question asked = {
            .service  = &pb__events__descriptor,
            .method   = "Publish",
            .message  = &message,
            .expected = batch < 2 ? STATUS_OK : STATUS_RESOURCE_EXHAUSTED,
            .code     = batch < 2 ? NULL : "rate_limited",
        };
        (void)rig_ask(&rig, &asked);
    }
    assert_output(&rig, rig_start(&rig, "go", "{}")->run->id, "[0]"); /* makes room for one */
    assert_false(publish(&rig, "new", "go", "\"data\": 1"));
    (void)publish_to(&rig, "default", "newer", "go", "\"data\": 1", STATUS_RESOURCE_EXHAUSTED);
    /* What no workflow listens to is accepted and forgotten. */
    assert_false(publish(&rig, "other", "unknown", "\"data\": 1"));
    free(texts);
    rig_done(&rig);
}

int main(void)
{
    int three                       = 3; /* partitions */
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_all_who_listen_get_it_once),
        cmocka_unit_test_prestate(test_all_who_listen_get_it_once, &three),
        cmocka_unit_test(test_a_source_and_id_count_once),
        cmocka_unit_test(test_a_correlation_finds_its_run),
        cmocka_unit_test(test_another_namespace_hears_nothing),
        cmocka_unit_test(test_filters_that_no_index_knows),
        cmocka_unit_test(test_emit_reaches_other_runs),
        cmocka_unit_test_prestate(test_emit_reaches_other_runs, &three),
        cmocka_unit_test(test_a_run_that_listens_later_gets_it_too),
        cmocka_unit_test(test_an_event_for_nobody_waits_for_the_first),
        cmocka_unit_test(test_a_loop_takes_each_kept_event_once),
        cmocka_unit_test(test_a_full_buffer_refuses_the_sender),
    };
    return cmocka_run_group_tests_name("event_service", tests, NULL, NULL);
}
