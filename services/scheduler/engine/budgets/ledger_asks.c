/* The questions of a ledger: who may go, who waits, and what is told. */
#include "base/assert.h"
#include "base/mem.h"
#include "scheduler/engine/budgets/ledger_internal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* --- places ------------------------------------------------------------------------------------
 */

struct ends {
    struct charge **first, **last;
    size_t *count;
};

static struct ends ends_of(struct ledger_budget *budget, enum charge_list in)
{
    if (in == CHARGE_WAITING) {
        return (struct ends){&budget->first_waiting, &budget->last_waiting, &budget->waiting_count};
    }
    return (struct ends){&budget->first_paused, &budget->last_paused, &budget->paused_count};
}

static void unlink_charge(struct ledger *ledger, struct charge *charge)
{
    if (charge->in == CHARGE_FREE) return;
    struct ends ends = ends_of(charge->budget, charge->in);
    if (charge->previous) charge->previous->next = charge->next;
    if (charge->next) charge->next->previous = charge->previous;
    if (*ends.first == charge) *ends.first = charge->next;
    if (*ends.last == charge) *ends.last = charge->previous;
    (*ends.count)--;
    charge->next = charge->previous = NULL;
    charge->in                      = CHARGE_FREE;
    ledger_changed(ledger, charge->budget);
}

/* Behind all that are older. */
static void link_charge(struct ledger *ledger, struct charge *charge, enum charge_list in)
{
    struct ends ends      = ends_of(charge->budget, in);
    struct charge *before = *ends.last;
    while (before && before->ask->sequence > charge->ask->sequence) before = before->previous;
    charge->in       = in;
    charge->previous = before;
    charge->next     = before ? before->next : *ends.first;
    if (charge->next) charge->next->previous = charge;
    if (charge->previous) charge->previous->next = charge;
    if (!before) *ends.first = charge;
    if (!charge->next) *ends.last = charge;
    (*ends.count)++;
    ledger_changed(ledger, charge->budget);
}

/* --- deciding ----------------------------------------------------------------------------------
 */

static void ask_free(struct ledger_ask *ask)
{
    free(ask->namespace);
    free(ask->model);
    free(ask->charges);
    free(ask);
}

void ledger_ask_drop(struct ledger *ledger, struct ledger_ask *ask)
{
    void *removed = map_remove(ledger->asks, str_from(ask->job.text));
    ASSERT(removed == ask);
    ledger_row_changed(ledger, ask, true);
    if (ask->holder) ledger_call_unlink(ledger, ask);
    ask_free(ask);
}

/* Who is behind others waits, too, although it might fit. */
static enum budget_answer ask_one(struct charge *charge)
{
    const struct ledger_budget *budget = charge->budget;
    const struct ledger_ask *ask       = charge->ask;
    enum budget_answer answer = budget_ask(&budget->account, &ask->estimate, &charge->amount);
    bool is_behind            = budget->first_waiting &&
                     budget->first_waiting->ask->sequence < ask->sequence &&
                     !spend_is_none(charge->amount);
    return answer == BUDGET_FITS && is_behind ? BUDGET_WAITS : answer;
}

struct opinion ledger_opinion(struct ledger_ask *ask, enum budget_answer *answers)
{
    struct opinion opinion = {};
    for (size_t i = 0; i < ask->count; i++) {
        const struct ledger_budget *budget = ask->charges[i].budget;
        answers[i]                         = budget ? ask_one(&ask->charges[i]) : BUDGET_FITS;
        if (answers[i] == BUDGET_WAITS && !opinion.waits) opinion.waits = budget;
        if (answers[i] != BUDGET_SPENT) continue;
        if (budget->spec.pauses && !opinion.pauses) opinion.pauses = budget;
        if (!budget->spec.pauses && !opinion.refuses) opinion.refuses = budget;
    }
    return opinion;
}

void ledger_set_aside(struct ledger *ledger, struct ledger_ask *ask)
{
    ask->state = PB__BUDGET_VERDICT__BUDGET_VERDICT_GRANTED;
    for (size_t i = 0; i < ask->count; i++) {
        struct charge *charge = &ask->charges[i];
        if (!charge->budget) continue;
        budget_reserve(&charge->budget->account, charge->amount);
        ledger_changed(ledger, charge->budget);
    }
    ledger_row_changed(ledger, ask, false);
}

static void grant(struct ledger *ledger, struct ledger_ask *ask)
{
    ledger_set_aside(ledger, ask);
    ledger_tell(ledger, ask, ask->state, NULL);
}

