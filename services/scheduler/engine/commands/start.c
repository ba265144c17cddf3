/* Starts, and what makes a start none: a repeated request, an idempotency key, an id in use. */
#include "base/assert.h"
#include "base/clock.h"
#include "base/hash.h"
#include "scheduler/engine/engine_internal.h"
#include "scheduler/engine/events/events.h"

enum {
    TRACE_ID_AT  = 3, /* in "00-<32 hex>-<16 hex>-01", W3C trace context */
    TRACE_ID_LEN = 32,
};
#define IDEMPOTENCY_AGE_US (INT64_C(24) * 3600 * 1'000'000) /* a day */

/* --- rows of a start ---------------------------------------------------------------------------
 */

status engine_keep_definition(struct engine *engine, const struct workflow *workflow,
                              struct error *reterr)
{
    str digest = {(const char *)workflow->digest, SHA256_SIZE};
    if (map_get(engine->known_digests, digest)) return STATUS_OK;
    TRY(definition_keep(engine->txn, workflow, reterr));
    if (map_count(engine->known_digests) >= ENGINE_SET_MAX) {
        map_free(engine->known_digests);
        engine->known_digests = map_new(ENGINE_SET_MAX);
    }
    bool is_put = map_put(engine->known_digests, digest, engine);
    ASSERT(is_put);
    return STATUS_OK;
}

static status fill_labels(struct engine *engine, const Pb__StartRun *request, Pb__RunView *row,
                          struct error *reterr)
{
    size_t count      = request->n_labels;
    row->labels       = arena_alloc(engine->arena, (count + 1) * sizeof *row->labels);
    Pb__Label *labels = arena_alloc(engine->arena, (count + 1) * sizeof *labels);
    if (!row->labels || !labels) return fail(reterr, STATUS_RESOURCE_EXHAUSTED, "no memory");
    for (size_t i = 0; i < count; i++) {
        labels[i]       = (Pb__Label)PB__LABEL__INIT;
        labels[i].key   = text_in(engine->arena, str_from(request->labels[i]->key));
        labels[i].value = text_in(engine->arena, str_from(request->labels[i]->value));
        row->labels[i]  = &labels[i];
    }
    row->n_labels = count;
    return STATUS_OK;
}

/* What never changes; the rest comes from the state. */
status engine_row_make(struct engine *engine, const struct command *command, struct live_run *live,
                       struct error *reterr)
{
    const Pb__StartRun *request     = command->request;
    const struct workflow *workflow = command->workflow;
    struct arena *arena             = engine->arena;
    Pb__RunView *row                = arena_alloc(arena, sizeof *row);
    if (!row) return fail(reterr, STATUS_RESOURCE_EXHAUSTED, "no memory");
    *row                 = (Pb__RunView)PB__RUN_VIEW__INIT;
    row->id              = text_in(arena, str_from(live->id.text));
    row->client_id       = text_in(arena, str_from(request->client_id));
    row->namespace_      = text_in(arena, str_from(workflow->namespace_));
    row->workflow        = text_in(arena, str_from(workflow->name));
    row->version         = text_in(arena, str_from(workflow->version));
    row->digest          = bytes_in(arena, (str){(const char *)workflow->digest, SHA256_SIZE});
    row->created_us      = engine->now_us;
    row->created_by      = text_in(arena, str_from(request->created_by));
    row->traceparent     = text_in(arena, str_from(live->traceparent));
    row->trace_id        = "";
    row->forked_run      = text_in(arena, str_from(request->forked_run));
    row->slot_group      = text_in(arena, str_from(request->slot_group));
    live->has_slot       = *request->slot_group != '\0';
    row->forked_sequence = request->forked_sequence;
    row->n_charged_to    = request->n_charged_to;
    row->charged_to      = request->charged_to; /* of an order, which lives as long as the turn */
    if (command->origin && command->origin->parent.text[0]) {
        row->parent_run  = text_in(arena, str_from(command->origin->parent.text));
        row->parent_task = text_in(arena, str_from(command->origin->parent_task));
    }
    if (command->start_key.len > 0) row->start_key = bytes_in(arena, command->start_key);
    if (strlen(live->traceparent) > TRACE_ID_AT + TRACE_ID_LEN) {
        row->trace_id = text_in(arena, (str){live->traceparent + TRACE_ID_AT, TRACE_ID_LEN});
    }
    bool has_id = command->origin && command->origin->child.text[0];
    if (has_id) row->created_us = id_unix_ms(str_from(live->id.text)) * 1000; /* when ordered */
    live->row        = row;
    live->created_us = row->created_us;
    return fill_labels(engine, request, row, reterr);
}

