/* Over a socket: definitions, approvals, keys, status; and several partitions in one process. */
#include "cmocka.h"

#include "support/scheduler/rig.h"

enum { PARTITIONS = 3 };

static const char set_task[]  = "  - a: {set: {answer: 42}}\n";
static const char call_task[] = "  - a: {call: llm.chat, with: {model: m, prompt: hi}}\n";
static const char approval_task[] =
    "  - ask:\n"
    "      listen: {to: {one: {with: {type: dev.tutti.approval.decided.v1}}}}\n"
    "      metadata:\n        tutti:\n          approval:\n"
    "            title: Publish?\n            approvers: [ 'team:leads', 'key:boss' ]\n"
    "            payload: {text: draft}\n"
    "            form: {type: object, required: [ note ]}\n";

static const void *ask(struct rig *rig, const ProtobufCServiceDescriptor *service,
                       const char *method, const void *message, status expected, const char *code)
{
    const struct question asked = {.service  = service,
                                   .method   = method,
                                   .message  = message,
                                   .expected = expected,
                                   .code     = code};
    return rig_ask(rig, &asked);
}

/* --- definitions -------------------------------------------------------------------------------
 */

static const Pb__PutWorkflowAnswer *put(struct rig *rig, const char *version, const char *tasks,
                                        status expected, const char *code)
{
    struct buf text = buf_init(64 << 10);
    (void)buf_printf(&text,
                     "document: {dsl: 1.0.3, namespace: acme, name: flow, version: '%s'}\ndo:\n%s",
                     version, tasks);
    Pb__PutWorkflow message = PB__PUT_WORKFLOW__INIT;
    message.definition      = rig_bytes(text.ptr);
    message.by              = "me";
    const void *answer      = ask(rig, &pb__workflows__descriptor, "Put", &message, expected, code);
    buf_done(&text);
    return answer;
}

static void test_versions_are_immutable(void **)
{
    struct rig rig = {};
    rig_init(&rig, 1, true);
    assert_true(put(&rig, "1.0.0", set_task, STATUS_OK, NULL)->created);
    assert_false(put(&rig, "1.0.0", set_task, STATUS_OK, NULL)->created);
    (void)put(&rig, "1.0.0", call_task, STATUS_ALREADY_EXISTS, "already_exists");
    assert_true(put(&rig, "1.10.0", set_task, STATUS_OK, NULL)->created);
    assert_true(put(&rig, "1.9.0", set_task, STATUS_OK, NULL)->created);
    assert_true(put(&rig, "2.0.0-rc.1", set_task, STATUS_OK, NULL)->created);
    (void)put(&rig, "3.0.0", "  - a: {nothing: 1}\n", STATUS_INVALID_ARGUMENT, "workflow_invalid");
    rig_restart(&rig);

    Pb__GetWorkflow get = PB__GET_WORKFLOW__INIT;
    get.namespace_      = "acme";
    get.name            = "flow";
    get.definition      = true;
    const Pb__WorkflowView *view =
        ask(&rig, &pb__workflows__descriptor, "Get", &get, STATUS_OK, NULL);
    assert_string_equal(view->version, "1.10.0");
    assert_int_equal(view->n_versions, 4);
    assert_string_equal(view->versions[0], "2.0.0-rc.1");
    assert_string_equal(view->versions[3], "1.0.0");
    assert_true(view->definition_json.len > 0);
    get.version = "1.9.0";
    view        = ask(&rig, &pb__workflows__descriptor, "Get", &get, STATUS_OK, NULL);
    assert_string_equal(view->version, "1.9.0");
    get.version = "7.0.0";
    (void)ask(&rig, &pb__workflows__descriptor, "Get", &get, STATUS_NOT_FOUND, "not_found");
    assert_string_equal(rig_start(&rig, "acme/flow", NULL)->run->version, "1.10.0");
    assert_true(put(&rig, "1.11.0", set_task, STATUS_OK, NULL)->created);
    assert_string_equal(rig_start(&rig, "acme/flow", NULL)->run->version, "1.11.0");
    assert_string_equal(rig_start(&rig, "acme/flow:2.0.0-rc.1", NULL)->run->version, "2.0.0-rc.1");
    rig_done(&rig);
}

