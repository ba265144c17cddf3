/** budget_spec: what a caller says of a budget, from JSON. */
#ifndef SCHEDULER_BUDGET_SPEC_H
#define SCHEDULER_BUDGET_SPEC_H

#include "base/arena.h"
#include "base/diagnostic.h"
#include "budget.pb-c.h"
#include "json/json.h"

/** Reads {scope, tokens?, usd?, period?, time_zone?, on_spent?, unpriced?}. Texts live as long as
 * `arena`; findings go to `list`. False: there are some. */
bool budget_spec_read(json value, struct arena *arena, struct diagnostics *list,
                      Pb__BudgetSpec *ret_spec);

/** Says whether `name` may name a budget: a DNS label. */
bool budget_name_is_valid(str name);

#endif
