/* Events of a namespace: where they come from, in which order a turn deals with them. */
#include "scheduler/engine/events/events.h"

#include "base/assert.h"
#include "base/hash.h"
#include "base/mem.h"
#include "scheduler/decide/signal.h"
#include "scheduler/tables/event_index.h"

#include <endian.h>
#include <stdlib.h>

enum { WORK_PER_TURN = 4 /* deliveries that are left over */ };

/* --- one event ---------------------------------------------------------------------------------
 */

static status work_put(struct engine *engine, const struct arrival *arrival,
                       const struct key *after, struct error *reterr)
{
    Pb__EventWorkRecord record = PB__EVENT_WORK_RECORD__INIT;
    record.namespace_          = text_in(engine->arena, arrival->namespace);
    record.received_us         = arrival->received_us;
    record.from_run            = text_in(engine->arena, arrival->from_run);
    record.taken               = arrival->is_taken;
    record.after = bytes_in(engine->arena, (str){(const char *)after->data, after->len});
    TRY(json_in(engine->arena, arrival->event, &record.event_json, reterr));
    struct key key;
    id_key(&key, str_from(arrival->id.text));
    engine->hub.has_work = true;
    return record_put(engine->txn, TABLE_EVENT_WORK, key_bytes(&key), &record.base, reterr);
}

/* --- other partitions --------------------------------------------------------------------------
 */

static status tell_others(struct engine *engine, const Pb__Message *message, struct error *reterr)
{
    for (uint16_t i = 0; i < engine->partition->count; i++) {
        if (i != engine->partition->index) TRY(engine_tell(engine, i, message, reterr));
    }
    return STATUS_OK;
}

/* To all others; or to the system partition, where schedules are. */
static status tell_arrival(struct engine *engine, const struct arrival *arrival, bool to_all,
                           struct error *reterr)
{
    if (engine->partition->count == 1) return STATUS_OK;
    Pb__EventArrival content = PB__EVENT_ARRIVAL__INIT;
    Pb__Message message      = PB__MESSAGE__INIT;
    content.namespace_       = text_in(engine->arena, arrival->namespace);
    content.id               = text_in(engine->arena, str_from(arrival->id.text));
    content.received_us      = arrival->received_us;
    content.from_run         = text_in(engine->arena, arrival->from_run);
    content.taken            = arrival->is_taken;
    TRY(json_in(engine->arena, arrival->event, &content.event_json, reterr));
    message.content_case  = PB__MESSAGE__CONTENT_EVENT_ARRIVAL;
    message.event_arrival = &content;
    if (to_all) return tell_others(engine, &message, reterr);
    return engine->partition->index == 0 ? STATUS_OK : engine_tell(engine, 0, &message, reterr);
}

status event_tell_taken(struct engine *engine, str namespace, str type, const struct id *id,
                        struct error *reterr)
{
    if (engine->partition->count == 1) return STATUS_OK;
    Pb__EventTaken content = PB__EVENT_TAKEN__INIT;
    Pb__Message message    = PB__MESSAGE__INIT;
    content.namespace_     = text_in(engine->arena, namespace);
    content.type           = text_in(engine->arena, type);
    content.id             = text_in(engine->arena, str_from(id->text));
    message.content_case   = PB__MESSAGE__CONTENT_EVENT_TAKEN;
    message.event_taken    = &content;
    return tell_others(engine, &message, reterr);
}

/* Delivers to this partition's runs and keeps the event for later ones. `*ret_refused`: nobody took
 * it, and no more fit; nothing has happened then. */
static status arrive(struct engine *engine, struct arrival *arrival, bool may_refuse,
                     bool *ret_refused, struct error *reterr)
{
    str type         = event_type_of(arrival->event);
    struct key after = {};
    bool has_more = false, is_wanted = false, is_full = false;
    *ret_refused = false;
    TRY(event_deliver(engine, arrival, &after, &has_more, reterr));
    if (engine->partition->index == 0) TRY(engine_start_by_event(engine, arrival, reterr));
    if (has_more) TRY(work_put(engine, arrival, &after, reterr));

    TRY(event_is_wanted(engine, arrival->namespace, type, &is_wanted, reterr));
    if (!is_wanted) return STATUS_OK; /* no workflow listens to it */
    if (!arrival->is_taken) {
        TRY(event_keep_is_full(engine, arrival->namespace, type, &is_full, reterr));
    }
    *ret_refused = is_full && may_refuse && !has_more;
    if (is_full) return STATUS_OK;
    return event_keep(engine, arrival, reterr);
}

