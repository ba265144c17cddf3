/**
 * ledger: all budgets of the system partition and the questions to them, in memory.
 *
 * A question names the budgets that a job is charged to, and what the job may cost. It is granted
 * if it fits into all of them at once; then the amount is set aside in each until the job's attempt
 * ends. What does not fit now but would if others ended waits, the oldest question of a budget
 * first, and nobody overtakes it there. If a budget is spent, the question is refused or waits for
 * more, as that budget says (`pauses`).
 *
 * A question is known by job and number, and ends once; whatever ends a second time, or was never
 * asked, only adds what it has cost. So repetitions of messages change nothing, as long as they
 * come in order.
 *
 * The clock is a parameter; nothing is read or written but memory. What is to be written and told
 * afterwards is asked for (ledger_take_...).
 *
 * Threads: the engine thread of the system partition. Limits: BUDGETS_MAX budgets,
 * LEDGER_ASKS_MAX questions that are not over, LEDGER_CHARGES_MAX budgets of one.
 */
#ifndef SCHEDULER_BUDGETS_LEDGER_H
#define SCHEDULER_BUDGETS_LEDGER_H

#include "base/arena.h"
#include "base/id.h"
#include "base/status.h"
#include "budget.pb-c.h"
#include "scheduler/budget/budget.h"
#include "scheduler/engine/budgets/book.h"
#include "scheduler/engine/heap.h"
#include "workflow/timetable.h"

enum {
    LEDGER_ASKS_MAX    = 4'000'000,
    LEDGER_REASON_MAX  = 512, /* bytes */
    LEDGER_HOLDERS_MAX = 1'000,
    LEDGER_PURSES_MAX  = 1'000'000,
    LEDGER_CHARGES_MAX = BUDGET_PAYERS_MAX + RUN_PURSES_MAX, /* of one question */
};

/** A replica that is silent for so long is gone, and what was set aside for its calls comes back;
 * so does that of a call whose time has been over for so long. */
#define LEDGER_SILENT_US INT64_C(30'000'000)

/** What such a call has cost is charged if it is said so much later at most. */
#define LEDGER_KEPT_US INT64_C(3'600'000'000)

struct charge;
struct ledger_answer;

/** One budget as it is kept. Its texts are owned. */
struct ledger_budget {
    char *namespace, *name;
    Pb__BudgetSpec spec; /* its texts are owned as well */
    struct budget account;
    struct timetable days; /* if `spec.daily` */
    int64_t resets_us;     /* INT64_MAX: never */
    int64_t since_us, created_us, updated_us;
    char *created_by;
    uint64_t revision, unpriced;
    bool is_purse; /* of a run and its child runs: "run/ID", of no namespace */

    struct charge *first_waiting, *last_waiting; /* by the sequence of their questions */
    struct charge *first_paused, *last_paused;
    size_t waiting_count, paused_count;

    struct heap_link by_reset;
    bool is_changed; /* its row is to be written */
    struct ledger_budget *next_changed;
    bool is_moved; /* those who wait for it are to be looked at */
    struct ledger_budget *next_moved;
};

struct ledger_holder;

/** A question. */
struct ledger_ask {
    struct id job; /* or call */
    uint16_t partition;
    uint32_t number;
    uint64_t sequence;
    Pb__BudgetVerdict state; /* GRANTED, WAITING or PAUSED */
    struct call_estimate estimate;
    char *namespace, *model; /* owned */
    size_t count;
    struct charge *charges; /* owned; `count` of them */
    bool is_changed;        /* its row is to be written */

    struct ledger_holder *holder; /* of a call that is no job; NULL: it is one */
    int64_t until_us;             /* likewise: it is over by then */
    struct ledger_ask *next_call, *previous_call;
};

struct ledger;

struct ledger *ledger_new(void); /* owned */
void ledger_free(struct ledger *ledger);

/* --- budgets -----------------------------------------------------------------------------------
 */

struct ledger_budget *ledger_find(const struct ledger *ledger, str namespace, str name);

/** A new budget, or another spec of one: what was spent stays. INVALID_ARGUMENT: its time zone is
 * not known here; RESOURCE_EXHAUSTED: BUDGETS_MAX. Those who wait are looked at again. */
status ledger_put(struct ledger *ledger, const char *namespace, const char *name,
                  const Pb__BudgetSpec *spec, int64_t now_us, struct ledger_budget **ret_budget,
                  struct error *reterr);

/** The purse of a run and its child runs; NULL: there is none. One is made by the first question or
 * end that names it, unless there are LEDGER_PURSES_MAX. */
