#include "scheduler/services/server.h"

#include "approval.pb-c.h"
#include "assistant.pb-c.h"
#include "audit.pb-c.h"
#include "base/mem.h"
#include "breaker.pb-c.h"
#include "budget.pb-c.h"
#include "call_cache.pb-c.h"
#include "dead_letter.pb-c.h"
#include "event.pb-c.h"
#include "file.pb-c.h"
#include "function.pb-c.h"
#include "job.pb-c.h"
#include "key.pb-c.h"
#include "limit.pb-c.h"
#include "partition.pb-c.h"
#include "provider_key.pb-c.h"
#include "rpc/rpc_hint.h"
#include "schedule.pb-c.h"
#include "scheduler/services/answer_cache.h"
#include "scheduler/services/call.h"
#include "scheduler/services/services.h"
#include "subscription.pb-c.h"
#include "system.pb-c.h"
#include "usage.pb-c.h"
#include "workflow.pb-c.h"

#include <stdatomic.h>
#include <stdlib.h>

struct server {
    struct scheduler *scheduler; /* borrowed */
    struct answer_cache *answers;
    struct rpc_publisher *publisher;
    struct rpc_server *rpc;
    _Atomic bool is_draining;
};

/* --- hooks -------------------------------------------------------------------------------------
 */

static bool on_owns(uint16_t partition, struct rpc_moved *ret_owner, void *context)
{
    const struct server *server = context;
    const struct shard *shard   = scheduler_shard(server->scheduler, partition);
    if (shard) ret_owner->epoch = shard->partition->epoch;
    if (!shard) *ret_owner = (struct rpc_moved){.partition = partition};
    return shard != NULL;
}

static uint32_t on_window(uint16_t partition, void *context)
{
    const struct server *server = context;
    const struct shard *shard   = scheduler_shard(server->scheduler, partition);
    return shard ? (uint32_t)engine_room(shard->engine) : 0;
}

static bool on_recall(struct rpc_call *call, struct rpc_kept_answer *ret_answer, void *context)
{
    const struct server *server = context;
    return answer_recall(server->answers, call, ret_answer);
}

static void on_remember(const struct rpc_call *call, const struct rpc_kept_answer *answer,
                        void *context)
{
    const struct server *server = context;
    answer_remember(server->answers, call, answer);
}

static struct rpc_health_state on_health(void *context)
{
    const struct server *server = context;
    bool is_draining            = atomic_load(&server->is_draining);
    return (struct rpc_health_state){.is_live    = true,
                                     .is_started = true,
                                     .is_ready   = !is_draining,
                                     .detail     = is_draining ? "draining" : NULL};
}

/* --- start and stop ----------------------------------------------------------------------------
 */

static status start_rpc(const struct server_options *options, struct server *server,
                        struct error *reterr)
{
    struct scheduler *scheduler         = server->scheduler;
    const struct rpc_service services[] = {
        {&pb__runs__descriptor, run_service_methods, scheduler},
        {&pb__jobs__descriptor, job_service_methods, scheduler},
        {&pb__workflows__descriptor, workflow_service_methods, scheduler},
        {&pb__events__descriptor, event_service_methods, scheduler},
        {&pb__subscriptions__descriptor, subscription_service_methods, scheduler},
        {&pb__approvals__descriptor, approval_service_methods, scheduler},
        {&pb__system__descriptor, system_service_methods, scheduler},
        {&pb__functions__descriptor, function_service_methods, scheduler},
        {&pb__assistants__descriptor, assistant_service_methods, scheduler},
        {&pb__files__descriptor, file_service_methods, scheduler},
        {&pb__keys__descriptor, key_service_methods, scheduler},
        {&pb__usages__descriptor, usage_service_methods, scheduler},
        {&pb__schedules__descriptor, schedule_service_methods, scheduler},
        {&pb__dead_letters__descriptor, dead_letter_service_methods, scheduler},
        {&pb__breakers__descriptor, breaker_service_methods, scheduler},
        {&pb__limits__descriptor, limit_service_methods, scheduler},
        {&pb__budgets__descriptor, budget_service_methods, scheduler},
        {&pb__call_cache__descriptor, call_cache_service_methods, scheduler},
        {&pb__partitions__descriptor, partition_service_methods, scheduler},
        {&pb__audits__descriptor, audit_service_methods, scheduler},
        {&pb__provider_keys__descriptor, provider_key_service_methods, scheduler},
        {},
    };
    const struct rpc_server_options rpc_options = {
        .url      = options->url,
        .long_url = options->long_url,
        .services = services,
        .identity = options->identity,
        .tls      = options->tls,
        .threads  = options->threads,
        .drain_ms = options->drain_ms,
        .hooks    = {.context   = server,
                     .owns      = on_owns,
                     .batch_end = call_batch_end,
                     .window    = on_window,
                     .recall    = on_recall,
                     .remember  = on_remember,
                     .health    = on_health},
    };
    return rpc_server_start(&rpc_options, &server->rpc, reterr);
}

status server_start(const struct server_options *options, struct scheduler *scheduler,
                    struct server **ret_server, struct error *reterr)
{
    CLEANUP(server_stopp) struct server *server = mem_new(1, sizeof *server);
    server->scheduler                           = scheduler;
    server->answers                             = answer_cache_new();
    if (options->hint_url) {
        TRY(rpc_publisher_start(options->hint_url, &options->tls, &server->publisher, reterr));
        scheduler_set_publisher(scheduler, server->publisher);
    }
    TRY(start_rpc(options, server, reterr));
    *ret_server = TAKE(server);
    return STATUS_OK;
}

void server_stop(struct server *server)
{
    if (!server) return;
    atomic_store(&server->is_draining, true);
    if (server->rpc) rpc_server_drain(server->rpc);
    rpc_server_stopp(&server->rpc);
    scheduler_set_publisher(server->scheduler, NULL);
    rpc_publisher_stopp(&server->publisher);
    answer_cache_free(server->answers);
    free(server);
}

void server_stopp(struct server **server)
{
    server_stop(*server);
    *server = NULL;
}

const char *server_url(const struct server *server)
{
    return rpc_server_url(server->rpc);
}

const char *server_long_url(const struct server *server)
{
    return rpc_server_long_url(server->rpc);
}

const char *server_hint_url(const struct server *server)
{
    return server->publisher ? rpc_publisher_url(server->publisher) : NULL;
}
