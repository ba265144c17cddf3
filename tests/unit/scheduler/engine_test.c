/*
 * The engine over a store in memory that fails on the n-th operation: nothing that was acknowledged
 * is lost, nothing that was refused is there, and a store that failed for good is the end.
 */
#include "cmocka.h"

#include "base/assert.h"
#include "base/log.h"
#include "base/map.h"
#include "scheduler/engine/engine.h"
#include "scheduler/tables/run_store.h"
#include "store/fault.h"

#include <semaphore.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

enum { ARENA_MAX = 16 << 20, MAP_SIZE = 64 << 20, FAULTS_MAX = 500 };

struct stand {
    struct partition *partition;
    struct definitions *definitions;
    struct engine *engine;
    const struct workflow *workflow;
    struct arena *arena;
    sem_t answered;
    _Atomic unsigned failures; /* for good */

    /* The fault belongs to the engine thread, like the store: set and cleared in callbacks. */
    uint64_t fault_nth;
    status fault_code;
    bool is_fault_pending; /* after the last start */
};

static void on_failed(const struct error *, void *context)
{
    struct stand *stand = context;
    atomic_fetch_add(&stand->failures, 1);
}

static void start_engine(struct stand *stand)
{
    const struct engine_options options = {
        .partition   = stand->partition,
        .definitions = stand->definitions,
        .listener    = {.context = stand},
        .failed      = on_failed,
        .random_seed = 1,
    };
    assert_int_equal(engine_start(&options, &stand->engine, NULL), STATUS_OK);
}

static void stand_init(struct stand *stand, const char *tasks)
{
    *stand             = (struct stand){.definitions = definitions_new()};
    stand->arena       = arena_new(ARENA_MAX);
    struct buf text    = buf_init(64 << 10);
    struct error error = {};
    log_set_level((enum log_level)(LOG_ERROR + 1)); /* failures are what this is about */
    (void)sem_init(&stand->answered, 0, 0);
    (void)buf_printf(
        &text, "document: {dsl: 1.0.3, namespace: a, name: b, version: 1.0.0}\ndo:\n%s", tasks);
    status read =
        workflow_read(buf_str(&text), diagnostics_new(stand->arena), &stand->workflow, &error);
    if (read != STATUS_OK) fail_msg("%s", error.text);
    buf_done(&text);
    const struct partition_options options = {.map_size = MAP_SIZE, .count = 1};
    assert_int_equal(partition_open(&options, &stand->partition, NULL), STATUS_OK);
    start_engine(stand);
}

static void stand_done(struct stand *stand)
{
    engine_stopp(&stand->engine);
    workflow_unrefp(&stand->workflow);
    partition_closep(&stand->partition);
    definitions_freep(&stand->definitions);
    arena_free(stand->arena);
    (void)sem_destroy(&stand->answered);
}

static void on_armed(struct command *command)
{
    struct stand *stand = command->context;
    store_fault_at(stand->partition->store, stand->fault_nth, stand->fault_code);
    (void)sem_post(&stand->answered);
}

/* From now on the n-th operation of the store fails. */
static void arm(struct stand *stand, uint64_t nth, status code)
{
    struct command nothing = {.mail    = {.size_bytes = sizeof nothing},
                              .kind    = COMMAND_LEASE_GIVE_UP,
                              .done    = on_armed,
                              .context = stand};
    stand->fault_nth       = nth;
    stand->fault_code      = code;
    assert_int_equal(engine_post(stand->engine, &nothing, NULL), STATUS_OK);
    while (sem_wait(&stand->answered)) continue;
}

static void on_done(struct command *command)
{
    struct stand *stand     = command->context;
    stand->is_fault_pending = store_fault_is_pending(stand->partition->store);
    store_fault_at(stand->partition->store, 0, STATUS_OK);
    (void)sem_post(&stand->answered);
}

