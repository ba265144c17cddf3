/*
 * Which types of events start runs of which workflows.
 *
 *     schedule_types: namespace, type (empty: any), name -> nothing
 */
#include "base/log.h"
#include "scheduler/engine/events/events.h"
#include "scheduler/engine/schedules/schedule_batch.h"
#include "scheduler/engine/schedules/schedules.h"
#include "scheduler/tables/event_index.h"

/* --- who wants an event ------------------------------------------------------------------------
 */

static status find_names(struct engine *engine, str namespace, str type, struct pointers *names,
                         struct error *reterr)
{
    CLEANUP(cursor_closep) struct cursor *cursor = NULL;
    struct key prefix;
    listener_type_key(&prefix, namespace, type);
    const struct scan scan = {.prefix = key_bytes(&prefix)};
    TRY(cursor_open(engine->txn, TABLE_SCHEDULE_TYPES, &scan, &cursor, reterr));
    for (;;) {
        struct key_text name = {};
        bytes key            = {};
        bytes row            = {};
        status next          = cursor_next(cursor, &key, &row, NULL);
        if (next == STATUS_NOT_FOUND) return STATUS_OK;
        bytes rest = {(const uint8_t *)key.ptr + prefix.len, key.len - prefix.len};
        if (next != STATUS_OK || !key_take_text(&rest, &name)) {
            return fail(reterr, next == STATUS_OK ? STATUS_DATA_LOSS : next,
                        "table schedule_types: a key");
        }
        char *copy = text_in(engine->arena, (str){name.data, name.len});
        if (!copy) return fail(reterr, STATUS_RESOURCE_EXHAUSTED, "no memory for schedules");
        bool is_known = false;
        for (size_t i = 0; i < names->count; i++) {
            if (strcmp(names->items[i], copy) == 0) is_known = true;
        }
        if (!is_known) pointers_push(names, copy);
    }
}

status schedule_names(struct engine *engine, str namespace, str type, struct pointers *names,
                      struct error *reterr)
{
    TRY(find_names(engine, namespace, (str){.ptr = ""}, names, reterr));
    return type.len > 0 ? find_names(engine, namespace, type, names, reterr) : STATUS_OK;
}

static status has_type(struct txn *txn, str namespace, str type, bool *ret_has,
                       struct error *reterr)
{
    CLEANUP(cursor_closep) struct cursor *cursor = NULL;
    struct key prefix;
    bytes key = {};
    bytes row = {};
    listener_type_key(&prefix, namespace, type);
    const struct scan scan = {.prefix = key_bytes(&prefix)};
    TRY(cursor_open(txn, TABLE_SCHEDULE_TYPES, &scan, &cursor, reterr));
    status next = cursor_next(cursor, &key, &row, NULL);
    *ret_has    = next == STATUS_OK;
    if (next == STATUS_OK || next == STATUS_NOT_FOUND) return STATUS_OK;
    return fail(reterr, next, "the types of schedules cannot be read");
}

status event_may_start(struct engine *engine, str namespace, str type, bool *ret_may,
                       struct error *reterr)
{
    const str any                       = {.ptr = ""};
    struct store *system                = engine->options.system_store;
    CLEANUP(txn_abortp) struct txn *txn = NULL;
    *ret_may                            = false;
    if (engine->partition->index != 0) {
        if (!system) return STATUS_OK;
        TRY(txn_begin_read(system, &txn, reterr));
    }
    struct txn *there = txn ? txn : engine->txn;
    TRY(has_type(there, namespace, type, ret_may, reterr));
    return *ret_may ? STATUS_OK : has_type(there, namespace, any, ret_may, reterr);
}

/* --- when a version takes over -----------------------------------------------------------------
 */

struct marking {
    struct engine *engine;
    const struct workflow *workflow;
    status code;
    struct error *reterr;
};

static void mark_type(str type, void *context)
{
    struct marking *marking         = context;
    const struct workflow *workflow = marking->workflow;
    struct key key;
    if (marking->code != STATUS_OK) return;
    listener_type_key(&key, str_from(workflow->namespace_), type);
    key_put_text(&key, str_from(workflow->name));
    marking->code = txn_put(marking->engine->txn, TABLE_SCHEDULE_TYPES, key_bytes(&key), (bytes){},
                            marking->reterr);
}

status schedule_events_begin(struct engine *engine, const struct workflow *workflow,
                             struct error *reterr)
{
    struct marking marking = {
        .engine = engine, .workflow = workflow, .code = STATUS_OK, .reterr = reterr};
    listen_event_types(&workflow->schedule.on, mark_type, &marking);
    return marking.code;
}

static status delete_types(struct engine *engine, const Pb__ScheduleView *row, struct error *reterr)
{
    CLEANUP(cursor_closep) struct cursor *cursor = NULL;
    struct key prefix;
    key_begin(&prefix);
    key_put_text(&prefix, str_from(row->namespace_));
    const struct scan scan = {.prefix = key_bytes(&prefix)};
    TRY(cursor_open(engine->txn, TABLE_SCHEDULE_TYPES, &scan, &cursor, reterr));
    for (;;) {
        struct key_text type = {};
        struct key_text name = {};
        bytes key            = {};
        bytes value          = {};
        status next          = cursor_next(cursor, &key, &value, NULL);
        if (next == STATUS_NOT_FOUND) return STATUS_OK;
        bytes rest = {(const uint8_t *)key.ptr + prefix.len, key.len - prefix.len};
        if (next != STATUS_OK || !key_take_text(&rest, &type) || !key_take_text(&rest, &name)) {
            return fail(reterr, next == STATUS_OK ? STATUS_DATA_LOSS : next,
                        "table schedule_types: a key");
        }
        if (!str_is((str){name.data, name.len}, row->name)) continue;
        TRY(cursor_delete(cursor, reterr));
    }
}

status schedule_events_end(struct engine *engine, Pb__ScheduleView *row, struct error *reterr)
{
    if (row->events_held > 0) {
        log_write(LOG_WARN, "schedule.events_dropped", LOG_TEXT_OF("namespace", row->namespace_),
                  LOG_TEXT_OF("name", row->name), LOG_INT("count", (int64_t)row->events_held));
    }
    TRY(delete_types(engine, row, reterr));
    return batches_delete(engine, row, reterr);
}
