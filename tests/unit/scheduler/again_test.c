/* Runs that start later, are undone after their end, or go on from an earlier event of another. */
#include "cmocka.h"

#include "event.pb-c.h"
#include "support/scheduler/rig_rows.h"
#include "support/scheduler/world.h"
#include "json/json_text.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#define CALL(path) "call: http, with: {method: get, endpoint: 'https://a.test/" path "'}"

/* --- drafts, in the core -----------------------------------------------------------------------
 */

static json parsed(const char *text)
{
    json value = json_invalid();
    assert_int_equal(json_parse(str_from(text), NULL, &value, NULL, NULL), STATUS_OK);
    return value;
}

static void draft(struct world *world, bool is_queued)
{
    CLEANUP(json_unrefp) json input = parsed("{\"a\": 1}");
    const struct run_start start    = {.input = input, .priority = 7};
    assert_int_equal(run_draft(world->run, &world->env, &start, is_queued, &world->events, NULL),
                     STATUS_OK);
    world_commit(world);
}

static void edit(struct world *world, const char *patch, status expected)
{
    CLEANUP(json_unrefp) json value = parsed(patch);
    struct error error              = {};
    status code = run_edit(world->run, &world->env, value, str_from("ann"), &world->events, &error);
    assert_int_equal(code, expected);
    if (code == STATUS_OK) world_commit(world);
    if (code != STATUS_OK) assert_string_equal(error.code, "run_not_draft");
}

static void test_a_draft_waits_and_starts(void **)
{
    struct world world;
    world_init(&world, "do:\n  - s: {set: '${$workflow.input}'}\n");
    draft(&world, false);
    assert_int_equal(run_status(world.run), RUN_DRAFT);
    assert_false(run_status_is_final(run_status(world.run)));
    assert_int_equal(run_next_due(world.run), world.env.now_us + RUN_DRAFT_AGE_US);
    edit(&world, "{\"b\": {\"c\": 2}}", STATUS_OK);
    world_crash(&world, true);
    edit(&world, "{\"a\": null}", STATUS_OK);
    world_crash(&world, false);

    struct run_start start = run_drafted(world.run);
    assert_int_equal(start.priority, 7);
    start.approved_by = str_from("ann");
    start.comment     = str_from("go on");
    assert_int_equal(run_start(world.run, &world.env, &start, &world.events, NULL), STATUS_OK);
    world_commit(&world);
    world_crash(&world, false);
    assert_string_equal(world_result(&world), "{\"b\":{\"c\":2}}");
    edit(&world, "{}", STATUS_FAILED_PRECONDITION);
    world_done(&world);
}

static void test_what_has_not_started_has_not_ended(void **)
{
    for (int i = 0; i < 2; i++) {
        struct world world;
        struct id event;
        const struct run_signal signal = {.name = str_from("go")};
        struct error error             = {};
        str by                         = str_from("ann");
        world_init(&world, "do:\n  - s: {set: {n: 1}}\n");
        draft(&world, i == 1);
        assert_int_equal(run_suspend(world.run, &world.env, by, by, &world.events, &error),
                         STATUS_FAILED_PRECONDITION);
        assert_string_equal(error.code, "conflict");
        assert_int_equal(run_resume(world.run, &world.env, by, by, &world.events, &error),
                         STATUS_FAILED_PRECONDITION);
        assert_string_equal(error.code, "conflict");
        assert_int_equal(run_signal(world.run, &world.env, &signal, &event, &world.events, &error),
                         STATUS_FAILED_PRECONDITION);
        assert_string_equal(error.code, "conflict");
        assert_int_equal(world.events.count, 0);
        world_done(&world);
    }
}

static void test_a_draft_ends_without_a_start(void **)
{
    for (int i = 0; i < 4; i++) {
        struct world world;
        world_init(&world, "do:\n  - s: {set: {n: 1}}\n");
        draft(&world, i == 3);
        if (i == 0) world_pass(&world, RUN_DRAFT_AGE_US);
        if (i == 1) world_cancel(&world);
        if (i >= 2) world_terminate(&world);
        world_crash(&world, i % 2 == 0);
        static const enum run_status ends[] = {RUN_CANCELLED, RUN_CANCELLED, RUN_TERMINATED,
                                               RUN_TERMINATED};
        assert_int_equal(run_status(world.run), ends[i]);
        if (i == 0) assert_non_null(strstr(world_result(&world), "draft_expired"));
        assert_null(strstr(world.history.ptr, "run.started"));
        world_done(&world);
    }
}

