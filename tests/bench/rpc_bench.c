/*
 * What a call costs: client and server are processes of their own on this machine, a caller starts
 * its next call when the last one is answered, and CPU is that of both processes.
 *
 *   rpc_bench [--json] [--seconds N] [--transport tcp|ipc]
 *
 * Paths: "lanes" are calls of class fast, which share batches; "alone" are calls of class long,
 * which travel one per message. Over tcp every message carries a token.
 */
#include "base/clock.h"
#include "base/process.h"
#include "base/status.h"
#include "echo.pb-c.h"
#include "rpc/rpc.h"
#include "rpc/rpc_client.h"
#include "rpc/rpc_threads.h"

#include <errno.h>
#include <pthread.h>
#include <spawn.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;

enum {
    BUCKETS    = 200'000, /* of 1 us */
    WARM_UP_MS = 300,
};

static const uint8_t secret_key[32] = "a secret that only a bench has.";

/* clang-format off */
static const struct rpc_contract_method bench_contract_methods[] = {
    {"Say",   RPC_FAST,   true,  RPC_BY_ALL},
    {"Write", RPC_COMMIT, false, RPC_BY_ALL},
    {"Park",  RPC_LONG,   true,  RPC_BY_ALL},
    {"Once",  RPC_FAST,   false, RPC_BY_ALL},
    {"Rest",  RPC_FAST,   true,  RPC_BY_ALL},
    {},
};
static const struct rpc_contract_service bench_contract[] = {
    {"tutti.test.Echo", 60, bench_contract_methods},
    {},
};
/* clang-format on */

static int64_t cpu_us(void)
{
    struct rusage usage;
    (void)getrusage(RUSAGE_SELF, &usage);
    return (usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) * INT64_C(1'000'000) +
           usage.ru_utime.tv_usec + usage.ru_stime.tv_usec;
}

static struct rpc_identity identity(const char *service)
{
    return (struct rpc_identity){
        .service      = str_from(service),
        .secrets      = {{.id = 1, .key = {secret_key, sizeof secret_key}}},
        .secret_count = 1,
    };
}

/* --- server ------------------------------------------------------------------------------------
 */

static status echo(struct rpc_call *call, struct error *)
{
    const Test__Saying *request = call->request;
    Test__Saying *response      = call->response;
    response->data              = request->data;
    rpc_reply(call, STATUS_OK, NULL);
    return STATUS_OK;
}

/* How much CPU this process has used. */
static status tell_cpu(struct rpc_call *call, struct error *)
{
    Test__Saying *response = call->response;
    response->number       = (uint64_t)cpu_us();
    rpc_reply(call, STATUS_OK, NULL);
    return STATUS_OK;
}

static const struct rpc_method bench_methods[] = {
    {.name = "Say", .handle = echo},
    {.name = "Park", .handle = echo},
    {.name = "Once", .handle = tell_cpu},
    {},
};

static int serve(const char *url)
{
    struct error error                  = {};
    const struct rpc_service services[] = {{&test__echo__descriptor, bench_methods, NULL}, {}};
    struct rpc_server_options options   = {
          .url      = url,
          .services = services,
          .contract = bench_contract,
          .identity = identity("scheduler"),
          .threads  = rpc_threads_rest(),
    };
    struct rpc_server *server = NULL;
    if (rpc_server_start(&options, &server, &error) != STATUS_OK) {
        (void)fprintf(stderr, "rpc_bench: %s\n", error.text);
        return 1;
    }
    (void)printf("%s %s\n", rpc_server_url(server), rpc_server_long_url(server));
    (void)fflush(stdout);
    (void)getchar(); /* until our starter closes the pipe */
    rpc_server_stopp(&server);
    return 0;
}

/* --- client ------------------------------------------------------------------------------------
 */

