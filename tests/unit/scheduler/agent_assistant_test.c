/* The tools of an assistant: pinned when its workflow is registered, merged with those of the task,
 * called like them, and checked when the assistant is put. */
#include "agent_talk.h"
#include "run_row.h"

#include "scheduler/run/assistant.h"
#include "scheduler/services/assistant_tools.h"
#include "json/json_text.h"

enum { ARENA_MAX = 4 << 20 };

static json parse(const char *text)
{
    json value         = json_invalid();
    struct error error = {};
    status read        = json_parse(str_from(text), NULL, &value, NULL, &error);
    if (read != STATUS_OK) fail_msg("%s: %s", text, error.text);
    return value;
}

/* --- the shelf -------------------------------------------------------------------------------- */

#define HTTP_TOOL "{\"function\": \"http\", \"name\": \"fetch\", \"with\": {\"method\": \"get\"}}"
#define ASK_TOOL                                                                                   \
    "{\"function\": \"worker.ask\", \"name\": \"ask\", \"approval\": true, \"description\": "      \
    "\"Asks somebody\"}"
#define ANALYST(system, tools)                                                                     \
    "{\"model\": \"smart\", \"system\": \"" system "\", \"tools\": [" tools "]}"

/* One assistant, as it is now. */
struct shelf {
    uint32_t version; /* 0: it was deleted */
    const char *definition;
};

static status find(str, const struct assistant_name *name, json *ret_definition,
                   uint32_t *ret_version, struct error *reterr, void *context)
{
    const struct shelf *shelf = context;
    if (!str_is(name->name, "analyst") || shelf->version == 0) {
        return fail(reterr, STATUS_NOT_FOUND, "there is no assistant `" STR_FMT "`",
                    STR_ARG(name->name));
    }
    *ret_version    = name->version ? name->version : shelf->version;
    *ret_definition = parse(shelf->definition);
    return STATUS_OK;
}

static status find_by_text(str namespace, str reference, json *ret_definition,
                           uint32_t *ret_version, struct error *reterr, void *context)
{
    struct assistant_name name = {};
    assert_true(str_is(namespace, "test"));
    if (!assistant_name_read(reference, &name)) {
        return fail(reterr, STATUS_INVALID_ARGUMENT, "no name");
    }
    return find(namespace, &name, ret_definition, ret_version, reterr, context);
}

/* --- registering ------------------------------------------------------------------------------ */

#define WORKFLOW(with)                                                                             \
    "document: {dsl: '1.0.3', namespace: test, name: agent, version: 1.0.0}\n"                     \
    "do: [{a: {call: agent.run, with: {" with "}}}]"

static const struct workflow *register_with(const char *definition, const struct shelf *shelf,
                                            struct diagnostics *list)
{
    const struct workflow_assistants assistants = {find_by_text, (void *)(uintptr_t)shelf};
    const struct workflow_sources sources       = {.assistants = &assistants};
    const struct workflow *workflow             = NULL;
    struct error error                          = {};
    (void)workflow_read_with(str_from(definition), &sources, list, &workflow, &error);
    return workflow;
}

/* As a restarted engine has it: from what is stored. */
static const struct workflow *stored_again(const struct workflow *workflow,
                                           struct diagnostics *list)
{
    CLEANUP(json_unrefp) json stored = workflow_source_new(workflow);
    const struct workflow *again     = NULL;
    struct error error               = {};
    status read                      = workflow_read_stored(json_str(stored), list, &again, &error);
    if (read != STATUS_OK) fail_msg("%s", error.text);
    assert_memory_equal(again->digest, workflow->digest, SHA256_SIZE);
    workflow_unref(workflow);
    return again;
}

/* --- playing ---------------------------------------------------------------------------------- */

#define FETCH(id) CALL_OF(id, "fetch", "{\\\"endpoint\\\": \\\"http://a.test/\\\"}")
#define ASK(id)   CALL_OF(id, "ask", "{\\\"who\\\": \\\"me\\\"}")

static const struct answer script[] = {
    {"model", 0, ANSWER_OK_ONCE, ASKS(FETCH("c1") "," ASK("c2"))},
    {"model", 0, ANSWER_OK, SAYS("done")},
    {},
};

struct play_row {
    const char *name;
    const char *with;                /* of the agent */
    struct shelf registered, starts; /* the shelf at each of these moments */
    const char *asked;               /* a part of what the model is asked first; NULL: nothing is */
    const char *calls;               /* a part of what was called */
    const char *result;              /* a part of it */
};

#define OLD                                                                                        \
    {                                                                                              \
        3, ANALYST("Old.", HTTP_TOOL "," ASK_TOOL)                                                 \
    }
#define SAME_TOOLS                                                                                 \
    {                                                                                              \
        4, ANALYST("New.", HTTP_TOOL "," ASK_TOOL)                                                 \
    }
#define OTHER_TOOLS                                                                                \
    {                                                                                              \
        5, ANALYST("Other.", "\"worker.other\"")                                                   \
    }

