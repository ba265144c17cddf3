/* What a partition makes of budgets: jobs that cost money ask before they go, and say what they
 * have cost. */
#include "base/log.h"
#include "scheduler/engine/budgets/engine_budgets.h"
#include "scheduler/engine/budgets/late_funds.h"
#include "scheduler/engine/budgets/ledger.h"
#include "scheduler/engine/budgets/prices.h"
#include "workflow/errors.h"
#include "workflow/token_estimate.h"

enum {
    ROUNDS_MAX            = 16,    /* of questions and answers in one turn */
    ASKED_MAX             = 2'000, /* questions of one turn; what is left comes in the next */
    HTTP_PAYMENT_REQUIRED = 402,
};

#define NEEDED  PB__FUNDING_STATE__FUNDING_STATE_NEEDED
#define ASKED   PB__FUNDING_STATE__FUNDING_STATE_ASKED
#define GRANTED PB__FUNDING_STATE__FUNDING_STATE_GRANTED
#define STOPPED PB__FUNDING_STATE__FUNDING_STATE_STOPPED

static struct fundings *fundings_of(const struct engine *engine)
{
    return job_queues_fundings(engine->queues);
}

/* --- which jobs --------------------------------------------------------------------------------
 */

/* What undoes something is never held for want of money; it is charged when it has ended. */
struct funding *engine_fund(struct engine *engine, const struct live_run *live,
                            const struct event *event, const char *function)
{
    bool is_embedding = strcmp(function, "llm.embed") == 0;
    bool has_own      = run_budget_usd_nanos(live->run) > 0 || run_budget_tokens(live->run) > 0;
    bool is_paid      = is_embedding || strcmp(function, "llm.chat") == 0;
    if (!is_paid || engine_job_undoes(live, event)) return NULL;
    if (!has_own && book_count(engine->book) == 0) return NULL;

    bool is_turn                   = run_workflow(live->run)->tasks[event->task].call.is_turn;
    CLEANUP(json_unrefp) json turn = json_invalid();
    if (is_turn) turn = run_turn_input(live->run, str_from(event->id.text));
    json arguments                 = is_turn ? turn : event->value;
    json model                     = json_get_text(arguments, "model");
    struct token_estimate estimate = token_estimate_of(arguments, is_embedding);
    struct funding *funding = funding_new(json_is(model, JSON_TEXT) ? json_str(model) : (str){});
    funding->has_own        = has_own;
    funding->input_tokens   = estimate.input;
    funding->output_tokens  = estimate.output;
    return funding;
}

void engine_fund_restore(struct engine *engine, struct open_job *job, const Pb__JobFunding *row)
{
    const struct spend own = {row->own_tokens, row->own_nanos};
    fundings_reserve(fundings_of(engine), job->funding, str_from(job->run.text), own);
}

/* --- the end of a question ---------------------------------------------------------------------
 */

/* What is wrong is wrong with that run, and no reason to stop the others. */
static bool is_of_run(status code)
{
    return code == STATUS_INVALID_ARGUMENT || code == STATUS_NOT_FOUND || code == STATUS_DATA_LOSS;
}

static status tell_end(struct engine *engine, const Pb__BudgetEnd *end, struct error *reterr)
{
    if (engine->ledger) return engine_take_budget_end(engine, end, reterr);
    Pb__Message message  = PB__MESSAGE__INIT;
    message.content_case = PB__MESSAGE__CONTENT_BUDGET_END;
    message.budget_end   = (Pb__BudgetEnd *)(uintptr_t)end;
    return engine_tell(engine, 0, &message, reterr);
}

static int64_t tokens_of(const Pb__Usage *usage)
{
    int64_t tokens = 0;
    bool is_over   = __builtin_add_overflow(usage->input_tokens, usage->output_tokens, &tokens);
    return is_over ? INT64_MAX : tokens;
}

/* Who pays for what nobody was asked for. It has been spent: if there are too many budgets the
 * first ones are charged, and a run that cannot be read has none. */
