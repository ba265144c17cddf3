/* The rows by which events find the tasks that listen (event_index.h). They follow from the state:
 * what is there is compared with what should be, whenever a run's listeners have changed. */
#include "base/assert.h"
#include "base/mem.h"
#include "scheduler/decide/signal.h"
#include "scheduler/engine/events/events.h"
#include "scheduler/tables/event_index.h"

#include <stdlib.h>

/* The keys of one listener. */
struct keys {
    struct engine *engine;
    ProtobufCBinaryData *items;
    size_t count, capacity;
    bool is_full; /* the arena */
};

static void keys_add(const struct key *key, void *context)
{
    struct keys *keys = context;
    str data          = {(const char *)key->data, key->len};
    for (size_t i = 0; i < keys->count; i++) {
        if (str_equal(str_of(keys->items[i]), data)) return;
    }
    if (keys->count == keys->capacity) {
        size_t capacity            = keys->capacity > 0 ? 2 * keys->capacity : 4;
        ProtobufCBinaryData *items = arena_alloc(keys->engine->arena, capacity * sizeof *items);
        keys->is_full |= !items;
        if (!items) return;
        if (keys->count > 0) memcpy(items, keys->items, keys->count * sizeof *items);
        keys->items    = items;
        keys->capacity = capacity;
    }
    keys->items[keys->count++] = bytes_in(keys->engine->arena, data);
}

static bool keys_equal(const struct keys *keys, const Pb__ListenerRecord *record)
{
    if (keys->count != record->n_keys) return false;
    for (size_t i = 0; i < keys->count; i++) {
        if (!str_equal(str_of(keys->items[i]), str_of(record->keys[i]))) return false;
    }
    return true;
}

static status row_delete(struct engine *engine, const Pb__ListenerRecord *record,
                         struct error *reterr)
{
    for (size_t i = 0; i < record->n_keys; i++) {
        bytes key      = bytes_from(str_of(record->keys[i]));
        status deleted = txn_delete(engine->txn, TABLE_LISTENERS, key, NULL);
        if (deleted != STATUS_OK && deleted != STATUS_NOT_FOUND) {
            return fail(reterr, deleted, "a listener cannot be deleted");
        }
    }
    return STATUS_OK;
}

/* What is there of a run, by slot. */
struct row {
    uint32_t slot;
    bool is_wanted;
    Pb__ListenerRecord *record;
};

struct rows {
    struct row *items; /* of the turn's arena */
    size_t count;
};

static status rows_read(struct engine *engine, const struct live_run *live, struct rows *ret_rows,
                        struct error *reterr)
{
    struct key prefix;
    id_key(&prefix, str_from(live->id.text));
    CLEANUP(cursor_closep) struct cursor *cursor = NULL;
    const struct scan scan                       = {.prefix = key_bytes(&prefix)};
    TRY(cursor_open(engine->txn, TABLE_LISTENER_KEYS, &scan, &cursor, reterr));
    size_t capacity = 0;
    for (;;) {
        bytes key   = {};
        bytes value = {};
        status next = cursor_next(cursor, &key, &value, NULL);
        if (next == STATUS_NOT_FOUND) return STATUS_OK;
        if (next != STATUS_OK) return fail(reterr, next, "listeners cannot be read");
        if (ret_rows->count == capacity) {
            capacity          = capacity > 0 ? 2 * capacity : 8;
            struct row *items = arena_alloc(engine->arena, capacity * sizeof *items);
            if (!items) return fail(reterr, STATUS_RESOURCE_EXHAUSTED, "no memory");
            if (ret_rows->count > 0) {
                memcpy(items, ret_rows->items, ret_rows->count * sizeof *items);
            }
            ret_rows->items = items;
        }
        struct row *row = &ret_rows->items[ret_rows->count++];
        struct id run   = {};
        *row            = (struct row){};
        if (!key_take_id(&key, &run) || !key_take_u32(&key, &row->slot)) {
            return fail(reterr, STATUS_DATA_LOSS, "table listener_keys: a key");
        }
        TRY(record_read(value, &pb__listener_record__descriptor, engine->arena, &row->record,
                        reterr));
    }
}

static struct row *row_at(const struct rows *rows, uint32_t slot)
{
    for (size_t i = 0; i < rows->count; i++) {
        if (rows->items[i].slot == slot) return &rows->items[i];
    }
    return NULL;
}

