#include "llm-proxy/proxy.h"

#include "base/assert.h"
#include "base/mem.h"
#include "base/process.h"
#include "llm-proxy/answer_shelf.h"
#include "llm-proxy/call/generations.h"
#include "llm-proxy/client/llm_service.h"
#include "llm-proxy/dialects/dialect.h"
#include "llm-proxy/jobs/job_book.h"
#include "llm-proxy/jobs/jobs.h"
#include "llm-proxy/keys/provider_keys.h"
#include "llm-proxy/measures.h"
#include "llm-proxy/peers/peers.h"
#include "llm-proxy/vault_shelf.h"
#include "llm.pb-c.h"
#include "peer.pb-c.h"
#include "telemetry/telemetry.h"
#include "worker/host.h"

#include <errno.h>
#include <limits.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

enum { CUT_MS = 1'000 /* for what is cut to be heard of */ };

struct proxy {
    struct options options;
    struct metrics *metrics;
    struct measures *measures;
    struct pulse *pulse;
    struct telemetry *telemetry;
    struct loop *loop;
    struct usage_journal *journal;
    struct guard *guard;
    struct vault *vault;
    struct provider_keys *provider_keys;
    struct catalog *catalog; /* a reference: as the configuration has it */
    struct generations *generations;
    _Atomic(struct catalog *) incoming; /* owned; read anew, for the loop */
    struct answers *answers;
    struct peers *peers;
    struct job_outputs *outputs; /* NULL: jobs are not streamed */
    struct jobs *jobs;
    struct job_book *job_book;
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

/* On the listener's thread. */
static void sample_journal(void *context)
{
    const struct proxy *proxy = context;
    measures_journal(proxy->measures, usage_journal_size(proxy->journal));
}

/* <store>/usage; the store itself may be for others too. */
static status open_journal(struct proxy *proxy, struct error *reterr)
{
    char folder[PATH_MAX];
    const char *store = proxy->options.store_path;
    if (!store) return usage_journal_open(NULL, &proxy->journal, reterr);
    if (mkdir(store, 0700) != 0 && errno != EEXIST) {
        return fail(reterr, STATUS_UNAVAILABLE, "llm.store.path: cannot make %s: %m", store);
    }
    int size = snprintf(folder, sizeof folder, "%s/usage", store);
    if (size >= (int)sizeof folder) {
        return fail(reterr, STATUS_INVALID_ARGUMENT, "llm.store.path: too long");
    }
    return usage_journal_open(folder, &proxy->journal, reterr);
}

static status start_telemetry(struct proxy *proxy, struct error *reterr)
{
    proxy->metrics = metrics_new();
    metrics_add_process(proxy->metrics, TUTTI_VERSION, "");
    proxy->measures                        = measures_new(proxy->metrics);
    proxy->pulse                           = pulse_new();
    const struct telemetry_options options = {.host    = proxy->options.admin_host,
                                              .port    = (uint16_t)proxy->options.admin_port,
                                              .service = "llm-proxy",
                                              .metrics = proxy->metrics};
    TRY(telemetry_start(&options, &proxy->telemetry, reterr));
    telemetry_set_ready(proxy->telemetry, false, "waits for the scheduler");
    return STATUS_OK;
}

static status make_loop(struct proxy *proxy, struct error *reterr)
{
    TRY(loop_new(NULL, &proxy->loop, reterr));
    telemetry_watch_loop(proxy->telemetry, "loop", proxy->loop);
    return STATUS_OK;
}

static void on_keys(void *context);

static status make_provider_keys(struct proxy *proxy, const struct config *config,
                                 struct error *reterr)
{
    const struct provider_keys_options options = {.loop    = proxy->loop,
                                                  .config  = config,
                                                  .secrets = proxy->options.key_secrets,
                                                  .master  = proxy->options.key_seal.value,
                                                  .changed = on_keys,
                                                  .context = proxy};
    return provider_keys_new(&options, &proxy->provider_keys, reterr);
}

static status make_pipeline(struct proxy *proxy, struct catalog *catalog, struct error *reterr)
{
    proxy->catalog                           = catalog;
    proxy->guard                             = guard_new(proxy->loop, catalog);
    const struct generations_options options = {.loop     = proxy->loop,
                                                .measures = proxy->measures,
                                                .pulse    = proxy->pulse,
                                                .guard    = proxy->guard,
                                                .vault    = proxy->vault,
                                                .peers    = proxy->peers,
                                                .keeper   = answer_shelf_keeper(proxy->answers)};
    proxy->generations                       = generations_new(&options);
    return generations_add(proxy->generations, catalog_ref(catalog), reterr);
}

/* The last words of a stream that the death of a process has cut off. */
static void print_interrupted(Pb__LlmOperation operation, struct buf *out)
{
    const struct llm_error cause     = {.class = LLM_ERROR_INTERRUPTED,
                                        .text  = str_from("the llm-proxy that answered has died")};
    const struct dialect *dialect    = dialect_of(operation);
    const struct dialect_error error = dialect_error_of(dialect, &cause);
    dialect->stream_fail(NULL, &error, out);
}

/* <store>/answers, which is made by itself; the store is there. */
static status open_answers(struct proxy *proxy, struct error *reterr)
{
    char folder[PATH_MAX];
    const char *store = proxy->options.store_path;
    int size          = snprintf(folder, sizeof folder, "%s/answers", store ? store : "");
    if (size >= (int)sizeof folder) {
        return fail(reterr, STATUS_INVALID_ARGUMENT, "llm.store.path: too long");
    }
    const struct answers_options options = {
        .path = store ? folder : NULL, .loop = proxy->loop, .print_interrupted = print_interrupted};
    return answers_open(&options, &proxy->answers, reterr);
}

static status open_peers(struct proxy *proxy, struct error *reterr)
{
    const struct config_rpc *rpc = &proxy->options.rpc;
    TRY(vault_shelf_open(proxy->answers, proxy->loop, &proxy->vault, reterr));
    const struct peers_options options = {
        .endpoints = proxy->options.peers,
        .wait_ms   = proxy->options.peer_wait_ms,
        .identity  = identity_of(rpc),
        .tls       = {.ca_file = rpc->ca_file, .cert_key_file = rpc->cert_key_file},
        .loop      = proxy->loop,
        .answers   = proxy->answers,
        .vault     = proxy->vault};
    return peers_open(&options, &proxy->peers, reterr);
}

static void run_job(struct worker_job *job, void *context)
{
    struct proxy *proxy = context;
    job_book_run(proxy->job_book, job);
}

static void cancel_job(struct worker_job *job, void *)
{
    job_book_cancel(job);
}

static status start_worker(struct proxy *proxy, struct error *reterr)
{
    static const char *const queues[] = {"llm", NULL};
    static_assert((int)ANSWERS_DEAD_MAX <= (int)WORKER_DEAD_MAX);
    const struct options *given             = &proxy->options;
    const struct worker_host_options worker = {.service   = "llm-proxy",
                                               .kind      = "llm",
                                               .queues    = queues,
                                               .scheduler = given->scheduler,
                                               .name      = given->name,
                                               .rpc       = &given->rpc,
                                               .instance  = answers_instance(proxy->answers),
                                               .dead      = answers_dead(proxy->answers),
                                               .slots     = given->slots,
                                               .lease_ms  = given->lease_ms,
                                               .loop      = proxy->loop,
                                               .run       = run_job,
                                               .cancel    = cancel_job,
                                               .ready     = on_ready,
                                               .context   = proxy};
    if (given->job_output) proxy->outputs = job_outputs_new();
    proxy->jobs     = jobs_new(generations_pipeline(proxy->generations), proxy->outputs);
    proxy->job_book = job_book_new(&(struct job_book_options){
        .answers = proxy->answers,
        .peers   = proxy->peers,
        .run     = jobs_run,
        .cancel  = jobs_cancel,
        .context = proxy->jobs,
    });
    TRY(worker_host_start(&worker, &proxy->worker, reterr));
    peers_set_worker(proxy->peers, worker_host_name(proxy->worker));
    guard_set_journal(proxy->guard, proxy->journal);
    guard_start(proxy->guard, worker_host_client(proxy->worker), worker_host_name(proxy->worker));
    provider_keys_start(proxy->provider_keys, worker_host_client(proxy->worker));
    return STATUS_OK;
}

static status start_server(struct proxy *proxy, struct error *reterr)
{
    const struct llm_service_options service = {.loop = proxy->loop,
                                                .pipeline =
                                                    generations_pipeline(proxy->generations),
                                                .guard         = proxy->guard,
                                                .journal       = proxy->journal,
                                                .answers       = proxy->answers,
                                                .peers         = proxy->peers,
                                                .outputs       = proxy->outputs,
                                                .provider_keys = proxy->provider_keys,
                                                .grace_ms      = proxy->options.grace_ms};
    proxy->service                           = llm_service_new(&service);
    const struct rpc_service services[]      = {{.descriptor = &pb__llm__descriptor,
                                                 .methods    = llm_service_methods,
                                                 .context    = proxy->service},
                                                {.descriptor = &pb__llm_peers__descriptor,
                                                 .methods    = peers_methods,
                                                 .context    = proxy->peers},
                                                {}};
    const struct rpc_server_options options  = {
         .url      = proxy->options.listen,
         .long_url = proxy->options.long_listen,
         .services = services,
         .identity = identity_of(&proxy->options.rpc),
         .tls      = {.ca_file       = proxy->options.rpc.ca_file,
                      .cert_key_file = proxy->options.rpc.cert_key_file}};
    return rpc_server_start(&options, &proxy->server, reterr);
}

status proxy_start(const struct config *config, const struct options *options,
                   struct catalog *catalog, struct proxy **ret_proxy, struct error *reterr)
{
    CLEANUP(proxy_stopp) struct proxy *proxy     = mem_new(1, sizeof *proxy);
    proxy->options                               = *options;
    CLEANUP(catalog_freep) struct catalog *first = catalog;
    TRY(start_telemetry(proxy, reterr));
    TRY(open_journal(proxy, reterr));
    metrics_add_hook(proxy->metrics, sample_journal, proxy);
    TRY(make_loop(proxy, reterr));
    TRY(open_answers(proxy, reterr));
    TRY(open_peers(proxy, reterr));
    TRY(make_provider_keys(proxy, config, reterr));
    TRY(make_pipeline(proxy, TAKE(first), reterr));
    TRY(start_worker(proxy, reterr));
    TRY(start_server(proxy, reterr));
    TRY(loop_start(proxy->loop, "llm", reterr));
    proxy->is_running = true;
    telemetry_set_started(proxy->telemetry);
    log_write(LOG_INFO, "serves models and leases jobs",
              LOG_STR("listen", str_from(rpc_server_url(proxy->server))),
              LOG_INT("admin_port", telemetry_port(proxy->telemetry)),
              LOG_STR("scheduler", str_from(options->scheduler)),
              LOG_STR("worker", str_from(worker_host_name(proxy->worker))),
              LOG_STR("store", str_from(options->store_path ? options->store_path : "in memory")),
              LOG_INT("slots", options->slots));
    *ret_proxy = TAKE(proxy);
    return STATUS_OK;
}

/* --- another configuration ---------------------------------------------------------------------
 */

/* New calls go by what the configuration and the API say together. */
static status use_catalog(struct proxy *proxy, struct error *reterr)
{
    struct catalog *catalog = NULL;
    TRY(provider_keys_apply(proxy->provider_keys, proxy->catalog, &catalog, reterr));
    TRY(generations_add(proxy->generations, catalog, reterr));
    struct pipeline *pipeline = generations_pipeline(proxy->generations);
    jobs_use(proxy->jobs, pipeline);
    llm_service_use(proxy->service, pipeline);
    return STATUS_OK;
}

static void on_keys(void *context)
{
    struct proxy *proxy = context;
    struct error error  = {};
    if (use_catalog(proxy, &error) == STATUS_OK) {
        log_write(LOG_INFO, "keys of providers have changed");
    } else {
        log_write(LOG_ERROR, "keys of providers have changed, and those before are used",
                  LOG_STR("error.message", str_from(error.text)));
    }
}

static void on_reload(void *context)
{
    struct proxy *proxy     = context;
    struct error error      = {};
    struct catalog *catalog = atomic_exchange(&proxy->incoming, NULL);
    if (!catalog) return; /* there were two, and the second one came with the first */
    uint32_t provider_count = catalog->provider_count;
    uint32_t route_count    = catalog->route_count;
    struct catalog *before  = proxy->catalog;
    proxy->catalog          = catalog;
    if (use_catalog(proxy, &error) != STATUS_OK) {
        proxy->catalog = before;
        catalog_freep(&catalog);
        proxy_refuse_reload(proxy, error.text);
        return;
    }
    catalog_freep(&before);
    telemetry_set_note(proxy->telemetry, NULL);
    log_write(LOG_INFO, "the configuration was read anew", LOG_INT("providers", provider_count),
              LOG_INT("routes", route_count));
}

void proxy_reload(struct proxy *proxy, struct catalog *catalog)
{
    struct catalog *late = atomic_exchange(&proxy->incoming, catalog);
    catalog_freep(&late);
    if (loop_post(proxy->loop, on_reload, proxy) == STATUS_OK) return;
    late = atomic_exchange(&proxy->incoming, NULL);
    catalog_freep(&late);
    proxy_refuse_reload(proxy, "the loop is overloaded: send SIGHUP again");
}

void proxy_refuse_reload(struct proxy *proxy, const char *text)
{
    telemetry_set_note(proxy->telemetry,
                       "the configuration has mistakes, so the one before holds: see the log");
    log_write(LOG_ERROR, "the configuration was not read anew, the one before holds",
              LOG_STR("error.message", str_from(text)));
}

/* --- the end -----------------------------------------------------------------------------------
 */

static void begin_drain(void *context)
{
    struct proxy *proxy = context;
    llm_service_drain(proxy->service);
    guard_tell_usage_last(proxy->guard);
}

static size_t count_busy(void *context)
{
    struct proxy *proxy = context;
    size_t calls        = llm_service_busy(proxy->service) + guard_unsettled(proxy->guard);
    return calls + (guard_awaits_usage(proxy->guard) ? 1 : 0);
}

/* It has waited long enough. What is cut is charged for what came, and its jobs are given back. */
static void cut(void *context)
{
    struct proxy *proxy = context;
    llm_service_cut(proxy->service);
    job_book_cut(proxy->job_book);
    guard_tell_usage_last(proxy->guard);
}

static void drain(struct proxy *proxy)
{
    const struct worker_host_drain how = {.limit_ms = proxy->options.drain_ms,
                                          .begin    = begin_drain,
                                          .busy     = count_busy,
                                          .context  = proxy};
    telemetry_set_ready(proxy->telemetry, false, "draining");
    if (worker_host_drain(proxy->worker, &how)) return;
    const struct worker_host_drain last = {
        .limit_ms = CUT_MS, .begin = cut, .busy = count_busy, .context = proxy};
    (void)worker_host_drain(proxy->worker, &last); /* what is left comes back by its lease */
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
    provider_keys_stop(proxy->provider_keys);
    peers_close(proxy->peers);
    worker_host_close(proxy->worker);
    if (proxy->service) llm_service_stop(proxy->service);
    if (proxy->answers) answers_stop(proxy->answers);
    llm_service_freep(&proxy->service);
    worker_host_freep(&proxy->worker);
    job_book_freep(&proxy->job_book);
    jobs_freep(&proxy->jobs);
    job_outputs_freep(&proxy->outputs);
    answers_freep(&proxy->answers);
    generations_freep(&proxy->generations);
    catalog_freep(&proxy->catalog);
    provider_keys_freep(&proxy->provider_keys);
    struct catalog *late = atomic_exchange(&proxy->incoming, NULL);
    catalog_freep(&late);
    peers_freep(&proxy->peers);
    vault_freep(&proxy->vault);
    guard_freep(&proxy->guard);
    telemetry_stopp(&proxy->telemetry); /* which asks for the size of the next */
    usage_journal_freep(&proxy->journal);
    loop_freep(&proxy->loop);
    measures_freep(&proxy->measures);
    pulse_freep(&proxy->pulse);
    metrics_freep(&proxy->metrics);
    free(proxy);
    *ref = NULL;
}
