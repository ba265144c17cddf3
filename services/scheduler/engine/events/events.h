/** engine_events: events of a namespace, in the turns of the engine. */
#ifndef SCHEDULER_ENGINE_EVENTS_H
#define SCHEDULER_ENGINE_EVENTS_H

#include "event.pb-c.h"
#include "scheduler/engine/engine_internal.h"

/* --- engine_events.c: from a sender to those who listen ----------------------------------------
 */

/** Pb__PublishEvents -> Pb__PublishedEvents; values = the events. The partition of the namespace
 * gets it: it knows which events came before. */
status engine_publish(struct engine *engine, struct command *command, struct error *reterr);

/** An event that another partition has seen. */
status engine_event_arrived(struct engine *engine, const Pb__EventArrival *message,
                            struct error *reterr);
status engine_event_taken(struct engine *engine, const Pb__EventTaken *message,
                          struct error *reterr);

/** Tells the other partitions that a kept event has its first taker. */
status event_tell_taken(struct engine *engine, str namespace, str type, const struct id *id,
                        struct error *reterr);

/** An `emit` has happened: the event goes to other runs as well. */
void engine_event_emitted(struct engine *engine, const struct live_run *live,
                          const struct event *event);

/** What the commands of this turn mean for listeners and events: rows of those who have begun or
 * ended to listen, kept events for the new ones, emitted events, deliveries left over. */
status engine_events_settle(struct engine *engine, struct error *reterr);

/** The types that a workflow listens to: events of these are kept for who listens later. */
status engine_event_types_put(struct engine *engine, const struct workflow *workflow,
                              struct error *reterr);

/** Says whether a delivery is left over from before. */
status engine_events_recover(struct engine *engine, struct error *reterr);

/* --- event_deliver.c ---------------------------------------------------------------------------
 */

/** Gives an event to those who listen, from `*after` on (empty: from the start); `*ret_more`: there
 * are some left, behind `*after`. */
status event_deliver(struct engine *engine, struct arrival *arrival, struct key *after,
                     bool *ret_more, struct error *reterr);

/** A run has had an event, by its id: it is what the run was started with, or the run's own. */
status event_had(struct engine *engine, str run, str event, struct error *reterr);

/** Offers an event to one run, which gets it at most once. */
status event_offer(struct engine *engine, struct live_run *live, struct arrival *arrival,
                   bool *ret_taken, struct error *reterr);

/* --- schedule_events.c, schedule_types.c: runs that events start --------------------------------
 */

/** Offers an event to the schedules of its namespace. Of the system partition. */
status engine_start_by_event(struct engine *engine, struct arrival *arrival, struct error *reterr);

/** Says whether events of this type may start a run. */
status event_may_start(struct engine *engine, str namespace, str type, bool *ret_may,
                       struct error *reterr);

/* --- event_keep.c: for those who listen later --------------------------------------------------
 */

/** Says whether anybody might take events of this type some day. */
status event_is_wanted(struct engine *engine, str namespace, str type, bool *ret_wanted,
                       struct error *reterr);

/** Says whether no event of the type fits any more that nobody has taken. */
status event_keep_is_full(struct engine *engine, str namespace, str type, bool *ret_full,
                          struct error *reterr);

status event_keep(struct engine *engine, const struct arrival *arrival, struct error *reterr);

/** It was kept as one that nobody has taken, and now somebody has. No such row is fine. */
status event_keep_taken(struct engine *engine, str namespace, str type, const struct id *id,
                        struct error *reterr);

/** Gives a run whose listener has just begun what is kept for it, oldest first. */
status event_offer_kept(struct engine *engine, struct live_run *live, str type,
                        struct error *reterr);

status event_sweep(struct engine *engine, struct error *reterr);

/* --- listener_rows.c ---------------------------------------------------------------------------
 */

/** Brings the rows of a run's listeners up to date. `found` gets the type ("" any) of each that was
 * not there before; it must not write. */
status listener_rows_update(struct engine *engine, struct live_run *live,
                            void (*found)(str type, void *context), void *context,
                            struct error *reterr);

/** Those of a run that goes, whatever its state. */
status listener_rows_delete(struct engine *engine, str run, struct error *reterr);

#endif
