/* What ledger.c and ledger_asks.c share. */
#ifndef SCHEDULER_BUDGETS_LEDGER_INTERNAL_H
#define SCHEDULER_BUDGETS_LEDGER_INTERNAL_H

#include "base/map.h"
#include "scheduler/engine/budgets/ledger.h"
#include "scheduler/engine/budgets/over_calls.h"

#define LEDGER_PURSE "run/" /* before the id of a run; no name of a budget has a slash */

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

/* A replica that makes calls. */
struct ledger_holder {
    char *name;       /* owned */
    int64_t heard_us; /* 0: not since the start */
    size_t call_count;
    struct ledger_holder *next;
};

struct ledger {
    struct map *budgets; /* "namespace\x1fname" -> struct ledger_budget, owned */
    size_t named_count, purse_count;
    struct map *asks; /* job id -> struct ledger_ask, owned */
    struct heap by_reset;
    struct ledger_budget *first_changed, *first_moved;
    struct told *first_told, *last_told;
    struct changed_row *first_row, *last_row;
    uint64_t next_sequence;
    struct ledger_holder *holders; /* owned */
    struct ledger_ask *first_call; /* of those that are no jobs */
    struct over_calls *over;       /* owned; likewise */
    int64_t sweep_us;              /* when they are looked at; INT64_MAX: there are none */
};

/* What all budgets of a question say together; `answers`: of each of them. */
struct opinion {
    const struct ledger_budget *refuses, *pauses, *waits;
};
struct opinion ledger_opinion(struct ledger_ask *ask, enum budget_answer *answers);

/* It goes: what it asked for is set aside. */
void ledger_set_aside(struct ledger *ledger, struct ledger_ask *ask);

/* Frees it; what was set aside for it has come back. */
void ledger_ask_drop(struct ledger *ledger, struct ledger_ask *ask);

/* The row of a question is to be written, or to go. */
void ledger_row_changed(struct ledger *ledger, struct ledger_ask *ask, bool is_gone);

/* `budget`: which one said no; NULL: none did. */
void ledger_answer_fill(const struct ledger_ask *ask, Pb__BudgetVerdict verdict,
                        const struct ledger_budget *budget, struct ledger_answer *ret_answer);
void ledger_tell(struct ledger *ledger, const struct ledger_ask *ask, Pb__BudgetVerdict verdict,
                 const struct ledger_budget *budget);

/* What is set aside in each of its budgets: the least of them. */
struct spend ledger_room(const struct ledger_ask *ask);

/* A budget of it does not take what has no price. */
bool ledger_needs_price(const struct ledger_ask *ask);

/* Calls that are no jobs (ledger_calls.c). False: too many replicas make some. */
bool ledger_call_link(struct ledger *ledger, struct ledger_ask *ask, const Pb__BudgetAsk *asked);
void ledger_call_unlink(struct ledger *ledger, struct ledger_ask *ask);
void ledger_calls_sweep(struct ledger *ledger, int64_t now_us);
void ledger_holders_free(struct ledger *ledger);

/* The row of a budget is to be written. */
void ledger_changed(struct ledger *ledger, struct ledger_budget *budget);

/* The purse that a message names; made if there is none. NULL: it is none, or there are too many.
 */
struct ledger_budget *ledger_purse_at(struct ledger *ledger, const Pb__RunPurse *purse);

/* Those who wait for it are to be looked at: ledger_settle() does. */
void ledger_moved(struct ledger *ledger, struct ledger_budget *budget);
void ledger_settle(struct ledger *ledger);

/* A question that nobody has looked at. NULL: there are too many, or it names no job. */
struct ledger_ask *ledger_ask_new(struct ledger *ledger, const Pb__BudgetAsk *asked,
                                  uint64_t sequence);

/* Looks at a question that is not granted. Says whether it stays as it is: it may be gone else. */
bool ledger_decide(struct ledger *ledger, struct ledger_ask *ask);

/* The same with some, the oldest first. Takes the array. */
void ledger_decide_all(struct ledger *ledger, struct ledger_ask **asks, size_t count);

/* Looks anew at those who are paused because of it. */
void ledger_wake_paused(struct ledger *ledger, struct ledger_budget *budget);

/* Nobody is charged to it any more. */
void ledger_forget_charges(struct ledger *ledger, struct ledger_budget *budget);
void ledger_asks_free(struct ledger *ledger);

#endif
