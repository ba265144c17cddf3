/**
 * worker: leases jobs from the scheduler, keeps their leases alive, and reports how they ended.
 *
 * A worker asks every partition for as many jobs as it has free slots, and is told when there are
 * some: nothing polls in circles. Each job ends exactly once, by worker_complete(), worker_fail()
 * or worker_release(). A report is repeated until the scheduler has committed it or says that the
 * lease is lost, also over restarts of the scheduler; the job keeps its slot until then.
 *
 * What it can do it registers with the system partition, if it is told; a function that is refused
 * there (another contract under the same version) is logged, and the worker goes on without it.
 *
 * Threads: a worker belongs to its loop; everything happens on it.
 */
#ifndef WORKER_WORKER_H
#define WORKER_WORKER_H

#include "base/status.h"
#include "job.pb-c.h"
#include "loop/loop.h"
#include "rpc/rpc_client.h"

#include <stdbool.h>
#include <stdint.h>

enum {
    WORKER_SLOTS_MAX      = 1'000,
    WORKER_QUEUES_MAX     = 8,
    WORKER_NAME_MAX       = 64,        /* bytes */
    WORKER_POLL_MS        = 20'000,    /* how long one poll is parked */
    WORKER_REPORT_MS      = 600'000,   /* how long a report is repeated while nobody answers */
    WORKER_CHECKPOINT_MAX = 256 << 10, /* bytes */
    WORKER_DEAD_MAX       = 17,
    WORKER_PROGRESS_MAX   = 4 << 10, /* bytes */
    WORKER_PROGRESS_MS    = 1'000,   /* between two messages about progress */
};

struct worker;

/** A job under way. `leased` is valid until the job has ended. */
struct worker_job {
    const Pb__LeasedJob *leased;
    void *state;             /* the service's */
    Pb__AuditWrite **writes; /* what it changed outside, to go with its report, which borrows it */
    size_t write_count;
};

struct worker_options {
    struct loop *loop;            /* borrowed */
    struct rpc_client *scheduler; /* borrowed; RPC_OWNER; services: Jobs, System, Functions */
    const char *const *queues;    /* NULL-terminated, at most WORKER_QUEUES_MAX */
    const char *namespace;        /* of those that are not tutti's own; NULL: "default" */
    const char *name;             /* stable over restarts; copied */
    const char *kind;             /* "tools", "llm" */
    uint64_t instance;            /* of this process; 0: drawn */
    const uint64_t *dead;         /* processes whose place it takes, and which are dead, the newest
                                   * first: what they held anybody may have; ended by 0, at most
                                   * WORKER_DEAD_MAX; NULL: none. Lives as long as the worker */
    uint32_t slots;               /* jobs at once. With several partitions the polls that are parked
                                   * at the others may bring one share each on top */
    uint32_t lease_ms;            /* silence after which a job is another worker's */
    const char *const *functions; /* descriptions as JSON (workflow/function_catalog.h), which are
                                   * registered at the start and whenever the scheduler was away;
                                   * NULL-terminated; NULL: none. Live as long as the worker */

    /** A job has come. May end it before it returns. */
    void (*run)(struct worker_job *job, void *context);
    /** Nobody wants the result any more (the run was cancelled, or the lease is lost). The service
     * stops what it does and ends the job with worker_fail() or worker_release(), whose report
     * changes nothing, but that the usage it names is charged to the run (worker_hand_back()); what
     * it has got already it reports with worker_complete(), which counts as long as nobody else has
     * the job. */
    void (*cancel)(struct worker_job *job, void *context);
    /** The first scheduler was reached. May be NULL. */
    void (*ready)(void *context);
    void *context;
};

/** Owned: worker_freep(). Leases from the next turn of the loop on. */
struct worker *worker_new(const struct worker_options *options);

/** From now on it can do these, as of `functions` in the options. The former ones may go. */
void worker_use_functions(struct worker *worker, const char *const *functions);

/** Leases no more; what still comes of a poll under way is handed back at once. */
void worker_drain(struct worker *worker);

/** Jobs that have not ended. */
uint32_t worker_busy(const struct worker *worker);

/** Calls nobody any more. After the loop was joined, before the client is closed, so that what the
 * close leaves on the loop can be run. */
void worker_stop(struct worker *worker);

/** Frees; jobs still under way are forgotten and come back when their leases are over. After the
 * loop has stopped and the client is closed. NULL is fine. */
void worker_freep(struct worker **worker);

/**
 * Has the scheduler keep `checkpoint`, at most WORKER_CHECKPOINT_MAX bytes of JSON, which comes
 * with every later lease of the job in place of the one before. `kept` is called once, on the loop,
 * when it is committed (OK) or when that cannot be said: FAILED_PRECONDITION if the lease is lost,
 * else UNAVAILABLE. It is not called once the job has ended. One at a time for each job.
 */
typedef void worker_kept_fn(status code, void *context);
void worker_checkpoint(struct worker_job *job, str checkpoint, worker_kept_fn *kept, void *context);

/**
 * How far the job has come, for those who look on: JSON, of which more than WORKER_PROGRESS_MAX
 * bytes are passed over. What is said last goes out within WORKER_PROGRESS_MS, once; what gets lost
 * is not repeated. It is copied.
 */
void worker_progress(struct worker_job *job, str progress);

/**
 * The call of the job outgrows what its budgets have set aside for it (`leased->room`): more is to
 * be, for an answer of `output_tokens` in all, of a model of that price (NULL: nobody knows).
 * `drawn` is called once, on the loop and never before this returns, with what the call may cost
 * then (NULL: anything), valid during the call; it is repeated until the scheduler has answered. It
 * is not called once the job has ended, or is cancelled. One at a time for each job.
 */
typedef void worker_drawn_fn(const Pb__BudgetRoom *room, void *context);
void worker_draw(struct worker_job *job, int64_t output_tokens, const Pb__ModelPrice *price,
                 worker_drawn_fn *drawn, void *context);

/* Each takes the job. Messages are borrowed. */
void worker_complete(struct worker_job *job, const Pb__JobCompleted *completed);
void worker_fail(struct worker_job *job, const Pb__JobFailed *failed);
/** Hands the job back without burning an attempt; `not_before_us` 0: at once. */
void worker_release(struct worker_job *job, int64_t not_before_us, const char *reason);
/** The same, with what else there is to say. */
void worker_hand_back(struct worker_job *job, const Pb__JobReleased *released);

#endif
