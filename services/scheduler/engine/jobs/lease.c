/*
 * What workers get: jobs for their polls, answers to their heartbeats.
 *
 * A lease is a row that is written before the worker hears of it (`ready`, some 80 bytes), so that
 * after a restart the number of the newest lease is known and an older token changes nothing.
 */
#include "base/assert.h"
#include "base/log.h"
#include "base/mem.h"
#include "job.pb-c.h"
#include "scheduler/engine/budgets/engine_budgets.h"
#include "scheduler/engine/engine_internal.h"
#include "scheduler/engine/events/webhooks.h"
#include "scheduler/engine/jobs/drain.h"
#include "scheduler/engine/jobs/job_progress.h"
#include "scheduler/engine/jobs/job_rows.h"
#include "scheduler/engine/jobs/job_secrets.h"
#include "scheduler/engine/jobs/orphans.h"
#include "scheduler/engine/jobs/wish.h"
#include "scheduler/engine/queues/engine_queues.h"

#include <stdio.h>
#include <stdlib.h>

enum {
    LEASED_SIZE_MAX = 8 << 20, /* bytes of inputs in one answer, but for its first job */
    WAIT_MS_MAX     = 60'000,  /* as the HTTP API's waits */
};

/* --- one job -----------------------------------------------------------------------------------
 */

/* A turn of an agent: its input is the conversation, which is the state of the run. */
static status fill_turn(struct engine *engine, const Pb__JobRecord *record, struct arena *arena,
                        struct error *reterr)
{
    struct live_run *live = NULL;
    TRY(engine_run(engine, str_from(record->job->run), NULL, &live, reterr));
    CLEANUP(json_unrefp) json input = json_invalid();
    if (live) input = run_turn_input(live->run, str_from(record->job->id));
    if (json_is(input, JSON_INVALID)) {
        return fail(reterr, STATUS_DATA_LOSS, "the run has no such turn");
    }
    return json_in(arena, input, &record->job->input_json, reterr);
}

static status fill_input(struct engine *engine, const Pb__JobRecord *record, struct arena *arena,
                         struct error *reterr)
{
    if (record->is_turn) return fill_turn(engine, record, arena, reterr);
    if (record->input_payload == 0) return STATUS_OK;
    struct payload_access access        = {.txn = engine->txn};
    const struct payload_store payloads = payload_store_of(&access);
    str text                            = {};
    TRY(payloads.load(record->input_payload, &text, payloads.context, reterr));
    record->job->input_json = bytes_in(arena, text);
    if (record->job->input_json.data) return STATUS_OK;
    return fail(reterr, STATUS_RESOURCE_EXHAUSTED, "the input of a job does not fit an answer");
}

/* When the attempt that begins now must be over; 0: no limit. */
static int64_t attempt_end_us(const struct engine *engine, const Pb__JobRecord *record)
{
    int64_t ends_us = record->task_deadline_us;
    if (record->attempt_timeout_us > 0) {
        int64_t limit_us = engine->now_us + record->attempt_timeout_us;
        if (ends_us == 0 || limit_us < ends_us) ends_us = limit_us;
    }
    return ends_us;
}

static ProtobufCBinaryData sign(struct engine *engine, struct open_job *job, struct arena *arena)
{
    const struct lease lease = {
        .job = job->id, .number = job->lease_number, .expires_us = job->lease_expires_us};
    job->token = lease_sign(&lease, &engine->partition->lease_key);
    return bytes_in(arena, (str){(const char *)job->token.data, sizeof job->token.data});
}

/* NULL: it may cost anything, or there is no memory to say so. */
static Pb__BudgetRoom *room_of(const struct open_job *job, struct arena *arena)
{
    Pb__BudgetRoom *room = job->funding ? arena_alloc(arena, sizeof *room) : NULL;
    return room ? funding_put_room(job->funding, room) : NULL;
}

/* Leases `job` to the poll and returns it as the worker gets it. A job that cannot be read is taken
 * out of its queue, so that the others behind it go on: NULL and OK. */
