/*
 * MCP servers as tools of agent.run: what is listed once is what the model is offered, and a call
 * goes to its server. `world` proves after each command that the journal alone, and a snapshot,
 * give the same run; every talk crashes on the way.
 */
#include "agent_talk.h"
#include "run_row.h"

#include "workflow/function_catalog.h"
#include "json/json_text.h"

#include <stdio.h>

static const char functions[] =
    "[{\"name\": \"mcp.list_tools\", \"version\": \"1.0.0\", \"queue\": \"tools\", \"effect\": "
    "\"read\"},"
    "{\"name\": \"mcp.call_tool\", \"version\": \"1.0.0\", \"queue\": \"tools\", \"effect\": "
    "\"send\", \"idempotency\": \"none\"}]";

#define SEARCH                                                                                     \
    "{\"name\": \"search\", \"description\": \"Finds\", \"inputSchema\": {\"type\": \"object\", "  \
    "\"required\": [\"q\"]}, \"outputSchema\": {\"type\": \"object\"}, \"annotations\": "          \
    "{\"readOnlyHint\": true, \"destructiveHint\": false}}"
#define WRITE         "{\"name\": \"page/write\", \"inputSchema\": {\"type\": \"object\"}}"
#define TOOLS(list)   "{\"tools\": [" list "], \"cursor\": null, \"trusted\": false}"
#define TRUSTED(list) "{\"tools\": [" list "], \"cursor\": null, \"trusted\": true}"
#define FIND(id)      CALL_OF(id, "docs_search", "{\\\"q\\\": 1}")
#define SAID(text)                                                                                 \
    "{\"text\": \"" text "\", \"structured\": null, \"content\": [{\"type\": \"text\", \"text\": " \
    "\"" text "\"}]}"

struct talk_row {
    const char *name;
    const char *tools;
    struct answer script[8];
    const char *result; /* a part of it */
    const char *calls;  /* a part of the jobs in their order; NULL: does not matter */
    const char *asked;  /* a part of what the last turn is asked; NULL: does not matter */
    uint32_t jobs;      /* scheduled */
};