static void key_of_row(struct key *key, const struct live_run *live, uint32_t slot)
{
    id_key(key, str_from(live->id.text));
    key_put_u32(key, slot);
}

static status row_put(struct engine *engine, const struct live_run *live, uint32_t slot,
                      const struct keys *keys, uint64_t sequence, struct error *reterr)
{
    Pb__ListenerRecord record = PB__LISTENER_RECORD__INIT;
    record.started_sequence   = sequence;
    record.keys               = keys->items;
    record.n_keys             = keys->count;
    struct key key;
    key_of_row(&key, live, slot);
    TRY(record_put(engine->txn, TABLE_LISTENER_KEYS, key_bytes(&key), &record.base, reterr));
    for (size_t i = 0; i < keys->count; i++) {
        bytes listener = bytes_from(str_of(keys->items[i]));
        TRY(txn_put(engine->txn, TABLE_LISTENERS, listener, (bytes){}, reterr));
    }
    return STATUS_OK;
}

struct found {
    void (*tell)(str type, void *context);
    void *context;
};

static status listener_update(struct engine *engine, const struct live_run *live,
                              const struct activation *listener, const struct rows *rows,
                              const struct found *found, struct error *reterr)
{
    struct keys keys = {.engine = engine};
    listener_keys(live->run, listener, keys_add, &keys);
    if (keys.is_full) return fail(reterr, STATUS_RESOURCE_EXHAUSTED, "no memory");
    struct row *row = row_at(rows, listener->slot);
    bool is_known   = row && row->record->started_sequence == listener->started_sequence;
    if (row) row->is_wanted = true;
    if (is_known && keys_equal(&keys, row->record)) return STATUS_OK;

    if (row) TRY(row_delete(engine, row->record, reterr));
    TRY(row_put(engine, live, listener->slot, &keys, listener->started_sequence, reterr));
    for (size_t i = 0; !is_known && i < keys.count; i++) {
        struct listener_place place = {};
        bool is_good                = listener_key_read(bytes_from(str_of(keys.items[i])), &place);
        ASSERT(is_good);
        found->tell((str){place.type.data, place.type.len}, found->context);
    }
    return STATUS_OK;
}

status listener_rows_update(struct engine *engine, struct live_run *live,
                            void (*found)(str type, void *context), void *context,
                            struct error *reterr)
{
    const struct run *run    = live->run;
    const struct found heard = {found, context};
    struct rows rows         = {};
    TRY(rows_read(engine, live, &rows, reterr));
    for (uint32_t i = 0; i < run->activations.count; i++) {
        const struct activation *activation = run_activation(run, i);
        if (!activation || !listener_is_open(run, activation)) continue;
        TRY(listener_update(engine, live, activation, &rows, &heard, reterr));
    }
    for (size_t i = 0; i < rows.count; i++) {
        if (rows.items[i].is_wanted) continue;
        struct key key;
        key_of_row(&key, live, rows.items[i].slot);
        TRY(row_delete(engine, rows.items[i].record, reterr));
        TRY(txn_delete(engine->txn, TABLE_LISTENER_KEYS, key_bytes(&key), reterr));
    }
    return STATUS_OK;
}

status listener_rows_delete(struct engine *engine, str run, struct error *reterr)
{
    struct key prefix;
    id_key(&prefix, run);
    CLEANUP(cursor_closep) struct cursor *cursor = NULL;
    const struct scan scan                       = {.prefix = key_bytes(&prefix)};
    TRY(cursor_open(engine->txn, TABLE_LISTENER_KEYS, &scan, &cursor, reterr));
    for (;;) {
        bytes key                  = {};
        bytes value                = {};
        Pb__ListenerRecord *record = NULL;
        status next                = cursor_next(cursor, &key, &value, NULL);
        if (next == STATUS_NOT_FOUND) return STATUS_OK;
        if (next != STATUS_OK) return fail(reterr, next, "listeners cannot be read");
        status read =
            record_read(value, &pb__listener_record__descriptor, engine->arena, &record, NULL);
        TRY(cursor_delete(cursor, reterr));
        if (read == STATUS_OK) TRY(row_delete(engine, record, reterr));
    }
}
