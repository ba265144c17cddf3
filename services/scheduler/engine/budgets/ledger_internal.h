/* What ledger.c and ledger_asks.c share. */
#ifndef SCHEDULER_BUDGETS_LEDGER_INTERNAL_H
#define SCHEDULER_BUDGETS_LEDGER_INTERNAL_H

#include "base/map.h"
#include "scheduler/engine/budgets/ledger.h"

enum charge_list { CHARGE_FREE, CHARGE_WAITING, CHARGE_PAUSED };

/* One budget of a question. */
struct charge {
    struct ledger_ask *ask;
    struct ledger_budget *budget; /* NULL: it was deleted meanwhile */
    struct spend amount;          /* set aside, if the question is granted */
    enum charge_list in;
    struct charge *next, *previous;
};

struct told {
    struct ledger_answer answer;
    struct told *next;
};

struct changed_row {
    struct id job;
    struct changed_row *next;
};

struct ledger {
    struct map *budgets; /* "namespace\x1fname" -> struct ledger_budget, owned */
    struct map *asks;    /* job id -> struct ledger_ask, owned */
    struct heap by_reset;
    struct ledger_budget *first_changed, *first_moved;
    struct told *first_told, *last_told;
    struct changed_row *first_row, *last_row;
    uint64_t next_sequence;
};

/* The row of a budget is to be written. */
void ledger_changed(struct ledger *ledger, struct ledger_budget *budget);

/* Those who wait for it are to be looked at: ledger_settle() does. */
void ledger_moved(struct ledger *ledger, struct ledger_budget *budget);
void ledger_settle(struct ledger *ledger);

/* A question that nobody has looked at. NULL: there are too many, or it names no job. */
struct ledger_ask *ledger_ask_new(struct ledger *ledger, const Pb__BudgetAsk *asked,
                                  uint64_t sequence);

/* Looks at a question that is not granted. It may be gone afterwards. */
void ledger_decide(struct ledger *ledger, struct ledger_ask *ask);

/* The same with some, the oldest first. Takes the array. */
void ledger_decide_all(struct ledger *ledger, struct ledger_ask **asks, size_t count);

/* Looks anew at those who are paused because of it. */
void ledger_wake_paused(struct ledger *ledger, struct ledger_budget *budget);

/* Nobody is charged to it any more. */
void ledger_forget_charges(struct ledger *ledger, struct ledger_budget *budget);
void ledger_asks_free(struct ledger *ledger);

#endif
