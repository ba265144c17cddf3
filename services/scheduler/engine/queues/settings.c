/* What is set of a queue, and the row that keeps it. */
#include "scheduler/engine/queues/board.h"
#include "scheduler/engine/queues/engine_queues.h"
#include "scheduler/engine/redrive/redrive.h"
#include "system.pb-c.h"

/* --- rows --------------------------------------------------------------------------------------
 */

status engine_queue_put(struct engine *engine, const struct queue *queue, struct error *reterr)
{
    Pb__QueueRecord record    = PB__QUEUE_RECORD__INIT;
    record.is_paused          = queue->is_paused;
    record.concurrency        = queue->limits.concurrency;
    record.rate_count         = queue->limits.rate_count;
    record.rate_period_us     = queue->limits.rate_period_us;
    record.rate_full_us       = queue->rate.full_us;
    record.purge_before       = queue->purge_before;
    record.key_concurrency    = queue->key_limits.concurrency;
    record.key_rate_count     = queue->key_limits.rate_count;
    record.key_rate_period_us = queue->key_limits.rate_period_us;
    record.redrive            = engine_redrive_row(engine, queue);
    struct key key;
    queue_key(&key, queue->namespace, queue->name);
    return record_put(engine->txn, TABLE_QUEUES, key_bytes(&key), &record.base, reterr);
}

static void limit(struct engine *engine, struct queue *queue, const struct queue_limits *limits)
{
    const struct partition *partition = engine->partition;
    const struct queue_limits share =
        queue_limits_share(limits, partition->index, partition->count);
    queue->limits = *limits;
    queue_limit(engine->queues, queue, &share, engine->now_us);
}

void engine_queue_read(struct engine *engine, struct queue *queue, const Pb__QueueRecord *record)
{
    const struct queue_limits limits = {
        .concurrency    = record->concurrency,
        .rate_count     = record->rate_count,
        .rate_period_us = record->rate_period_us,
    };
    queue->is_paused    = record->is_paused;
    queue->rate.full_us = record->rate_full_us;
    queue->purge_before = record->purge_before;
    queue->key_limits   = (struct queue_limits){.concurrency    = record->key_concurrency,
                                                .rate_count     = record->key_rate_count,
                                                .rate_period_us = record->key_rate_period_us};
    if (queue->purge_before > 0) engine->purge.count++;
    limit(engine, queue, &limits);
}

/* --- the command -------------------------------------------------------------------------------
 */

struct queue *engine_queue_at(struct engine *engine, str caller, str name)
{
    bool is_any         = caller.len == 0 || str_is(caller, "*");
    str namespace       = queue_is_own(name) ? (str){} : is_any ? str_from("default") : caller;
    struct queue *queue = job_queue_find(engine->queues, namespace, name);
    if (queue) return queue;
    bool is_full = job_queue_count(engine->queues) >= QUEUES_MAX;
    return is_full ? NULL : job_queue_at(engine->queues, namespace, name);
}

struct queue *engine_queue_named(struct engine *engine, struct command *command, str name)
{
    struct queue *queue = engine_queue_at(engine, command->namespace, name);
    if (queue) return queue;
    (void)command_refuse(command, STATUS_RESOURCE_EXHAUSTED, "quota_exceeded",
                         "queue " STR_FMT ": over %d queues", STR_ARG(name), QUEUES_MAX);
    return NULL;
}

static status set_limits(struct engine *engine, struct queue *queue, const Pb__SetQueue *request,
                         struct error *reterr)
{
    struct queue_limits limits = queue->limits;
    if (request->sets_concurrency) limits.concurrency = request->concurrency;
    if (request->sets_rate) {
        limits.rate_count     = request->rate_count;
        limits.rate_period_us = request->rate_period_us;
    }
    limit(engine, queue, &limits);
    if (request->sets_key) {
        const struct queue_limits of_keys = {.concurrency    = request->key_concurrency,
                                             .rate_count     = request->key_rate_count,
                                             .rate_period_us = request->key_rate_period_us};
        queue_limit_keys(engine->queues, queue, &of_keys, engine->now_us);
    }
    if (!request->sets_redrive) return STATUS_OK;
    return engine_redrive_set(engine, queue, request->redrive, reterr);
}

static void purge(struct engine *engine, struct queue *queue)
{
    if (queue->purge_before == 0) engine->purge.count++;
    if (engine->purge.queue == queue) engine->purge.queue = NULL; /* from its beginning */
    queue->purge_before = engine->ready_next;
}

status engine_set_queue(struct engine *engine, struct command *command, struct error *reterr)
{
    const Pb__SetQueue *request = command->request;
    engine_answer(engine, command);
    struct queue *queue = engine_queue_named(engine, command, str_from(request->name));
    if (!queue) return STATUS_OK;
    switch (request->action) {
    case PB__QUEUE_ACTION__QUEUE_ACTION_PAUSE: queue->is_paused = true; break;
    case PB__QUEUE_ACTION__QUEUE_ACTION_RESUME: queue->is_paused = false; break;
    case PB__QUEUE_ACTION__QUEUE_ACTION_LIMIT:
        TRY(set_limits(engine, queue, request, reterr));
        break;
    case PB__QUEUE_ACTION__QUEUE_ACTION_PURGE: purge(engine, queue); break;
    case PB__QUEUE_ACTION__QUEUE_ACTION_REDRIVE:
        TRY(engine_redrive_sweep(engine, queue, request->sweep, reterr));
        break;
    default: return command_refuse(command, STATUS_INVALID_ARGUMENT, NULL, "no such action");
    }
    Pb__QueueView *view = command->response;
    view->name          = queue->name.ptr;
    board_view_settings(queue, view);
    /* The rest of the turn may change the rule, before anybody is answered. */
    view->redrive_json = text_in(command->arena, str_from(view->redrive_json));
    if (!view->redrive_json) return fail(reterr, STATUS_RESOURCE_EXHAUSTED, "no memory");
    return engine_queue_put(engine, queue, reterr);
}