static void test_workflows_are_listed(void **)
{
    struct rig rig = {};
    rig_init(&rig, 1, false);
    rig_put(&rig, "a", set_task);
    rig_put(&rig, "b", set_task);
    (void)put(&rig, "1.0.0", set_task, STATUS_OK, NULL);
    (void)put(&rig, "1.1.0", set_task, STATUS_OK, NULL);

    Pb__Page page                = PB__PAGE__INIT;
    Pb__ListWorkflows request    = PB__LIST_WORKFLOWS__INIT;
    request.page                 = &page;
    const Pb__WorkflowList *list = NULL;
    list = ask(&rig, &pb__workflows__descriptor, "List", &request, STATUS_OK, NULL);
    assert_int_equal(list->n_workflows, 3); /* the newest of each name */
    assert_string_equal(list->workflows[0]->version, "1.1.0");
    assert_string_equal(list->next_token, "");

    size_t count = 0;
    page.size    = 1;
    do {
        list = ask(&rig, &pb__workflows__descriptor, "List", &request, STATUS_OK, NULL);
        count += list->n_workflows;
        page.token = list->next_token;
    } while (*list->next_token);
    assert_int_equal(count, 3);

    page               = (Pb__Page)PB__PAGE__INIT;
    request.namespace_ = "acme";
    request.name       = "flow";
    list               = ask(&rig, &pb__workflows__descriptor, "List", &request, STATUS_OK, NULL);
    assert_int_equal(list->n_workflows, 2);
    rig_done(&rig);
}

static void test_validation_reports_findings(void **)
{
    struct rig rig = {};
    rig_init(&rig, 1, false);
    Pb__ValidateWorkflow request = PB__VALIDATE_WORKFLOW__INIT;
    request.definition = rig_bytes("document: {dsl: 1.0.3, namespace: a, name: b, version: 1.0.0}\n"
                                   "input: {schema: {document: {type: object, required: [ x ]}}}\n"
                                   "do:\n  - a: {set: {y: 1}}\n");
    const Pb__ValidateWorkflowAnswer *answer = NULL;
    answer = ask(&rig, &pb__workflows__descriptor, "Validate", &request, STATUS_OK, NULL);
    assert_true(answer->valid);
    request.input_json = rig_bytes("{}");
    answer = ask(&rig, &pb__workflows__descriptor, "Validate", &request, STATUS_OK, NULL);
    assert_false(answer->valid);
    assert_int_equal(answer->n_findings, 1);
    assert_string_equal(answer->findings[0]->pointer, "/input");
    request.definition = rig_bytes("document: {}\n");
    answer = ask(&rig, &pb__workflows__descriptor, "Validate", &request, STATUS_OK, NULL);
    assert_false(answer->valid);
    assert_true(answer->n_findings > 1);
    request.definition = rig_bytes("document: {dsl: 1.0.3, namespace: a, name: b, version: 1.0.0}\n"
                                   "do:\n  - a: {set: {y: 1}}\n"
                                   "  - b: {set: {y: '${ $steps.a.y }'}}\n");
    request.input_json = rig_bytes("");
    request.portable   = true;
    answer = ask(&rig, &pb__workflows__descriptor, "Validate", &request, STATUS_OK, NULL);
    assert_true(answer->valid);
    assert_int_equal(answer->n_findings, 1); /* `$steps` is ours */
    assert_string_equal(answer->findings[0]->pointer, "/do/1/b/set/y");

    Pb__PutWorkflow message = PB__PUT_WORKFLOW__INIT;
    message.definition = rig_bytes("document: {dsl: 1.0.3, namespace: a, name: b, version: 1.0.0}\n"
                                   "input: {schema: {document: {type: object, required: [ x ]}}}\n"
                                   "do:\n  - a: {set: {y: 1}}\n");
    (void)ask(&rig, &pb__workflows__descriptor, "Put", &message, STATUS_OK, NULL);
    Pb__StartRun start = PB__START_RUN__INIT;
    start.workflow     = "a/b";
    (void)ask(&rig, &pb__runs__descriptor, "Start", &start, STATUS_INVALID_ARGUMENT,
              "input_invalid");
    message.namespace_ = "other";
    (void)ask(&rig, &pb__workflows__descriptor, "Put", &message, STATUS_INVALID_ARGUMENT,
              "namespace_mismatch");
    rig_done(&rig);
}

