/**
 * engine_metrics: what the engine counts (docs/reference/metrics.md).
 *
 * One set per process, shared by its partitions. Every function takes NULL: then nothing is
 * counted. Series are looked up by bounded labels only.
 */
#ifndef SCHEDULER_ENGINE_METRICS_H
#define SCHEDULER_ENGINE_METRICS_H

#include "base/str.h"
#include "run.pb-c.h"

#include <stdint.h>

struct engine_metrics;
struct call_cache_counts;
struct metrics;

/** Adds the metrics to a registry, which outlives them. Owned: engine_metrics_free(). */
struct engine_metrics *engine_metrics_new(struct metrics *registry);
void engine_metrics_free(struct engine_metrics *metrics);
void engine_metrics_freep(struct engine_metrics **metrics);

void count_run_started(struct engine_metrics *metrics, str namespace, str workflow);
void count_run_finished(struct engine_metrics *metrics, str namespace, str workflow,
                        Pb__RunStatus outcome, int64_t duration_us);

void count_job_leased(struct engine_metrics *metrics, str queue, str function, int64_t wait_us);
/** `outcome`: completed, failed, cancelled or dead. `duration_us` < 0: it was not leased. */
void count_job_finished(struct engine_metrics *metrics, str queue, str function,
                        const char *outcome, int64_t duration_us);
void count_job_retried(struct engine_metrics *metrics, str queue, str function);
void count_lease_lost(struct engine_metrics *metrics, str queue, str function);

/** Breakers. `state`: enum breaker_state. */
void count_breaker_failures(struct engine_metrics *metrics, str target, uint64_t count);
void count_breaker_transition(struct engine_metrics *metrics, str target, const char *to,
                              unsigned state);
void count_breaker_held(struct engine_metrics *metrics, str target, uint64_t count);

void count_commit(struct engine_metrics *metrics, uint16_t partition, int64_t duration_us,
                  size_t commands);
void count_sync_failure(struct engine_metrics *metrics, uint16_t partition);
void count_unreadable_row(struct engine_metrics *metrics, const char *table);
void count_turn(struct engine_metrics *metrics, uint16_t partition, int64_t duration_us);

/** Records of the audit log, where they are made. */
void count_audit(struct engine_metrics *metrics, str result, uint64_t count);

/** What a step of the cache of calls did (tables/call_cache.h). */
void count_call_cache(struct engine_metrics *metrics, const struct call_cache_counts *counts);
void gauge_call_cache(struct engine_metrics *metrics, uint64_t entries, uint64_t value_bytes);

/** Gauges of a partition, once a second. */
struct partition_gauges {
    uint64_t timers_pending, mailbox_depth;
    int64_t timer_lag_us, oldest_reader_ms, sync_probe_us;
    uint64_t store_used_bytes, store_map_bytes;
    uint32_t epoch;
};
void gauge_partition(struct engine_metrics *metrics, uint16_t partition,
                     const struct partition_gauges *gauges);

#endif
