/* Questions of a ledger as rows, and back. */
#include "base/mem.h"
#include "scheduler/engine/budgets/ledger_internal.h"

#include <stdlib.h>
#include <string.h>

status ledger_ask_row(const struct ledger_ask *ask, struct arena *arena,
                      Pb__BudgetAskRecord *ret_row, struct error *reterr)
{
    size_t count          = ask->count;
    Pb__BudgetAsk *told   = arena_alloc(arena, sizeof *told);
    Pb__ModelPrice *price = arena_alloc(arena, sizeof *price);
    const char **names    = arena_alloc(arena, (count + 1) * sizeof *names);
    *ret_row              = (Pb__BudgetAskRecord)PB__BUDGET_ASK_RECORD__INIT;
    ret_row->tokens       = arena_alloc(arena, (count + 1) * sizeof *ret_row->tokens);
    ret_row->nanos        = arena_alloc(arena, (count + 1) * sizeof *ret_row->nanos);
    if (!told || !price || !names || !ret_row->tokens || !ret_row->nanos) {
        return fail(reterr, STATUS_RESOURCE_EXHAUSTED, "no memory for a row of the budgets");
    }
    *told               = (Pb__BudgetAsk)PB__BUDGET_ASK__INIT;
    *price              = (Pb__ModelPrice)PB__MODEL_PRICE__INIT;
    price->input_picos  = ask->estimate.input_picos;
    price->output_picos = ask->estimate.output_picos;
    told->partition     = ask->partition;
    told->job           = ask->job.text;
    told->number        = ask->number;
    told->namespace_    = ask->namespace;
    told->model         = ask->model;
    told->input_tokens  = ask->estimate.input_tokens;
    told->output_tokens = ask->estimate.output_tokens;
    told->holder        = ask->holder ? ask->holder->name : "";
    told->until_us      = ask->until_us;
    told->price         = ask->estimate.is_priced ? price : NULL;
    told->budgets       = names;
    bool is_granted     = ask->state == PB__BUDGET_VERDICT__BUDGET_VERDICT_GRANTED;
    for (size_t i = 0; i < count; i++) {
        const struct charge *charge = &ask->charges[i];
        if (!charge->budget) continue;
        size_t at           = told->n_budgets++;
        names[at]           = charge->budget->name;
        ret_row->tokens[at] = is_granted ? charge->amount.tokens : 0;
        ret_row->nanos[at]  = is_granted ? charge->amount.nanos : 0;
    }
    ret_row->n_tokens = ret_row->n_nanos = told->n_budgets;
    ret_row->ask                         = told;
    ret_row->sequence                    = ask->sequence;
    ret_row->state                       = ask->state;
    return STATUS_OK;
}

static struct charge *charge_of(struct ledger_ask *ask, const char *budget)
{
    for (size_t i = 0; i < ask->count; i++) {
        if (strcmp(ask->charges[i].budget->name, budget) == 0) return &ask->charges[i];
    }
    return NULL;
}

void ledger_restore_ask(struct ledger *ledger, const Pb__BudgetAskRecord *row)
{
    struct ledger_ask *ask = row->ask ? ledger_ask_new(ledger, row->ask, row->sequence) : NULL;
    if (!ask) return;
    ask->state = row->state;
    if (row->sequence >= ledger->next_sequence) ledger->next_sequence = row->sequence + 1;
    if (row->state != PB__BUDGET_VERDICT__BUDGET_VERDICT_GRANTED) return;
    for (size_t i = 0; i < row->ask->n_budgets && i < row->n_tokens && i < row->n_nanos; i++) {
        struct charge *charge = charge_of(ask, row->ask->budgets[i]);
        if (!charge) continue;
        charge->amount = (struct spend){row->tokens[i], row->nanos[i]};
        budget_reserve(&charge->budget->account, charge->amount);
    }
}

static int by_sequence(const void *a, const void *b)
{
    const struct ledger_ask *const *one = a;
    const struct ledger_ask *const *two = b;
    return ((*one)->sequence > (*two)->sequence) - ((*one)->sequence < (*two)->sequence);
}

void ledger_decide_all(struct ledger *ledger, struct ledger_ask **asks, size_t count)
{
    if (count > 0) qsort(asks, count, sizeof(struct ledger_ask *), by_sequence);
    for (size_t i = 0; i < count; i++) (void)ledger_decide(ledger, asks[i]);
    free(asks);
    ledger_settle(ledger);
}

void ledger_restored(struct ledger *ledger)
{
    struct ledger_ask **asks = mem_new(map_count(ledger->asks) + 1, sizeof(struct ledger_ask *));
    size_t cursor            = 0;
    size_t count             = 0;
    void *value              = NULL;
    while (map_next(ledger->asks, &cursor, NULL, &value)) {
        struct ledger_ask *ask = value;
        if (ask->state != PB__BUDGET_VERDICT__BUDGET_VERDICT_GRANTED) asks[count++] = ask;
    }
    ledger_decide_all(ledger, asks, count);
}
