/* Runs over a socket: starts and what makes them none, views, ends, lists, histories. */
#include "cmocka.h"

#include "support/scheduler/rig.h"

static const char set_task[]    = "  - a: {set: {answer: 42}}\n";
static const char call_task[]   = "  - a: {call: llm.chat, with: {model: m, prompt: hi}}\n";
static const char wait_task[]   = "  - a: {wait: {milliseconds: 30}}\n  - b: {set: {done: 1}}\n";
static const char listen_task[] = "  - a: {listen: {to: {one: {with: {type: go}}}}}\n";

static void assert_json(ProtobufCBinaryData found, const char *expected)
{
    assert_int_equal(found.len, strlen(expected));
    assert_memory_equal(found.data, expected, found.len);
}

/* --- starts ------------------------------------------------------------------------------------
 */

static void test_set_completes_in_the_start(void **)
{
    struct rig rig = {};
    rig_init(&rig, 1, false);
    rig_put(&rig, "one", set_task);
    const Pb__StartedRun *started = rig_start(&rig, "one", "{\"in\":1}");
    assert_true(started->created);
    assert_int_equal(started->run->status, PB__RUN_STATUS__RUN_STATUS_COMPLETED);
    assert_json(started->run->output_json, "{\"answer\":42}");
    assert_json(started->run->input_json, "{\"in\":1}");

    const Pb__RunView *read = rig_get(&rig, started->run->id);
    assert_int_equal(read->status, PB__RUN_STATUS__RUN_STATUS_COMPLETED);
    assert_json(read->output_json, "{\"answer\":42}");
    assert_json(read->input_json, "{\"in\":1}");
    assert_string_equal(read->workflow, "one");
    assert_string_equal(read->version, "1.0.0");
    assert_string_equal(read->namespace_, "default");
    assert_true(read->ended_us >= read->created_us);
    rig_done(&rig);
}

static void test_large_values_come_back_whole(void **)
{
    struct rig rig = {};
    rig_init(&rig, 1, false);
    rig_put(&rig, "wait", wait_task);
    struct buf input = buf_init(1 << 20);
    (void)buf_put_text(&input, "{\"text\":\"");
    for (int i = 0; i < 500'000; i++) (void)buf_put_byte(&input, 'x');
    (void)buf_put_text(&input, "\"}");
    const char *run = rig_start(&rig, "wait", input.ptr)->run->id;
    assert_json(rig_get(&rig, run)->input_json, input.ptr);
    rig_wait_for(&rig, run, PB__RUN_STATUS__RUN_STATUS_COMPLETED);
    assert_json(rig_get(&rig, run)->input_json, input.ptr);
    buf_done(&input);
    rig_done(&rig);
}

struct refusal {
    const char *name;
    Pb__StartRun request;
    status expected;
    const char *code;
};

static void test_start_refuses(void **)
{
    static uint8_t bad_json[]   = "{";
    const struct refusal rows[] = {
        {"no workflow", {.workflow = ""}, STATUS_INVALID_ARGUMENT, "invalid_request"},
        {"unknown workflow", {.workflow = "nobody"}, STATUS_NOT_FOUND, "not_found"},
        {"unknown version", {.workflow = "one:9.9.9"}, STATUS_NOT_FOUND, "not_found"},
        {"other namespace",
         {.workflow = "acme/one", .namespace_ = "default"},
         STATUS_INVALID_ARGUMENT,
         "namespace_mismatch"},
        {"client id with a blank",
         {.workflow = "one", .client_id = "a b"},
         STATUS_INVALID_ARGUMENT,
         ""},
        {"client id like a generated one",
         {.workflow = "one", .client_id = "01JD0000000000000000000000"},
         STATUS_INVALID_ARGUMENT,
         ""},
        {"priority 10", {.workflow = "one", .priority = 11}, STATUS_INVALID_ARGUMENT, ""},
        {"input that is no JSON",
         {.workflow = "one", .input_json = {1, bad_json}},
         STATUS_INVALID_ARGUMENT,
         "invalid_json"},
        {"idempotency key without digest",
         {.workflow = "one", .idempotency_key = "k"},
         STATUS_INVALID_ARGUMENT,
         ""},
    };
    struct rig rig = {};
    rig_init(&rig, 1, false);
    rig_put(&rig, "one", set_task);
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        Pb__StartRun request    = PB__START_RUN__INIT;
        const Pb__StartRun *row = &rows[i].request;
        request.workflow        = row->workflow;
        request.priority        = row->priority;
        request.input_json      = row->input_json;
        if (row->namespace_) request.namespace_ = row->namespace_;
        if (row->client_id) request.client_id = row->client_id;
        if (row->idempotency_key) request.idempotency_key = row->idempotency_key;
        (void)rig_ask_runs(&rig, "Start", &request, rows[i].expected, rows[i].code);
    }
    rig_done(&rig);
}

