/* Over a socket: workers register what they can do, workflows use it and keep what they got. */
#include "cmocka.h"

#include "support/scheduler/rig.h"

#define FUNCTION(version, more)                                                                    \
    "{\"name\": \"slack.send\", \"version\": \"" version "\", \"queue\": \"tools\","               \
    " \"effect\": \"send\", \"idempotency\": \"none\"" more "}"
#define OPEN_SCHEMA   ", \"input_schema\": {\"type\": \"object\"}"
#define CLOSED_SCHEMA ", \"input_schema\": {\"properties\": {\"to\": {\"type\": \"integer\"}}}"
#define OUTPUT_SCHEMA ", \"output_schema\": {\"required\": [\"id\"]}"

static const Pb__RegisteredFunctions *enlist(struct rig *rig, const char *one, const char *other)
{
    ProtobufCBinaryData list[]    = {rig_bytes(one), rig_bytes(other ? other : "")};
    Pb__RegisterFunctions message = PB__REGISTER_FUNCTIONS__INIT;
    message.worker                = "w";
    message.functions_json        = list;
    message.n_functions_json      = other ? 2 : 1;
    const struct question asked   = {
          .service = &pb__functions__descriptor, .method = "Put", .message = &message};
    return rig_ask(rig, &asked);
}

static const Pb__FunctionList *list(struct rig *rig, const char *name, const char *version,
                                    status expected)
{
    Pb__ListFunctions message   = PB__LIST_FUNCTIONS__INIT;
    message.name                = name;
    message.version             = version;
    const struct question asked = {.service  = &pb__functions__descriptor,
                                   .method   = "List",
                                   .message  = &message,
                                   .expected = expected};
    return rig_ask(rig, &asked);
}

static void test_registering(void **)
{
    struct rig rig = {};
    rig_init(&rig, 1, true);
    const Pb__RegisteredFunctions *answer = enlist(&rig, FUNCTION("1.0.0", OPEN_SCHEMA), NULL);
    assert_int_equal(answer->added, 1);
    answer = enlist(&rig, FUNCTION("1.0.0", OPEN_SCHEMA), FUNCTION("1.1.0", CLOSED_SCHEMA));
    assert_int_equal(answer->known, 1);
    assert_int_equal(answer->added, 1);
    assert_int_equal(answer->n_refused, 0);

    /* Another contract under the same version; the other one is taken nevertheless. */
    answer = enlist(&rig, FUNCTION("1.0.0", CLOSED_SCHEMA),
                    FUNCTION("1.1.0", CLOSED_SCHEMA ", \"summary\": \"Sends\""));
    assert_int_equal(answer->added, 1);
    assert_int_equal(answer->n_refused, 1);
    assert_int_equal(answer->refused[0]->index, 0);
    assert_string_equal(answer->refused[0]->function, "slack.send:1.0.0");
    assert_non_null(strstr(answer->refused[0]->detail, "needs a new version"));

    rig_restart(&rig);
    answer = enlist(&rig, FUNCTION("1.0.0", OPEN_SCHEMA), FUNCTION("1.0.0", CLOSED_SCHEMA));
    assert_int_equal(answer->known, 1);
    assert_int_equal(answer->n_refused, 1);
    assert_int_equal(list(&rig, "slack.send", "", STATUS_OK)->n_functions_json, 2);
    const Pb__FunctionList *newest = list(&rig, "slack.send", "1", STATUS_OK);
    assert_int_equal(newest->n_functions_json, 1);
    assert_non_null(
        memmem(newest->functions_json[0].data, newest->functions_json[0].len, "\"Sends\"", 7));
    (void)list(&rig, "slack.send", "2", STATUS_NOT_FOUND);
    (void)list(&rig, "slack.sent", "", STATUS_NOT_FOUND);
    assert_true(list(&rig, "", "", STATUS_OK)->n_functions_json > 2); /* the built-in ones too */
    rig_done(&rig);
}

static void test_what_cannot_be_registered(void **)
{
    static const char *const bad[] = {
        "{",
        ("{\"name\": \"llm.chat\", \"version\": \"2.0.0\", \"queue\": \"llm\", \"effect\": "
         "\"read\"}"),
        "{\"name\": \"a.b\", \"version\": \"1.0.0\", \"queue\": \"mine\", \"effect\": \"read\"}",
    };
    struct rig rig = {};
    rig_init(&rig, 1, false);
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        assert_int_equal(enlist(&rig, bad[i], NULL)->n_refused, 1);
    }
    rig_done(&rig);
}

