#include "base/buf.h"
#include "support/cmocka.h"
#include "telemetry/metrics.h"

#include <math.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>

static const struct metric_spec requests = {
    .name   = "tutti_requests_total",
    .help   = "Requests \\ answered.\nReally.",
    .kind   = METRIC_COUNTER,
    .labels = {"route", "code"},
};

static const struct metric_spec depth = {
    .name = "tutti_depth", .help = "Depth.", .kind = METRIC_GAUGE};

static const struct metric_spec wait = {
    .name    = "tutti_wait_seconds",
    .help    = "Wait.",
    .kind    = METRIC_HISTOGRAM,
    .labels  = {"queue"},
    .buckets = METRIC_BUCKETS_RUN,
};

static struct series *series_of(struct metric *metric, const char *first, const char *second)
{
    const str values[] = {str_from(first), str_from(second ? second : "")};
    return metric_series(metric, values);
}

static void test_text(void **state)
{
    (void)state;
    CLEANUP(metrics_freep) struct metrics *metrics = metrics_new();
    struct metric *waits                           = metric_add(metrics, &wait);
    struct metric *counted                         = metric_add(metrics, &requests);
    struct metric *gauge                           = metric_add(metrics, &depth);
    series_add(series_of(counted, "GET /v1/\"runs\"\\\n", "200"), 2);
    series_inc(series_of(counted, "GET /v1/\"runs\"\\\n", "200"));
    series_set(metric_series(gauge, NULL), 0.1);
    series_add(metric_series(gauge, NULL), -2.5);
    struct series *queue = series_of(waits, "llm", NULL);
    series_observe(queue, 0.1); /* a bound is in its bucket */
    series_observe(queue, 0.11);
    series_observe(queue, 86401);
    assert_true(series_value(queue) == 3);

    CLEANUP(buf_done) struct buf text = buf_init(1 << 16);
    assert_true(metrics_write(metrics, &text));
    assert_string_equal(text.ptr, "# HELP tutti_depth Depth.\n"
                                  "# TYPE tutti_depth gauge\n"
                                  "tutti_depth -2.4\n"
                                  "# HELP tutti_requests_total Requests \\\\ answered.\\nReally.\n"
                                  "# TYPE tutti_requests_total counter\n"
                                  "tutti_requests_total{route=\"GET /v1/\\\"runs\\\"\\\\\\n\","
                                  "code=\"200\"} 3\n"
                                  "# HELP tutti_wait_seconds Wait.\n"
                                  "# TYPE tutti_wait_seconds histogram\n"
                                  "tutti_wait_seconds_bucket{queue=\"llm\",le=\"0.1\"} 1\n"
                                  "tutti_wait_seconds_bucket{queue=\"llm\",le=\"0.5\"} 2\n"
                                  "tutti_wait_seconds_bucket{queue=\"llm\",le=\"1\"} 2\n"
                                  "tutti_wait_seconds_bucket{queue=\"llm\",le=\"5\"} 2\n"
                                  "tutti_wait_seconds_bucket{queue=\"llm\",le=\"15\"} 2\n"
                                  "tutti_wait_seconds_bucket{queue=\"llm\",le=\"60\"} 2\n"
                                  "tutti_wait_seconds_bucket{queue=\"llm\",le=\"300\"} 2\n"
                                  "tutti_wait_seconds_bucket{queue=\"llm\",le=\"900\"} 2\n"
                                  "tutti_wait_seconds_bucket{queue=\"llm\",le=\"3600\"} 2\n"
                                  "tutti_wait_seconds_bucket{queue=\"llm\",le=\"14400\"} 2\n"
                                  "tutti_wait_seconds_bucket{queue=\"llm\",le=\"43200\"} 2\n"
                                  "tutti_wait_seconds_bucket{queue=\"llm\",le=\"86400\"} 2\n"
                                  "tutti_wait_seconds_bucket{queue=\"llm\",le=\"+Inf\"} 3\n"
                                  "tutti_wait_seconds_sum{queue=\"llm\"} 86401.21\n"
                                  "tutti_wait_seconds_count{queue=\"llm\"} 3\n");
}

