/* Calls of clients that are charged to a run. Its partition says whether they may go, sets aside
 * what they may cost of the run's own budget, and takes what they have cost, which comes with the
 * usage of all such calls by way of the system partition: once, and in the turn in which what was
 * set aside comes back. */
#include "scheduler/engine/budgets/engine_budgets.h"
#include "scheduler/engine/budgets/late_funds.h"
#include "scheduler/engine/budgets/ledger.h"
#include "scheduler/engine/jobs/charge.h"

#define CALL_US_MAX INT64_C(86'400'000'000) /* nobody waits longer for a model */

/* --- whose it is -------------------------------------------------------------------------------
 */

static const char *text_of(const struct command *command, const char *text)
{
    return text_in(command->arena, str_from(text));
}

static bool copy_labels(const struct command *command, const Pb__RunView *view,
                        Pb__ReservedRun *answer)
{
    Pb__Label *items = arena_alloc(command->arena, (view->n_labels + 1) * sizeof *items);
    answer->labels   = arena_alloc(command->arena, (view->n_labels + 1) * sizeof(Pb__Label *));
    if (!items || !answer->labels) return false;
    for (size_t i = 0; i < view->n_labels; i++) {
        items[i]       = (Pb__Label)PB__LABEL__INIT;
        items[i].key   = text_of(command, view->labels[i]->key);
        items[i].value = text_of(command, view->labels[i]->value);
        if (!items[i].key || !items[i].value) return false;
        answer->labels[answer->n_labels++] = &items[i];
    }
    return true;
}

static bool copy_scopes(const struct command *command, const char **scopes, size_t count,
                        Pb__ReservedRun *answer)
{
    answer->scopes = arena_alloc(command->arena, (count + 1) * sizeof(const char *));
    if (!answer->scopes) return false;
    for (size_t i = 0; i < count; i++) {
        const char *scope = text_of(command, scopes[i]);
        if (!scope) return false;
        answer->scopes[answer->n_scopes++] = scope;
    }
    return true;
}

static bool copy_purses(const struct command *command, const struct payers *payers,
                        Pb__ReservedRun *answer)
{
    size_t count        = payers->purse_count;
    Pb__RunPurse *items = arena_alloc(command->arena, (count + 1) * sizeof *items);
    answer->purses      = arena_alloc(command->arena, (count + 1) * sizeof(Pb__RunPurse *));
    if (!items || !answer->purses) return false;
    for (size_t i = 0; i < count; i++) {
        items[i]     = *payers->purses[i];
        items[i].run = text_of(command, payers->purses[i]->run);
        if (!items[i].run) return false;
        answer->purses[answer->n_purses++] = &items[i];
    }
    return true;
}

/* What the answer says of the run outlives the turn. */
static status tell_run(struct engine *engine, struct command *command, struct live_run *live,
                       struct error *reterr)
{
    Pb__ReservedRun *answer = command->response;
    struct payers payers    = {};
    const char **scopes     = NULL;
    size_t count            = 0;
    Pb__RunView *row        = NULL;
    Pb__RunView *view       = NULL;
    TRY(engine_run_row(engine, str_from(live->id.text), &row, reterr));
    TRY(engine_view(engine, live, false, command->arena, &view, reterr));
    TRY(engine_scopes_of(engine, row, &scopes, &count, reterr));
    TRY(engine_purses_of(engine, live, row, &payers, reterr));
    answer->run        = text_of(command, live->id.text);
    answer->workflow   = text_of(command, row->workflow);
    answer->namespace_ = text_of(command, row->namespace_);
    bool is_copied     = answer->run && answer->workflow && answer->namespace_ &&
                     copy_labels(command, view, answer) &&
                     copy_scopes(command, scopes, count, answer) &&
                     copy_purses(command, &payers, answer);
    if (is_copied) return STATUS_OK;
    return command_refuse(command, STATUS_RESOURCE_EXHAUSTED, NULL, "no memory");
}

/* --- its own budget ----------------------------------------------------------------------------
 */