static const struct play_row plays[] = {
    {"its tools are called, with approval where it says so", "assistant: analyst, input: Go", OLD,
     OLD, "\"assistant\":\"analyst:3\"", "{\"endpoint\":\"http://a.test/\",\"method\":\"get\"}",
     "\"name\":\"ask\""},
    {"a newer version with the same tools is taken", "assistant: analyst, input: Go", OLD,
     SAME_TOOLS, "New.", "", "\"content\":\"done\""},
    {"one with other tools is not: the workflow has the old ones", "assistant: analyst, input: Go",
     OLD, OTHER_TOOLS, "Old.", "\"method\":\"get\"", "\"content\":\"done\""},
    {"what was deleted is still pinned",
     "assistant: analyst, input: Go",
     OLD,
     {},
     "analyst:3",
     "",
     "\"content\":\"done\""},
    {"a version is that version", "assistant: 'analyst:2', input: Go", OLD, SAME_TOOLS, "analyst:2",
     "", "\"content\":\"done\""},
    {"a tool of the task wins over one of the same name",
     "assistant: analyst, input: Go, tools: [{function: http, name: fetch, with: {method: head}}]",
     OLD, OLD, "Asks somebody", "\"method\":\"head\"", "\"content\":\"done\""},
    {"tools need a name that is known when the workflow is registered",
     "assistant: '${ \"analyst\" }', input: Go", OLD, OLD, NULL, "", "configuration"},
    {"an assistant that comes later has no tools",
     "assistant: analyst, input: Go",
     {},
     OLD,
     NULL,
     "",
     "register the workflow again"},
    {"an assistant without tools may be computed",
     "assistant: '${ \"analyst\" }', input: Go",
     {},
     {1, ANALYST("Plain.", "")},
     "Plain.",
     "",
     "\"content\":\"done\""},
};

static void check_asked(const struct world *world, const char *asked)
{
    assert_int_equal(world->job_count, asked ? 1 : 0);
    if (!asked) return;
    CLEANUP(json_unrefp)
    json input                     = run_turn_input(world->run, str_from(world->jobs[0].id.text));
    CLEANUP(json_unrefp) json text = json_to_text_new(input);
    if (!strstr(json_str(text).ptr, asked)) assert_string_equal(json_str(text).ptr, asked);
}

static void an_agent_has_the_tools_of_its_assistant(void **state)
{
    const struct play_row *row               = *state;
    CLEANUP(arena_freep) struct arena *arena = arena_new(ARENA_MAX);
    CLEANUP(buf_done) struct buf text        = buf_init(4096);
    struct diagnostics *list                 = diagnostics_new(arena);
    struct shelf shelf                       = row->registered;
    (void)buf_printf(&text, WORKFLOW("%s"), row->with);
    const struct workflow *workflow = register_with(text.ptr, &shelf, list);
    if (!workflow) fail_msg("%s", list->items[0].detail);

    const struct assistant_source source = {find, NULL, &shelf};
    struct world world;
    world_init_with(&world, stored_again(workflow, list));
    shelf                = row->starts;
    world.env.assistants = &source;
    world.script         = script;
    world_start(&world, NULL);
    check_asked(&world, row->asked);
    shelf                 = (struct shelf){}; /* what was found is in the journal */
    bool is_from_snapshot = false;
    for (bool goes_on = true; goes_on;) {
        world_crash(&world, is_from_snapshot);
        is_from_snapshot = !is_from_snapshot;
        goes_on          = world_step(&world);
        if (!goes_on && strcmp(world_result(&world), "waiting") == 0) {
            assert_int_equal(world_decide(&world, true, NULL), STATUS_OK);
            goes_on = true;
        }
    }
    if (!strstr(world_result(&world), row->result)) {
        assert_string_equal(world_result(&world), row->result);
    }
    str calls = buf_str(&world.calls);
    if (*row->calls && !strstr(calls.ptr, row->calls)) assert_string_equal(calls.ptr, row->calls);
    world_done(&world);
}

/* --- findings --------------------------------------------------------------------------------- */

struct finding_row {
    const char *name;
    const char *tools;   /* of the assistant */
    const char *pointer; /* of the first finding when it is put; NULL: there is none */
    const char *detail;  /* a part of it; the workflow that names it says it, too */
};

static const struct finding_row findings[] = {
    {"a name is enough", "\"llm.chat\"", NULL, NULL},
    {"all forms",
     HTTP_TOOL "," ASK_TOOL ",{\"workflow\": {\"namespace\": \"test\", \"name\": "
               "\"look-up\", \"version\": \"latest\"}}",
     NULL, NULL},
    {"a function that is none", "\"http\", \"web.scrap\"", "/tools/1", "no function `web.scrap`"},
    {"a property that is none", "{\"function\": \"http\", \"titel\": \"x\"}", "/tools/0/titel",
     "`titel` is not a property of a tool"},
    {"neither function nor workflow", "{\"name\": \"x\"}", "/tools/0", "needs `function`"},
    {"a number", "1", "/tools/0", "a tool is a map"},
    {"two of one name", "\"http\", \"http\"", "/tools/1", "also the name of another tool"},
    {"an expression that does not compile",
     "{\"function\": \"worker.x\", \"with\": {\"a\": \"${ .b | }\"}}", "/tools/0/with/a", ""},
    {"a secret: an assistant has none",
     "{\"function\": \"worker.x\", \"with\": {\"a\": \"${ $secrets.key }\"}}", "/tools/0/with/a",
     "key"},
    {"a workflow of another namespace",
     "{\"workflow\": {\"namespace\": \"other\", \"name\": \"a\", \"version\": \"latest\"}}",
     "/tools/0/workflow/namespace", "stays in the namespace"},
};