static void test_numbers(void **state)
{
    (void)state;
    static const struct {
        double value;
        const char *text;
    } rows[] = {{0, "0"},
                {1e15, "1e+15"},
                {9007199254740991, "9007199254740991"},
                {0.1 + 0.2, "0.30000000000000004"},
                {-HUGE_VAL, "-Inf"},
                {HUGE_VAL, "+Inf"},
                {(double)NAN, "NaN"}};
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        CLEANUP(metrics_freep) struct metrics *metrics = metrics_new();
        series_set(metric_series(metric_add(metrics, &depth), NULL), rows[i].value);
        CLEANUP(buf_done) struct buf text = buf_init(1000);
        assert_true(metrics_write(metrics, &text));
        char wanted[100];
        (void)snprintf(wanted, sizeof wanted, "\ntutti_depth %s\n", rows[i].text);
        assert_non_null(strstr(text.ptr, wanted));
    }
}

static void test_series_limit(void **state)
{
    (void)state;
    CLEANUP(metrics_freep) struct metrics *metrics = metrics_new();
    struct metric_spec spec                        = requests;
    spec.series_max                                = 2;
    struct metric *metric                          = metric_add(metrics, &spec);
    struct series *first                           = series_of(metric, "a", "b");
    assert_ptr_equal(series_of(metric, "a", "b"), first);
    assert_ptr_not_equal(series_of(metric, "ab", ""), first); /* not the same text joined */
    struct series *other = series_of(metric, "c", "d");
    assert_ptr_equal(series_of(metric, "e", "f"), other);
    assert_ptr_equal(series_of(metric, "a", "b"), first);
    series_inc(other);
    CLEANUP(buf_done) struct buf text = buf_init(10000);
    assert_true(metrics_write(metrics, &text));
    assert_non_null(strstr(text.ptr, "{route=\"other\",code=\"other\"} 1\n"));
    assert_null(strstr(text.ptr, "\"e\""));
}

static void test_text_limit(void **state)
{
    (void)state;
    CLEANUP(metrics_freep) struct metrics *metrics = metrics_new();
    (void)metric_add(metrics, &depth);
    CLEANUP(buf_done) struct buf text = buf_init(20);
    assert_false(metrics_write(metrics, &text));
}

static void sample_depth(void *context)
{
    series_set(context, 42);
}

static void test_hooks_and_process(void **state)
{
    (void)state;
    CLEANUP(metrics_freep) struct metrics *metrics = metrics_new();
    metrics_add_hook(metrics, sample_depth, metric_series(metric_add(metrics, &depth), NULL));
    metrics_add_process(metrics, "1.2.3", "abc");
    CLEANUP(buf_done) struct buf text = buf_init(10000);
    assert_true(metrics_write(metrics, &text));
    assert_non_null(strstr(text.ptr, "\ntutti_depth 42\n"));
    assert_non_null(strstr(text.ptr, "\ntutti_build_info{version=\"1.2.3\",commit=\"abc\"} 1\n"));
    static const char *const positive[] = {"process_cpu_seconds_total", "process_open_fds",
                                           "process_resident_memory_bytes", "process_max_fds",
                                           "process_start_time_seconds"};
    for (size_t i = 0; i < ARRAY_LEN(positive); i++) {
        char start[100];
        (void)snprintf(start, sizeof start, "\n%s ", positive[i]);
        const char *at = strstr(text.ptr, start);
        assert_non_null(at);
        assert_true(at[strlen(start)] != '-');
        assert_true(strncmp(at + strlen(start), "0\n", 2) != 0);
    }
}

enum { ADDS = 20000 };

static void *adder(void *context)
{
    struct metric *metric = context;
    for (int i = 0; i < ADDS; i++) series_inc(series_of(metric, i % 2 ? "x" : "y", "z"));
    return NULL;
}

static void test_threads(void **state)
{
    (void)state;
    CLEANUP(metrics_freep) struct metrics *metrics = metrics_new();
    struct metric *metric                          = metric_add(metrics, &requests);
    pthread_t threads[2];
    for (int i = 0; i < 2; i++) {
        assert_int_equal(pthread_create(&threads[i], NULL, adder, metric), 0);
    }
    CLEANUP(buf_done) struct buf text = buf_init(1 << 16);
    for (int i = 0; i < 100; i++) {
        buf_clear(&text);
        assert_true(metrics_write(metrics, &text));
    }
    for (int i = 0; i < 2; i++) assert_int_equal(pthread_join(threads[i], NULL), 0);
    assert_true(series_value(series_of(metric, "x", "z")) == ADDS);
    assert_true(series_value(series_of(metric, "y", "z")) == ADDS);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_text),         cmocka_unit_test(test_numbers),
        cmocka_unit_test(test_series_limit), cmocka_unit_test(test_text_limit),
        cmocka_unit_test(test_threads),      cmocka_unit_test(test_hooks_and_process),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