/* It stays where it is asked for more than there is, and is told if that is new. */
static void keep(struct ledger *ledger, struct ledger_ask *ask, const enum budget_answer *answers,
                 const struct opinion *opinion)
{
    bool is_paused            = opinion->pauses != NULL;
    Pb__BudgetVerdict state   = is_paused ? PB__BUDGET_VERDICT__BUDGET_VERDICT_PAUSED
                                          : PB__BUDGET_VERDICT__BUDGET_VERDICT_WAITING;
    enum budget_answer wanted = is_paused ? BUDGET_SPENT : BUDGET_WAITS;
    for (size_t i = 0; i < ask->count; i++) {
        if (answers[i] != wanted) continue;
        link_charge(ledger, &ask->charges[i], is_paused ? CHARGE_PAUSED : CHARGE_WAITING);
    }
    if (ask->state == state) return;
    ask->state = state;
    ledger_tell(ledger, ask, state, is_paused ? opinion->pauses : opinion->waits);
    ledger_row_changed(ledger, ask, false);
}

bool ledger_decide(struct ledger *ledger, struct ledger_ask *ask)
{
    enum budget_answer answers[LEDGER_CHARGES_MAX];
    struct ledger_budget *left[LEDGER_CHARGES_MAX];
    bool was_first[LEDGER_CHARGES_MAX];
    size_t count = ask->count;
    for (size_t i = 0; i < count; i++) {
        struct charge *charge = &ask->charges[i];
        was_first[i]          = charge->in == CHARGE_WAITING && !charge->previous;
        left[i]               = charge->budget;
        unlink_charge(ledger, charge);
    }
    const struct opinion opinion = ledger_opinion(ask, answers);
    bool waits_on                = false;
    if (opinion.refuses) {
        ledger_tell(ledger, ask, PB__BUDGET_VERDICT__BUDGET_VERDICT_REFUSED, opinion.refuses);
        ledger_ask_drop(ledger, ask);
    } else if (opinion.pauses || opinion.waits) {
        keep(ledger, ask, answers, &opinion);
        waits_on = true;
    } else {
        grant(ledger, ask);
    }
    /* Whoever stood behind it may be the first now. */
    for (size_t i = 0; i < count; i++) {
        bool stays = waits_on && ask->charges[i].in == CHARGE_WAITING;
        if (was_first[i] && !stays) ledger_moved(ledger, left[i]);
    }
    return waits_on;
}

void ledger_moved(struct ledger *ledger, struct ledger_budget *budget)
{
    if (budget->is_moved) return;
    budget->is_moved    = true;
    budget->next_moved  = ledger->first_moved;
    ledger->first_moved = budget;
}

void ledger_settle(struct ledger *ledger)
{
    struct ledger_budget *budget;
    while ((budget = ledger->first_moved)) {
        ledger->first_moved = budget->next_moved;
        budget->is_moved    = false;
        while (budget->first_waiting) {
            const struct charge *first = budget->first_waiting;
            bool stays                 = ledger_decide(ledger, first->ask);
            bool is_waiting            = budget->first_waiting == first;
            ASSERT(stays || !is_waiting); /* it has left all lists */
            if (is_waiting) break;        /* and so do others */
        }
    }
}

void ledger_wake_paused(struct ledger *ledger, struct ledger_budget *budget)
{
    size_t count             = budget->paused_count;
    struct ledger_ask **asks = mem_new(count + 1, sizeof(struct ledger_ask *));
    size_t at                = 0;
    for (const struct charge *charge = budget->first_paused; charge; charge = charge->next) {
        asks[at++] = charge->ask;
    }
    for (size_t i = 0; i < at; i++) {
        (void)ledger_decide(ledger, asks[i]); /* each may free itself alone */
    }
    free(asks);
}

/* --- asking and ending -------------------------------------------------------------------------
 */

static void set_price(struct call_estimate *estimate, const Pb__ModelPrice *price)
{
    estimate->is_priced = price != NULL;
    if (!price) return;
    estimate->input_picos  = price->input_picos > 0 ? price->input_picos : 0;
    estimate->output_picos = price->output_picos > 0 ? price->output_picos : 0;
}

/* NULL is fine, and so is one that is charged already. */
static void add_charge(struct ledger_ask *ask, struct ledger_budget *budget)
{
    bool is_there = !budget;
    for (size_t i = 0; i < ask->count && !is_there; i++) {
        is_there = ask->charges[i].budget == budget;
    }
    if (!is_there) ask->charges[ask->count++] = (struct charge){.ask = ask, .budget = budget};
}

