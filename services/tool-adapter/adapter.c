#include "tool-adapter/adapter.h"

#include "base/assert.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/process.h"
#include "http/http.h"
#include "system.pb-c.h"
#include "telemetry/telemetry.h"
#include "tool-adapter/jobs.h"
#include "tool-adapter/measures.h"

#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

enum { DRAIN_STEP_MS = 10, HOST_MAX = 256 };

struct adapter {
    struct options options;
    char name[WORKER_NAME_MAX];
    struct metrics *metrics;
    struct measures *measures;
    struct telemetry *telemetry;
    struct loop *loop;
    struct egress_rules *egress;
    struct http_client *http;
    struct rpc_client *scheduler;
    struct jobs *jobs;
    struct worker *worker;
    bool is_running;    /* the loop's thread */
    atomic_size_t busy; /* as the loop saw it last, while draining */
};

static struct rpc_identity identity_of(const struct config_rpc *rpc)
{
    return rpc_identity_of("tool-adapter", rpc->token.value, rpc->token_previous.value);
}

static status start_telemetry(struct adapter *adapter, struct error *reterr)
{
    adapter->metrics = metrics_new();
    metrics_add_process(adapter->metrics, TUTTI_VERSION, "");
    adapter->measures                      = measures_new(adapter->metrics);
    const struct telemetry_options options = {.host    = adapter->options.admin_host,
                                              .port    = (uint16_t)adapter->options.admin_port,
                                              .service = "tool-adapter",
                                              .metrics = adapter->metrics};
    TRY(telemetry_start(&options, &adapter->telemetry, reterr));
    telemetry_set_ready(adapter->telemetry, false, "waits for the scheduler");
    return STATUS_OK;
}

/* Lists of the configuration end with their count, those of the rules with NULL. */
static const char **list_new(const struct config_list *list)
{
    const char **items = mem_new(list->count + 1, sizeof *items);
    for (size_t i = 0; i < list->count; i++) items[i] = list->items[i];
    return items;
}

static status make_egress(struct adapter *adapter, struct error *reterr)
{
    const char **networks = list_new(&adapter->options.private_networks);
    const char **hosts    = list_new(&adapter->options.http_hosts);

    const struct egress_options options = {.private_allow = networks, .http_allow = hosts};
    status code                         = egress_rules_new(&options, &adapter->egress, reterr);
    free(networks);
    free(hosts);
    return code;
}

static status make_http(struct adapter *adapter, struct error *reterr)
{
    TRY(make_egress(adapter, reterr));
    TRY(loop_new(NULL, &adapter->loop, reterr));
    telemetry_watch_loop(adapter->telemetry, "loop", adapter->loop);
    const struct http_client_options options = {.loop = adapter->loop, .egress = adapter->egress};
    TRY(http_client_new(&options, &adapter->http, reterr));
    adapter->jobs = jobs_new(adapter->http, adapter->measures);
    return STATUS_OK;
}

static void name_worker(struct adapter *adapter)
{
    char host[HOST_MAX] = "localhost";
    (void)gethostname(host, sizeof host - 1);
    (void)snprintf(adapter->name, sizeof adapter->name, "tool-adapter@%.40s", host);
    if (!adapter->options.name) return;
    (void)snprintf(adapter->name, sizeof adapter->name, "%s", adapter->options.name);
}

static void on_ready(void *context)
{
    struct adapter *adapter = context;
    telemetry_set_ready(adapter->telemetry, true, NULL);
    process_notify("READY=1");
}

static void run_job(struct worker_job *job, void *context)
{
    struct adapter *adapter = context;
    jobs_run(job, adapter->jobs);
}

static void cancel_job(struct worker_job *job, void *context)
{
    struct adapter *adapter = context;
    jobs_cancel(job, adapter->jobs);
}