static status lease_job(struct engine *engine, const struct poll *poll, struct open_job *job,
                        Pb__LeasedJob **ret_leased, struct error *reterr)
{
    struct arena *arena   = poll->command->arena;
    Pb__JobRecord *record = engine_fresh_take(engine, job, arena);
    struct error why      = {};
    status read           = STATUS_OK;
    if (!record) read = engine_job_row(engine, str_from(job->id.text), arena, &record, &why);
    if (read == STATUS_OK) read = fill_input(engine, record, arena, &why);
    if (read != STATUS_OK) {
        log_write(LOG_ERROR, "job.unreadable", LOG_TEXT_OF("job", job->id.text),
                  LOG_TEXT_OF("error", why.text));
        TRY(engine_fund_end(engine, job, reterr));
        open_job_remove(engine->queues, job);
        return STATUS_OK;
    }
    if (job_is_delivery(job)) {
        bool is_filled = false;
        TRY(engine_delivery_fill(engine, job, record, arena, &is_filled, reterr));
        if (!is_filled) return STATUS_OK;
    }
    if (record->sends_secrets) {
        bool is_filled = false;
        TRY(engine_fill_secrets(engine, job, record, arena, &is_filled, reterr));
        if (!is_filled) return STATUS_OK;
    }
    open_job_lease(engine->queues, job, poll->worker, poll->lease_ms, engine->now_us,
                   attempt_end_us(engine, record));
    job->instance = poll->instance;
    open_job_start(engine->queues, job, engine->now_us);
    if (!job->is_place_due) TRY(engine_place_later(engine, job, reterr));
    if (job->queue->rate.count > 0) {
        queue_start(engine->queues, job->queue, engine->now_us);
        TRY(engine_queue_put(engine, job->queue, reterr));
    }

    Pb__LeasedJob *leased    = record->job;
    leased->lease_token      = sign(engine, job, arena);
    leased->lease_expires_us = job->lease_expires_us;
    leased->deadline_us      = job->attempt_ends_us;
    leased->probe            = job->is_probe;
    leased->queued_us        = job->queued_us;
    leased->takes_questions  = true;
    if (job->target) leased->target = text_in(arena, job->target->name);
    leased->needs_price = job->funding && job->funding->needs_price;
    leased->room        = room_of(job, arena);
    count_job_leased(engine->options.metrics, job->queue->name, str_from(leased->function),
                     engine->now_us - job->due_us);
    *ret_leased = leased;
    return STATUS_OK;
}

/* --- one poll ----------------------------------------------------------------------------------
 */

static struct open_job *best_job(const struct poll *poll)
{
    struct open_job *best = NULL;
    for (size_t i = 0; i < poll->place_count; i++) {
        struct open_job *first = queue_peek_lane(poll->places[i].queue, poll->places[i].lane);
        if (first && (!best || open_job_is_before(first, best))) best = first;
    }
    return best;
}

status engine_poll_fill(struct engine *engine, const struct poll *poll, size_t size_max,
                        struct leased_jobs *leased, struct error *reterr)
{
    /* Any job could be one of a run that is still to be erased again. */
    struct open_job *job = engine->has_erasures ? NULL : best_job(poll);
    if (job && !leased->jobs) {
        size_t size  = poll->count_max * sizeof(Pb__LeasedJob *);
        leased->jobs = arena_alloc(poll->command->arena, size);
    }
    while (job && leased->jobs && leased->count < poll->count_max) {
        Pb__LeasedJob *one = NULL;
        TRY(lease_job(engine, poll, job, &one, reterr));
        if (one) {
            leased->jobs[leased->count++] = one;
            leased->size_bytes += one->input_json.len;
        }
        job = leased->size_bytes < size_max ? best_job(poll) : NULL;
    }
    return STATUS_OK;
}

/* Fills the answer of a poll; `*ret_count` 0: there is nothing for it. */
static status fill_poll(struct engine *engine, const struct poll *poll, size_t *ret_count,
                        struct error *reterr)
{
    struct leased_jobs leased = {};
    TRY(engine_poll_fill(engine, poll, LEASED_SIZE_MAX, &leased, reterr));
    Pb__LeasedJobs *answer = poll->command->response;
    answer->jobs           = leased.jobs;
    answer->n_jobs         = leased.count;
    *ret_count             = leased.count;
    return STATUS_OK;
}

static void finish_poll(struct engine *engine, struct poll *poll)
{
    Pb__LeasedJobs *answer = poll->command->response;
    answer->draining       = poll->worker->is_draining;
    engine_answer(engine, poll->command);
    poll_free(poll);
}

