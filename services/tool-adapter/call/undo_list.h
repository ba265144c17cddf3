/**
 * undo_list: the calls that take back what an action has done, by its `compensate` and those of its
 * steps.
 *
 * In the order in which they are to be made; `each` gives one for each element, last first. What
 * cannot be made out stands in the list as null, and what there is no room for as {error}: the call
 * itself counts as done, and its undo becomes a dead letter when it is due. Pure.
 */
#ifndef TOOL_ADAPTER_UNDO_LIST_H
#define TOOL_ADAPTER_UNDO_LIST_H

#include "tool-adapter/connections/connection.h"

enum { UNDO_LIST_MAX = 10'000 /* calls; the scheduler takes one element more */ };

/** Of an action that is done: [{function, with}]; `with` names the connection unless it is that of
 * the adapter's name. Without a `compensate` of its own those of its steps count, the last first.
 * `scope` holds `output` and `steps`. Owned; JSON_INVALID: there is nothing to undo. */
json undo_list_new(const struct manifest_action *action, const struct connection *connection,
                   json scope);

/**
 * Of an action that stopped half-way: what undoes the `steps` of `scope`, which are done. If no
 * step has a `compensate`, the action's counts, as far as it can be made out of these.
 *
 * `is_doubtful`: nobody knows whether the step behind them was done. It is undone as well if its
 * `compensate` does not need to know what came of it. `*ret_is_whole`: nothing is left when these
 * calls are made. Owned; JSON_INVALID: nothing is known to be done, or nobody can undo it.
 */
json undo_list_part_new(const struct manifest_action *action, const struct connection *connection,
                        json scope, bool is_doubtful, bool *ret_is_whole);

#endif
