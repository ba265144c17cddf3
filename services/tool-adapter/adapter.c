#include "tool-adapter/adapter.h"

#include "base/assert.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/process.h"
#include "document.pb-c.h"
#include "http/http.h"
#include "telemetry/telemetry.h"
#include "tool-adapter/document_service.h"
#include "tool-adapter/jobs.h"
#include "tool-adapter/measures.h"
#include "worker/host.h"

#include <stdlib.h>

struct adapter {
    struct options options;
    struct metrics *metrics;
    struct measures *measures;
    struct telemetry *telemetry;
    struct loop *loop;
    struct egress_rules *egress;
    struct http_client *http;
    struct jobs *jobs;
    struct worker_host *worker;
    struct document_service *documents;
    struct rpc_server *server; /* NULL: nobody asks it for documents */
    bool is_running;           /* the loop's thread */
};

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
    const char **rewrites                    = list_new(&adapter->options.rewrite);
    const struct http_client_options options = {.loop     = adapter->loop,
                                                .egress   = adapter->egress,
                                                .ca_file  = adapter->options.ca_file,
                                                .rewrites = rewrites};
    status code                              = http_client_new(&options, &adapter->http, reterr);
    free(rewrites);
    TRY(code);
    adapter->jobs = jobs_new(adapter->http, adapter->loop, adapter->measures);
    return STATUS_OK;
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
    static const char *const queues[]       = {"tools", "tools.webhooks", NULL};
    const struct options *given             = &adapter->options;
    const struct worker_host_options worker = {.service   = "tool-adapter",
                                               .kind      = "tools",
                                               .queues    = queues,
                                               .scheduler = given->scheduler,
                                               .name      = given->name,
                                               .rpc       = &given->rpc,
                                               .slots     = given->slots,
                                               .lease_ms  = given->lease_ms,
                                               .loop      = adapter->loop,
                                               .run       = run_job,
                                               .cancel    = cancel_job,
                                               .ready     = on_ready,
                                               .context   = adapter};
    return worker_host_start(&worker, &adapter->worker, reterr);
}

static status start_server(struct adapter *adapter, struct error *reterr)
{
    const struct options *given = &adapter->options;
    if (!given->listen || !*given->listen) return STATUS_OK;
    adapter->documents                      = document_service_new(adapter->http, adapter->loop);
    const struct rpc_service services[]     = {{.descriptor = &pb__documents__descriptor,
                                                .methods    = document_service_methods,
                                                .context    = adapter->documents},
                                               {}};
    const struct rpc_server_options options = {
        .url      = given->listen,
        .long_url = given->long_listen,
        .services = services,
        .identity = rpc_identity_of("tool-adapter", given->rpc.token.value,
                                    given->rpc.token_previous.value),
        .tls      = {.ca_file = given->rpc.ca_file, .cert_key_file = given->rpc.cert_key_file}};
    return rpc_server_start(&options, &adapter->server, reterr);
}

status adapter_start(const struct options *options, struct adapter **ret_adapter,
                     struct error *reterr)
{
    CLEANUP(adapter_stopp) struct adapter *adapter = mem_new(1, sizeof *adapter);
    adapter->options                               = *options;
    TRY(start_telemetry(adapter, reterr));
    TRY(make_http(adapter, reterr));
    TRY(start_worker(adapter, reterr));
    TRY(start_server(adapter, reterr));
    TRY(loop_start(adapter->loop, "tools", reterr));
    adapter->is_running = true;
    telemetry_set_started(adapter->telemetry);
    log_write(LOG_INFO, "leases jobs of tools",
              LOG_INT("admin_port", telemetry_port(adapter->telemetry)),
              LOG_STR("scheduler", str_from(options->scheduler)),
              LOG_STR("worker", str_from(worker_host_name(adapter->worker))),
              LOG_INT("slots", options->slots),
              LOG_STR("listen", str_from(adapter->server ? rpc_server_url(adapter->server) : "")));
    *ret_adapter = TAKE(adapter);
    return STATUS_OK;
}

static void drain(struct adapter *adapter)
{
    const struct worker_host_drain how = {.limit_ms = adapter->options.drain_ms};
    telemetry_set_ready(adapter->telemetry, false, "draining");
    (void)worker_host_drain(adapter->worker, &how); /* what is left comes back by its lease */
}

void adapter_stopp(struct adapter **ref)
{
    struct adapter *adapter = *ref;
    if (!adapter) return;
    if (adapter->is_running) drain(adapter);
    rpc_server_stopp(&adapter->server); /* while the loop still answers its calls */
    if (adapter->loop) loop_stop(adapter->loop);
    if (adapter->loop) loop_join(adapter->loop);
    worker_host_freep(&adapter->worker);
    document_service_freep(&adapter->documents);
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
