/* Calls of clients that are charged to a run: admitted where the run lives, charged by way of the
 * system partition, over crashes. */
#include "show.h"

#include "budget.pb-c.h"
#include "scheduler/engine/budgets/funding.h"
#include "scheduler/engine/engine_internal.h"
#include "scheduler/tables/run_store.h"
#include "scheduler/tables/tables.h"
#include "usage.pb-c.h"

#include <stdio.h>

enum { PARTITIONS = 2, HOME = 1 /* of the run */, LIMIT = 1'000, CALL_S = 600 };

#define GRANTED PB__BUDGET_VERDICT__BUDGET_VERDICT_GRANTED
#define WAITING PB__BUDGET_VERDICT__BUDGET_VERDICT_WAITING
#define REFUSED PB__BUDGET_VERDICT__BUDGET_VERDICT_REFUSED

struct place {
    void *state;
    struct show *show;
    const struct workflow *workflow;
    char run[ID_LEN + 1];
    uint64_t reports;
};

static struct id call_id(unsigned number)
{
    struct id_source source = {.last_ms = 1};
    return id_next(&source, 1'000 + number, number);
}

static status take_id(bytes, bytes raw, struct error *reterr, void *context)
{
    struct place *it                         = context;
    CLEANUP(arena_freep) struct arena *arena = arena_new(SHOW_ARENA_MAX);
    Pb__RunView *row                         = NULL;
    TRY(record_read(raw, &pb__run_view__descriptor, arena, &row, reterr));
    (void)snprintf(it->run, sizeof it->run, "%s", row->id);
    return STATUS_OK;
}

/* A run that waits, with a budget of LIMIT tokens. */
static void begin(struct place *it)
{
    *it                      = (struct place){.state = show_new(PARTITIONS)};
    it->show                 = it->state;
    it->workflow             = show_put(it->show, "w", "{wait: {days: 1}}", "");
    struct stage_call *call  = call_new(it->show, COMMAND_START, 1);
    Pb__StartRun *request    = stage_call_alloc(call, sizeof *request);
    Pb__StartedRun *response = stage_call_alloc(call, sizeof *response);
    *request                 = (Pb__StartRun)PB__START_RUN__INIT;
    *response                = (Pb__StartedRun)PB__STARTED_RUN__INIT;
    request->budget_tokens   = LIMIT;
    call->command.workflow   = workflow_ref(it->workflow);
    call->command.values[0]  = json_null();
    assert_int_equal(ask(it->show, HOME, call, request, response), STATUS_OK);
    CLEANUP(txn_abortp) struct txn *txn = NULL;
    struct page page                    = {};
    const struct scan all               = {};
    assert_int_equal(txn_begin_read(stage_store(it->show->stage, HOME), &txn, NULL), STATUS_OK);
    assert_int_equal(txn_page(txn, TABLE_RUNS, &all, 10, &page, take_id, it, NULL), STATUS_OK);
}

static void end(struct place *it)
{
    (void)show_teardown(&it->state);
    workflow_unref(it->workflow);
}

static void restart(struct place *it)
{
    stage_crash(it->show->stage);
    assert_int_equal(stage_restart(it->show->stage, NULL), STATUS_OK);
}

static const Pb__ReservedRun *admit(struct place *it, unsigned number, int64_t output, bool more)
{
    const struct id id        = call_id(number);
    struct stage_call *call   = call_new(it->show, COMMAND_RESERVE_RUN, 0);
    Pb__ReserveRun *request   = stage_call_alloc(call, sizeof *request);
    Pb__ReservedRun *response = stage_call_alloc(call, sizeof *response);
    struct id *named          = stage_call_alloc(call, sizeof *named);
    *request                  = (Pb__ReserveRun)PB__RESERVE_RUN__INIT;
    *response                 = (Pb__ReservedRun)PB__RESERVED_RUN__INIT;
    *named                    = id;
    request->run              = it->run;
    request->call             = named->text;
    request->model            = "m";
    request->input_tokens     = 100;
    request->output_tokens    = output;
    request->deadline_us      = stage_now_us(it->show->stage) + CALL_S * SECOND;
    request->more             = more;
    assert_int_equal(ask(it->show, HOME, call, request, response), STATUS_OK);
    return response;
}

/* Says to the system partition what a call has used; `number` 0: repeats the last report. */
static void report(struct place *it, unsigned number, int64_t tokens)
{
    const struct id id         = call_id(number);
    Pb__UsageCounters counters = PB__USAGE_COUNTERS__INIT;
    Pb__UsageRecord row        = PB__USAGE_RECORD__INIT;
    Pb__UsageRecord *rows[]    = {&row};
    Pb__UsageReport request    = PB__USAGE_REPORT__INIT;
    Pb__UsageReported response = PB__USAGE_REPORTED__INIT;
    counters.calls             = tokens > 0;
    counters.output_tokens     = tokens;
    row.namespace_             = "default";
    row.workflow               = "w";
    row.model                  = "m";
    row.run                    = it->run;
    row.call                   = id.text;
    row.counters               = &counters;
    request.source             = "0123456789abcdef0123456789abcdef";
    request.number             = number > 0 ? ++it->reports : it->reports;
    request.rows               = rows;
    request.n_rows             = 1;
    struct stage_call *call    = call_new(it->show, COMMAND_REPORT_USAGE, 0);
    assert_int_equal(ask(it->show, 0, call, &request, &response), STATUS_OK);
    assert_int_equal(stage_settle(it->show->stage, NULL), STATUS_OK); /* and the outbox */
}

static int64_t spent(struct place *it)
{
    CLEANUP(txn_abortp) struct txn *txn      = NULL;
    CLEANUP(arena_freep) struct arena *arena = arena_new(SHOW_ARENA_MAX);
    CLEANUP(run_freep) struct run *run       = NULL;
    struct definitions *definitions          = definitions_new();
    Pb__RunView *row                         = NULL;
    Pb__RunHead *head                        = NULL;
    str id                                   = str_from(it->run);
    assert_int_equal(txn_begin_read(stage_store(it->show->stage, HOME), &txn, NULL), STATUS_OK);
    assert_int_equal(run_rows_get(txn, id, arena, &row, &head, NULL), STATUS_OK);
    assert_int_equal(run_load(txn, definitions, id, head,
                              (bytes){row->digest.data, row->digest.len}, false, NULL, &run, NULL),
                     STATUS_OK);
    int64_t tokens = usage_tokens(run_usage(run));
    definitions_free(definitions);
    return tokens;
}

static int64_t reserved(struct place *it)
{
    const struct engine *engine = stage_engine(it->show->stage, HOME);
    struct fundings *fundings   = job_queues_fundings(engine->queues);
    int64_t tokens              = fundings_purse(fundings, str_from(it->run))->reserved.tokens;
    fundings_drop(fundings, str_from(it->run));
    return tokens;
}

static void a_call_is_charged_once_over_crashes(void **)
{
    struct place it;
    begin(&it);
    const Pb__ReservedRun *said = admit(&it, 1, 400, false);
    assert_int_equal(said->verdict, GRANTED);
    assert_int_equal(said->output_tokens, 400);
    assert_string_equal(said->run, it.run);
    assert_string_equal(said->workflow, "w");
    assert_string_equal(said->namespace_, "default");
    assert_int_equal(admit(&it, 1, 400, false)->output_tokens, 400); /* the answer was lost */
    assert_int_equal(reserved(&it), 500);
    restart(&it);
    assert_int_equal(reserved(&it), 500);
    report(&it, 1, 450);
    assert_int_equal(spent(&it), 450);
    assert_int_equal(reserved(&it), 0);
    report(&it, 0, 450); /* the same one again */
    restart(&it);
    report(&it, 0, 450);
    assert_int_equal(spent(&it), 450);
    assert_int_equal(reserved(&it), 0);
    end(&it);
}

/* Whoever has heard nothing has said that the call is over. */
static void a_question_after_its_end_comes_too_late(void **)
{
    struct place it;
    begin(&it);
    report(&it, 1, 0);
    assert_int_equal(admit(&it, 1, 400, false)->verdict, REFUSED);
    assert_int_equal(reserved(&it), 0);
    assert_int_equal(admit(&it, 2, 400, false)->verdict, GRANTED);
    end(&it);
}

static void calls_together_never_set_more_aside_than_there_is(void **)
{
    struct place it;
    begin(&it);
    assert_int_equal(admit(&it, 1, 400, false)->verdict, GRANTED);
    assert_int_equal(admit(&it, 2, 400, false)->verdict, GRANTED);
    assert_int_equal(admit(&it, 3, 1, false)->verdict, WAITING);
    report(&it, 1, 0); /* it has failed: what it had comes back */
    assert_int_equal(spent(&it), 0);
    assert_int_equal(reserved(&it), 500);
    assert_int_equal(admit(&it, 3, -1, false)->output_tokens, 400); /* what is left */
    report(&it, 2, 600);
    report(&it, 3, 500);
    assert_int_equal(spent(&it), 1'100);
    assert_int_equal(admit(&it, 4, 1, false)->verdict, REFUSED);
    end(&it);
}

static void an_answer_draws_until_there_is_no_more(void **)
{
    struct place it;
    begin(&it);
    assert_int_equal(admit(&it, 1, 100, false)->output_tokens, 100);
    assert_int_equal(admit(&it, 1, 300, true)->output_tokens, 300);
    assert_int_equal(admit(&it, 1, 300, true)->output_tokens, 300); /* said again */
    assert_int_equal(reserved(&it), 400);
    restart(&it);
    assert_int_equal(reserved(&it), 400);
    assert_int_equal(admit(&it, 1, 5'000, true)->output_tokens, 900);
    report(&it, 1, 905);
    assert_int_equal(spent(&it), 905);
    assert_int_equal(reserved(&it), 0);
    assert_int_equal(admit(&it, 1, 1'000, true)->verdict, REFUSED); /* that came late */
    assert_int_equal(reserved(&it), 0);
    end(&it);
}

static void what_nobody_speaks_for_comes_back(void **)
{
    struct place it;
    begin(&it);
    assert_int_equal(admit(&it, 1, 900, false)->verdict, GRANTED);
    stage_pass(it.show->stage, CALL_S * SECOND);
    assert_int_equal(stage_settle(it.show->stage, NULL), STATUS_OK);
    assert_int_equal(reserved(&it), 1'000);
    stage_pass(it.show->stage, MINUTE);
    assert_int_equal(stage_settle(it.show->stage, NULL), STATUS_OK);
    assert_int_equal(reserved(&it), 0);
    report(&it, 1, 10); /* it has used that all the same */
    assert_int_equal(spent(&it), 10);
    end(&it);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_call_is_charged_once_over_crashes),
        cmocka_unit_test(a_question_after_its_end_comes_too_late),
        cmocka_unit_test(calls_together_never_set_more_aside_than_there_is),
        cmocka_unit_test(an_answer_draws_until_there_is_no_more),
        cmocka_unit_test(what_nobody_speaks_for_comes_back),
    };
    return cmocka_run_group_tests_name("calls of runs", tests, NULL, NULL);
}
