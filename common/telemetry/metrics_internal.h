/* metrics_internal: what the registry and its writer share. */
#ifndef TELEMETRY_METRICS_INTERNAL_H
#define TELEMETRY_METRICS_INTERNAL_H

#include "base/map.h"
#include "telemetry/metrics.h"

#include <pthread.h>
#include <stdatomic.h>

/** The bounds of a kind of buckets, as numbers and as the text of the label `le`. */
struct bucket_bounds {
    size_t count;
    double bounds[METRIC_BUCKETS_MAX];
    const char *texts[METRIC_BUCKETS_MAX];
};

const struct bucket_bounds *bucket_bounds(enum metric_buckets buckets);

/** One combination of label values. Only its numbers change once it is in the list. */
struct series {
    const struct metric *metric;
    struct series *next;
    str values[METRIC_LABELS_MAX]; /* owned, each with a NUL behind it */
    _Atomic double value;          /* of a histogram: the sum of all observations */
    atomic_uint_fast64_t *counts;  /* of a histogram: one per bound and one above; owned */
};

struct metric {
    struct metrics *metrics;
    struct metric_spec spec;
    size_t label_count;
    /* under the mutex of the registry: */
    struct map *by_values;
    struct series *newest; /* a list that only grows at its front, so readers need no lock */
    size_t series_count;
    /* without it: */
    _Atomic(struct series *) recent; /* asked for last: most ask for the same again */
};

struct metrics_hook {
    metrics_hook_fn *sample;
    void *context;
};

struct metrics {
    pthread_mutex_t mutex;             /* guards series look-up and hooks */
    struct metric *items[METRICS_MAX]; /* sorted by name */
    size_t count;
    struct metrics_hook hooks[METRICS_HOOKS_MAX];
    size_t hook_count;
};

/** Sets a number whatever its kind: for counters that the kernel counts. */
void series_store(struct series *series, double value);

#endif
