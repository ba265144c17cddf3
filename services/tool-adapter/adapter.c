#include "tool-adapter/adapter.h"

#include "base/assert.h"
#include "base/hash.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/process.h"
#include "base/random.h"
#include "document.pb-c.h"
#include "http/http.h"
#include "telemetry/telemetry.h"
#include "tool-adapter/browser/pictures.h"
#include "tool-adapter/browser/runs.h"
#include "tool-adapter/call/call_cache.h"
#include "tool-adapter/call/measures.h"
#include "tool-adapter/call/tool_service.h"
#include "tool-adapter/connections/retired.h"
#include "tool-adapter/connections/shared_limits.h"
#include "tool-adapter/connections/toolbox.h"
#include "tool-adapter/files/file_desk.h"
#include "tool-adapter/http/document_service.h"
#include "tool-adapter/jobs/jobs.h"
#include "tool-adapter/mail/mail.h"
#include "tool-adapter/modules.h"
#include "tool-adapter/peers/mcp_engine.h"
#include "tool-adapter/web/web.h"
#include "tool.pb-c.h"
#include "worker/host.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <unistd.h>

enum {
    ENGINES_MAX   = 8,
    QUEUES_MAX    = 3,
    WORK_THREADS  = 2,       /* for pages */
    MAIL_THREADS  = 4,       /* mails that leave at once */
    FINDINGS_SIZE = 1 << 20, /* bytes of what is wrong with the configuration */
};

struct adapter {
    struct options options;
    uint8_t audit_key[SHA256_SIZE]; /* as of struct writes_of */
    struct metrics *metrics;
    struct measures *measures;
    struct telemetry *telemetry;
    struct loop *loop;
    struct egress_rules *egress;
    struct http_client *http;
    struct toolbox *toolbox;
    _Atomic(struct toolbox *) incoming; /* read anew, and not in use yet */
    uint64_t generation;                /* of the toolbox that was made last */
    struct retired *retired;            /* toolboxes of calls that were under way then */
    struct shared_limits *limits;
    struct work_pool *pool;
    struct hosts *hosts;
    struct browser *browser;
    struct web *web;
    struct engine engines[ENGINES_MAX + 1]; /* ends with one whose start is NULL */
    struct tokens *tokens;
    struct mcp_client *mcp;
    struct stdio_servers *stdio_servers;
    struct mcp_stdio *stdio;
    struct mcp_means mcp_means;
    struct work_pool *mail_pool;
    struct mail mail;
    struct media_types *media_types;
    struct file_desk *files;
    struct call_cache *cache;
    struct tool_jobs *tools;
    struct jobs *jobs;
    struct modules *modules;
    const char *queues[QUEUES_MAX + 1]; /* ends with NULL */
    struct worker_host *worker;
    struct document_service *documents;
    struct tool_service *calls;
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

    const struct egress_options options = {
        .private_allow = networks, .http_allow = hosts, .section = "tools.egress"};
    status code = egress_rules_new(&options, &adapter->egress, reterr);
    free(networks);
    free(hosts);
    return code;
}

static status make_http(struct adapter *adapter, struct error *reterr)
{
    TRY(make_egress(adapter, reterr));
    TRY(loop_new(NULL, &adapter->loop, reterr));
    adapter->retired = retired_new(adapter->loop);
    telemetry_watch_loop(adapter->telemetry, "loop", adapter->loop);
    const char **rewrites                    = list_new(&adapter->options.rewrite);
    const struct http_client_options options = {.loop     = adapter->loop,
                                                .egress   = adapter->egress,
                                                .ca_file  = adapter->options.ca_file,
                                                .rewrites = rewrites};
    status code                              = http_client_new(&options, &adapter->http, reterr);
    free(rewrites);
    return code;
}

