/*
 * Schedules: rows of the system partition, one per name, and one more per time that is due. Those
 * that callers made (a row with a `spec`) are dealt with in schedule_starts.c. A start is ordered
 * through the outbox in the transaction that moves the schedule on, under a client id made of name
 * and time: so there is one start per time, whatever restarts, and it shows which one it is.
 *
 * Of a document's schedule, times that were missed are not made up for one by one: the latest of
 * them is started, once.
 */
#include "scheduler/engine/schedules/schedules.h"

#include "base/clock.h"
#include "base/log.h"
#include "scheduler/engine/rows.h"

#include <stdio.h>

enum {
    STARTS_PER_TURN = 500,
    CLIENT_ID_MAX   = 128, /* as run_reader.c */
};

/* --- times -------------------------------------------------------------------------------------
 */

/* The first time after `now_us`. Multiples of the span, not of the registration: so a version that
 * is registered again and again does not put the next start off. */
static int64_t time_after(const struct schedule *schedule, int64_t now_us)
{
    if (schedule->kind == SCHEDULE_CRON) return cron_next(&schedule->cron, now_us);
    return (now_us / schedule->span_us + 1) * schedule->span_us;
}

/* The last time at or before `now_us`. */
static int64_t time_until(const struct schedule *schedule, int64_t now_us)
{
    if (schedule->kind == SCHEDULE_CRON) return cron_previous(&schedule->cron, now_us);
    return now_us / schedule->span_us * schedule->span_us;
}

static const char *kind_name(enum schedule_kind kind)
{
    switch (kind) {
    case SCHEDULE_EVERY: return "every";
    case SCHEDULE_CRON: return "cron";
    case SCHEDULE_AFTER: return "after";
    case SCHEDULE_ON: return "on";
    case SCHEDULE_NONE: break;
    }
    return "";
}

/* --- rows --------------------------------------------------------------------------------------
 */

/* When it is looked at: with its jitter. */
static int64_t fire_us(const Pb__ScheduleView *row)
{
    return row->fire_us > 0 ? row->fire_us : row->next_us;
}

status schedule_due_delete(struct engine *engine, const Pb__ScheduleView *row, struct error *reterr)
{
    if (row->next_us <= 0) return STATUS_OK;
    struct key key;
    schedule_due_key(&key, fire_us(row), str_from(row->namespace_), str_from(row->name));
    status deleted = txn_delete(engine->txn, TABLE_SCHEDULE_DUE, key_bytes(&key), NULL);
    if (deleted == STATUS_OK || deleted == STATUS_NOT_FOUND) return STATUS_OK;
    return fail(reterr, deleted, "a time of a schedule cannot be deleted");
}

status schedule_row_get(struct engine *engine, str namespace, str name, Pb__ScheduleView **ret_row,
                        struct error *reterr)
{
    struct key key;
    struct error why = {};
    schedule_key(&key, namespace, name);
    *ret_row   = NULL;
    status got = record_get(engine->txn, TABLE_SCHEDULES, key_bytes(&key),
                            &pb__schedule_view__descriptor, engine->arena, ret_row, &why);
    if (got == STATUS_OK || got == STATUS_NOT_FOUND) return STATUS_OK;
    if (got != STATUS_DATA_LOSS) return fail(reterr, got, "%s", why.text);
    engine_row_unreadable(engine, TABLE_SCHEDULES, key_bytes(&key), &why);
    *ret_row = NULL;
    return STATUS_OK;
}

status schedule_row_put(struct engine *engine, const Pb__ScheduleView *row, struct error *reterr)
{
    struct key key;
    schedule_key(&key, str_from(row->namespace_), str_from(row->name));
    TRY(record_put(engine->txn, TABLE_SCHEDULES, key_bytes(&key), &row->base, reterr));
    if (row->next_us > 0) {
        schedule_due_key(&key, fire_us(row), str_from(row->namespace_), str_from(row->name));
        TRY(txn_put(engine->txn, TABLE_SCHEDULE_DUE, key_bytes(&key), (bytes){}, reterr));
    }
    return engine_peek_schedule(engine, reterr);
}

status engine_peek_schedule(struct engine *engine, struct error *reterr)
{
    CLEANUP(cursor_closep) struct cursor *cursor = NULL;
    const struct scan scan                       = {};
    struct key_text namespace                    = {};
    struct key_text name                         = {};
    bytes key                                    = {};
    bytes row                                    = {};
    TRY(cursor_open(engine->txn, TABLE_SCHEDULE_DUE, &scan, &cursor, reterr));
    status next = STATUS_OK;
    while ((next = cursor_next(cursor, &key, &row, reterr)) == STATUS_OK) {
        if (schedule_due_key_read(key, &engine->schedule_due_us, &namespace, &name)) {
            return STATUS_OK;
        }
        TRY(engine_row_drop(engine, TABLE_SCHEDULE_DUE, cursor, key, reterr));
    }
    engine->schedule_due_us = INT64_MAX;
    return next == STATUS_NOT_FOUND ? STATUS_OK : next;
}

