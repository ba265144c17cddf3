/*
 * What an engine reads from the tables before its first turn, and again after a turn that a full
 * store undid: where its sequences stand, and all open jobs in their order. Runs are not read; they
 * are loaded when something happens to them.
 */
#include "base/assert.h"
#include "base/log.h"
#include "scheduler/engine/audit/engine_audit.h"
#include "scheduler/engine/breakers/engine_breakers.h"
#include "scheduler/engine/budgets/engine_budgets.h"
#include "scheduler/engine/call_cache.h"
#include "scheduler/engine/commands/operations.h"
#include "scheduler/engine/engine_internal.h"
#include "scheduler/engine/events/events.h"
#include "scheduler/engine/files/engine_files.h"
#include "scheduler/engine/jobs/drain.h"
#include "scheduler/engine/jobs/job_progress.h"
#include "scheduler/engine/limits/engine_limits.h"
#include "scheduler/engine/limits/limit_board.h"
#include "scheduler/engine/queues/engine_queues.h"
#include "scheduler/engine/redrive/redrive.h"
#include "scheduler/engine/removal/deletion.h"
#include "scheduler/engine/removal/erasure.h"
#include "scheduler/engine/rows.h"
#include "scheduler/tables/run_index.h"

enum { ROW_ARENA_MAX = 4 << 20 };

/* --- sequences ---------------------------------------------------------------------------------
 */

static status next_of(struct engine *engine, enum table table, uint64_t *ret_next,
                      struct error *reterr)
{
    bytes key  = {};
    bytes row  = {};
    *ret_next  = 1;
    status got = txn_last(engine->txn, table, &key, &row, NULL);
    if (got == STATUS_NOT_FOUND) return STATUS_OK;
    if (got != STATUS_OK || key.len != sizeof(uint64_t)) {
        return fail(reterr, got == STATUS_OK ? STATUS_DATA_LOSS : got, "table %s: the last key",
                    table_names[table]);
    }
    *ret_next = u64_from(key.ptr) + 1;
    return STATUS_OK;
}

/* Time and ids go on where the journal ends, whatever the clock says. */
static status recover_clock(struct engine *engine, struct error *reterr)
{
    if (engine->journal_next == 1) return STATUS_OK;
    struct key_u64 key         = key_of_u64(engine->journal_next - 1);
    bytes entry                = {};
    struct entry_header header = {};
    TRY(txn_get(engine->txn, TABLE_JOURNAL, key_u64_bytes(&key), &entry, reterr));
    TRY(entry_read_header(entry, &header, reterr));
    if (header.time_us > engine->now_us) engine->now_us = header.time_us;
    if (engine->ids.last_ms < engine->now_us / 1000) engine->ids.last_ms = engine->now_us / 1000;
    return STATUS_OK;
}

/* --- open jobs ---------------------------------------------------------------------------------
 */

struct recovery {
    struct engine *engine;
    struct arena *arena;
    int64_t now_us;
};

/* A leased job keeps its lease for one more lease time: its holder may come back meanwhile. */
static void lease_again(struct recovery *recovery, struct open_job *job,
                        const Pb__ReadyRecord *record)
{
    struct engine *engine = recovery->engine;
    struct worker *holder = NULL;
    status known =
        worker_at(engine->workers, str_from(record->holder), recovery->now_us, &holder, NULL);
    if (known != STATUS_OK) holder = NULL;
    uint32_t lease_ms = record->lease_ms > 0 ? record->lease_ms : engine->options.lease_ms;
    open_job_lease(engine->queues, job, holder, lease_ms, recovery->now_us,
                   record->attempt_ends_us);
    job->lease_number = record->lease_number; /* the same lease, not a new one */
    job->instance     = record->instance;
    job->is_unclaimed = true;
    if (job->lease_expires_us > engine->unclaimed_until_us) {
        engine->unclaimed_until_us = job->lease_expires_us;
    }
}

