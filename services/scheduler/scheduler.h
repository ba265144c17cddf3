/**
 * scheduler: the partitions that a process owns, and what they share.
 *
 * One engine thread per partition; definitions, metrics and hints are shared. Services find the
 * owner of what a call is about here, read its store on their own threads, and post commands to its
 * engine. The system partition is partition 0: definitions and API keys.
 *
 * Partitions of other processes are told by messages (peers.h). Where partition 0 is another
 * process's its store is read here all the same, from the data folder that all processes share: so
 * workflows can be started while that process is away.
 *
 * Threads: open and close by main; everything else from any thread.
 */
#ifndef SCHEDULER_SCHEDULER_H
#define SCHEDULER_SCHEDULER_H

#include "scheduler/backups/safekeeping.h"
#include "scheduler/breaker/breaker_rules.h"
#include "scheduler/engine/engine.h"
#include "scheduler/engine/outbox/peers.h"
#include "scheduler/engine/secrets.h"
#include "scheduler/engine/watches/history_waits.h"
#include "scheduler/engine/watches/run_watches.h"

struct rpc_publisher;

struct scheduler_options {
    const char *folder; /* of the data; made if missing; NULL: in memory, nothing is durable */
    uint64_t map_size;  /* bytes, per partition */
    struct safekeeping_options safekeeping; /* outlives it; no backups and no archive if empty */
    uint16_t count;                         /* of all partitions */
    const bool *owned;                      /* `count` of them; NULL: all */
    const struct peers_options *peers;      /* the other processes; NULL: there is none */
    uint32_t lease_ms;                      /* 0: LEASE_MS_DEFAULT */
    bool has_four_eyes;                     /* who started a run does not approve what it asks */
    bool has_one_cpu; /* its threads stay together while one CPU is enough and it has one partition
                       */
    struct run_limits limits;
    struct secrets_place secrets;          /* of workflows; its members outlive the scheduler */
    struct breaker_rules breakers;         /* likewise; without failures: breaker_rules_default */
    struct call_cache_limits cache_limits; /* zeros: the defaults */
    const struct retention *retention; /* outlives the scheduler; NULL: runs are kept for ever */
    struct audit_rules audit;
    struct engine_metrics *metrics; /* borrowed; NULL: none */

    /** As engine_options.failed; NULL: exits 74. */
    void (*failed)(const struct error *error, void *context);
};

/** A partition of ours. */
struct shard {
    uint16_t index;
    struct scheduler *scheduler;
    struct partition *partition;
    struct board *board;
    struct run_watches *watches;
    struct secrets *secrets; /* its engine's own */
    struct secret_source secret_source;
    struct engine *engine;
};

struct scheduler;

/** Owned: scheduler_close(). Fails as partition_open() and engine_start(). */
status scheduler_open(const struct scheduler_options *options, struct scheduler **ret_scheduler,
                      struct error *reterr);

/** Drains and frees. NULL is fine. No call may be open any more. */
void scheduler_close(struct scheduler *scheduler);
void scheduler_closep(struct scheduler **scheduler);

uint16_t scheduler_partition_count(const struct scheduler *scheduler);

/** The store of the system partition: if that is another process's, opened for reading only. */
struct store *scheduler_system_store(const struct scheduler *scheduler);

/** The partition, if it is ours; else NULL. */
struct shard *scheduler_shard(struct scheduler *scheduler, uint16_t partition);

struct definitions *scheduler_definitions(struct scheduler *scheduler);
/** Where the secrets of workflows are. */
const struct secrets_place *scheduler_secrets_place(const struct scheduler *scheduler);

/** What this process is configured to, for those who ask before a run exists. */
const struct run_limits *scheduler_limits(const struct scheduler *scheduler);
const struct breaker_rules *scheduler_breaker_rules(const struct scheduler *scheduler);
const struct call_cache_limits *scheduler_cache_limits(const struct scheduler *scheduler);
uint32_t scheduler_lease_ms(const struct scheduler *scheduler);

struct function_registry *scheduler_functions(struct scheduler *scheduler);
/** NULL: there is no archive. */
struct archiver *scheduler_archiver(struct scheduler *scheduler);
struct backups *scheduler_backups(struct scheduler *scheduler);
struct history_waits *scheduler_history_waits(struct scheduler *scheduler);

bool scheduler_has_four_eyes(const struct scheduler *scheduler);

/** Tells gateways that listen that an API key has changed. After the commit; any thread. */
void scheduler_hint_key(struct scheduler *scheduler, const char *id);

int64_t scheduler_started_us(const struct scheduler *scheduler);

/** From now on commits are published as hints. Borrowed; NULL stops it, and waits until nobody
 * publishes. */
void scheduler_set_publisher(struct scheduler *scheduler, struct rpc_publisher *publisher);

#endif
