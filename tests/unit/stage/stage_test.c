/* Engines without threads, disk and real time: they behave, and time behaves, too. */
#include "cmocka.h"

#include "base/assert.h"
#include "run.pb-c.h"
#include "scheduler/tables/run_store.h"
#include "stage/stage.h"
#include "store/fault.h"

enum { ARENA_MAX = 64 << 20 };

#define SECOND   INT64_C(1'000'000)
#define START_US INT64_C(1'795'341'600'000'000)

static struct stage *stage_new(uint16_t partitions)
{
    const struct stage_options options = {.partitions = partitions, .seed = 7, .now_us = START_US};
    struct stage *stage                = NULL;
    struct error error                 = {};
    status opened                      = stage_open(&options, &stage, &error);
    assert_int_equal(opened, STATUS_OK);
    return stage;
}

static const struct workflow *put(struct stage *stage, const char *tasks)
{
    CLEANUP(arena_freep) struct arena *arena = arena_new(ARENA_MAX);
    struct diagnostics list                  = {.arena = arena};
    const struct workflow *workflow          = NULL;
    struct error error                       = {};
    const char *text                         = arena_printf(
                                arena, "document: {dsl: 1.0.3, namespace: test, name: w, version: 1.0.0}\ndo:\n%s", tasks);
    status code = workflow_read(str_from(text), &list, &workflow, &error);
    if (code == STATUS_OK) code = stage_put(stage, workflow, &error);
    assert_int_equal(code, STATUS_OK);
    return workflow;
}

static struct stage_call *start_call(const struct workflow *workflow)
{
    struct stage_call *call  = stage_call_new(COMMAND_START, 1);
    Pb__StartRun *request    = stage_call_alloc(call, sizeof *request);
    Pb__StartedRun *response = stage_call_alloc(call, sizeof *response);
    *request                 = (Pb__StartRun)PB__START_RUN__INIT;
    *response                = (Pb__StartedRun)PB__STARTED_RUN__INIT;
    call->command.request    = request;
    call->command.response   = response;
    call->command.workflow   = workflow_ref(workflow);
    return call;
}

static status start(struct stage *stage, const struct workflow *workflow)
{
    CLEANUP(stage_call_freep) struct stage_call *call = start_call(workflow);
    struct error error                                = {};
    return stage_ask(stage, 0, call, &error);
}

struct seen {
    struct txn *txn;
    size_t runs;
    Pb__RunStatus status;
};

static status see_run(bytes key, bytes, struct error *reterr, void *context)
{
    struct seen *seen                        = context;
    CLEANUP(arena_freep) struct arena *arena = arena_new(ARENA_MAX);
    Pb__RunHead *head                        = NULL;
    Pb__RunView *row                         = NULL;
    const struct id id                       = id_unpack(key.ptr);
    TRY(run_rows_get(seen->txn, str_from(id.text), arena, &row, &head, reterr));
    seen->runs++;
    seen->status = (Pb__RunStatus)head->status;
    return STATUS_OK;
}

/* All runs, and the status of the last one. */
static struct seen look(struct stage *stage)
{
    struct seen seen                    = {};
    struct page page                    = {};
    const struct scan scan              = {};
    CLEANUP(txn_abortp) struct txn *txn = NULL;
    status read                         = txn_begin_read(stage_store(stage, 0), &txn, NULL);
    seen.txn                            = txn;
    if (read == STATUS_OK) {
        read = txn_page(txn, TABLE_RUNS, &scan, 100, &page, see_run, &seen, NULL);
    }
    assert_int_equal(read, STATUS_OK);
    return seen;
}

/* Turns whatever is due, for so long. */
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

/* --- tests --------------------------------------------------------------------------------------
 */

static void a_wait_takes_its_time(void **)
{
    CLEANUP(stage_closep) struct stage *stage                = stage_new(1);
    CLEANUP(workflow_unrefp) const struct workflow *workflow = put(stage, "  - a: {wait: PT10S}");
    assert_int_equal(start(stage, workflow), STATUS_OK);
    assert_int_equal(stage_wait_us(stage), 10 * SECOND);
    live(stage, 10 * SECOND - 1);
    assert_int_equal(look(stage).status, PB__RUN_STATUS__RUN_STATUS_WAITING);
    live(stage, 1);
    assert_int_equal(look(stage).status, PB__RUN_STATUS__RUN_STATUS_COMPLETED);
    assert_int_equal(stage_wait_us(stage), INT64_MAX);
}