/* Its answer carries the word to the worker that it asks what became of its jobs. */
static void call_off(struct poll *poll)
{
    Pb__LeasedJobs *answer      = poll->command->response;
    answer->beat                = true;
    poll->worker->is_called_off = false;
}

/* After everything else: a poll that is being filled must not go. */
static void call_workers_off(struct engine *engine)
{
    struct poll *poll = NULL;
    while (engine->calls_off && (poll = poll_called_off(&engine->polls))) {
        call_off(poll);
        poll_unpark(&engine->polls, poll);
        finish_poll(engine, poll);
    }
    engine->calls_off = false; /* the others hear it when they poll, or beat */
}

void engine_poll_lend(struct engine *engine, struct poll *poll, uint32_t count)
{
    ASSERT(count <= poll->count_max);
    poll->count_max -= count;
    if (poll->count_max > 0) return;
    poll_unpark(&engine->polls, poll);
    finish_poll(engine, poll);
}

status engine_serve_poll(struct engine *engine, struct poll *poll, bool *ret_served,
                         struct error *reterr)
{
    size_t count = 0;
    TRY(fill_poll(engine, poll, &count, reterr));
    *ret_served = count > 0;
    if (count == 0) return STATUS_OK;
    poll_unpark(&engine->polls, poll);
    finish_poll(engine, poll);
    return STATUS_OK;
}

status engine_dispatch(struct engine *engine, struct error *reterr)
{
    TRY(engine_serve_wishes(engine, reterr));
    size_t index = 0;
    const struct queue *queue;
    while ((queue = job_queue_next(engine->queues, &index))) {
        struct poll *poll = NULL;
        while ((poll = poll_next(queue))) {
            bool is_served = false;
            TRY(engine_serve_poll(engine, poll, &is_served, reterr));
            if (!is_served) break;
        }
    }
    call_workers_off(engine);
    return STATUS_OK;
}

void engine_end_polls(struct engine *engine, bool everything)
{
    struct poll *poll;
    while ((poll = everything ? poll_any(&engine->polls)
                              : poll_over(&engine->polls, engine->now_us))) {
        poll_unpark(&engine->polls, poll);
        finish_poll(engine, poll);
    }
}

/* --- the Lease call ----------------------------------------------------------------------------
 */

static void note_worker(struct worker *worker, const Pb__LeaseJobs *request)
{
    worker->slots    = request->slots > 0 ? request->slots : request->count_max;
    worker->instance = request->instance;
    (void)snprintf(worker->kind, sizeof worker->kind, "%s", request->kind);
    struct buf names = buf_init(sizeof worker->queues - 1);
    for (size_t i = 0; i < request->n_queues; i++) {
        if (i > 0) (void)buf_put_byte(&names, ',');
        (void)buf_put_text(&names, request->queues[i]);
    }
    (void)snprintf(worker->queues, sizeof worker->queues, STR_FMT, STR_ARG(buf_str(&names)));
    buf_done(&names);
}

static uint32_t clamp(uint32_t value, uint32_t min, uint32_t max)
{
    if (value < min) return min;
    return value > max ? max : value;
}

void engine_poll_init(struct engine *engine, struct command *command, const Pb__LeaseJobs *request,
                      struct worker *worker, struct poll *ret_poll)
{
    uint32_t lease_ms = request->lease_ms > 0 ? request->lease_ms : engine->options.lease_ms;
    note_worker(worker, request);
    *ret_poll = (struct poll){
        .command   = command,
        .id        = command->id,
        .worker    = worker,
        .instance  = request->instance,
        .count_max = clamp(request->count_max, 1, POLL_JOBS_MAX),
        .lease_ms  = clamp(lease_ms, LEASE_MS_MIN, LEASE_MS_MAX),
        .hears     = request->hears,
    };
}