static status start_worker(struct adapter *adapter, struct error *reterr)
{
    static const ProtobufCServiceDescriptor *const services[] = {&pb__jobs__descriptor,
                                                                 &pb__system__descriptor, NULL};
    static const char *const queues[]                         = {"tools", NULL};
    const struct rpc_client_options client                    = {
                           .endpoints = adapter->options.scheduler,
                           .choice    = RPC_OWNER,
                           .services  = services,
                           .identity  = identity_of(&adapter->options.rpc),
                           .tls       = {.ca_file       = adapter->options.rpc.ca_file,
                                         .cert_key_file = adapter->options.rpc.cert_key_file}};
    TRY(rpc_client_open(&client, &adapter->scheduler, reterr));
    name_worker(adapter);
    const struct worker_options options = {.loop      = adapter->loop,
                                           .scheduler = adapter->scheduler,
                                           .queues    = queues,
                                           .name      = adapter->name,
                                           .kind      = "tools",
                                           .slots     = (uint32_t)adapter->options.slots,
                                           .lease_ms  = (uint32_t)adapter->options.lease_ms,
                                           .run       = run_job,
                                           .cancel    = cancel_job,
                                           .ready     = on_ready,
                                           .context   = adapter};
    adapter->worker                     = worker_new(&options);
    return STATUS_OK;
}

status adapter_start(const struct options *options, struct adapter **ret_adapter,
                     struct error *reterr)
{
    CLEANUP(adapter_stopp) struct adapter *adapter = mem_new(1, sizeof *adapter);
    adapter->options                               = *options;
    TRY(start_telemetry(adapter, reterr));
    TRY(make_http(adapter, reterr));
    TRY(start_worker(adapter, reterr));
    TRY(loop_start(adapter->loop, "tools", reterr));
    adapter->is_running = true;
    telemetry_set_started(adapter->telemetry);
    log_write(LOG_INFO, "leases jobs of tools",
              LOG_INT("admin_port", telemetry_port(adapter->telemetry)),
              LOG_STR("scheduler", str_from(options->scheduler)),
              LOG_STR("worker", str_from(adapter->name)), LOG_INT("slots", options->slots));
    *ret_adapter = TAKE(adapter);
    return STATUS_OK;
}

static void begin_drain(void *context)
{
    struct adapter *adapter = context;
    worker_drain(adapter->worker);
}

static void count_busy(void *context)
{
    struct adapter *adapter = context;
    atomic_store(&adapter->busy, worker_busy(adapter->worker));
}

static void drain(struct adapter *adapter)
{
    telemetry_set_ready(adapter->telemetry, false, "draining");
    atomic_store(&adapter->busy, 1);
    (void)loop_post(adapter->loop, begin_drain, adapter);
    int64_t until_ms = clock_mono_ms() + adapter->options.drain_ms;
    while (atomic_load(&adapter->busy) > 0 && clock_mono_ms() < until_ms) {
        (void)loop_post(adapter->loop, count_busy, adapter);
        const struct timespec step = {.tv_nsec = DRAIN_STEP_MS * 1'000'000};
        (void)nanosleep(&step, NULL);
    }
}

void adapter_stopp(struct adapter **ref)
{
    struct adapter *adapter = *ref;
    if (!adapter) return;
    if (adapter->is_running) drain(adapter);
    if (adapter->loop) loop_stop(adapter->loop);
    if (adapter->loop) loop_join(adapter->loop);
    if (adapter->worker) worker_stop(adapter->worker);
    rpc_client_closep(&adapter->scheduler);
    /* The last answers were posted to a loop that does not run any more. */
    if (adapter->loop) loop_turn(adapter->loop, 0);
    worker_freep(&adapter->worker);
    jobs_freep(&adapter->jobs);
    http_client_freep(&adapter->http);
    egress_rules_free(adapter->egress);
    telemetry_stopp(&adapter->telemetry);
    loop_freep(&adapter->loop);
    measures_freep(&adapter->measures);
    metrics_freep(&adapter->metrics);
    free(adapter);
    *ref = NULL;
}
