/**
 * engine: the one thread that changes a partition.
 *
 * It takes everything that waits in its mailbox and every timer that is due, opens one write
 * transaction, decides and writes for each command, commits once, and only then answers callers,
 * hands leased jobs to parked polls and tells its listener. There is no batch timer: a lone command
 * commits at once, and what arrives during a commit is the next batch.
 *
 * Promises: nothing is acknowledged before it is durable. The first commit that fails for good ends
 * the work: what was about to be acknowledged is refused, and `failed` is called. A full store is
 * no such failure: the batch is refused, the memory rebuilt from the tables, and new starts are
 * refused until there is room.
 *
 * What it does not do: talk to the network; read for others (readers use the store themselves).
 *
 * Threads: engine_post() from any thread; callbacks come on the engine thread and must not wait.
 */
#ifndef SCHEDULER_ENGINE_H
#define SCHEDULER_ENGINE_H

#include "run.pb-c.h"
#include "scheduler/engine/commands/command.h"
#include "scheduler/engine/metrics.h"
#include "scheduler/engine/partition.h"
#include "scheduler/engine/queues/board.h"
#include "scheduler/run/run.h"
#include "scheduler/tables/call_cache.h"
#include "scheduler/tables/definitions.h"

enum {
    LEASE_MS_MIN     = 10,
    LEASE_MS_MAX     = 3'600'000,
    LEASE_MS_DEFAULT = 180'000, /* defaults.job.heartbeat_timeout */

    ENGINE_CACHE_BYTES = 64 << 20, /* of runs in memory */
    STORE_FAILED_EXIT  = 74,       /* EX_IOERR; docs/guide/operations.md */
};

/** What a commit has done to one run. Valid during the callback. */
struct run_move {
    struct id run;
    uint64_t sequence; /* of its last event */
    Pb__RunStatus status;
    bool is_new;
    bool has_ended; /* with this commit */
    const struct workflow *workflow;
    int64_t started_us, ended_us;
    const Pb__RunView *view; /* full; only if it has ended and the listener wants it */
};

/** Hears of commits, on the engine thread. */
struct engine_listener {
    /** Asked before the commit in which a run ends, or which a repeated start finds ended. */
    bool (*wants)(str run, void *context);
    void (*moved)(const struct run_move *moves, size_t count, void *context);
    /** A job of the run says how far it is (job_progress.h), which is no commit. */
    void (*progressed)(const struct id *run, void *context);
    /** A start names a subscriber of the run's end (StartRun.subscriber). */
    void (*watch)(bytes subscriber, str run, void *context);
    /** Before and after everything that is told of a turn: moves, then answers to commands. */
    void (*telling)(void *context);
    void (*told)(void *context);
    void *context;
};

/** The times of an engine; those of base/clock.h unless a simulation turns its own. */
struct engine_clock {
    int64_t (*unix_us)(void *context);
    int64_t (*mono_us)(void *context);
    void *context;
};

struct retention;
struct breaker_rules;

/** What is recorded of changes (audit/engine_audit.h). */
struct audit_rules {
    bool is_on;
    int64_t keep_us; /* a record, in the log; 0: for ever */
};

struct engine_options {
    struct partition *partition;      /* borrowed, as all that follows */
    const struct engine_clock *clock; /* NULL: the real one */
    struct definitions *definitions;
    struct subscriptions *subscriptions; /* shared by all engines; NULL: none */
    struct store *system_store; /* of the system partition; NULL: it is not here: no assistants, no
                                   child runs */
    struct board *board;        /* NULL: none */
    struct engine_metrics *metrics;        /* NULL: none */
    struct engine_listener listener;       /* functions may be NULL */
    struct run_limits limits;              /* pointers outlive the engine */
    struct call_cache_limits cache_limits; /* of answers that are kept; zeros: the defaults */
    const struct secret_source *secrets;   /* asked by the engine's thread only; NULL: none */
    const struct retention *retention;     /* NULL: every run is kept for ever */
    const struct breaker_rules *breakers;  /* NULL: breaker_rules_default */
    struct audit_rules audit;
    uint32_t lease_ms;    /* 0: LEASE_MS_DEFAULT */
    uint64_t random_seed; /* 0: from the kernel */

    /** Posts to the engine of a partition, as engine_post(); of another process only a
     * COMMAND_MESSAGES. UNAVAILABLE: not reached. NULL: there is no other partition. */
    status (*post)(uint16_t partition, struct command *command, struct error *reterr,
                   void *context);
    bool (*has_partition)(uint16_t partition, void *context); /* it can be reached now */
    void *neighbours;                                         /* the context of both */

    /** The store failed for good; nothing will be committed any more. Logs and exits 74 if NULL. */
    void (*failed)(const struct error *error, void *context);
};

struct engine;

/**
 * Recovers what the tables hold and starts the thread. Owned: engine_stop(). DATA_LOSS: the tables
 * make no sense; else as the store fails.
 */
status engine_start(const struct engine_options *options, struct engine **ret_engine,
                    struct error *reterr);

/** The same without a thread: whoever opened it turns it with engine_step(), on one thread. It
 * reads no clock but its own, and with a seed and a store in memory it does the same every time. */
status engine_open(const struct engine_options *options, struct engine **ret_engine,
                   struct error *reterr);

/** One turn of an engine without a thread: everything that waits in its mailbox and is due. */
void engine_step(struct engine *engine);

/** How long until a step has something to do; 0: now; INT64_MAX: only a command can change
 * anything. The work of once a second counts only `with_care`. */
int64_t engine_wait_us(struct engine *engine, bool with_care);

/** Stops as a process that dies does: nothing more is committed, everything that waits is refused
 * with UNAVAILABLE. engine_stop() frees it then; where engines post to each other, all are
 * abandoned first. */
void engine_abandon(struct engine *engine);

/** Ends the thread: what is under way is committed, the rest answered with UNAVAILABLE. Others may
 * still post, and are refused. Where engines post to each other, all are halted before the first is
 * stopped. */
void engine_halt(struct engine *engine);

/** Halts and frees. */
void engine_stop(struct engine *engine);
void engine_stopp(struct engine **engine);

/** Posts a chain of commands (linked by `mail.next`). If it fails, none was taken and no `done`
 * will be called: RESOURCE_EXHAUSTED ("overloaded"), UNAVAILABLE ("draining"). */
status engine_post(struct engine *engine, struct command *first, struct error *reterr);

/** How many commands wait, and how many more fit. */
size_t engine_depth(struct engine *engine);
size_t engine_room(struct engine *engine);

/** When the thread last turned, on clock_mono_ms(). Any thread. */
int64_t engine_turned_ms(void *engine);

#endif
