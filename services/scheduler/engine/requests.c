/*
 * What was answered lately, by request id, so that a repeated call is answered and not repeated.
 *
 * The rows are keyed by a sequence, not by the request id, because random keys cost 5 to 20 times
 * as much (docs/internals/store.md); a map in memory finds them, read from the table at
 * start.
 */
#include "base/assert.h"
#include "base/log.h"
#include "base/mem.h"
#include "scheduler/engine/engine_internal.h"
#include "scheduler/engine/events.h"

#include <stdlib.h>

enum {
    REQUESTS_MAX       = 500'000, /* the oldest are forgotten before their time beyond that */
    SWEEP_REQUESTS_MAX = 2'000,   /* rows a turn */
    SWEEP_KEYS_MAX     = 500,     /* rows looked at, once a second */
    RECOVER_PAGE       = 10'000,
    ROW_ARENA_MAX      = 1 << 20,
};
#define REQUEST_AGE_US (INT64_C(600) * 1'000'000) /* 10 minutes */

/* --- in memory ---------------------------------------------------------------------------------
 */

struct kept_request *engine_request_find(struct engine *engine, str id)
{
    return id.len > 0 ? map_get(engine->requests.by_id, id) : NULL;
}

static void copy_id(struct id *to, str from)
{
    if (from.len == ID_LEN) memcpy(to->text, from.ptr, ID_LEN);
}

static void remember(struct request_memory *memory, struct kept_request *kept)
{
    if (!map_put(memory->by_id, str_from(kept->id), kept)) {
        free(kept->id);
        free(kept);
        return;
    }
    if (memory->last) {
        memory->last->next = kept;
    } else {
        memory->first = kept;
    }
    memory->last = kept;
}

static void forget_first(struct request_memory *memory)
{
    struct kept_request *first = memory->first;
    memory->first              = first->next;
    if (!memory->first) memory->last = NULL;
    void *removed = map_remove(memory->by_id, str_from(first->id));
    ASSERT(removed == first);
    free(first->id);
    free(first);
}

void engine_requests_done(struct engine *engine)
{
    while (engine->requests.first) forget_first(&engine->requests);
    map_free(engine->requests.by_id);
    engine->requests.by_id = NULL;
}

status engine_request_keep(struct engine *engine, str id, str run, str event, struct error *reterr)
{
    if (id.len == 0) return STATUS_OK;
    struct kept_request *kept = mem_new(1, sizeof *kept);
    kept->id                  = mem_dup(id.ptr, id.len);
    kept->sequence            = engine->request_next++;
    kept->time_us             = engine->now_us;
    copy_id(&kept->run, run);
    copy_id(&kept->event, event);

    Pb__RequestRecord record = PB__REQUEST_RECORD__INIT;
    record.id                = kept->id;
    record.time_us           = kept->time_us;
    record.run               = kept->run.text;
    record.event             = kept->event.text;
    struct key_u64 key       = key_of_u64(kept->sequence);
    remember(&engine->requests, kept);
    return record_append(engine->txn, TABLE_REQUESTS, key_u64_bytes(&key), &record.base, reterr);
}

/* --- recovery ----------------------------------------------------------------------------------
 */

struct recovery {
    struct engine *engine;
    struct arena *arena;
};

static status recover_row(bytes key, bytes row, struct error *reterr, void *context)
{
    const struct recovery *recovery = context;
    struct engine *engine           = recovery->engine;
    uint64_t sequence               = 0;
    bytes rest                      = key;
    Pb__RequestRecord *record       = NULL;
    arena_clear(recovery->arena);
    if (!key_take_u64(&rest, &sequence)) return fail(reterr, STATUS_DATA_LOSS, "requests: a key");
    TRY(record_read(row, &pb__request_record__descriptor, recovery->arena, &record, reterr));

    engine->request_next = sequence + 1;
    if (*record->payload) {
        engine_answer_recover(engine, sequence, record->answer.len, record);
        return STATUS_OK;
    }
    if (engine_request_find(engine, str_from(record->id))) return STATUS_OK;
    struct kept_request *kept = mem_new(1, sizeof *kept);
    kept->id                  = mem_dup(record->id, strlen(record->id));
    kept->sequence            = sequence;
    kept->time_us             = record->time_us;
    copy_id(&kept->run, str_from(record->run));
    copy_id(&kept->event, str_from(record->event));
    remember(&engine->requests, kept);
    return STATUS_OK;
}

status engine_requests_recover(struct engine *engine, struct error *reterr)
{
    CLEANUP(arena_freep) struct arena *arena = arena_new(ROW_ARENA_MAX);
    if (!arena) return fail(reterr, STATUS_RESOURCE_EXHAUSTED, "no memory");
    engine->requests         = (struct request_memory){.by_id = map_new(2 * REQUESTS_MAX)};
    engine->request_next     = 1;
    struct recovery recovery = {.engine = engine, .arena = arena};
    struct page page         = {.has_more = true};
    const struct scan scan   = {};
    while (page.has_more) {
        TRY(txn_page(engine->txn, TABLE_REQUESTS, &scan, RECOVER_PAGE, &page, recover_row,
                     &recovery, reterr));
    }
    return STATUS_OK;
}

/* --- sweeping ----------------------------------------------------------------------------------
 */

static status sweep_requests(struct engine *engine, struct error *reterr)
{
    struct request_memory *memory = &engine->requests;
    for (size_t i = 0; i < SWEEP_REQUESTS_MAX && memory->first; i++) {
        bool is_old = engine->now_us - memory->first->time_us > REQUEST_AGE_US;
        if (!is_old && map_count(memory->by_id) <= REQUESTS_MAX) return STATUS_OK;
        struct key_u64 key = key_of_u64(memory->first->sequence);
        status deleted     = txn_delete(engine->txn, TABLE_REQUESTS, key_u64_bytes(&key), NULL);
        if (deleted != STATUS_OK && deleted != STATUS_NOT_FOUND) {
            return fail(reterr, deleted, "an old request cannot be deleted");
        }
        forget_first(memory);
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
    TRY(sweep_requests(engine, reterr));
    TRY(engine_answers_sweep(engine, reterr));
    if (engine->now_us < engine->care_due_us) return STATUS_OK;
    TRY(event_sweep(engine, reterr));
    return sweep_keys(engine, reterr);
}
