/* Usage of calls that are no jobs, counted once over repetitions and crashes. */
#include "cmocka.h"

#include "scheduler/engine/engine_internal.h"
#include "stage/stage.h"
#include "usage.pb-c.h"

#define DAY_US   INT64_C(86'400'000'000)
#define START_US INT64_C(1'795'341'600'000'000)

static const char source_a[] = "0123456789abcdef0123456789abcdef";
static const char source_b[] = "fedcba9876543210fedcba9876543210";

static struct stage *stage_new(void)
{
    struct stage *stage                = NULL;
    const struct stage_options options = {.partitions = 1, .seed = 7, .now_us = START_US};
    assert_int_equal(stage_open(&options, &stage, NULL), STATUS_OK);
    return stage;
}

/* Two rows: of a model and of a label. Says which report of the source was the last. */
static uint64_t report(struct stage *stage, const char *source, uint64_t number, int64_t nanos)
{
    Pb__UsageCounters counters = PB__USAGE_COUNTERS__INIT;
    Pb__UsageRecord rows[2]    = {PB__USAGE_RECORD__INIT, PB__USAGE_RECORD__INIT};
    Pb__UsageRecord *list[2]   = {&rows[0], &rows[1]};
    Pb__UsageReport request    = PB__USAGE_REPORT__INIT;
    Pb__UsageReported response = PB__USAGE_REPORTED__INIT;
    counters.calls             = 1;
    counters.cost_usd_nanos    = nanos;
    for (int i = 0; i < 2; i++) {
        rows[i].day        = 7;
        rows[i].namespace_ = "default";
        rows[i].counters   = &counters;
    }
    rows[0].model           = "m";
    rows[1].label           = "team=blue";
    request.source          = source;
    request.number          = number;
    request.rows            = list;
    request.n_rows          = 2;
    struct stage_call *call = stage_call_new(COMMAND_REPORT_USAGE, 0);
    call->command.namespace = str_from("*");
    call->command.request   = &request;
    call->command.response  = &response;
    assert_int_equal(stage_post(stage, 0, call, NULL), STATUS_OK);
    assert_int_equal(stage_settle(stage, NULL), STATUS_OK);
    assert_int_equal(call->command.code, STATUS_OK);
    stage_call_free(call);
    return response.last;
}

static status add_row(bytes, bytes raw, struct error *reterr, void *context)
{
    int64_t *sums                            = context; /* of models, of labels */
    CLEANUP(arena_freep) struct arena *arena = arena_new(1 << 16);
    Pb__UsageRecord *row                     = NULL;
    TRY(record_read(raw, &pb__usage_record__descriptor, arena, &row, reterr));
    sums[*row->label ? 1 : 0] += row->counters->cost_usd_nanos;
    return STATUS_OK;
}

static status count_row(bytes, bytes, struct error *, void *context)
{
    ++*(int64_t *)context;
    return STATUS_OK;
}

static void read_rows(struct stage *stage, enum table table, page_fn visit, int64_t *sums)
{
    CLEANUP(txn_abortp) struct txn *txn = NULL;
    struct page page                    = {};
    const struct scan all               = {};
    assert_int_equal(txn_begin_read(stage_engine(stage, 0)->store, &txn, NULL), STATUS_OK);
    assert_int_equal(txn_page(txn, table, &all, 1'000, &page, visit, sums, NULL), STATUS_OK);
}

static void assert_sum(struct stage *stage, int64_t nanos)
{
    int64_t sums[2] = {};
    read_rows(stage, TABLE_USAGE, add_row, sums);
    assert_int_equal(sums[0], nanos);
    assert_int_equal(sums[1], nanos);
}

static void restart(struct stage *stage)
{
    stage_crash(stage);
    assert_int_equal(stage_restart(stage, NULL), STATUS_OK);
}

static void a_report_counts_once(void **)
{
    struct stage *stage = stage_new();
    assert_int_equal(report(stage, source_a, 1, 5), 1);
    assert_int_equal(report(stage, source_a, 1, 5), 1);
    assert_sum(stage, 5);
    restart(stage);
    assert_int_equal(report(stage, source_a, 1, 5), 1); /* its answer was lost */
    assert_int_equal(report(stage, source_a, 2, 7), 2);
    assert_int_equal(report(stage, source_b, 1, 11), 1); /* another process */
    assert_sum(stage, 23);
    assert_int_equal(report(stage, source_a, 5, 100), 5); /* some were empty */
    assert_int_equal(report(stage, source_a, 3, 1'000), 5);
    restart(stage);
    assert_sum(stage, 123);
    stage_close(stage);
}

static void old_sources_are_forgotten(void **)
{
    struct stage *stage = stage_new();
    int64_t count       = 0;
    assert_int_equal(report(stage, source_a, 1, 5), 1);
    stage_pass(stage, 91 * DAY_US);
    assert_int_equal(report(stage, source_b, 1, 5), 1);
    read_rows(stage, TABLE_USAGE_SOURCES, count_row, &count);
    assert_int_equal(count, 1);
    assert_sum(stage, 10);
    stage_close(stage);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_report_counts_once),
        cmocka_unit_test(old_sources_are_forgotten),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
