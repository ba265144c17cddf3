/** charge: what models have cost on the way of a call, added up. */
#ifndef TOOL_ADAPTER_CHARGE_H
#define TOOL_ADAPTER_CHARGE_H

#include "base/arena.h"
#include "common.pb-c.h"

#include <stdbool.h>

struct charge {
    Pb__Usage sum; /* its texts in the arena it was added with */
    bool is_there; /* `sum` holds */
};

/** Adds `more`, which may be NULL. */
void charge_add(struct charge *charge, const Pb__Usage *more, struct arena *arena);

/** NULL: nothing was bought. */
const Pb__Usage *charge_sum(const struct charge *charge);

#endif
