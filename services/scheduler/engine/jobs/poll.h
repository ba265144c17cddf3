/**
 * poll: workers that wait for jobs.
 *
 * A poll that finds nothing is parked at each of its places, behind those that came before, and
 * leaves all of them when it is answered, its wait is over or its caller has gone. A place is a
 * queue; or the lane of a function in it (queues/lane.h), if the worker wants that function only.
 *
 * Threads: the engine thread only. Limits: POLLS_MAX parked, POLL_PLACES_MAX places each.
 */
#ifndef SCHEDULER_POLL_H
#define SCHEDULER_POLL_H

#include "scheduler/engine/heap.h"
#include "scheduler/engine/jobs/job_queue.h"
#include "scheduler/engine/jobs/worker.h"

enum {
    POLLS_MAX       = 8'192, /* as many as rpc.h parks */
    POLL_QUEUES_MAX = 16,
    POLL_PLACES_MAX = 64, /* queues times functions */
    POLL_JOBS_MAX   = 100,
};

struct command;
struct poll;

struct poll_place {
    struct poll *poll;
    struct queue *queue;
    struct lane *lane; /* NULL: jobs of all functions */
    struct poll_place *previous, *next;
};

struct poll {
    struct command *command; /* its Lease, to be answered */
    uint64_t id;             /* for poll_find() */
    uint64_t order;          /* counts through all that were parked */
    struct worker *worker;
    uint64_t instance; /* of the worker's process; 0: not known */
    uint32_t count_max;
    uint32_t lease_ms;
    bool hears;      /* the worker heeds that it is to beat */
    int64_t ends_us; /* of its wait */
    size_t place_count;
    struct poll_place *places; /* in the arena of its command */
    struct heap_link by_end;
};

struct polls {
    struct heap by_end;
    uint64_t count; /* that were ever parked */
};

/** One more place, at `queue` and `lane`, which is joined; there is room for it. */
void poll_add_place(struct poll *poll, struct queue *queue, struct lane *lane);

/** Leaves its lanes, and is freed. Not parked. */
void poll_free(struct poll *poll);

/** The poll that has waited longest of those that could have a job of `queue` now; NULL: none. */
struct poll *poll_next(const struct queue *queue);

/** Parked polls of a worker get no job any more: they leave their places and wait for their time.
 */
void polls_leave_places(struct polls *polls, const struct worker *worker);

/** A parked poll of a worker that has left its places; NULL: none. */
struct poll *poll_without_places(const struct polls *polls, const struct worker *worker);

/** The first whose worker is called off, and hears it; NULL: none. */
struct poll *poll_called_off(const struct polls *polls);

/** A parked poll of that process of a worker; NULL: none. */
struct poll *poll_of_process(const struct polls *polls, uint64_t instance);

void polls_init(struct polls *polls);
void polls_done(struct polls *polls); /* frees those that are parked; their commands are answered */

/** Parks a poll, which is allocated with mem_new() and taken. RESOURCE_EXHAUSTED: POLLS_MAX; then
 * it was not taken. */
status poll_park(struct polls *polls, struct poll *poll, struct error *reterr);

/** Takes a poll out of everything; the caller owns it again: poll_free(). */
void poll_unpark(struct polls *polls, struct poll *poll);

/** The parked poll whose wait ended first, if it has ended; or NULL. */
struct poll *poll_over(const struct polls *polls, int64_t now_us);

/** When the next wait ends; INT64_MAX: none is parked. */
int64_t polls_due_us(const struct polls *polls);

/** The parked poll of that id, or NULL. */
struct poll *poll_find(const struct polls *polls, uint64_t id);

/** Any parked poll, or NULL: for answering all. */
struct poll *poll_any(const struct polls *polls);

#endif
