/* Child runs over a socket: their ends come back, their parents' ends go down, and there is exactly
 * one child whatever restarts. */
#include "cmocka.h"

#include "support/scheduler/rig.h"

#include <stdio.h>

#define RUN "run: {workflow: {namespace: default, version: latest, "

static const char wait_task[] = "  - l: {listen: {to: {one: {with: {type: go}}}}}\n";

static void assert_json(ProtobufCBinaryData found, const char *expected)
{
    if (found.len != strlen(expected) || memcmp(found.data, expected, found.len) != 0) {
        fail_msg("%.*s instead of %s", (int)found.len, (const char *)found.data, expected);
    }
}

static void assert_error(ProtobufCBinaryData found, const char *part)
{
    char text[4096] = "";
    assert_true(found.len < sizeof text);
    memcpy(text, found.data, found.len);
    if (!strstr(text, part)) fail_msg("%s has no %s", text, part);
}

static const Pb__RunView *ended(struct rig *rig, const char *run, Pb__RunStatus wanted)
{
    rig_wait_for(rig, run, wanted);
    return rig_get(rig, run);
}

static const Pb__RunList *children(struct rig *rig, const char *parent, uint16_t partition)
{
    Pb__ListRuns message        = PB__LIST_RUNS__INIT;
    message.parent              = parent;
    const struct question asked = {.service   = &pb__runs__descriptor,
                                   .method    = "List",
                                   .message   = &message,
                                   .partition = partition};
    return rig_ask(rig, &asked);
}

/* The id of a child that a run waits for; waits until there is one. */
static const char *child_of(struct rig *rig, const char *run)
{
    const Pb__RunView *view = rig_get(rig, run);
    assert_int_equal(view->n_waiting_for, 1);
    assert_string_equal(view->waiting_for[0]->kind, "child");
    return view->waiting_for[0]->detail;
}

static const Pb__RunView *stop(struct rig *rig, const char *method, const char *run,
                               status expected, const char *code)
{
    Pb__StopRun message = PB__STOP_RUN__INIT;
    message.id          = run;
    message.reason      = "why";
    message.by          = "ann";
    return rig_ask_runs(rig, method, &message, expected, code);
}

static void signal_go(struct rig *rig, const char *run)
{
    Pb__SignalRun message = PB__SIGNAL_RUN__INIT;
    message.id            = run;
    message.name          = "go";
    (void)rig_ask_runs(rig, "Signal", &message, STATUS_OK, NULL);
}

/* Children are started by another turn: until then there is no run of that id. */
static void wait_for_child(struct rig *rig, const char *child, Pb__RunStatus wanted)
{
    rig_wait_for_run(rig, child);
    rig_wait_for(rig, child, wanted);
}

/* --- ends come back ----------------------------------------------------------------------------
 */

static void test_the_output_is_the_child_s(void **)
{
    struct rig rig = {};
    rig_init(&rig, 1, false);
    rig_put(&rig, "child", "  - a: {set: {twice: '${ .n * 2 }'}}\n");
    rig_put(&rig, "parent",
            "  - c: {" RUN "name: child, input: {n: '${ .n }'}}}}\n"
            "  - after: {set: {got: '${ .twice }'}}\n");
    const char *run = rig_start(&rig, "parent", "{\"n\":21}")->run->id;
    assert_json(ended(&rig, run, PB__RUN_STATUS__RUN_STATUS_COMPLETED)->output_json,
                "{\"got\":42}");
    const Pb__RunList *list = children(&rig, run, 0);
    assert_int_equal(list->n_runs, 1);
    const Pb__RunView *child = rig_get(&rig, list->runs[0]->id);
    assert_string_equal(child->parent_run, run);
    assert_string_equal(child->parent_task, "/do/0/c");
    assert_json(child->input_json, "{\"n\":21}");
    assert_int_equal(children(&rig, child->id, 0)->n_runs, 0);
    rig_done(&rig);
}

