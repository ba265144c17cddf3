/* Calls that are no jobs: nobody waits, and whoever makes them may die without a word. */
#include "base/mem.h"
#include "scheduler/engine/budgets/ledger_internal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SWEEP_US INT64_C(5'000'000)

/* --- who makes them ----------------------------------------------------------------------------
 */

static struct ledger_holder *holder_of(struct ledger *ledger, const char *name, bool may_make)
{
    size_t count                 = 0;
    struct ledger_holder *holder = ledger->holders;
    for (; holder && strcmp(holder->name, name) != 0; holder = holder->next) count++;
    if (holder || !may_make || count >= LEDGER_HOLDERS_MAX) return holder;
    holder          = mem_new(1, sizeof *holder);
    holder->name    = mem_dup(name, strlen(name));
    holder->next    = ledger->holders;
    ledger->holders = holder;
    return holder;
}

static void holder_free(struct ledger_holder *holder)
{
    free(holder->name);
    free(holder);
}

void ledger_holders_free(struct ledger *ledger)
{
    struct ledger_holder *holder;
    while ((holder = ledger->holders)) {
        ledger->holders = holder->next;
        holder_free(holder);
    }
}

static void forget_holders(struct ledger *ledger)
{
    struct ledger_holder **place = &ledger->holders;
    while (*place) {
        struct ledger_holder *holder = *place;
        if (holder->call_count > 0) {
            place = &holder->next;
            continue;
        }
        *place = holder->next;
        holder_free(holder);
    }
}

void ledger_hear(struct ledger *ledger, const char *name, int64_t now_us)
{
    struct ledger_holder *holder = holder_of(ledger, name, false);
    if (holder) holder->heard_us = now_us;
}

/* --- their list --------------------------------------------------------------------------------
 */

bool ledger_call_link(struct ledger *ledger, struct ledger_ask *ask, const Pb__BudgetAsk *asked)
{
    ask->holder = holder_of(ledger, asked->holder, true);
    if (!ask->holder) return false;
    ask->until_us  = asked->until_us;
    ask->next_call = ledger->first_call;
    if (ask->next_call) ask->next_call->previous_call = ask;
    if (!ledger->first_call) ledger->sweep_us = 0; /* at once: that says when the next one is */
    ledger->first_call = ask;
    ask->holder->call_count++;
    return true;
}

void ledger_call_unlink(struct ledger *ledger, struct ledger_ask *ask)
{
    if (ask->next_call) ask->next_call->previous_call = ask->previous_call;
    if (ask->previous_call) {
        ask->previous_call->next_call = ask->next_call;
    } else {
        ledger->first_call = ask->next_call;
    }
    ask->holder->call_count--;
}

/* What was set aside comes back. Its end may still be told. */
static void give_back(struct ledger *ledger, struct ledger_ask *ask)
{
    bool is_changed = false;
    for (size_t i = 0; i < ask->count; i++) {
        struct charge *charge = &ask->charges[i];
        if (!charge->budget || spend_is_none(charge->amount)) continue;
        budget_settle(&charge->budget->account, charge->amount, (struct spend){});
        charge->amount = (struct spend){};
        ledger_changed(ledger, charge->budget);
        ledger_moved(ledger, charge->budget);
        is_changed = true;
    }
    if (is_changed) ledger_row_changed(ledger, ask, false);
}

static bool is_over(const struct ledger_ask *ask, int64_t now_us)
{
    return ask->until_us + LEDGER_SILENT_US <= now_us ||
           ask->holder->heard_us + LEDGER_SILENT_US <= now_us;
}

void ledger_calls_sweep(struct ledger *ledger, int64_t now_us)
{
    struct ledger_ask *next = NULL;
    for (struct ledger_holder *holder = ledger->holders; holder; holder = holder->next) {
        if (holder->heard_us == 0) holder->heard_us = now_us; /* it has not had the time */
    }
    for (struct ledger_ask *ask = ledger->first_call; ask; ask = next) {
        next = ask->next_call;
        if (!is_over(ask, now_us)) continue;
        give_back(ledger, ask);
        if (ask->until_us + LEDGER_KEPT_US <= now_us) ledger_ask_drop(ledger, ask);
    }
    forget_holders(ledger);
    ledger_settle(ledger);
    ledger->sweep_us = ledger->first_call ? now_us + SWEEP_US : INT64_MAX;
}

/* --- asking and ending -------------------------------------------------------------------------
 */

