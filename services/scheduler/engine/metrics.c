#include "scheduler/engine/metrics.h"

#include "base/assert.h"
#include "base/mem.h"
#include "scheduler/tables/call_cache.h"
#include "telemetry/metrics.h"

#include <stdio.h>
#include <stdlib.h>

enum { PARTITION_TEXT_SIZE = 8 };

struct engine_metrics {
    struct metric *run_started, *run_finished, *run_duration;
    struct metric *job_finished, *job_duration, *job_wait, *job_retries, *job_dead, *lease_lost;
    struct metric *commit_duration, *commit_commands, *sync_failures, *engine_loop;
    struct metric *unreadable_rows;
    struct metric *breaker_state, *breaker_failures, *breaker_transitions, *breaker_held;
    struct metric *timer_pending, *timer_lag, *epoch, *mailbox_depth;
    struct metric *used_bytes, *map_bytes, *oldest_reader, *sync_probe;
    struct metric *audit_events;
    struct metric *cache_requests, *cache_removed, *cache_refused, *cache_entries, *cache_bytes;
};

static struct metric *counter(struct metrics *registry, const char *name, const char *help,
                              const char *one, const char *two, const char *three)
{
    const struct metric_spec spec = {
        .name = name, .help = help, .kind = METRIC_COUNTER, .labels = {one, two, three}};
    return metric_add(registry, &spec);
}

static struct metric *gauge(struct metrics *registry, const char *name, const char *help,
                            const char *label)
{
    const struct metric_spec spec = {
        .name = name, .help = help, .kind = METRIC_GAUGE, .labels = {label}};
    return metric_add(registry, &spec);
}

static struct metric *histogram(struct metrics *registry, const char *name, const char *help,
                                enum metric_buckets buckets, const char *one, const char *two)
{
    const struct metric_spec spec = {.name    = name,
                                     .help    = help,
                                     .kind    = METRIC_HISTOGRAM,
                                     .labels  = {one, two},
                                     .buckets = buckets};
    return metric_add(registry, &spec);
}

static void add_work(struct engine_metrics *m, struct metrics *r)
{
    m->run_started  = counter(r, "tutti_run_started_total", "Runs that were started.", "workflow",
                              "namespace", NULL);
    m->run_finished = counter(r, "tutti_run_finished_total", "Runs that reached a final status.",
                              "workflow", "status", "namespace");
    m->run_duration = histogram(r, "tutti_run_duration_seconds", "From start to end of a run.",
                                METRIC_BUCKETS_RUN, "workflow", "status");
    m->job_finished = counter(r, "tutti_job_finished_total", "Jobs that no attempt follows.",
                              "queue", "function", "status");
    m->job_duration =
        histogram(r, "tutti_job_duration_seconds", "From the last lease of a job to its end.",
                  METRIC_BUCKETS_REQUEST, "queue", "function");
    m->job_wait    = histogram(r, "tutti_job_wait_seconds", "From being due to being leased.",
                               METRIC_BUCKETS_REQUEST, "queue", "function");
    m->job_retries = counter(r, "tutti_job_retries_total", "Attempts that another one follows.",
                             "queue", "function", NULL);
    m->job_dead    = counter(r, "tutti_job_dead_lettered_total", "Jobs that spent all attempts.",
                             "queue", "function", NULL);
    m->lease_lost  = counter(r, "tutti_job_lease_lost_total",
                             "Leases that ended without a report, and reports without a lease.",
                             "queue", "function", NULL);
}

static void add_partition(struct engine_metrics *m, struct metrics *r)
{
    m->commit_duration = histogram(r, "tutti_store_commit_duration_seconds", "Time of a commit.",
                                   METRIC_BUCKETS_REQUEST, "partition", NULL);
    m->commit_commands =
        histogram(r, "tutti_store_commit_commands", "Commands that shared a commit.",
                  METRIC_BUCKETS_COUNT, "partition", NULL);
    m->sync_failures = counter(r, "tutti_store_sync_failures_total",
                               "Commits that failed for good.", "partition", NULL, NULL);
    m->unreadable_rows =
        counter(r, "tutti_store_unreadable_rows_total",
                "Rows that were passed over: they cannot be read.", "table", NULL, NULL);
    m->engine_loop   = histogram(r, "tutti_engine_loop_seconds", "Time of a turn.",
                                 METRIC_BUCKETS_REQUEST, "partition", NULL);
    m->timer_pending = gauge(r, "tutti_timer_pending", "Timers of runs.", "partition");
    m->timer_lag =
        gauge(r, "tutti_timer_lag_seconds", "How late the latest timer fired.", "partition");
    m->epoch = gauge(r, "tutti_partition_epoch", "Epoch of the partition.", "partition");
    m->mailbox_depth =
        gauge(r, "tutti_partition_mailbox_depth", "Commands that wait.", "partition");
    m->used_bytes    = gauge(r, "tutti_store_used_bytes", "Bytes in use.", "partition");
    m->map_bytes     = gauge(r, "tutti_store_map_bytes", "Size of the map.", "partition");
    m->oldest_reader = gauge(r, "tutti_store_oldest_reader_seconds",
                             "Age of the oldest reading transaction.", "partition");
    m->sync_probe =
        gauge(r, "tutti_store_sync_probe_seconds",
              "fdatasync p50 of the data folder's disk, measured at start.", "partition");
}

