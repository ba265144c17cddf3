/**
 * budget: the account of one budget, in exact integers: what may be spent, what is, and what is set
 * aside for calls under way.
 *
 * A call is let through if what it may cost at most fits into what is left. That is set aside, and
 * comes back when the call has ended, against what it has cost. So spent and reserved together
 * never exceed the limit, but for what single calls cost beyond their estimates.
 *
 * What is not known of a call is taken as large as there is room: without a price all the money
 * that is left, without a maximum of its answer BUDGET_OUTPUT_TOKENS, or what is left of the tokens
 * if that is less. It needs one nano-dollar, and one token of answer, to begin.
 *
 * Pure: no clock, nothing but the struct. Sums that would not fit stay at the greatest number.
 */
#ifndef SCHEDULER_BUDGET_BUDGET_H
#define SCHEDULER_BUDGET_BUDGET_H

#include <stdbool.h>
#include <stdint.h>

enum { BUDGET_OUTPUT_TOKENS = 4'096 /* of a call that names no maximum */ };

/** Tokens, and money in nano-dollars. */
struct spend {
    int64_t tokens, nanos;
};

struct budget {
    struct spend limit; /* 0: there is none of this kind */
    struct spend spent, reserved;
};

/** What is known of a call before it is made. */
struct call_estimate {
    int64_t input_tokens;
    int64_t output_tokens; /* at most; -1: it does not say */
    bool is_priced;
    int64_t input_picos, output_picos; /* per token, if `is_priced` */
};

enum budget_answer {
    BUDGET_FITS,
    BUDGET_WAITS, /* it would fit if nothing were set aside for others */
    BUDGET_SPENT,
};

/** Says whether a call may go now; if it FITS, `*ret_amount` is what is to be set aside. Changes
 * nothing. */
enum budget_answer budget_ask(const struct budget *budget, const struct call_estimate *call,
                              struct spend *ret_amount);

void budget_reserve(struct budget *budget, struct spend amount);

/** A call that had `amount` set aside has ended and cost `used`. */
void budget_settle(struct budget *budget, struct spend amount, struct spend used);

/** What is left: 0 where more was spent than there was, and where there is no limit. */
struct spend budget_left(const struct budget *budget);

/** What a call may cost for which `amount` is set aside: that; -1 where there is no limit. */
struct spend budget_room(const struct budget *budget, struct spend amount);

/** What is to be set aside beside `amount`, so that the call, whose answer has grown to what it
 * says now, is paid; or what is left, if that is less. Changes nothing. */
struct spend budget_more(const struct budget *budget, const struct call_estimate *call,
                         struct spend amount);

/** How many tokens of answer fit into `amount`, which is set aside for the call; -1: any number. */
int64_t budget_output_room(const struct budget *budget, const struct call_estimate *call,
                           struct spend amount);

/** The lesser of each kind; -1 is more than any. */
struct spend spend_least(struct spend a, struct spend b);

/** Both kinds, each at most INT64_MAX. */
struct spend spend_add(struct spend a, struct spend b);
bool spend_is_none(struct spend spend);

#endif
