/**
 * signal: events that reach a run, from outside or from an `emit`, and the tasks that listen.
 *
 * An event goes to every `listen` that waits for it; if there is none, it stays in the run's buffer
 * until one starts that does (A17). A `listen` with an approval hears of its decision only: an
 * event of that type which somebody sends decides nothing.
 */
#ifndef SCHEDULER_SIGNAL_H
#define SCHEDULER_SIGNAL_H

#include "scheduler/decide/decide.h"

/** Receives a CloudEvent (taken); it waits if nobody listens. RESOURCE_EXHAUSTED: the buffer is
 * full, nothing happened. */
status signal_receive(struct decision *decision, json event, struct error *reterr);

/** The same if somebody listens to it now; false: nobody does, nothing happened. */
bool signal_offer(struct decision *decision, json event);

/** Says whether any `listen` of the workflow could take the event, now or later. */
bool signal_is_wanted(const struct workflow *workflow, json event);

/** A `listen` has started: it takes what waits for it, oldest first. */
void signal_drain(struct decision *decision, struct activation *listener);

/** A `listen` has begun, or what it does with an event is done: goes on to the next event, ends the
 * task, or lets it wait. */
void listener_go_on(struct decision *decision, struct activation *listener);

#endif
