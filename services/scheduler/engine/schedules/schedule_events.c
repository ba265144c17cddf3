/*
 * Starts by events (`schedule.on`): in the system partition, which every event of a namespace
 * reaches once. Whatever an event does here is done in the transaction in which it arrives, with
 * the order for the run in the outbox: so no crash loses a start or makes a second one.
 *
 * Events that are to start a run together are a batch. An event goes to the oldest batch that takes
 * it; if none does and it could be the first of one, it begins a new batch. So it is in one run,
 * and what does not belong together (another order, another correlation) does not wait in line.
 */
#include "base/log.h"
#include "base/mem.h"
#include "scheduler/engine/commands/start_key.h"
#include "scheduler/engine/events/events.h"
#include "scheduler/engine/schedules/schedule_batch.h"
#include "scheduler/engine/schedules/schedules.h"
#include "scheduler/run/event_match.h"
#include "scheduler/tables/event_index.h"

#include <inttypes.h>

enum { VERSION_SHOWN_MAX = 32, DIGEST_SHOWN = 8 };

/* One event at one schedule. */
struct taking {
    struct engine *engine;
    const struct arrival *arrival;
    Pb__ScheduleView *row;
    const struct workflow *workflow;
    const struct listen_body *on;
};

/* --- expressions -------------------------------------------------------------------------------
 */

/* There is no run, and so there are no variables (V21). */
static json variable_none(enum variable, const struct scope_variable *, void *)
{
    return json_invalid();
}

static struct variables variables_none(const struct engine *engine)
{
    return (struct variables){
        .get    = variable_none,
        .now_us = engine->now_us,
        .limits = engine->options.limits.expressions,
    };
}

/* A filter that fails takes nothing. */
static bool eval_alone(const struct expression *expression, json input, json *ret_value,
                       void *context)
{
    struct error why                 = {};
    const struct variables variables = variables_none(context);
    return expression_eval(expression, input, &variables, ret_value, &why) == STATUS_OK;
}

static struct listening listening_of(const struct taking *taking, const struct batch *batch)
{
    const struct listen_body *on = taking->on;
    return (struct listening){
        .to         = &on->to,
        .until      = on->has_until_events ? &on->until_events : NULL,
        .is_endless = on->until || on->has_until_events,
        .expects    = batch->expects,
        .matched    = batch->matched,
        .eval       = {.eval = eval_alone, .context = taking->engine},
    };
}

/* What `read` makes of an event; a view. */
static json value_of(const struct taking *taking)
{
    json event = taking->arrival->event;
    if (taking->on->read == LISTEN_ENVELOPE) return event;
    json data = json_get_text(event, "data");
    if (data.kind == JSON_INVALID) data = json_get_text(event, "data_base64");
    return data.kind == JSON_INVALID ? json_null() : data;
}

/* --- one event ---------------------------------------------------------------------------------
 */

/* The owner of its key, if the workflow has one; else by the start's own id. A key that cannot be
 * made is found again where the run starts, and refused there. */
static uint16_t partition_of_start(const struct taking *taking, json input, const char *client_id)
{
    struct engine *engine            = taking->engine;
    const struct expr_limits *limits = engine->options.limits.expressions;
    uint16_t count                   = engine->partition->count;
    struct error why                 = {};
    str key                          = {};
    status made =
        start_key_eval(taking->workflow, input, engine->now_us, limits, engine->arena, &key, &why);
    if (made == STATUS_OK && key.len > 0) return start_key_partition(taking->workflow, key, count);
    return partition_of_text(str_from(taking->row->namespace_), str_from(client_id), count);
}

/* Its number never comes again for this version, so neither does the id. */
static const char *client_id_of(const struct taking *taking)
{
    const Pb__ScheduleView *row = taking->row;
    struct arena *arena         = taking->engine->arena;
    if (strlen(row->version) <= VERSION_SHOWN_MAX) {
        return arena_printf(arena, "schedule:%s:%s:%" PRIu64, row->name, row->version, row->starts);
    }
    uint64_t digest = 0;
    memcpy(&digest, taking->workflow->digest, DIGEST_SHOWN);
    return arena_printf(arena, "schedule:%s:%016" PRIx64 ":%" PRIu64, row->name, digest,
                        row->starts);
}