static void test_a_fault_is_the_parent_s(void **)
{
    struct rig rig = {};
    rig_init(&rig, 1, false);
    rig_put(&rig, "child",
            "  - a: {raise: {error: {type: 'https://a.test/sick', status: 418, title: Sick,\n"
            "      detail: in bed}}}\n");
    rig_put(&rig, "parent", "  - c: {" RUN "name: child}}}\n");
    const char *run         = rig_start(&rig, "parent", NULL)->run->id;
    const Pb__RunView *view = ended(&rig, run, PB__RUN_STATUS__RUN_STATUS_FAULTED);
    assert_error(view->error_json, "\"type\":\"https://a.test/sick\",\"status\":418");
    assert_error(view->error_json, "at /do/0/a: in bed");
    assert_error(view->error_json, "\"instance\":\"/do/0/c\"");
    assert_error(view->error_json, children(&rig, run, 0)->runs[0]->id);
    rig_done(&rig);
}

static void test_a_child_that_others_stop(void **)
{
    static const struct {
        const char *method, *part;
    } rows[]       = {{"Cancel", "was cancelled"}, {"Terminate", "was terminated"}};
    struct rig rig = {};
    rig_init(&rig, 1, false);
    rig_put(&rig, "child", wait_task);
    rig_put(&rig, "parent", "  - c: {" RUN "name: child}}}\n");
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        const char *run   = rig_start(&rig, "parent", NULL)->run->id;
        const char *child = child_of(&rig, run);
        wait_for_child(&rig, child, PB__RUN_STATUS__RUN_STATUS_WAITING);
        if (i == 0) {
            Pb__CancelRun message = PB__CANCEL_RUN__INIT;
            message.id            = child;
            (void)rig_ask_runs(&rig, rows[i].method, &message, STATUS_OK, NULL);
        } else {
            (void)stop(&rig, rows[i].method, child, STATUS_OK, NULL);
        }
        const Pb__RunView *view = ended(&rig, run, PB__RUN_STATUS__RUN_STATUS_FAULTED);
        assert_error(view->error_json, rows[i].part);
        assert_error(view->error_json, "errors/runtime");
    }
    rig_done(&rig);
}

static void test_what_cannot_be_started(void **)
{
    static const struct {
        const char *name, *task, *part;
    } rows[] = {
        {"unknown", RUN "name: nobody}}", "errors/configuration"},
        {"detached", RUN "name: nobody}, await: false}", "errors/configuration"},
        {"namespace",
         "run: {workflow: {namespace: \"${ \\\"other\\\" }\", name: strict, version: latest}}",
         "stays in the namespace"},
        {"version", "run: {workflow: {namespace: default, name: strict, version: 9.9.9}}",
         "errors/configuration"},
        {"input", RUN "name: strict, input: {n: text}}}", "errors/validation"},
        {"name", RUN "name: '${ 7 }'}}", "is no name of a workflow"},
    };
    struct rig rig = {};
    rig_init(&rig, 1, false);
    rig_put_text(&rig, "document: {dsl: 1.0.3, namespace: default, name: strict, version: 1.0.0}\n"
                       "input: {schema: {document: {properties: {n: {type: integer}}}}}\n"
                       "do: []\n");
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        char tasks[512];
        (void)snprintf(tasks, sizeof tasks, "  - c: {%s}\n", rows[i].task);
        rig_put(&rig, rows[i].name, tasks);
        const char *run         = rig_start(&rig, rows[i].name, NULL)->run->id;
        const Pb__RunView *view = ended(&rig, run, PB__RUN_STATUS__RUN_STATUS_FAULTED);
        assert_error(view->error_json, rows[i].part);
        assert_int_equal(children(&rig, run, 0)->n_runs, 0);
    }
    rig_done(&rig);
}

static void test_detached_children_live_on(void **)
{
    struct rig rig = {};
    rig_init(&rig, 2, false);
    rig_put(&rig, "child", wait_task);
    rig_put(&rig, "parent", "  - c: {" RUN "name: child}, await: false}}\n");
    const char *run = rig_start(&rig, "parent", "{\"in\":1}")->run->id;
    assert_json(ended(&rig, run, PB__RUN_STATUS__RUN_STATUS_COMPLETED)->output_json, "{\"in\":1}");
    const Pb__RunList *list = children(&rig, run, 0);
    if (list->n_runs == 0) list = children(&rig, run, 1);
    assert_int_equal(list->n_runs, 1);
    assert_int_equal(list->runs[0]->status, PB__RUN_STATUS__RUN_STATUS_WAITING);
    signal_go(&rig, list->runs[0]->id);
    rig_wait_for(&rig, list->runs[0]->id, PB__RUN_STATUS__RUN_STATUS_COMPLETED);
    rig_done(&rig);
}

