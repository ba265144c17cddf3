/* Rows of jobs and their places in the queues, as the events of a run say. */
#include "base/assert.h"
#include "base/log.h"
#include "scheduler/engine/breakers/engine_breakers.h"
#include "scheduler/engine/budgets/engine_budgets.h"
#include "scheduler/engine/engine_internal.h"
#include "scheduler/engine/jobs/charge.h"
#include "scheduler/engine/jobs/job_rows.h"
#include "scheduler/engine/jobs/settling.h"
#include "scheduler/engine/limits/engine_limits.h"
#include "scheduler/engine/redrive/calls.h"
#include "scheduler/engine/redrive/redrive.h"
#include "scheduler/run/job_key.h"
#include "scheduler/tables/dead_letters.h"
#include "json/json_text.h"

#include <string.h>

enum {
    VALUE_SIZE_MAX   = 64 << 20, /* bytes */
    LETTER_QUEUE_MAX = 63,       /* bytes of a queue's name */
};

/* --- rows --------------------------------------------------------------------------------------
 */

status engine_job_row(struct engine *engine, str job, struct arena *arena,
                      Pb__JobRecord **ret_record, struct error *reterr)
{
    struct key key;
    id_key(&key, job);
    status got = record_get(engine->txn, TABLE_JOBS, key_bytes(&key), &pb__job_record__descriptor,
                            arena, ret_record, NULL);
    if (got == STATUS_OK && (*ret_record)->job) return STATUS_OK;
    return fail(reterr, got == STATUS_OK ? STATUS_DATA_LOSS : got, "the row of job " STR_FMT,
                STR_ARG(job));
}

status engine_job_put(struct engine *engine, const Pb__JobRecord *record, struct error *reterr)
{
    struct key key;
    id_key(&key, str_from(record->job->id));
    return record_append(engine->txn, TABLE_JOBS, key_bytes(&key), &record->base, reterr);
}

static void place_key(struct key *key, const struct open_job *job)
{
    const struct ready_place place = {
        .namespace = job->queue->namespace,
        .queue     = job->queue->name,
        .priority  = job->priority,
        .due_us    = job->due_us,
        .sequence  = job->sequence,
    };
    ready_key(key, &place);
}

status engine_ready_put(struct engine *engine, struct open_job *job, struct error *reterr)
{
    job->is_place_due      = false;
    job->has_place         = true;
    Pb__ReadyRecord record = PB__READY_RECORD__INIT;
    record.job             = job->id.text;
    record.run             = job->run.text;
    record.queued_us       = job->queued_us;
    record.lease_number    = job->lease_number;
    record.is_held         = job->is_held;
    record.target          = job->target ? job->target->name.ptr : "";
    record.is_probe        = job->is_probe;
    record.fails_on_open   = job->fails_on_open;
    record.workflow        = line_of_workflow(job->line)->name.ptr;
    record.function        = open_job_lane_name(job);
    if (job->limit_key) record.limit_key = job->limit_key;
    if (job->limit_name) {
        record.limit_name           = job->limit_name;
        record.limit_concurrency    = job->limit_rule.concurrency;
        record.limit_rate_count     = job->limit_rule.rate_count;
        record.limit_rate_period_us = job->limit_rule.rate_period_us;
    }
    Pb__JobFunding funding;
    Pb__BudgetRoom room;
    if (job->funding) {
        funding_to_row(job->funding, &funding);
        funding.room   = funding_put_room(job->funding, &room);
        record.funding = &funding;
    }
    if (job->state == OPEN_JOB_LEASED) {
        record.is_leased       = true;
        record.lease_ms        = job->lease_ms;
        record.attempt_ends_us = job->attempt_ends_us;
        record.holder          = job->holder ? job->holder->name : "";
        record.instance        = job->instance;
    }
    struct key key;
    place_key(&key, job);
    return record_put(engine->txn, TABLE_READY, key_bytes(&key), &record.base, reterr);
}

status engine_ready_delete(struct engine *engine, struct open_job *job, struct error *reterr)
{
    bool has_place    = job->has_place;
    job->has_place    = false;
    job->is_place_due = false;
    if (!has_place) return STATUS_OK;
    struct key key;
    place_key(&key, job);
    return txn_delete(engine->txn, TABLE_READY, key_bytes(&key), reterr);
}

/* --- scheduled ---------------------------------------------------------------------------------
 */