static status keep_client_id(struct engine *engine, const struct command *command, str run,
                             struct error *reterr)
{
    const Pb__StartRun *request = command->request;
    if (!*request->client_id) return STATUS_OK;
    Pb__ClientIdRecord record = PB__CLIENT_ID_RECORD__INIT;
    record.run                = run.ptr;
    struct key key;
    client_id_key(&key, str_from(command->workflow->namespace_), str_from(request->client_id));
    return record_put(engine->txn, TABLE_CLIENT_IDS, key_bytes(&key), &record.base, reterr);
}

static status keep_idempotency(struct engine *engine, const struct command *command, str run,
                               struct error *reterr)
{
    const Pb__StartRun *request = command->request;
    if (!*request->idempotency_key) return STATUS_OK;
    Pb__IdempotencyRecord record = PB__IDEMPOTENCY_RECORD__INIT;
    record.run                   = run.ptr;
    record.digest                = request->idempotency_digest;
    record.expires_us            = engine->now_us + IDEMPOTENCY_AGE_US;
    struct key key;
    idempotency_key(&key, str_from(command->workflow->namespace_), str_from(request->created_by),
                    str_from(request->idempotency_key));
    return record_put(engine->txn, TABLE_IDEMPOTENCY, key_bytes(&key), &record.base, reterr);
}

static status keep_start_key(struct engine *engine, const struct command *command, str run,
                             struct error *reterr)
{
    if (command->start_key.len == 0) return STATUS_OK;
    Pb__ClientIdRecord record = PB__CLIENT_ID_RECORD__INIT;
    record.run                = run.ptr;
    struct key key;
    start_key_key(&key, str_from(command->workflow->namespace_), str_from(command->workflow->name),
                  command->start_key);
    return record_put(engine->txn, TABLE_START_KEYS, key_bytes(&key), &record.base, reterr);
}

/* --- a start that was there before -------------------------------------------------------------
 */

static void watch_for(struct engine *engine, const struct command *command,
                      const struct live_run *live)
{
    const Pb__StartRun *request            = command->request;
    const struct engine_listener *listener = &engine->options.listener;
    if (!listener->watch || request->subscriber.len == 0) return;
    if (run_status_is_final(run_status(live->run))) return; /* the answer says it */
    listener->watch((bytes){request->subscriber.data, request->subscriber.len},
                    str_from(live->id.text), listener->context);
}

static status found_existing(struct engine *engine, struct command *command, str id,
                             bool is_created, bool is_replayed, struct live_run **ret_live,
                             struct error *reterr)
{
    Pb__StartedRun *answer = command->response;
    answer->created        = is_created;
    answer->replayed       = is_replayed;
    return engine_run(engine, id, command, ret_live, reterr);
}

/* Answers a start whose idempotency key is known; `*ret_found` says whether it was. */
static status find_idempotent(struct engine *engine, struct command *command, bool *ret_found,
                              struct live_run **ret_live, struct error *reterr)
{
    const Pb__StartRun *request = command->request;
    *ret_found                  = false;
    if (!*request->idempotency_key) return STATUS_OK;
    struct key key;
    idempotency_key(&key, str_from(command->workflow->namespace_), str_from(request->created_by),
                    str_from(request->idempotency_key));
    const ProtobufCMessageDescriptor *type = &pb__idempotency_record__descriptor;
    Pb__IdempotencyRecord *record          = NULL;
    status got = record_get(engine->txn, TABLE_IDEMPOTENCY, key_bytes(&key), type, engine->arena,
                            &record, reterr);
    if (got == STATUS_NOT_FOUND) return STATUS_OK;
    TRY(got);
    if (record->expires_us <= engine->now_us) return STATUS_OK;

    *ret_found = true;
    if (!str_equal(str_of(record->digest), str_of(request->idempotency_digest))) {
        return command_refuse(command, STATUS_INVALID_ARGUMENT, "idempotency_key_reused",
                              "this Idempotency-Key came with another request before");
    }
    return found_existing(engine, command, str_from(record->run), false, true, ret_live, reterr);
}

/* The run that had the client id makes room for a new one. */
static status replace(struct engine *engine, struct command *command, str run, struct error *reterr)
{
    const Pb__StartRun *request = command->request;
    struct live_run *live       = NULL;
    TRY(engine_run(engine, run, NULL, &live, reterr));
    if (!live) return STATUS_OK; /* parked or damaged: nothing runs there */
    return engine_terminate(engine, live, str_from("on_conflict: terminate"),
                            str_from(request->created_by), reterr);
}