struct load {
    struct rpc_client *client;
    const char *method;
    Test__Saying message;
    atomic_bool is_counting;
    atomic_bool is_over;
    atomic_ullong calls;
    atomic_ullong failed;
    atomic_uint running;
    atomic_uint *histogram; /* BUCKETS of 1 us; the last one takes what is above */
    pthread_mutex_t mutex;
    pthread_cond_t changed;
};

struct caller {
    struct load *load;
    int64_t started_us;
};

static void on_answer(const struct rpc_answer *answer, void *context);

static void caller_start(struct caller *caller)
{
    struct load *load                = caller->load;
    struct error error               = {};
    const struct rpc_request request = {
        .service        = &test__echo__descriptor,
        .method         = load->method,
        .message        = &load->message,
        .wait_for_ready = true,
        .done           = on_answer,
        .context        = caller,
    };
    caller->started_us = clock_mono_us();
    if (rpc_client_call(load->client, &request, NULL, &error) != STATUS_OK) {
        (void)fprintf(stderr, "rpc_bench: %s\n", error.text);
        exit(1);
    }
}

static void on_answer(const struct rpc_answer *answer, void *context)
{
    struct caller *caller = context;
    struct load *load     = caller->load;
    if (answer->code != STATUS_OK) atomic_fetch_add(&load->failed, 1);
    if (atomic_load_explicit(&load->is_counting, memory_order_relaxed)) {
        int64_t us = clock_mono_us() - caller->started_us;
        if (us >= BUCKETS) us = BUCKETS - 1;
        atomic_fetch_add_explicit(&load->histogram[us], 1, memory_order_relaxed);
        atomic_fetch_add_explicit(&load->calls, 1, memory_order_relaxed);
    }
    if (!atomic_load_explicit(&load->is_over, memory_order_relaxed)) {
        caller_start(caller);
        return;
    }
    (void)pthread_mutex_lock(&load->mutex);
    atomic_fetch_sub(&load->running, 1);
    (void)pthread_cond_signal(&load->changed);
    (void)pthread_mutex_unlock(&load->mutex);
}

static int64_t percentile_us(const struct load *load, double share)
{
    uint64_t wanted = (uint64_t)((double)atomic_load(&load->calls) * share);
    uint64_t seen   = 0;
    for (int64_t us = 0; us < BUCKETS; us++) {
        seen += atomic_load_explicit(&load->histogram[us], memory_order_relaxed);
        if (seen > wanted) return us;
    }
    return BUCKETS;
}

static int64_t server_cpu_us(struct rpc_client *client)
{
    Test__Saying message             = TEST__SAYING__INIT;
    struct rpc_answer *answer        = NULL;
    struct error error               = {};
    const struct rpc_request request = {
        .service        = &test__echo__descriptor,
        .method         = "Once",
        .message        = &message,
        .wait_for_ready = true,
    };
    if (rpc_client_ask(client, &request, &answer, &error) != STATUS_OK) {
        (void)fprintf(stderr, "rpc_bench: %s\n", error.text);
        exit(1);
    }
    int64_t us = (int64_t)((const Test__Saying *)answer->message)->number;
    rpc_answer_free(answer);
    return us;
}

static void wait_ms(int64_t ms)
{
    struct timespec left = {(time_t)(ms / 1000), (long)(ms % 1000) * 1'000'000};
    while (nanosleep(&left, &left) != 0 && errno == EINTR) {
    }
}

