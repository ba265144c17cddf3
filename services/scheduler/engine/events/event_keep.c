/*
 * Events that later listeners may take. One that nobody has taken waits for the first who does; one
 * that somebody has is still there for runs that were under way when it came and listen later.
 *
 *     buffered_events: namespace, type, taken (u8), event id -> KeptEventRecord
 *     event_takers:    event id, run id -> nothing: a run gets an event at most once
 *     event_types:     namespace, type (empty: any) -> nothing: some workflow listens to it
 */
#include "base/assert.h"
#include "base/log.h"
#include "base/mem.h"
#include "scheduler/engine/events/events.h"
#include "scheduler/tables/event_index.h"
#include "json/json_text.h"

#include <stdlib.h>

enum { SWEEP_MAX = 200, UNIT_SEPARATOR = 0x1f, ID_TIME_BYTES = 6, US_PER_MS = 1'000 };

/* How many of a type are kept: of those nobody has taken, and of the others. */
struct kept_count {
    size_t items[2];
};

void event_hub_init(struct event_hub *hub)
{
    *hub = (struct event_hub){
        .known_types = map_new(ENGINE_SET_MAX),
        .kept        = map_new(ENGINE_SET_MAX),
        .last        = &hub->first,
    };
}

static void counts_forget(struct event_hub *hub)
{
    size_t cursor = 0;
    str key       = {};
    void *value   = NULL;
    while (map_next(hub->kept, &cursor, &key, &value)) free(value);
    map_free(hub->kept);
    hub->kept = NULL;
}

void event_hub_done(struct event_hub *hub)
{
    while (hub->first) {
        struct emitted *emitted = hub->first;
        hub->first              = emitted->next;
        json_unref(emitted->event);
        free(emitted->namespace);
        free(emitted);
    }
    hub->last = &hub->first;
    if (hub->kept) counts_forget(hub);
    map_free(hub->known_types);
    hub->known_types = NULL;
}

/* --- keys --------------------------------------------------------------------------------------
 */

static void kept_prefix(struct key *key, str namespace, str type, bool is_taken)
{
    key_begin(key);
    key_put_text(key, namespace);
    key_put_text(key, type);
    key_put_u8(key, is_taken);
}

static void kept_key(struct key *key, str namespace, str type, bool is_taken, const struct id *id)
{
    kept_prefix(key, namespace, type, is_taken);
    key_put_id(key, str_from(id->text));
}

static void type_key(struct key *key, str namespace, str type)
{
    key_begin(key);
    key_put_text(key, namespace);
    key_put_text(key, type);
}

static str memory_key(struct engine *engine, str namespace, str type)
{
    const char *text = arena_printf(engine->arena, STR_FMT "%c" STR_FMT, STR_ARG(namespace),
                                    UNIT_SEPARATOR, STR_ARG(type));
    return str_from(text ? text : "");
}

/* --- which types anybody listens to ------------------------------------------------------------
 */

struct marking {
    struct engine *engine;
    str namespace;
    status code;
    struct error *reterr;
};

static void mark_type(str type, void *context)
{
    struct marking *marking = context;
    struct engine *engine   = marking->engine;
    str text                = memory_key(engine, marking->namespace, type);
    if (marking->code != STATUS_OK || map_get(engine->hub.known_types, text)) return;
    struct key key;
    type_key(&key, marking->namespace, type);
    marking->code =
        txn_put(engine->txn, TABLE_EVENT_TYPES, key_bytes(&key), (bytes){}, marking->reterr);
    (void)map_put(engine->hub.known_types, text, engine); /* full: it is written again */
}

status engine_event_types_put(struct engine *engine, const struct workflow *workflow,
                              struct error *reterr)
{
    struct marking marking = {.engine    = engine,
                              .namespace = str_from(workflow->namespace_),
                              .code      = STATUS_OK,
                              .reterr    = reterr};
    workflow_event_types(workflow, mark_type, &marking);
    return marking.code;
}

static status has_type(struct txn *txn, str namespace, str type, bool *ret_has,
                       struct error *reterr)
{
    struct key key;
    bytes row = {};
    type_key(&key, namespace, type);
    status got = txn_get(txn, TABLE_EVENT_TYPES, key_bytes(&key), &row, NULL);
    *ret_has   = got == STATUS_OK;
    if (got == STATUS_OK || got == STATUS_NOT_FOUND) return STATUS_OK;
    return fail(reterr, got, "the types of events cannot be read");
}

status event_is_wanted(struct engine *engine, str namespace, str type, bool *ret_wanted,
                       struct error *reterr)
{
    const str any = {.ptr = ""};
    TRY(has_type(engine->txn, namespace, type, ret_wanted, reterr));
    if (!*ret_wanted) TRY(has_type(engine->txn, namespace, any, ret_wanted, reterr));
    /* Where workflows are registered all types are known, also those no run here has asked for. */
    struct store *system = engine->options.system_store;
    if (*ret_wanted || engine->partition->index == 0 || !system) return STATUS_OK;
    CLEANUP(txn_abortp) struct txn *txn = NULL;
    TRY(txn_begin_read(system, &txn, reterr));
    TRY(has_type(txn, namespace, type, ret_wanted, reterr));
    return *ret_wanted ? STATUS_OK : has_type(txn, namespace, any, ret_wanted, reterr);
}

/* --- keeping -----------------------------------------------------------------------------------
 */

static status count_rows(struct engine *engine, str namespace, str type, bool is_taken,
                         size_t *ret_count, struct error *reterr)
{
    struct key prefix;
    kept_prefix(&prefix, namespace, type, is_taken);
    CLEANUP(cursor_closep) struct cursor *cursor = NULL;
    const struct scan scan                       = {.prefix = key_bytes(&prefix)};
    TRY(cursor_open(engine->txn, TABLE_BUFFERED_EVENTS, &scan, &cursor, reterr));
    for (*ret_count = 0;; ++*ret_count) {
        bytes key   = {};
        bytes row   = {};
        status next = cursor_next(cursor, &key, &row, NULL);
        if (next == STATUS_NOT_FOUND) return STATUS_OK;
        if (next != STATUS_OK) return fail(reterr, next, "kept events cannot be read");
    }
}

/* Counted once, then kept up to date; never NULL on OK. */
static status count_of(struct engine *engine, str namespace, str type,
                       struct kept_count **ret_count, struct error *reterr)
{
    str text   = memory_key(engine, namespace, type);
    *ret_count = map_get(engine->hub.kept, text);
    if (*ret_count) return STATUS_OK;
    struct kept_count count = {};
    TRY(count_rows(engine, namespace, type, false, &count.items[false], reterr));
    TRY(count_rows(engine, namespace, type, true, &count.items[true], reterr));
    if (map_count(engine->hub.kept) == ENGINE_SET_MAX) {
        counts_forget(&engine->hub);
        engine->hub.kept = map_new(ENGINE_SET_MAX);
    }
    struct kept_count *kept = mem_new(1, sizeof *kept);
    *kept                   = count;
    (void)map_put(engine->hub.kept, text, kept);
    *ret_count = kept;
    return STATUS_OK;
}

status event_keep_is_full(struct engine *engine, str namespace, str type, bool *ret_full,
                          struct error *reterr)
{
    struct kept_count *count = NULL;
    TRY(count_of(engine, namespace, type, &count, reterr));
    *ret_full = count->items[false] >= EVENTS_KEPT_MAX;
    return STATUS_OK;
}

static status takers_delete(struct engine *engine, const struct id *event, struct error *reterr)
{
    struct key prefix;
    id_key(&prefix, str_from(event->text));
    CLEANUP(cursor_closep) struct cursor *cursor = NULL;
    const struct scan scan                       = {.prefix = key_bytes(&prefix)};
    TRY(cursor_open(engine->txn, TABLE_EVENT_TAKERS, &scan, &cursor, reterr));
    for (;;) {
        bytes key   = {};
        bytes row   = {};
        status next = cursor_next(cursor, &key, &row, NULL);
        if (next == STATUS_NOT_FOUND) return STATUS_OK;
        if (next != STATUS_OK) return fail(reterr, next, "an event's takers cannot be read");
        TRY(cursor_delete(cursor, reterr));
    }
}

/* The oldest one that somebody took makes room: it has reached whom it was for, and lasts for runs
 * that are late. */
static status drop_oldest_taken(struct engine *engine, str namespace, str type,
                                struct error *reterr)
{
    struct key prefix;
    kept_prefix(&prefix, namespace, type, true);
    CLEANUP(cursor_closep) struct cursor *cursor = NULL;
    const struct scan scan                       = {.prefix = key_bytes(&prefix)};
    bytes key                                    = {};
    bytes row                                    = {};
    struct id id                                 = {};
    TRY(cursor_open(engine->txn, TABLE_BUFFERED_EVENTS, &scan, &cursor, reterr));
    TRY(cursor_next(cursor, &key, &row, reterr));
    bytes rest = {(const uint8_t *)key.ptr + prefix.len, key.len - prefix.len};
    if (!key_take_id(&rest, &id)) return fail(reterr, STATUS_DATA_LOSS, "buffered_events: a key");
    TRY(cursor_delete(cursor, reterr));
    return takers_delete(engine, &id, reterr);
}

static status put_kept(struct engine *engine, const struct key *key, str namespace, str type,
                       bool is_taken, bytes row, struct error *reterr)
{
    struct kept_count *count = NULL;
    TRY(count_of(engine, namespace, type, &count, reterr));
    if (is_taken && count->items[true] >= EVENTS_KEPT_MAX) {
        TRY(drop_oldest_taken(engine, namespace, type, reterr));
        count->items[true]--;
    }
    count->items[is_taken]++;
    return txn_put(engine->txn, TABLE_BUFFERED_EVENTS, key_bytes(key), row, reterr);
}

status event_keep(struct engine *engine, const struct arrival *arrival, struct error *reterr)
{
    Pb__KeptEventRecord record = PB__KEPT_EVENT_RECORD__INIT;
    str type                   = event_type_of(arrival->event);
    record.received_us         = arrival->received_us;
    TRY(json_in(engine->arena, arrival->event, &record.event_json, reterr));
    size_t size   = pb__kept_event_record__get_packed_size(&record);
    uint8_t *data = arena_alloc(engine->arena, size);
    if (!data) return fail(reterr, STATUS_RESOURCE_EXHAUSTED, "no memory for an event");
    pb__kept_event_record__pack(&record, data);
    struct key key;
    kept_key(&key, arrival->namespace, type, arrival->is_taken, &arrival->id);
    TRY(put_kept(engine, &key, arrival->namespace, type, arrival->is_taken, (bytes){data, size},
                 reterr));
    /* Who emitted it has heard of it, and is not to hear of it again with its next `listen`. */
    bool is_own =
        arrival->from_run.len > 0 && id_partition(arrival->from_run) == engine->partition->index;
    return is_own ? event_had(engine, arrival->from_run, str_from(arrival->id.text), reterr)
                  : STATUS_OK;
}

status event_keep_taken(struct engine *engine, str namespace, str type, const struct id *id,
                        struct error *reterr)
{
    struct key key;
    bytes row = {};
    kept_key(&key, namespace, type, false, id);
    status got = txn_get(engine->txn, TABLE_BUFFERED_EVENTS, key_bytes(&key), &row, NULL);
    if (got == STATUS_NOT_FOUND) return STATUS_OK;
    if (got != STATUS_OK) return fail(reterr, got, "a kept event cannot be read");