/* A start, answered. */
static status start_run(struct stand *stand, struct error *ret_error)
{
    Pb__StartRun request    = PB__START_RUN__INIT;
    Pb__StartedRun response = PB__STARTED_RUN__INIT;
    struct command command  = {.mail        = {.size_bytes = sizeof command},
                               .kind        = COMMAND_START,
                               .request     = &request,
                               .response    = &response,
                               .arena       = stand->arena,
                               .workflow    = workflow_ref(stand->workflow),
                               .values      = calloc(1, sizeof(json)),
                               .value_count = 1,
                               .done        = on_done,
                               .context     = stand};
    status posted           = engine_post(stand->engine, &command, ret_error);
    if (posted != STATUS_OK) {
        command_release(&command);
        return posted;
    }
    while (sem_wait(&stand->answered)) continue;
    *ret_error = command.error;
    return command.code;
}

static uint64_t count_rows(struct stand *stand, enum table table)
{
    struct txn *txn = NULL;
    uint64_t count  = 0;
    assert_int_equal(txn_begin_read(stand->partition->store, &txn, NULL), STATUS_OK);
    assert_int_equal(txn_count(txn, table, &count, NULL), STATUS_OK);
    txn_abort(txn);
    return count;
}

/* --- a store that is full now and then ---------------------------------------------------------
 */

/* `is_open`: the run does not end at once, so it has a head of its own. */
static void check_fault(const char *tasks, bool has_jobs, bool is_open)
{
    struct stand stand;
    stand_init(&stand, tasks);
    uint64_t accepted = 0;
    bool is_through   = false;
    for (uint64_t n = 1; n < FAULTS_MAX && !is_through; n++) {
        struct error error = {};
        arm(&stand, n, STATUS_RESOURCE_EXHAUSTED);
        status code = start_run(&stand, &error);
        is_through  = stand.is_fault_pending;
        if (code == STATUS_OK) accepted++;
        if (code != STATUS_OK) assert_string_equal(error.code, "store_full");
        while (start_run(&stand, &error) != STATUS_OK) continue; /* refused for a moment */
        accepted++;
        assert_int_equal(count_rows(&stand, TABLE_RUNS), accepted);
        assert_int_equal(count_rows(&stand, TABLE_RUN_HEADS), is_open ? accepted : 0);
        assert_int_equal(count_rows(&stand, TABLE_JOBS), has_jobs ? accepted : 0);
        assert_int_equal(count_rows(&stand, TABLE_READY), has_jobs ? accepted : 0);
    }
    assert_true(is_through);
    assert_int_equal(atomic_load(&stand.failures), 0);

    engine_stopp(&stand.engine); /* and what is there can be recovered */
    start_engine(&stand);
    struct error error = {};
    assert_int_equal(start_run(&stand, &error), STATUS_OK);
    stand_done(&stand);
}

static void test_full_in_a_start(void **)
{
    check_fault("  - a: {set: {x: 1}}\n", false, false);
}

static void test_full_in_a_start_with_a_job(void **)
{
    check_fault("  - a: {call: llm.chat, with: {model: m, prompt: hi}}\n", true, true);
}

static void test_full_in_a_start_with_a_timer(void **)
{
    check_fault("  - a: {wait: {hours: 1}}\n", false, true);
}

/* --- a store that fails for good ---------------------------------------------------------------
 */

/* Whatever operation it is that fails: nothing is acknowledged from then on. */
static void test_a_failed_store_is_the_end(void **)
{
    bool is_through = false;
    for (uint64_t n = 1; n < FAULTS_MAX && !is_through; n++) {
        struct stand stand;
        struct error error = {};
        stand_init(&stand, "  - a: {set: {x: 1}}\n");
        arm(&stand, n, STATUS_UNAVAILABLE);
        status code = start_run(&stand, &error);
        is_through  = code == STATUS_OK; /* all of its operations came before the n-th */
        if (!is_through) {
            assert_int_equal(code, STATUS_UNAVAILABLE);
            while (atomic_load(&stand.failures) == 0) continue; /* told after the answers */
            assert_int_equal(start_run(&stand, &error), STATUS_UNAVAILABLE);
        }
        stand_done(&stand);
    }
    assert_true(is_through);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_full_in_a_start),
        cmocka_unit_test(test_full_in_a_start_with_a_job),
        cmocka_unit_test(test_full_in_a_start_with_a_timer),
        cmocka_unit_test(test_a_failed_store_is_the_end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
