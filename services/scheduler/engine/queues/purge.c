/*
 * Jobs that nobody wants any more: all that wait in a queue, piece by piece, or one.
 *
 * A purge is a mark in the row of its queue: what was queued before it and waits is failed. So it
 * goes on after a restart, and what is queued meanwhile stays.
 */
#include "base/assert.h"
#include "scheduler/engine/events/webhooks.h"
#include "scheduler/engine/jobs/job_rows.h"
#include "scheduler/engine/queues/engine_queues.h"
#include "workflow/errors.h"

enum { JOBS_PER_TURN = 200, HTTP_CLIENT_CLOSED = 499 };
#define TURN_BUDGET_US INT64_C(10'000)

static status cancel(struct engine *engine, struct open_job *job, const char *why,
                     struct error *reterr)
{
    CLEANUP(json_unrefp)
    json error            = error_own_new("cancelled", HTTP_CLIENT_CLOSED, "the job was cancelled",
                                          str_from(why), (str){});
    job->is_cancel_wanted = true;
    return engine_withdraw_job(engine, job, error, reterr);
}

/* --- one ---------------------------------------------------------------------------------------
 */

status engine_cancel_job(struct engine *engine, struct command *command, struct error *reterr)
{
    const Pb__CancelJob *request = command->request;
    struct open_job *job         = open_job_find(engine->queues, str_from(request->id));
    Pb__JobRecord *record        = NULL;
    engine_answer(engine, command);
    if (job && !job_is_delivery(job)) {
        TRY(engine_job_row(engine, str_from(request->id), engine->arena, &record, reterr));
    }
    bool is_ours = record && (str_is(command->namespace, "*") ||
                              str_is(command->namespace, record->job->namespace_));
    if (!is_ours) {
        return command_refuse(command, STATUS_NOT_FOUND, "not_found", "there is no open job %.40s",
                              request->id);
    }
    Pb__CancelledJob *answer = command->response;
    answer->run              = text_in(command->arena, str_from(job->run.text));
    const char *why          = *request->reason ? request->reason : "somebody cancelled it";
    return cancel(engine, job, why, reterr);
}

/* --- all of a queue ----------------------------------------------------------------------------
 */

struct gathering {
    struct engine *engine;
    uint64_t before;
    struct id jobs[JOBS_PER_TURN];
    size_t count;
};

static status gather(bytes key, bytes row, struct error *reterr, void *context)
{
    struct gathering *gathering = context;
    struct ready_place place    = {};
    struct key_text namespace   = {};
    struct key_text name        = {};
    Pb__ReadyRecord *record     = NULL;
    if (!ready_key_read(key, &namespace, &name, &place)) {
        return fail(reterr, STATUS_DATA_LOSS, "table ready: a key");
    }
    if (place.sequence >= gathering->before) return STATUS_OK;
    TRY(record_read(row, &pb__ready_record__descriptor, gathering->engine->arena, &record, reterr));
    if (record->is_leased || !id_is_valid(str_from(record->job))) return STATUS_OK;
    memcpy(gathering->jobs[gathering->count++].text, record->job, ID_LEN);
    return STATUS_OK;
}

static struct queue *next_purged(struct engine *engine)
{
    size_t index = 0;
    struct queue *queue;
    while ((queue = job_queue_next(engine->queues, &index))) {
        if (queue->purge_before > 0) return queue;
    }
    return NULL;
}

static status end(struct engine *engine, struct queue *queue, struct error *reterr)
{
    queue->purge_before = 0;
    engine->purge       = (struct purge){.count = engine->purge.count - 1};
    return engine_queue_put(engine, queue, reterr);
}

/* The page is behind those that did not come to their turn any more; the next one finds them. */
static status fail_all(struct engine *engine, const struct gathering *gathering, bool *ret_done,
                       struct error *reterr)
{
    int64_t until_us = engine_mono_us(engine) + TURN_BUDGET_US;
    *ret_done        = true;
    for (size_t i = 0; i < gathering->count; i++) {
        struct open_job *job = open_job_find(engine->queues, str_from(gathering->jobs[i].text));
        if (!job || job->state == OPEN_JOB_LEASED) continue;
        if (i > 0 && engine_mono_us(engine) >= until_us) {
            *ret_done = false;
            return STATUS_OK;
        }
        TRY(cancel(engine, job, "its queue was purged", reterr));
    }
    return STATUS_OK;
}

status engine_purges_go_on(struct engine *engine, struct error *reterr)
{
    struct purge *purge = &engine->purge;
    if (purge->count == 0) return STATUS_OK;
    TRY(engine_places_flush(engine, reterr));
    if (!purge->queue) {
        purge->queue = next_purged(engine);
        purge->page  = (struct page){};
    }
    ASSERT(purge->queue);
    struct gathering *gathering = arena_alloc(engine->arena, sizeof *gathering);
    if (!gathering) return fail(reterr, STATUS_RESOURCE_EXHAUSTED, "no memory for a purge");
    *gathering = (struct gathering){.engine = engine, .before = purge->queue->purge_before};
    struct key prefix;
    queue_key(&prefix, purge->queue->namespace, purge->queue->name);
    const struct scan scan = {.prefix = key_bytes(&prefix)};
    struct page page       = purge->page;
    bool is_done           = false;
    TRY(txn_page(engine->txn, TABLE_READY, &scan, JOBS_PER_TURN, &page, gather, gathering, reterr));
    TRY(fail_all(engine, gathering, &is_done, reterr));
    if (!is_done) return STATUS_OK;
    purge->page = page;
    return page.has_more ? STATUS_OK : end(engine, purge->queue, reterr);
}
