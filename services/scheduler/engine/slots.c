/*
 * Slots: of the runs of a group only so many are at work at once; the others are pending, in the
 * order of their ids. A place is taken when a run starts and given back when it ends; the group is
 * forgotten with its last run.
 */
#include "scheduler/engine/engine_internal.h"

static void group_key(struct key *key, str group, str run)
{
    key_begin(key);
    key_put_text(key, group);
    if (run.len > 0) key_put_id(key, run);
}

static status row_delete(struct engine *engine, enum table table, const struct key *key,
                         struct error *reterr)
{
    status deleted = txn_delete(engine->txn, table, key_bytes(key), NULL);
    if (deleted == STATUS_OK || deleted == STATUS_NOT_FOUND) return STATUS_OK;
    return fail(reterr, deleted, "table %s: a row cannot be deleted", table_names[table]);
}

/* Empty: the group is new. */
static status group_get(struct engine *engine, str group, Pb__SlotRecord *ret_record,
                        struct error *reterr)
{
    struct key key;
    Pb__SlotRecord *record = NULL;
    group_key(&key, group, (str){});
    *ret_record = (Pb__SlotRecord)PB__SLOT_RECORD__INIT;
    status got = record_get(engine->txn, TABLE_SLOTS, key_bytes(&key), &pb__slot_record__descriptor,
                            engine->arena, &record, reterr);
    if (got == STATUS_NOT_FOUND) return STATUS_OK;
    TRY(got);
    *ret_record = *record;
    return STATUS_OK;
}

static status group_put(struct engine *engine, str group, const Pb__SlotRecord *record,
                        struct error *reterr)
{
    struct key key;
    group_key(&key, group, (str){});
    if (record->used == 0) return row_delete(engine, TABLE_SLOTS, &key, reterr);
    return record_put(engine->txn, TABLE_SLOTS, key_bytes(&key), &record->base, reterr);
}

status engine_slot_take(struct engine *engine, const Pb__StartRun *request, str run,
                        bool *ret_taken, struct error *reterr)
{
    str group  = str_from(request->slot_group);
    *ret_taken = true;
    if (group.len == 0 || request->slot_max == 0) return STATUS_OK;
    Pb__SlotRecord record;
    TRY(group_get(engine, group, &record, reterr));
    *ret_taken = record.used < request->slot_max;
    if (!*ret_taken) {
        struct key key;
        group_key(&key, group, run);
        return txn_put(engine->txn, TABLE_SLOT_WAITERS, key_bytes(&key), (bytes){}, reterr);
    }
    record.max = request->slot_max;
    record.used++;
    return group_put(engine, group, &record, reterr);
}

/* --- the end of a run --------------------------------------------------------------------------
 */

void engine_slot_ended(struct engine *engine, struct live_run *live)
{
    if (live->has_slot) pointers_push(&engine->freed, live);
}

status engine_slot_retake(struct engine *engine, const struct live_run *live, struct error *reterr)
{
    if (!live->has_slot) return STATUS_OK;
    Pb__RunView *row = NULL;
    Pb__SlotRecord record;
    TRY(run_row_get(engine->txn, str_from(live->id.text), engine->arena, &row, reterr));
    TRY(group_get(engine, str_from(row->slot_group), &record, reterr));
    record.used++;
    return group_put(engine, str_from(row->slot_group), &record, reterr);
}

/* Takes the first that waits out of its queue; empty: nobody. */
static status first_waiter(struct engine *engine, str group, struct id *ret_run,
                           struct error *reterr)
{
    struct key prefix;
    bytes key = {};
    bytes row = {};
    group_key(&prefix, group, (str){});
    *ret_run                                     = (struct id){};
    const struct scan scan                       = {.prefix = key_bytes(&prefix)};
    CLEANUP(cursor_closep) struct cursor *cursor = NULL;
    TRY(cursor_open(engine->txn, TABLE_SLOT_WAITERS, &scan, &cursor, reterr));
    status next = cursor_next(cursor, &key, &row, NULL);
    if (next == STATUS_NOT_FOUND) return STATUS_OK;
    if (next != STATUS_OK) return fail(reterr, next, "pending runs cannot be read");
    key.ptr = (const uint8_t *)key.ptr + prefix.len;
    key.len -= prefix.len;
    if (!key_take_id(&key, ret_run)) return fail(reterr, STATUS_DATA_LOSS, "slot_waiters: a key");
    return cursor_delete(cursor, reterr);
}

/* `*ret_started` false: it cannot be read, or its input does not fit, and it is over. */
static status start_waiter(struct engine *engine, const struct id *run, bool *ret_started,
                           struct error *reterr)
{
    struct live_run *live = NULL;
    struct error why      = {};
    *ret_started          = false;
    TRY(engine_run(engine, str_from(run->text), NULL, &live, reterr));
    if (!live || !run_is_waiting_to_start(live->run)) return STATUS_OK;
    const struct run_start start = run_drafted(live->run);
    const struct decide_env env  = engine_env(engine);
    engine_work_begin(engine, str_from(live->id.text));
    status decided = run_start(live->run, &env, &start, &engine->events, &why);
    *ret_started   = decided == STATUS_OK;
    if (!*ret_started) {
        decided = run_cancel(live->run, &env, str_from(why.text), (str){}, &engine->events, &why);
    }
    status kept = decided == STATUS_OK ? engine_keep(engine, live, reterr) : STATUS_OK;
    engine_work_end(engine);
    return kept;
}

static status settle_one(struct engine *engine, struct live_run *live, struct error *reterr)
{
    Pb__RunView *row = live->row;
    if (!row) TRY(run_row_get(engine->txn, str_from(live->id.text), engine->arena, &row, reterr));
    str group = str_from(row->slot_group);
    if (run_started_us(live->run) == 0) { /* it had none yet */
        struct key key;
        group_key(&key, group, str_from(live->id.text));
        return row_delete(engine, TABLE_SLOT_WAITERS, &key, reterr);
    }
    Pb__SlotRecord record;
    TRY(group_get(engine, group, &record, reterr));
    if (record.used > 0) record.used--;
    while (record.used < record.max) {
        struct id next  = {};
        bool is_started = false;
        TRY(first_waiter(engine, group, &next, reterr));
        if (!next.text[0]) break;
        TRY(start_waiter(engine, &next, &is_started, reterr));
        record.used += is_started;
    }
    return group_put(engine, group, &record, reterr);
}

status engine_slots_settle(struct engine *engine, struct error *reterr)
{
    /* One that starts may end at once, and is behind the others then. */
    for (size_t i = 0; i < engine->freed.count; i++) {
        TRY(settle_one(engine, engine->freed.items[i], reterr));
    }
    engine->freed.count = 0;
    return STATUS_OK;
}