/* The lane of a job, which the places of older versions do not tell: its row does. */
static status lane_of(struct recovery *recovery, struct queue *queue, const Pb__ReadyRecord *record,
                      struct lane **ret_lane, struct error *reterr)
{
    struct engine *engine = recovery->engine;
    const char *function  = record->function;
    if (!*function && queue->namespace.len > 0) {
        Pb__JobRecord *row = NULL;
        TRY(engine_job_row(engine, str_from(record->job), recovery->arena, &row, reterr));
        function = row->job->function;
    }
    *ret_lane = job_lane_join(engine->queues, queue, str_from(function));
    return STATUS_OK;
}

static status recover_ready(bytes key, bytes row, struct error *reterr, void *context)
{
    struct recovery *recovery = context;
    struct engine *engine     = recovery->engine;
    struct ready_place place  = {};
    struct key_text namespace = {};
    struct key_text name      = {};
    Pb__ReadyRecord *record   = NULL;
    arena_clear(recovery->arena);
    if (!ready_key_read(key, &namespace, &name, &place)) {
        return fail(reterr, STATUS_DATA_LOSS, "table ready: a key");
    }
    if (place.sequence >= engine->ready_next) engine->ready_next = place.sequence + 1;
    TRY(record_read(row, &pb__ready_record__descriptor, recovery->arena, &record, reterr));
    if (!id_is_valid(str_from(record->job)) || !id_is_valid(str_from(record->run))) {
        return fail(reterr, STATUS_DATA_LOSS, "table ready: an id");
    }
    struct queue *queue = job_queue_at(engine->queues, place.namespace, place.queue);
    struct open_job job = {
        .queue        = queue,
        .line         = job_line_at(engine->queues, queue, str_from(record->workflow)),
        .priority     = place.priority,
        .sequence     = place.sequence,
        .due_us       = place.due_us,
        .queued_us    = record->queued_us,
        .lease_number = record->lease_number,
        .is_held      = record->is_held,
        .has_place    = true,
    };
    memcpy(job.id.text, record->job, ID_LEN);
    memcpy(job.run.text, record->run, ID_LEN);
    if (*record->target) {
        job.target        = engine_target_named(engine, str_from(record->target));
        job.is_probe      = record->is_probe && job.target;
        job.fails_on_open = record->fails_on_open;
    }
    if (*record->limit_key) job.limit_key = (char *)(uintptr_t)record->limit_key;
    if (*record->limit_name) job.limit_name = (char *)(uintptr_t)record->limit_name;
    job.limit_rule = (struct queue_limits){.concurrency    = record->limit_concurrency,
                                           .rate_count     = record->limit_rate_count,
                                           .rate_period_us = record->limit_rate_period_us};
    TRY(lane_of(recovery, queue, record, &job.lane, reterr));
    if (record->funding) job.funding = funding_from_row(record->funding);

    struct open_job *added = open_job_add(engine->queues, &job, recovery->now_us);
    if (!added) return fail(reterr, STATUS_RESOURCE_EXHAUSTED, "over %d open jobs", QUEUE_JOBS_MAX);
    if (record->funding) engine_fund_restore(engine, added, record->funding);
    if (record->is_leased) lease_again(recovery, added, record);
    return STATUS_OK;
}

static status recover_letter(bytes key, bytes, struct error *reterr, void *context)
{
    const struct recovery *recovery = context;
    struct engine *engine           = recovery->engine;
    struct key_text namespace       = {};
    struct key_text name            = {};
    uint64_t sequence               = 0;
    bytes rest                      = key;
    if (!key_take_text(&rest, &namespace) || !key_take_text(&rest, &name) ||
        !key_take_u64(&rest, &sequence)) {
        return fail(reterr, STATUS_DATA_LOSS, "table dead_letters: a key");
    }
    struct queue *queue = job_queue_at(engine->queues, (str){namespace.data, namespace.len},
                                       (str){name.data, name.len});
    queue->dead_count++;
    if (sequence >= engine->dead_next) engine->dead_next = sequence + 1;
    return STATUS_OK;
}