    uint8_t *copy            = arena_alloc(engine->arena, row.len);
    struct kept_count *count = NULL;
    if (!copy) return fail(reterr, STATUS_RESOURCE_EXHAUSTED, "no memory for an event");
    memcpy(copy, row.ptr, row.len);
    TRY(count_of(engine, namespace, type, &count, reterr));
    TRY(txn_delete(engine->txn, TABLE_BUFFERED_EVENTS, key_bytes(&key), reterr));
    count->items[false]--;
    kept_key(&key, namespace, type, true, id);
    return put_kept(engine, &key, namespace, type, true, (bytes){copy, row.len}, reterr);
}

/* --- those who listen later --------------------------------------------------------------------
 */

struct kept {
    struct id id;
    struct key_text type;
    bool is_taken;
};

struct kept_list {
    struct kept *items; /* owned */
    size_t count, capacity;
};

static void kept_list_done(struct kept_list *list)
{
    free(list->items);
}

static int64_t time_of(const struct id *id)
{
    uint8_t packed[ID_BYTES];
    int64_t time_ms = 0;
    id_pack(str_from(id->text), packed);
    for (int i = 0; i < ID_TIME_BYTES; i++) time_ms = time_ms << 8 | packed[i];
    return time_ms * US_PER_MS;
}

/* All of a type, or of any if it is empty; of those that somebody took, those since the run began.
 */
static status list_kept(struct engine *engine, str namespace, str type, int64_t since_us,
                        struct kept_list *list, struct error *reterr)
{
    struct key prefix;
    key_begin(&prefix);
    key_put_text(&prefix, namespace);
    if (type.len > 0) key_put_text(&prefix, type);
    CLEANUP(cursor_closep) struct cursor *cursor = NULL;
    const struct scan scan                       = {.prefix = key_bytes(&prefix)};
    TRY(cursor_open(engine->txn, TABLE_BUFFERED_EVENTS, &scan, &cursor, reterr));
    for (;;) {
        bytes key          = {};
        bytes row          = {};
        struct kept kept   = {};
        uint8_t is_taken   = 0;
        struct key_text of = {};
        status next        = cursor_next(cursor, &key, &row, NULL);
        if (next == STATUS_NOT_FOUND) return STATUS_OK;
        if (next != STATUS_OK) return fail(reterr, next, "kept events cannot be read");
        if (!key_take_text(&key, &of) || !key_take_text(&key, &kept.type) ||
            !key_take_u8(&key, &is_taken) || !key_take_id(&key, &kept.id)) {
            return fail(reterr, STATUS_DATA_LOSS, "table buffered_events: a key");
        }
        kept.is_taken = is_taken;
        if (is_taken && time_of(&kept.id) + US_PER_MS <= since_us) continue;
        if (list->count == list->capacity) {
            list->capacity = list->capacity > 0 ? 2 * list->capacity : 64;
            list->items    = mem_resize(list->items, list->capacity, sizeof *list->items);
        }
        list->items[list->count++] = kept;
    }
}

static int kept_compare(const void *a, const void *b)
{
    return memcmp(((const struct kept *)a)->id.text, ((const struct kept *)b)->id.text, ID_LEN);
}

static status offer_one(struct engine *engine, struct live_run *live, str namespace,
                        const struct kept *kept, struct error *reterr)
{
    /* A type of more than 255 bytes stands there as its digest; so it is the row's key that counts.
     */
    struct key key;
    bytes row                   = {};
    Pb__KeptEventRecord *record = NULL;
    str type                    = {kept->type.data, kept->type.len};
    if (kept->type.is_digest) return STATUS_OK;
    kept_key(&key, namespace, type, kept->is_taken, &kept->id);
    status got = txn_get(engine->txn, TABLE_BUFFERED_EVENTS, key_bytes(&key), &row, NULL);
    if (got == STATUS_NOT_FOUND) return STATUS_OK;
    if (got != STATUS_OK) return fail(reterr, got, "a kept event cannot be read");
    TRY(record_read(row, &pb__kept_event_record__descriptor, engine->arena, &record, reterr));
    if (record->received_us + EVENT_KEPT_US <= engine->now_us) return STATUS_OK;

    CLEANUP(json_unrefp) json event = json_invalid();
    TRY(json_out(record->event_json, "event", &event, reterr));
    struct arrival arrival = {
        .namespace = namespace, .id = kept->id, .event = event, .received_us = record->received_us};
    bool is_taken = false;
    TRY(event_offer(engine, live, &arrival, &is_taken, reterr));
    if (!is_taken || kept->is_taken) return STATUS_OK;
    TRY(event_keep_taken(engine, namespace, type, &kept->id, reterr));
    return event_tell_taken(engine, namespace, type, &kept->id, reterr);
}

status event_offer_kept(struct engine *engine, struct live_run *live, str type,
                        struct error *reterr)
{
    uint64_t count = 0;
    TRY(txn_count(engine->txn, TABLE_BUFFERED_EVENTS, &count, reterr));
    if (count == 0) return STATUS_OK;