static status make_toolbox(struct adapter *adapter, const struct options *given,
                           const struct config *config, struct toolbox **ret_toolbox,
                           struct error *reterr)
{
    CLEANUP(arena_freep) struct arena *arena        = arena_new(FINDINGS_SIZE);
    CLEANUP(toolbox_unrefp) struct toolbox *toolbox = NULL;
    struct diagnostics *list                        = arena ? diagnostics_new(arena) : NULL;
    const struct toolbox_options options            = {.adapters_dir = given->adapters_dir,
                                                       .connections  = given->connections,
                                                       .config       = config,
                                                       .generation   = ++adapter->generation};
    if (!list) return fail(reterr, STATUS_RESOURCE_EXHAUSTED, "no memory");
    if (!adapter->stdio_servers) {
        adapter->stdio_servers = stdio_servers_new(config, given->stdio_servers, list);
    }
    stdio_servers_check(adapter->stdio_servers, given->connections, config, list);
    TRY(toolbox_new(&options, list, &toolbox, reterr));
    config_print_findings("tutti-tool-adapter", config_sources_of(config)->file, list);
    if (list->errors > 0) {
        return fail(reterr, STATUS_INVALID_ARGUMENT,
                    "tools.connections or tools.mcp.stdio cannot be used");
    }
    *ret_toolbox = TAKE(toolbox);
    return STATUS_OK;
}

static void note_faults(struct adapter *adapter)
{
    bool has_faults = toolbox_faults(adapter->toolbox) > 0;
    telemetry_set_note(adapter->telemetry,
                       has_faults ? "a manifest is faulty, so its adapter is not there: see the log"
                                  : NULL);
}

static void make_web(struct adapter *adapter)
{
    const struct options *given = &adapter->options;
    adapter->hosts =
        hosts_new(adapter->loop, adapter->http, shared_limits_tollgates(adapter->limits));

    const struct browser_options browser = {.loop        = adapter->loop,
                                            .pool        = adapter->pool,
                                            .http        = adapter->http,
                                            .hosts       = adapter->hosts,
                                            .path        = given->browser_path,
                                            .folder      = given->browser_folder,
                                            .has_sandbox = given->browser_sandbox,
                                            .is_root     = geteuid() == 0,
                                            .pages       = given->browser_pages > 0
                                                               ? (unsigned)given->browser_pages
                                                               : (unsigned)process_cpu_count(),
                                            .memory_max  = given->browser_memory};
    adapter->browser                     = browser_new(&browser);

    const struct visit_means means = {.loop    = adapter->loop,
                                      .http    = adapter->http,
                                      .pool    = adapter->pool,
                                      .hosts   = adapter->hosts,
                                      .browser = adapter->browser};
    adapter->web                   = web_new(&means);
}

static status make_engines(struct adapter *adapter, struct error *reterr)
{
    TRY(modules_start(&adapter->options, adapter->loop, &adapter->modules, reterr));
    size_t count = modules_engines(adapter->modules, adapter->engines);
    TRY(work_pool_new(adapter->loop, WORK_THREADS, &adapter->pool, reterr));
    TRY(work_pool_new(adapter->loop, MAIL_THREADS, &adapter->mail_pool, reterr));
    adapter->tokens    = tokens_new(adapter->http, adapter->loop);
    adapter->mcp       = mcp_client_new(adapter->http, adapter->loop, adapter->tokens);
    adapter->stdio     = mcp_stdio_new(adapter->stdio_servers, adapter->loop);
    adapter->mcp_means = (struct mcp_means){.client = adapter->mcp, .stdio = adapter->stdio};
    make_web(adapter);
    adapter->engines[count++] = web_engine(adapter->web);
    adapter->engines[count++] = runs_engine(adapter->browser); /* before the rest of its kind */
    adapter->engines[count++] = pictures_engine(adapter->browser);
    mail_init(&adapter->mail, adapter->mail_pool, adapter->egress, adapter->options.ca_file);
    adapter->engines[count++] = (struct engine){
        .kind = REQUEST_SMTP, .start = mail_start, .cancel = module_cancel, .self = &adapter->mail};
    adapter->engines[count++] = mcp_engine(&adapter->mcp_means);
    ASSERT(count <= ENGINES_MAX);
    return STATUS_OK;
}

static status make_files(struct adapter *adapter, struct error *reterr)
{
    const struct config_files *given = &adapter->options.files;
    TRY(media_types_new(given->types.items, given->types.count, &adapter->media_types, reterr));
    const struct file_desk_options options = {
        .loop = adapter->loop, .types = adapter->media_types, .size_max = given->size_max};
    adapter->files = file_desk_new(&options);
    return STATUS_OK;
}

static struct exchange_means means_of(const struct adapter *adapter)
{
    return (struct exchange_means){.http      = adapter->http,
                                   .loop      = adapter->loop,
                                   .engines   = adapter->engines,
                                   .audit_key = adapter->audit_key,
                                   .cache     = adapter->cache,
                                   .embedding = modules_embed_desk(adapter->modules),
                                   .files     = adapter->files,
                                   .limits    = adapter->limits,
                                   .tokens    = adapter->tokens};
}