/* --- approvals ---------------------------------------------------------------------------------
 */

static void test_approvals_are_decided_once(void **)
{
    struct rig rig = {};
    rig_init(&rig, 1, true);
    rig_put(&rig, "ask", approval_task);
    const char *run = rig_start(&rig, "ask", NULL)->run->id;
    rig_restart(&rig);

    Pb__ListApprovals request    = PB__LIST_APPROVALS__INIT;
    request.status               = PB__APPROVAL_STATUS__APPROVAL_STATUS_PENDING;
    request.run                  = run;
    const Pb__ApprovalList *list = NULL;
    list = ask(&rig, &pb__approvals__descriptor, "List", &request, STATUS_OK, NULL);
    assert_int_equal(list->n_approvals, 1);
    const Pb__ApprovalView *pending = list->approvals[0];
    assert_string_equal(pending->title, "Publish?");
    assert_int_equal(pending->n_approvers, 2);

    Pb__DecideApproval decide = PB__DECIDE_APPROVAL__INIT;
    decide.id                 = pending->id;
    decide.approve            = true;
    decide.by                 = "me";
    decide.data_json          = rig_bytes("{\"note\":\"fine\"}");
    (void)ask(&rig, &pb__approvals__descriptor, "Decide", &decide, STATUS_PERMISSION_DENIED,
              "not_assignee");
    decide.by        = "boss";
    decide.data_json = rig_bytes("{}");
    (void)ask(&rig, &pb__approvals__descriptor, "Decide", &decide, STATUS_INVALID_ARGUMENT,
              "input_invalid");
    decide.data_json               = rig_bytes("{\"note\":\"fine\"}");
    const Pb__ApprovalView *answer = NULL;
    const struct question once     = {.service    = &pb__approvals__descriptor,
                                      .method     = "Decide",
                                      .message    = &decide,
                                      .request_id = "decide-1"};
    answer                         = rig_ask(&rig, &once);
    assert_int_equal(answer->status, PB__APPROVAL_STATUS__APPROVAL_STATUS_APPROVED);
    assert_string_equal(answer->decided_by, "boss");
    rig_restart(&rig); /* its answer may have been lost: asked again, it is the same */
    answer = rig_ask(&rig, &once);
    assert_int_equal(answer->status, PB__APPROVAL_STATUS__APPROVAL_STATUS_APPROVED);
    assert_string_equal(answer->decided_by, "boss");
    (void)ask(&rig, &pb__approvals__descriptor, "Decide", &decide, STATUS_FAILED_PRECONDITION,
              "approval_closed");
    assert_int_equal(rig_get(&rig, run)->status, PB__RUN_STATUS__RUN_STATUS_COMPLETED);

    Pb__GetApproval get = PB__GET_APPROVAL__INIT;
    get.id              = pending->id;
    answer              = ask(&rig, &pb__approvals__descriptor, "Get", &get, STATUS_OK, NULL);
    assert_int_equal(answer->status, PB__APPROVAL_STATUS__APPROVAL_STATUS_APPROVED);
    get.namespace_ = "acme";
    (void)ask(&rig, &pb__approvals__descriptor, "Get", &get, STATUS_NOT_FOUND, "not_found");
    rig_done(&rig);
}

static const void *edit_approval(struct rig *rig, const char *id, uint64_t revision,
                                 const char *patch, status expected, const char *code)
{
    Pb__EditApproval edit = PB__EDIT_APPROVAL__INIT;
    edit.id               = id;
    edit.revision         = revision;
    edit.patch_json       = rig_bytes(patch);
    edit.by               = "boss";
    return ask(rig, &pb__approvals__descriptor, "Edit", &edit, expected, code);
}