static void run_load(struct load *load, unsigned outstanding, int64_t seconds)
{
    struct caller *callers = calloc(outstanding, sizeof *callers);
    if (!callers) exit(1);
    atomic_store(&load->running, outstanding);
    for (unsigned i = 0; i < outstanding; i++) {
        callers[i].load = load;
        caller_start(&callers[i]);
    }
    wait_ms(WARM_UP_MS);
    struct rpc_client_stats before;
    struct rpc_client_stats after;
    int64_t server_us = server_cpu_us(load->client);
    int64_t client_us = cpu_us();
    int64_t start_us  = clock_mono_us();
    rpc_client_stats(load->client, &before);
    atomic_store(&load->is_counting, true);
    wait_ms(seconds * 1000);
    atomic_store(&load->is_counting, false);
    rpc_client_stats(load->client, &after);
    double wall_us = (double)(clock_mono_us() - start_us);
    client_us      = cpu_us() - client_us;
    server_us      = server_cpu_us(load->client) - server_us;
    atomic_store(&load->is_over, true);
    (void)pthread_mutex_lock(&load->mutex);
    while (atomic_load(&load->running) > 0) {
        (void)pthread_cond_wait(&load->changed, &load->mutex);
    }
    (void)pthread_mutex_unlock(&load->mutex);
    free(callers);

    double calls = (double)atomic_load(&load->calls);
    (void)printf("%.0f %lld %lld %.2f %.1f %llu\n", calls * 1e6 / wall_us,
                 (long long)percentile_us(load, 0.5), (long long)percentile_us(load, 0.99),
                 (double)(client_us + server_us) / calls,
                 (double)(after.calls - before.calls) / (double)(after.messages - before.messages),
                 (unsigned long long)atomic_load(&load->failed));
}

static int call(const char *endpoint, const char *method, unsigned outstanding, size_t size,
                int64_t seconds)
{
    static const ProtobufCServiceDescriptor *const called[] = {&test__echo__descriptor, NULL};
    struct error error                                      = {};
    struct rpc_client_options options                       = {
                              .endpoints = endpoint,
                              .services  = called,
                              .contract  = bench_contract,
                              .identity  = identity("gateway"),
    };
    (void)rpc_threads_rest();
    struct load load  = {.method = method, .message = TEST__SAYING__INIT};
    load.histogram    = calloc(BUCKETS, sizeof *load.histogram);
    load.message.data = (ProtobufCBinaryData){size, calloc(1, size)};
    (void)pthread_mutex_init(&load.mutex, NULL);
    (void)pthread_cond_init(&load.changed, NULL);
    if (rpc_client_open(&options, &load.client, &error) != STATUS_OK) {
        (void)fprintf(stderr, "rpc_bench: %s\n", error.text);
        return 1;
    }
    run_load(&load, outstanding, seconds);
    rpc_client_closep(&load.client);
    free(load.message.data.data);
    free(load.histogram);
    return 0;
}

/* --- the one who starts both -------------------------------------------------------------------
 */

struct program {
    pid_t pid;
    int input; /* its standard input; closed: it ends */
    FILE *output;
};

static struct program start(const char *const *arguments)
{
    int input[2];
    int output[2];
    posix_spawn_file_actions_t actions;
    struct program program = {};
    if (pipe(input) != 0 || pipe(output) != 0) exit(1);
    (void)posix_spawn_file_actions_init(&actions);
    (void)posix_spawn_file_actions_adddup2(&actions, input[0], STDIN_FILENO);
    (void)posix_spawn_file_actions_adddup2(&actions, output[1], STDOUT_FILENO);
    (void)posix_spawn_file_actions_addclose(&actions, input[1]);
    (void)posix_spawn_file_actions_addclose(&actions, output[0]);
    char **list = (char **)(uintptr_t)arguments;
    if (posix_spawn(&program.pid, "/proc/self/exe", &actions, NULL, list, environ) != 0) exit(1);
    (void)posix_spawn_file_actions_destroy(&actions);
    (void)close(input[0]);
    (void)close(output[1]);
    program.input  = input[1];
    program.output = fdopen(output[0], "re");
    if (!program.output) exit(1);
    return program;
}

static void finish(struct program *program)
{
    (void)close(program->input);
    (void)fclose(program->output);
    (void)waitpid(program->pid, NULL, 0);
}

