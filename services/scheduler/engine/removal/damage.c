#include "scheduler/engine/removal/damage.h"

#include "base/log.h"
#include "scheduler/engine/budgets/engine_budgets.h"
#include "scheduler/engine/events/events.h"
#include "scheduler/engine/removal/deletion.h"
#include "scheduler/run/event_codec.h"

enum { ROWS_PER_LOOK = 64 /* then the time is looked at */ };

/* --- the first step ----------------------------------------------------------------------------
 */

static status row_delete(struct engine *engine, enum table table, str run, struct error *reterr)
{
    struct key key;
    id_key(&key, run);
    status deleted = txn_delete(engine->txn, table, key_bytes(&key), NULL);
    if (deleted == STATUS_OK || deleted == STATUS_NOT_FOUND) return STATUS_OK;
    return fail(reterr, deleted, "table %s: a row cannot be deleted", table_names[table]);
}

status engine_delete_damaged(struct engine *engine, struct live_run *live, str run,
                             struct error *reterr)
{
    Pb__DeletionRecord record = PB__DELETION_RECORD__INIT;
    struct key key;
    id_key(&key, run);
    log_write(LOG_WARN, "run.damaged.deleted", LOG_STR("run", run));
    if (live) run_cache_drop(&engine->cache, live);
    TRY(engine_tell_watchers_of_damaged(engine, run, reterr));
    TRY(engine_watchers_delete(engine, run, reterr));
    TRY(engine_purse_end(engine, run, reterr));
    TRY(engine_drop_jobs_of(engine, run, reterr));
    TRY(listener_rows_delete(engine, run, reterr));
    TRY(row_delete(engine, TABLE_RUNS, run, reterr));
    TRY(row_delete(engine, TABLE_RUN_HEADS, run, reterr));
    record.is_search      = true;
    engine->has_deletions = true;
    return record_put(engine->txn, TABLE_DELETIONS, key_bytes(&key), &record.base, reterr);
}

/* --- the search --------------------------------------------------------------------------------
 */

/* How a row says whose it is. */
enum mark {
    MARK_KEY,    /* its key ends with the id */
    MARK_RECORD, /* a ClientIdRecord */
    MARK_ENTRY,  /* an entry of the journal */
};

/* The journal last: its rows are found newest first, and each may lead to others. */
static const struct {
    enum table table;
    enum mark mark;
} places[] = {
    {TABLE_RUN_INDEX, MARK_KEY},     {TABLE_TIMERS, MARK_KEY},
    {TABLE_SLOT_WAITERS, MARK_KEY},  {TABLE_CLIENT_IDS, MARK_RECORD},
    {TABLE_START_KEYS, MARK_RECORD}, {TABLE_JOURNAL, MARK_ENTRY},
};

struct owner {
    str run;
    uint8_t packed[ID_BYTES];
};

static bool is_of(struct engine *engine, enum mark mark, const struct owner *owner, bytes key,
                  bytes row)
{
    Pb__ClientIdRecord *record = NULL;
    struct entry_header header = {};
    switch (mark) {
    case MARK_KEY:
        return key.len >= ID_BYTES &&
               memcmp((const char *)key.ptr + key.len - ID_BYTES, owner->packed, ID_BYTES) == 0;
    case MARK_RECORD:
        return record_read(row, &pb__client_id_record__descriptor, engine->arena, &record, NULL) ==
                   STATUS_OK &&
               str_is(owner->run, record->run);
    case MARK_ENTRY:
        return entry_read_header(row, &header, NULL) == STATUS_OK &&
               memcmp(header.run, owner->packed, ID_BYTES) == 0;
    }
    return false;
}

/* Where to go on; false: no memory. */
static bool remember(struct engine *engine, Pb__DeletionRecord *record, bytes key)
{
    record->after = bytes_in(engine->arena, (str){key.ptr, key.len});
    return record->after.len == key.len;
}

/* A part of one table. */
static status look(struct engine *engine, const struct owner *owner, Pb__DeletionRecord *record,
                   struct error *reterr)
{
    enum table table       = places[record->table].table;
    enum mark mark         = places[record->table].mark;
    const struct scan scan = {.after    = {(const char *)record->after.data, record->after.len},
                              .backward = mark == MARK_ENTRY};
    CLEANUP(cursor_closep) struct cursor *cursor = NULL;
    TRY(cursor_open(engine->txn, table, &scan, &cursor, reterr));
    for (size_t i = 0; i < ROWS_PER_LOOK; i++) {
        bytes key   = {};
        bytes row   = {};
        status next = cursor_next(cursor, &key, &row, NULL);
        if (next == STATUS_NOT_FOUND) {
            record->table++;
            record->after = (ProtobufCBinaryData){};
            return STATUS_OK;
        }
        if (next != STATUS_OK) return fail(reterr, next, "table %s", table_names[table]);
        bool is_its = is_of(engine, mark, owner, key, row);
        bool is_end = is_its && mark == MARK_ENTRY;
        if (is_end && key.len == sizeof(uint64_t)) record->entry = u64_from(key.ptr);
        if (is_end || i + 1 == ROWS_PER_LOOK) {
            if (!remember(engine, record, key)) {
                return fail(reterr, STATUS_RESOURCE_EXHAUSTED, "no memory");
            }
        }
        if (is_end) return STATUS_OK;
        if (is_its) TRY(cursor_delete(cursor, reterr));
    }
    return STATUS_OK;
}

void engine_damage_search_entries(Pb__DeletionRecord *record)
{
    if (record->is_search) return; /* it goes on behind this one */
    record->is_search = true;
    record->table     = ARRAY_LEN(places) - 1;
}

status engine_damage_search(struct engine *engine, str run, Pb__DeletionRecord *record,
                            int64_t until_us, struct error *reterr)
{
    struct owner owner = {.run = run};
    id_pack(run, owner.packed);
    while (record->table < ARRAY_LEN(places)) {
        TRY(look(engine, &owner, record, reterr));
        if (record->entry > 0 || engine_mono_us(engine) >= until_us) return STATUS_OK;
    }
    record->is_search = false;
    return STATUS_OK;
}
