/**
 * funding: how an open job that costs money stands with the budgets it is charged to, in memory.
 *
 *     needed --asked--> asked --granted--> granted --its attempt ends--> needed (if it is retried)
 *                         \---spent, and the budget pauses---> stopped
 *
 * A job is handed out when it is granted; until then it is held in its queue. What is to be looked
 * at by the end of the turn stands in a list: jobs that need funds and could go otherwise, and jobs
 * that have some and cannot go. The money of a run's own budget is set aside here, in its purse;
 * that of others is the system partition's affair (ledger.h).
 *
 * Threads: the engine thread only.
 */
#ifndef SCHEDULER_BUDGETS_FUNDING_H
#define SCHEDULER_BUDGETS_FUNDING_H

#include "base/arena.h"
#include "base/str.h"
#include "budget.pb-c.h"
#include "scheduler/budget/budget.h"

#include <stddef.h>

struct open_job;
struct purse;
struct funding_list;

struct funding {
    struct open_job *job; /* whose it is */
    Pb__FundingState state;
    uint32_t number; /* of its last question */
    bool has_asked;  /* the system partition has that question, and no end of it */
    int64_t input_tokens, output_tokens; /* as of struct call_estimate */
    char *model;                         /* owned */
    bool has_own;                        /* its run has a budget of its own */
    struct spend own;                    /* set aside of that */
    bool has_paused;                     /* its run is suspended because of it */
    bool needs_price;
    struct spend room; /* what the call may cost; -1: anything */

    /* Of a draw: in memory only, since it may be asked again. */
    bool is_drawing;    /* the system partition was asked */
    int64_t drawn_for;  /* tokens of answer; 0: it has not answered */
    struct spend drawn; /* as `room`, of budgets over many runs */

    char *told; /* owned; what it waits for, or NULL */

    struct funding *next, *previous;
    struct funding_list *list; /* NULL: in none */
};

struct funding_list {
    struct funding *first, *last;
};

/** Owned: funding_free(), which takes it out of its list. */
struct funding *funding_new(str model);
void funding_free(struct funding *funding); /* NULL is fine */

/** What it waits for, in words; "" if for nothing. */
void funding_tell(struct funding *funding, const char *text);

/** What the call may cost, as a message: NULL if that is anything. And what it is told of that, if
 * it is less. */
Pb__BudgetRoom *funding_put_room(const struct funding *funding, Pb__BudgetRoom *ret_room);
void funding_take_room(struct funding *funding, const Pb__BudgetRoom *room);

/** Rows. What is made lives as long as `funding`; its room is not in it. */
void funding_to_row(const struct funding *funding, Pb__JobFunding *ret_row);
struct funding *funding_from_row(const Pb__JobFunding *row);

/** Puts it at the end of a list, out of the one it is in; takes it out. */
void funding_list_add(struct funding_list *list, struct funding *funding);
void funding_unlist(struct funding *funding);

/* --- what all jobs of a partition have in common -----------------------------------------------
 */

struct fundings {
    struct funding_list moved; /* to be looked at */
    struct map *purses;        /* run id -> struct purse, owned */
};

/** What the open jobs of a run have set aside of its own budget, and those that wait for it. */
struct purse {
    struct spend reserved;
    struct funding_list waiting;
};

void fundings_init(struct fundings *fundings);
void fundings_done(struct fundings *fundings);

/** The purse of a run; made if there is none. */
struct purse *fundings_purse(struct fundings *fundings, str run);

/** Sets `amount` of its run's budget aside for a job, which has nothing yet. */
void fundings_reserve(struct fundings *fundings, struct funding *funding, str run,
                      struct spend amount);

/** Sets more of it aside. */
void fundings_add(struct fundings *fundings, struct funding *funding, str run, struct spend more);

/** Gives it back, whatever it is; those who wait for it are to be looked at again. */
void fundings_release(struct fundings *fundings, struct funding *funding, str run);

/** A job comes to its place; NULL is fine. `is_stopped`: it could not go even with funds. Returns
 * whether it may not be handed out for want of them. */
bool fundings_place(struct fundings *fundings, struct funding *funding, bool is_due,
                    bool is_stopped);

/** The purse goes if nobody uses it. */
void fundings_drop(struct fundings *fundings, str run);

#endif