/* The places of a poll; a refusal sets the command's outcome. */
static void find_places(struct engine *engine, struct command *command, struct poll *poll)
{
    const Pb__LeaseJobs *request = command->request;
    size_t most  = request->n_queues * (request->n_functions > 0 ? request->n_functions : 1);
    poll->places = arena_alloc(command->arena, most * sizeof *poll->places);
    if (!poll->places) {
        (void)command_refuse(command, STATUS_RESOURCE_EXHAUSTED, NULL, "the poll is too large");
        return;
    }
    for (size_t i = 0; i < request->n_queues; i++) {
        struct queue *queue = engine_queue_named(engine, command, str_from(request->queues[i]));
        if (!queue) return;
        if (request->n_functions == 0) poll_add_place(poll, queue, NULL);
        for (size_t f = 0; f < request->n_functions; f++) {
            str function      = str_from(request->functions[f]);
            struct lane *lane = job_lane_join(engine->queues, queue, function);
            if (lane) poll_add_place(poll, queue, lane); /* else its jobs have none */
        }
    }
}

static struct poll *make_poll(struct engine *engine, struct command *command)
{
    const Pb__LeaseJobs *request = command->request;
    ASSERT(request->n_queues > 0 && request->n_queues <= POLL_QUEUES_MAX); /* the service's check */

    struct worker *worker = NULL;
    status known = worker_at(engine->workers, str_from(request->worker), engine->now_us, &worker,
                             &command->error);
    if (known != STATUS_OK) {
        command->code = known;
        return NULL;
    }
    struct poll *poll = mem_new(1, sizeof *poll);
    engine_poll_init(engine, command, request, worker, poll);
    poll->ends_us = engine->now_us + (int64_t)clamp(request->wait_ms, 0, WAIT_MS_MAX) * 1000;
    if (!worker->is_draining) find_places(engine, command, poll);
    return poll;
}

/* Nobody takes its answer. */
static void give_up(struct engine *engine, struct poll *poll)
{
    poll_unpark(&engine->polls, poll);
    (void)command_refuse(poll->command, STATUS_CANCELLED, NULL, "the caller has gone");
    finish_poll(engine, poll);
}

void engine_give_up_polls(struct engine *engine, uint64_t instance)
{
    struct poll *poll;
    while ((poll = poll_of_process(&engine->polls, instance))) give_up(engine, poll);
}

status engine_lease(struct engine *engine, struct command *command, struct error *reterr)
{
    status heard      = engine_drain_heard(engine, command->request, reterr);
    struct poll *poll = heard == STATUS_OK ? make_poll(engine, command) : NULL;
    if (!poll || command->code != STATUS_OK) {
        if (poll) poll_free(poll);
        engine_answer(engine, command);
        return heard;
    }
    size_t count  = 0;
    status filled = fill_poll(engine, poll, &count, reterr);
    bool is_off   = poll->hears && poll->worker->is_called_off;
    bool is_over  = is_off || count > 0 || poll->ends_us <= engine->now_us || filled != STATUS_OK;
    if (is_off) call_off(poll);
    if (!is_over) {
        status parked = poll_park(&engine->polls, poll, &command->error);
        if (parked == STATUS_OK) return STATUS_OK;
        command->code = parked;
    }
    finish_poll(engine, poll);
    return filled;
}

void engine_end_polls_of(struct engine *engine, const struct worker *worker)
{
    struct poll *poll;
    while ((poll = poll_without_places(&engine->polls, worker))) {
        poll_unpark(&engine->polls, poll);
        finish_poll(engine, poll);
    }
}

void engine_give_up(struct engine *engine, struct command *command)
{
    struct poll *poll = poll_find(&engine->polls, command->id);
    if (poll) give_up(engine, poll);
    engine_answer(engine, command);
}

/* --- heartbeats --------------------------------------------------------------------------------
 */

static status keep_checkpoint(struct engine *engine, const Pb__Heartbeat *beat,
                              struct error *reterr)
{
    if (beat->checkpoint_json.len == 0 || beat->checkpoint_json.len > CHECKPOINT_MAX) {
        return STATUS_OK;
    }
    Pb__JobRecord *record = NULL;
    TRY(engine_job_row(engine, str_from(beat->job), engine->arena, &record, reterr));
    record->job->checkpoint_json = beat->checkpoint_json;
    return engine_job_put(engine, record, reterr);
}

