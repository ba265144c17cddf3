/* Prometheus text format 0.0.4 (prometheus.io/docs/instrumenting/exposition_formats). */
#include "base/assert.h"
#include "telemetry/metrics_internal.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

enum { NUMBER_SIZE = 40 };

static void put_number(struct buf *buf, double value)
{
    char text[NUMBER_SIZE];
    if (isnan(value)) {
        (void)buf_put_text(buf, "NaN");
    } else if (isinf(value)) {
        (void)buf_put_text(buf, value > 0 ? "+Inf" : "-Inf");
    } else {
        (void)snprintf(text, sizeof text, "%.15g", value); /* shorter, where that is exact */
        if (strtod(text, NULL) != value) (void)snprintf(text, sizeof text, "%.17g", value);
        (void)buf_put_text(buf, text);
    }
}

static void put_escaped(struct buf *buf, const char *text, bool has_quotes)
{
    for (; *text; text++) {
        if (*text == '\\') {
            (void)buf_put_text(buf, "\\\\");
        } else if (*text == '\n') {
            (void)buf_put_text(buf, "\\n");
        } else if (*text == '"' && has_quotes) {
            (void)buf_put_text(buf, "\\\"");
        } else {
            (void)buf_put_byte(buf, *text);
        }
    }
}

/* name_suffix{label="value",le="bound"}: without braces if there is nothing to put in. */
static void put_series(struct buf *buf, const struct series *series, const char *suffix,
                       const char *bound)
{
    const struct metric *metric = series->metric;
    (void)buf_put_text(buf, metric->spec.name);
    (void)buf_put_text(buf, suffix);
    const char *before = "{";
    for (size_t i = 0; i < metric->label_count; i++) {
        (void)buf_printf(buf, "%s%s=\"", before, metric->spec.labels[i]);
        put_escaped(buf, series->values[i].ptr, true);
        (void)buf_put_byte(buf, '"');
        before = ",";
    }
    if (bound) {
        (void)buf_printf(buf, "%sle=\"%s\"", before, bound);
        before = ",";
    }
    (void)buf_put_text(buf, before[0] == ',' ? "} " : " ");
}

static void put_count(struct buf *buf, const struct series *series, const char *suffix,
                      const char *bound, uint64_t count)
{
    put_series(buf, series, suffix, bound);
    (void)buf_printf(buf, "%" PRIu64 "\n", count);
}

/* Buckets are read one by one while others count, so the total is their sum, not a number that
 * might disagree with them. */
static void put_histogram(struct buf *buf, const struct series *series)
{
    const struct bucket_bounds *bounds = bucket_bounds(series->metric->spec.buckets);
    uint64_t count                     = 0;
    for (size_t i = 0; i <= bounds->count; i++) {
        count += atomic_load_explicit(&series->counts[i], memory_order_relaxed);
        put_count(buf, series, "_bucket", i < bounds->count ? bounds->texts[i] : "+Inf", count);
    }
    put_series(buf, series, "_sum", NULL);
    put_number(buf, atomic_load_explicit(&series->value, memory_order_relaxed));
    (void)buf_put_byte(buf, '\n');
    put_count(buf, series, "_count", NULL, count);
}

static void put_metric(struct buf *buf, const struct metric *metric, const struct series *newest)
{
    static const char *const kinds[] = {
        [METRIC_COUNTER] = "counter", [METRIC_GAUGE] = "gauge", [METRIC_HISTOGRAM] = "histogram"};
    if (!newest) return;
    (void)buf_printf(buf, "# HELP %s ", metric->spec.name);
    put_escaped(buf, metric->spec.help, false);
    (void)buf_printf(buf, "\n# TYPE %s %s\n", metric->spec.name, kinds[metric->spec.kind]);
    for (const struct series *series = newest; series; series = series->next) {
        if (metric->spec.kind == METRIC_HISTOGRAM) {
            put_histogram(buf, series);
            continue;
        }
        put_series(buf, series, "", NULL);
        put_number(buf, series_value(series));
        (void)buf_put_byte(buf, '\n');
    }
}

/* What there is to write at this moment; the lists behind it only grow at their front. */
struct snapshot {
    const struct metric *metrics[METRICS_MAX];
    const struct series *newest[METRICS_MAX];
    size_t count;
};

static void take_snapshot(struct metrics *metrics, struct snapshot *snapshot)
{
    int failed = pthread_mutex_lock(&metrics->mutex);
    ASSERT(failed == 0);
    snapshot->count = metrics->count;
    for (size_t i = 0; i < metrics->count; i++) {
        snapshot->metrics[i] = metrics->items[i];
        snapshot->newest[i]  = metrics->items[i]->newest;
    }
    failed = pthread_mutex_unlock(&metrics->mutex);
    ASSERT(failed == 0);
}

/* Without the mutex, because hooks look up series. */
static void run_hooks(struct metrics *metrics)
{
    struct metrics_hook hooks[METRICS_HOOKS_MAX];
    int failed = pthread_mutex_lock(&metrics->mutex);
    ASSERT(failed == 0);
    size_t count = metrics->hook_count;
    for (size_t i = 0; i < count; i++) hooks[i] = metrics->hooks[i];
    failed = pthread_mutex_unlock(&metrics->mutex);
    ASSERT(failed == 0);
    for (size_t i = 0; i < count; i++) hooks[i].sample(hooks[i].context);
}

bool metrics_write(struct metrics *metrics, struct buf *buf)
{
    run_hooks(metrics);
    struct snapshot snapshot;
    take_snapshot(metrics, &snapshot);
    for (size_t i = 0; i < snapshot.count; i++) {
        put_metric(buf, snapshot.metrics[i], snapshot.newest[i]);
    }
    return !buf->is_full;
}
