#include "llm-proxy/proxy.h"

#include "base/assert.h"
#include "base/mem.h"
#include "base/process.h"
#include "base/random.h"
#include "http/http.h"
#include "llm-proxy/jobs.h"
#include "llm-proxy/llm_service.h"
#include "llm-proxy/measures.h"
#include "llm.pb-c.h"
#include "telemetry/telemetry.h"
#include "worker/host.h"

#include <stdlib.h>

struct proxy {
    struct options options;
    struct metrics *metrics;
    struct measures *measures;
    struct telemetry *telemetry;
    struct loop *loop;
    struct egress_rules *egress;
    struct http_client *http;
    struct guard *guard;
    struct pipeline *pipeline;
    struct jobs *jobs;
    struct worker_host *worker;
    struct llm_service *service;
    struct rpc_server *server;
    bool is_running; /* the loop's thread */
};

static struct rpc_identity identity_of(const struct config_rpc *rpc)
{
    return rpc_identity_of("llm-proxy", rpc->token.value, rpc->token_previous.value);
}

static void on_ready(void *context)
{
    struct proxy *proxy = context;
    telemetry_set_ready(proxy->telemetry, true, NULL);
    process_notify("READY=1");
}

static status start_telemetry(struct proxy *proxy, struct error *reterr)
{
    proxy->metrics = metrics_new();
    metrics_add_process(proxy->metrics, TUTTI_VERSION, "");
    proxy->measures                        = measures_new(proxy->metrics);
    const struct telemetry_options options = {.host    = proxy->options.admin_host,
                                              .port    = (uint16_t)proxy->options.admin_port,
                                              .service = "llm-proxy",
                                              .metrics = proxy->metrics};
    TRY(telemetry_start(&options, &proxy->telemetry, reterr));
    telemetry_set_ready(proxy->telemetry, false, "waits for the scheduler");
    return STATUS_OK;
}

/* Upstreams come from the configuration alone, never from a request or an answer, so what the
 * operator has named is allowed: private addresses, and plain http to the hosts of a base_url. */
static status make_egress(struct proxy *proxy, const struct catalog *catalog, struct error *reterr)
{
    static const char *const networks[]          = {"127.0.0.0/8",    "::1/128",  "10.0.0.0/8",
                                                    "172.16.0.0/12",  "fc00::/7", "100.64.0.0/10",
                                                    "192.168.0.0/16", NULL};
    const char *hosts[CATALOG_PROVIDERS_MAX + 1] = {};
    size_t count                                 = 0;
    for (uint32_t i = 0; i < catalog->provider_count; i++) {
        if (catalog->providers[i].plain_host) hosts[count++] = catalog->providers[i].plain_host;
    }
    const struct egress_options options = {.private_allow = networks, .http_allow = hosts};
    return egress_rules_new(&options, &proxy->egress, reterr);
}

static status make_pipeline(struct proxy *proxy, const struct catalog *catalog,
                            struct error *reterr)
{
    TRY(make_egress(proxy, catalog, reterr));
    TRY(loop_new(NULL, &proxy->loop, reterr));
    telemetry_watch_loop(proxy->telemetry, "loop", proxy->loop);
    const struct http_client_options http = {.loop = proxy->loop, .egress = proxy->egress};
    TRY(http_client_new(&http, &proxy->http, reterr));
    proxy->guard                           = guard_new(proxy->loop, catalog);
    const struct pipeline_options pipeline = {.loop     = proxy->loop,
                                              .catalog  = catalog,
                                              .http     = proxy->http,
                                              .measures = proxy->measures,
                                              .guard    = proxy->guard,
                                              .seed     = random_u64()};
    proxy->pipeline                        = pipeline_new(&pipeline);
    return STATUS_OK;
}

static void run_job(struct worker_job *job, void *context)
{
    struct proxy *proxy = context;
    jobs_run(job, proxy->jobs);
}

static void cancel_job(struct worker_job *job, void *context)
{
    struct proxy *proxy = context;
    jobs_cancel(job, proxy->jobs);
}