/* The wall clock goes back by an hour: the wait goes on, an eighth slower, and does not stand. */
static void a_wait_outlives_a_clock_that_is_set_back(void **)
{
    CLEANUP(stage_closep) struct stage *stage                = stage_new(1);
    CLEANUP(workflow_unrefp) const struct workflow *workflow = put(stage, "  - a: {wait: PT70S}");
    assert_int_equal(start(stage, workflow), STATUS_OK);
    stage_set_now(stage, START_US - 3'600 * SECOND);
    live(stage, 79 * SECOND);
    assert_int_equal(look(stage).status, PB__RUN_STATUS__RUN_STATUS_WAITING);
    live(stage, 2 * SECOND); /* 70 s are 80 s meanwhile */
    assert_int_equal(look(stage).status, PB__RUN_STATUS__RUN_STATUS_COMPLETED);
}

static void a_clock_that_is_set_forward_ends_waits(void **)
{
    CLEANUP(stage_closep) struct stage *stage                = stage_new(1);
    CLEANUP(workflow_unrefp) const struct workflow *workflow = put(stage, "  - a: {wait: PT70S}");
    assert_int_equal(start(stage, workflow), STATUS_OK);
    stage_set_now(stage, START_US + 70 * SECOND);
    assert_int_equal(stage_settle(stage, NULL), STATUS_OK);
    assert_int_equal(look(stage).status, PB__RUN_STATUS__RUN_STATUS_COMPLETED);
}

static void a_crash_keeps_what_was_committed(void **)
{
    CLEANUP(stage_closep) struct stage *stage                = stage_new(2);
    CLEANUP(workflow_unrefp) const struct workflow *workflow = put(stage, "  - a: {wait: PT70S}");
    assert_int_equal(start(stage, workflow), STATUS_OK);

    CLEANUP(stage_call_freep) struct stage_call *lost = start_call(workflow);
    assert_int_equal(stage_post(stage, 0, lost, NULL), STATUS_OK);
    stage_crash(stage);
    assert_false(stage_is_up(stage));
    assert_true(lost->is_done); /* as a broken connection says it */
    assert_int_equal(lost->command.code, STATUS_UNAVAILABLE);

    assert_int_equal(stage_restart(stage, NULL), STATUS_OK);
    assert_int_equal(look(stage).runs, 1);
    live(stage, 70 * SECOND);
    assert_int_equal(look(stage).status, PB__RUN_STATUS__RUN_STATUS_COMPLETED);
}

static void a_store_that_fails_stops_the_engine(void **)
{
    CLEANUP(stage_closep) struct stage *stage                = stage_new(1);
    CLEANUP(workflow_unrefp) const struct workflow *workflow = put(stage, "  - a: {wait: PT70S}");
    store_fault_write_at(stage_store(stage, 0), 3, STATUS_UNAVAILABLE);
    assert_int_equal(start(stage, workflow), STATUS_UNAVAILABLE);
    assert_true(stage_has_failed(stage));
    assert_int_equal(stage_wait_us(stage), INT64_MAX);
    stage_crash(stage);
    assert_int_equal(stage_restart(stage, NULL), STATUS_OK);
    assert_int_equal(look(stage).runs, 0);
    assert_int_equal(start(stage, workflow), STATUS_OK);
    assert_int_equal(look(stage).runs, 1);
}

static void a_full_store_refuses_and_goes_on(void **)
{
    CLEANUP(stage_closep) struct stage *stage                = stage_new(1);
    CLEANUP(workflow_unrefp) const struct workflow *workflow = put(stage, "  - a: {set: {n: 1}}");
    store_fault_write_at(stage_store(stage, 0), 3, STATUS_RESOURCE_EXHAUSTED);
    assert_int_equal(start(stage, workflow), STATUS_RESOURCE_EXHAUSTED);
    assert_false(stage_has_failed(stage));
    live(stage, 2 * SECOND);
    stage_step(stage, 0); /* the look at the disk, once a second */
    assert_int_equal(start(stage, workflow), STATUS_OK);
    assert_int_equal(look(stage).status, PB__RUN_STATUS__RUN_STATUS_COMPLETED);
}

/* What a run emits it hears once, also where it begins to listen again. */
static void an_event_of_its_own_is_heard_once(void **)
{
    static const char tasks[] =
        "  - l:\n"
        "      for: {in: '[range(3)]'}\n"
        "      do:\n"
        "        - s: {set: {n: '${ $index }'}}\n"
        "        - f: {fork: {branches: [\n"
        "            {l: {listen: {to: {one: {with: {type: x}}}}, output: {as: '.[0]'}}},\n"
        "            {e: {emit: {event: {with: {type: x, data: '${ .n }'}}}}}]},\n"
        "            output: {as: '.[0]'}}\n"
        "        - r: {if: '. != $index', raise: {error: {type: 'https://t.test/e', status: "
        "500}}}\n";
    CLEANUP(stage_closep) struct stage *stage                = stage_new(1);
    CLEANUP(workflow_unrefp) const struct workflow *workflow = put(stage, tasks);
    assert_int_equal(start(stage, workflow), STATUS_OK);
    live(stage, SECOND);
    assert_int_equal(look(stage).status, PB__RUN_STATUS__RUN_STATUS_COMPLETED);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_wait_takes_its_time),
        cmocka_unit_test(a_wait_outlives_a_clock_that_is_set_back),
        cmocka_unit_test(a_clock_that_is_set_forward_ends_waits),
        cmocka_unit_test(a_crash_keeps_what_was_committed),
        cmocka_unit_test(a_store_that_fails_stops_the_engine),
        cmocka_unit_test(a_full_store_refuses_and_goes_on),
        cmocka_unit_test(an_event_of_its_own_is_heard_once),
    };
    return cmocka_run_group_tests_name("stage", tests, NULL, NULL);
}