static void test_approvals_are_edited_until_they_are_decided(void **)
{
    struct rig rig = {};
    rig_init(&rig, 1, true);
    rig_put(&rig, "edit",
            "  - a:\n"
            "      listen: { to: { one: { with: { type: dev.tutti.approval.decided.v1 } } } }\n"
            "      metadata: { tutti: { approval: { title: T, approvers: [ 'key:boss' ],\n"
            "        payload: { a: 1, b: { c: 2 } }, editable: true } } }\n");
    const char *run              = rig_start(&rig, "edit", NULL)->run->id;
    Pb__ListApprovals request    = PB__LIST_APPROVALS__INIT;
    request.run                  = run;
    const Pb__ApprovalList *list = NULL;
    list           = ask(&rig, &pb__approvals__descriptor, "List", &request, STATUS_OK, NULL);
    const char *id = list->approvals[0]->id;
    const Pb__ApprovalView *view = NULL;

    view = edit_approval(&rig, id, 0, "{\"payload\": {\"a\": null, \"b\": {\"d\": 3}}}", STATUS_OK,
                         NULL);
    assert_int_equal(view->revision, 1);
    assert_true(view->changed);
    assert_memory_equal(view->payload_json.data, "{\"b\":{\"c\":2,\"d\":3}}", 19);
    (void)edit_approval(&rig, id, 0, "{\"payload\": {\"a\": 5}}", STATUS_FAILED_PRECONDITION,
                        "precondition_failed");
    static const char *const bad[] = {
        "{}",
        "[]",
        "{\"title\": \"x\"}",
        "{\"payload\": null}",
        "{\"approvers\": \"me\"}",
        "{\"approvers\": [\"me\"]}",
        "{\"due_at\": \"soon\"}",
        "{\"due_at\": \"2001-01-01T00:00:00Z\"}",
    };
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        (void)edit_approval(&rig, id, 1, bad[i], STATUS_INVALID_ARGUMENT, NULL);
    }
    view = edit_approval(&rig, id, 1, "{\"due_at\": \"2099-01-01T00:00:00Z\"}", STATUS_OK, NULL);
    assert_true(view->due_us > view->created_us);
    rig_restart(&rig);
    view = edit_approval(&rig, id, 2, "{\"approvers\": [\"key:me\"], \"due_at\": null}", STATUS_OK,
                         NULL);
    assert_int_equal(view->due_us, 0);
    assert_string_equal(view->approvers[0], "key:me");
    (void)edit_approval(&rig, id, 3, "{\"due_at\": null}", STATUS_PERMISSION_DENIED,
                        "not_assignee");
    Pb__DecideApproval decide = PB__DECIDE_APPROVAL__INIT;
    decide.id                 = id;
    decide.approve            = true;
    decide.by                 = "me";
    (void)ask(&rig, &pb__approvals__descriptor, "Decide", &decide, STATUS_OK, NULL);
    (void)edit_approval(&rig, id, 4, "{\"due_at\": null}", STATUS_FAILED_PRECONDITION,
                        "approval_closed");
    rig_done(&rig);
}

/* --- system ------------------------------------------------------------------------------------
 */

static void test_keys_are_kept(void **)
{
    struct rig rig = {};
    rig_init(&rig, 1, true);
    uint8_t digest[32] = {7};
    Pb__ApiKey key     = PB__API_KEY__INIT;
    key.id             = "abcdefghijkl";
    key.name           = "ci";
    key.namespace_     = "acme";
    (void)ask(&rig, &pb__system__descriptor, "PutKey", &key, STATUS_INVALID_ARGUMENT, NULL);
    key.secret_sha256 = (ProtobufCBinaryData){sizeof digest, digest};
    (void)ask(&rig, &pb__system__descriptor, "PutKey", &key, STATUS_OK, NULL);
    rig_restart(&rig);
    Pb__LookupKeyRequest lookup = PB__LOOKUP_KEY_REQUEST__INIT;
    lookup.id                   = "abcdefghijkl";
    const Pb__ApiKey *found =
        ask(&rig, &pb__system__descriptor, "LookupKey", &lookup, STATUS_OK, NULL);
    assert_string_equal(found->name, "ci");
    assert_true(found->created_us > 0);
    lookup.id = "nobody";
    (void)ask(&rig, &pb__system__descriptor, "LookupKey", &lookup, STATUS_NOT_FOUND, NULL);
    rig_done(&rig);
}

