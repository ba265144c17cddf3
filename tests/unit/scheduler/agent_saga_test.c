/* Calls of agents in a saga: what their function's worker says undoes them, last first. */
#include "agent_talk.h"
#include "run_row.h"

#include "workflow/function_catalog.h"
#include "json/json_text.h"

static const char functions[] = "[{\"name\": \"room.book\", \"version\": \"1.0.0\", \"queue\": "
                                "\"tools\", \"effect\": \"send\", \"idempotency\": \"none\", "
                                "\"input_schema\": {\"type\": \"object\"}, "
                                "\"compensation\": {\"summary\": \"Cancels it\"}}]";

static const char definition[] =
    "document: {dsl: '1.0.3', namespace: test, name: saga, version: 1.0.0, metadata: {tutti: "
    "{saga: "
    "true}}}\n"
    "do: [{a: {call: agent.run, with: {model: smart, input: Go, tools: [{function: room.book}]}}}, "
    "{b: {raise: {error: {type: 'urn:no', status: 418}}}}]";

#define BOOK(id, n) CALL_OF(id, "room_book", "{\\\"n\\\": " n "}")

static const struct answer script[] = {
    {"model", 0, ANSWER_OK_ONCE, ASKS(BOOK("c1", "1") "," BOOK("c2", "2"))},
    {"model", 0, ANSWER_OK, SAYS("done")},
    {},
};

static const struct workflow *workflow_of(void)
{
    CLEANUP(function_catalog_unrefp) const struct function_catalog *catalog = NULL;
    CLEANUP(json_unrefp) json described                                     = json_invalid();
    CLEANUP(arena_freep) struct arena *arena                                = arena_new(1 << 20);
    struct diagnostics list                                                 = {.arena = arena};
    const struct workflow *workflow                                         = NULL;
    struct error error                                                      = {};
    assert_int_equal(json_parse(str_from(functions), NULL, &described, NULL, &error), STATUS_OK);
    status made = function_catalog_new(NULL, described, &catalog, &error);
    if (made != STATUS_OK) fail_msg("%s", error.text);
    const struct workflow_sources sources = {.catalog = catalog};
    status read = workflow_read_with(str_from(definition), &sources, &list, &workflow, &error);
    if (read != STATUS_OK) fail_msg("%s", error.text);
    return workflow;
}

static void calls_of_an_agent_are_undone_last_first(void **)
{
    struct world world;
    world_init_with(&world, workflow_of());
    world.script = script;
    world.undo   = "[{\"function\": \"room.cancel\", \"with\": {\"by\": \"saga\"}}]";
    world_start(&world, NULL);
    bool is_from_snapshot = false;
    do {
        world_crash(&world, is_from_snapshot);
        is_from_snapshot = !is_from_snapshot;
    } while (world_step(&world));
    const char *result = world_result(&world);
    if (!strstr(result, "faulted {\"type\":\"urn:no\"")) assert_string_equal(result, "");
    static const char undone[] = "#/do/0/a/turns/0/tools/1/-/1/undo/1 {\"by\":\"saga\"}\n"
                                 "#/do/0/a/turns/0/tools/0/-/1/undo/1 {\"by\":\"saga\"}\n";
    const char *calls          = world.calls.ptr;
    const char *found          = strstr(calls, undone);
    if (!found) assert_string_equal(calls, undone);
    assert_string_equal(found, undone); /* and nothing else after it */
    world_done(&world);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(calls_of_an_agent_are_undone_last_first),
    };
    return cmocka_run_group_tests_name("agent saga", tests, NULL, NULL);
}
