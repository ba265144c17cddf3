/**
 * job_queue: the order of all open jobs of a partition, in memory.
 *
 * Every open job is in one of four places: ready (a worker may have it), delayed (its time has not
 * come), held (its run is suspended, its target is shut, or its budgets have not let it go) or
 * leased (a worker has it, until its lease or its attempt is over). The truth is in the tables;
 * this is rebuilt from them at start and says nothing that they do not.
 *
 * Order: workflows take turns (queues/line.h). The jobs of one go by time, and one step of priority
 * is worth QUEUE_AGEING_US of waiting. So urgent jobs go first and no job waits for ever. Jobs of
 * one priority and time go in the order of their sequence.
 *
 * What it does not: read or write tables, decide about attempts, talk to workers.
 *
 * Threads: the engine thread only. Limits: QUEUE_JOBS_MAX open jobs; QUEUES_MAX queues that exist
 * only because somebody polls them (those of jobs are bounded by the definitions).
 */
#ifndef SCHEDULER_JOB_QUEUE_H
#define SCHEDULER_JOB_QUEUE_H

#include "base/id.h"
#include "base/status.h"
#include "scheduler/engine/breakers/targets.h"
#include "scheduler/engine/budgets/funding.h"
#include "scheduler/engine/heap.h"
#include "scheduler/engine/jobs/lease_token.h"
#include "scheduler/engine/jobs/poll_list.h"
#include "scheduler/engine/jobs/worker.h"
#include "scheduler/engine/limits/limit.h"
#include "scheduler/engine/queues/line.h"
#include "scheduler/engine/queues/queue_flow.h"
#include "scheduler/engine/queues/queue_limits.h"
#include "scheduler/tables/tables.h"

enum {
    QUEUES_MAX     = 1'024,
    QUEUE_JOBS_MAX = 4'000'000,
};

struct job_progress;
struct lane;

struct queue {
    str namespace;           /* owned; empty: one of tutti's own queues */
    str name;                /* owned */
    bool is_paused;          /* nothing is handed out */
    struct heap lines;       /* with jobs that are ready */
    struct line *first_line; /* all that have jobs of their own */
    struct lane *first_lane; /* those with polls and jobs that are ready: queues/lane.h */
    uint64_t turn;           /* counts */
    size_t ready_count, delayed_count, held_count, leased_count;
    struct queue_limits limits;     /* as they were set, for all partitions together */
    uint32_t concurrency;           /* the share of this one; 0: no limit */
    struct start_rate rate;         /* likewise */
    struct queue_limits key_limits; /* of the jobs of each key, over all partitions */
    struct heap_link opening;       /* while the rate allows no start */
    uint64_t purge_before; /* what waits and has a smaller sequence goes; 0: nothing does */
    struct queue_flow completed, failed; /* jobs that ended of late */
    uint64_t dead_count;                 /* entries of its dead letter queue */
    char *redrive_json;                  /* of redrive/: its rule; NULL: none */
    bool is_redriving;                   /* likewise: all, at a rate */
    struct poll_list polls;              /* parked for all functions: poll.c */
};

struct fresh_job;

enum open_job_state { OPEN_JOB_READY, OPEN_JOB_DELAYED, OPEN_JOB_HELD, OPEN_JOB_LEASED };

struct open_job {
    struct id id, run;
    struct queue *queue;
    struct line *line;      /* in which it is when it is ready */
    struct lane *lane;      /* of its function; NULL: the queue has none */
    struct line *lane_line; /* in which it is there, at the same time */
    uint8_t priority;
    uint64_t sequence;
    int64_t due_us;
    int64_t queued_us; /* when it was first scheduled */

    char *limit_key;                /* of those that go together; NULL: none */
    char *limit_name;               /* of what its workflow limits; NULL: nothing */
    struct queue_limits limit_rule; /* of that */

    bool is_held; /* not to be leased (again); a lease that it has goes on */