static struct call_estimate estimate_of(const Pb__ReserveRun *request)
{
    const Pb__ModelPrice *price = request->price;
    return (struct call_estimate){
        .input_tokens  = request->input_tokens > 0 ? request->input_tokens : 0,
        .output_tokens = request->output_tokens >= 0 ? request->output_tokens : -1,
        .is_priced     = price != NULL,
        .input_picos   = price && price->input_picos > 0 ? price->input_picos : 0,
        .output_picos  = price && price->output_picos > 0 ? price->output_picos : 0,
    };
}

static int64_t until_us(const struct engine *engine, int64_t deadline_us)
{
    int64_t last_us = engine->now_us + CALL_US_MAX;
    int64_t over_us = deadline_us > 0 && deadline_us < last_us ? deadline_us : last_us;
    return over_us + LEDGER_SILENT_US;
}

static void say_no(struct command *command, Pb__BudgetVerdict verdict, const char *reason)
{
    Pb__ReservedRun *answer = command->response;
    answer->verdict         = verdict;
    answer->reason          = reason;
    answer->output_tokens   = 0;
}

static status hold(struct engine *engine, struct command *command, struct live_run *live,
                   struct spend amount, struct error *reterr)
{
    const Pb__ReserveRun *request = command->request;
    struct fundings *fundings     = job_queues_fundings(engine->queues);
    struct funding *funding       = funding_new(str_from(request->model));
    struct id call                = {};
    memcpy(call.text, request->call, ID_LEN);
    funding->state   = PB__FUNDING_STATE__FUNDING_STATE_GRANTED;
    funding->has_own = true;
    fundings_reserve(fundings, funding, str_from(live->id.text), amount);
    status held = engine_late_funds_hold(engine, &call, &live->id, funding,
                                         until_us(engine, request->deadline_us), reterr);
    if (held != STATUS_RESOURCE_EXHAUSTED) return held;
    fundings_release(fundings, funding, str_from(live->id.text));
    funding_free(funding);
    return command_refuse(command, held, NULL, "too many calls are under way");
}

/* Whoever waits goes first. */
static enum budget_answer ask(struct engine *engine, const struct live_run *live,
                              const struct budget *budget, const struct call_estimate *call,
                              struct spend *ret_amount)
{
    struct fundings *fundings = job_queues_fundings(engine->queues);
    const struct purse *purse = fundings_purse(fundings, str_from(live->id.text));
    enum budget_answer answer = budget_ask(budget, call, ret_amount);
    bool is_behind            = purse->waiting.first && !spend_is_none(*ret_amount);
    return answer == BUDGET_FITS && is_behind ? BUDGET_WAITS : answer;
}

static status reserve(struct engine *engine, struct command *command, struct live_run *live,
                      struct error *reterr)
{
    const Pb__ReserveRun *request   = command->request;
    Pb__ReservedRun *answer         = command->response;
    const struct call_estimate call = estimate_of(request);
    const struct budget budget      = engine_own_budget(engine, live);
    struct spend amount             = {};
    switch (ask(engine, live, &budget, &call, &amount)) {
    case BUDGET_FITS:
        answer->output_tokens = budget_output_room(&budget, &call, amount);
        TRY(hold(engine, command, live, amount, reterr));
        break;
    case BUDGET_WAITS:
        say_no(command, PB__BUDGET_VERDICT__BUDGET_VERDICT_WAITING,
               "what is left of the run's budget is set aside for its calls under way");
        break;
    case BUDGET_SPENT:
        say_no(command, PB__BUDGET_VERDICT__BUDGET_VERDICT_REFUSED,
               "the call does not fit into what is left of the run's budget");
        break;
    }
    fundings_drop(job_queues_fundings(engine->queues), str_from(live->id.text));
    return STATUS_OK;
}

/* A call under way is asked for again, or has outgrown what is set aside for it. */
static status draw(struct engine *engine, struct command *command, struct live_run *live,
                   struct funding *held, struct error *reterr)
{
    const Pb__ReserveRun *request   = command->request;
    Pb__ReservedRun *answer         = command->response;
    const struct call_estimate call = estimate_of(request);
    const struct budget budget      = engine_own_budget(engine, live);
    if (request->more && call.output_tokens > 0) {
        const struct spend more = budget_more(&budget, &call, held->own);
        fundings_add(job_queues_fundings(engine->queues), held, str_from(live->id.text), more);
        if (!spend_is_none(more)) {
            TRY(engine_late_funds_put(engine, str_from(request->call), reterr));
        }
    }
    answer->output_tokens = budget_output_room(&budget, &call, held->own);
    return STATUS_OK;
}