static void add_breakers(struct engine_metrics *m, struct metrics *r)
{
    m->breaker_state = gauge(r, "tutti_breaker_state", "0 closed, 1 open, 2 half-open.", "target");
    m->breaker_failures    = counter(r, "tutti_breaker_failures_total",
                                     "Failures that breakers were told of.", "target", NULL, NULL);
    m->breaker_transitions = counter(r, "tutti_breaker_transitions_total",
                                     "Changes of a breaker's state.", "target", "to", NULL);
    m->breaker_held = counter(r, "tutti_breaker_held_total", "Jobs held because of their target.",
                              "target", NULL, NULL);
}

static void add_audit(struct engine_metrics *m, struct metrics *r)
{
    m->audit_events = counter(r, "tutti_audit_events_total",
                              "Records of the audit log, where they are made: done, refused, "
                              "failed, unknown, lost.",
                              "result", NULL, NULL);
}

static void add_call_cache(struct engine_metrics *m, struct metrics *r)
{
    m->cache_requests = counter(r, "tutti_cache_requests_total",
                                "Calls with `cache`: answered (hit), answered after the call that "
                                "they waited for (joined), to be made (miss).",
                                "result", NULL, NULL);
    m->cache_removed  = counter(r, "tutti_cache_removed_total",
                                "Kept answers deleted: expired, evicted by a limit, cleared.",
                                "reason", NULL, NULL);
    m->cache_refused  = counter(r, "tutti_cache_refused_total",
                                "Answers that were too large to be kept.", NULL, NULL, NULL);
    m->cache_entries  = gauge(r, "tutti_cache_entries", "Answers that are kept.", NULL);
    m->cache_bytes    = gauge(r, "tutti_cache_bytes", "Bytes of the answers that are kept.", NULL);
}

struct engine_metrics *engine_metrics_new(struct metrics *registry)
{
    struct engine_metrics *metrics = mem_new(1, sizeof *metrics);
    add_work(metrics, registry);
    add_partition(metrics, registry);
    add_breakers(metrics, registry);
    add_audit(metrics, registry);
    add_call_cache(metrics, registry);
    return metrics;
}

void engine_metrics_free(struct engine_metrics *metrics)
{
    free(metrics);
}

void engine_metrics_freep(struct engine_metrics **metrics)
{
    engine_metrics_free(*metrics);
    *metrics = NULL;
}

static double seconds(int64_t us)
{
    return (double)us / 1e6;
}

void count_run_started(struct engine_metrics *metrics, str namespace, str workflow)
{
    if (!metrics) return;
    series_inc(metric_series(metrics->run_started, (const str[]){workflow, namespace}));
}

static const char *status_label(Pb__RunStatus outcome)
{
    switch (outcome) {
    case PB__RUN_STATUS__RUN_STATUS_COMPLETED: return "completed";
    case PB__RUN_STATUS__RUN_STATUS_FAULTED: return "faulted";
    case PB__RUN_STATUS__RUN_STATUS_CANCELLED: return "cancelled";
    case PB__RUN_STATUS__RUN_STATUS_TERMINATED: return "terminated";
    default: return "other";
    }
}

void count_run_finished(struct engine_metrics *metrics, str namespace, str workflow,
                        Pb__RunStatus outcome, int64_t duration_us)
{
    if (!metrics) return;
    str label = str_from(status_label(outcome));
    series_inc(metric_series(metrics->run_finished, (const str[]){workflow, label, namespace}));
    series_observe(metric_series(metrics->run_duration, (const str[]){workflow, label}),
                   seconds(duration_us));
}

void count_job_leased(struct engine_metrics *metrics, str queue, str function, int64_t wait_us)
{
    if (!metrics) return;
    series_observe(metric_series(metrics->job_wait, (const str[]){queue, function}),
                   seconds(wait_us));
}

void count_job_finished(struct engine_metrics *metrics, str queue, str function,
                        const char *outcome, int64_t duration_us)
{
    if (!metrics) return;
    const str labels[] = {queue, function, str_from(outcome)};
    series_inc(metric_series(metrics->job_finished, labels));
    if (str_is(labels[2], "dead")) series_inc(metric_series(metrics->job_dead, labels));
    if (duration_us >= 0) {
        series_observe(metric_series(metrics->job_duration, labels), seconds(duration_us));
    }
}

