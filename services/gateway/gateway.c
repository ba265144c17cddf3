#include "gateway/gateway.h"
#include "function.pb-c.h"
#include "job.pb-c.h"

#include "approval.pb-c.h"
#include "assistant.pb-c.h"
#include "audit.pb-c.h"
#include "base/assert.h"
#include "base/clock.h"
#include "base/mem.h"
#include "base/process.h"
#include "base/random.h"
#include "breaker.pb-c.h"
#include "budget.pb-c.h"
#include "call_cache.pb-c.h"
#include "dead_letter.pb-c.h"
#include "document.pb-c.h"
#include "event.pb-c.h"
#include "file.pb-c.h"
#include "gateway/api/audit.h"
#include "gateway/api/key_limits.h"
#include "gateway/events/followers.h"
#include "gateway/events/run_waits.h"
#include "gateway/llm/llm_pull.h"
#include "gateway/mcp/tools.h"
#include "gateway/measures.h"
#include "gateway/server.h"
#include "key.pb-c.h"
#include "limit.pb-c.h"
#include "llm.pb-c.h"
#include "media/media_type.h"
#include "provider_key.pb-c.h"
#include "rpc/rpc_hint.h"
#include "run.pb-c.h"
#include "schedule.pb-c.h"
#include "subscription.pb-c.h"
#include "system.pb-c.h"
#include "telemetry/telemetry.h"
#include "tool.pb-c.h"
#include "usage.pb-c.h"
#include "workflow.pb-c.h"

#include <stdlib.h>
#include <time.h>

enum {
    LOOPS_MAX         = HTTPD_LOOPS_MAX,
    TOPOLOGY_RETRY_MS = 100,
    DRAIN_STEP_MS     = 20,
    AUDIT_DRAIN_MS    = 2'000,
};

struct gateway {
    struct api api;
    struct options options; /* a copy; its texts live as long as the configuration */
    struct loop *loops[LOOPS_MAX];
    struct loop_turn_end flushes[LOOPS_MAX]; /* of the loops: what a turn has called leaves */
    size_t loop_count;
    struct telemetry *telemetry;
    struct metrics *metrics;
    struct measures *measures;
    struct loop_timer topology; /* asks one scheduler after the other until one has answered */
    uint16_t asked;             /* so often */
};

/* --- the scheduler's shape ---------------------------------------------------------------------
 */

static void on_topology(const struct rpc_answer *answer, void *context)
{
    struct gateway *gateway = context;
    if (answer->code != STATUS_OK) return; /* the timer asks again */
    const Pb__TopologyView *topology = answer->message;
    atomic_store(&gateway->api.partitions, topology->partition_count);
    atomic_store(&gateway->api.scheduler_reached, true);
    telemetry_set_ready(gateway->telemetry, true, NULL);
    process_notify("READY=1");
}

static void ask_topology(void *context)
{
    struct gateway *gateway = context;
    if (atomic_load(&gateway->api.scheduler_reached)) return;
    /* Not more partitions: it is not known yet how many there are, and others are nobody's. */
    unsigned processes               = rpc_client_target_count(gateway->api.scheduler);
    Pb__TopologyRequest message      = PB__TOPOLOGY_REQUEST__INIT;
    const struct rpc_request request = {.service   = &pb__system__descriptor,
                                        .method    = "Topology",
                                        .message   = &message,
                                        .partition = (uint16_t)(gateway->asked++ % processes),
                                        .done      = on_topology,
                                        .context   = gateway};
    (void)api_call_scheduler(&gateway->api, &request, NULL);
    struct loop *home = gateway->api.home;
    loop_timer_set(home, &gateway->topology, loop_now_ms(home) + TOPOLOGY_RETRY_MS);
}

/* --- parts -------------------------------------------------------------------------------------
 */

static struct rpc_identity identity_of(const struct config_rpc *rpc)
{
    return rpc_identity_of("gateway", rpc->token.value, rpc->token_previous.value);
}

static struct rpc_tls tls_of(const struct config_rpc *rpc)
{
    return (struct rpc_tls){.ca_file = rpc->ca_file, .cert_key_file = rpc->cert_key_file};
}

static void on_connected(const char *, bool is_up, void *context)
{
    struct gateway *gateway = context;
    if (is_up) run_waits_reconnected(gateway->api.waits);
}

