/**
 * metrics: counters, gauges and histograms of a process, as Prometheus reads them.
 *
 * A metric has a name, a kind and the names of its labels; each combination of label values that
 * occurs is a series. Label values must be of a bounded set: never an id, a key or a URL. A metric
 * keeps series_max of them; what comes after is counted in one series whose label values are
 * "other".
 *
 * Threads: everything is for any thread. Changing a series costs one or two atomic additions;
 * metric_series() may take a mutex, so hot code keeps the pointer. Names and labels:
 * docs/reference/metrics.md; text format 0.0.4.
 */
#ifndef TELEMETRY_METRICS_H
#define TELEMETRY_METRICS_H

#include "base/buf.h"
#include "base/str.h"

#include <stddef.h>
#include <stdint.h>

enum {
    METRIC_LABELS_MAX  = 4,
    METRIC_SERIES_MAX  = 1000, /* of one metric, unless its description says less */
    METRIC_BUCKETS_MAX = 24,
    METRICS_MAX        = 256, /* of one registry */
    METRICS_HOOKS_MAX  = 32,
    METRICS_TEXT_MAX   = 16 << 20, /* bytes of one answer */
};

enum metric_kind { METRIC_COUNTER, METRIC_GAUGE, METRIC_HISTOGRAM };

/** Ready-made buckets, in seconds. */
enum metric_buckets {
    METRIC_BUCKETS_REQUEST, /* 0.5 ms to 60 s: requests and commits */
    METRIC_BUCKETS_RUN,     /* 0.1 s to 86400 s: runs */
    METRIC_BUCKETS_COUNT,   /* 1 to 4096 in powers of two: sizes of batches */
};

/** A metric as a constant. All texts are static. */
struct metric_spec {
    const char *name; /* "tutti_http_requests_total" */
    const char *help; /* one sentence */
    enum metric_kind kind;
    const char *labels[METRIC_LABELS_MAX]; /* the rest is NULL */
    enum metric_buckets buckets;           /* of a histogram */
    size_t series_max;                     /* 0: METRIC_SERIES_MAX */
};

struct metrics; /* a registry */
struct metric;
struct series;

/** Owned: metrics_free(), when no thread uses a series of it any more. */
struct metrics *metrics_new(void);
void metrics_free(struct metrics *metrics);
void metrics_freep(struct metrics **metrics);

/** Adds a metric; it lives as long as the registry. One without labels is there at once, at 0.
 * Names are checked by assertion: form, uniqueness, "_total" on counters and on nothing else. */
struct metric *metric_add(struct metrics *metrics, const struct metric_spec *spec);

/** Returns the series of these label values, as many as the metric has labels, in its order; makes
 * it at 0 if it is new. Lives as long as the registry. `values` may be NULL if there are no labels.
 */
struct series *metric_series(struct metric *metric, const str *values);

/** Counters and gauges: adds; a counter never anything negative. */
void series_add(struct series *series, double amount);
static inline void series_inc(struct series *series)
{
    series_add(series, 1);
}

/** Gauges. */
void series_set(struct series *series, double value);

/** Histograms. */
void series_observe(struct series *series, double value);

/** The value of a counter or gauge, the number of observations of a histogram. */
double series_value(const struct series *series);

/** For numbers that are cheaper to ask than to follow: `sample` sets its gauges before each answer.
 * It runs on the listener's thread. */
typedef void metrics_hook_fn(void *context);
void metrics_add_hook(struct metrics *metrics, metrics_hook_fn *sample, void *context);

/** Adds process_* (CPU, memory, descriptors, start time) and tutti_build_info. */
void metrics_add_process(struct metrics *metrics, const char *version, const char *commit);

/** Appends all metrics in text format 0.0.4, sorted by name; false if they do not fit. */
bool metrics_write(struct metrics *metrics, struct buf *buf);

#endif