    struct target *target;                          /* whom it calls; NULL: nobody with a breaker */
    struct open_job *target_next, *target_previous; /* its other jobs */
    bool is_probe;                                  /* goes although its target is shut */
    bool fails_on_open;                             /* its task would rather fail than be held */
    bool is_shut_out;                               /* held, because of its target */

    struct funding *funding; /* owned; how it stands with budgets. NULL: nobody is asked */

    enum open_job_state state; /* and what follows only if leased: */
    bool is_cancel_wanted;     /* told to the worker with its next heartbeat */
    bool has_progress;         /* its worker has said how far it is; then: */
    bool sends_secrets;        /* which must not show in that */
    bool is_unclaimed;         /* leased before a restart, and its holder has not come back */
    uint32_t lease_number;     /* counts on through all leases of the job */
    uint32_t lease_ms;
    int64_t leased_us;
    int64_t lease_expires_us;
    int64_t attempt_ends_us;  /* 0: no limit; no heartbeat extends it */
    struct worker *holder;    /* counts it as busy; NULL: not known */
    uint64_t instance;        /* the holder's process; 0: not known */
    struct lease_token token; /* of its newest lease, if this process has given it */

    /* So that a job that is scheduled, leased and over in memory is not read back. */
    const char *function;    /* NULL: the row says */
    struct fresh_job *fresh; /* job_rows.h; what its row says, in the turn `fresh_turn` */
    uint64_t fresh_turn;
    uint32_t ended_as; /* Pb__PreviousAttempt: how the attempt at hand has ended; 0: it has not */
    bool is_place_due; /* its place is written at the end of the turn */
    bool has_place;    /* in the tables */

    struct heap_link link;
    struct heap_link lane_link;
};

struct job_queues;

/** Owned: job_queues_free(). `is_owner`: of the system partition, one of `partitions`. */
struct job_queues *job_queues_new(bool is_owner, uint16_t partitions);
void job_queues_free(struct job_queues *queues);

/** Finds a queue or makes it. Who makes queues of foreign names looks at job_queue_count() first.
 */
struct queue *job_queue_at(struct job_queues *queues, str namespace, str name);
size_t job_queue_count(const struct job_queues *queues);

/** Finds a queue; NULL if no job and no poll ever named it. */
struct queue *job_queue_find(struct job_queues *queues, str namespace, str name);

/** Walks all queues in the order in which they were made; NULL at the end. `*index` begins at 0. */
struct queue *job_queue_next(struct job_queues *queues, size_t *index);

/** The targets of its jobs, and what limits them. */
struct targets *job_queues_targets(const struct job_queues *queues);
struct limits *job_queues_limits(const struct job_queues *queues);

/** The line of a workflow, "namespace/workflow", in a queue; a job of it may be added. */
struct line *job_line_at(struct job_queues *queues, struct queue *queue, str workflow);

size_t job_queues_line_count(const struct job_queues *queues);

/** The lane of a function in a queue, for one job or poll: lane_leave(). NULL: the queue has none,
 * or LANES_MAX. */
struct lane *job_lane_join(struct job_queues *queues, struct queue *queue, str function);

/** The function of the lane that it is in; empty: none. Borrowed from the lane. */
const char *open_job_lane_name(const struct open_job *job);

/** What its jobs have to do with budgets. */
struct fundings *job_queues_fundings(struct job_queues *queues);

/** Its funding has changed: it is placed anew, unless it is leased. */
void open_job_place(struct job_queues *queues, struct open_job *job, int64_t now_us);

/** Where what its jobs say of their progress is kept from now on, as long as they are leased.
 * Borrowed. */
void job_queues_show_progress(struct job_queues *queues, struct job_progress *progress);
struct job_progress *job_queues_progress(const struct job_queues *queues); /* NULL: nowhere */

/** Adds an open job: ready, delayed or held. Takes its funding and its use of a lane. Copies `job`;
 * returns the copy, which lives until open_job_remove(). A job without a line is in the one of no
 * workflow. NULL: QUEUE_JOBS_MAX. */
struct open_job *open_job_add(struct job_queues *queues, const struct open_job *job,
                              int64_t now_us);
