/* What operators set of a queue: in every partition of this process, and answered when all have it.
 */
#include "scheduler/engine/events/webhooks.h"
#include "scheduler/engine/queues/queue_limits.h"
#include "scheduler/engine/redrive/redrive.h"
#include "scheduler/services/everywhere.h"
#include "scheduler/services/overview.h"
#include "scheduler/services/services.h"

enum { QUEUE_NAME_MAX = 127 /* bytes: two DNS labels and a dot */ };

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

/* All have set the same. */
static void add(struct rpc_call *call, ProtobufCMessage *part)
{
    Pb__QueueView *answer = call->response;
    *answer               = *(Pb__QueueView *)part;
    answer->name          = ((const Pb__SetQueue *)call->request)->name;
}

status queue_set_handle(struct rpc_call *call, struct error *reterr)
{
    const Pb__SetQueue *request  = call->request;
    const struct everywhere what = {.kind      = COMMAND_SET_QUEUE,
                                    .namespace = call_namespace(call, request->namespace_),
                                    .add       = add};
    TRY(check(call, what.namespace, reterr));
    return everywhere_handle(call, &what, reterr);
}
