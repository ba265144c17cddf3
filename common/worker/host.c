#include "worker/host.h"

#include "base/assert.h"
#include "base/clock.h"
#include "base/mem.h"
#include "breaker.pb-c.h"
#include "budget.pb-c.h"
#include "file.pb-c.h"
#include "function.pb-c.h"
#include "limit.pb-c.h"
#include "provider_key.pb-c.h"
#include "system.pb-c.h"
#include "usage.pb-c.h"

#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

enum { DRAIN_STEP_MS = 10, MACHINE_MAX = 256 };

struct worker_host {
    char name[WORKER_NAME_MAX];
    struct loop *loop;
    struct rpc_client *scheduler;
    struct worker *worker;
    struct worker_host_drain drain;
    atomic_size_t busy; /* as the loop saw it last, while draining */
};

static void name_worker(struct worker_host *host, const struct worker_host_options *options)
{
    char machine[MACHINE_MAX] = "localhost";
    (void)gethostname(machine, sizeof machine - 1);
    if (options->name) {
        (void)snprintf(host->name, sizeof host->name, "%s", options->name);
    } else {
        (void)snprintf(host->name, sizeof host->name, "%.20s@%.40s", options->service, machine);
    }
}

static status open_client(struct worker_host *host, const struct worker_host_options *options,
                          struct error *reterr)
{
    static const ProtobufCServiceDescriptor *const services[] = {
        &pb__jobs__descriptor,          &pb__system__descriptor,
        &pb__functions__descriptor,     &pb__breakers__descriptor,
        &pb__limits__descriptor,        &pb__budgets__descriptor,
        &pb__usages__descriptor,        &pb__files__descriptor,
        &pb__provider_keys__descriptor, NULL};
    const struct config_rpc *rpc = options->rpc;
    const struct rpc_identity identity =
        rpc_identity_of(options->service, rpc->token.value, rpc->token_previous.value);
    const struct rpc_client_options client = {
        .endpoints = options->scheduler,
        .choice    = RPC_OWNER,
        .services  = services,
        .identity  = identity,
        .tls       = {.ca_file = rpc->ca_file, .cert_key_file = rpc->cert_key_file}};
    return rpc_client_open(&client, &host->scheduler, reterr);
}

status worker_host_start(const struct worker_host_options *options, struct worker_host **ret_host,
                         struct error *reterr)
{
    CLEANUP(worker_host_freep) struct worker_host *host = mem_new(1, sizeof *host);
    host->loop                                          = options->loop;
    name_worker(host, options);
    TRY(open_client(host, options, reterr));
    const struct worker_options worker = {.loop      = options->loop,
                                          .scheduler = host->scheduler,
                                          .queues    = options->queues,
                                          .namespace = options->namespace,
                                          .name      = host->name,
                                          .kind      = options->kind,
                                          .instance  = options->instance,
                                          .dead      = options->dead,
                                          .slots     = (uint32_t)options->slots,
                                          .lease_ms  = (uint32_t)options->lease_ms,
                                          .functions = options->functions,
                                          .run       = options->run,
                                          .cancel    = options->cancel,
                                          .ready     = options->ready,
                                          .context   = options->context};
    host->worker                       = worker_new(&worker);
    *ret_host                          = TAKE(host);
    return STATUS_OK;
}

const char *worker_host_name(const struct worker_host *host)
{
    return host->name;
}

void worker_host_use_functions(struct worker_host *host, const char *const *functions)
{
    worker_use_functions(host->worker, functions);
}

struct rpc_client *worker_host_client(const struct worker_host *host)
{
    return host->scheduler;
}

/* --- the end -----------------------------------------------------------------------------------
 */

static void begin_drain(void *context)
{
    struct worker_host *host = context;
    worker_drain(host->worker);
    if (host->drain.begin) host->drain.begin(host->drain.context);
}

static void count_busy(void *context)
{
    struct worker_host *host = context;
    size_t busy              = worker_busy(host->worker);
    if (host->drain.busy) busy += host->drain.busy(host->drain.context);
    atomic_store(&host->busy, busy);
}

bool worker_host_drain(struct worker_host *host, const struct worker_host_drain *drain)
{
    host->drain = *drain;
    atomic_store(&host->busy, 1);
    bool is_begun    = false;
    int64_t until_ms = clock_mono_ms() + drain->limit_ms;
    while (atomic_load(&host->busy) > 0 && clock_mono_ms() < until_ms) {
        /* A full loop takes it at the next step. */
        status posted = loop_post(host->loop, is_begun ? count_busy : begin_drain, host);
        is_begun      = is_begun || posted == STATUS_OK;
        const struct timespec step = {.tv_nsec = DRAIN_STEP_MS * 1'000'000};
        (void)nanosleep(&step, NULL);
    }
    return atomic_load(&host->busy) == 0;
}

void worker_host_close(struct worker_host *host)
{
    if (!host || !host->scheduler) return;
    if (host->worker) worker_stop(host->worker);
    rpc_client_closep(&host->scheduler);
    /* The last answers were posted to a loop that does not run any more. */
    loop_turn(host->loop, 0);
}

void worker_host_freep(struct worker_host **ref)
{
    struct worker_host *host = *ref;
    if (!host) return;
    worker_host_close(host);
    worker_freep(&host->worker);
    free(host);
    *ref = NULL;
}