struct ledger_ask *ledger_ask_new(struct ledger *ledger, const Pb__BudgetAsk *asked,
                                  uint64_t sequence)
{
    size_t count = asked->n_budgets + asked->n_purses;
    bool is_fine = asked->n_budgets <= BUDGET_PAYERS_MAX && asked->n_purses <= RUN_PURSES_MAX;
    if (!is_fine || !id_is_valid(str_from(asked->job))) return NULL;
    struct ledger_ask *ask = mem_new(1, sizeof *ask);
    bool is_call           = *asked->holder != '\0';
    bool is_linked         = is_call && ledger_call_link(ledger, ask, asked);
    if (is_call != is_linked || !map_put(ledger->asks, str_from(asked->job), ask)) {
        if (is_linked) ledger_call_unlink(ledger, ask);
        free(ask);
        return NULL;
    }
    memcpy(ask->job.text, asked->job, ID_LEN);
    ask->partition = (uint16_t)asked->partition;
    ask->number    = asked->number;
    ask->sequence  = sequence;
    ask->state     = PB__BUDGET_VERDICT__BUDGET_VERDICT_REFUSED; /* none yet */
    ask->estimate  = (struct call_estimate){
         .input_tokens  = asked->input_tokens > 0 ? asked->input_tokens : 0,
         .output_tokens = asked->output_tokens >= 0 ? asked->output_tokens : -1,
    };
    set_price(&ask->estimate, asked->price);
    ask->namespace = mem_dup(asked->namespace_, strlen(asked->namespace_));
    ask->model     = mem_dup(asked->model, strlen(asked->model));
    ask->charges   = mem_new(count + 1, sizeof *ask->charges);
    for (size_t i = 0; i < asked->n_budgets; i++) {
        add_charge(ask,
                   ledger_find(ledger, str_from(asked->namespace_), str_from(asked->budgets[i])));
    }
    for (size_t i = 0; i < asked->n_purses; i++) {
        add_charge(ask, ledger_purse_at(ledger, asked->purses[i]));
    }
    return ask;
}

/* It is over, and has cost `used`. */
static void ask_end(struct ledger *ledger, struct ledger_ask *ask, struct spend used,
                    bool is_unpriced)
{
    bool is_granted = ask->state == PB__BUDGET_VERDICT__BUDGET_VERDICT_GRANTED;
    for (size_t i = 0; i < ask->count; i++) {
        struct charge *charge        = &ask->charges[i];
        struct ledger_budget *budget = charge->budget;
        if (!budget) continue;
        unlink_charge(ledger, charge);
        budget_settle(&budget->account, is_granted ? charge->amount : (struct spend){}, used);
        if (is_unpriced) budget->unpriced++;
        ledger_changed(ledger, budget);
        ledger_moved(ledger, budget);
    }
    ledger_ask_drop(ledger, ask);
    ledger_settle(ledger);
}

void ledger_ask(struct ledger *ledger, const Pb__BudgetAsk *asked)
{
    struct ledger_ask *before = map_get(ledger->asks, str_from(asked->job));
    if (before && before->number == asked->number) return;
    if (before) ask_end(ledger, before, (struct spend){}, false);
    struct ledger_ask *ask = ledger_ask_new(ledger, asked, ledger->next_sequence);
    if (ask) {
        ledger->next_sequence++;
        (void)ledger_decide(ledger, ask);
        ledger_settle(ledger);
        return;
    }
    struct ledger_ask refused = {.partition = (uint16_t)asked->partition, .number = asked->number};
    (void)snprintf(refused.job.text, sizeof refused.job.text, "%s", asked->job);
    ledger_tell(ledger, &refused, PB__BUDGET_VERDICT__BUDGET_VERDICT_REFUSED, NULL);
    (void)snprintf(ledger->last_told->answer.reason, LEDGER_REASON_MAX,
                   "too many calls ask for budgets, or this one asks for more than %d",
                   BUDGET_PAYERS_MAX);
}

void ledger_draw(struct ledger *ledger, const Pb__BudgetDraw *draw, struct spend *ret_room)
{
    struct ledger_ask *ask = map_get(ledger->asks, str_from(draw->job));
    bool is_granted        = ask && ask->number == draw->number &&
                      ask->state == PB__BUDGET_VERDICT__BUDGET_VERDICT_GRANTED;
    *ret_room = (struct spend){-1, -1};
    if (!is_granted) return;
    struct call_estimate call = ask->estimate;
    if (draw->price) set_price(&call, draw->price);
    call.output_tokens = draw->output_tokens > 0 ? draw->output_tokens : 0;
    for (size_t i = 0; i < ask->count; i++) {
        struct charge *charge = &ask->charges[i];
        if (!charge->budget) continue;
        const struct spend more = budget_more(&charge->budget->account, &call, charge->amount);
        if (spend_is_none(more)) continue;
        budget_reserve(&charge->budget->account, more);
        charge->amount = spend_add(charge->amount, more);
        ledger_changed(ledger, charge->budget);
        ledger_row_changed(ledger, ask, false);
    }
    *ret_room = ledger_room(ask);
}