static void test_recursion_ends(void **)
{
    struct rig rig = {};
    rig_init(&rig, 2, false);
    rig_put(&rig, "deep", "  - c: {" RUN "name: deep}}}\n");
    const char *run         = rig_start(&rig, "deep", NULL)->run->id;
    const Pb__RunView *view = ended(&rig, run, PB__RUN_STATUS__RUN_STATUS_FAULTED);
    assert_error(view->error_json, "errors/runtime");
    assert_error(view->error_json, "nested 32 deep");
    rig_done(&rig);
}

/* --- the parent's end goes down ----------------------------------------------------------------
 */

static void test_cancel_and_terminate_go_down(void **)
{
    struct rig rig = {};
    rig_init(&rig, 4, false);
    rig_put(&rig, "leaf", wait_task);
    rig_put(&rig, "middle", "  - c: {" RUN "name: leaf}}}\n");
    rig_put(&rig, "top", "  - c: {" RUN "name: middle}}}\n");
    for (int i = 0; i < 2; i++) {
        const char *top    = rig_start(&rig, "top", NULL)->run->id;
        const char *middle = child_of(&rig, top);
        wait_for_child(&rig, middle, PB__RUN_STATUS__RUN_STATUS_WAITING);
        const char *leaf = child_of(&rig, middle);
        wait_for_child(&rig, leaf, PB__RUN_STATUS__RUN_STATUS_WAITING);
        if (i == 0) {
            Pb__CancelRun message = PB__CANCEL_RUN__INIT;
            message.id            = top;
            (void)rig_ask_runs(&rig, "Cancel", &message, STATUS_OK, NULL);
        } else {
            (void)stop(&rig, "Terminate", top, STATUS_OK, NULL);
            (void)stop(&rig, "Terminate", top, STATUS_FAILED_PRECONDITION, "run_finished");
        }
        Pb__RunStatus wanted =
            i == 0 ? PB__RUN_STATUS__RUN_STATUS_CANCELLED : PB__RUN_STATUS__RUN_STATUS_TERMINATED;
        assert_int_equal(rig_get(&rig, top)->status, wanted);
        rig_wait_for(&rig, middle, wanted);
        rig_wait_for(&rig, leaf, wanted);
        assert_error(rig_get(&rig, leaf)->error_json, "by its parent run");
    }
    rig_done(&rig);
}

static void test_a_timeout_goes_down(void **)
{
    struct rig rig = {};
    rig_init(&rig, 1, false);
    rig_put(&rig, "child", wait_task);
    rig_put(&rig, "parent",
            "  - t: {try: [{c: {" RUN "name: child}}, timeout: {after: {milliseconds: 50}}}}],\n"
            "      catch: {errors: {with: {status: 408}}, do: [{d: {set: {late: true}}}]}}\n");
    const char *run = rig_start(&rig, "parent", NULL)->run->id;
    assert_json(ended(&rig, run, PB__RUN_STATUS__RUN_STATUS_COMPLETED)->output_json,
                "{\"late\":true}");
    rig_wait_for(&rig, children(&rig, run, 0)->runs[0]->id, PB__RUN_STATUS__RUN_STATUS_CANCELLED);
    rig_done(&rig);
}

/* --- exactly one -------------------------------------------------------------------------------
 */

static void test_many_children_over_partitions(void **)
{
    enum { PARTITIONS = 4, CHILDREN = 60 };
    struct rig rig = {};
    rig_init(&rig, PARTITIONS, true);
    rig_put(&rig, "child", "  - a: {set: '${ .n }'}\n");
    rig_put(&rig, "parent",
            "  - f:\n      for: {each: n, in: '${ [range(60)] }'}\n"
            "      metadata: {tutti: {parallel: 60}}\n"
            "      do:\n        - c: {" RUN "name: child, input: {n: '${ $n }'}}}}\n"
            "  - sum: {set: {sum: '${ add }'}}\n");
    const char *run = rig_start(&rig, "parent", NULL)->run->id;
    assert_json(ended(&rig, run, PB__RUN_STATUS__RUN_STATUS_COMPLETED)->output_json,
                "{\"sum\":1770}");
    size_t total   = 0;
    unsigned homes = 0;
    for (uint16_t i = 0; i < PARTITIONS; i++) {
        Pb__ListRuns message        = PB__LIST_RUNS__INIT;
        Pb__Page page               = PB__PAGE__INIT;
        page.size                   = 500;
        message.parent              = run;
        message.page                = &page;
        const struct question asked = {.service   = &pb__runs__descriptor,
                                       .method    = "List",
                                       .message   = &message,
                                       .partition = i};
        const Pb__RunList *list     = rig_ask(&rig, &asked);
        total += list->n_runs;
        homes += list->n_runs > 0;
    }
    assert_int_equal(total, CHILDREN);
    assert_true(homes > 1); /* all in one: once in 10^35 */
    rig_done(&rig);
}

