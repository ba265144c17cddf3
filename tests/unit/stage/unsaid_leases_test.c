/* Leases that ended without a report, while nobody ever speaks. */
#include "show.h"

#include "scheduler/tables/tables.h"

static uint64_t row_count(const struct show *show)
{
    CLEANUP(txn_abortp) struct txn *txn = NULL;
    uint64_t count                      = 0;
    assert_int_equal(txn_begin_read(stage_store(show->stage, 0), &txn, NULL), STATUS_OK);
    assert_int_equal(txn_count(txn, TABLE_UNSAID_LEASES, &count, NULL), STATUS_OK);
    return count;
}

/* One job lapses once an hour for a week, as does a new one each time: its rows lie before all
 * others and are never all old. */
static void rows_of_the_dead_go(void **)
{
    enum { HOURS = 7 * 24, YOUNG = 2 * 25 /* two an hour, a day long */ };
    void *state                     = show_new(1);
    struct show *show               = state;
    const struct workflow *workflow = show_put(
        show, "w",
        "{call: worker.do, with: {}, metadata: {tutti: {queue: q, retry: {delay: {hours: 1}, "
        "limit: {attempt: {count: 1000}}}}}}",
        "");
    const struct workflow *once =
        show_put(show, "once",
                 "{call: worker.do, with: {}, metadata: {tutti: {queue: once, retry: none}}}", "");
    show_start(show, 0, workflow, json_null());
    for (int i = 0; i < HOURS; i++) {
        show_start(show, 0, once, json_null());
        assert_int_equal(lease_of(show, 0, "q", 1)->n_jobs, 1);
        assert_int_equal(lease_of(show, 0, "once", 1)->n_jobs, 1);
        stage_pass(show->stage, 11 * MINUTE);
        assert_int_equal(stage_settle(show->stage, NULL), STATUS_OK);
        stage_pass(show->stage, 61 * MINUTE);
        assert_int_equal(stage_settle(show->stage, NULL), STATUS_OK);
    }
    assert_in_range(row_count(show), 2, 2 * YOUNG);
    (void)show_teardown(&state);
    workflow_unref(workflow);
    workflow_unref(once);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(rows_of_the_dead_go)};
    return cmocka_run_group_tests_name("unsaid leases", tests, NULL, NULL);
}
