/**
 * worker: who leases jobs, as far as a partition knows it.
 *
 * A worker is known by its name from its first poll until it has been silent for WORKER_SILENT_US
 * with no job in its hands. For status and for `last_holder`; all that is decided by it is whether
 * the worker is drained. That outlives the worker: it holds for a name, here maybe unknown, until
 * somebody takes it back, another process has the name, or nobody has polled by it for a day.
 *
 * Threads: the engine thread only.
 */
#ifndef SCHEDULER_WORKER_H
#define SCHEDULER_WORKER_H

#include "base/status.h"
#include "base/str.h"

#include <stddef.h>
#include <stdint.h>

enum {
    WORKERS_MAX        = 4'096,
    WORKER_NAME_MAX    = 128, /* bytes */
    WORKER_KIND_MAX    = 32,  /* bytes */
    WORKER_QUEUES_SIZE = 256, /* bytes of all names it polls, separated by commas; cut beyond */
};
#define WORKER_EXTERNAL  "external" /* kind of a user's own, which is named `namespace:name` */
#define WORKER_SILENT_US (INT64_C(60) * 1'000'000)
#define WORKER_DRAIN_US  (INT64_C(86'400) * 1'000'000) /* since it was last heard of */

struct worker {
    char name[WORKER_NAME_MAX + 1];
    char kind[WORKER_KIND_MAX + 1];
    char queues[WORKER_QUEUES_SIZE];
    uint32_t slots;
    uint32_t busy;      /* jobs it holds */
    uint32_t polls;     /* parked now */
    bool is_called_off; /* a job of it was cancelled, which it has not heard of */
    bool is_draining;   /* it gets no new jobs */
    uint64_t instance;  /* of its process, as the last poll has said; 0: not known */
    int64_t last_seen_us;
};

struct workers;

/** Owned: workers_free(). */
struct workers *workers_new(void);
void workers_free(struct workers *workers);

/** Finds a worker or makes it, and notes that it was seen. INVALID_ARGUMENT: no name, or too long a
 * one; RESOURCE_EXHAUSTED: WORKERS_MAX. */
status worker_at(struct workers *workers, str name, int64_t now_us, struct worker **ret_worker,
                 struct error *reterr);

/** NULL: none of that name is known. */
const struct worker *worker_find(const struct workers *workers, str name);

/** Says whether `queue` of `namespace` (empty: tutti's own) is among the queues it polls. */
bool worker_serves(const struct worker *worker, str namespace, str queue);

/** Forgets who has been silent. */
void workers_expire(struct workers *workers, int64_t now_us);

/* --- draining ----------------------------------------------------------------------------------
 */

struct worker_drain {
    uint64_t instance; /* of the process that is meant; 0: any */
    int64_t heard_us;  /* when the worker last polled */
};

/** The worker of that name is to have no new jobs; once more changes who is meant. False: over
 * WORKERS_MAX. */
bool worker_drain(struct workers *workers, str name, uint64_t instance, int64_t now_us);

/** False: it is not drained. */
bool worker_resume(struct workers *workers, str name);

/** NULL: not drained. Valid until it changes. */
struct worker_drain *worker_drain_find(const struct workers *workers, str name);

/** One that has been silent for WORKER_DRAIN_US; empty: none. Looks once a minute. Valid until the
 * worker resumes. */
str worker_drain_over(struct workers *workers, int64_t now_us);

/** Forgets who is drained: the table is read anew. */
void workers_forget_drains(struct workers *workers);

/* --- all ---------------------------------------------------------------------------------------
 */

/** Walks all workers; NULL at the end. `*cursor` begins at 0. */
struct worker *worker_next(const struct workers *workers, size_t *cursor);
size_t worker_count(const struct workers *workers);

#endif
