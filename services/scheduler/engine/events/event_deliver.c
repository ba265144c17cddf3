/* From an event to the runs that listen for it. */
#include "base/assert.h"
#include "base/log.h"
#include "base/mem.h"
#include "scheduler/engine/events/events.h"
#include "scheduler/tables/event_index.h"

#include <stdlib.h>

/* --- one run -----------------------------------------------------------------------------------
 */

static void taker_key(struct key *key, str event, str run)
{
    id_key(key, event);
    key_put_id(key, run);
}

status event_offer(struct engine *engine, struct live_run *live, struct arrival *arrival,
                   bool *ret_taken, struct error *reterr)
{
    *ret_taken = false;
    if (str_is(arrival->from_run, live->id.text)) return STATUS_OK;
    struct key key;
    bytes row = {};
    taker_key(&key, str_from(arrival->id.text), str_from(live->id.text));
    status known = txn_get(engine->txn, TABLE_EVENT_TAKERS, key_bytes(&key), &row, NULL);
    if (known == STATUS_OK) return STATUS_OK;
    if (known != STATUS_NOT_FOUND) return fail(reterr, known, "an event's takers cannot be read");

    const struct decide_env env = engine_env(engine);
    engine_work_begin(engine, str_from(live->id.text));
    *ret_taken  = run_offer(live->run, &env, arrival->event, &engine->events);
    status kept = *ret_taken ? engine_keep(engine, live, reterr) : STATUS_OK;
    engine_work_end(engine);
    TRY(kept);
    if (!*ret_taken) return STATUS_OK;
    arrival->is_taken = true;
    return txn_put(engine->txn, TABLE_EVENT_TAKERS, key_bytes(&key), (bytes){}, reterr);
}

status event_had(struct engine *engine, str run, str event, struct error *reterr)
{
    struct key key;
    if (!id_is_valid(event)) return fail(reterr, STATUS_DATA_LOSS, "event id");
    taker_key(&key, event, run);
    return txn_put(engine->txn, TABLE_EVENT_TAKERS, key_bytes(&key), (bytes){}, reterr);
}

/* --- who listens -------------------------------------------------------------------------------
 */

struct finding {
    struct engine *engine;
    const struct arrival *arrival;
    struct id *runs; /* owned */
    size_t count;
    struct key *after; /* the key of the last one */
    bool has_more;
};

/* The runs of one prefix. */
static status find_prefix(struct finding *finding, const struct key *prefix, struct error *reterr)
{
    CLEANUP(cursor_closep) struct cursor *cursor = NULL;
    struct scan scan                             = {.prefix = key_bytes(prefix)};
    bool goes_on                                 = finding->after->len >= prefix->len &&
                   memcmp(finding->after->data, prefix->data, prefix->len) == 0;
    if (goes_on) scan.after = key_bytes(finding->after);
    TRY(cursor_open(finding->engine->txn, TABLE_LISTENERS, &scan, &cursor, reterr));
    for (;;) {
        bytes key   = {};
        bytes row   = {};
        status next = cursor_next(cursor, &key, &row, NULL);
        if (next == STATUS_NOT_FOUND) return STATUS_OK;
        if (next != STATUS_OK) return fail(reterr, next, "listeners cannot be read");
        if (finding->count == EVENT_RUNS_PER_TURN) {
            finding->has_more = true;
            return STATUS_OK;
        }
        struct listener_place place = {};
        if (!listener_key_read(key, &place)) {
            return fail(reterr, next == STATUS_OK ? STATUS_DATA_LOSS : next,
                        "table listeners: a key");
        }
        finding->runs[finding->count++] = place.run;
        key_begin(finding->after);
        memcpy(finding->after->data, key.ptr, key.len);
        finding->after->len = key.len;
    }
}

/* The first path of a type at or behind `from`; `*ret_found` false: there is none. */
static status next_path(struct finding *finding, const struct key *type, const struct key *from,
                        struct key_text *ret_path, bool *ret_found, struct error *reterr)
{
    CLEANUP(cursor_closep) struct cursor *cursor = NULL;
    const struct scan scan      = {.prefix = key_bytes(type), .from = key_bytes(from)};
    struct listener_place place = {};
    bytes key                   = {};
    bytes row                   = {};
    TRY(cursor_open(finding->engine->txn, TABLE_LISTENERS, &scan, &cursor, reterr));
    status next = cursor_next(cursor, &key, &row, NULL);
    *ret_found  = next == STATUS_OK;
    if (next == STATUS_NOT_FOUND) return STATUS_OK;
    if (next != STATUS_OK || !listener_key_read(key, &place)) {
        return fail(reterr, next == STATUS_OK ? STATUS_DATA_LOSS : next, "table listeners: a key");
    }
    *ret_path = place.path;
    return STATUS_OK;
}

/* There are as many paths as workflows ask for, so they are walked, and what each of them says of
 * this event is looked up. */
static status find_type(struct finding *finding, str type, struct error *reterr)
{
    str namespace = finding->arrival->namespace;
    struct key all;
    struct key from;
    struct key exact;
    listener_type_key(&all, namespace, type);
    from = all;
    bool goes_on =
        finding->after->len >= all.len && memcmp(finding->after->data, all.data, all.len) == 0;
    if (goes_on) from = *finding->after;
    while (!finding->has_more) {
        struct key_text path = {};
        bool is_found        = false;
        TRY(next_path(finding, &all, &from, &path, &is_found, reterr));
        if (!is_found) return STATUS_OK;
        str text = {path.data, path.len};
        if (listener_value_key(&exact, namespace, type, text, finding->arrival->event)) {
            TRY(find_prefix(finding, &exact, reterr));
        }
        listener_path_key(&from, namespace, type, text);
        key_step(&from);
    }
    return STATUS_OK;
}

static int id_compare(const void *a, const void *b)
{
    return memcmp(((const struct id *)a)->text, ((const struct id *)b)->text, ID_LEN);
}

static status offer_all(struct engine *engine, struct arrival *arrival, struct id *runs,
                        size_t count, struct error *reterr)
{
    qsort(runs, count, sizeof *runs, id_compare);
    for (size_t i = 0; i < count; i++) {
        if (i > 0 && id_compare(&runs[i], &runs[i - 1]) == 0) continue;
        struct live_run *live = NULL;
        bool is_taken         = false;
        TRY(engine_run(engine, str_from(runs[i].text), NULL, &live, reterr));
        if (live) TRY(event_offer(engine, live, arrival, &is_taken, reterr));
    }
    return STATUS_OK;
}

status event_deliver(struct engine *engine, struct arrival *arrival, struct key *after,
                     bool *ret_more, struct error *reterr)
{
    str type               = event_type_of(arrival->event);
    struct finding finding = {
        .engine  = engine,
        .arrival = arrival,
        .runs    = arena_alloc(engine->arena, EVENT_RUNS_PER_TURN * sizeof(struct id)),
        .after   = after,
    };
    if (!finding.runs) return fail(reterr, STATUS_RESOURCE_EXHAUSTED, "no memory");
    /* Those of any type stand before the others, in the table too. */
    struct key any;
    listener_type_key(&any, arrival->namespace, (str){.ptr = ""});
    bool is_past_any = after->len >= any.len && memcmp(after->data, any.data, any.len) != 0;
    if (!is_past_any) TRY(find_type(&finding, (str){.ptr = ""}, reterr));
    if (!finding.has_more && type.len > 0) TRY(find_type(&finding, type, reterr));
    *ret_more = finding.has_more;
    return offer_all(engine, arrival, finding.runs, finding.count, reterr);
}
