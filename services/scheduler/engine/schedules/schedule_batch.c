#include "scheduler/engine/schedules/schedule_batch.h"

#include "base/log.h"
#include "event.pb-c.h"

void batch_done(struct batch *batch)
{
    json_unref(batch->expects);
    json_unref(batch->matched);
    *batch = (struct batch){};
}

/* --- keys --------------------------------------------------------------------------------------
 */

static void all_key(struct key *key, const Pb__ScheduleView *row)
{
    schedule_key(key, str_from(row->namespace_), str_from(row->name));
}

static void batch_key(struct key *key, const Pb__ScheduleView *row, uint64_t batch)
{
    all_key(key, row);
    key_put_u64(key, batch);
}

/* The number behind namespace and name. */
static status number_read(const Pb__ScheduleView *row, bytes raw, uint64_t *ret_number,
                          struct error *reterr)
{
    struct key prefix;
    all_key(&prefix, row);
    bytes rest = {(const uint8_t *)raw.ptr + prefix.len, raw.len - prefix.len};
    if (key_take_u64(&rest, ret_number)) return STATUS_OK;
    return fail(reterr, STATUS_DATA_LOSS, "tables of a schedule's events: a key");
}

/* --- one batch ---------------------------------------------------------------------------------
 */

static status batch_fill(const Pb__ScheduleBatchRecord *record, uint64_t number,
                         struct batch *batch, struct error *reterr)
{
    batch->number      = number;
    batch->event_count = record->event_count;
    batch->next        = record->next;
    TRY(json_out(record->expects_json, "expectations", &batch->expects, reterr));
    return json_out(record->matched_json, "matches", &batch->matched, reterr);
}

status batch_put(struct engine *engine, const Pb__ScheduleView *row, const struct batch *batch,
                 struct error *reterr)
{
    Pb__ScheduleBatchRecord record = PB__SCHEDULE_BATCH_RECORD__INIT;
    struct key key;
    record.event_count = batch->event_count;
    record.next        = batch->next;
    if (batch->expects.kind != JSON_INVALID) {
        TRY(json_in(engine->arena, batch->expects, &record.expects_json, reterr));
    }
    if (batch->matched.kind != JSON_INVALID) {
        TRY(json_in(engine->arena, batch->matched, &record.matched_json, reterr));
    }
    batch_key(&key, row, batch->number);
    return record_put(engine->txn, TABLE_SCHEDULE_BATCHES, key_bytes(&key), &record.base, reterr);
}

status batch_hold(struct engine *engine, Pb__ScheduleView *row, struct batch *batch,
                  const char *event, json value, struct error *reterr)
{
    Pb__ScheduleEventRecord record = PB__SCHEDULE_EVENT_RECORD__INIT;
    struct key key;
    record.id = text_in(engine->arena, str_from(event));
    if (!record.id) return fail(reterr, STATUS_RESOURCE_EXHAUSTED, "no memory for an event");
    TRY(json_in(engine->arena, value, &record.value_json, reterr));
    batch_key(&key, row, batch->number);
    key_put_u64(&key, batch->next++);
    TRY(record_put(engine->txn, TABLE_SCHEDULE_EVENTS, key_bytes(&key), &record.base, reterr));
    batch->event_count++;
    row->events_held++;
    row->held_bytes += record.value_json.len;
    return STATUS_OK;
}

static status delete_prefix(struct engine *engine, enum table table, const struct key *prefix,
                            struct error *reterr)
{
    CLEANUP(cursor_closep) struct cursor *cursor = NULL;
    const struct scan scan                       = {.prefix = key_bytes(prefix)};
    TRY(cursor_open(engine->txn, table, &scan, &cursor, reterr));
    for (;;) {
        bytes key   = {};
        bytes row   = {};
        status next = cursor_next(cursor, &key, &row, NULL);
        if (next == STATUS_NOT_FOUND) return STATUS_OK;
        if (next != STATUS_OK) return fail(reterr, next, "a schedule's events cannot be read");
        TRY(cursor_delete(cursor, reterr));
    }
}

status batch_delete(struct engine *engine, const Pb__ScheduleView *row, uint64_t batch,
                    struct error *reterr)
{
    struct key key;
    batch_key(&key, row, batch);
    TRY(delete_prefix(engine, TABLE_SCHEDULE_EVENTS, &key, reterr));
    return delete_prefix(engine, TABLE_SCHEDULE_BATCHES, &key, reterr);
}

/* --- all of a schedule -------------------------------------------------------------------------
 */

status batches_open(struct engine *engine, const Pb__ScheduleView *row, struct cursor **ret_cursor,
                    struct error *reterr)
{
    struct key prefix;
    all_key(&prefix, row);
    const struct scan scan = {.prefix = key_bytes(&prefix)};
    return cursor_open(engine->txn, TABLE_SCHEDULE_BATCHES, &scan, ret_cursor, reterr);
}

