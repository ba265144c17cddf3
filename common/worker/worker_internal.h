/* What the files of a worker share: its jobs, its polls, and how answers come to its loop. */
#ifndef WORKER_WORKER_INTERNAL_H
#define WORKER_WORKER_INTERNAL_H

#include "worker/worker.h"

enum {
    WORKER_PARTITIONS_MAX = 1'024,
    WORKER_RETRY_MS       = 200, /* after a failed poll, report or draw */
    WORKER_DRAW_MS        = 20,  /* until a draw that was passed on is asked after */
};

/* Jobs of one answer live in its memory; the last of them frees it. */
struct batch {
    struct rpc_answer *answer; /* owned */
    uint32_t references;
};

struct checkpoint_call;
struct draw;
struct held {
    struct worker_job public; /* first: the service's pointer is ours */
    struct worker *worker;
    struct batch *batch;
    uint16_t partition;
    bool is_ended;     /* its report is under way */
    bool is_cancelled; /* the service was told */
    bool is_alone;     /* its report was refused among others */
    bool is_replaced;  /* its job is here a second time, by a newer lease */
    bool is_told;      /* a heartbeat has spoken of it */
    uint8_t *report;   /* packed: what the service said; owned */
    size_t report_size;
    struct checkpoint_call *checkpoint; /* under way; NULL: none */
    struct draw *draw;                  /* likewise */
    char *progress;                     /* owned; not said yet; NULL: nothing */
    size_t progress_size;
    struct held *next_ended; /* of those that are reported together */
    int64_t report_until_ms;
    int64_t retry_ms;
    struct loop_timer retry;
    struct held *previous, *next;
};

/* Whether the scheduler may think that we hold jobs which have never come here. */
enum trust {
    TRUST_FULL,
    TRUST_TELLING, /* it is being told what we hold: the call is parked in place of a poll */
    TRUST_LOST,    /* an answer with jobs may have been lost: before we ask for more, we tell */
};

struct poll {
    struct worker *worker;
    uint16_t partition;
    bool is_parked;
    enum trust trust;
    bool tells_of_dead; /* it is to be told which processes are */
    uint64_t call;      /* names it for rpc_client_cancel() */
    struct loop_timer retry;
    struct held *first_ended, *last_ended; /* to be reported at the end of the turn */
};

struct report_call;

struct worker {
    struct worker_options options;
    char name[WORKER_NAME_MAX + 1];
    const char *queues[WORKER_QUEUES_MAX + 1];
    size_t queue_count;
    struct poll *polls; /* one per partition; NULL before the topology is known */
    uint32_t partitions;
    uint16_t asked; /* so often for the topology: one scheduler after the other */
    struct held *jobs;
    struct report_call *report_calls; /* under way */
    uint32_t busy;
    bool is_draining;
    bool is_stopped; /* the client may be gone */
    struct loop_timer topology;
    struct loop_timer registration; /* its next try */
    bool is_registering;            /* a call is under way */
    const char *const *registering; /* what it says */
    bool is_registered;             /* since the scheduler was last away */
    struct loop_timer heartbeat;
    struct loop_timer progress; /* jobs have something to say of theirs */
    int64_t progress_ms;        /* when they said it last */
    struct loop_turn_end flush; /* sends what a turn of the loop has called */
};

static inline int64_t worker_now_ms(const struct worker *worker)
{
    return loop_now_ms(worker->options.loop);
}

/** A lease lasts three heartbeats. */
static inline int64_t worker_heartbeat_at_ms(const struct worker *worker)
{
    return worker_now_ms(worker) + worker->options.lease_ms / 3;
}

/** What takes an answer, on the worker's loop. Owns it. */
typedef void worker_use(struct rpc_answer *answer, void *context);

/** Starts a call whose answer comes to `use` on the loop. False: it could not be sent, and `use`
 * will not be called. `ret_call` may be NULL. */
bool worker_call(struct worker *worker, struct rpc_request *request, worker_use *use, void *context,
                 uint64_t *ret_call);

/** Asks every partition for work, as far as there are free slots. */
void worker_poll_all(struct worker *worker);

/** What the worker takes, but for how many and how long it waits. */
void worker_lease_request(struct worker *worker, Pb__LeaseJobs *ret_request);

/** Runs jobs that were leased with `answer`, which it takes. */
void worker_take(struct poll *poll, struct rpc_answer *answer, Pb__LeasedJob **jobs, size_t count);

void leased_unref(struct batch *batch);

/* --- checkpoint.c ------------------------------------------------------------------------------
 */

/** Nobody waits for the checkpoint of this job any more. */
void checkpoint_forget(struct held *held);

/* --- draw.c ------------------------------------------------------------------------------------
 */

/** Nobody waits for what this job draws any more. */
void draw_forget(struct held *held);

/* --- reports.c: of jobs that have ended --------------------------------------------------------
 */

/** Its report goes out at the end of the turn. */
void held_report(struct held *held);

/** The callback of held->retry. Context: the held. */
void held_report_again(void *context);

/** Sends what has ended in this turn of the loop. */
void reports_send(struct worker *worker);

/** Nobody will answer any more. */
void reports_forget(struct worker *worker);

/* --- held.c: jobs under way --------------------------------------------------------------------
 */

struct held *held_new(struct worker *worker, struct batch *batch, uint16_t partition,
                      const Pb__LeasedJob *leased);
void held_free(struct held *held);

/* --- registration.c ----------------------------------------------------------------------------
 */

/** Registers the worker's functions, unless that is done or under way. Callback of
 * worker->registration too. Context: the worker. */
void worker_register(void *context);

/* --- heartbeat.c -------------------------------------------------------------------------------
 */

/** Tells the service that nobody wants the result any more, once. */
void held_cancel(struct held *held);

/** A job comes again: if it is already here, that lease was lost, and nobody asks for it again. */
void held_replace(struct worker *worker, str id);

/** The callbacks of worker->heartbeat and worker->progress. Context: the worker. */
void worker_beat(void *context);
void worker_tell_progress(void *context);

/** Asks the partition of `poll` what became of the jobs that are held of it. */
void worker_ask(struct poll *poll);

/** Tells the partition of `poll` all that is held of it; `told` comes on the loop. False: it could
 * not be sent. */
bool worker_tell_all(struct poll *poll, worker_use *told);

/** Cancels what the scheduler does not want any more. */
void worker_take_beats(struct worker *worker, const struct rpc_answer *answer);

#endif
