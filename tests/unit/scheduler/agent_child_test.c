/*
 * Workflows as tools of agent.run. `world` proves after each command that the journal alone, and a
 * snapshot, give the same run, and every test crashes on the way.
 */
#include "agent_talk.h"
#include "run_row.h"

#include "scheduler/decide/child.h"
#include "json/json_text.h"

#include <stdio.h>

#define LOOKUP            "{workflow: {namespace: test, name: look-up, version: latest}"
#define FIND(id, key)     CALL_OF(id, "look_up", "{\\\"key\\\": \\\"" key "\\\"}")
#define PLACE(turn, call) "/do/0/a/turns/" turn "/tools/" call

static json value_of(const char *text)
{
    json value         = json_invalid();
    struct error error = {};
    assert_int_equal(json_parse(str_from(text), NULL, &value, NULL, &error), STATUS_OK);
    return value;
}

/* --- the workflows that there are --------------------------------------------------------------
 */

struct shelf {
    const char *newest; /* version */
    const char *schema; /* NULL: none */
    const char *summary;
    unsigned described, found;
};

static bool is_there(const struct child_wish *wish)
{
    return str_is(wish->namespace, "test") && str_is(wish->name, "look-up");
}

static status shelf_find(const struct child_wish *wish, struct child_place *ret_place,
                         struct error *reterr, void *context)
{
    struct shelf *shelf = context;
    shelf->found++;
    if (!is_there(wish)) return fail(reterr, STATUS_NOT_FOUND, "there is no such workflow");
    if (json_get_text(wish->input, "bad").kind != JSON_INVALID) {
        return fail(reterr, STATUS_INVALID_ARGUMENT, "bad is bad");
    }
    assert_true(wish->version.len > 0); /* pinned */
    *ret_place = (struct child_place){.partition = 3};
    memcpy(ret_place->version, wish->version.ptr, wish->version.len);
    return STATUS_OK;
}

static status shelf_describe(const struct child_wish *wish,
                             struct child_description *ret_description, struct error *reterr,
                             void *context)
{
    struct shelf *shelf = context;
    shelf->described++;
    if (!is_there(wish)) return fail(reterr, STATUS_NOT_FOUND, "there is no such workflow");
    bool is_latest = wish->version.len == 0;
    str version    = is_latest ? str_from(shelf->newest) : wish->version;
    memcpy(ret_description->version, version.ptr, version.len);
    if (shelf->schema) ret_description->schema = value_of(shelf->schema);
    if (shelf->summary) ret_description->summary = json_text_from(shelf->summary);
    return STATUS_OK;
}

/* --- a talk ------------------------------------------------------------------------------------
 */

struct talk {
    struct world world;
    struct shelf shelf;
    struct child_places places;
    bool is_from_snapshot;
};

static void crash(struct talk *talk)
{
    world_crash(&talk->world, talk->is_from_snapshot);
    talk->is_from_snapshot = !talk->is_from_snapshot;
}

/* Goes on until only children and people can. */
static void play(struct talk *talk)
{
    do {
        crash(talk);
    } while (talk->world.child_count == 0 && world_step(&talk->world));
}

static void talk_begin(struct talk *talk, const char *tools, const char *more,
                       const struct answer *script)
{
    CLEANUP(buf_done) struct buf body = buf_init(1 << 16);
    (void)buf_printf(&body,
                     "do: [{a: {call: agent.run, with: {model: smart, input: Go, tools: [%s]}%s}}]",
                     tools, more);
    *talk = (struct talk){
        .shelf = {.newest = "1.2.0",
                  .schema =
                      "{\"required\": [\"key\", \"depth\"], \"properties\": {\"key\": {\"type\": "
                      "\"string\"}, \"depth\": {\"type\": \"integer\"}}}",
                  .summary = "Finds what is asked for"}};
    talk->places = (struct child_places){
        .find = shelf_find, .describe = shelf_describe, .context = &talk->shelf};
    world_init(&talk->world, body.ptr);
    talk->world.env.children = &talk->places;
    talk->world.script       = script;
}

static void assert_part(const char *text, const char *part)
{
    if (!strstr(text, part)) assert_string_equal(text, part);
}