static void test_partitions_share_the_work(void **)
{
    struct rig rig = {};
    rig_init(&rig, PARTITIONS, true);
    rig_put(&rig, "job", call_task);

    Pb__TopologyRequest nothing = PB__TOPOLOGY_REQUEST__INIT;
    const Pb__TopologyView *topology =
        ask(&rig, &pb__system__descriptor, "Topology", &nothing, STATUS_OK, NULL);
    assert_int_equal(topology->partition_count, PARTITIONS);
    assert_int_equal(topology->n_owned, PARTITIONS);

    /* A client id has one owner, wherever the start goes first. */
    Pb__StartRun request = PB__START_RUN__INIT;
    request.workflow     = "job";
    request.client_id    = "order-1";
    request.on_conflict  = PB__ON_CONFLICT__ON_CONFLICT_RETURN;
    const char *found    = NULL;
    for (uint16_t i = 0; i < PARTITIONS; i++) {
        const struct question asked   = {.service   = &pb__runs__descriptor,
                                         .method    = "Start",
                                         .message   = &request,
                                         .partition = i};
        const Pb__StartedRun *started = rig_ask(&rig, &asked);
        if (found) assert_string_equal(started->run->id, found);
        found = started->run->id;
    }
    /* Without one the partition that was asked takes it, and its jobs are leased there. */
    request.client_id = "";
    for (uint16_t i = 0; i < PARTITIONS; i++) {
        const struct question asked   = {.service   = &pb__runs__descriptor,
                                         .method    = "Start",
                                         .message   = &request,
                                         .partition = i};
        const Pb__StartedRun *started = rig_ask(&rig, &asked);
        assert_int_equal(id_partition(str_from(started->run->id)), i);
        assert_string_equal(rig_get(&rig, started->run->id)->id, started->run->id);
    }
    rig_restart(&rig);
    Pb__SystemStatusRequest everything = PB__SYSTEM_STATUS_REQUEST__INIT;
    const Pb__SystemStatus *state =
        ask(&rig, &pb__system__descriptor, "Status", &everything, STATUS_OK, NULL);
    assert_int_equal(state->n_partitions, PARTITIONS);
    uint64_t depth = 0;
    for (size_t i = 0; i < state->n_queues; i++) depth += state->queues[i]->depth;
    assert_int_equal(depth, PARTITIONS + 1);
    rig_done(&rig);
}

/* --- queues ------------------------------------------------------------------------------------
 */

static const Pb__QueueView *change(struct rig *rig, const Pb__SetQueue *message, status expected,
                                   const char *code)
{
    return ask(rig, &pb__system__descriptor, "ChangeQueue", message, expected, code);
}