static Pb__PutWorkflowAnswer *put(struct rig *rig, const char *version, status expected)
{
    struct buf text = buf_init(4 << 10);
    (void)buf_printf(&text,
                     "document: {dsl: 1.0.3, namespace: default, name: f, version: %s}\n"
                     "do:\n  - a: {call: 'slack.send:1', with: {to: '${ .to }'}}\n",
                     version);
    Pb__PutWorkflow message     = PB__PUT_WORKFLOW__INIT;
    message.definition          = rig_bytes(text.ptr);
    const struct question asked = {.service  = &pb__workflows__descriptor,
                                   .method   = "Put",
                                   .message  = &message,
                                   .expected = expected};
    const void *answer          = rig_ask(rig, &asked);
    buf_done(&text);
    return (Pb__PutWorkflowAnswer *)(uintptr_t)answer;
}

static const Pb__WorkflowView *get(struct rig *rig, const char *version)
{
    Pb__GetWorkflow message     = PB__GET_WORKFLOW__INIT;
    message.namespace_          = "default";
    message.name                = "f";
    message.version             = version;
    message.definition          = true;
    const struct question asked = {
        .service = &pb__workflows__descriptor, .method = "Get", .message = &message};
    return rig_ask(rig, &asked);
}

static void test_a_workflow_keeps_what_it_was_registered_with(void **)
{
    struct rig rig = {};
    rig_init(&rig, 1, true);
    (void)put(&rig, "1.0.0", STATUS_INVALID_ARGUMENT); /* nobody has it yet */
    (void)enlist(&rig, FUNCTION("1.0.0", OPEN_SCHEMA), NULL);
    assert_true(put(&rig, "1.0.0", STATUS_OK)->created);
    (void)enlist(&rig, FUNCTION("1.1.0", CLOSED_SCHEMA OUTPUT_SCHEMA), NULL);
    assert_false(put(&rig, "1.0.0", STATUS_OK)->created);
    assert_true(put(&rig, "1.0.1", STATUS_OK)->created);

    const char *old = rig_start(&rig, "f:1.0.0", "{}")->run->id;
    rig_restart(&rig);
    const Pb__LeasedJob *job = rig_lease(&rig, "tools", 5'000);
    assert_non_null(job);
    assert_string_equal(job->function, "slack.send");
    assert_string_equal(job->function_version, "1.0.0");
    assert_int_equal(rig_complete(&rig, job, "{}"), STATUS_OK);
    rig_wait_for(&rig, old, PB__RUN_STATUS__RUN_STATUS_COMPLETED);

    /* The same text, registered later, means the newer one. */
    const char *refused = rig_start(&rig, "f:1.0.1", "{}")->run->id;
    rig_wait_for(&rig, refused, PB__RUN_STATUS__RUN_STATUS_FAULTED);
    const Pb__RunView *view = rig_get(&rig, refused);
    assert_non_null(memmem(view->error_json.data, view->error_json.len, "validation", 10));
    assert_null(rig_lease(&rig, "tools", 0)); /* no job was queued for it */

    const char *answered = rig_start(&rig, "f:1.0.1", "{\"to\": 1}")->run->id;
    job                  = rig_lease(&rig, "tools", 5'000);
    assert_string_equal(job->function_version, "1.1.0");
    assert_int_equal(rig_complete(&rig, job, "{\"no\": 1}"), STATUS_OK);
    rig_wait_for(&rig, answered, PB__RUN_STATUS__RUN_STATUS_FAULTED);

    const Pb__WorkflowView *workflow = get(&rig, "1.0.1");
    assert_null(memmem(workflow->definition_json.data, workflow->definition_json.len, "pins", 4));
    assert_memory_equal(workflow->definition_json.data, "{\"do\":", 6);
    rig_done(&rig);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_registering),
        cmocka_unit_test(test_what_cannot_be_registered),
        cmocka_unit_test(test_a_workflow_keeps_what_it_was_registered_with),
    };
    return cmocka_run_group_tests_name("function service", tests, NULL, NULL);
}