static void assert_child(const struct talk *talk, size_t index, const char *workflow,
                         const char *input)
{
    assert_true(index < talk->world.child_count);
    const struct world_child *child = &talk->world.children[index];
    CLEANUP(json_unrefp) json text  = json_to_text_new(child->input);
    assert_string_equal(json_str(child->workflow).ptr, workflow);
    assert_string_equal(json_str(text).ptr, input);
}

/* What the turn under way is asked. */
static void assert_asked(const struct talk *talk, const char *part)
{
    assert_int_equal(talk->world.job_count, 1);
    CLEANUP(json_unrefp)
    json input = run_turn_input(talk->world.run, str_from(talk->world.jobs[0].id.text));
    CLEANUP(json_unrefp) json text = json_to_text_new(input);
    assert_part(json_str(text).ptr, part);
}

static const struct answer twice[] = {
    {"model", 0, ANSWER_OK_ONCE, ASKS(FIND("c1", "one") "," FIND("c2", "two"))},
    {"model", 0, ANSWER_OK_ONCE, ASKS(FIND("c3", "three"))},
    {"model", 0, ANSWER_OK, SAYS("done")},
    {},
};

/* --- what the model sees -----------------------------------------------------------------------
 */

static void the_model_sees_the_workflow_s_schema(void **)
{
    struct talk talk;
    talk_begin(&talk, LOOKUP ", with: {depth: 2}}", "", twice);
    world_start(&talk.world, NULL);
    while (talk.world.job_count == 0) assert_true(world_step(&talk.world));
    crash(&talk);
    assert_asked(&talk, "{\"name\":\"look_up\",\"description\":\"Finds what is asked for\","
                        "\"parameters\":{\"required\":[\"key\"],\"properties\":{\"key\":{\"type\":"
                        "\"string\"}},\"type\":\"object\"}}");
    assert_int_equal(talk.shelf.described, 1);
    world_done(&talk.world);
}

static void what_the_definition_says_wins(void **)
{
    struct talk talk;
    talk_begin(&talk, LOOKUP ", name: ask, description: Asks}", "", twice);
    talk.shelf.schema = NULL;
    world_start(&talk.world, NULL);
    while (talk.world.job_count == 0) assert_true(world_step(&talk.world));
    assert_asked(&talk, "{\"name\":\"ask\",\"description\":\"Asks\",\"parameters\":{\"type\":"
                        "\"object\"}}");
    world_done(&talk.world);
}

static void a_workflow_that_says_nothing(void **)
{
    struct talk talk;
    talk_begin(&talk, LOOKUP "}", "", twice);
    talk.shelf.schema  = NULL;
    talk.shelf.summary = NULL;
    world_start(&talk.world, NULL);
    while (talk.world.job_count == 0) assert_true(world_step(&talk.world));
    assert_asked(&talk, "{\"name\":\"look_up\",\"description\":\"look_up\",\"parameters\":{"
                        "\"type\":\"object\"}}");
    world_done(&talk.world);
}

static void a_workflow_that_is_not_there(void **)
{
    struct talk talk;
    talk_begin(&talk, "{workflow: {namespace: test, name: nowhere, version: 1.0.0}}", "", twice);
    world_start(&talk.world, NULL);
    world_play(&talk.world);
    assert_part(world_result(&talk.world), "errors/configuration");
    assert_part(world_result(&talk.world), "there is no such workflow");
    world_done(&talk.world);
}

/* --- calls -------------------------------------------------------------------------------------
 */

static void children_run_at_once_and_the_version_stays(void **)
{
    struct talk talk;
    talk_begin(&talk, LOOKUP ", with: {depth: 2}}", "", twice);
    world_start(&talk.world, NULL);
    play(&talk);
    assert_int_equal(talk.world.child_count, 2);
    assert_child(&talk, 0, "test/look-up:1.2.0", "{\"key\":\"one\",\"depth\":2}");
    assert_child(&talk, 1, "test/look-up:1.2.0", "{\"key\":\"two\",\"depth\":2}");
    assert_int_equal(run_status(talk.world.run), RUN_WAITING);
    talk.shelf.newest = "2.0.0";
    world_answer_child(&talk.world, 1, CHILD_COMPLETED, "{\"found\": 2}");
    crash(&talk);
    assert_int_equal(talk.world.job_count, 0); /* the turn is not over */
    world_answer_child(&talk.world, 0, CHILD_COMPLETED, "\"found\"");
    crash(&talk);
    while (talk.world.job_count == 0) assert_true(world_step(&talk.world));
    assert_asked(&talk, "\"tool_call_id\":\"c1\",\"content\":\"found\"},{\"role\":\"tool\","
                        "\"tool_call_id\":\"c2\",\"content\":\"{\\\"found\\\":2}\"}");
    play(&talk);
    assert_child(&talk, 0, "test/look-up:1.2.0", "{\"key\":\"three\",\"depth\":2}");
    world_answer_child(&talk.world, 0, CHILD_COMPLETED, "null");
    play(&talk);
    assert_part(world_result(&talk.world), "{\"content\":\"done\",\"turns\":3,\"tool_calls\":[{"
                                           "\"name\":\"look_up\",\"arguments\":{\"key\":\"one\","
                                           "\"depth\":2}}");
    assert_part(talk.world.history.ptr, "child.scheduled " PLACE("0", "1") "\n");
    assert_part(talk.world.history.ptr, "child.completed " PLACE("1", "0") "\n");
    assert_int_equal(talk.shelf.described, 1);
    assert_int_equal(talk.shelf.found, 3);
    world_done(&talk.world);
}

