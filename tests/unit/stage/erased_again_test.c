/* What was erased after a backup does not move any more in what is restored, however much it is. */
#include "show.h"

#include "scheduler/tables/erasures.h"
#include "scheduler/tables/run_store.h"

enum {
    OTHERS    = 1'000 /* more than a turn does; they are not in the backup */,
    ARENA_MAX = 1 << 20
};

static int setup(void **state)
{
    struct show *show = show_new(1);
    show->workflow =
        show_put(show, "w", "{call: worker.do, with: {}, metadata: {tutti: {queue: q}}}", "");
    *state = show;
    return 0;
}

static void add_due(struct txn *txn, struct id run)
{
    const struct erasure erasure = {.run = run, .time_us = START_US, .kind = ERASURE_OF_VALUES};
    bool is_new                  = false;
    assert_int_equal(erasures_add_due(txn, &erasure, &is_new, NULL), STATUS_OK);
    assert_true(is_new);
}

/* As a restore leaves it: the run is the last one of the list. */
static void restore(struct show *show, struct id run)
{
    struct txn *txn = NULL;
    stage_crash(show->stage);
    assert_int_equal(txn_begin_write(stage_store(show->stage, 0), &txn, NULL), STATUS_OK);
    for (uint16_t i = 0; i < OTHERS; i++) {
        const uint8_t packed[ID_BYTES] = {0, 1, 2, (uint8_t)(i >> 8), (uint8_t)i};
        add_due(txn, id_unpack(packed));
    }
    add_due(txn, run);
    assert_int_equal(txn_commit(txn, NULL), STATUS_OK);
    assert_int_equal(stage_restart(show->stage, NULL), STATUS_OK);
}

static struct id first_run(const struct show *show)
{
    CLEANUP(txn_abortp) struct txn *txn          = NULL;
    CLEANUP(cursor_closep) struct cursor *cursor = NULL;
    const struct scan all                        = {};
    bytes key                                    = {};
    bytes row                                    = {};
    struct id run                                = {};
    assert_int_equal(txn_begin_read(stage_store(show->stage, 0), &txn, NULL), STATUS_OK);
    assert_int_equal(cursor_open(txn, TABLE_RUNS, &all, &cursor, NULL), STATUS_OK);
    assert_int_equal(cursor_next(cursor, &key, &row, NULL), STATUS_OK);
    assert_true(key_take_id(&key, &run));
    return run;
}

static void its_jobs_are_not_offered(void **state)
{
    struct show *show = *state;
    show_start(show, 0, show->workflow, json_null());
    const struct id run = first_run(show);
    restore(show, run);
    assert_int_equal(lease_of(show, 0, "q", 9)->n_jobs, 0);

    CLEANUP(arena_freep) struct arena *arena = arena_new(ARENA_MAX);
    CLEANUP(txn_abortp) struct txn *txn      = NULL;
    Pb__RunView *row                         = NULL;
    assert_int_equal(txn_begin_read(stage_store(show->stage, 0), &txn, NULL), STATUS_OK);
    assert_int_equal(run_row_get(txn, str_from(run.text), arena, &row, NULL), STATUS_OK);
    assert_int_equal(row->status, PB__RUN_STATUS__RUN_STATUS_TERMINATED);
    assert_true(row->erased_us > 0);
    txn_abort(TAKE(txn));

    show_start(show, 0, show->workflow, json_null()); /* and others are, as ever */
    assert_int_equal(lease_of(show, 0, "q", 9)->n_jobs, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(its_jobs_are_not_offered, setup, show_teardown),
    };
    return cmocka_run_group_tests_name("erased_again", tests, NULL, NULL);
}