static void test_client_id_is_taken_once(void **)
{
    struct rig rig = {};
    rig_init(&rig, 1, true);
    rig_put(&rig, "one", set_task);
    Pb__StartRun request        = PB__START_RUN__INIT;
    request.workflow            = "one";
    request.client_id           = "order-7";
    const Pb__StartedRun *first = rig_ask_runs(&rig, "Start", &request, STATUS_OK, NULL);
    rig_restart(&rig);
    (void)rig_ask_runs(&rig, "Start", &request, STATUS_ALREADY_EXISTS, "run_id_in_use");
    request.on_conflict          = PB__ON_CONFLICT__ON_CONFLICT_RETURN;
    const Pb__StartedRun *second = rig_ask_runs(&rig, "Start", &request, STATUS_OK, NULL);
    assert_false(second->created);
    assert_string_equal(second->run->id, first->run->id);
    assert_string_equal(rig_get(&rig, "order-7")->id, first->run->id);
    rig_done(&rig);
}

/* The run that has the id makes room, if it still runs. */
static void test_client_id_is_taken_over(void **)
{
    struct rig rig = {};
    rig_init(&rig, 1, true);
    rig_put(&rig, "one", listen_task);
    Pb__StartRun request         = PB__START_RUN__INIT;
    request.workflow             = "one";
    request.client_id            = "order-7";
    request.on_conflict          = PB__ON_CONFLICT__ON_CONFLICT_TERMINATE;
    const Pb__StartedRun *first  = rig_ask_runs(&rig, "Start", &request, STATUS_OK, NULL);
    const Pb__StartedRun *second = rig_ask_runs(&rig, "Start", &request, STATUS_OK, NULL);
    assert_true(second->created);
    assert_string_not_equal(second->run->id, first->run->id);
    const Pb__RunView *old = rig_get(&rig, first->run->id);
    assert_int_equal(old->status, PB__RUN_STATUS__RUN_STATUS_TERMINATED);
    rig_restart(&rig);
    assert_string_equal(rig_get(&rig, "order-7")->id, second->run->id);

    Pb__CancelRun cancel = PB__CANCEL_RUN__INIT;
    cancel.id            = second->run->id;
    (void)rig_ask_runs(&rig, "Cancel", &cancel, STATUS_OK, NULL);
    const Pb__StartedRun *third = rig_ask_runs(&rig, "Start", &request, STATUS_OK, NULL);
    assert_true(third->created); /* nothing was left to terminate */
    assert_int_equal(rig_get(&rig, second->run->id)->status, PB__RUN_STATUS__RUN_STATUS_CANCELLED);
    rig_done(&rig);
}

static void test_idempotency_key_replays(void **)
{
    struct rig rig = {};
    rig_init(&rig, 1, true);
    rig_put(&rig, "one", set_task);
    uint8_t digest[32]          = {1};
    Pb__StartRun request        = PB__START_RUN__INIT;
    request.workflow            = "one";
    request.created_by          = "key1";
    request.idempotency_key     = "k";
    request.idempotency_digest  = (ProtobufCBinaryData){sizeof digest, digest};
    const Pb__StartedRun *first = rig_ask_runs(&rig, "Start", &request, STATUS_OK, NULL);
    assert_false(first->replayed);
    rig_restart(&rig);
    const Pb__StartedRun *second = rig_ask_runs(&rig, "Start", &request, STATUS_OK, NULL);
    assert_true(second->replayed);
    assert_string_equal(second->run->id, first->run->id);

    uint8_t other[32]          = {2};
    request.idempotency_digest = (ProtobufCBinaryData){sizeof other, other};
    (void)rig_ask_runs(&rig, "Start", &request, STATUS_INVALID_ARGUMENT, "idempotency_key_reused");
    request.created_by          = "key2"; /* another key's keys are its own */
    const Pb__StartedRun *third = rig_ask_runs(&rig, "Start", &request, STATUS_OK, NULL);
    assert_true(third->created);
    rig_done(&rig);
}

