#include "telemetry/metrics.h"

#include "base/assert.h"
#include "base/attr.h"
#include "base/mem.h"
#include "telemetry/metrics_internal.h"

#include <stdlib.h>
#include <string.h>

enum { KEY_MAX = 4096 /* bytes of all label values of a series */ };

/* clang-format off */
static const struct bucket_bounds all_bounds[] = {
    [METRIC_BUCKETS_REQUEST] = {
        16,
        {0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60},
        {"0.0005", "0.001", "0.0025", "0.005", "0.01", "0.025", "0.05", "0.1", "0.25", "0.5", "1",
         "2.5", "5", "10", "30", "60"},
    },
    [METRIC_BUCKETS_RUN] = {
        12,
        {0.1, 0.5, 1, 5, 15, 60, 300, 900, 3600, 14400, 43200, 86400},
        {"0.1", "0.5", "1", "5", "15", "60", "300", "900", "3600", "14400", "43200", "86400"},
    },
    [METRIC_BUCKETS_COUNT] = {
        13,
        {1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024, 2048, 4096},
        {"1", "2", "4", "8", "16", "32", "64", "128", "256", "512", "1024", "2048", "4096"},
    },
};
/* clang-format on */

const struct bucket_bounds *bucket_bounds(enum metric_buckets buckets)
{
    ASSERT((size_t)buckets < ARRAY_LEN(all_bounds));
    return &all_bounds[buckets];
}

static void lock(struct metrics *metrics)
{
    int failed = pthread_mutex_lock(&metrics->mutex);
    ASSERT(failed == 0);
}

static void unlock(struct metrics *metrics)
{
    int failed = pthread_mutex_unlock(&metrics->mutex);
    ASSERT(failed == 0);
}

struct metrics *metrics_new(void)
{
    struct metrics *metrics = mem_new(1, sizeof *metrics);
    metrics->mutex          = (pthread_mutex_t)PTHREAD_MUTEX_INITIALIZER;
    return metrics;
}

static void series_free(struct series *series)
{
    for (size_t i = 0; i < METRIC_LABELS_MAX; i++) free((char *)(uintptr_t)series->values[i].ptr);
    free(series->counts);
    free(series);
}

void metrics_free(struct metrics *metrics)
{
    if (!metrics) return;
    for (size_t i = 0; i < metrics->count; i++) {
        struct metric *metric = metrics->items[i];
        while (metric->newest) {
            struct series *series = metric->newest;
            metric->newest        = series->next;
            series_free(series);
        }
        map_free(metric->by_values);
        free(metric);
    }
    free(metrics);
}

void metrics_freep(struct metrics **metrics)
{
    metrics_free(*metrics);
    *metrics = NULL;
}

/* --- metrics ---------------------------------------------------------------------------------- */

static bool is_name(const char *name)
{
    if (!(*name >= 'a' && *name <= 'z')) return false;
    for (; *name; name++) {
        bool is_fine =
            (*name >= 'a' && *name <= 'z') || (*name >= '0' && *name <= '9') || *name == '_';
        if (!is_fine) return false;
    }
    return true;
}

static bool ends_with(const char *text, const char *end)
{
    size_t len     = strlen(text);
    size_t end_len = strlen(end);
    return len >= end_len && strcmp(text + len - end_len, end) == 0;
}

struct metric *metric_add(struct metrics *metrics, const struct metric_spec *spec)
{
    ASSERT(is_name(spec->name));
    ASSERT((spec->kind == METRIC_COUNTER) == ends_with(spec->name, "_total"));

    struct metric *metric = mem_new(1, sizeof *metric);
    metric->metrics       = metrics;
    metric->spec          = *spec;
    if (metric->spec.series_max == 0) metric->spec.series_max = METRIC_SERIES_MAX;
    while (metric->label_count < METRIC_LABELS_MAX && spec->labels[metric->label_count]) {
        ASSERT(is_name(spec->labels[metric->label_count]));
        metric->label_count++;
    }
    metric->by_values = map_new(metric->spec.series_max + 1);

    lock(metrics);
    ASSERT(metrics->count < METRICS_MAX);
    size_t at = metrics->count;
    while (at > 0 && strcmp(metrics->items[at - 1]->spec.name, spec->name) > 0) at--;
    ASSERT(at == 0 || strcmp(metrics->items[at - 1]->spec.name, spec->name) != 0);
    for (size_t i = metrics->count; i > at; i--) metrics->items[i] = metrics->items[i - 1];
    metrics->items[at] = metric;
    metrics->count++;
    unlock(metrics);

    if (metric->label_count == 0) (void)metric_series(metric, NULL);
    return metric;
}

