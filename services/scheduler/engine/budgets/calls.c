/* The system partition: calls that are no jobs ask it themselves, and are answered in the turn. */
#include "base/log.h"
#include "scheduler/engine/budgets/engine_budgets.h"
#include "scheduler/engine/budgets/ledger.h"

#define CALL_US_MAX INT64_C(86'400'000'000) /* nobody waits longer for a model */

/* False: there are more than are charged. */
static bool find_payers(const struct engine *engine, const Pb__ReserveBudgets *request,
                        struct payers *ret_payers)
{
    str namespace = str_from(request->namespace_);
    *ret_payers   = (struct payers){};
    bool fits     = book_add_payers(engine->book, namespace, str_from("namespace"), ret_payers);
    for (size_t i = 0; i <= request->n_labels && fits; i++) {
        CLEANUP(buf_done) struct buf scope = buf_init(BUDGET_SCOPE_MAX);
        bool is_key                        = i == request->n_labels;
        const Pb__Label *label             = is_key ? NULL : request->labels[i];
        bool is_scope =
            is_key ? budget_scope_put(PB__BUDGET_SCOPE__BUDGET_SCOPE_KEY, "", request->key, &scope)
                   : budget_scope_put(PB__BUDGET_SCOPE__BUDGET_SCOPE_LABEL, label->key,
                                      label->value, &scope);
        if (!is_scope) continue; /* no budget has it */
        fits = book_add_payers(engine->book, namespace, buf_str(&scope), ret_payers);
    }
    for (size_t i = 0; i < request->n_scopes && fits; i++) {
        fits = book_add_payers(engine->book, namespace, str_from(request->scopes[i]), ret_payers);
    }
    return fits;
}

static int64_t until_us(const struct engine *engine, int64_t deadline_us)
{
    int64_t last_us = engine->now_us + CALL_US_MAX;
    return deadline_us > 0 && deadline_us < last_us ? deadline_us : last_us;
}

/* Whom it is charged to: whoever asks says it again with its end. */
static bool name_payers(const struct command *command, const struct ledger_ask *ask,
                        Pb__ReservedBudgets *answer)
{
    answer->namespace_ = text_in(command->arena, str_from(ask->namespace));
    answer->budgets    = arena_alloc(command->arena, (ask->count + 1) * sizeof(const char *));
    if (!answer->namespace_ || !answer->budgets) return false;
    for (size_t i = 0; i < ask->count; i++) {
        const char *name = ledger_ask_payer(ask, i);
        if (!name) continue;
        answer->budgets[answer->n_budgets] = text_in(command->arena, str_from(name));
        if (!answer->budgets[answer->n_budgets++]) return false;
    }
    return true;
}

static status answer_with(struct command *command, const struct ledger_ask *ask,
                          const struct ledger_answer *told)
{
    Pb__ReservedBudgets *answer = command->response;
    answer->verdict             = told->verdict;
    answer->charged             = told->verdict == PB__BUDGET_VERDICT__BUDGET_VERDICT_GRANTED;
    answer->needs_price         = told->needs_price && !answer->charged;
    answer->output_tokens       = answer->charged ? told->output_tokens : -1;
    answer->resets_us           = told->resets_us < INT64_MAX ? told->resets_us : 0;
    answer->budget              = text_in(command->arena, str_from(told->budget));
    answer->reason              = text_in(command->arena, str_from(told->reason));
    bool is_whole               = !answer->charged || name_payers(command, ask, answer);
    if (answer->budget && answer->reason && is_whole) return STATUS_OK;
    return command_refuse(command, STATUS_RESOURCE_EXHAUSTED, NULL, "no memory");
}

status engine_reserve_budgets(struct engine *engine, struct command *command, struct error *)
{
    const Pb__ReserveBudgets *request = command->request;
    Pb__ReservedBudgets *answer       = command->response;
    Pb__BudgetAsk ask                 = PB__BUDGET_ASK__INIT;
    struct payers payers;
    struct ledger_answer told;
    engine_answer(engine, command);
    if (!find_payers(engine, request, &payers)) {
        answer->verdict = PB__BUDGET_VERDICT__BUDGET_VERDICT_REFUSED;
        answer->reason  = "the call is charged to too many budgets";
        return STATUS_OK;
    }
    answer->output_tokens = -1;
    /* Granted, and nothing to settle. */
    if (payers.count == 0 && request->n_purses == 0) return STATUS_OK;
    ask.job           = request->call;
    ask.number        = 1;
    ask.namespace_    = request->namespace_;
    ask.budgets       = payers.names;
    ask.n_budgets     = payers.count;
    ask.purses        = request->purses;
    ask.n_purses      = request->n_purses;
    ask.input_tokens  = request->input_tokens;
    ask.output_tokens = request->output_tokens;
    ask.price         = request->price;
    ask.model         = request->model;
    ask.holder        = request->holder;
    ask.until_us      = until_us(engine, request->deadline_us);
    ledger_reserve(engine->ledger, &ask, engine->now_us, &told);
    return answer_with(command, ledger_ask_find(engine->ledger, str_from(ask.job)), &told);
}

status engine_settle_budgets(struct engine *engine, struct command *command, struct error *)
{
    const Pb__SettleBudgets *request = command->request;
    engine_answer(engine, command);
    ledger_hear(engine->ledger, request->holder, engine->now_us);
    for (size_t i = 0; i < request->n_ends; i++) {
        Pb__CallEnd end = *request->ends[i];
        end.n_budgets   = 0; /* it may be a repetition: only what was asked is charged */
        ledger_end_call(engine->ledger, &end, engine->now_us);
    }
    return STATUS_OK;
}