static status start(struct taking *taking, struct held *held, struct error *reterr)
{
    struct engine *engine = taking->engine;
    Pb__ScheduleView *row = taking->row;
    Pb__RunOrder ordered  = PB__RUN_ORDER__INIT;
    row->starts++;
    row->last_us      = engine->now_us;
    ordered.client_id = client_id_of(taking);
    if (!ordered.client_id) return fail(reterr, STATUS_RESOURCE_EXHAUSTED, "no memory for a start");
    ordered.due_us   = row->last_us;
    ordered.events   = held->ids;
    ordered.n_events = held->count;
    TRY(json_in(engine->arena, held->values, &ordered.input_json, reterr));
    uint16_t partition = partition_of_start(taking, held->values, ordered.client_id);
    return schedule_order(engine, row, partition, &ordered, reterr);
}

/* It waits for the others of its batch. */
static status keep(struct taking *taking, struct batch *batch, bool is_end, struct error *reterr)
{
    struct engine *engine = taking->engine;
    Pb__ScheduleView *row = taking->row;
    if (batch->number == 0) batch->number = ++row->last_batch;
    bool is_all = taking->on->to.mode == LISTEN_ALL;
    if (!is_end) {
        TRY(batch_hold(engine, row, batch, taking->arrival->id.text, value_of(taking), reterr));
    }
    TRY(batch_put(engine, row, batch, reterr));
    while (row->events_held > SCHEDULE_EVENTS_MAX || row->held_bytes > SCHEDULE_BYTES_MAX) {
        TRY(batches_drop_oldest(engine, row, is_all, reterr));
    }
    return STATUS_OK;
}

/* An expression of the schedule failed: its row says so, until a start goes well. */
static void note_failure(const struct taking *taking, const char *what, const struct error *why)
{
    Pb__ScheduleView *row = taking->row;
    row->last_error       = arena_printf(taking->engine->arena, "`%s`: %s", what, why->text);
    if (!row->last_error) row->last_error = what;
    log_write(LOG_ERROR, "schedule.expression_failed", LOG_TEXT_OF("namespace", row->namespace_),
              LOG_TEXT_OF("name", row->name), LOG_TEXT_OF("error", row->last_error));
}

static void until_asks(const struct taking *taking, const struct held *held, bool *ret_over)
{
    const struct variables variables = variables_none(taking->engine);
    struct error why                 = {};
    if (expression_test(taking->on->until, held->values, &variables, ret_over, &why) == STATUS_OK) {
        return;
    }
    *ret_over = false;
    note_failure(taking, "until", &why);
}

/* The batch has the event by its filter `number`. */
static status take(struct taking *taking, struct batch *batch, uint32_t number,
                   struct error *reterr)
{
    const struct listen_body *on        = taking->on;
    bool is_end                         = number >= listening_base(&on->to);
    bool is_endless                     = on->until || on->has_until_events;
    CLEANUP(held_done) struct held held = {};
    if (is_end || !is_endless) {
        if (batch->matched.kind == JSON_INVALID) batch->matched = json_array_new(1);
        json_array_push(&batch->matched, json_int(number));
    }
    const struct listening listening = listening_of(taking, batch);
    bool is_over                     = listening_is_over(&listening);
    if (is_over || on->until) TRY(held_read(taking->engine, taking->row, batch, &held, reterr));
    if (!is_end && held.ids) {
        held_push(&held, text_in(taking->engine->arena, str_from(taking->arrival->id.text)),
                  json_ref(value_of(taking)));
    }
    if (!is_over && on->until) until_asks(taking, &held, &is_over);
    if (!is_over) return keep(taking, batch, is_end, reterr);
    taking->row->events_held -= batch->event_count;
    taking->row->held_bytes -= held.bytes;
    if (batch->number > 0) TRY(batch_delete(taking->engine, taking->row, batch->number, reterr));
    return start(taking, &held, reterr);
}

/* --- which batch -------------------------------------------------------------------------------
 */

static bool takes(const struct taking *taking, struct batch *batch, uint32_t *ret_number)
{
    const struct listening listening = listening_of(taking, batch);
    json expects                     = json_invalid();
    if (!listening_takes(&listening, taking->arrival->event, ret_number, &expects)) return false;
    if (expects.kind != JSON_INVALID) json_replace(&batch->expects, expects);
    return true;
}