static void measure(const char *transport, const char *path, unsigned outstanding, unsigned size,
                    const char *seconds, bool is_json, bool is_first)
{
    bool is_tcp = strcmp(transport, "tcp") == 0;
    char url[64];
    char endpoint[1'100];
    char outstanding_text[16];
    char size_text[16];
    (void)snprintf(url, sizeof url, is_tcp ? "tcp://127.0.0.1:0" : "ipc:///tmp/rpc_bench.%d",
                   (int)getpid());
    (void)snprintf(outstanding_text, sizeof outstanding_text, "%u", outstanding);
    (void)snprintf(size_text, sizeof size_text, "%u", size);

    const char *server_arguments[] = {"rpc_bench", "--serve", url, NULL};
    struct program server          = start(server_arguments);
    if (!fgets(endpoint, sizeof endpoint, server.output)) exit(1);
    endpoint[strcspn(endpoint, "\n")] = '\0';

    const char *method           = strcmp(path, "lanes") == 0 ? "Say" : "Park";
    const char *call_arguments[] = {"rpc_bench",      "--call",  endpoint, method,
                                    outstanding_text, size_text, seconds,  NULL};
    struct program client        = start(call_arguments);
    double rate;
    double cpu;
    double batch;
    long long p50;
    long long p99;
    unsigned long long failed;
    if (fscanf(client.output, "%lf %lld %lld %lf %lf %llu", &rate, &p50, &p99, &cpu, &batch,
               &failed) != 6) {
        (void)fprintf(stderr, "rpc_bench: no result\n");
        exit(1);
    }
    finish(&client);
    finish(&server);
    if (is_json) {
        (void)printf("%s\n  {\"transport\": \"%s\", \"path\": \"%s\", \"outstanding\": %u, "
                     "\"size_bytes\": %u, \"calls_per_s\": %.0f, \"p50_us\": %lld, "
                     "\"p99_us\": %lld, \"cpu_us_per_call\": %.2f, \"calls_per_message\": %.1f, "
                     "\"failed\": %llu}",
                     is_first ? "" : ",", transport, path, outstanding, size, rate, p50, p99, cpu,
                     batch, failed);
    } else {
        (void)printf("%-4s %-5s %4u x %4u B  %8.0f calls/s  p50 %5lld us  p99 %6lld us  "
                     "%6.2f us CPU  %6.1f calls/message  %llu failed\n",
                     transport, path, outstanding, size, rate, p50, p99, cpu, batch, failed);
    }
    (void)fflush(stdout);
}

static void measure_all(const char *transport, const char *seconds, bool is_json)
{
    static const char *const paths[]     = {"alone", "lanes"};
    static const unsigned sizes[]        = {100, 4'096};
    static const unsigned outstandings[] = {1, 16, 64, 256};
    bool is_first                        = true;
    if (is_json) (void)printf("{\"bench\": \"rpc\", \"rows\": [");
    for (unsigned path = 0; path < 2; path++) {
        for (unsigned size = 0; size < 2; size++) {
            for (unsigned i = 0; i < 4; i++) {
                measure(transport, paths[path], outstandings[i], sizes[size], seconds, is_json,
                        is_first);
                is_first = false;
            }
        }
    }
    if (is_json) (void)printf("\n]}\n");
}

int main(int argc, char **argv)
{
    /* As every service; it brings its sysconf(). */
    if (process_block_signals(NULL) != STATUS_OK) return 1;
    if (argc == 3 && strcmp(argv[1], "--serve") == 0) return serve(argv[2]);
    if (argc == 7 && strcmp(argv[1], "--call") == 0) {
        return call(argv[2], argv[3], (unsigned)strtoul(argv[4], NULL, 10),
                    strtoul(argv[5], NULL, 10), strtoll(argv[6], NULL, 10));
    }
    const char *transport = "tcp";
    const char *seconds   = "2";
    bool is_json          = false;
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--json") == 0) is_json = true;
        if (i + 1 < argc && strcmp(argv[i], "--seconds") == 0) seconds = argv[i + 1];
        if (i + 1 < argc && strcmp(argv[i], "--transport") == 0) transport = argv[i + 1];
    }
    measure_all(transport, seconds, is_json);
    return 0;
}