struct open_job *open_job_find(struct job_queues *queues, str id);
void open_job_remove(struct job_queues *queues, struct open_job *job);

/** Walks all open jobs in no order; NULL at the end. `*cursor` begins at 0. */
struct open_job *open_job_next(const struct job_queues *queues, size_t *cursor);
size_t open_job_count(const struct job_queues *queues);

/** Likewise those that are leased, as long as no job changes. */
struct open_job *open_job_next_leased(const struct job_queues *queues, size_t *cursor);
size_t open_job_leased_count(const struct job_queues *queues);

/** Its limits from now on: the share of this partition. */
void queue_limit(struct job_queues *queues, struct queue *queue, const struct queue_limits *share,
                 int64_t now_us);

/** The job that `queue` would hand out next, or NULL: none is ready, or the queue is paused or at
 * one of its limits. */
struct open_job *queue_peek(const struct queue *queue);

/** Likewise, of the jobs of one function; `lane` NULL: of all. */
struct open_job *queue_peek_lane(const struct queue *queue, const struct lane *lane);

/** Says whether `a` is handed out before `b`, of another queue or not. */
bool open_job_is_before(const struct open_job *a, const struct open_job *b);

/** When the job that waits longest became ready; 0: none. */
int64_t queue_oldest_us(const struct queue *queue);

/** Ready to leased. `holder` may be NULL. `ends_us`: see attempt_ends_us. */
void open_job_lease(struct job_queues *queues, struct open_job *job, struct worker *holder,
                    uint32_t lease_ms, int64_t now_us, int64_t ends_us);

/** One of its jobs was started now, which counts for its rate; it has one. */
void queue_start(struct job_queues *queues, struct queue *queue, int64_t now_us);

/** A heartbeat: the lease runs anew from `now_us`. */
void open_job_extend(struct job_queues *queues, struct open_job *job, int64_t now_us);

/** Somebody else holds the lease than we knew. */
void open_job_adopt(struct open_job *job, struct worker *holder);

/** From now on it is held, or is not any more. */
void open_job_hold(struct job_queues *queues, struct open_job *job, bool is_held, int64_t now_us);

/** Its target is another one from now on (NULL: none). */
void open_job_aim(struct job_queues *queues, struct open_job *job, struct target *target,
                  int64_t now_us);

/** What limits it may have changed: it is placed anew, at work or not. */
void open_job_limit(struct job_queues *queues, struct open_job *job, int64_t now_us);
void target_limit_jobs(struct job_queues *queues, struct target *target, int64_t now_us);

/** What the jobs of each key of `queue` are limited by from now on. */
void queue_limit_keys(struct job_queues *queues, struct queue *queue,
                      const struct queue_limits *rule, int64_t now_us);

/** It was handed out now, which counts for the rates of its limits. */
void open_job_start(struct job_queues *queues, const struct open_job *job, int64_t now_us);

/** From now on it is a probe, or is not any more. */
void open_job_set_probe(struct job_queues *queues, struct open_job *job, bool is_probe,
                        int64_t now_us);

/** What `target` is has changed: its waiting jobs are placed anew. */
void target_place_jobs(struct job_queues *queues, struct target *target, int64_t now_us);

/** The job that would be the next one of its target, were it not shut; NULL: none waits. */
struct open_job *target_peek(const struct target *target);

/** Leased, delayed or ready to ready or delayed, due at `due_us`; or to held. */
void open_job_return(struct job_queues *queues, struct open_job *job, int64_t due_us,
                     int64_t now_us);

/** Makes ready whatever has become due, or whose target has rested; opens queues that may start
 * something again. */
void job_queues_advance(struct job_queues *queues, int64_t now_us);

/** The leased job whose lease or attempt is over, the longest over first; NULL if none is. */
struct open_job *job_queues_expired(struct job_queues *queues, int64_t now_us);

/** When job_queues_advance() or job_queues_expired() will next find something; INT64_MAX: never. */
int64_t job_queues_due_us(const struct job_queues *queues);

#endif