static void refuse(const struct ledger_ask *ask, const char *text, struct ledger_answer *ret_answer)
{
    ledger_answer_fill(ask, PB__BUDGET_VERDICT__BUDGET_VERDICT_REFUSED, NULL, ret_answer);
    (void)snprintf(ret_answer->reason, sizeof ret_answer->reason, "%s", text);
}

/* How long an answer fits into what was set aside; -1: however long. */
static int64_t output_room(const struct ledger_ask *ask)
{
    int64_t room = -1;
    for (size_t i = 0; i < ask->count; i++) {
        const struct charge *charge = &ask->charges[i];
        if (!charge->budget) continue;
        int64_t its = budget_output_room(&charge->budget->account, &ask->estimate, charge->amount);
        if (its >= 0 && (room < 0 || its < room)) room = its;
    }
    return room;
}

static void decide(struct ledger *ledger, struct ledger_ask *ask, struct ledger_answer *ret_answer)
{
    enum budget_answer answers[LEDGER_CHARGES_MAX];
    const struct opinion opinion     = ledger_opinion(ask, answers);
    const struct ledger_budget *ends = opinion.refuses ? opinion.refuses : opinion.pauses;
    if (ends) {
        ledger_answer_fill(ask, PB__BUDGET_VERDICT__BUDGET_VERDICT_REFUSED, ends, ret_answer);
    } else if (opinion.waits) {
        ledger_answer_fill(ask, PB__BUDGET_VERDICT__BUDGET_VERDICT_WAITING, opinion.waits,
                           ret_answer);
    } else {
        ledger_set_aside(ledger, ask);
        ledger_answer_fill(ask, PB__BUDGET_VERDICT__BUDGET_VERDICT_GRANTED, NULL, ret_answer);
        ret_answer->output_tokens = output_room(ask);
        return;
    }
    ledger_ask_drop(ledger, ask);
}

void ledger_reserve(struct ledger *ledger, const Pb__BudgetAsk *asked, int64_t now_us,
                    struct ledger_answer *ret_answer)
{
    static const Pb__ModelPrice nothing = PB__MODEL_PRICE__INIT;
    CLEANUP(buf_done) struct buf text   = buf_init(LEDGER_REASON_MAX - 1);
    struct ledger_ask none              = {.number = asked->number};
    const struct ledger_ask *before     = map_get(ledger->asks, str_from(asked->job));
    if (over_calls_have(ledger->over, str_from(asked->job), now_us)) {
        refuse(&none, "the call is over", ret_answer);
        return;
    }
    if (before) {
        ledger_answer_fill(before, PB__BUDGET_VERDICT__BUDGET_VERDICT_GRANTED, NULL, ret_answer);
        ret_answer->output_tokens = output_room(before);
        return;
    }
    Pb__BudgetAsk priced = *asked;
    if (!asked->price) priced.price = (Pb__ModelPrice *)(uintptr_t)&nothing;
    struct ledger_ask *ask = ledger_ask_new(ledger, &priced, ledger->next_sequence);
    if (!ask) {
        refuse(&none, "too many calls ask for budgets, or this one for too many", ret_answer);
        return;
    }
    ledger->next_sequence++;
    ask->holder->heard_us = now_us;
    if (!asked->price && ledger_needs_price(ask)) {
        (void)buf_printf(&text,
                         "the model `%.100s` has no price, so a budget of money cannot be "
                         "charged: name its price in `llm.prices`",
                         asked->model);
        refuse(ask, text.ptr, ret_answer);
        ledger_ask_drop(ledger, ask);
        return;
    }
    decide(ledger, ask, ret_answer);
}

void ledger_end_call(struct ledger *ledger, const Pb__CallEnd *end, int64_t now_us)
{
    const struct ledger_ask *ask = map_get(ledger->asks, str_from(end->call));
    Pb__BudgetEnd ended          = PB__BUDGET_END__INIT;
    if (ask && !ask->holder) return;
    over_calls_add(ledger->over, str_from(end->call), now_us);
    ended.job         = end->call;
    ended.number      = ask ? ask->number : 0;
    ended.namespace_  = end->namespace_;
    ended.budgets     = end->budgets;
    ended.n_budgets   = end->n_budgets;
    ended.used_tokens = end->used_tokens;
    ended.used_nanos  = end->used_nanos;
    ended.unpriced    = end->unpriced;
    ledger_end(ledger, &ended);
}