static void test_queues_are_set_in_all_partitions(void **)
{
    struct rig rig = {};
    rig_init(&rig, 2, true);
    rig_put(&rig, "call", call_task);
    for (int i = 0; i < 12; i++) (void)rig_start(&rig, "call", NULL);

    Pb__SetQueue message     = PB__SET_QUEUE__INIT;
    message.name             = "llm";
    message.action           = PB__QUEUE_ACTION__QUEUE_ACTION_LIMIT;
    message.sets_concurrency = true;
    message.concurrency      = 1; /* there would be no share for one of them */
    (void)change(&rig, &message, STATUS_INVALID_ARGUMENT, NULL);
    message.concurrency = 3;
    assert_int_equal(change(&rig, &message, STATUS_OK, NULL)->concurrency, 3);
    message.action = PB__QUEUE_ACTION__QUEUE_ACTION_PAUSE;
    assert_true(change(&rig, &message, STATUS_OK, NULL)->paused);
    rig_restart(&rig);

    Pb__ListQueues asked = PB__LIST_QUEUES__INIT;
    asked.name           = "llm";
    const Pb__QueueList *list =
        ask(&rig, &pb__system__descriptor, "Queues", &asked, STATUS_OK, NULL);
    assert_true(list->queues[0]->paused);
    assert_int_equal(list->queues[0]->concurrency, 3);
    assert_int_equal(list->queues[0]->depth, 12);

    message.namespace_ = "acme"; /* it is not only theirs */
    (void)change(&rig, &message, STATUS_PERMISSION_DENIED, "forbidden");
    message.namespace_ = "";
    message.name       = "tools.webhooks";
    message.action     = PB__QUEUE_ACTION__QUEUE_ACTION_PURGE;
    (void)change(&rig, &message, STATUS_FAILED_PRECONDITION, "conflict");
    message.name = "";
    (void)change(&rig, &message, STATUS_INVALID_ARGUMENT, NULL);
    message.name   = "llm";
    message.action = PB__QUEUE_ACTION__QUEUE_ACTION_UNSPECIFIED;
    (void)change(&rig, &message, STATUS_INVALID_ARGUMENT, NULL);
    rig_done(&rig);
}

/* --- messages of other processes ---------------------------------------------------------------
 */

static void test_a_batch_of_messages_is_checked(void **)
{
    static const struct delivery {
        uint32_t source, partition_count;
        uint64_t sequences[2];
        size_t sequence_count, message_count;
        status expected;
    } rows[] = {
        {1, PARTITIONS, {1, 2}, 2, 2, STATUS_OK},
        {1, PARTITIONS, {1, 2}, 2, 2, STATUS_OK}, /* again: known by their numbers */
        {1, PARTITIONS, {4, 4}, 2, 2, STATUS_INVALID_ARGUMENT},
        {1, PARTITIONS, {5, 4}, 2, 2, STATUS_INVALID_ARGUMENT},
        {1, PARTITIONS, {5, 6}, 2, 1, STATUS_INVALID_ARGUMENT},
        {1, PARTITIONS, {5, 6}, 0, 0, STATUS_INVALID_ARGUMENT},
        {1, PARTITIONS + 1, {5, 6}, 2, 2, STATUS_FAILED_PRECONDITION},
        {PARTITIONS, PARTITIONS, {5, 6}, 2, 2, STATUS_FAILED_PRECONDITION},
    };
    struct rig rig = {};
    rig_init(&rig, PARTITIONS, false);
    Pb__ChildStop stop       = PB__CHILD_STOP__INIT; /* of a child that is not there: nothing */
    Pb__Message content      = PB__MESSAGE__INIT;
    Pb__Message *messages[2] = {&content, &content};
    stop.child               = "01M81B0XSF000G000004RZDE1C";
    content.content_case     = PB__MESSAGE__CONTENT_CHILD_STOP;
    content.child_stop       = &stop;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        uint64_t sequences[2]       = {rows[i].sequences[0], rows[i].sequences[1]};
        Pb__DeliverMessages message = PB__DELIVER_MESSAGES__INIT;
        message.source              = rows[i].source;
        message.partition_count     = rows[i].partition_count;
        message.sequences           = sequences;
        message.n_sequences         = rows[i].sequence_count;
        message.messages            = messages;
        message.n_messages          = rows[i].message_count;
        (void)ask(&rig, &pb__partitions__descriptor, "Deliver", &message, rows[i].expected, NULL);
    }
    rig_done(&rig);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_queues_are_set_in_all_partitions),
        cmocka_unit_test(test_a_batch_of_messages_is_checked),
        cmocka_unit_test(test_versions_are_immutable),
        cmocka_unit_test(test_workflows_are_listed),
        cmocka_unit_test(test_validation_reports_findings),
        cmocka_unit_test(test_approvals_are_decided_once),
        cmocka_unit_test(test_approvals_are_edited_until_they_are_decided),
        cmocka_unit_test(test_keys_are_kept),
        cmocka_unit_test(test_partitions_share_the_work),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