status engine_event_arrived(struct engine *engine, const Pb__EventArrival *message,
                            struct error *reterr)
{
    CLEANUP(json_unrefp) json event = json_invalid();
    TRY(json_out(message->event_json, "event", &event, reterr));
    if (!id_is_valid(str_from(message->id))) return fail(reterr, STATUS_DATA_LOSS, "event id");
    struct arrival arrival = {
        .namespace   = str_from(message->namespace_),
        .event       = event,
        .received_us = message->received_us,
        .from_run    = str_from(message->from_run),
    };
    memcpy(arrival.id.text, message->id, ID_LEN);
    bool is_refused  = false;
    arrival.is_taken = message->taken;
    TRY(arrive(engine, &arrival, false, &is_refused, reterr));
    bool is_wanted = false; /* else nobody keeps it */
    str type       = event_type_of(event);
    if (!arrival.is_taken || message->taken) return STATUS_OK;
    TRY(event_is_wanted(engine, arrival.namespace, type, &is_wanted, reterr));
    return is_wanted ? event_tell_taken(engine, arrival.namespace, type, &arrival.id, reterr)
                     : STATUS_OK;
}

status engine_event_taken(struct engine *engine, const Pb__EventTaken *message,
                          struct error *reterr)
{
    struct id id = {};
    if (!id_is_valid(str_from(message->id))) return fail(reterr, STATUS_DATA_LOSS, "event id");
    memcpy(id.text, message->id, ID_LEN);
    return event_keep_taken(engine, str_from(message->namespace_), str_from(message->type), &id,
                            reterr);
}

/* --- publishing --------------------------------------------------------------------------------
 */

static void event_id_key(struct key *key, str namespace, json event)
{
    key_begin(key);
    key_put_text(key, namespace);
    /* Together at most as long as a key may be: their digest if they are long. */
    CLEANUP(buf_done) struct buf text = buf_init(EVENT_SIZE_MAX * 2);
    (void)buf_put_str(&text, json_str(json_get_text(event, "source")));
    (void)buf_put_byte(&text, '\n');
    (void)buf_put_str(&text, json_str(json_get_text(event, "id")));
    key_put_text(key, buf_str(&text));
}

static status is_duplicate(struct engine *engine, const struct key *key, bool *ret_duplicate,
                           struct error *reterr)
{
    bytes row      = {};
    status got     = txn_get(engine->txn, TABLE_EVENT_IDS, key_bytes(key), &row, NULL);
    *ret_duplicate = false;
    if (got == STATUS_NOT_FOUND) return STATUS_OK;
    if (got != STATUS_OK || row.len != sizeof(uint64_t)) {
        return fail(reterr, got == STATUS_OK ? STATUS_DATA_LOSS : got, "table event_ids: a row");
    }
    *ret_duplicate = (int64_t)u64_from(row.ptr) + EVENT_ID_US > engine->now_us;
    return STATUS_OK;
}

static status publish_one(struct engine *engine, struct command *command, json event,
                          Pb__PublishedEvent *answer, struct error *reterr)
{
    struct key key;
    event_id_key(&key, command->namespace, event);
    bool is_known = false;
    TRY(is_duplicate(engine, &key, &is_known, reterr));
    answer->duplicate = is_known;
    if (is_known) return STATUS_OK;

    struct arrival arrival = {
        .namespace = command->namespace,
        .id    = id_next(&engine->ids, engine->now_us / 1000, (uint32_t)prng_next(&engine->random)),
        .event = event,
        .received_us = engine->now_us,
        .from_run    = {.ptr = ""},
    };
    bool is_refused = false;
    TRY(arrive(engine, &arrival, true, &is_refused, reterr));
    if (is_refused) {
        str type = event_type_of(event);
        return command_refuse(command, STATUS_RESOURCE_EXHAUSTED, "rate_limited",
                              "%d events of type " STR_FMT
                              " wait for a `listen`; no more fit. What came before this one in the "
                              "request was accepted",
                              EVENTS_KEPT_MAX, STR_ARG(type));
    }
    TRY(tell_arrival(engine, &arrival, true, reterr));
    uint64_t row = htobe64((uint64_t)engine->now_us);
    return txn_put(engine->txn, TABLE_EVENT_IDS, key_bytes(&key), (bytes){&row, sizeof row},
                   reterr);
}

