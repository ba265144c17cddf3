/**
 * run_waits: calls that wait for the end of a run.
 *
 * One parked Runs.Pull per partition brings the ends of all runs that somebody here waits for. A
 * start that is to wait names this gateway as subscriber, so that no end can slip through between
 * the start and the waiting; ends that come before their waiter are kept for a moment.
 *
 * Threads: run_waits_new() and _freep() while the loops do not run; everything else on the home
 * loop.
 */
#ifndef GATEWAY_RUN_WAITS_H
#define GATEWAY_RUN_WAITS_H

#include "gateway/api/api.h"
#include "run.pb-c.h"

/** How a call that waited is answered: `run` NULL means that the time is over. */
typedef void run_wait_done(struct api_call *call, const Pb__RunView *run);

struct run_waits *run_waits_new(struct api *api); /* owned */
void run_waits_freep(struct run_waits **waits);

/** Waits for the end of `run_id` (copied). `is_watched`: the start has told the scheduler so. */
void run_waits_add(struct run_waits *waits, struct api_call *call, const char *run_id,
                   bool is_watched, int64_t wait_ms, run_wait_done *done);

/** The scheduler was reached again, perhaps as another process: it is told of everything that is
 * waited for. Any thread. */
void run_waits_reconnected(struct run_waits *waits);

/** All calls are answered with what is known now: the gateway stops. On the home loop. */
void run_waits_drain(struct run_waits *waits);

#endif