void count_job_retried(struct engine_metrics *metrics, str queue, str function)
{
    if (!metrics) return;
    series_inc(metric_series(metrics->job_retries, (const str[]){queue, function}));
}

void count_lease_lost(struct engine_metrics *metrics, str queue, str function)
{
    if (!metrics) return;
    series_inc(metric_series(metrics->lease_lost, (const str[]){queue, function}));
}

void count_breaker_failures(struct engine_metrics *metrics, str target, uint64_t count)
{
    if (!metrics || count == 0) return;
    series_add(metric_series(metrics->breaker_failures, (const str[]){target}), (double)count);
}

void count_breaker_transition(struct engine_metrics *metrics, str target, const char *to,
                              unsigned state)
{
    if (!metrics) return;
    series_inc(metric_series(metrics->breaker_transitions, (const str[]){target, str_from(to)}));
    series_set(metric_series(metrics->breaker_state, (const str[]){target}), state);
}

void count_breaker_held(struct engine_metrics *metrics, str target, uint64_t count)
{
    if (!metrics || count == 0) return;
    series_add(metric_series(metrics->breaker_held, (const str[]){target}), (double)count);
}

void count_audit(struct engine_metrics *metrics, str result, uint64_t count)
{
    if (!metrics || count == 0) return;
    series_add(metric_series(metrics->audit_events, (const str[]){result}), (double)count);
}

static struct series *of_partition(struct metric *metric, uint16_t partition)
{
    char text[PARTITION_TEXT_SIZE];
    int len = snprintf(text, sizeof text, "%u", partition);
    ASSERT(len > 0 && (size_t)len < sizeof text);
    return metric_series(metric, (const str[]){{text, (size_t)len}});
}

void count_commit(struct engine_metrics *metrics, uint16_t partition, int64_t duration_us,
                  size_t commands)
{
    if (!metrics) return;
    series_observe(of_partition(metrics->commit_duration, partition), seconds(duration_us));
    series_observe(of_partition(metrics->commit_commands, partition), (double)commands);
}

void count_sync_failure(struct engine_metrics *metrics, uint16_t partition)
{
    if (metrics) series_inc(of_partition(metrics->sync_failures, partition));
}

void count_unreadable_row(struct engine_metrics *metrics, const char *table)
{
    if (!metrics) return;
    series_inc(metric_series(metrics->unreadable_rows, (const str[]){str_from(table)}));
}

void count_turn(struct engine_metrics *metrics, uint16_t partition, int64_t duration_us)
{
    if (!metrics) return;
    series_observe(of_partition(metrics->engine_loop, partition), seconds(duration_us));
}

void gauge_partition(struct engine_metrics *metrics, uint16_t partition,
                     const struct partition_gauges *gauges)
{
    if (!metrics) return;
    const struct {
        struct metric *metric;
        double value;
    } rows[] = {
        {metrics->timer_pending, (double)gauges->timers_pending},
        {metrics->timer_lag, seconds(gauges->timer_lag_us)},
        {metrics->epoch, (double)gauges->epoch},
        {metrics->mailbox_depth, (double)gauges->mailbox_depth},
        {metrics->used_bytes, (double)gauges->store_used_bytes},
        {metrics->map_bytes, (double)gauges->store_map_bytes},
        {metrics->oldest_reader, (double)gauges->oldest_reader_ms / 1e3},
        {metrics->sync_probe, seconds(gauges->sync_probe_us)},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        series_set(of_partition(rows[i].metric, partition), rows[i].value);
    }
}

/* --- the cache of calls ------------------------------------------------------------------------
 */

void count_call_cache(struct engine_metrics *metrics, const struct call_cache_counts *counts)
{
    if (!metrics) return;
    const struct {
        struct metric *metric;
        const char *label;
        uint64_t count;
    } rows[] = {
        {metrics->cache_requests, "hit", counts->hits},
        {metrics->cache_requests, "joined", counts->joined},
        {metrics->cache_requests, "miss", counts->misses},
        {metrics->cache_removed, "expired", counts->expired},
        {metrics->cache_removed, "evicted", counts->evicted},
        {metrics->cache_removed, "cleared", counts->cleared},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        if (rows[i].count == 0) continue;
        series_add(metric_series(rows[i].metric, (const str[]){str_from(rows[i].label)}),
                   (double)rows[i].count);
    }
    if (counts->refused > 0) {
        series_add(metric_series(metrics->cache_refused, NULL), (double)counts->refused);
    }
}

void gauge_call_cache(struct engine_metrics *metrics, uint64_t entries, uint64_t value_bytes)
{
    if (!metrics) return;
    series_set(metric_series(metrics->cache_entries, NULL), (double)entries);
    series_set(metric_series(metrics->cache_bytes, NULL), (double)value_bytes);
}