static status recover_queue(bytes key, bytes row, struct error *reterr, void *context)
{
    const struct recovery *recovery = context;
    struct engine *engine           = recovery->engine;
    struct key_text namespace       = {};
    struct key_text name            = {};
    bytes rest                      = key;
    Pb__QueueRecord *record         = NULL;
    if (!key_take_text(&rest, &namespace) || !key_take_text(&rest, &name)) {
        return fail(reterr, STATUS_DATA_LOSS, "table queues: a key");
    }
    TRY(record_read(row, &pb__queue_record__descriptor, recovery->arena, &record, reterr));
    struct queue *queue = job_queue_at(engine->queues, (str){namespace.data, namespace.len},
                                       (str){name.data, name.len});
    engine_queue_read(engine, queue, record);
    return engine_redrive_recover(engine, queue, record->redrive, reterr);
}

/* --- the run that crashed the engine -----------------------------------------------------------
 */

/* Its jobs go; its journal stays as it is. */
status engine_drop_jobs_of(struct engine *engine, str run, struct error *reterr)
{
    CLEANUP(pointers_done) struct pointers jobs = {};
    size_t cursor                               = 0;
    struct open_job *job;
    while ((job = open_job_next(engine->queues, &cursor))) {
        if (str_is(run, job->run.text)) pointers_push(&jobs, job);
    }
    for (size_t i = 0; i < jobs.count; i++) {
        job = jobs.items[i];
        struct key key;
        id_key(&key, str_from(job->id.text));
        TRY(txn_delete(engine->txn, TABLE_JOBS, key_bytes(&key), reterr));
        TRY(engine_ready_delete(engine, job, reterr));
        TRY(engine_fund_end(engine, job, reterr));
        open_job_remove(engine->queues, job);
    }
    return STATUS_OK;
}

/* Without looking at its state, which may be what crashes: rows only. */
static status park(struct engine *engine, const struct id *run, struct error *reterr)
{
    str id            = str_from(run->text);
    Pb__RunHead *head = NULL;
    Pb__RunView *row  = NULL;
    TRY(run_rows_get(engine->txn, id, engine->arena, &row, &head, reterr));
    if (head->is_parked || run_status_wire_is_final(row->status)) return STATUS_OK;

    static const char error_text[] =
        "{\"type\":\"https://tutti.dev/errors/internal\",\"status\":500,"
        "\"title\":\"the run stopped the engine twice and was parked\"}";
    struct key key;
    if (head->due_us > 0) {
        timer_key(&key, head->due_us, id);
        TRY(txn_delete(engine->txn, TABLE_TIMERS, key_bytes(&key), reterr));
    }
    head->due_us    = 0;
    head->jobs_open = 0;
    head->is_parked = true;
    head->status    = PB__RUN_STATUS__RUN_STATUS_FAULTED;
    row->status     = PB__RUN_STATUS__RUN_STATUS_FAULTED;
    row->ended_us   = engine->now_us;
    row->error_json = bytes_in(engine->arena, str_from(error_text));

    id_key(&key, id);
    TRY(run_row_add_head(row, head, engine->arena, reterr));
    TRY(record_put(engine->txn, TABLE_RUNS, key_bytes(&key), &row->base, reterr));
    TRY(txn_delete(engine->txn, TABLE_RUN_HEADS, key_bytes(&key), reterr));
    TRY(run_index_end(engine->txn, row, reterr));
    log_write(LOG_ERROR, "run.parked", LOG_STR("run", id));
    return engine_drop_jobs_of(engine, id, reterr);
}

static status park_poison(struct engine *engine, struct error *reterr)
{
    struct id run = {};
    if (!engine->partition->poison || !poison_run(engine->partition->poison, &run)) {
        return STATUS_OK;
    }
    status parked = park(engine, &run, reterr);
    return parked == STATUS_NOT_FOUND ? STATUS_OK : parked; /* it never came to its first commit */
}

/* --- all ---------------------------------------------------------------------------------------
 */