static status find_late(struct engine *engine, const struct id *job, str run, struct payers *payers,
                        const char **ret_namespace, struct error *reterr)
{
    struct error why = {};
    status found     = engine_payers(engine, run, payers, ret_namespace, &why);
    if (found == STATUS_OK) return STATUS_OK;
    if (!is_of_run(found)) return fail(reterr, found, "%s", why.text);
    log_write(LOG_WARN, "budget.not_charged", LOG_TEXT_OF("job", job->text), LOG_STR("run", run),
              LOG_TEXT_OF("error", why.text));
    return STATUS_OK;
}

static void put_used(const Pb__Usage *used, Pb__BudgetEnd *end)
{
    end->used_tokens = tokens_of(used);
    end->used_nanos  = used->cost_usd_nanos;
    end->unpriced    = used->cost_source == PB__COST_SOURCE__COST_SOURCE_UNKNOWN;
}

static bool is_charged_for(const Pb__Usage *used)
{
    return used && (used->input_tokens > 0 || used->output_tokens > 0 || used->cost_usd_nanos > 0);
}

status engine_fund_tell(struct engine *engine, const struct attempt_end *attempt,
                        struct error *reterr)
{
    Pb__BudgetEnd end    = PB__BUDGET_END__INIT;
    struct payers payers = {};
    bool is_charged      = is_charged_for(attempt->used);
    if (attempt->number == 0 && is_charged) {
        TRY(find_late(engine, attempt->job, attempt->run, &payers, &end.namespace_, reterr));
    }
    if (attempt->number == 0 && payers.count == 0 && payers.purse_count == 0) return STATUS_OK;
    end.job       = attempt->job->text;
    end.number    = attempt->number;
    end.budgets   = payers.names;
    end.n_budgets = payers.count;
    end.purses    = payers.purses;
    end.n_purses  = payers.purse_count;
    if (attempt->price && attempt->funding) {
        end.model = attempt->funding->model;
        end.price = (Pb__ModelPrice *)(uintptr_t)attempt->price;
    }
    if (is_charged) put_used(attempt->used, &end);
    return tell_end(engine, &end, reterr);
}

/* `used`: what it has cost; NULL: nothing. `price`: of its model; NULL: not said. */
static status end_funding(struct engine *engine, struct open_job *job, const Pb__Usage *used,
                          const Pb__ModelPrice *price, struct error *reterr)
{
    struct funding *funding          = job->funding;
    bool has_asked                   = funding && funding->has_asked;
    const struct attempt_end attempt = {
        .job     = &job->id,
        .run     = str_from(job->run.text),
        .funding = funding,
        .number  = has_asked ? funding->number : 0,
        .used    = used,
        .price   = price,
    };
    if (funding) {
        fundings_release(fundings_of(engine), funding, str_from(job->run.text));
        funding_unlist(funding);
        funding_tell(funding, "");
        funding->state      = NEEDED;
        funding->has_asked  = false;
        funding->has_paused = false;
        funding->is_drawing = false;
        funding->drawn_for  = 0;
    }
    return engine_fund_tell(engine, &attempt, reterr);
}

status engine_fund_end(struct engine *engine, struct open_job *job, struct error *reterr)
{
    return end_funding(engine, job, NULL, NULL, reterr);
}

status engine_fund_report(struct engine *engine, struct open_job *job, const Pb__JobReport *report,
                          struct error *reterr)
{
    const Pb__Usage *used       = NULL;
    const Pb__ModelPrice *price = NULL;
    if (report && report->result_case == PB__JOB_REPORT__RESULT_COMPLETED) {
        used  = report->completed->usage;
        price = report->completed->price;
    } else if (report && report->result_case == PB__JOB_REPORT__RESULT_FAILED) {
        used  = report->failed->usage;
        price = report->failed->price;
    } else if (report && report->result_case == PB__JOB_REPORT__RESULT_RELEASED) {
        used  = report->released->usage;
        price = report->released->price;
    }
    if (price && job->funding) {
        TRY(engine_price_learn(engine, job->funding->model, price, reterr));
    }
    return end_funding(engine, job, used, price, reterr);
}