/* Small inputs stand in the row; a large one is a payload, which the journal may already have. */
static status keep_input(struct engine *engine, const struct task *task, const struct event *event,
                         Pb__JobRecord *record, struct error *reterr)
{
    record->input_payload = event->value_payload;
    if (record->input_payload > 0) return STATUS_OK;
    str known = task->kind == TASK_CALL ? task->call.constant_text : (str){};
    if (known.len > 0 && json_same(event->value, task->call.constant)) {
        record->job->input_json = (ProtobufCBinaryData){known.len, (uint8_t *)(uintptr_t)known.ptr};
        return STATUS_OK;
    }

    CLEANUP(buf_done) struct buf text = buf_init(VALUE_SIZE_MAX);
    bool is_none                      = json_is(event->value, JSON_INVALID);
    if (!json_print(is_none ? json_null() : event->value, JSON_COMPACT, &text)) {
        return fail(reterr, STATUS_RESOURCE_EXHAUSTED, "the input of a job is too large");
    }
    if (text.len <= PAYLOAD_INLINE_MAX) {
        record->job->input_json = bytes_in(engine->arena, buf_str(&text));
        return STATUS_OK;
    }
    struct payload_access access        = {.txn = engine->txn, .next = &engine->payload_next};
    const struct payload_store payloads = payload_store_of(&access);
    return payloads.store(buf_str(&text), &record->input_payload, payloads.context, reterr);
}

static const char *text_of(struct engine *engine, json value)
{
    return json_is(value, JSON_TEXT) ? text_in(engine->arena, json_str(value)) : "";
}

bool engine_job_undoes(const struct live_run *live, const struct event *event)
{
    const struct task *task             = &run_workflow(live->run)->tasks[event->task];
    const struct activation *activation = run_activation(live->run, event->activation);
    bool is_its = activation && memcmp(activation->id.text, event->id.text, ID_LEN) == 0;
    return task->is_compensation || (is_its && activation->undo);
}

/* What undoes something waits, whatever its task would rather. */
static bool fails_on_open(const struct live_run *live, const struct event *event)
{
    const struct task *task = &run_workflow(live->run)->tasks[event->task];
    return task->kind == TASK_CALL && task->call.fails_on_open && !engine_job_undoes(live, event);
}

/* Where it takes its turn with those of other workflows. */
static struct line *line_of_run(struct engine *engine, struct queue *queue,
                                const struct live_run *live)
{
    const struct workflow *workflow = run_workflow(live->run);
    str namespace                   = str_from(workflow->namespace_);
    str name                        = str_from(workflow->name);
    char text[LINE_NAME_MAX];
    if (namespace.len + 1 + name.len > sizeof text) return NULL;
    memcpy(text, namespace.ptr, namespace.len);
    text[namespace.len] = '/';
    memcpy(text + namespace.len + 1, name.ptr, name.len);
    return job_line_at(engine->queues, queue, (str){text, namespace.len + 1 + name.len});
}

/* The job's place in its queue. */
static status place(struct engine *engine, const struct live_run *live, const struct event *event,
                    struct fresh_job *fresh, const Pb__JobRecord *record, struct error *reterr)
{
    str name            = str_from(record->job->queue);
    struct queue *queue = job_queue_at(engine->queues, str_from(record->queue_namespace), name);
    struct open_job job = {
        .id            = event->id,
        .run           = live->id,
        .queue         = queue,
        .line          = line_of_run(engine, queue, live),
        .lane          = job_lane_join(engine->queues, queue, str_from(record->job->function)),
        .priority      = event->priority <= JOB_PRIORITY_MAX ? event->priority : PRIORITY_DEFAULT,
        .sequence      = record->sequence,
        .due_us        = record->due_us,
        .queued_us     = record->queued_us,
        .is_held       = run_is_suspended(live->run),
        .target        = engine_target_of(engine, name, record->job->function, event->value),
        .fails_on_open = fails_on_open(live, event),
        .function      = engine_function_name(engine, record->job->function),
        .fresh         = fresh,
        .fresh_turn    = engine->turn,
    };
    TRY(engine_job_limits(engine, live, event, &job, reterr));
    job.funding            = engine_fund(engine, live, event, record->job->function);
    struct open_job *added = open_job_add(engine->queues, &job, engine->now_us);
    if (!added) {
        return fail_code(reterr, STATUS_RESOURCE_EXHAUSTED, "overloaded", "over %d open jobs",
                         QUEUE_JOBS_MAX);
    }
    return engine_place_later(engine, added, reterr);
}