static status recover_tables(struct engine *engine, struct error *reterr)
{
    TRY(next_of(engine, TABLE_JOURNAL, &engine->journal_next, reterr));
    TRY(next_of(engine, TABLE_PAYLOADS, &engine->payload_next, reterr));
    TRY(recover_clock(engine, reterr));

    CLEANUP(arena_freep) struct arena *arena = arena_new(ROW_ARENA_MAX);
    struct recovery recovery = {.engine = engine, .arena = arena, .now_us = engine->now_us};
    (void)job_queue_at(engine->queues, (str){}, str_from("tools")); /* shown also when empty */
    (void)job_queue_at(engine->queues, (str){}, str_from("llm"));
    TRY(engine_limits_recover(engine, reterr));
    TRY(engine_breakers_recover(engine, reterr));
    TRY(engine_each_row(engine, TABLE_QUEUES, recover_queue, &recovery, reterr));
    TRY(engine_budgets_recover(engine, reterr));
    TRY(engine_each_row(engine, TABLE_READY, recover_ready, &recovery, reterr));
    TRY(engine_drains_recover(engine, reterr));
    TRY(engine_each_row(engine, TABLE_DEAD_LETTERS, recover_letter, &recovery, reterr));
    uint64_t redriven = 0;
    TRY(txn_count(engine->txn, TABLE_REDRIVES, &redriven, reterr));
    engine->has_redrives = redriven > 0;
    TRY(engine_requests_recover(engine, reterr));
    TRY(engine_events_recover(engine, reterr));
    TRY(park_poison(engine, reterr));
    TRY(engine_deletions_recover(engine, reterr));
    TRY(engine_erasures_recover(engine, reterr));
    TRY(engine_operations_recover(engine, reterr));
    TRY(engine_peek_schedule(engine, reterr));
    TRY(engine_peek_call_cache(engine, reterr));
    TRY(engine_peek_files(engine, reterr));
    TRY(engine_audit_recover(engine, reterr));
    TRY(outbox_recover(engine->outbox, engine->txn, engine->now_us, reterr));
    return engine_peek_timer(engine, reterr);
}

status engine_recover(struct engine *engine, struct error *reterr)
{
    int64_t now_us = engine_unix_us(engine);
    if (now_us > engine->now_us) engine->now_us = now_us;
    engine->turned_mono_us = engine_mono_us(engine);
    engine->ready_next     = 1;
    engine->dead_next      = 1;
    engine->queues = job_queues_new(engine->partition->index == 0, engine->partition->count);
    if (engine->options.board) {
        limit_board_clear(board_limits(engine->options.board));
        job_progress_clear(board_progress(engine->options.board));
        job_queues_show_progress(engine->queues, board_progress(engine->options.board));
    }
    engine->cancelled_jobs     = map_new(ENGINE_SET_MAX);
    engine->known_digests      = map_new(ENGINE_SET_MAX);
    engine->accepts_runs       = true;
    engine->unclaimed_until_us = 0;
    engine->purge              = (struct purge){};
    event_hub_init(&engine->hub);
    run_cache_init(&engine->cache, ENGINE_CACHE_BYTES);

    TRY(engine_requests_upgrade(engine, reterr));
    TRY(engine_letters_upgrade(engine, reterr));
    TRY(txn_begin_write(engine->store, &engine->txn, reterr));
    status recovered = recover_tables(engine, reterr);
    if (recovered != STATUS_OK) {
        txn_abort(TAKE(engine->txn));
        return recovered;
    }
    return txn_commit(TAKE(engine->txn), reterr);
}

void engine_forget(struct engine *engine)
{
    for (size_t i = 0; i < engine->touched.count; i++) {
        struct live_run *live = engine->touched.items[i];
        live->is_touched      = false;
    }
    engine->touched.count = 0;
    engine->freed.count   = 0;
    if (engine->cache.by_id) run_cache_done(&engine->cache);
    engine_redrives_done(engine);
    job_queues_free(engine->queues);
    size_t cursor = 0;
    struct worker *worker;
    while ((worker = worker_next(engine->workers, &cursor))) worker->busy = 0;
    event_hub_done(&engine->hub);
    breakers_free(engine->breakers);
    engine->breakers = NULL;
    engine_budgets_forget(engine);
    map_free(engine->cancelled_jobs);
    map_free(engine->known_digests);
    engine->queues         = NULL;
    engine->cancelled_jobs = NULL;
    engine->known_digests  = NULL;
}