static void test_request_id_starts_once(void **)
{
    struct rig rig = {};
    rig_init(&rig, 1, true);
    rig_put(&rig, "one", set_task);
    Pb__StartRun request        = PB__START_RUN__INIT;
    request.workflow            = "one";
    const struct question asked = {.service    = &pb__runs__descriptor,
                                   .method     = "Start",
                                   .message    = &request,
                                   .request_id = "same"};
    const Pb__StartedRun *first = rig_ask(&rig, &asked);
    const Pb__StartedRun *again = rig_ask(&rig, &asked); /* from the memory of answers */
    assert_string_equal(again->run->id, first->run->id);
    rig_restart(&rig);
    again = rig_ask(&rig, &asked); /* from the tables */
    assert_string_equal(again->run->id, first->run->id);
    assert_true(again->created);
    rig_done(&rig);
}

/* --- more steps than one command may take ------------------------------------------------------
 */

static void test_a_long_loop_goes_on_over_turns(void **)
{
    struct rig rig = {};
    rig_init(&rig, 1, true);
    rig_put(&rig, "loop",
            "  - a:\n      for: {each: n, in: '${ [range(5000)] }'}\n"
            "      do:\n        - b: {set: {last: '${ $n }'}}\n");
    const Pb__StartedRun *started = rig_start(&rig, "loop", NULL);
    assert_int_equal(started->run->status, PB__RUN_STATUS__RUN_STATUS_RUNNING);
    rig_restart(&rig); /* wherever it is now */
    rig_wait_for(&rig, started->run->id, PB__RUN_STATUS__RUN_STATUS_COMPLETED);
    assert_json(rig_get(&rig, started->run->id)->output_json, "{\"last\":4999}");
    rig_done(&rig);
}

/* --- timers, signals, cancels ------------------------------------------------------------------
 */

static void test_timer_fires_after_a_restart(void **)
{
    struct rig rig = {};
    rig_init(&rig, 1, true);
    rig_put(&rig, "wait", "  - a: {wait: {milliseconds: 300}}\n  - b: {set: {done: 1}}\n");
    const char *run = rig_start(&rig, "wait", NULL)->run->id;
    assert_int_equal(rig_get(&rig, run)->status, PB__RUN_STATUS__RUN_STATUS_WAITING);
    rig_restart(&rig);
    rig_wait_for(&rig, run, PB__RUN_STATUS__RUN_STATUS_COMPLETED);
    assert_json(rig_get(&rig, run)->output_json, "{\"done\":1}");
    rig_done(&rig);
}

static void test_signal_wakes_a_listener_once(void **)
{
    struct rig rig = {};
    rig_init(&rig, 1, true);
    rig_put(&rig, "listen", listen_task);
    const char *run = rig_start(&rig, "listen", NULL)->run->id;
    rig_restart(&rig);
    assert_int_equal(rig_get(&rig, run)->n_waiting_for, 1);
    assert_string_equal(rig_get(&rig, run)->waiting_for[0]->kind, "event");

    Pb__SignalRun signal         = PB__SIGNAL_RUN__INIT;
    signal.id                    = run;
    signal.name                  = "go";
    signal.data_json             = rig_bytes("{\"x\":1}");
    const struct question asked  = {.service    = &pb__runs__descriptor,
                                    .method     = "Signal",
                                    .message    = &signal,
                                    .request_id = "sig"};
    const Pb__SignalledRun *sent = rig_ask(&rig, &asked);
    assert_int_equal(strlen(sent->event_id), ID_LEN);
    rig_wait_for(&rig, run, PB__RUN_STATUS__RUN_STATUS_COMPLETED);
    assert_json(rig_get(&rig, run)->output_json, "[{\"x\":1}]");
    rig_restart(&rig);
    const Pb__SignalledRun *again = rig_ask(&rig, &asked);
    assert_string_equal(again->event_id, sent->event_id);
    (void)rig_ask_runs(&rig, "Signal", &signal, STATUS_FAILED_PRECONDITION, "run_finished");
    rig_done(&rig);
}