/* The same for all of them that share the secret of the suite; without one, of this process. */
static void make_audit_key(struct adapter *adapter)
{
    static const char about[] = "parameters in the audit log";
    str token                 = adapter->options.rpc.token.value;
    random_bytes(adapter->audit_key, sizeof adapter->audit_key);
    if (token.len == 0) return;
    hmac_sha256(bytes_from(token), (bytes){about, sizeof about - 1}, adapter->audit_key);
}

static void make_jobs(struct adapter *adapter)
{
    make_audit_key(adapter);
    adapter->cache                       = call_cache_new(CALL_CACHE_SIZE_MAX);
    const struct tool_jobs_options tools = {
        .means = means_of(adapter), .toolbox = adapter->toolbox, .measures = adapter->measures};
    adapter->tools                 = tool_jobs_new(&tools);
    const struct jobs_options jobs = {.http      = adapter->http,
                                      .loop      = adapter->loop,
                                      .measures  = adapter->measures,
                                      .tools     = adapter->tools,
                                      .files     = adapter->files,
                                      .tokens    = adapter->tokens,
                                      .audit_key = adapter->audit_key,
                                      .mcp       = adapter->mcp,
                                      .stdio     = adapter->stdio};
    adapter->jobs                  = jobs_new(&jobs);
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
    size_t queues             = 0;
    adapter->queues[queues++] = "tools";
    adapter->queues[queues++] = "tools.settle";
    adapter->queues[queues++] = "tools.webhooks";
    if (adapter->options.memory_path) adapter->queues[queues++] = "tools.memory";

    const struct options *given             = &adapter->options;
    const struct worker_host_options worker = {.service   = "tool-adapter",
                                               .kind      = "tools",
                                               .queues    = adapter->queues,
                                               .scheduler = given->scheduler,
                                               .name      = given->name,
                                               .rpc       = &given->rpc,
                                               .slots     = given->slots,
                                               .lease_ms  = given->lease_ms,
                                               .functions = toolbox_functions(adapter->toolbox),
                                               .loop      = adapter->loop,
                                               .run       = run_job,
                                               .cancel    = cancel_job,
                                               .ready     = on_ready,
                                               .context   = adapter};
    TRY(worker_host_start(&worker, &adapter->worker, reterr));
    file_desk_open(adapter->files, worker_host_client(adapter->worker));
    shared_limits_use(adapter->limits, adapter->toolbox);
    shared_limits_open(adapter->limits, worker_host_client(adapter->worker),
                       worker_host_name(adapter->worker));
    return STATUS_OK;
}