struct ledger_budget *ledger_purse(const struct ledger *ledger, str run);

void ledger_set_creator(struct ledger_budget *budget, const char *by);

/** Those who wait for it go on without it. */
void ledger_drop(struct ledger *ledger, struct ledger_budget *budget);

/** Days that are over: their budgets begin anew. Replicas that are gone: their calls are over. */
void ledger_advance(struct ledger *ledger, int64_t now_us);
int64_t ledger_due_us(const struct ledger *ledger);

/** Walks all; NULL at the end. `*cursor` begins at 0. */
struct ledger_budget *ledger_next(const struct ledger *ledger, size_t *cursor);

/** The account and the numbers of a view; texts are borrowed. */
void ledger_view(const struct ledger_budget *budget, Pb__BudgetView *ret_view);

/* --- questions ---------------------------------------------------------------------------------
 */

/** A question; one of the same job that is not over ends before it and has cost nothing. */
void ledger_ask(struct ledger *ledger, const Pb__BudgetAsk *ask);
void ledger_end(struct ledger *ledger, const Pb__BudgetEnd *end);

/** The call of a granted question has outgrown what is set aside for it: more is, before those who
 * wait, as far as there is some. What it may cost then is in `*ret_room`; anything, if there is no
 * such question. */
void ledger_draw(struct ledger *ledger, const Pb__BudgetDraw *draw, struct spend *ret_room);

/** A question of a call that is no job (`ask->holder`), answered at once: GRANTED, WAITING (others
 * have what is left) or REFUSED; unless it is granted it is forgotten. A repetition of one that was
 * granted is granted; one that comes after the end of its call is refused (over_calls.h). A model
 * without a price costs nothing where a budget allows it. */
void ledger_reserve(struct ledger *ledger, const Pb__BudgetAsk *ask, int64_t now_us,
                    struct ledger_answer *ret_answer);

/** Such a call is over. If there is none, whoever `end` names is charged; said once. */
void ledger_end_call(struct ledger *ledger, const Pb__CallEnd *end, int64_t now_us);

/** The replica is there, also if it has no calls. */
void ledger_hear(struct ledger *ledger, const char *holder, int64_t now_us);

/** What the tokens of a model cost is known now: those who wait are looked at anew. */
void ledger_set_price(struct ledger *ledger, const char *model, const Pb__ModelPrice *price);

/** Rows: while they are read nothing is decided; ledger_restored() then does. */
void ledger_restore_budget(struct ledger *ledger, const Pb__BudgetView *row);
void ledger_restore_ask(struct ledger *ledger, const Pb__BudgetAskRecord *row);
void ledger_restored(struct ledger *ledger);

/* --- what follows ------------------------------------------------------------------------------
 */

/** An answer that is to be told. */
struct ledger_answer {
    uint16_t partition;
    struct id job;
    uint32_t number;
    Pb__BudgetVerdict verdict;
    bool needs_price;
    int64_t resets_us;     /* of the budget that said no; INT64_MAX: never */
    int64_t output_tokens; /* of a call that is no job: fit into what was set aside; -1: any */
    struct spend room;     /* of a job that is granted: what it may cost; -1: anything */
    char budget[BUDGET_NAME_MAX + 1];
    char reason[LEDGER_REASON_MAX];
};
bool ledger_take_answer(struct ledger *ledger, struct ledger_answer *ret_answer);

/** A budget whose row has changed; NULL: none is left. */
struct ledger_budget *ledger_take_changed(struct ledger *ledger);

/** A job whose row among the questions has changed; `*ret_ask` NULL: it is to go. False: none. */
bool ledger_take_row(struct ledger *ledger, struct id *ret_job, const struct ledger_ask **ret_ask);

/** Fills a row of a question; arrays come from `arena`. */
status ledger_ask_row(const struct ledger_ask *ask, struct arena *arena,
                      Pb__BudgetAskRecord *ret_row, struct error *reterr);

/** Says whether one of the above has something. */
bool ledger_has_news(const struct ledger *ledger);
size_t ledger_ask_count(const struct ledger *ledger);

/** NULL: there is none of that job. What is set aside for it in one budget. */
const struct ledger_ask *ledger_ask_find(const struct ledger *ledger, str job);
struct spend ledger_ask_reserved(const struct ledger_ask *ask, str budget);

/** The name of one of its `count` budgets; NULL: it was deleted meanwhile. */
const char *ledger_ask_payer(const struct ledger_ask *ask, size_t index);

#endif