/* --- undoing, in the core ----------------------------------------------------------------------
 */

/* A saga, and what comes behind it. */
static const char booked[] =
    "do:\n"
    "  - book:\n"
    "      do:\n"
    "        - a: {" CALL("a") ", metadata: {tutti: {compensate: [{ua: {" CALL(
        "undo-a") "}}]}}}\n"
                  "        - b: {" CALL("b") ", metadata: {tutti: {compensate: [{ub: {" CALL(
                      "undo-b") "}}]}}}\n"
                                "      metadata: {tutti: {saga: true}}\n"
                                "  - c: {" CALL("c") "}\n"
                                                     "  - d: {set: {n: 1}}\n";

static status compensate(struct world *world, struct error *reterr)
{
    world_crash(world, false);
    status code = run_compensate(world->run, &world->env, str_from("sold"), str_from("ann"),
                                 &world->events, reterr);
    if (code == STATUS_OK) world_commit(world);
    return code;
}

static void test_what_has_completed_is_undone(void **)
{
    struct world world;
    struct error error = {};
    world_init(&world, booked);
    world_start(&world, NULL);
    assert_int_equal(compensate(&world, &error), STATUS_FAILED_PRECONDITION);
    assert_string_equal(error.code, "run_not_finished");
    world_play(&world);
    assert_string_equal(world_result(&world), "{\"n\":1}");
    assert_int_equal(compensate(&world, &error), STATUS_OK);
    world_crash(&world, true);
    world_play(&world);
    assert_string_equal(world_result(&world), "cancelled {\"reason\":\"sold\",\"by\":\"ann\"}");
    const struct run_compensation undone = run_compensation(world.run);
    assert_int_equal(undone.total, 2);
    assert_int_equal(undone.done, 2);
    const char *first = strstr(world.calls.ptr, "undo-b");
    assert_non_null(first);
    assert_non_null(strstr(first, "undo-a")); /* the newest first */
    assert_int_equal(compensate(&world, &error), STATUS_FAILED_PRECONDITION);
    assert_string_equal(error.code, "nothing_to_compensate");
    world_done(&world);
}

static void test_other_ends_are_undone_too(void **)
{
    static const struct answer never[] = {{"c", 0, ANSWER_NEVER, NULL}, {}};
    static const struct answer early[] = {{"b", 0, ANSWER_NEVER, NULL}, {}};
    static const struct answer fails[] = {{"c", 0, ANSWER_FAIL, NULL}, {}};
    static const struct {
        const struct answer *script;
        bool is_cancelled, is_terminated;
        uint32_t undone;
    } cases[] = {{never, true, false, 2},
                 {never, false, true, 2},
                 {early, false, true, 1},
                 {fails, false, false, 2}};
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct world world;
        struct error error = {};
        world_init(&world, booked);
        world.script = cases[i].script;
        world_start(&world, NULL);
        world_play(&world);
        if (cases[i].is_cancelled) world_cancel(&world);
        if (cases[i].is_terminated) world_terminate(&world);
        assert_true(run_status_is_final(run_status(world.run)));
        if (compensate(&world, &error) != STATUS_OK) fail_msg("case %zu: %s", i, error.text);
        world_play(&world);
        assert_non_null(strstr(world_result(&world), "cancelled {\"reason\":\"sold\""));
        assert_int_equal(run_compensation(world.run).done, cases[i].undone);
        world_done(&world);
    }
}

static void test_nothing_to_undo(void **)
{
    struct world world;
    struct error error = {};
    world_init(&world, "do:\n  - s: {set: {n: 1}}\n");
    world_start(&world, NULL);
    assert_int_equal(compensate(&world, &error), STATUS_FAILED_PRECONDITION);
    assert_string_equal(error.code, "nothing_to_compensate");
    world_done(&world);
}

/* --- through the engine ------------------------------------------------------------------------
 */

