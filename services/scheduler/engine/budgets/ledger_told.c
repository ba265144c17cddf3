/* What a ledger says and what is to be written of it. */
#include "base/clock.h"
#include "base/mem.h"
#include "base/money.h"
#include "scheduler/engine/budgets/ledger_internal.h"

#include <stdio.h>
#include <stdlib.h>

void ledger_row_changed(struct ledger *ledger, struct ledger_ask *ask, bool is_gone)
{
    if (ask->is_changed && !is_gone) return;
    struct changed_row *row = mem_new(1, sizeof *row);
    row->job                = ask->job;
    ask->is_changed         = true;
    if (ledger->last_row) ledger->last_row->next = row;
    if (!ledger->first_row) ledger->first_row = row;
    ledger->last_row = row;
}

bool ledger_take_row(struct ledger *ledger, struct id *ret_job, const struct ledger_ask **ret_ask)
{
    struct changed_row *row = ledger->first_row;
    if (!row) return false;
    ledger->first_row = row->next;
    if (!ledger->first_row) ledger->last_row = NULL;
    *ret_job               = row->job;
    struct ledger_ask *ask = map_get(ledger->asks, str_from(row->job.text));
    if (ask) ask->is_changed = false;
    *ret_ask = ask;
    free(row);
    return true;
}

bool ledger_take_answer(struct ledger *ledger, struct ledger_answer *ret_answer)
{
    struct told *told = ledger->first_told;
    if (!told) return false;
    ledger->first_told = told->next;
    if (!ledger->first_told) ledger->last_told = NULL;
    *ret_answer = told->answer;
    free(told);
    return true;
}

static void put_kind(struct buf *out, int64_t spent, int64_t limit, bool is_money)
{
    if (limit == 0) return;
    if (!is_money) {
        (void)buf_printf(out, "; %lld of %lld tokens are spent", (long long)spent,
                         (long long)limit);
        return;
    }
    (void)buf_put_text(out, "; $");
    (void)money_print(spent, out);
    (void)buf_put_text(out, " of $");
    (void)money_print(limit, out);
    (void)buf_put_text(out, " are spent");
}

/* What a budget says to a call that it does not let go. */
static void put_reason(const struct ledger_budget *budget, bool is_spent, struct buf *out)
{
    const struct budget *account = &budget->account;
    char time[TIME_TEXT_SIZE];
    if (budget->is_purse) {
        (void)buf_printf(out, "the budget of run %s and its child runs: ", budget->spec.value);
    } else {
        (void)buf_printf(out, "budget `%s`: ", budget->name);
    }
    (void)buf_printf(out, "%s",
                     is_spent ? "the call does not fit into what is left"
                              : "what is left is set aside for calls under way");
    put_kind(out, account->spent.tokens, account->limit.tokens, false);
    put_kind(out, account->spent.nanos, account->limit.nanos, true);
    if (budget->resets_us == INT64_MAX) return;
    time_format(budget->resets_us, time);
    (void)buf_printf(out, "; it begins anew at %s", time);
}

bool ledger_needs_price(const struct ledger_ask *ask)
{
    for (size_t i = 0; i < ask->count; i++) {
        const struct ledger_budget *budget = ask->charges[i].budget;
        if (budget && budget->account.limit.nanos > 0 && !budget->spec.allows_unpriced) return true;
    }
    return false;
}

struct spend ledger_room(const struct ledger_ask *ask)
{
    struct spend room = {-1, -1};
    for (size_t i = 0; i < ask->count; i++) {
        const struct charge *charge = &ask->charges[i];
        if (!charge->budget) continue;
        const struct budget *account = &charge->budget->account;
        room                         = spend_least(room, budget_room(account, charge->amount));
    }
    return room;
}

void ledger_answer_fill(const struct ledger_ask *ask, Pb__BudgetVerdict verdict,
                        const struct ledger_budget *budget, struct ledger_answer *ret_answer)
{
    CLEANUP(buf_done) struct buf text = buf_init(LEDGER_REASON_MAX - 1);
    *ret_answer                       = (struct ledger_answer){.partition = ask->partition,
                                                               .job       = ask->job,
                                                               .number    = ask->number,
                                                               .verdict   = verdict,
                                                               .resets_us = INT64_MAX,
                                                               .room      = {-1, -1}};
    if (verdict == PB__BUDGET_VERDICT__BUDGET_VERDICT_GRANTED) ret_answer->room = ledger_room(ask);
    if (!budget) {
        ret_answer->needs_price = ledger_needs_price(ask);
        return;
    }
    put_reason(budget, verdict != PB__BUDGET_VERDICT__BUDGET_VERDICT_WAITING, &text);
    ret_answer->resets_us = budget->resets_us;
    (void)snprintf(ret_answer->budget, sizeof ret_answer->budget, "%s", budget->name);
    (void)snprintf(ret_answer->reason, sizeof ret_answer->reason, STR_FMT, STR_ARG(buf_str(&text)));
}

void ledger_tell(struct ledger *ledger, const struct ledger_ask *ask, Pb__BudgetVerdict verdict,
                 const struct ledger_budget *budget)
{
    struct told *told = mem_new(1, sizeof *told);
    ledger_answer_fill(ask, verdict, budget, &told->answer);
    if (ledger->last_told) ledger->last_told->next = told;
    if (!ledger->first_told) ledger->first_told = told;
    ledger->last_told = told;
}
