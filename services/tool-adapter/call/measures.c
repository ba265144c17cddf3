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

struct measures {
    struct metric *calls, *durations;
};

struct measures *measures_new(struct metrics *metrics)
{
    struct measures *measures = mem_new(1, sizeof *measures);
    measures->calls           = metric_add(metrics, &calls_spec);
    measures->durations       = metric_add(metrics, &duration_spec);
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