static status schedule(struct engine *engine, struct live_run *live, const struct event *event,
                       struct error *reterr)
{
    const struct workflow *workflow = run_workflow(live->run);
    const struct task *task         = &workflow->tasks[event->task];
    str queue_name = str_from(event->queue && *event->queue ? event->queue : QUEUE_DEFAULT);
    str namespace  = queue_is_own(queue_name) ? (str){} : str_from(workflow->namespace_);

    Pb__LeasedJob leased = PB__LEASED_JOB__INIT;
    leased.id            = event->id.text;
    leased.queue         = text_in(engine->arena, queue_name);
    leased.function      = event->function ? event->function : "";
    if (event->function_version) leased.function_version = event->function_version;
    leased.run        = live->id.text;
    leased.namespace_ = workflow->namespace_;
    leased.workflow   = workflow->name;
    leased.task       = task->reference;
    leased.iteration  = text_of(engine, event->iteration);
    if (json_is(event->reference, JSON_TEXT)) leased.task = text_of(engine, event->reference);
    leased.attempt         = event->attempt;
    leased.attempts_max    = event->attempts_max;
    leased.idempotency_key = text_of(engine, event->key);
    leased.priority        = event->priority;
    leased.traceparent     = live->traceparent;
    leased.undoes          = engine_job_undoes(live, event);
    TRY(engine_call_recall(engine, &leased, reterr));

    Pb__JobRecord record      = PB__JOB_RECORD__INIT;
    record.job                = &leased;
    record.queue_namespace    = text_in(engine->arena, namespace);
    record.sequence           = engine->ready_next++;
    record.due_us             = engine->now_us;
    record.queued_us          = engine->now_us;
    record.task_deadline_us   = event->deadline_us;
    record.attempt_timeout_us = event->attempt_timeout_us;
    record.sends_secrets      = task->sends_secrets;
    record.is_turn            = task->call.is_turn;
    if (!record.is_turn) TRY(keep_input(engine, task, event, &record, reterr));
    TRY(engine_job_put(engine, &record, reterr));

    struct fresh_job *fresh = arena_alloc(engine->arena, sizeof *fresh);
    if (fresh) *fresh = (struct fresh_job){.record = record, .leased = leased};
    return place(engine, live, event, fresh, &record, reterr);
}

/* --- retried -----------------------------------------------------------------------------------
 */

static status retry(struct engine *engine, struct open_job *job, const struct event *event,
                    struct error *reterr)
{
    Pb__JobRecord *record = NULL;
    TRY(engine_job_row(engine, str_from(job->id.text), engine->arena, &record, reterr));
    TRY(engine_ready_delete(engine, job, reterr));
    job->fresh = NULL;
    count_job_retried(engine->options.metrics, job->queue->name, str_from(record->job->function));
    if (job->holder) record->job->last_holder = text_in(engine->arena, str_from(job->holder->name));
    record->job->attempt = event->attempt;
    record->deaths       = 0;
    record->is_unknown |= event->is_unknown;
    open_job_note_end(job, record);
    record->due_us = event->due_us > engine->now_us ? event->due_us : engine->now_us;
    open_job_return(engine->queues, job, record->due_us, engine->now_us);
    TRY(engine_job_put(engine, record, reterr));
    return engine_ready_put(engine, job, reterr);
}

/* --- closed ------------------------------------------------------------------------------------
 */

/* The queue in which a task's dead letters lie: its own, or the one of its jobs. */
static struct queue *dead_letter_queue(struct engine *engine, const struct live_run *live,
                                       task_index index, str queue_default)
{
    const struct workflow *workflow = run_workflow(live->run);
    const struct task *task         = &workflow->tasks[index];
    str name                        = queue_default;
    if (task->kind == TASK_CALL && task->call.dead_letter_queue) {
        name = str_from(task->call.dead_letter_queue);
    }
    str namespace = queue_is_own(name) ? (str){} : str_from(workflow->namespace_);
    return job_queue_at(engine->queues, namespace, name);
}

static status letter_add(struct engine *engine, struct queue *queue, const struct event *event,
                         json error, const char *target, Pb__JobRecord *record,
                         struct error *reterr)
{
    Pb__DeadLetterRecord letter = PB__DEAD_LETTER_RECORD__INIT;
    letter.job                  = record;
    letter.time_us              = event->time_us;
    letter.target               = target;
    TRY(json_in(engine->arena, error, &letter.error_json, reterr));
    TRY(engine_redrive_noted(engine, queue, &letter, reterr));

    struct key key;
    dead_letter_key(&key, queue->namespace, queue->name, engine->dead_next++);
    queue->dead_count++;
    return letter_put(engine->txn, key_bytes(&key), &letter, reterr);
}