static status start_worker(struct proxy *proxy, const struct catalog *catalog, struct error *reterr)
{
    static const char *const queues[]       = {"llm", NULL};
    const struct options *given             = &proxy->options;
    const struct worker_host_options worker = {.service   = "llm-proxy",
                                               .kind      = "llm",
                                               .queues    = queues,
                                               .scheduler = given->scheduler,
                                               .name      = given->name,
                                               .rpc       = &given->rpc,
                                               .slots     = given->slots,
                                               .lease_ms  = given->lease_ms,
                                               .loop      = proxy->loop,
                                               .run       = run_job,
                                               .cancel    = cancel_job,
                                               .ready     = on_ready,
                                               .context   = proxy};
    proxy->jobs                             = jobs_new(proxy->pipeline, catalog);
    TRY(worker_host_start(&worker, &proxy->worker, reterr));
    guard_start(proxy->guard, worker_host_client(proxy->worker), worker_host_name(proxy->worker));
    return STATUS_OK;
}

static status start_server(struct proxy *proxy, const struct catalog *catalog, struct error *reterr)
{
    proxy->service = llm_service_new(proxy->loop, proxy->pipeline, proxy->guard, catalog);
    const struct rpc_service services[]     = {{.descriptor = &pb__llm__descriptor,
                                                .methods    = llm_service_methods,
                                                .context    = proxy->service},
                                               {}};
    const struct rpc_server_options options = {
        .url      = proxy->options.listen,
        .long_url = proxy->options.long_listen,
        .services = services,
        .identity = identity_of(&proxy->options.rpc),
        .tls      = {.ca_file       = proxy->options.rpc.ca_file,
                     .cert_key_file = proxy->options.rpc.cert_key_file}};
    return rpc_server_start(&options, &proxy->server, reterr);
}

status proxy_start(const struct options *options, const struct catalog *catalog,
                   struct proxy **ret_proxy, struct error *reterr)
{
    CLEANUP(proxy_stopp) struct proxy *proxy = mem_new(1, sizeof *proxy);
    proxy->options                           = *options;
    TRY(start_telemetry(proxy, reterr));
    TRY(make_pipeline(proxy, catalog, reterr));
    TRY(start_worker(proxy, catalog, reterr));
    TRY(start_server(proxy, catalog, reterr));
    TRY(loop_start(proxy->loop, "llm", reterr));
    proxy->is_running = true;
    telemetry_set_started(proxy->telemetry);
    log_write(LOG_INFO, "serves models and leases jobs",
              LOG_STR("listen", str_from(rpc_server_url(proxy->server))),
              LOG_INT("admin_port", telemetry_port(proxy->telemetry)),
              LOG_STR("scheduler", str_from(options->scheduler)),
              LOG_STR("worker", str_from(worker_host_name(proxy->worker))),
              LOG_INT("slots", options->slots), LOG_INT("providers", catalog->provider_count),
              LOG_INT("routes", catalog->route_count));
    *ret_proxy = TAKE(proxy);
    return STATUS_OK;
}

/* --- the end -----------------------------------------------------------------------------------
 */

static void begin_drain(void *context)
{
    struct proxy *proxy = context;
    llm_service_drain(proxy->service);
}

static size_t count_busy(void *context)
{
    struct proxy *proxy = context;
    return llm_service_busy(proxy->service) + guard_unsettled(proxy->guard);
}

static void drain(struct proxy *proxy)
{
    const struct worker_host_drain how = {.limit_ms = proxy->options.drain_ms,
                                          .begin    = begin_drain,
                                          .busy     = count_busy,
                                          .context  = proxy};
    telemetry_set_ready(proxy->telemetry, false, "draining");
    (void)worker_host_drain(proxy->worker, &how); /* what is left comes back by its lease */
}

void proxy_stopp(struct proxy **ref)
{
    struct proxy *proxy = *ref;
    if (!proxy) return;
    if (proxy->is_running) drain(proxy);
    rpc_server_stopp(&proxy->server); /* while the loop still answers its calls */
    if (proxy->loop) loop_stop(proxy->loop);
    if (proxy->loop) loop_join(proxy->loop);
    if (proxy->guard) guard_stop(proxy->guard);
    worker_host_close(proxy->worker);
    llm_service_freep(&proxy->service);
    worker_host_freep(&proxy->worker);
    jobs_freep(&proxy->jobs);
    pipeline_freep(&proxy->pipeline);
    guard_freep(&proxy->guard);
    http_client_freep(&proxy->http);
    egress_rules_free(proxy->egress);
    telemetry_stopp(&proxy->telemetry);
    loop_freep(&proxy->loop);
    measures_freep(&proxy->measures);
    metrics_freep(&proxy->metrics);
    free(proxy);
    *ref = NULL;
}