static uint32_t endpoint_count(const char *endpoints)
{
    uint32_t count = 1;
    for (const char *c = endpoints; *c; c++) count += *c == ',';
    return count;
}

/* Any of them may read a document, and call a function. */
static status open_tools(struct gateway *gateway, struct error *reterr)
{
    static const ProtobufCServiceDescriptor *const services[] = {&pb__documents__descriptor,
                                                                 &pb__tools__descriptor, NULL};
    const struct options *options                             = &gateway->options;
    if (!options->tools || !*options->tools) return STATUS_OK;
    const struct rpc_client_options client = {.endpoints = options->tools,
                                              .choice    = RPC_LEAST_BUSY,
                                              .services  = services,
                                              .identity  = identity_of(&options->rpc),
                                              .tls       = tls_of(&options->rpc)};
    return rpc_client_open(&client, &gateway->api.tools, reterr);
}

static status open_clients(struct gateway *gateway, struct error *reterr)
{
    static const ProtobufCServiceDescriptor *const scheduler_services[] = {
        &pb__runs__descriptor,          &pb__workflows__descriptor,     &pb__approvals__descriptor,
        &pb__system__descriptor,        &pb__assistants__descriptor,    &pb__events__descriptor,
        &pb__subscriptions__descriptor, &pb__jobs__descriptor,          &pb__functions__descriptor,
        &pb__dead_letters__descriptor,  &pb__breakers__descriptor,      &pb__call_cache__descriptor,
        &pb__schedules__descriptor,     &pb__limits__descriptor,        &pb__budgets__descriptor,
        &pb__keys__descriptor,          &pb__usages__descriptor,        &pb__files__descriptor,
        &pb__audits__descriptor,        &pb__provider_keys__descriptor, NULL};
    static const ProtobufCServiceDescriptor *const llm_services[] = {&pb__llm__descriptor, NULL};
    const struct options *options                                 = &gateway->options;

    struct rpc_client_options client = {.endpoints = options->scheduler,
                                        .choice    = RPC_OWNER,
                                        .services  = scheduler_services,
                                        .identity  = identity_of(&options->rpc),
                                        .tls       = tls_of(&options->rpc),
                                        .connected = on_connected,
                                        .context   = gateway};
    TRY(media_types_new(options->files.types.items, options->files.types.count,
                        &gateway->api.media_types, reterr));
    gateway->api.file_size_max = options->files.size_max;
    TRY(rpc_client_open(&client, &gateway->api.scheduler, reterr));
    gateway->api.scheduler_count = endpoint_count(options->scheduler);
    if (!options->llm || !*options->llm) return STATUS_OK;

    client.endpoints = options->llm; /* replicas are chosen here: the answer comes from the same */
    client.services  = llm_services;
    client.connected = NULL;
    TRY(rpc_client_open(&client, &gateway->api.llm, reterr));
    uint32_t replicas = endpoint_count(options->llm);
    if (replicas > LLM_REPLICAS_MAX) {
        return fail(reterr, STATUS_INVALID_ARGUMENT, "gateway.llm: over %d endpoints",
                    LLM_REPLICAS_MAX);
    }
    gateway->api.llm_pull = llm_pull_new(&gateway->api, replicas);
    return STATUS_OK;
}

static void on_hint(uint16_t, bytes payload, void *context)
{
    struct gateway *gateway = context;
    Pb__RunHints *hints     = pb__run_hints__unpack(NULL, payload.len, payload.ptr);
    for (size_t i = 0; hints && i < hints->n_keys; i++) {
        identity_forget(gateway->api.keys, hints->keys[i]);
    }
    if (hints) followers_hint(gateway->api.followers, hints);
}

static void on_refresh(enum rpc_refresh_reason, uint64_t, void *context)
{
    struct gateway *gateway = context;
    followers_refresh(gateway->api.followers);
}

static bool on_is_wanted(void *context)
{
    const struct gateway *gateway = context;
    return followers_count(gateway->api.followers) > 0;
}

