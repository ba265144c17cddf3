#include "tool-adapter/call/measures.h"

#include "base/mem.h"

#include <stdlib.h>

static const struct metric_spec calls_spec    = {.name   = "tutti_tool_calls_total",
                                                 .help   = "Calls of tools that ended.",
                                                 .kind   = METRIC_COUNTER,
                                                 .labels = {"tool", "status"}};
static const struct metric_spec duration_spec = {.name    = "tutti_tool_call_duration_seconds",
                                                 .help    = "From the lease to the answer.",
                                                 .kind    = METRIC_HISTOGRAM,
                                                 .labels  = {"tool"},
                                                 .buckets = METRIC_BUCKETS_REQUEST};

static const struct metric_spec cache_spec   = {.name   = "tutti_tool_cache_requests_total",
                                                .help   = "Reads by where their output is from.",
                                                .kind   = METRIC_COUNTER,
                                                .labels = {"result"}};
static const struct metric_spec renewed_spec = {.name = "tutti_tool_cache_renewed_total",
                                                .help = "Old outputs that still held.",
                                                .kind = METRIC_COUNTER};
static const struct metric_spec evicted_spec = {.name = "tutti_tool_cache_evicted_total",
                                                .help = "Outputs that made room for others.",
                                                .kind = METRIC_COUNTER};
static const struct metric_spec entries_spec = {
    .name = "tutti_tool_cache_entries", .help = "Outputs that are kept.", .kind = METRIC_GAUGE};
static const struct metric_spec bytes_spec = {
    .name = "tutti_tool_cache_bytes", .help = "Their bytes.", .kind = METRIC_GAUGE};

struct measures {
    struct metric *calls, *durations;
    struct series *hits, *joined, *misses, *renewed, *evicted, *entries, *bytes;
};

static struct series *result_new(struct metric *metric, const char *result)
{
    const str values[] = {str_from(result)};
    return metric_series(metric, values);
}

static void add_cache(struct measures *measures, struct metrics *metrics)
{
    struct metric *requests = metric_add(metrics, &cache_spec);
    measures->hits          = result_new(requests, "hit");
    measures->joined        = result_new(requests, "joined");
    measures->misses        = result_new(requests, "miss");
    measures->renewed       = metric_series(metric_add(metrics, &renewed_spec), NULL);
    measures->evicted       = metric_series(metric_add(metrics, &evicted_spec), NULL);
    measures->entries       = metric_series(metric_add(metrics, &entries_spec), NULL);
    measures->bytes         = metric_series(metric_add(metrics, &bytes_spec), NULL);
}

struct measures *measures_new(struct metrics *metrics)
{
    struct measures *measures = mem_new(1, sizeof *measures);
    measures->calls           = metric_add(metrics, &calls_spec);
    measures->durations       = metric_add(metrics, &duration_spec);
    add_cache(measures, metrics);
    return measures;
}

void measures_freep(struct measures **measures)
{
    free(*measures);
    *measures = NULL;
}

void measures_call(struct measures *measures, const char *tool, const char *outcome,
                   int64_t duration_ms)
{
    const str values[] = {str_from(tool), str_from(outcome)};
    series_inc(metric_series(measures->calls, values));
    series_observe(metric_series(measures->durations, values), (double)duration_ms / 1000);
}

static void catch_up(struct series *series, uint64_t total)
{
    series_add(series, (double)total - series_value(series));
}

void measures_cache(struct measures *measures, const struct call_cache *cache)
{
    const struct call_cache_stats stats = call_cache_stats(cache);
    catch_up(measures->hits, stats.hits);
    catch_up(measures->joined, stats.shared);
    catch_up(measures->misses, stats.misses);
    catch_up(measures->renewed, stats.renewed);
    catch_up(measures->evicted, stats.evicted);
    series_set(measures->entries, (double)stats.entries);
    series_set(measures->bytes, (double)stats.bytes);
}