void metrics_add_hook(struct metrics *metrics, metrics_hook_fn *sample, void *context)
{
    lock(metrics);
    ASSERT(metrics->hook_count < METRICS_HOOKS_MAX);
    metrics->hooks[metrics->hook_count++] =
        (struct metrics_hook){.sample = sample, .context = context};
    unlock(metrics);
}

/* --- series ----------------------------------------------------------------------------------- */

static struct series *series_new(const struct metric *metric, const str *values)
{
    struct series *series = mem_new(1, sizeof *series);
    series->metric        = metric;
    for (size_t i = 0; i < metric->label_count; i++) {
        series->values[i] =
            (str){.ptr = mem_dup(values[i].ptr, values[i].len), .len = values[i].len};
    }
    if (metric->spec.kind == METRIC_HISTOGRAM) {
        size_t count   = bucket_bounds(metric->spec.buckets)->count + 1;
        series->counts = mem_new(count, sizeof *series->counts);
    }
    return series;
}

/* The values as one key: each with its length before it, so that no two lists look alike. On the
 * stack of the caller: series are looked up for every job. False: it is too long. */
static bool write_key(const struct metric *metric, const str *values, char key[static KEY_MAX],
                      str *ret_key)
{
    size_t len = 0;
    for (size_t i = 0; i < metric->label_count; i++) {
        uint32_t size = (uint32_t)values[i].len;
        if (KEY_MAX - len < sizeof size || values[i].len > KEY_MAX - len - sizeof size) {
            return false;
        }
        memcpy(key + len, &size, sizeof size);
        len += sizeof size;
        if (size > 0) memcpy(key + len, values[i].ptr, size);
        len += size;
    }
    *ret_key = (str){key, len};
    return true;
}

static bool has_values(const struct series *series, const str *values)
{
    for (size_t i = 0; i < series->metric->label_count; i++) {
        if (!str_equal(series->values[i], values[i])) return false;
    }
    return true;
}

/* Under the mutex. */
static struct series *find_or_add(struct metric *metric, const str *values)
{
    static const str other[METRIC_LABELS_MAX] = {
        {"other", 5}, {"other", 5}, {"other", 5}, {"other", 5}};
    char written[KEY_MAX];
    str key       = {};
    bool is_short = write_key(metric, values, written, &key);

    struct series *series = is_short ? map_get(metric->by_values, key) : NULL;
    if (!series && (!is_short || metric->series_count >= metric->spec.series_max)) {
        values = other;
        (void)write_key(metric, values, written, &key);
        series = map_get(metric->by_values, key);
    }
    if (!series) {
        series         = series_new(metric, values);
        series->next   = metric->newest;
        metric->newest = series;
        metric->series_count++;
        bool is_put = map_put(metric->by_values, key, series);
        ASSERT(is_put);
    }
    return series;
}

struct series *metric_series(struct metric *metric, const str *values)
{
    struct series *series = atomic_load(&metric->recent);
    if (series && has_values(series, values)) return series;
    lock(metric->metrics);
    series = find_or_add(metric, values);
    unlock(metric->metrics);
    atomic_store(&metric->recent, series);
    return series;
}

static void add_to(_Atomic double *value, double amount)
{
    double seen = atomic_load_explicit(value, memory_order_relaxed);
    while (!atomic_compare_exchange_weak_explicit(value, &seen, seen + amount, memory_order_relaxed,
                                                  memory_order_relaxed)) {
        /* someone else was faster */
    }
}

void series_add(struct series *series, double amount)
{
    ASSERT(series->metric->spec.kind != METRIC_HISTOGRAM);
    ASSERT(series->metric->spec.kind == METRIC_GAUGE || amount >= 0);
    add_to(&series->value, amount);
}

void series_store(struct series *series, double value)
{
    atomic_store_explicit(&series->value, value, memory_order_relaxed);
}

void series_set(struct series *series, double value)
{
    ASSERT(series->metric->spec.kind == METRIC_GAUGE);
    series_store(series, value);
}

void series_observe(struct series *series, double value)
{
    ASSERT(series->metric->spec.kind == METRIC_HISTOGRAM);
    const struct bucket_bounds *bounds = bucket_bounds(series->metric->spec.buckets);
    size_t at                          = 0;
    while (at < bounds->count && value > bounds->bounds[at]) at++;
    (void)atomic_fetch_add_explicit(&series->counts[at], 1, memory_order_relaxed);
    add_to(&series->value, value);
}

double series_value(const struct series *series)
{
    if (series->metric->spec.kind != METRIC_HISTOGRAM) {
        return atomic_load_explicit(&series->value, memory_order_relaxed);
    }
    uint64_t count = 0;
    size_t buckets = bucket_bounds(series->metric->spec.buckets)->count + 1;
    for (size_t i = 0; i < buckets; i++) {
        count += atomic_load_explicit(&series->counts[i], memory_order_relaxed);
    }
    return (double)count;
}
