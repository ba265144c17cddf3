/*
 * Functions of `use.functions` as tools of an agent: what they do stands in the conversation, so
 * that each call has tasks, keys and compensations of its own. `world` proves after each command
 * that the journal alone, and a snapshot, give the same run.
 */
#include "agent_talk.h"
#include "run_row.h"

#include "json/json_text.h"

#define GET(url) "call: http, with: {method: get, endpoint: '" url "'}"
#define FUNCTIONS                                                                                  \
    "use: {functions: {"                                                                           \
    "look: {input: {schema: {document: {required: [q], properties: {q: {type: integer}}}}}, do: [" \
    "{ask: {" GET(                                                                                 \
        "https://a.test/") "}}, "                                                                  \
                           "{all: {for: {in: '[1, 2]'}, do: [{each: {" GET(                        \
                               "https://b.test/") "}}]}}, "                                        \
                                                  "{say: {set: '${ \"\\($input.q) \\($input.n)\" " \
                                                  "}'}}]}, "                                       \
                                                  "wait: {listen: {to: {one: {with: {type: "       \
                                                  "go}}}}}, "                                      \
                                                  "deep: {call: agent.run, with: {model: smart, "  \
                                                  "input: In, tools: [{function: look}]}}}}\n"
#define AGENT(more) "a: {call: agent.run, with: {model: smart, input: Go, " more "}}"
#define LOOK(id, q) CALL_OF(id, "look", "{\\\"q\\\": " q "}")

/* --- one call after the other ------------------------------------------------------------------
 */

static const struct answer twice[] = {
    {"model", 0, ANSWER_OK_ONCE, ASKS(LOOK("c1", "7") "," LOOK("c2", "\\\"x\\\""))},
    {"model", 0, ANSWER_OK_ONCE, ASKS(LOOK("c3", "8"))},
    {"model", 0, ANSWER_OK, SAYS("done")},
    {},
};

static void play_with_crashes(struct world *world)
{
    bool is_from_snapshot = false;
    do {
        world_crash(world, is_from_snapshot);
        is_from_snapshot = !is_from_snapshot;
    } while (world_step(world));
}

static void assert_has(const char *text, const char *part)
{
    if (!strstr(text, part)) assert_string_equal(text, part);
}

static void each_call_has_tasks_and_keys_of_its_own(void **)
{
    struct world world;
    world_init(&world, FUNCTIONS "do: [{" AGENT("tools: [{function: look, with: {n: 1}}]") "}]");
    world.script = twice;
    world_start(&world, NULL);
    play_with_crashes(&world);
    assert_has(world_result(&world),
               "\"turns\":3,\"tool_calls\":[{\"name\":\"look\",\"arguments\":{\"q\":7,\"n\":1}},"
               "{\"name\":\"look\",\"arguments\":{\"q\":\"x\"},\"error\":");
    assert_has(world.history.ptr, "task.started /do/0/a/turns/0/tools/0\n"
                                  "task.started /do/0/a/turns/0/tools/0/call/look\n"
                                  "task.started /do/0/a/turns/0/tools/0/call/look/do/0/ask\n"
                                  "job.scheduled /do/0/a/turns/0/tools/0/call/look/do/0/ask\n");
    assert_has(world.history.ptr,
               "task.started /do/0/a/turns/1/tools/0/call/look/do/1/all/do/0/each [1]\n");
    assert_has(world.calls.ptr, "#/do/0/a/turns/0/tools/0/call/look/do/0/ask/-/1 ");
    assert_has(world.calls.ptr, "#/do/0/a/turns/1/tools/0/call/look/do/0/ask/-/1 ");
    assert_has(world.calls.ptr, "#/do/0/a/turns/1/tools/0/call/look/do/1/all/do/0/each/1/1 ");
    assert_int_equal(world.jobs_scheduled, 3 + 2 * 3); /* turns; calls of two functions */
    world_done(&world);
}

/* --- what a function may consist of ------------------------------------------------------------
 */

static const struct answer waits[] = {
    {"model", 0, ANSWER_OK_ONCE, ASKS(CALL_OF("c1", "wait", "{}"))},
    {"model", 0, ANSWER_OK, SAYS("done")},
    {},
};

static void waits_start(struct world *world, const char *more)
{
    CLEANUP(buf_done) struct buf body = buf_init(1 << 16);
    (void)buf_printf(&body, FUNCTIONS "do: [{" AGENT("tools: [{function: wait%s}]") "}]", more);
    world_init(world, body.ptr);
    world->script = waits;
    world_start(world, NULL);
    play_with_crashes(world);
}

static void a_function_may_wait_for_an_event(void **)
{
    struct world world;
    waits_start(&world, "");
    assert_string_equal(world_result(&world), "waiting");
    world_signal(&world, "go", "{\"n\": 1}");
    play_with_crashes(&world);
    assert_has(world_result(&world), "{\"content\":\"done\",\"turns\":2");
    world_done(&world);
}

static void it_is_cancelled_with_the_run(void **)
{
    struct world world;
    waits_start(&world, "");
    world_cancel(&world);
    assert_has(world.history.ptr, "task.cancelled /do/0/a/turns/0/tools/0/call/wait\n"
                                  "task.cancelled /do/0/a/turns/0/tools/0\n"
                                  "task.cancelled /do/0/a\n");
    world_done(&world);
}

