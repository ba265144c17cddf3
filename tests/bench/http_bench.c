/*
 * What the HTTP client asks: requests per second of one loop against a server that is there.
 *
 *     httpd_bench serve 18080 &
 *     http_bench http://127.0.0.1:18080/ [outstanding] [requests] [--json]     64 and 200000
 *
 * CPU is the client's alone. The server shares the machine.
 */
#include "base/assert.h"
#include "base/clock.h"
#include "base/mem.h"
#include "http/http.h"
#include "http/url.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

enum { OUTSTANDING_MAX = HTTP_CALLS_MAX, REQUESTS_MAX = 10'000'000 };

struct bench {
    struct loop *loop;
    struct http_client *client;
    struct http_request request;
    unsigned long requests, started, done, failed;
    int64_t *times_us;
};

struct caller {
    struct bench *bench;
    int64_t begin_us;
};

static void call(struct caller *caller);

static void on_done(const struct http_result *result, void *context)
{
    struct caller *caller          = context;
    struct bench *bench            = caller->bench;
    bench->times_us[bench->done++] = clock_mono_us() - caller->begin_us;
    if (result->code != STATUS_OK && bench->failed++ == 0) {
        (void)fprintf(stderr, "http_bench: %s\n", result->error.text);
    }
    if (bench->started < bench->requests) call(caller);
    if (bench->done == bench->requests) loop_stop(bench->loop);
}

static void call(struct caller *caller)
{
    const struct http_handlers handlers = {.on_done = on_done, .context = caller};
    struct error error;
    caller->begin_us = clock_mono_us();
    caller->bench->started++;
    if (http_call_start(caller->bench->client, &caller->bench->request, &handlers, NULL, &error) ==
        STATUS_OK) {
        return;
    }
    (void)fprintf(stderr, "http_bench: %s\n", error.text);
    exit(1);
}

static int compare_times(const void *a, const void *b)
{
    int64_t x = *(const int64_t *)a;
    int64_t y = *(const int64_t *)b;
    return (x > y) - (x < y);
}

static double cpu_us(void)
{
    struct rusage usage;
    int failed = getrusage(RUSAGE_SELF, &usage);
    ASSERT(failed == 0);
    return (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) * 1e6 +
           (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec);
}

static void run(struct bench *bench, unsigned long outstanding, bool is_json)
{
    struct caller *callers = mem_new(outstanding, sizeof *callers);
    int64_t begin_us       = clock_mono_us();
    double begin_cpu_us    = cpu_us();
    for (unsigned long i = 0; i < outstanding && i < bench->requests; i++) {
        callers[i].bench = bench;
        call(&callers[i]);
    }
    loop_run(bench->loop);

    double took_us = (double)(clock_mono_us() - begin_us);
    double count   = (double)bench->done;
    double cpu     = (cpu_us() - begin_cpu_us) / count;
    qsort(bench->times_us, bench->done, sizeof bench->times_us[0], compare_times);
    long long p50_us = bench->times_us[bench->done / 2];
    long long p99_us = bench->times_us[bench->done * 99 / 100];
    if (is_json) {
        (void)printf("{\"outstanding\":%lu,\"per_second\":%.0f,\"p50_us\":%lld,\"p99_us\":%lld,"
                     "\"cpu_us\":%.1f,\"failed\":%lu}\n",
                     outstanding, count * 1e6 / took_us, p50_us, p99_us, cpu, bench->failed);
    } else {
        (void)printf("%lu outstanding: %.0f requests/s, p50 %lld us, p99 %lld us, "
                     "%.1f us CPU of the client each, %lu failed\n",
                     outstanding, count * 1e6 / took_us, p50_us, p99_us, cpu, bench->failed);
    }
    free(callers);
}

static unsigned long argument(int argc, char **argv, int at, unsigned long otherwise,
                              unsigned long max)
{
    unsigned long value = argc > at ? strtoul(argv[at], NULL, 10) : otherwise;
    return value == 0 ? 1 : value < max ? value : max;
}

int main(int argc, char **argv)
{
    bool is_json = argc > 2 && strcmp(argv[argc - 1], "--json") == 0;
    if (is_json) argc--;
    struct url url;
    struct bench bench = {};
    if (argc < 2 || !url_parse(str_from(argv[1]), &url)) {
        (void)fprintf(stderr, "usage: http_bench URL [outstanding] [requests] [--json]\n");
        return 2;
    }
    unsigned long outstanding = argument(argc, argv, 2, 64, OUTSTANDING_MAX);
    bench.requests            = argument(argc, argv, 3, 200'000, REQUESTS_MAX);
    bench.times_us            = mem_new(bench.requests, sizeof bench.times_us[0]);
    bench.request = (struct http_request){.url = str_from(argv[1]), .allow_private = true};

    char *host                            = mem_dup(url.host.ptr, url.host.len);
    const char *const http_allow[]        = {host, NULL};
    static const char *const everywhere[] = {"0.0.0.0/0", "::/0", NULL};
    const struct egress_options egress    = {.private_allow = everywhere, .http_allow = http_allow};
    CLEANUP(egress_rules_freep) struct egress_rules *rules = NULL;
    struct error error                                     = {};
    status code = egress_rules_new(&egress, &rules, &error);
    if (code == STATUS_OK) code = http_init(&error);
    if (code == STATUS_OK) code = loop_new(NULL, &bench.loop, &error);
    const struct http_client_options options = {
        .loop                 = bench.loop,
        .egress               = rules,
        .host_connections_max = (unsigned)outstanding,
    };
    if (code == STATUS_OK) code = http_client_new(&options, &bench.client, &error);
    if (code != STATUS_OK) {
        (void)fprintf(stderr, "http_bench: %s\n", error.text);
        return 1;
    }
    run(&bench, outstanding, is_json);
    http_client_free(bench.client);
    loop_free(bench.loop);
    free(bench.times_us);
    free(host);
    return bench.failed > 0;
}