status batches_next(struct engine *engine, const Pb__ScheduleView *row, struct cursor *cursor,
                    struct batch *ret_batch, struct error *reterr)
{
    Pb__ScheduleBatchRecord *record = NULL;
    uint64_t number                 = 0;
    bytes key                       = {};
    bytes value                     = {};
    status next                     = cursor_next(cursor, &key, &value, NULL);
    *ret_batch                      = (struct batch){};
    if (next == STATUS_NOT_FOUND) return STATUS_OK;
    if (next != STATUS_OK) return fail(reterr, next, "a schedule's events cannot be read");
    TRY(number_read(row, key, &number, reterr));
    TRY(record_read(value, &pb__schedule_batch_record__descriptor, engine->arena, &record, reterr));
    return batch_fill(record, number, ret_batch, reterr);
}

/* Takes its oldest event, which has been deleted, out of a batch. */
static status forget_first(struct engine *engine, const Pb__ScheduleView *row, uint64_t number,
                           bool is_all, struct error *reterr)
{
    Pb__ScheduleBatchRecord *record        = NULL;
    CLEANUP(batch_done) struct batch batch = {};
    struct key key;
    batch_key(&key, row, number);
    TRY(record_get(engine->txn, TABLE_SCHEDULE_BATCHES, key_bytes(&key),
                   &pb__schedule_batch_record__descriptor, engine->arena, &record, reterr));
    TRY(batch_fill(record, number, &batch, reterr));
    if (--batch.event_count == 0) return batch_delete(engine, row, number, reterr);
    /* What has matched stands there in the order of the events. */
    if (is_all) json_array_remove(&batch.matched, 0, 1);
    return batch_put(engine, row, &batch, reterr);
}

status batches_drop_oldest(struct engine *engine, Pb__ScheduleView *row, bool is_all,
                           struct error *reterr)
{
    Pb__ScheduleEventRecord *record = NULL;
    uint64_t number                 = 0;
    struct key prefix;
    all_key(&prefix, row);
    {
        CLEANUP(cursor_closep) struct cursor *cursor = NULL;
        const struct scan scan                       = {.prefix = key_bytes(&prefix)};
        bytes key                                    = {};
        bytes value                                  = {};
        TRY(cursor_open(engine->txn, TABLE_SCHEDULE_EVENTS, &scan, &cursor, reterr));
        TRY(cursor_next(cursor, &key, &value, reterr));
        TRY(number_read(row, key, &number, reterr));
        TRY(record_read(value, &pb__schedule_event_record__descriptor, engine->arena, &record,
                        reterr));
        TRY(cursor_delete(cursor, reterr));
    }
    row->events_held--;
    row->held_bytes -= record->value_json.len;
    log_write(LOG_WARN, "schedule.event_dropped", LOG_TEXT_OF("namespace", row->namespace_),
              LOG_TEXT_OF("name", row->name), LOG_TEXT_OF("event", record->id));
    return forget_first(engine, row, number, is_all, reterr);
}

status batches_delete(struct engine *engine, Pb__ScheduleView *row, struct error *reterr)
{
    struct key prefix;
    all_key(&prefix, row);
    TRY(delete_prefix(engine, TABLE_SCHEDULE_BATCHES, &prefix, reterr));
    TRY(delete_prefix(engine, TABLE_SCHEDULE_EVENTS, &prefix, reterr));
    row->events_held = 0;
    row->held_bytes  = 0;
    return STATUS_OK;
}

/* --- events of a batch -------------------------------------------------------------------------
 */

void held_done(struct held *held)
{
    json_unref(held->values);
}

void held_push(struct held *held, const char *id, json value)
{
    json_array_push(&held->values, value);
    held->ids[held->count++] = id;
}

status held_read(struct engine *engine, const Pb__ScheduleView *row, const struct batch *batch,
                 struct held *held, struct error *reterr)
{
    CLEANUP(cursor_closep) struct cursor *cursor = NULL;
    struct key prefix;
    batch_key(&prefix, row, batch->number);
    const struct scan scan = {.prefix = key_bytes(&prefix)};
    held->values           = json_array_new(batch->event_count + 1);
    held->ids = arena_alloc(engine->arena, (batch->event_count + 1) * sizeof *held->ids);
    if (!held->ids) return fail(reterr, STATUS_RESOURCE_EXHAUSTED, "no memory for events");
    TRY(cursor_open(engine->txn, TABLE_SCHEDULE_EVENTS, &scan, &cursor, reterr));
    while (held->count < batch->event_count) {
        Pb__ScheduleEventRecord *record = NULL;
        json value                      = json_invalid();
        bytes key                       = {};
        bytes raw                       = {};
        TRY(cursor_next(cursor, &key, &raw, reterr));
        TRY(record_read(raw, &pb__schedule_event_record__descriptor, engine->arena, &record,
                        reterr));
        TRY(json_out(record->value_json, "event", &value, reterr));
        held->bytes += record->value_json.len;
        held_push(held, text_in(engine->arena, str_from(record->id)), value);
    }
    return STATUS_OK;
}