/* --- registering -------------------------------------------------------------------------------
 */

/* Runs of the old version that are under way end as they are; `after` goes on behind them. */
static int64_t first_time(const struct engine *engine, const struct schedule *schedule,
                          const Pb__ScheduleView *old)
{
    if (schedule->kind == SCHEDULE_ON) return 0;
    if (schedule->kind != SCHEDULE_AFTER) return time_after(schedule, engine->now_us);
    bool was_after = old && strcmp(old->kind, kind_name(SCHEDULE_AFTER)) == 0;
    if (was_after && old->running) return 0;
    return was_after && old->next_us > 0 ? old->next_us : engine->now_us;
}

status engine_schedule(struct engine *engine, const struct workflow *workflow, struct error *reterr)
{
    const struct workflow_name name = {.namespace = str_from(workflow->namespace_),
                                       .name      = str_from(workflow->name)};
    if (strchr(workflow->version, '-')) return STATUS_OK; /* pre-releases are started by hand */
    CLEANUP(workflow_unrefp) const struct workflow *newest = NULL;
    TRY(engine_resolve(engine, &name, &newest, reterr));
    if (strcmp(newest->version, workflow->version) != 0) return STATUS_OK;

    Pb__ScheduleView *old = NULL;
    TRY(schedule_row_get(engine, name.namespace, name.name, &old, reterr));
    if (old) TRY(schedule_due_delete(engine, old, reterr));
    if (old) TRY(schedule_events_end(engine, old, reterr));
    if (workflow->schedule.kind == SCHEDULE_NONE) {
        struct key key;
        if (!old) return STATUS_OK;
        schedule_key(&key, name.namespace, name.name);
        TRY(txn_delete(engine->txn, TABLE_SCHEDULES, key_bytes(&key), reterr));
        return engine_peek_schedule(engine, reterr);
    }
    Pb__ScheduleView row = PB__SCHEDULE_VIEW__INIT;
    if (old) row = *old;
    row.namespace_ = workflow->namespace_;
    row.name       = workflow->name;
    row.version    = workflow->version;
    row.kind       = kind_name(workflow->schedule.kind);
    row.next_us    = first_time(engine, &workflow->schedule, old);
    row.running    = row.next_us == 0 && workflow->schedule.kind == SCHEDULE_AFTER;
    if (workflow->schedule.kind == SCHEDULE_ON) {
        TRY(schedule_events_begin(engine, workflow, reterr));
    }
    return schedule_row_put(engine, &row, reterr);
}

/* --- starting ----------------------------------------------------------------------------------
 */

status schedule_order(struct engine *engine, const Pb__ScheduleView *row, uint16_t partition,
                      Pb__RunOrder *ordered, struct error *reterr)
{
    ordered->workflow =
        row->spec
            ? arena_printf(engine->arena, "%s/%s", row->namespace_, row->spec->workflow)
            : arena_printf(engine->arena, "%s/%s:%s", row->namespace_, row->name, row->version);
    ordered->schedule = arena_printf(engine->arena, "%s/%s", row->namespace_, row->name);
    if (!ordered->workflow || !ordered->schedule) {
        return fail(reterr, STATUS_RESOURCE_EXHAUSTED, "no memory for a start");
    }
    ordered->created_by  = "schedule";
    Pb__Message message  = PB__MESSAGE__INIT;
    message.content_case = PB__MESSAGE__CONTENT_RUN_ORDER;
    message.run_order    = ordered;
    return engine_tell(engine, partition, &message, reterr);
}

static status order_start(struct engine *engine, const Pb__ScheduleView *row, int64_t due_us,
                          struct error *reterr)
{
    char time[TIME_TEXT_SIZE];
    char client_id[CLIENT_ID_MAX + 1];
    time_format(due_us, time);
    (void)snprintf(client_id, sizeof client_id, "schedule:%s:%s", row->name, time);
    Pb__RunOrder ordered = PB__RUN_ORDER__INIT;
    ordered.client_id    = client_id;
    ordered.due_us       = due_us;
    ordered.awaited      = strcmp(row->kind, kind_name(SCHEDULE_AFTER)) == 0;
    uint16_t partition =
        partition_of_text(str_from(row->namespace_), str_from(client_id), engine->partition->count);
    return schedule_order(engine, row, partition, &ordered, reterr);
}

bool schedule_workflow(struct engine *engine, Pb__ScheduleView *row,
                       const struct workflow **ret_workflow)
{
    const struct workflow_name reference = {.namespace = str_from(row->namespace_),
                                            .name      = str_from(row->name),
                                            .version   = str_from(row->version)};
    struct error why                     = {};
    if (engine_resolve(engine, &reference, ret_workflow, &why) == STATUS_OK) return true;
    log_write(LOG_ERROR, "schedule.unreadable", LOG_TEXT_OF("name", row->name),
              LOG_TEXT_OF("error", why.text));
    row->last_error = "its definition cannot be read";
    return false;
}

