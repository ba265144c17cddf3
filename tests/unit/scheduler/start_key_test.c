/* The document's idempotencyKey: which starts are the same one, over a socket. */
#include "cmocka.h"

#include "support/scheduler/rig.h"

#include <stdio.h>

static const char order_text[] =
    "document:\n"
    "  dsl: 1.0.3\n"
    "  namespace: default\n"
    "  name: order\n"
    "  version: 1.0.0\n"
    "  metadata: { tutti: { idempotencyKey: '${ $workflow.input.order + (.copy // \"\") }' } }\n"
    "do:\n"
    "  - a: { listen: { to: { one: { with: { type: go } } } } }\n";

static const Pb__StartedRun *start(struct rig *rig, const char *input, uint16_t partition,
                                   status expected, const char *code)
{
    Pb__StartRun request        = PB__START_RUN__INIT;
    request.workflow            = "order";
    request.input_json          = rig_bytes(input);
    const struct question asked = {.service   = &pb__runs__descriptor,
                                   .method    = "Start",
                                   .message   = &request,
                                   .partition = partition,
                                   .expected  = expected,
                                   .code      = code};
    return rig_ask(rig, &asked);
}

static void signal_go(struct rig *rig, const char *run)
{
    Pb__SignalRun message       = PB__SIGNAL_RUN__INIT;
    message.id                  = run;
    message.name                = "go";
    const struct question asked = {.service   = &pb__runs__descriptor,
                                   .method    = "Signal",
                                   .message   = &message,
                                   .partition = id_partition(str_from(run))};
    (void)rig_ask(rig, &asked);
}

static void test_second_start_finds_the_first(void **)
{
    struct rig rig = {};
    rig_init(&rig, 1, true);
    rig_put_text(&rig, order_text);
    const Pb__StartedRun *first = start(&rig, "{\"order\":\"17\"}", 0, STATUS_OK, NULL);
    assert_true(first->created);

    const Pb__StartedRun *again = start(&rig, "{\"order\":\"17\"}", 0, STATUS_OK, NULL);
    assert_false(again->created); /* while the first one waits */
    assert_false(again->replayed);
    assert_string_equal(again->run->id, first->run->id);
    assert_int_equal(again->run->status, PB__RUN_STATUS__RUN_STATUS_WAITING);

    rig_restart(&rig);
    again = start(&rig, "{\"order\":\"17\",\"other\":1}", 0, STATUS_OK, NULL);
    assert_string_equal(again->run->id, first->run->id);

    signal_go(&rig, first->run->id);
    rig_wait_for(&rig, first->run->id, PB__RUN_STATUS__RUN_STATUS_COMPLETED);
    again = start(&rig, "{\"order\":\"17\"}", 0, STATUS_OK, NULL);
    assert_false(again->created); /* and after its end */
    assert_string_equal(again->run->id, first->run->id);
    assert_int_equal(again->run->status, PB__RUN_STATUS__RUN_STATUS_COMPLETED);

    assert_true(start(&rig, "{\"order\":\"18\"}", 0, STATUS_OK, NULL)->created);
    assert_true(start(&rig, "{\"order\":\"17\",\"copy\":\"b\"}", 0, STATUS_OK, NULL)->created);
    rig_done(&rig);
}

static void test_every_version_has_the_same_runs(void **)
{
    struct rig rig = {};
    rig_init(&rig, 1, false);
    rig_put_text(&rig, order_text);
    const Pb__StartedRun *first = start(&rig, "{\"order\":\"17\"}", 0, STATUS_OK, NULL);
    rig_put_text(&rig, "document: { dsl: 1.0.3, namespace: default, name: order, version: 1.1.0, "
                       "metadata: { tutti: { idempotencyKey: '${ .order }' } } }\n"
                       "do: []\n");
    const Pb__StartedRun *again = start(&rig, "{\"order\":\"17\"}", 0, STATUS_OK, NULL);
    assert_string_equal(again->run->id, first->run->id);
    assert_string_equal(again->run->version, "1.0.0");
    rig_done(&rig);
}

static void test_wherever_it_comes_in(void **)
{
    enum { PARTITIONS = 4 };
    struct rig rig = {};
    rig_init(&rig, PARTITIONS, false);
    rig_put_text(&rig, order_text);
    const Pb__StartedRun *first = start(&rig, "{\"order\":\"17\"}", 0, STATUS_OK, NULL);
    for (uint16_t i = 0; i < PARTITIONS; i++) {
        const Pb__StartedRun *again = start(&rig, "{\"order\":\"17\"}", i, STATUS_OK, NULL);
        assert_string_equal(again->run->id, first->run->id);
    }
    rig_done(&rig);
}

static void test_a_client_id_of_another_partition(void **)
{
    struct rig rig = {};
    rig_init(&rig, 2, false);
    rig_put_text(&rig, order_text);
    const Pb__StartedRun *first = start(&rig, "{\"order\":\"17\"}", 0, STATUS_OK, NULL);
    uint16_t owner              = id_partition(str_from(first->run->id));

    unsigned refused = 0;
    for (unsigned i = 0; i < 8; i++) {
        char name[16];
        (void)snprintf(name, sizeof name, "c%u", i);
        bool is_there        = partition_of_text(str_from("default"), str_from(name), 2) == owner;
        Pb__StartRun request = PB__START_RUN__INIT;
        request.workflow     = "order";
        request.client_id    = name;
        request.input_json   = rig_bytes("{\"order\":\"17\"}");
        const struct question asked = {.service  = &pb__runs__descriptor,
                                       .method   = "Start",
                                       .message  = &request,
                                       .expected = is_there ? STATUS_OK : STATUS_INVALID_ARGUMENT};
        const Pb__StartedRun *found = rig_ask(&rig, &asked);
        if (found) assert_string_equal(found->run->id, first->run->id);
        refused += !is_there;
    }
    assert_in_range(refused, 1, 7);
    rig_done(&rig);
}

static void test_inputs_without_a_key(void **)
{
    static const char *const inputs[] = {
        "{}",                         /* null + "" is a text of no bytes */
        "{\"order\":17}",             /* the expression fails */
        "{\"order\":[],\"copy\":[]}", /* no text */
    };
    struct rig rig = {};
    rig_init(&rig, 1, false);
    rig_put_text(&rig, order_text);
    for (size_t i = 0; i < ARRAY_LEN(inputs); i++) {
        (void)start(&rig, inputs[i], 0, STATUS_INVALID_ARGUMENT, "input_invalid");
    }
    char input[700];
    for (size_t len = 512; len <= 513; len++) {
        char key[600];
        memset(key, 'k', len);
        key[len] = '\0';
        (void)snprintf(input, sizeof input, "{\"order\":\"%s\"}", key);
        (void)start(&rig, input, 0, len > 512 ? STATUS_INVALID_ARGUMENT : STATUS_OK, NULL);
    }
    rig_done(&rig);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_second_start_finds_the_first),
        cmocka_unit_test(test_every_version_has_the_same_runs),
        cmocka_unit_test(test_wherever_it_comes_in),
        cmocka_unit_test(test_a_client_id_of_another_partition),
        cmocka_unit_test(test_inputs_without_a_key),
    };
    return cmocka_run_group_tests_name("start_key", tests, NULL, NULL);
}