status engine_fund_wake(struct engine *engine, struct open_job *job, struct error *reterr)
{
    bool is_stopped = job->funding && job->funding->state == STOPPED;
    return is_stopped ? engine_fund_end(engine, job, reterr) : STATUS_OK;
}

/* --- asking ------------------------------------------------------------------------------------
 */

static status refuse(struct engine *engine, struct open_job *job, str detail, struct error *reterr)
{
    CLEANUP(json_unrefp)
    json error = error_own_new("budget", HTTP_PAYMENT_REQUIRED, "Budget exceeded", detail, (str){});
    return engine_refuse_job(engine, job, error, reterr);
}

static status grant(struct engine *engine, struct open_job *job, struct error *reterr)
{
    job->funding->state = GRANTED;
    funding_tell(job->funding, "");
    open_job_place(engine->queues, job, engine->now_us);
    return engine_ready_put(engine, job, reterr);
}

static struct call_estimate estimate_of(const struct engine *engine, const struct funding *funding)
{
    const Pb__ModelPrice *price = engine_price_of(engine, funding->model);
    return (struct call_estimate){
        .input_tokens  = funding->input_tokens,
        .output_tokens = funding->output_tokens,
        .is_priced     = price != NULL,
        .input_picos   = price ? price->input_picos : 0,
        .output_picos  = price ? price->output_picos : 0,
    };
}

struct budget engine_own_budget(struct engine *engine, const struct live_run *live)
{
    const struct usage *usage = run_usage(live->run);
    str run                   = str_from(live->id.text);
    return (struct budget){
        .limit    = {run_budget_tokens(live->run), run_budget_usd_nanos(live->run)},
        .spent    = {usage_tokens(usage), usage->cost_usd_nanos},
        .reserved = fundings_purse(fundings_of(engine), run)->reserved,
    };
}

/* Its run's own budget, which is kept here. `*ret_goes` false: it waits, or is gone. */
static status ask_own(struct engine *engine, struct open_job *job, bool *ret_goes,
                      struct error *reterr)
{
    struct funding *funding = job->funding;
    struct live_run *live   = NULL;
    struct spend amount     = {};
    str run                 = str_from(job->run.text);
    *ret_goes               = false;
    TRY(engine_run(engine, run, NULL, &live, reterr));
    if (!live) return STATUS_OK; /* it cannot be read: nobody waits for the job */
    const struct call_estimate call = estimate_of(engine, funding);
    const struct budget budget      = engine_own_budget(engine, live);
    switch (budget_ask(&budget, &call, &amount)) {
    case BUDGET_FITS:
        fundings_reserve(fundings_of(engine), funding, run, amount);
        funding->needs_price = budget.limit.nanos > 0;
        funding->room        = budget_room(&budget, amount);
        *ret_goes            = true;
        break;
    case BUDGET_WAITS:
        funding_tell(funding, "what is left of the run's budget is set aside for its calls under "
                              "way");
        funding_list_add(&fundings_purse(fundings_of(engine), run)->waiting, funding);
        return engine_ready_put(engine, job, reterr);
    case BUDGET_SPENT:
        fundings_drop(fundings_of(engine), run);
        return refuse(engine, job,
                      str_from("the call does not fit into what is left of the run's "
                               "budget"),
                      reterr);
    }
    fundings_drop(fundings_of(engine), run);
    return STATUS_OK;
}