/* An entry of something that was no job. */
static void record_make(struct engine *engine, const struct live_run *live,
                        const struct event *event, const char *queue, Pb__LeasedJob *job,
                        Pb__JobRecord *record)
{
    const struct workflow *workflow = run_workflow(live->run);
    *job                            = (Pb__LeasedJob)PB__LEASED_JOB__INIT;
    job->queue                      = queue;
    job->run                        = live->id.text;
    job->namespace_                 = workflow->namespace_;
    job->workflow                   = workflow->name;
    job->task                       = workflow->tasks[event->task].reference;
    job->attempt                    = 1;
    *record                         = (Pb__JobRecord)PB__JOB_RECORD__INIT;
    record->job                     = job;
    record->queued_us               = engine->now_us;
}

status engine_bury_compensation(struct engine *engine, const struct live_run *live,
                                const struct event *event, struct error *reterr)
{
    if (event->is_kept) return STATUS_OK;
    const struct task *task = &run_workflow(live->run)->tasks[event->task];
    const char *name        = task->kind == TASK_CALL ? task->call.queue : QUEUE_DEFAULT;
    struct queue *queue     = dead_letter_queue(engine, live, event->task, str_from(name));
    Pb__LeasedJob job;
    Pb__JobRecord record;
    record_make(engine, live, event, text_in(engine->arena, queue->name), &job, &record);
    job.id = event->id.text;
    return letter_add(engine, queue, event, event->error, "", &record, reterr);
}

/* Its `data` says what it is about: {queue, error, input}, and whatever else there is. */
status engine_bury_emitted(struct engine *engine, const struct live_run *live,
                           const struct event *event, struct error *reterr)
{
    json type = json_get_text(event->value, "type");
    if (!json_is(type, JSON_TEXT) || !str_is(json_str(type), "dev.tutti.deadletter.v1")) {
        return STATUS_OK;
    }
    json data     = json_get_text(event->value, "data");
    json name     = json_get_text(data, "queue");
    json input    = json_get_text(data, "input");
    bool is_named = json_is(name, JSON_TEXT) && json_str(name).len > 0 &&
                    json_str(name).len <= LETTER_QUEUE_MAX && !queue_is_own(json_str(name));
    str queue_name = is_named ? json_str(name) : str_from(QUEUE_DEFAULT);
    struct queue *queue =
        job_queue_at(engine->queues, str_from(run_workflow(live->run)->namespace_), queue_name);
    const struct id id =
        id_next(&engine->ids, engine->now_us / 1000, (uint32_t)prng_next(&engine->random));
    Pb__LeasedJob job;
    Pb__JobRecord record;
    record_make(engine, live, event, text_in(engine->arena, queue->name), &job, &record);
    job.id = id.text;
    TRY(json_in(engine->arena, json_is(input, JSON_INVALID) ? data : input, &job.input_json,
                reterr));
    return letter_add(engine, queue, event, json_get_text(data, "error"), "", &record, reterr);
}

static const char *outcome_of(const struct event *event)
{
    enum event_kind kind = event->kind;
    if (kind == EVENT_JOB_COMPLETED) return "completed";
    if (kind == EVENT_JOB_CANCELLED || kind == EVENT_JOB_SETTLED) return "cancelled";
    if (kind == EVENT_JOB_DEAD) return "dead";
    return event_says_cancelled(event) ? "cancelled" : "failed";
}

/* A worker that still holds it hears of it with its next heartbeat. */
static void remember_cancelled(struct engine *engine, const struct open_job *job)
{
    if (map_count(engine->cancelled_jobs) >= ENGINE_SET_MAX) {
        map_free(engine->cancelled_jobs);
        engine->cancelled_jobs = map_new(ENGINE_SET_MAX);
    }
    bool is_put = map_put(engine->cancelled_jobs, str_from(job->id.text), engine);
    ASSERT(is_put);
    if (!job->holder) return;
    job->holder->is_called_off = true;
    engine->calls_off          = true;
}

status engine_forget_job(struct engine *engine, struct open_job *job, struct error *reterr)
{
    struct key key;
    id_key(&key, str_from(job->id.text));
    status deleted = txn_delete(engine->txn, TABLE_JOBS, key_bytes(&key), NULL);
    if (deleted != STATUS_OK && deleted != STATUS_NOT_FOUND) {
        return fail(reterr, deleted, "the row of a job cannot be deleted");
    }
    TRY(engine_ready_delete(engine, job, reterr));
    open_job_remove(engine->queues, job);
    return STATUS_OK;
}