static status subscribe(struct gateway *gateway, struct error *reterr)
{
    const struct rpc_subscriber_options options = {.urls      = gateway->options.scheduler_hints,
                                                   .tls       = tls_of(&gateway->options.rpc),
                                                   .hint      = on_hint,
                                                   .refresh   = on_refresh,
                                                   .is_wanted = on_is_wanted,
                                                   .context   = gateway};
    return rpc_subscriber_start(&options, &gateway->api.hints, reterr);
}

static void on_turn_end(void *context)
{
    const struct gateway *gateway = context;
    rpc_client_flush(gateway->api.scheduler);
    if (gateway->api.llm) rpc_client_flush(gateway->api.llm);
}

static status make_loops(struct gateway *gateway, struct error *reterr)
{
    int64_t wanted      = gateway->options.loops;
    gateway->loop_count = wanted > 0 ? (size_t)wanted : (size_t)process_cpu_count();
    for (size_t i = 0; i < gateway->loop_count; i++) {
        TRY(loop_new(NULL, &gateway->loops[i], reterr));
        telemetry_watch_loop(gateway->telemetry, "loop", gateway->loops[i]);
        gateway->flushes[i] = (struct loop_turn_end){.run = on_turn_end, .context = gateway};
        loop_turn_end_add(gateway->loops[i], &gateway->flushes[i]);
    }
    gateway->api.home       = gateway->loops[0];
    gateway->api.loops      = gateway->loops;
    gateway->api.loop_count = gateway->loop_count;
    return STATUS_OK;
}

static status listen_http(struct gateway *gateway, struct error *reterr)
{
    const struct httpd_options options = {
        .host            = gateway->options.host,
        .port            = (uint16_t)gateway->options.port,
        .loops           = gateway->loops,
        .loop_count      = gateway->loop_count,
        .handlers        = server_handlers,
        .context         = &gateway->api,
        .connections_max = (size_t)gateway->options.connections_max,
    };
    return httpd_start(&options, &gateway->api.httpd, reterr);
}

static status start_telemetry(struct gateway *gateway, struct error *reterr)
{
    gateway->metrics = metrics_new();
    metrics_add_process(gateway->metrics, TUTTI_VERSION, "");
    const struct telemetry_options options = {.host    = gateway->options.admin_host,
                                              .port    = (uint16_t)gateway->options.admin_port,
                                              .service = "gateway",
                                              .metrics = gateway->metrics};
    TRY(telemetry_start(&options, &gateway->telemetry, reterr));
    telemetry_set_ready(gateway->telemetry, false, "waits for the scheduler");
    return STATUS_OK;
}

static status make_api(struct gateway *gateway, struct error *reterr)
{
    struct api *api = &gateway->api;
    api->version    = TUTTI_VERSION;
    api->mcp_prefix = gateway->options.mcp_prefix ? gateway->options.mcp_prefix : "";
    random_bytes(api->subscriber, sizeof api->subscriber);
    const char **operations = server_operations();
    status code             = contract_load(operations, &api->contract, reterr);
    free(operations);
    TRY(code);
    TRY(mcp_tools_read(api->contract, &api->mcp_tools, reterr));
    api->keys         = identity_cache_new();
    api->waits        = run_waits_new(api);
    api->followers    = followers_new(api);
    gateway->measures = measures_new(gateway->metrics, api);
    api->measures     = gateway->measures;
    api->key_watch    = key_watch_new(api);
    api->audit        = audit_new(api, gateway->options.audit);
    return STATUS_OK;
}

/* --- start and stop ----------------------------------------------------------------------------
 */

status gateway_start(const struct options *options, struct gateway **ret_gateway,
                     struct error *reterr)
{
    CLEANUP(gateway_stopp) struct gateway *gateway = mem_new(1, sizeof *gateway);
    gateway->options                               = *options;
    TRY(start_telemetry(gateway, reterr));
    TRY(make_loops(gateway, reterr));
    TRY(make_api(gateway, reterr));
    TRY(open_clients(gateway, reterr));
    TRY(open_tools(gateway, reterr));
    TRY(subscribe(gateway, reterr));
    TRY(listen_http(gateway, reterr));
    gateway->topology = (struct loop_timer){.fire = ask_topology, .context = gateway};
    loop_timer_set(gateway->api.home, &gateway->topology, loop_now_ms(gateway->api.home));
    key_watch_start(gateway->api.key_watch);
    audit_start(gateway->api.audit);
    for (size_t i = 0; i < gateway->loop_count; i++) {
        TRY(loop_start(gateway->loops[i], "gateway", reterr));
    }
    telemetry_set_started(gateway->telemetry);
    log_write(LOG_INFO, "serves the HTTP API", LOG_STR("host", str_from(options->host)),
              LOG_INT("port", httpd_port(gateway->api.httpd)),
              LOG_INT("admin_port", telemetry_port(gateway->telemetry)),
              LOG_INT("connections_max", options->connections_max),
              LOG_STR("scheduler", str_from(options->scheduler)),
              LOG_STR("llm", str_from(options->llm ? options->llm : "")));
    *ret_gateway = TAKE(gateway);
    return STATUS_OK;
}

