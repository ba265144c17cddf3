/* What operators set of a queue: in every partition of this process, and answered when all have it.
 */
#include "scheduler/engine/events/webhooks.h"
#include "scheduler/engine/queues/queue_limits.h"
#include "scheduler/engine/redrive/redrive.h"
#include "scheduler/services/call.h"
#include "scheduler/services/overview.h"
#include "scheduler/services/services.h"

#include <stdatomic.h>

enum { QUEUE_NAME_MAX = 127 /* bytes: two DNS labels and a dot */ };

static status no_memory(struct error *reterr)
{
    return fail(reterr, STATUS_RESOURCE_EXHAUSTED, "no memory");
}

/* --- checks ------------------------------------------------------------------------------------
 */

/* Its own letters everybody may redrive. */
static status check_sweep(struct rpc_call *call, struct error *reterr)
{
    const Pb__SetQueue *request = call->request;
    if (!request->sweep) return fail(reterr, STATUS_INVALID_ARGUMENT, "a redrive of what?");
    const struct queue_limits limits = {.rate_count     = request->sweep->rate_count,
                                        .rate_period_us = request->sweep->rate_period_us};
    return queue_limits_check(&limits, scheduler_partition_count(call->context), reterr);
}

static status check(struct rpc_call *call, str namespace, struct error *reterr)
{
    const Pb__SetQueue *request      = call->request;
    str name                         = str_from(request->name);
    const struct queue_limits limits = {.concurrency    = request->concurrency,
                                        .rate_count     = request->rate_count,
                                        .rate_period_us = request->rate_period_us};
    if (name.len == 0 || name.len > QUEUE_NAME_MAX) {
        return fail(reterr, STATUS_INVALID_ARGUMENT, "the name of a queue has 1 to %d bytes",
                    QUEUE_NAME_MAX);
    }
    bool is_sweep = request->action == PB__QUEUE_ACTION__QUEUE_ACTION_REDRIVE;
    if (is_sweep) return check_sweep(call, reterr);
    if (queue_is_own(name) && !str_is(namespace, "*")) {
        return fail_code(reterr, STATUS_PERMISSION_DENIED, "forbidden",
                         "queue %s serves all namespaces: it takes a key of all of them",
                         request->name);
    }
    if (request->action == PB__QUEUE_ACTION__QUEUE_ACTION_PURGE && str_is(name, WEBHOOK_QUEUE)) {
        return fail_code(reterr, STATUS_FAILED_PRECONDITION, "conflict",
                         "deliveries are not purged: delete their subscription");
    }
    bool is_of_webhooks = str_is(name, WEBHOOK_QUEUE) || str_is(name, WEBHOOK_LETTERS);
    if (request->redrive && is_of_webhooks) {
        return fail_code(reterr, STATUS_FAILED_PRECONDITION, "conflict",
                         "what could not be delivered is not redriven by a rule: its deliveries "
                         "have schedules of their own");
    }
    if (request->redrive) {
        TRY(redrive_rule_check(request->redrive, scheduler_partition_count(call->context), reterr));
    }
    const struct queue_limits of_keys = {.concurrency    = request->key_concurrency,
                                         .rate_count     = request->key_rate_count,
                                         .rate_period_us = request->key_rate_period_us};
    TRY(queue_limits_check(&of_keys, 1, reterr));
    return queue_limits_check(&limits, scheduler_partition_count(call->context), reterr);
}

/* --- all partitions ----------------------------------------------------------------------------
 */

/* Lives in the arena of the call, which is answered when the last command is done. */
struct setting {
    struct rpc_call *call;
    atomic_uint pending; /* commands, and who posts them */
    atomic_bool has_failed;
    struct part {
        struct command command; /* first */
        struct setting *setting;
        Pb__QueueView view;
    } * parts;
    size_t count;
};

static void done_with_all(struct setting *setting)
{
    Pb__QueueView *answer      = setting->call->response;
    setting->call->is_replayed = setting->count > 0;
    for (size_t i = 0; i < setting->count; i++) {
        setting->call->is_replayed &= setting->parts[i].command.is_replayed;
    }
    for (size_t i = 0; i < setting->count; i++) {
        struct part *part = &setting->parts[i];
        bool is_failed    = part->command.code != STATUS_OK;
        if (is_failed) rpc_reply(setting->call, part->command.code, &part->command.error);
        if (is_failed) return;
        *answer = part->view;
    }
    const Pb__SetQueue *request = setting->call->request;
    answer->name                = request->name;
    rpc_reply(setting->call, STATUS_OK, NULL);
}

static void release(struct setting *setting)
{
    if (atomic_fetch_sub(&setting->pending, 1) == 1) done_with_all(setting);
}

static void on_done(struct command *command)
{
    release(((struct part *)command)->setting);
}

static void post(struct setting *setting, struct shard *shard, str namespace)
{
    struct rpc_call *call = setting->call;
    struct part *part     = &setting->parts[setting->count++];
    *part                 = (struct part){
                        .setting = setting,
                        .view    = PB__QUEUE_VIEW__INIT,
                        .command = {.mail       = {.size_bytes = sizeof *part},
                                    .kind       = COMMAND_SET_QUEUE,
                                    .request    = call->request,
                                    .response   = &part->view,
                                    .arena      = call->arena,
                                    .request_id = call->request_id,
                                    .namespace  = namespace,
                                    .done       = on_done},
    };
    atomic_fetch_add(&setting->pending, 1);
    struct error why = {};
    status posted    = engine_post(shard->engine, &part->command, &why);
    if (posted == STATUS_OK) return; /* the engine's from here on: it may be done already */
    part->command.code  = posted;
    part->command.error = why;
    release(setting);
}

status queue_set_handle(struct rpc_call *call, struct error *reterr)
{
    const Pb__SetQueue *request = call->request;
    str namespace               = call_namespace(call, request->namespace_);
    uint16_t count              = scheduler_partition_count(call->context);
    TRY(check(call, namespace, reterr));
    struct setting *setting = arena_alloc(call->arena, sizeof *setting);
    if (!setting) return no_memory(reterr);
    *setting       = (struct setting){.call = call, .pending = 1};
    setting->parts = arena_alloc(call->arena, count * sizeof *setting->parts);
    if (!setting->parts) return no_memory(reterr);
    for (uint16_t i = 0; i < count; i++) {
        struct shard *shard = scheduler_shard(call->context, i);
        if (shard) post(setting, shard, namespace);
    }
    release(setting);
    return STATUS_OK;
}
