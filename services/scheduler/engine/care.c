/* What an engine does once a second, and what it shows of itself. */
#include "base/clock.h"
#include "base/log.h"
#include "scheduler/engine/engine_internal.h"
#include "scheduler/engine/limits/limit_board.h"

#define READERS_US INT64_C(60'000'000)

void engine_show(struct engine *engine)
{
    struct board *board = engine->options.board;
    limit_board_take(board ? board_limits(board) : NULL, job_queues_limits(engine->queues),
                     engine->now_us);
    if (!board) return;
    Pb__PartitionStatus shown = PB__PARTITION_STATUS__INIT;
    shown.partition           = engine->partition->index;
    shown.epoch               = engine->partition->epoch;
    shown.runs_in_memory      = run_cache_count(&engine->cache);
    shown.mailbox_depth       = mailbox_depth(engine->mailbox);
    shown.journal_sequence    = engine->journal_next - 1;
    shown.store_used_bytes    = engine->used_bytes;
    shown.store_map_bytes     = engine->size_bytes;
    shown.sync_probe_us       = (uint64_t)atomic_load(&engine->partition->sync_probe_us);
    shown.timers_pending      = engine->timer_count;
    shown.accepts_runs        = engine->accepts_runs;
    board_set_partition(board, &shown);
    board_set_queues(board, engine->queues, engine->workers, engine->now_us);
    board_set_targets(board, job_queues_targets(engine->queues));
}

/* --- once a second -----------------------------------------------------------------------------
 */

status engine_read_fill(struct engine *engine, struct error *reterr)
{
    struct store_fill fill = {};
    TRY(store_fill(engine->store, &fill, reterr));
    engine->used_bytes      = fill.used_bytes;
    engine->size_bytes      = fill.size_bytes;
    engine->accepts_runs    = fill.percent < STORE_FULL_PERCENT;
    engine->is_fill_unknown = false;

    CLEANUP(txn_abortp) struct txn *txn = NULL;
    TRY(txn_begin_read(engine->store, &txn, reterr));
    return txn_count(txn, TABLE_TIMERS, &engine->timer_count, reterr);
}

static void show_gauges(struct engine *engine)
{
    struct engine_metrics *metrics       = engine->options.metrics;
    const struct partition_gauges gauges = {
        .timers_pending   = engine->timer_count,
        .mailbox_depth    = mailbox_depth(engine->mailbox),
        .timer_lag_us     = engine->timer_lag_us,
        .oldest_reader_ms = store_reader_age_ms(engine->store, clock_mono_ms()),
        .sync_probe_us    = atomic_load(&engine->partition->sync_probe_us),
        .store_used_bytes = engine->used_bytes,
        .store_map_bytes  = engine->size_bytes,
        .epoch            = engine->partition->epoch,
    };
    gauge_partition(metrics, engine->partition->index, &gauges);
    engine->timer_lag_us = 0;
}

/* Of the system partition: how much the cache of calls keeps. */
static void show_call_cache(struct engine *engine)
{
    if (engine->partition->index != 0 || !engine->options.metrics) return;
    Pb__CacheTotals totals              = PB__CACHE_TOTALS__INIT;
    CLEANUP(txn_abortp) struct txn *txn = NULL;
    status read                         = txn_begin_read(engine->store, &txn, NULL);
    if (read == STATUS_OK) {
        read = call_cache_stats(txn, str_from("*"), engine->arena, &totals, NULL);
    }
    if (read == STATUS_OK) gauge_call_cache(engine->options.metrics, totals.entries, totals.bytes);
    arena_clear(engine->arena);
}

void engine_care(struct engine *engine)
{
    if (engine->now_us < engine->care_due_us) return;
    struct error error  = {};
    engine->care_due_us = engine->now_us + CARE_US;
    if (engine_read_fill(engine, &error) != STATUS_OK) {
        log_write(LOG_WARN, "store.fill_unknown", LOG_TEXT_OF("error", error.text));
    }
    if (engine->now_us >= engine->readers_due_us) {
        unsigned dead          = 0;
        engine->readers_due_us = engine->now_us + READERS_US;
        (void)store_check_readers(engine->store, &dead, NULL); /* again in a minute */
    }
    workers_expire(engine->workers, engine->now_us);
    if (engine->options.board) board_set_workers(engine->options.board, engine->workers);
    engine_show(engine);
    show_gauges(engine);
    show_call_cache(engine);
}