uint16_t gateway_port(const struct gateway *gateway)
{
    return httpd_port(gateway->api.httpd);
}

static void say_goodbye(void *context)
{
    struct gateway *gateway = context;
    followers_drain(gateway->api.followers);
    run_waits_drain(gateway->api.waits);
    key_watch_stop(gateway->api.key_watch);
    audit_stop(gateway->api.audit);
}

static void rest(void)
{
    const struct timespec step = {.tv_nsec = DRAIN_STEP_MS * 1'000'000};
    (void)nanosleep(&step, NULL);
}

/* Open requests get their answers; those that are only parked are told to come back. */
static void drain(struct gateway *gateway)
{
    atomic_store(&gateway->api.is_draining, true);
    telemetry_set_ready(gateway->telemetry, false, "draining");
    httpd_drain(gateway->api.httpd);
    (void)loop_post(gateway->api.home, say_goodbye, gateway);
    int64_t until_ms = clock_mono_ms() + gateway->options.drain_ms;
    while (httpd_connections(gateway->api.httpd) > 0 && clock_mono_ms() < until_ms) rest();
    /* What the log of changes lacks, if there is somebody who takes it. */
    until_ms = clock_mono_ms() + AUDIT_DRAIN_MS;
    while (!audit_is_told(gateway->api.audit) && clock_mono_ms() < until_ms) rest();
}

void gateway_stopp(struct gateway **ref)
{
    struct gateway *gateway = *ref;
    if (!gateway) return;
    if (gateway->api.httpd) drain(gateway);
    for (size_t i = 0; i < gateway->loop_count; i++) {
        if (gateway->loops[i]) loop_stop(gateway->loops[i]);
    }
    for (size_t i = 0; i < gateway->loop_count; i++) {
        if (!gateway->loops[i]) continue;
        loop_join(gateway->loops[i]);
        loop_turn_end_remove(gateway->loops[i], &gateway->flushes[i]);
    }
    /* The turns below are for what was posted; there is nobody left to ask. */
    if (gateway->api.home) loop_timer_clear(gateway->api.home, &gateway->topology);
    rpc_subscriber_stopp(&gateway->api.hints);
    rpc_client_closep(&gateway->api.tools); /* its last answers ask the scheduler */
    rpc_client_closep(&gateway->api.llm);
    rpc_client_closep(&gateway->api.scheduler);
    telemetry_stopp(&gateway->telemetry); /* it measures what is freed next, and watches loops */
    /* The last answers were posted to a loop that does not run any more. */
    if (gateway->api.home) loop_turn(gateway->api.home, 0);
    httpd_freep(&gateway->api.httpd);
    if (gateway->api.home) loop_turn(gateway->api.home, 0);
    run_waits_freep(&gateway->api.waits);
    followers_freep(&gateway->api.followers);
    llm_pull_freep(&gateway->api.llm_pull);
    identity_cache_freep(&gateway->api.keys);
    mcp_tools_freep(&gateway->api.mcp_tools);
    contract_freep(&gateway->api.contract);
    for (size_t i = 0; i < gateway->loop_count; i++) loop_free(gateway->loops[i]);
    key_watch_freep(&gateway->api.key_watch); /* its timer was the home loop's */
    audit_freep(&gateway->api.audit);         /* likewise */
    media_types_freep(&gateway->api.media_types);
    measures_freep(&gateway->measures);
    metrics_freep(&gateway->metrics);
    free(gateway);
    *ref = NULL;
}