static status send_ask(struct engine *engine, struct open_job *job, struct payers *payers,
                       const char *namespace, struct error *reterr)
{
    struct funding *funding     = job->funding;
    const Pb__ModelPrice *price = engine_price_of(engine, funding->model);
    Pb__BudgetAsk ask           = PB__BUDGET_ASK__INIT;
    funding->state              = ASKED;
    funding->has_asked          = true;
    funding->number++;
    ask.partition     = engine->partition->index;
    ask.job           = job->id.text;
    ask.number        = funding->number;
    ask.namespace_    = namespace;
    ask.budgets       = payers->names;
    ask.n_budgets     = payers->count;
    ask.purses        = payers->purses;
    ask.n_purses      = payers->purse_count;
    ask.input_tokens  = funding->input_tokens;
    ask.output_tokens = funding->output_tokens;
    ask.price         = (Pb__ModelPrice *)(uintptr_t)price;
    ask.model         = funding->model;
    TRY(engine_ready_put(engine, job, reterr));
    if (engine->ledger) return engine_take_budget_ask(engine, &ask, reterr);
    Pb__Message message  = PB__MESSAGE__INIT;
    message.content_case = PB__MESSAGE__CONTENT_BUDGET_ASK;
    message.budget_ask   = &ask;
    return engine_tell(engine, 0, &message, reterr);
}

static status ask(struct engine *engine, struct open_job *job, struct error *reterr)
{
    struct payers payers      = {};
    const char *namespace     = "";
    struct error why          = {};
    bool goes                 = true;
    job->funding->needs_price = false;
    job->funding->room        = (struct spend){-1, -1};
    if (job->funding->has_own) TRY(ask_own(engine, job, &goes, reterr));
    if (!goes) return STATUS_OK;
    status found = engine_payers(engine, str_from(job->run.text), &payers, &namespace, &why);
    if (is_of_run(found)) return refuse(engine, job, str_from(why.text), reterr);
    if (found != STATUS_OK) return fail(reterr, found, "%s", why.text);
    if (payers.count == 0 && payers.purse_count == 0) return grant(engine, job, reterr);
    return send_ask(engine, job, &payers, namespace, reterr);
}

/* A job whose place has changed: it asks, or gives back what it cannot use. */
static status look_at(struct engine *engine, struct open_job *job, struct error *reterr)
{
    bool is_stopped = job->is_held || job->is_shut_out;
    if (job->state != OPEN_JOB_HELD) return STATUS_OK;
    if (job->funding->state == NEEDED && !is_stopped) return ask(engine, job, reterr);
    if (job->funding->state != GRANTED || !is_stopped) return STATUS_OK;
    TRY(engine_fund_end(engine, job, reterr));
    return engine_ready_put(engine, job, reterr);
}

/* --- hearing of it -----------------------------------------------------------------------------
 */

/* The job's run is suspended for an operator, unless it is already. */
static status pause_run(struct engine *engine, struct open_job *job, const char *reason,
                        struct error *reterr)
{
    struct live_run *live = NULL;
    struct error why      = {};
    TRY(engine_run(engine, str_from(job->run.text), NULL, &live, reterr));
    if (!live || run_is_suspended(live->run)) return engine_ready_put(engine, job, reterr);
    const struct decide_env env = engine_env(engine);
    job->funding->has_paused    = true;
    engine_work_begin(engine, str_from(live->id.text));
    status decided =
        run_suspend(live->run, &env, str_from(reason), str_from("budget"), &engine->events, &why);
    if (decided != STATUS_OK) job->funding->has_paused = false;
    status kept = decided == STATUS_OK ? engine_keep(engine, live, reterr)
                                       : engine_ready_put(engine, job, reterr);
    engine_work_end(engine);
    return kept;
}

static status resume_run(struct engine *engine, const struct id *run, struct error *reterr)
{
    struct live_run *live = NULL;
    TRY(engine_run(engine, str_from(run->text), NULL, &live, reterr));
    if (!live || !run_is_suspended(live->run)) return STATUS_OK;
    return engine_resume(engine, live, str_from("there is more to spend"), str_from("budget"),
                         reterr);
}

static status take_grant(struct engine *engine, struct open_job *job,
                         const Pb__BudgetAnswer *answer, struct error *reterr)
{
    struct funding *funding = job->funding;
    const struct id run     = job->run;
    bool resumes            = funding->has_paused;
    funding->has_paused     = false;
    funding->needs_price |= answer->needs_price;
    funding_take_room(funding, answer->room);
    TRY(grant(engine, job, reterr));
    return resumes ? resume_run(engine, &run, reterr) : STATUS_OK;
}

