/*
 * What happens without a command: timers, runs that go on, leases that are over.
 *
 * A run whose command ended at its step budget has a timer that is due at once: so it goes on in
 * the next turn, behind the others, and also after a restart.
 */
#include "base/log.h"
#include "scheduler/engine/call_cache.h"
#include "scheduler/engine/engine_internal.h"
#include "scheduler/engine/files/engine_files.h"
#include "scheduler/engine/rows.h"

enum {
    TIMERS_PER_TURN = 2'000,
    LEASES_PER_TURN = 2'000,
};
#define TURN_BUDGET_US INT64_C(20'000) /* of timers and leases; then the mailbox has its turn */

/* --- timers ------------------------------------------------------------------------------------
 */

struct due_timer {
    struct id run;
    int64_t due_us;
};

/* The table is the heap: its first row is the next timer. False at the end or if nothing is due. */
static bool next_timer(struct engine *engine, struct cursor *cursor, int64_t now_us,
                       struct due_timer *ret_timer, status *ret_status)
{
    bytes key = {};
    bytes row = {};
    while ((*ret_status = cursor_next(cursor, &key, &row, NULL)) == STATUS_OK) {
        if (timer_key_read(key, &ret_timer->due_us, &ret_timer->run)) {
            return ret_timer->due_us <= now_us;
        }
        *ret_status = engine_row_drop(engine, TABLE_TIMERS, cursor, key, NULL);
        if (*ret_status != STATUS_OK) return false;
    }
    if (*ret_status == STATUS_NOT_FOUND) *ret_status = STATUS_OK;
    return false;
}

static status collect(struct engine *engine, struct due_timer *timers, size_t *ret_count,
                      struct error *reterr)
{
    CLEANUP(cursor_closep) struct cursor *cursor = NULL;
    const struct scan scan                       = {};
    TRY(cursor_open(engine->txn, TABLE_TIMERS, &scan, &cursor, reterr));
    size_t count = 0;
    status read  = STATUS_OK;
    while (count < TIMERS_PER_TURN &&
           next_timer(engine, cursor, engine->now_us, &timers[count], &read)) {
        count++;
    }
    *ret_count = count;
    return read == STATUS_OK ? STATUS_OK : fail(reterr, read, "the timers cannot be read");
}

static status fire(struct engine *engine, const struct due_timer *timer, struct error *reterr)
{
    struct live_run *live = NULL;
    TRY(engine_run(engine, str_from(timer->run.text), NULL, &live, reterr));
    if (!live || live->head.due_us != timer->due_us) { /* nobody's timer */
        struct key key;
        timer_key(&key, timer->due_us, str_from(timer->run.text));
        return txn_delete(engine->txn, TABLE_TIMERS, key_bytes(&key), reterr);
    }
    struct error why            = {};
    const struct decide_env env = engine_env(engine);
    engine_work_begin(engine, str_from(live->id.text));
    status decided = run_has_more(live->run) ? run_advance(live->run, &env, &engine->events, &why)
                                             : run_due(live->run, &env, &engine->events, &why);
    status kept    = decided == STATUS_OK ? engine_keep(engine, live, reterr) : STATUS_OK;
    engine_work_end(engine);
    if (decided != STATUS_OK) {
        log_write(LOG_ERROR, "timer.refused", LOG_TEXT_OF("run", live->id.text),
                  LOG_TEXT_OF("error", why.text));
    }
    engine_touch(engine, live); /* its timer is set anew, even if nothing happened */
    return kept;
}

static status fire_timers(struct engine *engine, struct error *reterr)
{
    if (engine->timer_due_us > engine->now_us) return STATUS_OK;
    engine->timer_lag_us = engine->now_us - engine->timer_due_us;
    struct due_timer *timers =
        arena_alloc(engine->arena, TIMERS_PER_TURN * sizeof(struct due_timer));
    if (!timers) return fail(reterr, STATUS_RESOURCE_EXHAUSTED, "no memory for timers");
    size_t count = 0;
    TRY(collect(engine, timers, &count, reterr));
    int64_t until_us = engine_mono_us(engine) + TURN_BUDGET_US;
    for (size_t i = 0; i < count && engine_mono_us(engine) < until_us; i++) {
        TRY(fire(engine, &timers[i], reterr));
    }
    return STATUS_OK;
}

status engine_peek_timer(struct engine *engine, struct error *reterr)
{
    CLEANUP(cursor_closep) struct cursor *cursor = NULL;
    const struct scan scan                       = {};
    TRY(cursor_open(engine->txn, TABLE_TIMERS, &scan, &cursor, reterr));
    struct due_timer first = {};
    status read            = STATUS_OK;
    bool has_timer         = next_timer(engine, cursor, INT64_MAX, &first, &read);
    if (read != STATUS_OK) return fail(reterr, read, "the timers cannot be read");
    engine->timer_due_us = has_timer ? first.due_us : INT64_MAX;
    return STATUS_OK;
}

/* --- leases ---------------------------------------------------------------------------
 */

static status expire_leases(struct engine *engine, struct error *reterr)
{
    int64_t until_us = engine_mono_us(engine) + TURN_BUDGET_US;
    struct open_job *job;
    for (size_t i = 0; i < LEASES_PER_TURN && engine_mono_us(engine) < until_us; i++) {
        job = job_queues_expired(engine->queues, engine->now_us);
        if (!job) break;
        TRY(engine_expire_job(engine, job, reterr));
    }
    job_queues_advance(engine->queues, engine->now_us);
    return STATUS_OK;
}

status engine_due(struct engine *engine, struct error *reterr)
{
    TRY(engine_fire_schedules(engine, reterr));
    TRY(engine_call_cache_due(engine, reterr));
    TRY(engine_files_due(engine, reterr));
    TRY(fire_timers(engine, reterr));
    return expire_leases(engine, reterr);
}

static void put_off(int64_t *due_us, int64_t until_us)
{
    if (*due_us < until_us) *due_us = until_us;
}

void engine_put_off(struct engine *engine, int64_t until_us)
{
    engine->timer_due_us = until_us; /* not at once again, whatever is due */
    put_off(&engine->schedule_due_us, until_us);
    put_off(&engine->call_cache_due_us, until_us);
    put_off(&engine->file_due_us, until_us);
    put_off(&engine->audit.sweep_us, until_us);
}
