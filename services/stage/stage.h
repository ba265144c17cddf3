/**
 * stage: engines that play without threads, disk and real time.
 *
 * The scheduler's own engines over stores in memory, turned by whoever opened the stage, with a
 * clock that is set by hand. The same options and the same calls give the same run of things, byte
 * for byte. For the simulator, which breaks everything it can, and for `tutti test`, which plays
 * the cases of users.
 *
 * Promises: engine, tables, queues, timers and outbox are those of the scheduler. What it does not:
 * the services in front of an engine, whose checks its callers make themselves; lanes and
 * processes; anything durable: a crash keeps what was committed, the end of the stage nothing.
 *
 * Threads: one. Limits: those of the engine; STAGE_PARTITIONS_MAX.
 */
#ifndef STAGE_STAGE_H
#define STAGE_STAGE_H

#include "scheduler/engine/engine.h"
#include "scheduler/engine/jobs/job_queue.h"

enum { STAGE_PARTITIONS_MAX = 8 };

struct stage_options {
    uint16_t partitions;                  /* 1..STAGE_PARTITIONS_MAX */
    uint64_t seed;                        /* not 0: of ids and jitter */
    int64_t now_us;                       /* Unix time at the start */
    uint32_t lease_ms;                    /* 0: the scheduler's */
    struct run_limits limits;             /* what it points to outlives the stage */
    const struct secret_source *secrets;  /* likewise; NULL: there are none */
    const struct retention *retention;    /* likewise; NULL: runs are kept for ever */
    const struct breaker_rules *breakers; /* likewise; NULL: those without a configuration */
    struct audit_rules audit;
};

struct stage;

/** Owned: stage_close(). Fails as partition_open() and engine_open(). */
status stage_open(const struct stage_options *options, struct stage **ret_stage,
                  struct error *reterr);
void stage_close(struct stage *stage); /* NULL is fine */
void stage_closep(struct stage **stage);

uint16_t stage_partition_count(const struct stage *stage);

/** --- Time --------------------------------------------------------------------------------- */

/** The wall clock, and the monotonic one, which is its own and never goes back. */
int64_t stage_now_us(const struct stage *stage);
void stage_set_now(struct stage *stage, int64_t unix_us); /* a step: also backwards */
void stage_pass(struct stage *stage, int64_t us);         /* both clocks */

/** How long until a step of any engine, or of that one, has something to do; 0: now. INT64_MAX:
 * only a call can change anything. */
int64_t stage_wait_us(const struct stage *stage);
int64_t stage_partition_wait_us(const struct stage *stage, uint16_t partition);

/** One turn of an engine. */
void stage_step(struct stage *stage, uint16_t partition);

/** Turns all engines until none has anything to do now, nor has been woken by a batch of messages
 * that was taken. DEADLINE_EXCEEDED: that never ends. */
status stage_settle(struct stage *stage, struct error *reterr);

/** --- Crashes ------------------------------------------------------------------------------ */

/** The process dies: all engines are gone, with everything that was not committed. Calls that
 * wait are answered with UNAVAILABLE, as a broken connection is. */
void stage_crash(struct stage *stage);

/** A new process opens what was committed. */
status stage_restart(struct stage *stage, struct error *reterr);

/** Says whether there are engines, and whether a commit of one has failed for good: then it must
 * crash. */
bool stage_is_up(const struct stage *stage);
bool stage_has_failed(const struct stage *stage);

/** --- What is on it: borrowed -------------------------------------------------------------- */

struct engine *stage_engine(const struct stage *stage, uint16_t partition); /* NULL: crashed */
struct partition *stage_partition(const struct stage *stage, uint16_t partition);
struct store *stage_store(const struct stage *stage, uint16_t partition);
struct definitions *stage_definitions(const struct stage *stage);

/** Walks the queues of a partition; NULL at the end. `*index` begins at 0. */
struct queue *stage_queue_next(const struct stage *stage, uint16_t partition, size_t *index);

/** --- Calls --------------------------------------------------------------------------------
 *
 * A command with room for its messages. `request` and `response` live in its arena; when it is
 * answered, `done` (may be NULL) is called, in the middle of a step.
 */
struct stage_call {
    struct command command;
    struct arena *arena;
    bool is_done;
    void (*done)(struct stage_call *call);
    void *context;
};

/** `value_count` values, all invalid. Owned: stage_call_free(), but not while it is posted. */
struct stage_call *stage_call_new(enum command_kind kind, size_t value_count);
void stage_call_free(struct stage_call *call);
void stage_call_freep(struct stage_call **call);

/** Memory of the call, zeroed. */
void *stage_call_alloc(struct stage_call *call, size_t size);

/** UNAVAILABLE: it has crashed; RESOURCE_EXHAUSTED: as engine_post(). Then `done` is not called. */
status stage_post(struct stage *stage, uint16_t partition, struct stage_call *call,
                  struct error *reterr);

/** Posts and settles. The outcome is the call's; DEADLINE_EXCEEDED: it was not answered. */
status stage_ask(struct stage *stage, uint16_t partition, struct stage_call *call,
                 struct error *reterr);

/** Registers a workflow with the system partition. Shares it. Fails as the command. */
status stage_put(struct stage *stage, const struct workflow *workflow, struct error *reterr);

#endif