static status start_server(struct adapter *adapter, struct error *reterr)
{
    const struct options *given = &adapter->options;
    if (!given->listen || !*given->listen) return STATUS_OK;
    adapter->documents                      = document_service_new(adapter->http, adapter->loop);
    const struct tool_service_options calls = {
        .means = means_of(adapter), .toolbox = adapter->toolbox, .measures = adapter->measures};
    adapter->calls                          = tool_service_new(&calls);
    const struct rpc_service services[]     = {{.descriptor = &pb__documents__descriptor,
                                                .methods    = document_service_methods,
                                                .context    = adapter->documents},
                                               {.descriptor = &pb__tools__descriptor,
                                                .methods    = tool_service_methods,
                                                .context    = adapter->calls},
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

status adapter_start(const struct options *options, const struct config *config,
                     struct adapter **ret_adapter, struct error *reterr)
{
    CLEANUP(adapter_stopp) struct adapter *adapter = mem_new(1, sizeof *adapter);
    adapter->options                               = *options;
    TRY(start_telemetry(adapter, reterr));
    TRY(make_http(adapter, reterr));
    adapter->limits = shared_limits_new(adapter->loop);
    TRY(make_toolbox(adapter, options, config, &adapter->toolbox, reterr));
    note_faults(adapter);
    TRY(make_engines(adapter, reterr));
    TRY(make_files(adapter, reterr));
    make_jobs(adapter);
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

/* --- another configuration ---------------------------------------------------------------------
 */

static void on_reload(void *context)
{
    struct adapter *adapter = context;
    struct toolbox *toolbox = atomic_exchange(&adapter->incoming, NULL);
    if (!toolbox) return; /* there were two, and the second one came with the first */
    tool_jobs_use(adapter->tools, toolbox);
    shared_limits_use(adapter->limits, toolbox);
    if (adapter->calls) tool_service_use(adapter->calls, toolbox);
    worker_host_use_functions(adapter->worker, toolbox_functions(toolbox));
    retired_add(adapter->retired, adapter->toolbox);
    adapter->toolbox = toolbox;
    telemetry_set_note(adapter->telemetry, NULL);
    log_write(LOG_INFO, "manifests and connections were read anew");
}

void adapter_refuse_reload(struct adapter *adapter, const char *text)
{
    telemetry_set_note(adapter->telemetry,
                       "the configuration has mistakes, so the one before holds: see the log");
    log_write(LOG_ERROR, "the configuration was not read anew, the one before holds",
              LOG_STR("error.message", str_from(text)));
}

void adapter_reload(struct adapter *adapter, const struct options *options,
                    const struct config *config)
{
    CLEANUP(toolbox_unrefp) struct toolbox *toolbox = NULL;
    struct error error                              = {};
    if (make_toolbox(adapter, options, config, &toolbox, &error) != STATUS_OK) {
        adapter_refuse_reload(adapter, error.text);
        return;
    }
    if (toolbox_faults(toolbox) > 0) {
        adapter_refuse_reload(adapter, "a manifest of tools.adapters_dir is faulty");
        return;
    }
    toolbox_unref(atomic_exchange(&adapter->incoming, TAKE(toolbox)));
    if (loop_post(adapter->loop, on_reload, adapter) == STATUS_OK) return;
    toolbox_unref(atomic_exchange(&adapter->incoming, NULL));
    adapter_refuse_reload(adapter, "the loop is overloaded: send SIGHUP again");
}

/* --- the end -----------------------------------------------------------------------------------
 */

/* Farewells to servers of MCP. */
static size_t count_farewells(void *context)
{
    struct adapter *adapter = context;
    return mcp_client_leave(adapter->mcp);
}

static void drain(struct adapter *adapter)
{
    const struct worker_host_drain how = {
        .limit_ms = adapter->options.drain_ms, .busy = count_farewells, .context = adapter};
    telemetry_set_ready(adapter->telemetry, false, "draining");
    (void)worker_host_drain(adapter->worker, &how); /* what is left comes back by its lease */
}

void adapter_stopp(struct adapter **ref)
{
    struct adapter *adapter = *ref;
    if (!adapter) return;
    if (adapter->is_running) drain(adapter);
    if (adapter->calls) tool_service_drain(adapter->calls);
    rpc_server_stopp(&adapter->server); /* while the loop still answers its calls */
    if (adapter->loop) loop_stop(adapter->loop);
    if (adapter->loop) loop_join(adapter->loop);
    if (adapter->cache) call_cache_close(adapter->cache); /* nobody sets out for who gives up */
    document_service_freep(&adapter->documents);
    tool_service_freep(&adapter->calls);
    tool_jobs_freep(&adapter->tools);
    jobs_freep(&adapter->jobs);
    shared_limits_close(adapter->limits);
    worker_host_freep(&adapter->worker); /* whose jobs they had */
    shared_limits_freep(&adapter->limits);
    file_desk_freep(&adapter->files);
    media_types_freep(&adapter->media_types);
    work_pool_freep(&adapter->mail_pool); /* nobody waits for its works any more */
    modules_stopp(&adapter->modules);
    call_cache_freep(&adapter->cache);
    retired_freep(&adapter->retired);
    toolbox_unrefp(&adapter->toolbox);
    toolbox_unref(atomic_load(&adapter->incoming));
    browser_freep(&adapter->browser); /* has its files removed by the pool */
    work_pool_freep(&adapter->pool);
    web_freep(&adapter->web);
    hosts_freep(&adapter->hosts);
    mcp_stdio_freep(&adapter->stdio);
    mcp_client_freep(&adapter->mcp);
    tokens_freep(&adapter->tokens);
    http_client_freep(&adapter->http);
    egress_rules_free(adapter->egress);
    stdio_servers_freep(&adapter->stdio_servers);
    telemetry_stopp(&adapter->telemetry);
    loop_freep(&adapter->loop);
    measures_freep(&adapter->measures);
    metrics_freep(&adapter->metrics);
    free(adapter);
    *ref = NULL;
}