static status take_refusal(struct engine *engine, struct open_job *job,
                           const Pb__BudgetAnswer *answer, struct error *reterr)
{
    struct funding *funding = job->funding;
    const struct id run     = job->run;
    bool resumes            = funding->has_paused;
    funding->has_asked      = false; /* the system partition has forgotten it */
    TRY(engine_fund_end(engine, job, reterr));
    if (resumes) TRY(resume_run(engine, &run, reterr));
    job = open_job_find(engine->queues, str_from(answer->job));
    return job ? refuse(engine, job, str_from(answer->reason), reterr) : STATUS_OK;
}

status engine_take_budget_answer(struct engine *engine, const Pb__BudgetAnswer *answer,
                                 struct error *reterr)
{
    struct open_job *job    = open_job_find(engine->queues, str_from(answer->job));
    struct funding *funding = job ? job->funding : NULL;
    bool is_wanted          = funding && funding->has_asked && funding->number == answer->number &&
                     funding->state != GRANTED;
    if (!is_wanted) return STATUS_OK; /* it has ended meanwhile, and so has the question */
    switch (answer->verdict) {
    case PB__BUDGET_VERDICT__BUDGET_VERDICT_GRANTED: return take_grant(engine, job, answer, reterr);
    case PB__BUDGET_VERDICT__BUDGET_VERDICT_REFUSED:
        return take_refusal(engine, job, answer, reterr);
    case PB__BUDGET_VERDICT__BUDGET_VERDICT_PAUSED:
        funding->state = STOPPED;
        funding_tell(funding, answer->reason);
        return pause_run(engine, job, answer->reason, reterr);
    default: funding_tell(funding, answer->reason); return engine_ready_put(engine, job, reterr);
    }
}

status engine_take_budget_news(struct engine *engine, const Pb__BudgetNews *news,
                               struct error *reterr)
{
    const Pb__BudgetView *budget = news->budget;
    struct key key;
    if (!budget || !budget->spec) return STATUS_OK;
    budget_key(&key, str_from(budget->namespace_), str_from(budget->name));
    if (news->gone) {
        book_drop(engine->book, str_from(budget->namespace_), str_from(budget->name));
    } else if (!book_put(engine->book, budget)) {
        log_write(LOG_ERROR, "budget.too_many", LOG_TEXT_OF("budget", budget->name));
    }
    if (engine->ledger) return STATUS_OK; /* the system partition has rows of its own */
    if (!news->gone) {
        return record_put(engine->txn, TABLE_BUDGETS, key_bytes(&key), &budget->base, reterr);
    }
    status deleted = txn_delete(engine->txn, TABLE_BUDGETS, key_bytes(&key), NULL);
    if (deleted == STATUS_OK || deleted == STATUS_NOT_FOUND) return STATUS_OK;
    return fail(reterr, deleted, "the row of a budget cannot be deleted");
}

/* --- a turn ------------------------------------------------------------------------------------
 */

status engine_budgets_settle(struct engine *engine, struct error *reterr)
{
    struct fundings *fundings = fundings_of(engine);
    size_t asked              = 0;
    TRY(engine_late_funds_expire(engine, reterr));
    for (int i = 0; i < ROUNDS_MAX; i++) {
        struct funding *funding;
        while (asked < ASKED_MAX && (funding = fundings->moved.first)) {
            asked++;
            funding_unlist(funding);
            TRY(look_at(engine, funding->job, reterr));
        }
        if (engine->ledger) TRY(engine_ledger_settle(engine, reterr));
        if (!fundings->moved.first || asked == ASKED_MAX) break;
    }
    return STATUS_OK;
}

int64_t engine_budgets_due_us(const struct engine *engine)
{
    int64_t late_us = engine_late_funds_due_us(engine);
    if (fundings_of(engine)->moved.first) return 0;
    if (!engine->ledger) return late_us;
    int64_t ledger_us = ledger_has_news(engine->ledger) ? 0 : ledger_due_us(engine->ledger);
    return late_us < ledger_us ? late_us : ledger_us;
}