static void tools_are_checked_when_they_are_put(void **state)
{
    const struct finding_row *row            = *state;
    CLEANUP(arena_freep) struct arena *arena = arena_new(ARENA_MAX);
    CLEANUP(buf_done) struct buf text        = buf_init(4096);
    struct diagnostics *list                 = diagnostics_new(arena);
    (void)buf_printf(&text, ANALYST("", "%s"), row->tools);
    CLEANUP(json_unrefp) json definition = parse(text.ptr);
    assistant_tools_check(definition, str_from("test"), NULL, list);

    struct diagnostics *again = diagnostics_new(arena);
    const struct shelf shelf  = {7, text.ptr};
    CLEANUP(workflow_unrefp)
    const struct workflow *workflow =
        register_with(WORKFLOW("input: Go, assistant: analyst"), &shelf, again);
    if (!row->pointer) {
        if (list->count > 0) assert_string_equal(list->items[0].detail, "");
        assert_non_null(workflow);
        return;
    }
    assert_true(list->errors > 0);
    assert_string_equal(list->items[0].pointer, row->pointer);
    if (!strstr(list->items[0].detail, row->detail)) {
        assert_string_equal(list->items[0].detail, row->detail);
    }
    assert_null(workflow);
    assert_string_equal(again->items[0].pointer, "/do/0/a/with/assistant");
    assert_int_equal(again->items[0].line, 2);
    assert_non_null(strstr(again->items[0].detail, "assistant analyst:7, /tools/"));
    assert_non_null(strstr(again->items[0].detail, row->detail));
}

static void one_that_is_not_there_is_warned_of(void **)
{
    CLEANUP(arena_freep) struct arena *arena = arena_new(ARENA_MAX);
    struct diagnostics *list                 = diagnostics_new(arena);
    const struct shelf shelf                 = {};
    CLEANUP(workflow_unrefp)
    const struct workflow *workflow =
        register_with(WORKFLOW("input: Go, assistant: analyst"), &shelf, list);
    assert_non_null(workflow);
    assert_int_equal(list->count, 1);
    assert_int_equal(list->items[0].severity, SEVERITY_WARNING);
    assert_string_equal(list->items[0].code, "V14");
    assert_string_equal(list->items[0].pointer, "/do/0/a/with/assistant");
}

static void too_many_together_are_refused(void **)
{
    CLEANUP(arena_freep) struct arena *arena = arena_new(ARENA_MAX);
    CLEANUP(buf_done) struct buf text        = buf_init(64 << 10);
    struct diagnostics *list                 = diagnostics_new(arena);
    (void)buf_put_text(&text, "{\"model\": \"m\", \"tools\": [");
    for (int i = 0; i < AGENT_TOOLS_MAX; i++) {
        (void)buf_printf(&text, "%s{\"function\": \"http\", \"name\": \"t%d\"}", i ? "," : "", i);
    }
    (void)buf_put_text(&text, "]}");
    const struct shelf shelf = {1, text.ptr};
    CLEANUP(workflow_unrefp)
    const struct workflow *fits =
        register_with(WORKFLOW("input: Go, assistant: analyst"), &shelf, list);
    assert_non_null(fits);
    assert_int_equal(fits->tasks[0].agent.tool_count, AGENT_TOOLS_MAX);
    assert_null(register_with(WORKFLOW("input: Go, assistant: analyst, tools: [{function: http}]"),
                              &shelf, list));
    assert_non_null(strstr(list->items[0].detail, "at most 128 tools"));
}

int main(void)
{
    enum { ROWS = 64 };
    struct CMUnitTest tests[ROWS] = {cmocka_unit_test(one_that_is_not_there_is_warned_of),
                                     cmocka_unit_test(too_many_together_are_refused)};
    size_t count                  = 2;
    for (size_t i = 0; i < sizeof plays / sizeof *plays; i++) {
        tests[count++] =
            row_test(plays[i].name, an_agent_has_the_tools_of_its_assistant, &plays[i]);
    }
    for (size_t i = 0; i < sizeof findings / sizeof *findings; i++) {
        tests[count++] =
            row_test(findings[i].name, tools_are_checked_when_they_are_put, &findings[i]);
    }
    return _cmocka_run_group_tests("agent assistant", tests, count, NULL, NULL);
}