status engine_publish(struct engine *engine, struct command *command, struct error *reterr)
{
    engine_answer(engine, command);
    size_t count                  = command->value_count;
    Pb__PublishedEvents *response = command->response;
    Pb__PublishedEvent *items     = arena_alloc(command->arena, (count + 1) * sizeof *items);
    response->events = arena_alloc(command->arena, (count + 1) * sizeof *response->events);
    if (!items || !response->events) return fail(reterr, STATUS_RESOURCE_EXHAUSTED, "no memory");
    for (size_t i = 0; i < count; i++) {
        json event      = command->values[i];
        items[i]        = (Pb__PublishedEvent)PB__PUBLISHED_EVENT__INIT;
        items[i].id     = text_in(command->arena, json_str(json_get_text(event, "id")));
        items[i].source = text_in(command->arena, json_str(json_get_text(event, "source")));
        TRY(publish_one(engine, command, event, &items[i], reterr));
        if (command->code != STATUS_OK) return STATUS_OK;
        response->events[i] = &items[i];
        response->n_events  = i + 1;
    }
    return STATUS_OK;
}

/* --- emitting ----------------------------------------------------------------------------------
 */

void engine_event_emitted(struct engine *engine, const struct live_run *live,
                          const struct event *event)
{
    const char *namespace   = run_workflow(live->run)->namespace_;
    struct emitted *emitted = mem_new(1, sizeof *emitted);
    *emitted                = (struct emitted){
                       .run       = live->id,
                       .namespace = mem_dup(namespace, strlen(namespace)),
                       .event     = json_ref(event->value),
                       .is_taken  = event->is_kept,
    };
    *engine->hub.last = emitted;
    engine->hub.last  = &emitted->next;
}

static status emitted_arrive(struct engine *engine, const struct emitted *emitted,
                             struct error *reterr)
{
    struct arrival arrival = {
        .namespace = str_from(emitted->namespace),
        .id    = id_next(&engine->ids, engine->now_us / 1000, (uint32_t)prng_next(&engine->random)),
        .event = emitted->event,
        .received_us = engine->now_us,
        .from_run    = str_from(emitted->run.text),
        .is_taken    = emitted->is_taken,
    };
    str type       = event_type_of(arrival.event);
    bool is_wanted = false, may_start = false, is_refused = false;
    TRY(event_is_wanted(engine, arrival.namespace, type, &is_wanted, reterr));
    if (!is_wanted) TRY(event_may_start(engine, arrival.namespace, type, &may_start, reterr));
    if (!is_wanted && !may_start) return STATUS_OK;
    TRY(arrive(engine, &arrival, false, &is_refused, reterr));
    return tell_arrival(engine, &arrival, is_wanted, reterr);
}

/* --- what a turn means -------------------------------------------------------------------------
 */

struct types {
    struct engine *engine;
    struct pointers texts; /* of the turn's arena */
};

static void found_type(str type, void *context)
{
    struct types *types = context;
    char *copy          = arena_strdup(types->engine->arena, type);
    if (copy) pointers_push(&types->texts, copy);
}

static status settle_run(struct engine *engine, struct live_run *live, struct error *reterr)
{
    struct types types       = {.engine = engine};
    live->has_listener_moved = false;
    status done              = listener_rows_update(engine, live, found_type, &types, reterr);
    for (size_t i = 0; done == STATUS_OK && i < types.texts.count; i++) {
        done = event_offer_kept(engine, live, str_from(types.texts.items[i]), reterr);
    }
    pointers_done(&types.texts);
    return done;
}