    str namespace                                 = str_from(run_workflow(live->run)->namespace_);
    CLEANUP(kept_list_done) struct kept_list list = {};
    TRY(list_kept(engine, namespace, type, run_started_us(live->run), &list, reterr));
    if (list.count == 0) return STATUS_OK;
    qsort(list.items, list.count, sizeof *list.items, kept_compare);
    for (size_t i = 0; i < list.count; i++) {
        TRY(offer_one(engine, live, namespace, &list.items[i], reterr));
    }
    return STATUS_OK;
}

/* --- what is too old ---------------------------------------------------------------------------
 */

static status sweep_table(struct engine *engine, enum table table, struct page *page,
                          bool (*is_old)(struct engine *engine, bytes key, bytes row),
                          struct error *reterr)
{
    CLEANUP(cursor_closep) struct cursor *cursor = NULL;
    const struct scan scan                       = {.after = {page->key, page->key_len}};
    TRY(cursor_open(engine->txn, table, &scan, &cursor, reterr));
    for (size_t i = 0; i < SWEEP_MAX; i++) {
        bytes key   = {};
        bytes row   = {};
        status next = cursor_next(cursor, &key, &row, NULL);
        if (next == STATUS_NOT_FOUND) {
            page->key_len = 0; /* from the start, next time */
            return STATUS_OK;
        }
        if (next != STATUS_OK) return fail(reterr, next, "old events cannot be read");
        memcpy(page->key, key.ptr, key.len);
        page->key_len = key.len;
        if (is_old(engine, key, row)) TRY(cursor_delete(cursor, reterr));
    }
    return STATUS_OK;
}

static bool id_is_old(struct engine *engine, bytes, bytes row)
{
    return row.len != sizeof(uint64_t) ||
           (int64_t)u64_from(row.ptr) + EVENT_ID_US <= engine->now_us;
}

static bool kept_is_old(struct engine *engine, bytes key, bytes row)
{
    Pb__KeptEventRecord *record = NULL;
    struct key_text namespace;
    struct key_text type;
    uint8_t is_taken = 0;
    struct id id     = {};
    bool is_good     = record_read(row, &pb__kept_event_record__descriptor, engine->arena, &record,
                                   NULL) == STATUS_OK;
    if (!is_good || record->received_us + EVENT_KEPT_US > engine->now_us) return false;
    if (!key_take_text(&key, &namespace) || !key_take_text(&key, &type) ||
        !key_take_u8(&key, &is_taken) || !key_take_id(&key, &id)) {
        return false;
    }
    str text = memory_key(engine, (str){namespace.data, namespace.len}, (str){type.data, type.len});
    struct kept_count *count = map_get(engine->hub.kept, text);
    if (count) count->items[is_taken != 0]--;
    if (!is_taken) {
        str name = {type.data, type.len};
        log_write(LOG_INFO, "event.expired", LOG_TEXT_OF("event", id.text), LOG_STR("type", name));
    }
    return takers_delete(engine, &id, NULL) == STATUS_OK;
}

status event_sweep(struct engine *engine, struct error *reterr)
{
    struct event_hub *hub = &engine->hub;
    TRY(sweep_table(engine, TABLE_EVENT_IDS, &hub->id_sweep, id_is_old, reterr));
    return sweep_table(engine, TABLE_BUFFERED_EVENTS, &hub->kept_sweep, kept_is_old, reterr);
}