/* The job that the token holds right now, or NULL. */
static struct open_job *held_job(struct engine *engine, const Pb__Heartbeat *beat)
{
    struct lease lease = {};
    bytes token        = {beat->lease_token.data, beat->lease_token.len};
    if (!lease_verify(token, &engine->partition->lease_key, &lease)) return NULL;
    if (strcmp(lease.job.text, beat->job) != 0) return NULL;
    struct open_job *job = open_job_find(engine->queues, str_from(beat->job));
    if (!job || job->state != OPEN_JOB_LEASED || job->lease_number != lease.number) return NULL;
    return job;
}

/* Whoever follows the run reads on. */
static status hear_progress(struct engine *engine, struct open_job *job, const Pb__Heartbeat *beat,
                            struct error *reterr)
{
    const struct engine_listener *listener = &engine->options.listener;
    struct job_progress *progress          = job_queues_progress(engine->queues);
    str said = {.ptr = (const char *)beat->progress_json.data, .len = beat->progress_json.len};
    if (!progress || said.len == 0) return STATUS_OK;
    if (!job_progress_knows(progress, &job->id)) {
        Pb__JobRecord *record = NULL;
        TRY(engine_job_row(engine, str_from(beat->job), engine->arena, &record, reterr));
        job_progress_add(progress, record->job);
        job->sends_secrets = record->sends_secrets;
    }
    if (job->sends_secrets) TRY(engine_hide_secrets(engine, job, said, &said, reterr));
    job->has_progress = true;
    bool is_news      = job_progress_say(progress, &job->id, said, engine->now_us);
    if (is_news && listener->progressed) listener->progressed(&job->run, listener->context);
    return STATUS_OK;
}

/* A lease time of its own, which lasts as long as the lease, also over a restart. */
static status lengthen(struct engine *engine, struct open_job *job, uint32_t extend_ms,
                       struct error *reterr)
{
    uint32_t lease_ms = clamp(extend_ms, LEASE_MS_MIN, LEASE_MS_MAX);
    if (extend_ms == 0 || lease_ms == job->lease_ms) return STATUS_OK;
    job->lease_ms = lease_ms;
    return job->is_place_due ? STATUS_OK : engine_place_later(engine, job, reterr);
}

static status beat_job(struct engine *engine, struct worker *worker, const Pb__Heartbeat *beat,
                       struct arena *arena, Pb__HeartbeatAnswer *answer, struct error *reterr)
{
    *answer              = (Pb__HeartbeatAnswer)PB__HEARTBEAT_ANSWER__INIT;
    answer->job          = beat->job;
    struct open_job *job = held_job(engine, beat);
    if (!job) {
        answer->status = STATUS_FAILED_PRECONDITION;
        answer->cancel = map_remove(engine->cancelled_jobs, str_from(beat->job)) != NULL;
        return STATUS_OK;
    }
    open_job_adopt(job, worker);
    job->is_unclaimed = false;
    TRY(lengthen(engine, job, beat->extend_ms, reterr));
    open_job_extend(engine->queues, job, engine->now_us);
    answer->cancel           = job->is_cancel_wanted;
    answer->lease_expires_us = job->lease_expires_us;
    if (beat->draw) TRY(engine_draw(engine, job, beat->draw, arena, answer, reterr));
    TRY(hear_progress(engine, job, beat, reterr));
    return keep_checkpoint(engine, beat, reterr);
}

status engine_heartbeat(struct engine *engine, struct command *command, struct error *reterr)
{
    const Pb__Heartbeats *request = command->request;
    Pb__HeartbeatAnswers *answer  = command->response;
    engine_answer(engine, command);

    struct worker *worker = NULL;
    command->code = worker_at(engine->workers, str_from(request->worker), engine->now_us, &worker,
                              &command->error);
    if (command->code != STATUS_OK) return STATUS_OK;

    size_t count                 = request->n_jobs;
    answer->jobs                 = arena_alloc(command->arena, (count + 1) * sizeof *answer->jobs);
    Pb__HeartbeatAnswer *answers = arena_alloc(command->arena, (count + 1) * sizeof *answers);
    if (!answer->jobs || !answers) {
        return command_refuse(command, STATUS_RESOURCE_EXHAUSTED, NULL, "too many heartbeats");
    }
    for (size_t i = 0; i < count; i++) {
        TRY(beat_job(engine, worker, request->jobs[i], command->arena, &answers[i], reterr));
        answer->jobs[i] = &answers[i];
    }
    answer->n_jobs = count;
    return engine_offer_orphans(engine, request, reterr);
}
