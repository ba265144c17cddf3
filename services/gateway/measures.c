#include "gateway/measures.h"

#include "base/mem.h"
#include "gateway/api/api.h"
#include "gateway/events/followers.h"

#include <stdio.h>
#include <stdlib.h>

static const struct metric_spec requests_spec = {
    .name   = "tutti_http_requests_total",
    .help   = "Requests answered.",
    .kind   = METRIC_COUNTER,
    .labels = {"route", "method", "code"},
};
static const struct metric_spec duration_spec = {
    .name    = "tutti_http_request_duration_seconds",
    .help    = "From the first byte of a request to the last byte of its answer.",
    .kind    = METRIC_HISTOGRAM,
    .labels  = {"route", "method"},
    .buckets = METRIC_BUCKETS_REQUEST,
};
static const struct metric_spec sse_spec = {
    .name = "tutti_sse_connections", .help = "Event streams open now.", .kind = METRIC_GAUGE};
static const struct metric_spec dropped_spec = {.name = "tutti_sse_dropped_chunks_total",
                                                .help = "Chunks that slow clients did not get.",
                                                .kind = METRIC_COUNTER};

struct measures {
    struct api *api; /* borrowed */
    struct metric *requests, *durations;
    struct series *sse, *dropped;
    uint64_t dropped_before;
};

static void sample(void *context)
{
    struct measures *measures = context;
    series_set(measures->sse, (double)followers_count(measures->api->followers));
    if (!measures->api->httpd) return;
    uint64_t dropped = httpd_stats(measures->api->httpd).sends_dropped;
    series_add(measures->dropped, (double)(dropped - measures->dropped_before));
    measures->dropped_before = dropped;
}

struct measures *measures_new(struct metrics *metrics, struct api *api)
{
    struct measures *measures = mem_new(1, sizeof *measures);
    measures->api             = api;
    measures->requests        = metric_add(metrics, &requests_spec);
    measures->durations       = metric_add(metrics, &duration_spec);
    measures->sse             = metric_series(metric_add(metrics, &sse_spec), NULL);
    measures->dropped         = metric_series(metric_add(metrics, &dropped_spec), NULL);
    metrics_add_hook(metrics, sample, measures);
    return measures;
}

void measures_freep(struct measures **measures)
{
    free(*measures);
    *measures = NULL;
}

void measures_request(struct measures *measures, const char *route, const char *method,
                      int http_status, int64_t duration_ms)
{
    char code[8];
    (void)snprintf(code, sizeof code, "%d", http_status);
    const str values[] = {str_from(route), str_from(method), str_from(code)};
    series_inc(metric_series(measures->requests, values));
    series_observe(metric_series(measures->durations, values), (double)duration_ms / 1000);
}
