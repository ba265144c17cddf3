/* The audit log of two partitions: records travel, survive a crash, and go when their time is over.
 */
#include "cmocka.h"

#include "base/assert.h"
#include "run.pb-c.h"
#include "scheduler/tables/audit_chain.h"
#include "stage/stage.h"

enum { ARENA_MAX = 64 << 20, STARTS = 700 /* more than a turn removes */ };

#define SECOND   INT64_C(1'000'000)
#define HOUR     (3'600 * SECOND)
#define DAY      (24 * HOUR)
#define START_US INT64_C(1'795'341'600'000'000)

static struct stage *stage_with(bool is_on)
{
    const struct stage_options options = {
        .partitions = 2, .seed = 7, .now_us = START_US, .audit = {.is_on = is_on, .keep_us = DAY}};
    struct stage *stage = NULL;
    assert_int_equal(stage_open(&options, &stage, NULL), STATUS_OK);
    return stage;
}

static const struct workflow *put(struct stage *stage)
{
    static const char text[] =
        "document: {dsl: 1.0.3, namespace: test, name: done, version: 1.0.0}\ndo:\n"
        "  - a: {set: {x: 1}}\n";
    CLEANUP(arena_freep) struct arena *arena = arena_new(ARENA_MAX);
    struct diagnostics list                  = {.arena = arena};
    const struct workflow *workflow          = NULL;
    assert_int_equal(workflow_read(str_from(text), &list, &workflow, NULL), STATUS_OK);
    assert_int_equal(stage_put(stage, workflow, NULL), STATUS_OK);
    return workflow;
}

static void start(struct stage *stage, uint16_t partition, const struct workflow *workflow,
                  const char *request_id)
{
    CLEANUP(stage_call_freep) struct stage_call *call = stage_call_new(COMMAND_START, 1);
    Pb__StartRun *request                             = stage_call_alloc(call, sizeof *request);
    Pb__StartedRun *response                          = stage_call_alloc(call, sizeof *response);
    *request                                          = (Pb__StartRun)PB__START_RUN__INIT;
    *response                                         = (Pb__StartedRun)PB__STARTED_RUN__INIT;
    call->command.request                             = request;
    call->command.response                            = response;
    call->command.workflow                            = workflow_ref(workflow);
    call->command.request_id                          = str_from(request_id);
    call->command.deed                                = (struct deed){.action   = "startRun",
                                                                      .resource = "/v1/runs",
                                                                      .key_id   = "key",
                                                                      .roles    = "developer",
                                                                      .address  = "::1",
                                                                      .asked_as = "asked"};
    assert_int_equal(stage_ask(stage, partition, call, NULL), STATUS_OK);
    assert_int_equal(call->command.code, STATUS_OK);
}

static void live(struct stage *stage, int64_t us)
{
    while (us > 0) {
        int64_t wait_us = stage_wait_us(stage);
        if (wait_us > us) wait_us = us;
        stage_pass(stage, wait_us);
        us -= wait_us;
        assert_int_equal(stage_settle(stage, NULL), STATUS_OK);
    }
}

static struct audit_check check(struct stage *stage)
{
    CLEANUP(txn_abortp) struct txn *txn = NULL;
    struct audit_check found            = {};
    assert_int_equal(txn_begin_read(stage_store(stage, 0), &txn, NULL), STATUS_OK);
    assert_int_equal(audit_verify(txn, 0, 0, SIZE_MAX, &found, NULL), STATUS_OK);
    assert_int_equal(found.bad, 0);
    return found;
}

static void records_survive_and_go_in_time(void **state)
{
    (void)state;
    CLEANUP(stage_closep) struct stage *stage = stage_with(true);
    const struct workflow *workflow           = put(stage);
    for (uint16_t i = 0; i < STARTS; i++) start(stage, i % 2, workflow, "");
    assert_int_equal(stage_settle(stage, NULL), STATUS_OK);
    assert_int_equal(check(stage).checked, STARTS);

    start(stage, 1, workflow, "once"); /* and the same request again: no other record */
    start(stage, 1, workflow, "once");
    stage_crash(stage);
    assert_int_equal(stage_restart(stage, NULL), STATUS_OK);
    start(stage, 1, workflow, "once");
    assert_int_equal(stage_settle(stage, NULL), STATUS_OK);
    assert_int_equal(check(stage).checked, STARTS + 1);

    live(stage, DAY - HOUR);
    assert_int_equal(check(stage).checked, STARTS + 1);
    start(stage, 0, workflow, "");
    live(stage, 2 * HOUR);
    const struct audit_check left = check(stage);
    assert_true(left.has_anchor);
    assert_int_equal(left.checked, 1);
    assert_int_equal(left.first, STARTS + 2);
    workflow_unref(workflow);
}

static void nothing_is_recorded_where_it_is_off(void **state)
{
    (void)state;
    CLEANUP(stage_closep) struct stage *stage = stage_with(false);
    const struct workflow *workflow           = put(stage);
    for (uint16_t i = 0; i < 4; i++) start(stage, i % 2, workflow, "");
    assert_int_equal(stage_settle(stage, NULL), STATUS_OK);
    assert_int_equal(check(stage).checked, 0);
    workflow_unref(workflow);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(records_survive_and_go_in_time),
        cmocka_unit_test(nothing_is_recorded_where_it_is_off),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
