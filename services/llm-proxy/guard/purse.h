/**
 * purse: what one call may spend of its budgets, and more of it as its stream goes on.
 *
 * What is set aside before a call (guard.h) says how long its answer may be. A stream that outgrows
 * it draws again, as much as is set aside for an answer of unknown length, or what little is left;
 * all of it is settled at once when the call is over.
 *
 * A call that is charged to a run asks the run first, which says whose budgets are asked then.
 *
 * Threads: the guard's loop.
 */
#ifndef LLM_PROXY_PURSE_H
#define LLM_PROXY_PURSE_H

#include "llm-proxy/guard/guard.h"

struct purse_step;

struct purse {
    struct guard *guard;
    struct guard_run run;     /* that it is charged to; zeroed but for `name` and `partition` */
    Pb__ReserveBudgets asked; /* texts and labels are borrowed until purse_settle() */
    Pb__ModelPrice price;
    struct guard_fund fund; /* of the beginning; zeroed but for `decided` and `context` */
    struct purse_step *steps;
    bool is_drawing;
    int64_t wanted;         /* tokens of answer that are drawn for */
    struct loop_timer late; /* what was decided at once is said on the next turn */
    bool is_late_granted;
    void (*drawn)(bool is_granted, void *context);
    void *context;
};

/** Sets aside what the call may cost at first; as guard_reserve(). `purse->guard`, `asked`, `fund`,
 * `drawn` and `context` are set; `asked.price`, if it is not NULL, points to `purse->price`. */
enum guard_verdict purse_open(struct purse *purse);

/** Says whether an answer of so many tokens is more than was set aside. */
bool purse_is_outgrown(const struct purse *purse, int64_t output_tokens);

/** Draws more for such an answer; `drawn` says whether there was some, never before this returns:
 * who draws is in the middle of an event of the call that `drawn` may end. False: it is drawing
 * already. */
bool purse_draw(struct purse *purse, int64_t output_tokens);

/** The call is over and has used that (`owner` NULL: somebody else counts it, and is charged): it
 * is in the journal, with what its budgets and its run are charged, and told soon. `drawn` is not
 * called any more. */
void purse_settle(struct purse *purse, const struct usage_owner *owner, const Pb__Usage *used);

#endif