/* What nobody has asked for. NULL is fine. */
static void charge_late(struct ledger *ledger, struct ledger_budget *budget, struct spend used,
                        bool is_unpriced)
{
    if (!budget) return;
    budget_settle(&budget->account, (struct spend){}, used);
    if (is_unpriced) budget->unpriced++;
    ledger_changed(ledger, budget);
    ledger_moved(ledger, budget);
}

void ledger_end(struct ledger *ledger, const Pb__BudgetEnd *end)
{
    struct ledger_ask *ask = map_get(ledger->asks, str_from(end->job));
    struct spend used      = {end->used_tokens > 0 ? end->used_tokens : 0,
                         end->used_nanos > 0 ? end->used_nanos : 0};
    if (ask && ask->number == end->number) {
        ask_end(ledger, ask, used, end->unpriced);
        return;
    }
    for (size_t i = 0; i < end->n_budgets; i++) {
        charge_late(ledger,
                    ledger_find(ledger, str_from(end->namespace_), str_from(end->budgets[i])), used,
                    end->unpriced);
    }
    for (size_t i = 0; i < end->n_purses; i++) {
        charge_late(ledger, ledger_purse_at(ledger, end->purses[i]), used, end->unpriced);
    }
    ledger_settle(ledger);
}

void ledger_set_price(struct ledger *ledger, const char *model, const Pb__ModelPrice *price)
{
    size_t cursor            = 0;
    size_t count             = 0;
    void *value              = NULL;
    struct ledger_ask **asks = mem_new(map_count(ledger->asks) + 1, sizeof(struct ledger_ask *));
    while (map_next(ledger->asks, &cursor, NULL, &value)) {
        struct ledger_ask *ask = value;
        bool is_open           = ask->state != PB__BUDGET_VERDICT__BUDGET_VERDICT_GRANTED;
        if (!is_open || strcmp(ask->model, model) != 0) continue;
        set_price(&ask->estimate, price);
        ledger_row_changed(ledger, ask, false);
        asks[count++] = ask;
    }
    ledger_decide_all(ledger, asks, count);
}

void ledger_forget_charges(struct ledger *ledger, struct ledger_budget *budget)
{
    size_t cursor = 0;
    size_t count  = 0;
    void *value   = NULL;
    struct ledger_ask **free_now =
        mem_new(map_count(ledger->asks) + 1, sizeof(struct ledger_ask *));
    while (map_next(ledger->asks, &cursor, NULL, &value)) {
        struct ledger_ask *ask = value;
        for (size_t i = 0; i < ask->count; i++) {
            if (ask->charges[i].budget != budget) continue;
            if (ask->charges[i].in != CHARGE_FREE) free_now[count++] = ask;
            unlink_charge(ledger, &ask->charges[i]);
            ask->charges[i].budget = NULL;
            ledger_row_changed(ledger, ask, false);
        }
    }
    ledger_decide_all(ledger, free_now, count);
}

void ledger_asks_free(struct ledger *ledger)
{
    struct ledger_answer answer;
    struct id job;
    const struct ledger_ask *changed = NULL;
    size_t cursor                    = 0;
    void *ask                        = NULL;
    while (ledger_take_answer(ledger, &answer)) {
    }
    while (ledger_take_row(ledger, &job, &changed)) {
    }
    while (map_next(ledger->asks, &cursor, NULL, &ask)) ask_free(ask);
    map_free(ledger->asks);
    ledger_holders_free(ledger);
}

size_t ledger_ask_count(const struct ledger *ledger)
{
    return map_count(ledger->asks);
}

const struct ledger_ask *ledger_ask_find(const struct ledger *ledger, str job)
{
    return map_get(ledger->asks, job);
}

struct spend ledger_ask_reserved(const struct ledger_ask *ask, str budget)
{
    if (!ask || ask->state != PB__BUDGET_VERDICT__BUDGET_VERDICT_GRANTED) return (struct spend){};
    for (size_t i = 0; i < ask->count; i++) {
        const struct charge *charge = &ask->charges[i];
        if (charge->budget && str_is(budget, charge->budget->name)) return charge->amount;
    }
    return (struct spend){};
}

const char *ledger_ask_payer(const struct ledger_ask *ask, size_t index)
{
    const struct ledger_budget *budget = ask->charges[index].budget;
    return budget ? budget->name : NULL;
}