static const struct talk_row rows[] = {
    {
        .name   = "a tool of a server is offered, called and told of under its own name",
        .tools  = "{mcp: docs}",
        .script = {{"docs", 0, ANSWER_OK_ONCE, TOOLS(SEARCH "," WRITE)},
                   {"model", 0, ANSWER_OK_ONCE,
                    ASKS(FIND("c1") "," CALL_OF("c2", "docs_page_write", ""))},
                   {"docs", 0, ANSWER_OK_ONCE,
                    "{\"text\": \"x\", \"structured\": {\"hits\": 2}, \"content\": []}"},
                   {"docs", 0, ANSWER_OK_ONCE, SAID("written")},
                   {"model", 0, ANSWER_OK, SAYS("done")}},
        .result = "\"tool_calls\":[{\"name\":\"docs_search\",\"arguments\":{\"q\":1}},{\"name\":"
                  "\"docs_page_write\",\"arguments\":{}}]",
        .calls  = "{\"connection\":\"docs\",\"arguments\":{\"q\":1},\"name\":\"search\","
                  "\"output_schema\":{\"type\":\"object\"}}\n"
                  "#/do/0/a/turns/0/tools/1/-/1 {\"connection\":\"docs\",\"arguments\":{},\"name\":"
                  "\"page/write\"}\n",
        .asked  = "\"tool_call_id\":\"c1\",\"content\":\"{\\\"hits\\\":2}\"},{\"role\":\"tool\","
                  "\"tool_call_id\":\"c2\",\"content\":\"written\"}],\"tools\":[{\"type\":"
                  "\"function\",\"function\":{\"name\":\"docs_search\",\"description\":\"Finds\","
                  "\"parameters\":{\"type\":\"object\",\"required\":[\"q\"]}}},{\"type\":"
                  "\"function\",\"function\":{\"name\":\"docs_page_write\",\"description\":"
                  "\"page/write\",",
        .jobs   = 5,
    },
    {
        .name   = "of a trusted connection a hint says that twice is once",
        .tools  = "{mcp: docs, name: d, only: [search]}",
        .script = {{"d", 0, ANSWER_OK_ONCE, TRUSTED(SEARCH "," WRITE)},
                   {"model", 0, ANSWER_OK_ONCE, ASKS(CALL_OF("c1", "d_search", "{\\\"q\\\": 1}"))},
                   {"d", 0, ANSWER_OK_ONCE, SAID("found")},
                   {"model", 0, ANSWER_OK, SAYS("done")}},
        .result = "\"turns\":2,\"tool_calls\":[{\"name\":\"d_search\",\"arguments\":{\"q\":1}}]",
        .calls  = "\"name\":\"search\",\"idempotent\":true,",
        .asked = "\"content\":\"found\"}],\"tools\":[{\"type\":\"function\",\"function\":{\"name\":"
                 "\"d_search\",\"description\":\"Finds\",\"parameters\":{\"type\":\"object\","
                 "\"required\":[\"q\"]}}}]",
        .jobs  = 4,
    },
    {
        .name   = "beside tools of other kinds, in the order of the definition",
        .tools  = "{function: http, name: fetch, with: {method: get}}, {mcp: docs}, {function: "
                  "worker.find, name: find}",
        .script = {{"docs", 0, ANSWER_OK_ONCE, TOOLS(SEARCH)},
                   {"model", 0, ANSWER_OK_ONCE,
                    ASKS(CALL_OF("c1", "find", "{}") "," FIND("c2") "," CALL_OF(
                        "c3", "fetch",
                        "{\\\"endpoint\\\": \\\"https://a.test/\\\"}") "," FIND("c4"))},
                   {"find", 0, ANSWER_OK_ONCE, "\"f\""},
                   {"docs", 0, ANSWER_OK_ONCE, SAID("d")},
                   {"fetch", 0, ANSWER_OK_ONCE, "\"h\""},
                   {"docs", 0, ANSWER_FAIL_ONCE,
                    "{\"type\": \"urn:e\", \"status\": 503, \"title\": \"T\"}"},
                   {"model", 0, ANSWER_OK, SAYS("done")}},
        .result =
            "{\"name\":\"find\",\"arguments\":{}},{\"name\":\"docs_search\",\"arguments\":{"
            "\"q\":1}},{\"name\":\"fetch\",\"arguments\":{\"endpoint\":\"https://a.test/\","
            "\"method\":\"get\"}},{\"name\":\"docs_search\",\"arguments\":{\"q\":1},\"error\":",
        .asked = "\"content\":\"f\"},{\"role\":\"tool\",\"tool_call_id\":\"c2\",\"content\":\"d\"},"
                 "{\"role\":\"tool\",\"tool_call_id\":\"c3\",\"content\":\"h\"}",
        .jobs  = 7,
    },
    {
        .name   = "arguments that the tool does not take are no job, an unreadable schema is the "
                  "server's own matter",
        .tools  = "{mcp: docs}",
        .script = {{"docs", 0, ANSWER_OK_ONCE,
                    TOOLS(SEARCH ", {\"name\": \"odd\", \"inputSchema\": {\"type\": \"object\", "
                                 "\"minProperties\": \"many\"}}")},
                   {"model", 0, ANSWER_OK_ONCE,
                    ASKS(CALL_OF("c1", "docs_search", "{}") "," CALL_OF("c2", "docs_odd", "{}"))},
                   {"docs", 0, ANSWER_OK_ONCE, SAID("odd")},
                   {"model", 0, ANSWER_OK, SAYS("done")}},
        .result = "\"error\":{\"type\":\"https://serverlessworkflow.io/spec/1.0.0/errors/"
                  "validation\"",
        .jobs   = 4,
    },
    {
        .name   = "two servers are asked at once",
        .tools  = "{mcp: docs}, {mcp: wiki}",
        .script = {{"docs", 0, ANSWER_OK_ONCE, TOOLS(SEARCH)},
                   {"wiki", 0, ANSWER_OK_ONCE, TOOLS(SEARCH)},
                   {"model", 0, ANSWER_OK, SAYS("done")}},
        .result = "\"turns\":1,",
        .calls  = "#/do/0/a/listings/0/-/1 {\"connection\":\"docs\"}\n"
                  "#/do/0/a/listings/1/-/1 {\"connection\":\"wiki\"}\n"
                  "#/do/0/a/turns/0/model/-/1 ",
        .asked  = "\"wiki_search\"",
        .jobs   = 3,
    },
    {
        .name   = "a server that does not answer ends the agent",
        .tools  = "{mcp: docs}, {mcp: wiki}",
        .script = {{"docs", 0, ANSWER_FAIL_ONCE,
                    "{\"type\": \"urn:e\", \"status\": 503, \"title\": \"T\"}"},
                   {"wiki", 0, ANSWER_NEVER, NULL}},
        .result = "faulted "
                  "{\"type\":\"urn:e\",\"status\":503,\"title\":\"T\",\"instance\":\"/do/0/a/"
                  "listings/0\"}",
        .jobs   = 2,
    },
    {
        .name   = "a tool that `only` names and the server has not",
        .tools  = "{mcp: docs, only: [search, seek]}",
        .script = {{"docs", 0, ANSWER_OK_ONCE, TOOLS(SEARCH)}},
        .result = "the server of the connection `docs` has no tool `seek`, which `only` names",
        .jobs   = 1,
    },
    {
        .name   = "a tool of the same name",
        .tools  = "{function: worker.find, name: docs_search}, {mcp: docs}",
        .script = {{"docs", 0, ANSWER_OK_ONCE, TOOLS(SEARCH)}},
        .result = "two tools come out as `docs_search`",
        .jobs   = 1,
    },
    {
        .name   = "an answer that is none of a tool's is told as it came",
        .tools  = "{mcp: docs}",
        .script = {{"docs", 0, ANSWER_OK_ONCE, TOOLS(SEARCH)},
                   {"model", 0, ANSWER_OK_ONCE, ASKS(FIND("c1") "," FIND("c2") "," FIND("c3"))},
                   {"docs", 0, ANSWER_OK_ONCE, "{\"content\": []}"},
                   {"docs", 0, ANSWER_OK_ONCE, "{\"found\": 1}"},
                   {"docs", 0, ANSWER_OK_ONCE, "7"},
                   {"model", 0, ANSWER_OK, SAYS("done")}},
        .result = "\"turns\":2,",
        .asked = "\"content\":\"{\\\"content\\\":[]}\"},{\"role\":\"tool\",\"tool_call_id\":\"c2\","
                 "\"content\":\"{\\\"found\\\":1}\"},{\"role\":\"tool\",\"tool_call_id\":\"c3\","
                 "\"content\":\"7\"}",
        .jobs  = 6,
    },
    {
        .name   = "an answer that lists nothing offers nothing",
        .tools  = "{mcp: docs}",
        .script = {{"docs", 0, ANSWER_OK_ONCE, "{\"tools\": [{\"name\": 7}, {}, 3]}"},
                   {"model", 0, ANSWER_OK_ONCE, ASKS(FIND("c1"))},
                   {"model", 0, ANSWER_OK, SAYS("done")}},
        .result = "\"error\":",
        .asked  = "there is no tool of that name",
        .jobs   = 3,
    },
};