static status close_job(struct engine *engine, const struct live_run *live, struct open_job *job,
                        const struct event *event, struct error *reterr)
{
    Pb__JobRecord *record = NULL;
    const char *function  = job->function;
    bool is_leased        = job->state == OPEN_JOB_LEASED;
    bool is_dropped       = event->kind == EVENT_JOB_SETTLED && event->is_kept;
    bool is_cancelled     = event->kind == EVENT_JOB_CANCELLED || is_dropped;
    bool is_settled       = event->kind == EVENT_JOB_SETTLED && !is_dropped;
    bool is_known =
        event->kind == EVENT_JOB_COMPLETED || (is_settled && event->error.kind == JSON_INVALID);
    bool has_failed = event->kind == EVENT_JOB_FAILED || event->kind == EVENT_JOB_DEAD;
    bool settles    = has_failed && event->is_kept;
    bool is_noted   = !is_known && job->lease_number > 0;
    bool is_unsaid  = is_cancelled || job->ended_as == PB__PREVIOUS_ATTEMPT__PREVIOUS_NONE;
    if (is_leased && is_unsaid) job->ended_as = PB__PREVIOUS_ATTEMPT__PREVIOUS_LOST;
    if (event->kind == EVENT_JOB_DEAD || is_noted || settles || !function) {
        TRY(engine_job_row(engine, str_from(job->id.text), engine->arena, &record, reterr));
        function = record->job->function;
    }
    if (is_noted) {
        open_job_note_end(job, record);
        TRY(engine_call_note(engine, record, reterr));
    }
    if (event->kind == EVENT_JOB_DEAD) {
        struct queue *queue = dead_letter_queue(engine, live, event->task, job->queue->name);
        const char *target  = job->target ? job->target->name.ptr : "";
        record->is_unknown |= event->is_unknown;
        TRY(letter_add(engine, queue, event, event->error, target, record, reterr));
    }
    if ((is_cancelled || job->is_cancel_wanted) && is_leased) {
        remember_cancelled(engine, job);
        TRY(engine_lease_unsaid(engine, job, true, reterr));
    }

    TRY(engine_fund_end(engine, job, reterr));
    count_job_finished(engine->options.metrics, job->queue->name, str_from(function),
                       outcome_of(event), is_leased ? engine->now_us - job->leased_us : -1);
    if (event->kind == EVENT_JOB_COMPLETED) queue_flow_add(&job->queue->completed, engine->now_us);
    if (has_failed) queue_flow_add(&job->queue->failed, engine->now_us);
    return settles ? engine_settle_job(engine, job, record, reterr)
                   : engine_forget_job(engine, job, reterr);
}

/* --- held --------------------------------------------------------------------------------------
 */

status engine_hold_jobs(struct engine *engine, const struct live_run *live, bool is_held,
                        struct error *reterr)
{
    size_t most            = run_waits_most(live->run);
    struct run_wait *waits = arena_alloc(engine->arena, (most + 1) * sizeof *waits);
    if (!waits) return fail(reterr, STATUS_RESOURCE_EXHAUSTED, "no memory");
    size_t count = run_waits(live->run, waits, most);
    for (size_t i = 0; i < count; i++) {
        if (waits[i].kind != WAIT_JOB) continue;
        struct open_job *job = open_job_find(engine->queues, waits[i].id);
        if (!job) continue; /* as below */
        bool gives_back = is_held && job->is_probe && job->state != OPEN_JOB_LEASED;
        if (gives_back) engine_note_silence(engine, job, false); /* another one may go */
        if (!is_held) TRY(engine_fund_wake(engine, job, reterr));
        open_job_hold(engine->queues, job, is_held, engine->now_us);
        TRY(engine_ready_put(engine, job, reterr));
    }
    return STATUS_OK;
}

status engine_job_event(struct engine *engine, struct live_run *live, const struct event *event,
                        struct error *reterr)
{
    if (event->kind == EVENT_JOB_SCHEDULED) return schedule(engine, live, event, reterr);

    struct open_job *job = open_job_find(engine->queues, str_from(event->id.text));
    if (!job) { /* the journal is the truth; whoever holds it will be told that it is gone */
        log_write(LOG_ERROR, "job.row_missing", LOG_TEXT_OF("job", event->id.text));
        return STATUS_OK;
    }
    if (event->kind == EVENT_JOB_RETRIED) return retry(engine, job, event, reterr);
    bool is_awaited = event->kind == EVENT_JOB_CANCELLED && event->is_kept;
    if (is_awaited) return engine_settle_cancelled(engine, live, job, event, reterr);
    return close_job(engine, live, job, event, reterr);
}
