/**
 * undo_list: the calls that take back what an action has just done, by its `compensate`.
 *
 * In the order in which they are to be made; `each` gives one for each element, last first. What
 * cannot be made out stands in the list as null: the call itself counts as done, and its undo
 * becomes a dead letter when it is due. Pure.
 */
#ifndef TOOL_ADAPTER_UNDO_LIST_H
#define TOOL_ADAPTER_UNDO_LIST_H

#include "tool-adapter/connection.h"

enum { UNDO_LIST_MAX = 256 /* calls, as the scheduler takes */ };

/** [{function, with}]; `with` names the connection unless it is that of the adapter's name. `scope`
 * holds `output`. Owned; JSON_INVALID: there is nothing to undo. */
json undo_list_new(const struct manifest_action *action, const struct connection *connection,
                   json scope);

#endif