/* --- playing -----------------------------------------------------------------------------------
 */

static const struct workflow *workflow_of(const char *tools)
{
    CLEANUP(function_catalog_unrefp) const struct function_catalog *catalog = NULL;
    CLEANUP(json_unrefp) json described                                     = json_invalid();
    CLEANUP(arena_freep) struct arena *arena                                = arena_new(1 << 20);
    CLEANUP(buf_done) struct buf text                                       = buf_init(1 << 16);
    struct diagnostics list                                                 = {.arena = arena};
    const struct workflow *workflow                                         = NULL;
    struct error error                                                      = {};
    assert_int_equal(json_parse(str_from(functions), NULL, &described, NULL, &error), STATUS_OK);
    status made = function_catalog_new(NULL, described, &catalog, &error);
    if (made != STATUS_OK) fail_msg("%s", error.text);
    (void)buf_printf(&text,
                     "document: {dsl: '1.0.3', namespace: test, name: talk, version: '1.0.0'}\n"
                     "do: [{a: {call: agent.run, with: {model: smart, input: Go, tools: [%s]}}}]",
                     tools);
    const struct workflow_sources sources = {.catalog = catalog};
    status read = workflow_read_with(buf_str(&text), &sources, &list, &workflow, &error);
    if (read != STATUS_OK) fail_msg("%s", error.text);
    return workflow;
}