static void it_begins_when_it_is_approved(void **)
{
    struct world world;
    waits_start(&world, ", approval: true");
    assert_has(world.history.ptr, "approval.requested /do/0/a/turns/0/tools/0/approval\n");
    if (strstr(world.history.ptr, "tools/0/call")) fail_msg("it did not wait");
    assert_int_equal(world_decide(&world, true, NULL), STATUS_OK);
    world_signal(&world, "go", NULL);
    play_with_crashes(&world);
    assert_has(world_result(&world), "{\"content\":\"done\",\"turns\":2");
    world_done(&world);
}

/* --- agents in functions of agents --------------------------------------------------------------
 */

static const struct answer nested[] = {
    {"model", 0, ANSWER_OK_ONCE, ASKS(CALL_OF("c1", "deep", "{}"))},
    {"model", 0, ANSWER_OK_ONCE, ASKS(LOOK("d1", "1"))},
    {"model", 0, ANSWER_OK, SAYS("done")},
    {},
};

static void an_agent_within_an_agent(void **)
{
    struct world world;
    world_init(&world, FUNCTIONS "do: [{" AGENT("tools: [{function: deep}]") "}]");
    world.script = nested;
    world_start(&world, NULL);
    play_with_crashes(&world);
    assert_has(world_result(&world), "{\"content\":\"done\",\"turns\":2");
    assert_has(world.calls.ptr, "#/do/0/a/turns/0/tools/0/call/deep/turns/1/model/-/1 ");
    assert_has(world.calls.ptr,
               "#/do/0/a/turns/0/tools/0/call/deep/turns/0/tools/0/call/look/do/0/ask/-/1 ");
    world_done(&world);
}

/* --- errors -------------------------------------------------------------------------------------
 */

static const struct answer fails_once[] = {
    {"model", 0, ANSWER_OK_ONCE, ASKS(LOOK("c1", "7"))},
    {"model", 0, ANSWER_OK, SAYS("done")},
    {"each", 0, ANSWER_FAIL_ONCE, NULL},
    {},
};

static void a_retry_of_the_agent_enters_a_function_again(void **)
{
    struct world world;
    world_init(&world, FUNCTIONS
               "do: [{" AGENT("tools: [{function: look}], retry: {delay: PT1S, limit: {attempt: "
                              "{count: 1}}}") "}]");
    world.script = fails_once;
    world_start(&world, NULL);
    play_with_crashes(&world);
    assert_has(world_result(&world),
               "\"tool_calls\":[{\"name\":\"look\",\"arguments\":{\"q\":7}}]");
    assert_has(world.history.ptr, "task.retried /do/0/a/turns/0/tools/0 #2\n");
    assert_int_equal(world.jobs_scheduled, 2 + 4); /* `ask` has its answer already */
    world_done(&world);
}

static void an_error_is_reported(void **)
{
    struct world world;
    world_init(&world, FUNCTIONS "do: [{" AGENT("tools: [{function: look}], retry: none") "}]");
    world.script = fails_once;
    world_start(&world, NULL);
    play_with_crashes(&world);
    assert_has(world_result(&world), "\"arguments\":{\"q\":7},\"error\":{\"type\":");
    world_done(&world);
}

/* --- undoing ------------------------------------------------------------------------------------
 */

static const struct answer books[] = {
    {"model", 0, ANSWER_OK_ONCE,
     ASKS(CALL_OF("c1", "book", "{\\\"n\\\": 1}") "," CALL_OF("c2", "book", "{\\\"n\\\": 2}"))},
    {"model", 0, ANSWER_OK, SAYS("done")},
    {},
};

static void what_a_function_did_is_undone_last_first(void **)
{
    struct world world;
    world_init(&world,
               "use: {functions: {book: {do: [{room: {" GET(
                   "https://a.test/") ", metadata: {tutti: {compensate: [{cancel: {call: http, "
                                      "with: {method: delete, endpoint: 'https://a.test/', body: "
                                      "{n: '${ $input.n }'}}}}]}}}}]}}}\n"
                                      "do: [{all: {do: [{" AGENT(
                                          "tools: [{function: book}]") "}, {b: {raise: {error: "
                                                                       "{type: 'urn:no', status: "
                                                                       "418}}}}], metadata: "
                                                                       "{tutti: {saga: true}}}}]");
    world.script = books;
    world_start(&world, NULL);
    play_with_crashes(&world);
    assert_has(world_result(&world), "faulted {\"type\":\"urn:no\"");
    const char *second = strstr(world.calls.ptr, "{\"n\":2}");
    const char *first  = strstr(world.calls.ptr, "{\"n\":1}");
    assert_true(second && first && second < first);
    assert_has(world.calls.ptr,
               "#/do/0/all/do/0/a/turns/0/tools/1/call/book/do/0/room/-/1/undo/1 ");
    assert_has(world.calls.ptr,
               "#/do/0/all/do/0/a/turns/0/tools/0/call/book/do/0/room/-/1/undo/1 ");
    world_done(&world);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_call_has_tasks_and_keys_of_its_own),
        cmocka_unit_test(a_function_may_wait_for_an_event),
        cmocka_unit_test(it_is_cancelled_with_the_run),
        cmocka_unit_test(it_begins_when_it_is_approved),
        cmocka_unit_test(an_agent_within_an_agent),
        cmocka_unit_test(a_retry_of_the_agent_enters_a_function_again),
        cmocka_unit_test(an_error_is_reported),
        cmocka_unit_test(what_a_function_did_is_undone_last_first),
    };
    return cmocka_run_group_tests_name("agent functions", tests, NULL, NULL);
}