static void wrong_arguments_start_no_run(void **)
{
    static const struct answer script[] = {
        {"model", 0, ANSWER_OK_ONCE, ASKS(CALL_OF("c1", "look_up", "{\\\"key\\\": 7}"))},
        {"model", 0, ANSWER_OK, SAYS("done")},
        {},
    };
    struct talk talk;
    talk_begin(&talk, LOOKUP ", with: {depth: 2}}", "", script);
    world_start(&talk.world, NULL);
    play(&talk);
    assert_part(world_result(&talk.world), "\"error\":{\"type\":\"https://serverlessworkflow.io/"
                                           "spec/1.0.0/errors/validation\"");
    assert_int_equal(talk.shelf.found, 0);
    world_done(&talk.world);
}

/* What is fixed is not in the schema that the model's arguments are checked against. */
static void wrong_fixed_arguments_are_an_error_of_the_call(void **)
{
    struct talk talk;
    talk_begin(&talk, LOOKUP ", onError: fault, with: {depth: 2, bad: 1}}", "", twice);
    world_start(&talk.world, NULL);
    world_play(&talk.world);
    assert_part(world_result(&talk.world), "errors/validation");
    assert_part(world_result(&talk.world), "bad is bad");
    assert_part(world_result(&talk.world), "\"instance\":\"" PLACE("0", "0") "\"");
    world_done(&talk.world);
}

static const struct answer once[] = {
    {"model", 0, ANSWER_OK_ONCE, ASKS(FIND("c1", "one"))},
    {"model", 0, ANSWER_OK, SAYS("done")},
    {},
};

static const char sick[] = "{\"type\": \"urn:sick\", \"status\": 418, \"title\": \"Sick\", "
                           "\"detail\": \"in bed\", \"instance\": \"/do/0/x\"}";

static void a_fault_is_reported_to_the_model(void **)
{
    struct talk talk;
    talk_begin(&talk, LOOKUP ", with: {depth: 2}}", "", once);
    world_start(&talk.world, NULL);
    play(&talk);
    world_answer_child(&talk.world, 0, CHILD_STARTED, NULL);
    crash(&talk);
    world_answer_child(&talk.world, 0, CHILD_FAULTED, sick);
    crash(&talk);
    while (talk.world.job_count == 0) assert_true(world_step(&talk.world));
    assert_asked(&talk, "{\\\"error\\\":{\\\"type\\\":\\\"urn:sick\\\",\\\"title\\\":\\\"Sick\\\","
                        "\\\"detail\\\":\\\"child run ");
    play(&talk);
    assert_part(world_result(&talk.world), "\"content\":\"done\"");
    world_done(&talk.world);
}

static void a_cancelled_child_is_reported_as_well(void **)
{
    struct talk talk;
    talk_begin(&talk, LOOKUP ", with: {depth: 2}}", "", once);
    world_start(&talk.world, NULL);
    play(&talk);
    world_answer_child(&talk.world, 0, CHILD_CANCELLED, NULL);
    play(&talk);
    assert_part(world_result(&talk.world), "was cancelled");
    assert_part(world_result(&talk.world), "\"content\":\"done\"");
    world_done(&talk.world);
}