static void test_a_parent_that_sleeps_is_woken(void **)
{
    struct rig rig = {};
    rig_init(&rig, 2, true);
    rig_put(&rig, "child", wait_task);
    rig_put(&rig, "parent", "  - c: {" RUN "name: child}}}\n  - b: {set: {n: '${ length }'}}\n");
    const char *run   = rig_start(&rig, "parent", NULL)->run->id;
    const char *child = child_of(&rig, run);
    rig_restart(&rig); /* wherever the order is now */
    wait_for_child(&rig, child, PB__RUN_STATUS__RUN_STATUS_WAITING);
    rig_restart(&rig); /* both are on disk only */
    signal_go(&rig, child);
    rig_restart(&rig); /* wherever the answer is now */
    assert_json(ended(&rig, run, PB__RUN_STATUS__RUN_STATUS_COMPLETED)->output_json, "{\"n\":1}");
    rig_done(&rig);
}

static void test_a_child_that_its_key_finds(void **)
{
    struct rig rig = {};
    rig_init(&rig, 3, false);
    rig_put_text(&rig,
                 "document: {dsl: 1.0.3, namespace: default, name: keyed, version: 1.0.0,\n"
                 "  metadata: {tutti: {idempotencyKey: '${ .k }'}}}\n"
                 "do:\n  - l: {listen: {to: {one: {with: {type: go}}}}}\n  - s: {set: {k: 1}}\n");
    rig_put(&rig, "parent", "  - c: {" RUN "name: keyed, input: {k: '${ .k }'}}}}\n");
    const char *one   = rig_start(&rig, "parent", "{\"k\":\"a\"}")->run->id;
    const char *child = child_of(&rig, one);
    wait_for_child(&rig, child, PB__RUN_STATUS__RUN_STATUS_WAITING);
    const char *two   = rig_start(&rig, "parent", "{\"k\":\"a\"}")->run->id;
    const char *three = rig_start(&rig, "parent", "{\"k\":\"a\"}")->run->id;
    rig_wait_for_event(&rig, two, "child.started"); /* it hears which one it is */
    rig_wait_for_event(&rig, three, "child.started");
    assert_string_equal(child_of(&rig, two), child);
    assert_string_equal(child_of(&rig, three), child);

    Pb__CancelRun message = PB__CANCEL_RUN__INIT; /* who found it does not take it along */
    message.id            = three;
    (void)rig_ask_runs(&rig, "Cancel", &message, STATUS_OK, NULL);
    signal_go(&rig, child);
    assert_json(ended(&rig, one, PB__RUN_STATUS__RUN_STATUS_COMPLETED)->output_json, "{\"k\":1}");
    assert_json(ended(&rig, two, PB__RUN_STATUS__RUN_STATUS_COMPLETED)->output_json, "{\"k\":1}");
    const char *four = rig_start(&rig, "parent", "{\"k\":\"a\"}")->run->id; /* it has ended */
    assert_json(ended(&rig, four, PB__RUN_STATUS__RUN_STATUS_COMPLETED)->output_json, "{\"k\":1}");
    rig_done(&rig);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_output_is_the_child_s),
        cmocka_unit_test(test_a_fault_is_the_parent_s),
        cmocka_unit_test(test_a_child_that_others_stop),
        cmocka_unit_test(test_what_cannot_be_started),
        cmocka_unit_test(test_detached_children_live_on),
        cmocka_unit_test(test_recursion_ends),
        cmocka_unit_test(test_cancel_and_terminate_go_down),
        cmocka_unit_test(test_a_timeout_goes_down),
        cmocka_unit_test(test_many_children_over_partitions),
        cmocka_unit_test(test_a_parent_that_sleeps_is_woken),
        cmocka_unit_test(test_a_child_that_its_key_finds),
    };
    return cmocka_run_group_tests_name("child", tests, NULL, NULL);
}