static void assert_part(const char *text, const char *part)
{
    if (!strstr(text, part)) assert_string_equal(text, part);
}

/* What the turn under way is asked, if it is one. */
static void keep_asked(const struct world *world, struct buf *asked)
{
    if (world->job_count == 0) return;
    CLEANUP(json_unrefp)
    json input = run_turn_input(world->run, str_from(world->jobs[0].id.text));
    if (json_is(input, JSON_INVALID)) return;
    CLEANUP(json_unrefp) json text = json_to_text_new(input);
    buf_clear(asked);
    (void)buf_put_str(asked, json_str(text));
}

static void row_check(void **state)
{
    const struct talk_row *row         = *state;
    CLEANUP(buf_done) struct buf asked = buf_init(1 << 20);
    bool is_from_snapshot              = false;
    struct world world;
    world_init_with(&world, workflow_of(row->tools));
    world.script = row->script;
    world_start(&world, NULL);
    do {
        world_crash(&world, is_from_snapshot);
        is_from_snapshot = !is_from_snapshot;
        keep_asked(&world, &asked);
    } while (world_step(&world));
    assert_part(world_result(&world), row->result);
    if (row->calls) assert_part(world.calls.ptr, row->calls);
    if (row->asked) assert_part(buf_str(&asked).ptr, row->asked);
    assert_int_equal(world.jobs_scheduled, row->jobs);
    world_prove_erasure(&world);
    world_prove_move(&world);
    world_done(&world);
}

static void too_many_tools_are_refused(void **)
{
    CLEANUP(buf_done) struct buf text = buf_init(1 << 20);
    (void)buf_put_text(&text, "{\"tools\": [");
    for (int i = 0; i < AGENT_TOOLS_MAX + 1; i++) {
        (void)buf_printf(&text, "%s{\"name\": \"t%d\"}", i > 0 ? "," : "", i);
    }
    (void)buf_put_text(&text, "]}");
    (void)buf_put(&text, "", 1);
    const struct answer script[] = {{"docs", 0, ANSWER_OK_ONCE, text.ptr}, {}};
    struct world world;
    world_init_with(&world, workflow_of("{mcp: docs}"));
    world.script = script;
    world_start(&world, NULL);
    world_play(&world);
    assert_part(world_result(&world), "an agent has at most 128 tools");
    world_done(&world);
}

/* A retry asks the server again. */
static void an_agent_that_is_retried_lists_again(void **)
{
    static const struct answer script[] = {
        {"docs", 0, ANSWER_FAIL_ONCE, "{\"type\": \"urn:e\", \"status\": 503, \"title\": \"T\"}"},
        {"docs", 0, ANSWER_OK_ONCE, TOOLS(SEARCH)},
        {"model", 0, ANSWER_OK, SAYS("done")},
        {},
    };
    struct world world;
    bool is_from_snapshot = false;
    world_init_with(&world, workflow_of("{mcp: docs}"));
    world.script = script;
    world_start(&world, NULL);
    do {
        world_crash(&world, is_from_snapshot);
        is_from_snapshot = !is_from_snapshot;
    } while (world_step(&world));
    assert_part(world_result(&world), "faulted {\"type\":\"urn:e\"");
    assert_int_equal(world_retry(&world, NULL), STATUS_OK);
    world_play(&world);
    assert_part(world_result(&world), "{\"content\":\"done\",\"turns\":1,");
    world_done(&world);
}

int main(void)
{
    struct CMUnitTest tests[ARRAY_LEN(rows) + 2] = {};
    size_t count                                 = 0;
    for (; count < ARRAY_LEN(rows); count++) {
        tests[count] = (struct CMUnitTest){.name          = rows[count].name,
                                           .test_func     = row_check,
                                           .initial_state = (void *)(uintptr_t)&rows[count]};
    }
    tests[count++] = (struct CMUnitTest)cmocka_unit_test(too_many_tools_are_refused);
    tests[count++] = (struct CMUnitTest)cmocka_unit_test(an_agent_that_is_retried_lists_again);
    return cmocka_run_group_tests_name("agent servers", tests, NULL, NULL);
}