static const char *reset(struct rig *rig, const char *run, uint64_t sequence, uint64_t expected)
{
    Pb__ResetRun message         = PB__RESET_RUN__INIT;
    message.id                   = run;
    message.to_sequence          = sequence;
    message.by                   = "ann";
    const Pb__StartedRun *answer = rig_ask_runs(rig, "Reset", &message, STATUS_OK, NULL);
    assert_string_equal(answer->run->forked_run, run);
    assert_int_equal(answer->run->forked_sequence, expected);
    assert_string_not_equal(answer->run->id, run);
    return answer->run->id;
}

/* The history as text: "3 task.started /do/0/a", a line per event. */
static void history(struct rig *rig, const char *run, struct buf *out)
{
    Pb__ReadHistory message      = PB__READ_HISTORY__INIT;
    message.id                   = run;
    const Pb__RunHistory *answer = rig_ask_runs(rig, "History", &message, STATUS_OK, NULL);
    buf_clear(out);
    for (size_t i = 0; i < answer->n_events; i++) {
        const Pb__HistoryEvent *event = answer->events[i];
        (void)buf_printf(out, "%" PRIu64 " %s %s\n", event->sequence, event->type, event->task);
    }
}

static void do_job(struct rig *rig, const char *task, const char *output, char *ret_key)
{
    const Pb__LeasedJob *job = rig_lease(rig, "llm", 5'000);
    assert_non_null(job);
    assert_string_equal(job->task, task);
    if (ret_key) (void)snprintf(ret_key, 256, "%s", job->idempotency_key);
    assert_int_equal(rig_complete(rig, job, output), STATUS_OK);
}

static const char two_jobs[] =
    "  - a: {call: llm.chat, with: {model: m, prompt: hi}, output: {as: '${ {a: .n} }'}}\n"
    "  - b: {call: llm.chat, with: {model: m, prompt: ho}}\n"
    "  - c: {set: {n: '${.n}', before: '${$steps.a}'}}\n";

static void test_reset_goes_on_from_there(void **)
{
    struct rig rig                    = {};
    CLEANUP(buf_done) struct buf text = buf_init(1 << 20);
    char key[256]                     = "";
    char again[256]                   = "";
    rig_init(&rig, 1, true);
    rig_put(&rig, "two", two_jobs);
    const char *run = rig_start(&rig, "two", "{\"x\": 1}")->run->id;
    do_job(&rig, "/do/0/a", "{\"n\": 7}", NULL);
    do_job(&rig, "/do/1/b", "{\"n\": 8}", key);
    rig_wait_for(&rig, run, PB__RUN_STATUS__RUN_STATUS_COMPLETED);
    history(&rig, run, &text);
    const char *place = strstr(text.ptr, "job.scheduled /do/1/b");
    assert_non_null(place);
    while (place > text.ptr && place[-1] != '\n') place--;
    uint64_t sequence = strtoull(place, NULL, 10);

    const char *fork = reset(&rig, run, sequence, sequence);
    rig_restart(&rig);
    assert_int_equal(rig_get(&rig, fork)->status, PB__RUN_STATUS__RUN_STATUS_RUNNING);
    do_job(&rig, "/do/1/b", "{\"n\": 9}", again);
    assert_string_not_equal(again, key); /* it is the new run that calls */
    assert_non_null(strstr(again, fork));
    rig_wait_for(&rig, fork, PB__RUN_STATUS__RUN_STATUS_COMPLETED);
    Pb__GetRun whole        = PB__GET_RUN__INIT;
    whole.id                = fork;
    whole.full              = true;
    const Pb__RunView *view = rig_ask_runs(&rig, "Get", &whole, STATUS_OK, NULL);
    str output              = {(const char *)view->output_json.data, view->output_json.len};
    if (!str_is(output, "{\"before\":{\"a\":7},\"n\":9}")) fail_msg(STR_FMT, STR_ARG(output));
    history(&rig, fork, &text);
    assert_non_null(strstr(text.ptr, "job.completed /do/0/a"));
    assert_non_null(strstr(text.ptr, "run.reset"));

    /* The other one can go, and this one is whole. */
    Pb__DeleteRun gone = PB__DELETE_RUN__INIT;
    gone.id            = run;
    (void)rig_ask_runs(&rig, "Delete", &gone, STATUS_OK, NULL);
    assert_int_equal(rig_get(&rig, fork)->status, PB__RUN_STATUS__RUN_STATUS_COMPLETED);
    rig_done(&rig);
}

static void test_reset_from_any_event(void **)
{
    struct rig rig = {};
    rig_init(&rig, 1, true);
    rig_put(&rig, "two", two_jobs);
    const char *run = rig_start(&rig, "two", NULL)->run->id;
    do_job(&rig, "/do/0/a", "{\"n\": 7}", NULL);
    do_job(&rig, "/do/1/b", "{\"n\": 8}", NULL);
    rig_wait_for(&rig, run, PB__RUN_STATUS__RUN_STATUS_COMPLETED);
    uint64_t last = rig_get(&rig, run)->last_sequence;
    for (uint64_t i = 1; i <= last; i++) {
        Pb__ResetRun message         = PB__RESET_RUN__INIT;
        message.id                   = run;
        message.to_sequence          = i;
        const Pb__StartedRun *answer = rig_ask_runs(&rig, "Reset", &message, STATUS_OK, NULL);
        const char *fork             = answer->run->id;
        assert_true(answer->run->forked_sequence >= 1 && answer->run->forked_sequence <= i);
        if (i % 3 == 0) rig_restart(&rig);
        while (rig_get(&rig, fork)->status != PB__RUN_STATUS__RUN_STATUS_COMPLETED) {
            const Pb__LeasedJob *job = rig_lease(&rig, "llm", 5'000);
            assert_non_null(job);
            assert_string_equal(job->run, fork);
            assert_int_equal(rig_complete(&rig, job, "{\"n\": 9}"), STATUS_OK);
        }
    }
    Pb__ResetRun message = PB__RESET_RUN__INIT;
    message.id           = run;
    (void)rig_ask_runs(&rig, "Reset", &message, STATUS_INVALID_ARGUMENT, NULL);
    message.to_sequence = last + 1; /* which has not happened */
    (void)rig_ask_runs(&rig, "Reset", &message, STATUS_INVALID_ARGUMENT, "invalid_request");
    rig_done(&rig);
}

static void test_reset_stops_what_still_runs(void **)
{
    struct rig rig = {};
    rig_init(&rig, 1, true);
    rig_put(&rig, "two", two_jobs);
    const char *run     = rig_start(&rig, "two", NULL)->run->id;
    Pb__ResetRun beyond = PB__RESET_RUN__INIT;
    beyond.id           = run;
    beyond.to_sequence  = 4;
    (void)rig_ask_runs(&rig, "Reset", &beyond, STATUS_INVALID_ARGUMENT, "invalid_request");
    assert_int_equal(rig_get(&rig, run)->status, PB__RUN_STATUS__RUN_STATUS_RUNNING);
    const char *fork = reset(&rig, run, 3, 3);
    assert_int_equal(rig_get(&rig, run)->status, PB__RUN_STATUS__RUN_STATUS_TERMINATED);
    do_job(&rig, "/do/0/a", "{}", NULL);
    do_job(&rig, "/do/1/b", "{}", NULL);
    rig_wait_for(&rig, fork, PB__RUN_STATUS__RUN_STATUS_COMPLETED);
    rig_done(&rig);
}

static const Pb__StartedRun *start_draft(struct rig *rig, const char *workflow, const char *input)
{
    Pb__StartRun message = PB__START_RUN__INIT;
    message.workflow     = workflow;
    message.client_id    = "wizard";
    message.draft        = true;
    message.created_by   = "maker";
    message.input_json =
        (ProtobufCBinaryData){.data = (uint8_t *)(uintptr_t)input, .len = strlen(input)};
    return rig_ask_runs(rig, "Start", &message, STATUS_OK, NULL);
}

static void edit_run(struct rig *rig, const char *patch, uint64_t sequence, status expected,
                     const char *code)
{
    Pb__EditRun message   = PB__EDIT_RUN__INIT;
    message.id            = "wizard";
    message.last_sequence = sequence;
    message.patch_json =
        (ProtobufCBinaryData){.data = (uint8_t *)(uintptr_t)patch, .len = strlen(patch)};
    (void)rig_ask_runs(rig, "Edit", &message, expected, code);
}

static void approve(struct rig *rig, status expected, const char *code)
{
    Pb__ApproveRun message = PB__APPROVE_RUN__INIT;
    message.id             = "wizard";
    (void)rig_ask_runs(rig, "Approve", &message, expected, code);
}

static void test_drafts(void **)
{
    struct rig rig = {};
    rig_init(&rig, 1, true);
    rig_put_text(&rig, "document: {dsl: 1.0.3, namespace: default, name: strict, version: 1.0.0}\n"
                       "input: {schema: {document: {type: object, required: [name],\n"
                       "  properties: {name: {type: string}}}}}\n"
                       "do:\n  - l: {listen: {to: {one: {with: {type: go}}}}}\n");
    const Pb__StartedRun *made = start_draft(&rig, "strict", "{\"name\": 1}");
    assert_true(made->created);
    assert_int_equal(made->run->status, PB__RUN_STATUS__RUN_STATUS_DRAFT);
    approve(&rig, STATUS_INVALID_ARGUMENT, "input_invalid");
    rig_restart(&rig);
    edit_run(&rig, "{\"name\": 2}", made->run->last_sequence, STATUS_OK, NULL);
    edit_run(&rig, "{\"name\": \"x\"}", made->run->last_sequence, STATUS_ABORTED,
             "precondition_failed");
    approve(&rig, STATUS_INVALID_ARGUMENT, "input_invalid");
    edit_run(&rig, "{\"name\": \"Ada\"}", 0, STATUS_OK, NULL);
    approve(&rig, STATUS_OK, NULL);
    assert_int_equal(rig_get(&rig, "wizard")->status, PB__RUN_STATUS__RUN_STATUS_WAITING);
    approve(&rig, STATUS_FAILED_PRECONDITION, "run_not_draft");
    edit_run(&rig, "{}", 0, STATUS_FAILED_PRECONDITION, "run_not_draft");
    rig_restart(&rig);
    Pb__SignalRun signal = PB__SIGNAL_RUN__INIT;
    signal.id            = "wizard";
    signal.name          = "go";
    (void)rig_ask_runs(&rig, "Signal", &signal, STATUS_OK, NULL);
    rig_wait_for(&rig, rig_get(&rig, "wizard")->id, PB__RUN_STATUS__RUN_STATUS_COMPLETED);
    rig_done(&rig);
}

static void test_signal_with_start(void **)
{
    struct rig rig = {};
    rig_init(&rig, 1, true);
    rig_put(&rig, "two",
            "  - a: {listen: {to: {one: {with: {type: go}}}}}\n"
            "  - b: {listen: {to: {one: {with: {type: go}}}}}\n");
    Pb__StartRun message        = PB__START_RUN__INIT;
    message.workflow            = "two";
    message.client_id           = "cart";
    message.signal              = "go";
    message.on_conflict         = PB__ON_CONFLICT__ON_CONFLICT_RETURN;
    const Pb__StartedRun *first = rig_ask_runs(&rig, "Start", &message, STATUS_OK, NULL);
    assert_true(first->created);
    assert_true(*first->event_id);
    const Pb__StartedRun *second = rig_ask_runs(&rig, "Start", &message, STATUS_OK, NULL);
    assert_false(second->created);
    assert_string_equal(second->run->id, first->run->id);
    assert_int_equal(second->run->status, PB__RUN_STATUS__RUN_STATUS_COMPLETED);
    (void)rig_ask_runs(&rig, "Start", &message, STATUS_FAILED_PRECONDITION, "run_finished");
    message.on_conflict = PB__ON_CONFLICT__ON_CONFLICT_TERMINATE;
    assert_true(
        ((const Pb__StartedRun *)rig_ask_runs(&rig, "Start", &message, STATUS_OK, NULL))->created);
    rig_done(&rig);
}

/* Six runs, two at a time; one that waits is cancelled. */
static void test_slots(void **)
{
    enum { RUNS = 6 };
    struct rig rig = {};
    const char *runs[RUNS];
    rig_init(&rig, 1, true);
    rig_put(&rig, "l", "  - a: {listen: {to: {one: {with: {type: go}}}}}\n");
    for (int i = 0; i < RUNS; i++) {
        Pb__StartRun message       = PB__START_RUN__INIT;
        message.workflow           = "l";
        message.slot_group         = "batch";
        message.slot_max           = 2;
        const Pb__StartedRun *made = rig_ask_runs(&rig, "Start", &message, STATUS_OK, NULL);
        runs[i]                    = made->run->id;
        assert_int_equal(made->run->status, i < 2 ? PB__RUN_STATUS__RUN_STATUS_WAITING
                                                  : PB__RUN_STATUS__RUN_STATUS_PENDING);
    }
    Pb__CancelRun cancel = PB__CANCEL_RUN__INIT;
    cancel.id            = runs[2];
    (void)rig_ask_runs(&rig, "Cancel", &cancel, STATUS_OK, NULL);
    rig_restart(&rig);
    for (int i = 0; i < RUNS; i++) {
        if (i == 2) continue;
        Pb__SignalRun signal = PB__SIGNAL_RUN__INIT;
        signal.id            = runs[i];
        signal.name          = "go";
        (void)rig_ask_runs(&rig, "Signal", &signal, STATUS_OK, NULL);
        int open = 0;
        for (int j = 0; j < RUNS; j++) {
            open += rig_get(&rig, runs[j])->status == PB__RUN_STATUS__RUN_STATUS_WAITING;
            rig_forget(&rig);
        }
        assert_int_equal(open, i < 4 ? 2 : 5 - i);
    }
    assert_int_equal(rig_count_rows(&rig, TABLE_SLOTS), 0);
    rig_done(&rig);
}

/* The end of the run that has the place comes by an event of the namespace. */
static void test_a_place_is_given_back_by_an_event(void **)
{
    static const char event[] =
        "{\"specversion\": \"1.0\", \"source\": \"/t\", \"id\": \"1\", \"type\": \"go\"}";
    struct rig rig = {};
    const char *runs[2];
    rig_init(&rig, 1, true);
    rig_put(&rig, "l", "  - a: {listen: {to: {one: {with: {type: go}}}}}\n");
    rig_put(&rig, "j", "  - b: {call: llm.chat, with: {model: m, prompt: hi}}\n");
    for (int i = 0; i < 2; i++) {
        Pb__StartRun message       = PB__START_RUN__INIT;
        message.workflow           = i == 0 ? "l" : "j";
        message.slot_group         = "batch";
        message.slot_max           = 1;
        const Pb__StartedRun *made = rig_ask_runs(&rig, "Start", &message, STATUS_OK, NULL);
        runs[i]                    = made->run->id;
    }
    ProtobufCBinaryData events[] = {{.data = (uint8_t *)(uintptr_t)event, .len = strlen(event)}};
    Pb__PublishEvents message    = PB__PUBLISH_EVENTS__INIT;
    message.namespace_           = "default";
    message.events_json          = events;
    message.n_events_json        = 1;
    const struct question asked  = {
         .service = &pb__events__descriptor, .method = "Publish", .message = &message};
    (void)rig_ask(&rig, &asked);
    rig_wait_for(&rig, runs[0], PB__RUN_STATUS__RUN_STATUS_COMPLETED);
    const Pb__LeasedJob *job = rig_lease(&rig, "llm", 5'000);
    assert_non_null(job);
    assert_string_equal(job->run, runs[1]);
    rig_done(&rig);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_draft_waits_and_starts),
        cmocka_unit_test(test_what_has_not_started_has_not_ended),
        cmocka_unit_test(test_a_draft_ends_without_a_start),
        cmocka_unit_test(test_what_has_completed_is_undone),
        cmocka_unit_test(test_other_ends_are_undone_too),
        cmocka_unit_test(test_nothing_to_undo),
        cmocka_unit_test(test_reset_goes_on_from_there),
        cmocka_unit_test(test_reset_from_any_event),
        cmocka_unit_test(test_reset_stops_what_still_runs),
        cmocka_unit_test(test_drafts),
        cmocka_unit_test(test_signal_with_start),
        cmocka_unit_test(test_slots),
        cmocka_unit_test(test_a_place_is_given_back_by_an_event),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
