/**
 * prices: what the tokens of models cost, by the names that jobs give them, as workers have said.
 *
 * Threads: the engine thread only. Limits: PRICES_MAX models; of others it stays unknown.
 */
#ifndef SCHEDULER_BUDGETS_PRICES_H
#define SCHEDULER_BUDGETS_PRICES_H

#include "base/str.h"
#include "budget.pb-c.h"

enum { PRICES_MAX = 10'000, PRICE_MODEL_MAX = 255 /* bytes of a name */ };

struct prices;

struct prices *prices_new(void); /* owned */
void prices_free(struct prices *prices);

/** NULL: not known. */
const Pb__ModelPrice *prices_find(const struct prices *prices, str model);

/** True: that is news. */
bool prices_put(struct prices *prices, str model, const Pb__ModelPrice *price);

#endif