static status find_client_id(struct engine *engine, struct command *command, bool *ret_found,
                             struct live_run **ret_live, struct error *reterr)
{
    const Pb__StartRun *request = command->request;
    *ret_found                  = false;
    if (!*request->client_id) return STATUS_OK;
    struct key key;
    client_id_key(&key, str_from(command->workflow->namespace_), str_from(request->client_id));
    const ProtobufCMessageDescriptor *type = &pb__client_id_record__descriptor;
    Pb__ClientIdRecord *record             = NULL;
    status got = record_get(engine->txn, TABLE_CLIENT_IDS, key_bytes(&key), type, engine->arena,
                            &record, reterr);
    if (got == STATUS_NOT_FOUND) return STATUS_OK;
    TRY(got);

    *ret_found = true;
    switch (request->on_conflict) {
    case PB__ON_CONFLICT__ON_CONFLICT_RETURN:
        return found_existing(engine, command, str_from(record->run), false, false, ret_live,
                              reterr);
    case PB__ON_CONFLICT__ON_CONFLICT_TERMINATE:
        *ret_found = false; /* the new run takes its place */
        return replace(engine, command, str_from(record->run), reterr);
    default:
        return command_refuse(command, STATUS_ALREADY_EXISTS, "run_id_in_use",
                              "run %s has the client_id %s already", record->run,
                              request->client_id);
    }
}

static status find_start_key(struct engine *engine, struct command *command, bool *ret_found,
                             struct live_run **ret_live, struct error *reterr)
{
    *ret_found = false;
    if (command->start_key.len == 0) return STATUS_OK;
    struct key key;
    start_key_key(&key, str_from(command->workflow->namespace_), str_from(command->workflow->name),
                  command->start_key);
    const ProtobufCMessageDescriptor *type = &pb__client_id_record__descriptor;
    Pb__ClientIdRecord *record             = NULL;
    status got = record_get(engine->txn, TABLE_START_KEYS, key_bytes(&key), type, engine->arena,
                            &record, reterr);
    if (got == STATUS_NOT_FOUND) return STATUS_OK;
    TRY(got);
    *ret_found = true;
    return found_existing(engine, command, str_from(record->run), false, false, ret_live, reterr);
}

/* Everything by which a start may turn out not to be one. */
static status find_existing(struct engine *engine, struct command *command, bool *ret_found,
                            struct live_run **ret_live, struct error *reterr)
{
    const struct made_by_request *made = NULL;
    TRY(engine_request_find(engine, command->request_id, &made, reterr));
    *ret_found = made != NULL;
    if (made) {
        return found_existing(engine, command, str_from(made->run.text), true, false, ret_live,
                              reterr);
    }
    TRY(find_idempotent(engine, command, ret_found, ret_live, reterr));
    if (*ret_found) return STATUS_OK;
    TRY(find_client_id(engine, command, ret_found, ret_live, reterr));
    if (*ret_found) return STATUS_OK;
    return find_start_key(engine, command, ret_found, ret_live, reterr);
}

/* --- start -------------------------------------------------------------------------------------
 */

static struct run_start start_of(const struct command *command)
{
    const Pb__StartRun *request = command->request;
    return (struct run_start){
        .input       = command->values[0],
        .deadline_us = request->deadline_us,
        .priority =
            request->priority > 0 ? (uint8_t)(request->priority - 1) : (uint8_t)PRIORITY_INHERIT,
        .budget_usd_nanos = request->budget_usd_nanos,
        .budget_tokens    = request->budget_tokens,
        .parent           = command->origin ? command->origin->parent : (struct id){},
        .depth            = command->origin ? command->origin->depth : 0,
    };
}

static struct id id_of_start(struct engine *engine, const struct command *command)
{
    const struct start_origin *origin = command->origin;
    if (origin && origin->child.text[0]) return origin->child;
    uint32_t random = (uint32_t)prng_next(&engine->random);
    return id_next(&engine->ids, engine->now_us / 1000, random);
}

/* The first decision about a new run: it starts, or waits for somebody or its turn. */
static status decide_begin(struct engine *engine, const struct command *command, struct run *run,
                           struct error *ret_why, status *ret_code, struct error *reterr)
{
    const Pb__StartRun *request  = command->request;
    const struct run_start start = start_of(command);
    const struct decide_env env  = engine_env(engine);
    struct event_list *events    = &engine->events;
    bool has_place               = true;
    if (!request->draft) {
        TRY(engine_slot_take(engine, request, str_from(run_id(run)), &has_place, reterr));
    }
    bool is_later = request->draft || !has_place;
    *ret_code     = is_later ? run_draft(run, &env, &start, !request->draft, events, ret_why)
                             : run_start(run, &env, &start, events, ret_why);
    return STATUS_OK;
}

