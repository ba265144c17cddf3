#include "scheduler/engine/requests/requests.h"

#include "scheduler/engine/engine_internal.h"
#include "scheduler/engine/events/events.h"
#include "scheduler/run/wire.h"

enum {
    SWEEP_REQUESTS_MAX = 1'000, /* rows of a kind in a turn; more than a turn adds */
    SWEEP_KEYS_MAX     = 500,   /* rows looked at, once a second */
    UPGRADE_ROWS       = 1'000, /* in a transaction */
    ROW_ARENA_MAX      = 1 << 20,
    ROW_SIZE_MIN       = 200, /* bytes that a row takes besides the answer, about */

    KEY_OF_RUN = 3, /* beside enum request_kind */
    KEY_TOTALS = 4,
};

#define MINUTE_US (INT64_C(60) * 1'000'000)
#define HOUR_US   (60 * MINUTE_US)

/* How long nothing is swept after a sweep has come to its end. */
#define SWEEP_REST_US INT64_C(1'000'000)

/* An age is a whole number of buckets: so a row is never too old in the newest of them, and an id
 * has its place there to itself. */
static const struct kind_limits {
    int64_t age_us, bucket_us;
    uint64_t count_max;
    uint64_t size_max_bytes;
    uint64_t spare; /* where there are too many, so far below that it sweeps */
} limits[] = {
    [REQUEST_DONE]     = {10 * MINUTE_US, 10 * MINUTE_US, 500'000, UINT64_C(16) << 20, 1'000},
    [REQUEST_ANSWERED] = {24 * HOUR_US, 12 * HOUR_US, 200'000, UINT64_C(256) << 20, 0},
};

static bool is_old(const struct engine *engine, enum request_kind kind, int64_t time_us)
{
    return engine->now_us - time_us > limits[kind].age_us;
}

/* --- keys --------------------------------------------------------------------------------------
 */

static uint32_t bucket_of(enum request_kind kind, int64_t time_us)
{
    return time_us > 0 ? (uint32_t)(time_us / limits[kind].bucket_us) : 0;
}

static void row_key(struct key *key, enum request_kind kind, uint32_t bucket, str id)
{
    key_begin(key);
    key_put_u8(key, (uint8_t)kind);
    key_put_u32(key, bucket);
    key_put_text(key, id);
}

/* False: it is of no run. */
static bool of_run_key(struct key *key, str run, uint32_t bucket, str id)
{
    if (!id_is_valid(run)) return false;
    key_begin(key);
    key_put_u8(key, KEY_OF_RUN);
    key_put_id(key, run);
    key_put_u32(key, bucket);
    key_put_text(key, id);
    return true;
}

/* --- totals ------------------------------------------------------------------------------------
 */

static const uint8_t totals_key[] = {KEY_TOTALS};

static status totals_read(struct engine *engine, struct error *reterr)
{
    Pb__RequestTotals *totals = NULL;
    engine->requests          = (struct request_memory){};
    status got = record_get(engine->txn, TABLE_REQUESTS, (bytes){totals_key, sizeof totals_key},
                            &pb__request_totals__descriptor, engine->arena, &totals, NULL);
    engine->requests.is_changed = got == STATUS_NOT_FOUND; /* written with the first turn */
    if (got == STATUS_NOT_FOUND) return STATUS_OK;
    if (got != STATUS_OK) return fail(reterr, got, "requests: the totals cannot be read");
    engine->requests.answers      = totals->answers;
    engine->requests.answer_runs  = totals->answer_runs;
    engine->requests.answer_bytes = totals->answer_bytes;
    return STATUS_OK;
}

static status totals_write(struct engine *engine, struct error *reterr)
{
    if (!engine->requests.is_changed) return STATUS_OK;
    Pb__RequestTotals totals    = PB__REQUEST_TOTALS__INIT;
    totals.answers              = engine->requests.answers;
    totals.answer_runs          = engine->requests.answer_runs;
    totals.answer_bytes         = engine->requests.answer_bytes;
    engine->requests.is_changed = false;
    return record_put(engine->txn, TABLE_REQUESTS, (bytes){totals_key, sizeof totals_key},
                      &totals.base, reterr);
}

static status count_rows(struct engine *engine, enum request_kind kind, uint64_t *ret_count,
                         struct error *reterr)
{
    const struct request_memory *memory = &engine->requests;
    uint64_t others                     = memory->answers + memory->answer_runs;
    *ret_count                          = memory->answers;
    if (kind == REQUEST_ANSWERED) return STATUS_OK;
    if (!memory->is_changed) others++; /* the totals have their row */
    TRY(txn_count(engine->txn, TABLE_REQUESTS, ret_count, reterr));
    *ret_count -= *ret_count > others ? others : *ret_count;
    return STATUS_OK;
}

/* --- finding and keeping -----------------------------------------------------------------------
 */

status engine_request_row(struct engine *engine, enum request_kind kind, str id,
                          Pb__RequestRecord **ret_record, struct error *reterr)
{
    *ret_record = NULL;
    if (id.len == 0) return STATUS_OK;
    uint32_t oldest  = bucket_of(kind, engine->now_us - limits[kind].age_us);
    uint32_t now     = bucket_of(kind, engine->now_us);
    bool is_set_back = engine->requests.newest[kind] > now; /* the clock, before this start */
    for (uint32_t bucket = now + is_set_back;; bucket--) {
        struct key key;
        Pb__RequestRecord *record = NULL;
        row_key(&key, kind, bucket, id);
        status got = record_get(engine->txn, TABLE_REQUESTS, key_bytes(&key),
                                &pb__request_record__descriptor, engine->arena, &record, NULL);
        if (got == STATUS_OK && !is_old(engine, kind, record->time_us)) {
            *ret_record = record;
            return STATUS_OK;
        }
        if (got != STATUS_OK && got != STATUS_NOT_FOUND) {
            return fail(reterr, got, "requests: a row cannot be read");
        }
        if (bucket == oldest) return STATUS_OK;
    }
}

static status add_of_run(struct engine *engine, str run, uint32_t bucket, str id,
                         struct error *reterr)
{
    struct key key;
    if (!of_run_key(&key, run, bucket, id)) return STATUS_OK;
    status added = txn_insert(engine->txn, TABLE_REQUESTS, key_bytes(&key), (bytes){}, NULL);
    if (added == STATUS_ALREADY_EXISTS) return STATUS_OK; /* of both runs, which are one */
    if (added != STATUS_OK) return fail(reterr, added, "requests: a row cannot be written");
    engine->requests.answer_runs++;
    return STATUS_OK;
}

static status row_add(struct engine *engine, enum request_kind kind, str id,
                      const Pb__RequestRecord *record, struct error *reterr)
{
    struct key key;
    uint32_t bucket = bucket_of(kind, record->time_us);
    row_key(&key, kind, bucket, id);
    TRY(record_put(engine->txn, TABLE_REQUESTS, key_bytes(&key), &record->base, reterr));
    if (kind != REQUEST_ANSWERED) {
        engine->requests.done_bytes += record->answer.len;
        return STATUS_OK;
    }
    engine->requests.answers++;
    engine->requests.answer_bytes += record->answer.len + ROW_SIZE_MIN;
    engine->requests.is_changed = true;
    TRY(add_of_run(engine, str_from(record->run), bucket, id, reterr));
    return add_of_run(engine, str_from(record->other_run), bucket, id, reterr);
}

status engine_request_add(struct engine *engine, enum request_kind kind, str id,
                          Pb__RequestRecord *record, struct error *reterr)
{
    record->time_us = engine->now_us;
    return row_add(engine, kind, id, record, reterr);
}

static void id_from(struct id *to, str from)
{
    if (from.len == ID_LEN) memcpy(to->text, from.ptr, ID_LEN);
}

status engine_request_find(struct engine *engine, str id, const struct made_by_request **ret_made,
                           struct error *reterr)
{
    Pb__RequestRecord *record = NULL;
    *ret_made                 = NULL;
    TRY(engine_request_row(engine, REQUEST_DONE, id, &record, reterr));
    if (!record) return STATUS_OK;
    struct made_by_request *made = arena_alloc(engine->arena, sizeof *made);
    if (!made) return fail(reterr, STATUS_RESOURCE_EXHAUSTED, "no memory");
    *made = (struct made_by_request){};
    id_from(&made->run, str_from(record->run));
    id_from(&made->event, str_from(record->event));
    engine->is_done_before = true;
    *ret_made              = made;
    return STATUS_OK;
}

status engine_request_keep(struct engine *engine, str id, str run, str event, struct error *reterr)
{
    if (id.len == 0) return STATUS_OK;
    Pb__RequestRecord record = PB__REQUEST_RECORD__INIT;
    record.run               = text_in(engine->arena, run);
    record.event             = text_in(engine->arena, event);
    if (!record.run || !record.event) return fail(reterr, STATUS_RESOURCE_EXHAUSTED, "no memory");
    return engine_request_add(engine, REQUEST_DONE, id, &record, reterr);
}

/* --- erasing -----------------------------------------------------------------------------------
 */

static status answer_erase(struct engine *engine, bytes key, struct error *reterr)
{
    Pb__RequestRecord *record = NULL;
    uint64_t *bytes_kept      = &engine->requests.answer_bytes;
    TRY(record_get(engine->txn, TABLE_REQUESTS, key, &pb__request_record__descriptor, engine->arena,
                   &record, reterr));
    *bytes_kept -= record->answer.len < *bytes_kept ? record->answer.len : *bytes_kept;
    record->answer     = (ProtobufCBinaryData){};
    record->code       = STATUS_FAILED_PRECONDITION;
    record->error_code = "run_erased";
    record->error_text = "what was answered to this Idempotency-Key went with the run it showed";
    return record_put(engine->txn, TABLE_REQUESTS, key, &record->base, reterr);
}

status engine_answers_erase(struct engine *engine, str run, size_t count_max, size_t *ret_count,
                            struct error *reterr)
{
    CLEANUP(cursor_closep) struct cursor *cursor = NULL;
    struct key prefix;
    key_begin(&prefix);
    key_put_u8(&prefix, KEY_OF_RUN);
    key_put_id(&prefix, run);
    const struct scan scan = {.prefix = key_bytes(&prefix)};
    TRY(cursor_open(engine->txn, TABLE_REQUESTS, &scan, &cursor, reterr));
    for (*ret_count = 0; *ret_count < count_max; ++*ret_count) {
        bytes place     = {};
        bytes row       = {};
        uint8_t kind    = 0;
        struct id owner = {};
        uint32_t bucket = 0;
        struct key_text id;
        struct key key;
        status next = cursor_next(cursor, &place, &row, NULL);
        if (next == STATUS_NOT_FOUND) return STATUS_OK;
        if (next != STATUS_OK) return fail(reterr, next, "answers of a run cannot be read");
        bool is_read = key_take_u8(&place, &kind) && key_take_id(&place, &owner) &&
                       key_take_u32(&place, &bucket) && key_take_text(&place, &id);
        if (!is_read) return fail(reterr, STATUS_DATA_LOSS, "requests: a key");
        TRY(cursor_delete(cursor, reterr));
        engine->requests.answer_runs--;
        engine->requests.is_changed = true;
        row_key(&key, REQUEST_ANSWERED, bucket, (str){id.data, id.len});
        TRY(answer_erase(engine, key_bytes(&key), reterr));
    }
    return STATUS_OK;
}

/* --- recovery ----------------------------------------------------------------------------------
 */

static status newest_read(struct engine *engine, enum request_kind kind, struct error *reterr)
{
    CLEANUP(cursor_closep) struct cursor *cursor = NULL;
    const uint8_t prefix                         = (uint8_t)kind;
    const struct scan scan                       = {.prefix = {&prefix, 1}, .backward = true};
    bytes key                                    = {};
    bytes row                                    = {};
    uint8_t of_kind                              = 0;
    TRY(cursor_open(engine->txn, TABLE_REQUESTS, &scan, &cursor, reterr));
    status next = cursor_next(cursor, &key, &row, NULL);
    if (next == STATUS_NOT_FOUND) return STATUS_OK;
    if (next != STATUS_OK) return fail(reterr, next, "requests cannot be read");
    bool is_read =
        key_take_u8(&key, &of_kind) && key_take_u32(&key, &engine->requests.newest[kind]);
    return is_read ? STATUS_OK : fail(reterr, STATUS_DATA_LOSS, "requests: a key");
}

status engine_requests_recover(struct engine *engine, struct error *reterr)
{
    TRY(totals_read(engine, reterr));
    TRY(newest_read(engine, REQUEST_DONE, reterr));
    return newest_read(engine, REQUEST_ANSWERED, reterr);
}

/* Until now the key was a sequence, below 2^56, of both kinds, and the row had the id. */
static status upgrade_row(struct engine *engine, struct cursor *cursor, bytes row,
                          struct arena *arena, struct error *reterr)
{
    Pb__RequestRecord *record = NULL;
    arena_clear(arena);
    TRY(record_read(row, &pb__request_record__descriptor, arena, &record, reterr));
    enum request_kind kind = *record->payload ? REQUEST_ANSWERED : REQUEST_DONE;
    str id                 = str_from(record->id);
    record->id             = "";
    TRY(cursor_delete(cursor, reterr));
    return id.len > 0 ? row_add(engine, kind, id, record, reterr) : STATUS_OK;
}

static status upgrade_rows(struct engine *engine, bool *ret_done, struct error *reterr)
{
    CLEANUP(arena_freep) struct arena *arena     = arena_new(ROW_ARENA_MAX);
    CLEANUP(cursor_closep) struct cursor *cursor = NULL;
    const struct scan scan                       = {.until = {"\x01", 1}};
    TRY(totals_read(engine, reterr));
    TRY(cursor_open(engine->txn, TABLE_REQUESTS, &scan, &cursor, reterr));
    for (size_t i = 0; i < UPGRADE_ROWS; i++) {
        bytes key   = {};
        bytes row   = {};
        status next = cursor_next(cursor, &key, &row, NULL);
        *ret_done   = next == STATUS_NOT_FOUND;
        if (*ret_done) break;
        if (next != STATUS_OK) return fail(reterr, next, "requests cannot be read");
        TRY(upgrade_row(engine, cursor, row, arena, reterr));
    }
    return totals_write(engine, reterr);
}

status engine_requests_upgrade(struct engine *engine, struct error *reterr)
{
    for (bool is_done = false; !is_done;) {
        TRY(txn_begin_write(engine->store, &engine->txn, reterr));
        status upgraded = upgrade_rows(engine, &is_done, reterr);
        arena_clear(engine->arena);
        if (upgraded != STATUS_OK) {
            txn_abort(TAKE(engine->txn));
            return upgraded;
        }
        TRY(txn_commit(TAKE(engine->txn), reterr));
    }
    return STATUS_OK;
}

/* --- sweeping ----------------------------------------------------------------------------------
 */

/* What is asked of a row before it is deleted; `raw` goes with the first write. */
struct request_row {
    int64_t time_us;
    size_t answer_size;
    struct id runs[2]; /* empty: none */
};

/* From its bytes: it may hold a large answer, which is not copied (proto/record.proto). */
static status row_look(bytes raw, struct request_row *ret_row, struct error *reterr)
{
    enum { FIELD_TIME = 2, FIELD_RUN = 3, FIELD_ANSWER = 240, FIELD_OTHER_RUN = 256 };
    struct wire_reader reader = {.rest = {raw.ptr, raw.len}};
    *ret_row                  = (struct request_row){};
    for (bool more = true;;) {
        TRY(wire_next(&reader, &more, reterr));
        if (!more) return STATUS_OK;
        switch (reader.number) {
        case FIELD_TIME: ret_row->time_us = (int64_t)reader.value; break;
        case FIELD_RUN: id_from(&ret_row->runs[0], reader.data); break;
        case FIELD_OTHER_RUN: id_from(&ret_row->runs[1], reader.data); break;
        case FIELD_ANSWER: ret_row->answer_size = reader.data.len; break;
        default: break;
        }
    }
}

/* An answer was deleted: so are the rows that lead to it. */
static status forget_answer(struct engine *engine, uint32_t bucket, str id,
                            const struct request_row *row, struct error *reterr)
{
    struct request_memory *memory = &engine->requests;
    uint64_t size_bytes           = row->answer_size + ROW_SIZE_MIN;
    memory->is_changed            = true;
    memory->answers -= memory->answers > 0;
    memory->answer_bytes -= size_bytes < memory->answer_bytes ? size_bytes : memory->answer_bytes;
    for (size_t i = 0; i < ARRAY_LEN(row->runs); i++) {
        struct key key;
        if (!of_run_key(&key, str_from(row->runs[i].text), bucket, id)) continue;
        status deleted = txn_delete(engine->txn, TABLE_REQUESTS, key_bytes(&key), NULL);
        if (deleted == STATUS_NOT_FOUND) continue; /* both are one run, or it was erased */
        if (deleted != STATUS_OK) return fail(reterr, deleted, "requests: a row of a run");
        memory->answer_runs--;
    }
    return STATUS_OK;
}

/* Rows go many at a time: each turn that deletes one pays for a path through the tree. */
struct sweep {
    enum request_kind kind;
    uint64_t count; /* rows of the kind */
    uint64_t count_max;
    struct cursor *cursor;
};

static bool is_much(const struct engine *engine, const struct sweep *sweep)
{
    const struct request_memory *memory = &engine->requests;
    bool is_keyed                       = sweep->kind == REQUEST_ANSWERED;
    uint64_t size_bytes                 = is_keyed ? memory->answer_bytes : memory->done_bytes;
    return sweep->count > sweep->count_max || size_bytes > limits[sweep->kind].size_max_bytes;
}

/* The next row goes, if its time has come; `*ret_over`: it has not. */
static status sweep_row(struct engine *engine, struct sweep *sweep, bool *ret_over,
                        struct error *reterr)
{
    int64_t *due_us        = &engine->requests.due_us[sweep->kind];
    struct request_row row = {};
    struct key_text id     = {};
    uint8_t kind           = 0;
    uint32_t bucket        = 0;
    bytes key              = {};
    bytes raw              = {};
    status next            = cursor_next(sweep->cursor, &key, &raw, NULL);
    *ret_over              = next == STATUS_NOT_FOUND;
    if (*ret_over) {
        *due_us = engine->now_us + limits[sweep->kind].age_us;
        return STATUS_OK;
    }
    if (next != STATUS_OK) return fail(reterr, next, "old requests cannot be read");
    TRY(row_look(raw, &row, reterr));
    *ret_over = !is_old(engine, sweep->kind, row.time_us) && !is_much(engine, sweep);
    if (*ret_over) {
        int64_t next_us = row.time_us + limits[sweep->kind].age_us;
        int64_t rest_us = engine->now_us + SWEEP_REST_US;
        *due_us         = next_us > rest_us ? next_us : rest_us;
        return STATUS_OK;
    }
    bool is_read = key_take_u8(&key, &kind) && key_take_u32(&key, &bucket) &&
                   key_take_text(&key, &id) && key.len == 0;
    if (!is_read) return fail(reterr, STATUS_DATA_LOSS, "requests: a key");
    TRY(cursor_delete(sweep->cursor, reterr));
    sweep->count--;
    if (sweep->kind != REQUEST_ANSWERED) {
        uint64_t *kept = &engine->requests.done_bytes;
        *kept -= row.answer_size < *kept ? row.answer_size : *kept;
        return STATUS_OK;
    }
    return forget_answer(engine, bucket, (str){id.data, id.len}, &row, reterr);
}

/* Buckets follow each other in time, and rows of one bucket do nearly: those of requests without a
 * key, whose ids begin with the time. So the first one that is not too old ends it, and whatever is
 * behind it goes with its bucket at the latest. */
static status sweep_kind(struct engine *engine, enum request_kind kind, struct error *reterr)
{
    CLEANUP(cursor_closep) struct cursor *cursor = NULL;
    const uint8_t prefix[]                       = {(uint8_t)kind};
    const struct scan scan                       = {.prefix = {prefix, sizeof prefix}};
    struct sweep sweep = {.kind = kind, .count_max = limits[kind].count_max};
    TRY(count_rows(engine, kind, &sweep.count, reterr));
    bool is_due = engine->now_us > engine->requests.due_us[kind] || is_much(engine, &sweep);
    if (!is_due || sweep.count == 0) return STATUS_OK;
    if (sweep.count > sweep.count_max) sweep.count_max -= limits[kind].spare;
    TRY(cursor_open(engine->txn, TABLE_REQUESTS, &scan, &cursor, reterr));
    sweep.cursor = cursor;
    bool is_over = false;
    for (size_t i = 0; i < SWEEP_REQUESTS_MAX && !is_over; i++) {
        TRY(sweep_row(engine, &sweep, &is_over, reterr));
    }
    return STATUS_OK;
}

static status sweep_keys(struct engine *engine, struct error *reterr)
{
    CLEANUP(cursor_closep) struct cursor *cursor = NULL;
    const struct scan scan = {.after = {engine->sweep.key, engine->sweep.key_len}};
    TRY(cursor_open(engine->txn, TABLE_IDEMPOTENCY, &scan, &cursor, reterr));
    for (size_t i = 0; i < SWEEP_KEYS_MAX; i++) {
        bytes key   = {};
        bytes row   = {};
        status next = cursor_next(cursor, &key, &row, NULL);
        if (next == STATUS_NOT_FOUND) {
            engine->sweep.key_len = 0; /* from the start, next time */
            return STATUS_OK;
        }
        if (next != STATUS_OK) return fail(reterr, next, "idempotency keys cannot be read");

        memcpy(engine->sweep.key, key.ptr, key.len);
        engine->sweep.key_len         = key.len;
        Pb__IdempotencyRecord *record = NULL;
        TRY(record_read(row, &pb__idempotency_record__descriptor, engine->arena, &record, reterr));
        if (record->expires_us <= engine->now_us) TRY(cursor_delete(cursor, reterr));
    }
    return STATUS_OK;
}

status engine_sweep(struct engine *engine, struct error *reterr)
{
    TRY(sweep_kind(engine, REQUEST_DONE, reterr));
    TRY(sweep_kind(engine, REQUEST_ANSWERED, reterr));
    TRY(totals_write(engine, reterr));
    if (engine->now_us < engine->care_due_us) return STATUS_OK;
    TRY(event_sweep(engine, reterr));
    return sweep_keys(engine, reterr);
}