/* Its schedule cannot be read, or is not there. */
static status drop_time(struct engine *engine, int64_t due_us, str namespace, str name,
                        struct error *reterr)
{
    struct key key;
    log_write(LOG_ERROR, "schedule.unreadable", LOG_STR("name", name),
              LOG_TEXT_OF("error", "a time without its schedule"));
    schedule_due_key(&key, due_us, namespace, name);
    TRY(txn_delete(engine->txn, TABLE_SCHEDULE_DUE, key_bytes(&key), reterr));
    return engine_peek_schedule(engine, reterr);
}

static status fire(struct engine *engine, int64_t at_us, str namespace, str name,
                   struct error *reterr)
{
    Pb__ScheduleView *row = NULL;
    TRY(schedule_row_get(engine, namespace, name, &row, reterr));
    if (!row) return drop_time(engine, at_us, namespace, name, reterr);
    CLEANUP(workflow_unrefp) const struct workflow *workflow = NULL;
    TRY(schedule_due_delete(engine, row, reterr));
    if (row->spec) return schedule_due(engine, row, reterr);
    int64_t due_us = row->next_us;
    if (!schedule_workflow(engine, row, &workflow)) {
        row->next_us = 0;
        return schedule_row_put(engine, row, reterr);
    }
    row->running = workflow->schedule.kind == SCHEDULE_AFTER;
    if (row->running) {
        row->next_us = 0;
    } else {
        int64_t latest_us = time_until(&workflow->schedule, engine->now_us);
        if (latest_us > due_us) due_us = latest_us;
        row->next_us = time_after(&workflow->schedule, engine->now_us);
        if (row->next_us == INT64_MAX) row->next_us = 0;
    }
    TRY(order_start(engine, row, due_us, reterr));
    row->last_us = due_us;
    return schedule_row_put(engine, row, reterr);
}

status engine_fire_schedules(struct engine *engine, struct error *reterr)
{
    for (size_t i = 0; i < STARTS_PER_TURN && engine->schedule_due_us <= engine->now_us; i++) {
        struct key_text namespace                    = {};
        struct key_text name                         = {};
        int64_t due_us                               = 0;
        bytes key                                    = {};
        bytes row                                    = {};
        const struct scan scan                       = {};
        CLEANUP(cursor_closep) struct cursor *cursor = NULL;
        TRY(cursor_open(engine->txn, TABLE_SCHEDULE_DUE, &scan, &cursor, reterr));
        TRY(cursor_next(cursor, &key, &row, reterr));
        if (!schedule_due_key_read(key, &due_us, &namespace, &name)) {
            return engine_peek_schedule(engine, reterr); /* it goes */
        }
        TRY(fire(engine, due_us, (str){namespace.data, namespace.len}, (str){name.data, name.len},
                 reterr));
    }
    return STATUS_OK;
}

/* --- what became of it -------------------------------------------------------------------------
 */

/* An `after` counts from the end of its run, or from the refusal. */
static void go_on(struct engine *engine, Pb__ScheduleView *row, int64_t from_us)
{
    CLEANUP(workflow_unrefp) const struct workflow *workflow = NULL;
    row->running                                             = false;
    if (!schedule_workflow(engine, row, &workflow) ||
        __builtin_add_overflow(from_us, workflow->schedule.span_us, &row->next_us)) {
        row->next_us = 0;
    }
}

status engine_take_schedule_answer(struct engine *engine, const Pb__ScheduleAnswer *answer,
                                   struct error *reterr)
{
    Pb__ScheduleView *row = NULL;
    str reference         = str_from(answer->schedule);
    const char *slash     = memchr(reference.ptr, '/', reference.len);
    if (!slash) return STATUS_OK;
    size_t at = (size_t)(slash - reference.ptr);
    TRY(schedule_row_get(engine, str_slice(reference, 0, at),
                         str_slice(reference, at + 1, reference.len), &row, reterr));
    bool is_refused = *answer->refusal != '\0';
    if (is_refused) {
        log_write(LOG_WARN, "schedule.refused", LOG_TEXT_OF("schedule", answer->schedule),
                  LOG_TEXT_OF("error", answer->refusal));
    }
    if (row && row->spec) return schedule_answered(engine, row, answer, reterr);
    if (!row || row->last_us != answer->due_us) return STATUS_OK; /* it has moved on, or is gone */
    row->last_error = answer->refusal;
    row->last_run   = answer->run;
    if (row->running && (answer->ended || is_refused)) go_on(engine, row, answer->time_us);
    return schedule_row_put(engine, row, reterr);
}