/* Lets a new run begin. NULL and OK: refused. */
static status begin(struct engine *engine, struct command *command, struct live_run **ret_live,
                    struct error *reterr)
{
    const Pb__StartRun *request        = command->request;
    const struct id id                 = id_of_start(engine, command);
    CLEANUP(run_freep) struct run *run = run_new(str_from(id.text), command->workflow);
    *ret_live                          = NULL;

    engine_work_begin(engine, str_from(id.text));
    status kept = decide_begin(engine, command, run, &command->error, &command->code, reterr);
    if (kept == STATUS_OK && command->code == STATUS_OK) {
        struct live_run *live = run_cache_add(&engine->cache, TAKE(run));
        live->is_new          = true;
        size_t len            = strlen(request->traceparent);
        if (len < sizeof live->traceparent) {
            memcpy(live->traceparent, request->traceparent, len + 1);
        }
        *ret_live = live;
        engine_touch(engine, live);
        kept = engine_row_make(engine, command, live, reterr); /* which its events may need */
        if (kept == STATUS_OK) kept = engine_keep(engine, live, reterr);
    }
    engine_work_end(engine);
    return kept;
}

/* The signal that came along, for the run that was started or found. One that was over by then, or
 * ends at once, is told by its status and no id of an event. */
static status signal_along(struct engine *engine, struct command *command, struct live_run *live,
                           struct error *reterr)
{
    const Pb__StartRun *request = command->request;
    Pb__StartedRun *answer      = command->response;
    struct id event             = {};
    bool is_over                = run_status_is_final(run_status(live->run));
    if (!*request->signal || answer->replayed || (is_over && answer->created)) return STATUS_OK;
    TRY(engine_signal(engine, command, live, str_from(request->signal), command->values[1], &event,
                      reterr));
    if (command->code == STATUS_OK) {
        answer->event_id = text_in(command->arena, str_from(event.text));
    }
    return STATUS_OK;
}

/* Only of what really starts: a repetition is answered with what is there, however late. */
static bool refuse_late(const struct engine *engine, struct command *command)
{
    const Pb__StartRun *request = command->request;
    char time[TIME_TEXT_SIZE];
    if (request->deadline_us == 0 || request->deadline_us > engine->now_us) return false;
    time_format(request->deadline_us, time);
    (void)command_refuse(command, STATUS_INVALID_ARGUMENT, "invalid_request",
                         "/deadline: %s is past: name a time to come, or leave it out", time);
    return true;
}

status engine_start_decide(struct engine *engine, struct command *command,
                           struct live_run **ret_live, struct error *reterr)
{
    *ret_live     = NULL;
    bool is_found = false;
    TRY(find_existing(engine, command, &is_found, ret_live, reterr));
    if (is_found) return STATUS_OK;
    if (!engine->accepts_runs) {
        return command_refuse(command, STATUS_RESOURCE_EXHAUSTED, "store_full",
                              "the store of partition %u is nearly full: new runs are refused",
                              engine->partition->index);
    }
    if (refuse_late(engine, command)) return STATUS_OK;
    TRY(begin(engine, command, ret_live, reterr));
    if (!*ret_live) return STATUS_OK;

    str id                 = str_from((*ret_live)->id.text);
    Pb__StartedRun *answer = command->response;
    answer->created        = true;
    TRY(engine_keep_definition(engine, command->workflow, reterr));
    TRY(engine_event_types_put(engine, command->workflow, reterr));
    TRY(keep_client_id(engine, command, id, reterr));
    TRY(keep_idempotency(engine, command, id, reterr));
    TRY(keep_start_key(engine, command, id, reterr));
    return engine_request_keep(engine, command->request_id, id, (str){}, reterr);
}

status engine_start_run(struct engine *engine, struct command *command, struct error *reterr)
{
    engine_answer(engine, command);
    struct live_run *live = NULL;
    TRY(engine_start_decide(engine, command, &live, reterr));
    if (!live) return STATUS_OK;
    TRY(signal_along(engine, command, live, reterr));
    if (command->code != STATUS_OK) return STATUS_OK;
    watch_for(engine, command, live);
    Pb__StartedRun *answer = command->response;
    return engine_view(engine, live, true, engine->arena, &answer->run, reterr);
}
