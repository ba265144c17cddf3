/** event_filter_read: which events a `listen`, its `until` or a schedule takes. Internal to this
 * layer. */
#ifndef WORKFLOW_EVENT_FILTER_READ_H
#define WORKFLOW_EVENT_FILTER_READ_H

#include "workflow/compile.h"

/** A map with one of `one`, `any`, `all` into a zeroed struct event_strategy. `what` names it in
 * findings: "`schedule.on`". */
void strategy_read(struct reader *reader, json value, const char *what, void *target);

/** The same key by key, for a map that has more than these: struct event_strategy *. */
void strategy_one_read(struct reader *reader, json value, void *target);
void strategy_any_read(struct reader *reader, json value, void *target);
void strategy_all_read(struct reader *reader, json value, void *target);

/** Refuses (V06) a map that has none or several of them. */
bool strategy_check(struct reader *reader, json value, const char *what);

/** A strategy with the `until` of an `any`: the first members of `listen`. `what` as above. */
void consumption_read(struct reader *reader, json value, const char *what,
                      struct listen_body *listen);

/** `read`: data, envelope or raw. */
void event_read_read(struct reader *reader, json value, enum listen_read *target);

#endif