static void on_error_fault_stops_the_others(void **)
{
    struct talk talk;
    talk_begin(&talk, LOOKUP ", with: {depth: 2}, onError: fault}", "", twice);
    world_start(&talk.world, NULL);
    play(&talk);
    world_answer_child(&talk.world, 1, CHILD_FAULTED, sick);
    crash(&talk);
    while (world_step(&talk.world)) crash(&talk);
    assert_part(world_result(&talk.world), "faulted {\"type\":\"urn:sick\",\"status\":418");
    assert_part(world_result(&talk.world), "\"instance\":\"" PLACE("0", "1") "\"");
    assert_int_equal(talk.world.child_count, 0);
    assert_int_equal(talk.world.children_stopped, 1);
    world_done(&talk.world);
}

static void the_agent_s_retry_starts_no_other_run(void **)
{
    struct talk talk;
    talk_begin(&talk,
               LOOKUP ", with: {depth: 2}}], retry: {delay: PT1S, limit: {attempt: {count: 1}}}, "
                      "stop: [x",
               "", once);
    world_start(&talk.world, NULL);
    play(&talk);
    world_answer_child(&talk.world, 0, CHILD_FAULTED, sick);
    play(&talk);
    assert_int_equal(talk.shelf.found, 1);
    assert_part(world_result(&talk.world), "\"content\":\"done\"");
    assert_part(world_result(&talk.world), "\"error\":{\"type\":\"urn:sick\"");
    world_done(&talk.world);
}

static void a_person_is_asked_before(void **)
{
    for (int approves = 0; approves < 2; approves++) {
        struct talk talk;
        talk_begin(&talk, LOOKUP ", with: {depth: 2}, approval: true}", "", once);
        world_start(&talk.world, NULL);
        play(&talk);
        assert_int_equal(talk.world.child_count, 0);
        assert_int_equal(run_status(talk.world.run), RUN_WAITING);
        assert_int_equal(world_decide(&talk.world, approves, NULL), STATUS_OK);
        play(&talk);
        if (approves) {
            assert_child(&talk, 0, "test/look-up:1.2.0", "{\"key\":\"one\",\"depth\":2}");
            world_answer_child(&talk.world, 0, CHILD_COMPLETED, "1");
            play(&talk);
        }
        bool is_refused = strstr(world_result(&talk.world), "Refused") != NULL;
        assert_part(world_result(&talk.world), "\"content\":\"done\"");
        assert_int_equal(is_refused, !approves);
        world_done(&talk.world);
    }
}

/* --- the agent's end goes down -----------------------------------------------------------------
 */

static void all_ends_go_down(void **)
{
    enum { BY_CANCEL, BY_TERMINATE, BY_TIMEOUT, ENDS };
    static const char *const results[ENDS] = {"cancelled", "terminated", "errors/timeout"};
    for (int by = 0; by < ENDS; by++) {
        struct talk talk;
        talk_begin(&talk, LOOKUP ", with: {depth: 2}}", ", timeout: {after: PT1M}", twice);
        world_start(&talk.world, NULL);
        play(&talk);
        assert_int_equal(talk.world.child_count, 2);
        if (by == BY_CANCEL) world_cancel(&talk.world);
        if (by == BY_TERMINATE) world_terminate(&talk.world);
        if (by == BY_TIMEOUT) world_pass(&talk.world, 60'000'000);
        assert_int_equal(talk.world.child_count, 0);
        assert_int_equal(talk.world.children_stopped, 2);
        assert_part(world_result(&talk.world), results[by]);
        world_done(&talk.world);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_model_sees_the_workflow_s_schema),
        cmocka_unit_test(what_the_definition_says_wins),
        cmocka_unit_test(a_workflow_that_says_nothing),
        cmocka_unit_test(a_workflow_that_is_not_there),
        cmocka_unit_test(children_run_at_once_and_the_version_stays),
        cmocka_unit_test(wrong_arguments_start_no_run),
        cmocka_unit_test(wrong_fixed_arguments_are_an_error_of_the_call),
        cmocka_unit_test(a_fault_is_reported_to_the_model),
        cmocka_unit_test(a_cancelled_child_is_reported_as_well),
        cmocka_unit_test(on_error_fault_stops_the_others),
        cmocka_unit_test(the_agent_s_retry_starts_no_other_run),
        cmocka_unit_test(a_person_is_asked_before),
        cmocka_unit_test(all_ends_go_down),
    };
    return cmocka_run_group_tests_name("agent child", tests, NULL, NULL);
}