/* The oldest that takes it. */
static status find_batch(const struct taking *taking, struct batch *ret_batch, uint32_t *ret_number,
                         bool *ret_found, struct error *reterr)
{
    CLEANUP(cursor_closep) struct cursor *cursor = NULL;
    *ret_found                                   = false;
    TRY(batches_open(taking->engine, taking->row, &cursor, reterr));
    for (;;) {
        TRY(batches_next(taking->engine, taking->row, cursor, ret_batch, reterr));
        if (ret_batch->number == 0) return STATUS_OK;
        *ret_found = takes(taking, ret_batch, ret_number);
        if (*ret_found) return STATUS_OK;
        batch_done(ret_batch);
    }
}

static bool has_correlations(const struct event_strategy *strategy)
{
    for (uint32_t i = 0; i < strategy->filter_count; i++) {
        if (strategy->filters[i].correlation_count > 0) return true;
    }
    return false;
}

static status row_push(const struct taking *taking, const struct event_filter *filter,
                       json *expects, struct error *why)
{
    const struct variables variables = variables_none(taking->engine);
    CLEANUP(json_unrefp) json row    = json_array_new(filter ? filter->correlation_count : 0);
    for (uint32_t i = 0; filter && i < filter->correlation_count; i++) {
        const struct template *expect = filter->correlations[i].expect;
        json value                    = json_null(); /* the first event says */
        if (expect) TRY(template_eval(expect, json_null(), &variables, &value, why));
        json_array_push(&row, value);
    }
    json_array_push(expects, json_take(&row));
    return STATUS_OK;
}

/* What a batch expects before its first event. */
static status expects_new(const struct taking *taking, json *ret_expects, struct error *why)
{
    const struct event_strategy *to    = &taking->on->to;
    const struct event_strategy *until = &taking->on->until_events;
    if (!has_correlations(to) && !has_correlations(until)) return STATUS_OK;
    CLEANUP(json_unrefp) json expects = json_array_new(to->filter_count + until->filter_count);
    for (uint32_t i = 0; i < listening_base(to); i++) {
        TRY(row_push(taking, to->filter_count > 0 ? &to->filters[i] : NULL, &expects, why));
    }
    for (uint32_t i = 0; i < until->filter_count; i++) {
        TRY(row_push(taking, &until->filters[i], &expects, why));
    }
    *ret_expects = json_take(&expects);
    return STATUS_OK;
}

static status offer(struct taking *taking, bool *ret_taken, struct error *reterr)
{
    CLEANUP(batch_done) struct batch batch = {};
    uint32_t number                        = 0;
    struct error why                       = {};
    TRY(find_batch(taking, &batch, &number, ret_taken, reterr));
    if (!*ret_taken) {
        if (expects_new(taking, &batch.expects, &why) != STATUS_OK) {
            note_failure(taking, "expect", &why);
            return schedule_row_put(taking->engine, taking->row, reterr);
        }
        /* An end alone begins nothing. */
        *ret_taken = takes(taking, &batch, &number) && number < listening_base(&taking->on->to);
    }
    if (!*ret_taken) return STATUS_OK;
    TRY(take(taking, &batch, number, reterr));
    return schedule_row_put(taking->engine, taking->row, reterr);
}

/* --- who wants it ------------------------------------------------------------------------------
 */

static status offer_to(struct engine *engine, struct arrival *arrival, const char *name,
                       struct error *reterr)
{
    CLEANUP(workflow_unrefp) const struct workflow *workflow = NULL;
    struct taking taking = {.engine = engine, .arrival = arrival};
    bool is_taken        = false;
    TRY(schedule_row_get(engine, arrival->namespace, str_from(name), &taking.row, reterr));
    if (!taking.row) return fail(reterr, STATUS_DATA_LOSS, "a type without its schedule");
    if (!schedule_workflow(engine, taking.row, &workflow)) {
        return schedule_row_put(engine, taking.row, reterr);
    }
    taking.workflow = workflow;
    taking.on       = &workflow->schedule.on;
    TRY(offer(&taking, &is_taken, reterr));
    if (is_taken) arrival->is_taken = true;
    return STATUS_OK;
}

status engine_start_by_event(struct engine *engine, struct arrival *arrival, struct error *reterr)
{
    struct pointers names = {};
    str type              = event_type_of(arrival->event);
    status done           = schedule_names(engine, arrival->namespace, type, &names, reterr);
    for (size_t i = 0; done == STATUS_OK && i < names.count; i++) {
        done = offer_to(engine, arrival, names.items[i], reterr);
    }
    pointers_done(&names);
    return done;
}