static void test_cancel_ends_a_run(void **)
{
    struct rig rig = {};
    rig_init(&rig, 1, true);
    rig_put(&rig, "listen", listen_task);
    Pb__CancelRun cancel       = PB__CANCEL_RUN__INIT;
    cancel.id                  = rig_start(&rig, "listen", NULL)->run->id;
    cancel.reason              = "enough";
    const struct question once = {.service    = &pb__runs__descriptor,
                                  .method     = "Cancel",
                                  .message    = &cancel,
                                  .request_id = "cancel-1"};
    const Pb__RunView *view    = rig_ask(&rig, &once);
    assert_int_equal(view->status, PB__RUN_STATUS__RUN_STATUS_CANCELLED);
    rig_restart(&rig); /* the answer may have been lost: the same request has the same one */
    view = rig_ask(&rig, &once);
    assert_int_equal(view->status, PB__RUN_STATUS__RUN_STATUS_CANCELLED);
    (void)rig_ask_runs(&rig, "Cancel", &cancel, STATUS_FAILED_PRECONDITION, "run_finished");
    cancel.id = "nobody";
    (void)rig_ask_runs(&rig, "Cancel", &cancel, STATUS_NOT_FOUND, "not_found");
    rig_done(&rig);
}

static void test_other_tenants_see_nothing(void **)
{
    struct rig rig = {};
    rig_init(&rig, 1, false);
    rig_put(&rig, "one", set_task);
    Pb__GetRun get = PB__GET_RUN__INIT;
    get.id         = rig_start(&rig, "one", NULL)->run->id;
    get.namespace_ = "acme";
    (void)rig_ask_runs(&rig, "Get", &get, STATUS_NOT_FOUND, "not_found");
    Pb__ReadHistory history = PB__READ_HISTORY__INIT;
    history.id              = get.id;
    history.namespace_      = "acme";
    (void)rig_ask_runs(&rig, "History", &history, STATUS_NOT_FOUND, "not_found");
    rig_done(&rig);
}

/* --- history -----------------------------------------------------------------------------------
 */

static void test_history_is_complete_from_anywhere(void **)
{
    struct rig rig = {};
    rig_init(&rig, 1, true);
    rig_put(&rig, "job", call_task);
    const char *run          = rig_start(&rig, "job", NULL)->run->id;
    const Pb__LeasedJob *job = rig_lease(&rig, "llm", 5'000);
    assert_int_equal(rig_complete(&rig, job, "{}"), STATUS_OK);

    Pb__ReadHistory request     = PB__READ_HISTORY__INIT;
    request.id                  = run;
    const Pb__RunHistory *whole = rig_ask_runs(&rig, "History", &request, STATUS_OK, NULL);
    assert_true(whole->n_events >= 4);
    assert_int_equal(whole->last_sequence, whole->n_events);
    assert_string_equal(whole->events[0]->type, "run.started");
    assert_string_equal(whole->events[whole->n_events - 1]->type, "run.completed");
    for (size_t after = 0; after < whole->n_events; after++) {
        request.after              = after;
        request.count_max          = 2;
        const Pb__RunHistory *part = rig_ask_runs(&rig, "History", &request, STATUS_OK, NULL);
        assert_true(part->n_events >= 1 && part->n_events <= 2);
        assert_int_equal(part->events[0]->sequence, after + 1);
        assert_string_equal(part->events[0]->type, whole->events[after]->type);
    }
    request.after              = 0;
    request.newest_first       = true;
    const Pb__RunHistory *last = rig_ask_runs(&rig, "History", &request, STATUS_OK, NULL);
    assert_int_equal(last->events[0]->sequence, whole->last_sequence);
    assert_int_equal(last->events[1]->sequence, whole->last_sequence - 1);
    rig_done(&rig);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_set_completes_in_the_start),
        cmocka_unit_test(test_large_values_come_back_whole),
        cmocka_unit_test(test_start_refuses),
        cmocka_unit_test(test_client_id_is_taken_once),
        cmocka_unit_test(test_client_id_is_taken_over),
        cmocka_unit_test(test_idempotency_key_replays),
        cmocka_unit_test(test_request_id_starts_once),
        cmocka_unit_test(test_a_long_loop_goes_on_over_turns),
        cmocka_unit_test(test_timer_fires_after_a_restart),
        cmocka_unit_test(test_signal_wakes_a_listener_once),
        cmocka_unit_test(test_cancel_ends_a_run),
        cmocka_unit_test(test_other_tenants_see_nothing),
        cmocka_unit_test(test_history_is_complete_from_anywhere),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