static status fund(struct engine *engine, struct command *command, struct live_run *live,
                   struct error *reterr)
{
    const Pb__ReserveRun *request = command->request;
    Pb__ReservedRun *answer       = command->response;
    struct funding *held          = engine_late_funds_of(engine, str_from(request->call));
    bool has_money                = run_budget_usd_nanos(live->run) > 0;
    answer->output_tokens         = -1;
    if (!has_money && run_budget_tokens(live->run) == 0) return STATUS_OK;
    if (held) return draw(engine, command, live, held, reterr);
    if (request->more || engine_late_funds_is_over(engine, str_from(request->call))) {
        say_no(command, PB__BUDGET_VERDICT__BUDGET_VERDICT_REFUSED, "the call is over");
        return STATUS_OK;
    }
    if (has_money && !request->price) {
        answer->needs_price = true;
        say_no(command, PB__BUDGET_VERDICT__BUDGET_VERDICT_REFUSED,
               "the model has no price, so the run's budget of money cannot be charged: name its "
               "price in `llm.prices`");
        return STATUS_OK;
    }
    return reserve(engine, command, live, reterr);
}

status engine_reserve_run(struct engine *engine, struct command *command, struct error *reterr)
{
    const Pb__ReserveRun *request = command->request;
    struct live_run *live         = NULL;
    engine_answer(engine, command);
    TRY(engine_run(engine, str_from(request->run), command, &live, reterr));
    if (!live) return STATUS_OK;
    if (!request->more && run_status_is_final(run_status(live->run))) {
        return command_refuse(command, STATUS_FAILED_PRECONDITION, "run_finished",
                              "run %s has ended: nothing is charged to it any more", live->id.text);
    }
    TRY(tell_run(engine, command, live, reterr));
    if (command->code != STATUS_OK) return STATUS_OK;
    return fund(engine, command, live, reterr);
}

/* --- what it has cost --------------------------------------------------------------------------
 */

status engine_take_run_charge(struct engine *engine, const Pb__RunCharge *charge,
                              struct error *reterr)
{
    const Pb__UsageCounters *used = charge->counters;
    struct id call                = {};
    if (!id_is_valid(str_from(charge->call)) || !id_is_valid(str_from(charge->run)) || !used) {
        return STATUS_OK;
    }
    memcpy(call.text, charge->call, ID_LEN);
    bool is_used = used->calls > 0 || used->input_tokens > 0 || used->output_tokens > 0;
    TRY(engine_late_funds_release(engine, str_from(call.text), reterr));
    if (!is_used) return STATUS_OK;
    const struct usage usage = {
        .input_tokens     = used->input_tokens,
        .output_tokens    = used->output_tokens,
        .cached_tokens    = used->cached_tokens,
        .reasoning_tokens = used->reasoning_tokens,
        .cost_usd_nanos   = used->cost_usd_nanos,
        .calls            = used->calls,
        .source       = (int)charge->cost_source >= 0 && (int)charge->cost_source <= COST_UNKNOWN
                            ? (enum cost_source)charge->cost_source
                            : COST_UNKNOWN,
        .is_simulated = used->simulated_calls > 0,
    };
    return engine_charge_run(engine, &call, str_from(charge->run), &usage, reterr);
}

/* --- in the system partition -------------------------------------------------------------------
 */

status engine_tell_run_charge(struct engine *engine, const Pb__UsageRecord *row,
                              struct error *reterr)
{
    Pb__RunCharge charge = PB__RUN_CHARGE__INIT;
    Pb__Message message  = PB__MESSAGE__INIT;
    str run              = str_from(row->run);
    if (!id_is_valid(run) || id_partition(run) >= engine->partition->count) return STATUS_OK;
    charge.run         = row->run;
    charge.call        = row->call;
    charge.counters    = row->counters;
    charge.cost_source = row->cost_source;
    if (id_partition(run) == engine->partition->index) {
        return engine_take_run_charge(engine, &charge, reterr);
    }
    message.content_case = PB__MESSAGE__CONTENT_RUN_CHARGE;
    message.run_charge   = &charge;
    return engine_tell(engine, id_partition(run), &message, reterr);
}