static struct emitted *emitted_take(struct event_hub *hub)
{
    struct emitted *emitted = hub->first;
    if (!emitted) return NULL;
    hub->first = emitted->next;
    if (!hub->first) hub->last = &hub->first;
    return emitted;
}

static void emitted_free(struct emitted *emitted)
{
    json_unref(emitted->event);
    free(emitted->namespace);
    free(emitted);
}

/* Whoever gets an event may begin to listen again or emit: until nothing moves any more. Events
 * that are kept are limited, and a run may start tasks for `RUN_STEPS_PER_COMMAND` a time only. */
static status settle_all(struct engine *engine, struct error *reterr)
{
    for (bool moves = true; moves;) {
        moves = false;
        for (size_t i = 0; i < engine->touched.count; i++) {
            struct live_run *live = engine->touched.items[i];
            if (!live->has_listener_moved) continue;
            moves = true;
            TRY(settle_run(engine, live, reterr));
        }
        struct emitted *emitted = emitted_take(&engine->hub);
        if (!emitted) continue;
        status arrived = emitted_arrive(engine, emitted, reterr);
        emitted_free(emitted);
        TRY(arrived);
        moves = true;
    }
    return STATUS_OK;
}

/* --- deliveries left over ----------------------------------------------------------------------
 */

static status work_one(struct engine *engine, const struct id *id,
                       const Pb__EventWorkRecord *record, struct error *reterr)
{
    CLEANUP(json_unrefp) json event = json_invalid();
    TRY(json_out(record->event_json, "event", &event, reterr));
    struct arrival arrival = {
        .namespace   = str_from(record->namespace_),
        .id          = *id,
        .event       = event,
        .received_us = record->received_us,
        .from_run    = str_from(record->from_run),
        .is_taken    = record->taken,
    };
    struct key after = {.len = record->after.len};
    bool has_more    = false;
    if (record->after.len > sizeof after.data) return fail(reterr, STATUS_DATA_LOSS, "event_work");
    memcpy(after.data, record->after.data, record->after.len);
    TRY(event_deliver(engine, &arrival, &after, &has_more, reterr));
    if (arrival.is_taken && !record->taken) {
        str type = event_type_of(event);
        TRY(event_keep_taken(engine, arrival.namespace, type, id, reterr));
        TRY(event_tell_taken(engine, arrival.namespace, type, id, reterr));
    }
    if (has_more) return work_put(engine, &arrival, &after, reterr);
    struct key key;
    id_key(&key, str_from(id->text));
    return txn_delete(engine->txn, TABLE_EVENT_WORK, key_bytes(&key), reterr);
}

static status work_next(struct engine *engine, bool *ret_any, struct error *reterr)
{
    struct id id                = {};
    Pb__EventWorkRecord *record = NULL;
    {
        CLEANUP(cursor_closep) struct cursor *cursor = NULL;
        const struct scan scan                       = {};
        bytes key                                    = {};
        bytes row                                    = {};
        TRY(cursor_open(engine->txn, TABLE_EVENT_WORK, &scan, &cursor, reterr));
        status next = cursor_next(cursor, &key, &row, NULL);
        *ret_any    = next == STATUS_OK;
        if (next == STATUS_NOT_FOUND) return STATUS_OK;
        if (next != STATUS_OK || !key_take_id(&key, &id)) {
            return fail(reterr, next == STATUS_OK ? STATUS_DATA_LOSS : next,
                        "table event_work: a key");
        }
        TRY(record_read(row, &pb__event_work_record__descriptor, engine->arena, &record, reterr));
    }
    return work_one(engine, &id, record, reterr);
}

status engine_events_settle(struct engine *engine, struct error *reterr)
{
    TRY(settle_all(engine, reterr));
    for (int i = 0; engine->hub.has_work && i < WORK_PER_TURN; i++) {
        TRY(work_next(engine, &engine->hub.has_work, reterr));
        TRY(settle_all(engine, reterr));
    }
    return STATUS_OK;
}

status engine_events_recover(struct engine *engine, struct error *reterr)
{
    uint64_t count = 0;
    TRY(txn_count(engine->txn, TABLE_EVENT_WORK, &count, reterr));
    engine->hub.has_work = count > 0;
    return STATUS_OK;
}
