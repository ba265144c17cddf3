#include "scheduler/run/event_codec.h"

#include "base/assert.h"
#include "scheduler/run/agent.h"
#include "scheduler/run/apply.h"
#include "scheduler/run/due.h"
#include "scheduler/run/job_key.h"
#include "scheduler/run/reopen.h"
#include "scheduler/run/state.h"
#include "scheduler/run/wire.h"

/* Fields of JournalEntry. */
enum {
    ENTRY_PREVIOUS = ENTRY_PREVIOUS_FIELD,
    ENTRY_FIRST,
    ENTRY_AGE   = 6,
    ENTRY_EVENT = 5,
    ENTRY_RUN   = ENTRY_RUN_FIELD,
    ENTRY_RETRY = 150
};

enum { EVENT_VALUE_FIELD = 4, US_PER_MS = 1'000, EVENT_SIZE_USUAL = 500 /* bytes */ };

/* JournalEvent. What belongs to nearly every event comes first: reading looks from the front. */
/* clang-format off */
static const struct wire_field event_fields[] = {
    {1,  WIRE_ENUM,  offsetof(struct event, kind)},
    {2,  WIRE_U32,   offsetof(struct event, task)},
    {3,  WIRE_U32,   offsetof(struct event, activation)},
    {4,  WIRE_VALUE, offsetof(struct event, value)},
    {5,  WIRE_U32,   offsetof(struct event, scope)},
    {6,  WIRE_ENUM,  offsetof(struct event, value_from)},
    {7,  WIRE_ENUM,  offsetof(struct event, flow.kind)},
    {8,  WIRE_U32,   offsetof(struct event, flow.position)},
    {9,  WIRE_ENUM,  offsetof(struct event, opens)},
    {10, WIRE_U32,   offsetof(struct event, owner)},
    {11, WIRE_U32,   offsetof(struct event, index)},
    {12, WIRE_VALUE, offsetof(struct event, input)},
    {13, WIRE_VALUE, offsetof(struct event, context)},
    {14, WIRE_I64,   offsetof(struct event, due_us)},
    {15, WIRE_ID,    offsetof(struct event, id)},
    {16, WIRE_U32,   offsetof(struct event, attempt)},
    {17, WIRE_U32,   offsetof(struct event, attempts_max)},
    {18, WIRE_I64,   offsetof(struct event, deadline_us)},
    {19, WIRE_I64,   offsetof(struct event, attempt_deadline_us)},
    {20, WIRE_I64,   offsetof(struct event, retry_until_us)},
    {21, WIRE_U8,    offsetof(struct event, priority)},
    {22, WIRE_BOOL,  offsetof(struct event, is_kept)},
    {23, WIRE_I64,   offsetof(struct event, budget_usd_nanos)},
    {24, WIRE_I64,   offsetof(struct event, budget_tokens)},
    {25, WIRE_VALUE, offsetof(struct event, error)},
    {26, WIRE_VALUE, offsetof(struct event, key)},
    {27, WIRE_I64,   offsetof(struct event, usage.input_tokens)},
    {28, WIRE_I64,   offsetof(struct event, usage.output_tokens)},
    {29, WIRE_I64,   offsetof(struct event, usage.cached_tokens)},
    {30, WIRE_I64,   offsetof(struct event, usage.reasoning_tokens)},
    {31, WIRE_I64,   offsetof(struct event, usage.cost_usd_nanos)},
    {32, WIRE_I64,   offsetof(struct event, usage.calls)},
    {33, WIRE_ENUM,  offsetof(struct event, usage.source)},
    {34, WIRE_BOOL,  offsetof(struct event, usage.is_simulated)},
    {150, WIRE_VALUE, offsetof(struct event, undo)},
    {151, WIRE_U64,  offsetof(struct event, retry_from)},
    {160, WIRE_U32,  offsetof(struct event, depth)},
};
/* clang-format on */

static const struct wire_table event_table = {event_fields, ARRAY_LEN(event_fields)};

bool entry_field_is_event(uint32_t number)
{
    return number == ENTRY_EVENT;
}

bool event_field_is_value(uint32_t number)
{
    for (size_t i = 0; i < ARRAY_LEN(event_fields); i++) {
        const struct wire_field *field = &event_fields[i];
        bool is_value                  = field->kind == WIRE_VALUE || field->kind == WIRE_INLINE;
        if (is_value && field->number == number) return true;
    }
    return false;
}

bool event_field_is_ref(uint32_t number)
{
    return number > WIRE_PAYLOAD_FIELD && event_field_is_value(number - WIRE_PAYLOAD_FIELD);
}

bool event_field_is_error(uint32_t number)
{
    for (size_t i = 0; i < ARRAY_LEN(event_fields); i++) {
        bool is_error = event_fields[i].offset == offsetof(struct event, error);
        if (is_error && event_fields[i].number == number) return true;
    }
    return false;
}

/* How ids begin that a command makes: its time, and the run's own partition. */
static void id_base(const uint8_t run[static ID_BYTES], int64_t time_us,
                    uint8_t ret_base[static WIRE_ID_BASE])
{
    enum { PARTITION_AT = 6 };
    uint64_t time_ms = (uint64_t)(time_us / US_PER_MS);
    for (int i = 0; i < PARTITION_AT; i++) {
        ret_base[i] = (uint8_t)(time_ms >> (8 * (PARTITION_AT - 1 - i)));
    }
    memcpy(ret_base + PARTITION_AT, run + PARTITION_AT, WIRE_ID_BASE - PARTITION_AT);
}

/* --- writing -----------------------------------------------------------------------------------
 */

static uint8_t job_priority(const struct run *run, const struct task *task)
{
    return task->priority == PRIORITY_INHERIT ? run->priority : task->priority;
}

/* They are small, so they would stand in the entry. */
static bool has_constant_arguments(const struct run *run, const struct event *event)
{
    static_assert((int)CALL_CONSTANT_MAX <= (int)PAYLOAD_INLINE_MAX);
    const struct task *task = &run->workflow->tasks[event->task];
    json constant           = task->kind == TASK_CALL ? task->call.constant : json_invalid();
    return constant.kind != JSON_INVALID && json_same(event->value, constant);
}

/* A copy with nothing but the kept fields (event.h); its values are views. event_restore() puts
 * back what the state tells. */
static struct event event_kept(const struct run *run, const struct event *event)
{
    struct event kept = *event;
    bool is_place     = event->kind == EVENT_TASK_STARTED || event->kind == EVENT_TASK_SKIPPED;
    if (event->is_of_state) {
        kept.id      = (struct id){};
        kept.attempt = 0;
    }
    if (event->kind == EVENT_JOB_SCHEDULED) {
        ASSERT(event->attempt == 1);
        ASSERT(event->priority == job_priority(run, &run->workflow->tasks[event->task]));
        kept.attempt  = 0;
        kept.priority = 0;
        if (has_constant_arguments(run, event)) kept.value_from = VALUE_CONSTANT;
    }
    bool is_undo = event->kind == EVENT_UNDO_BEGUN || event->kind == EVENT_COMPENSATION_STARTED;
    if (!is_place) kept.task = 0;
    if (is_place || is_undo) kept.activation = 0;
    if (event->opens == SCOPE_NONE) {
        kept.owner = 0;
        if (is_place) kept.index = 0;
    } else {
        kept.scope = 0;
    }
    bool is_here = kept.value_from == VALUE_HERE || kept.value_from == VALUE_AGENT;
    if (!is_here) kept.value = json_invalid();
    if (event->kind == EVENT_EMITTED) kept.is_kept = false;
    bool is_call = event->kind == EVENT_JOB_SCHEDULED || event->kind == EVENT_CACHE_ASKED ||
                   (event->kind >= EVENT_TASK_COMPLETED && event->kind <= EVENT_TASK_FAULTED) ||
                   event->kind == EVENT_TASK_RETRIED;
    bool has_own_key = is_call && task_has_own_key(&run->workflow->tasks[event->task]);
    if (!has_own_key && event->kind != EVENT_CHILD_SCHEDULED) kept.key = json_invalid();
    return kept;
}

/* The value of a kept event in a shorter form; JSON_INVALID: there is none. Owned. */
static json value_kept_new(const struct event *kept)
{
    if (kept->kind == EVENT_AGENT_CALLS) return agent_calls_kept_new(kept->value);
    if (kept->value_from == VALUE_AGENT) return agent_output_kept_new(kept->value);
    return json_invalid();
}

/* Of such a value its whole form. */
static void value_restore(const struct run *run, const struct activation *activation,
                          struct event *event)
{
    if (!activation->agent) return;
    if (event->kind == EVENT_AGENT_CALLS) {
        json_replace(&event->value, agent_calls_whole_new(run, activation, event->value));
    } else if (event->value_from == VALUE_AGENT) {
        json_replace(&event->value, agent_output_whole_new(run, activation, event->value));
    }
}

/* The other direction: puts back into `event`, as it was read, what the state before it tells. */
static void event_restore(const struct run *run, struct event *event)
{
    const struct activation *activation = run_activation(run, event->activation);
    if (activation) value_restore(run, activation, event);
    if (!activation || event->kind < EVENT_JOB_SCHEDULED) return;
    if (event->kind == EVENT_JOB_SCHEDULED) {
        event->attempt          = 1;
        const struct task *task = activation_task(run, activation);
        event->priority         = job_priority(run, task);
        if (event->value_from == VALUE_CONSTANT && task->kind == TASK_CALL) {
            event->value_from = VALUE_HERE;
            json_replace(&event->value, json_ref(task->call.constant));
        }
    } else if (event->kind <= EVENT_APPROVAL_CANCELLED && !event->id.text[0]) {
        event->id      = activation->id;
        event->attempt = event_attempt(activation, event->kind);
    }
}

static status events_put(struct wire_writer *writer, const struct run *run, struct event *events,
                         size_t count, struct error *reterr)
{
    CLEANUP(buf_done) struct buf message = buf_init(ENTRY_MAX);
    (void)buf_reserve(&message, EVENT_SIZE_USUAL); /* so that it does not grow by and by */
    for (size_t i = 0; i < count; i++) {
        struct event kept               = event_kept(run, &events[i]);
        CLEANUP(json_unrefp) json value = value_kept_new(&kept);
        if (value.kind != JSON_INVALID) kept.value = value;
        writer->payload = 0;
        TRY(wire_put_message(writer, ENTRY_EVENT, &event_table, &kept, &message, reterr));
        events[i].value_payload = writer->payload;
    }
    return STATUS_OK;
}

status entry_pack(struct run *run, struct event *events, size_t count, uint64_t previous,
                  const struct payload_store *payloads, struct buf *out, struct error *reterr)
{
    ASSERT(count > 0);
    CLEANUP(wire_writer_done) struct wire_writer writer;
    wire_writer_init(&writer, &run->payloads, payloads, out);
    writer.payload_of = EVENT_VALUE_FIELD;

    uint8_t id[ID_BYTES];
    id_pack(str_from(run->id.text), id);
    wire_put_bytes(&writer, ENTRY_RUN, (str){(const char *)id, sizeof id});
    if (previous != 0) wire_put_uint(&writer, ENTRY_PREVIOUS, previous);
    wire_put_uint(&writer, ENTRY_FIRST, events[0].sequence);
    uint64_t retry_from = events[count - 1].retry_from; /* the fault of the run comes last */
    if (retry_from != 0) wire_put_uint(&writer, ENTRY_RETRY, retry_from);
    int64_t age_us = events[0].time_us - id_unix_ms(str_from(run->id.text)) * US_PER_MS;
    if (age_us != 0) wire_put_uint(&writer, ENTRY_AGE, (uint64_t)age_us);
    uint8_t base[WIRE_ID_BASE];
    id_base(id, events[0].time_us, base);
    writer.id_base = base;
    TRY(events_put(&writer, run, events, count, reterr));
    if (out->is_full) return fail(reterr, STATUS_RESOURCE_EXHAUSTED, "a journal entry is too long");
    return STATUS_OK;
}

/* --- reading -----------------------------------------------------------------------------------
 */

static status header_field(const struct wire_reader *field, struct entry_header *header,
                           struct error *reterr)
{
    switch (field->number) {
    case ENTRY_RUN:
        if (!field->is_bytes || field->data.len != ID_BYTES) break;
        memcpy(header->run, field->data.ptr, ID_BYTES);
        header->time_us = id_unix_ms(str_from(id_unpack(header->run).text)) * US_PER_MS;
        return STATUS_OK;
    case ENTRY_PREVIOUS: header->previous = field->value; return STATUS_OK;
    case ENTRY_FIRST: header->first_sequence = field->value; return STATUS_OK;
    case ENTRY_RETRY: header->retry_from = field->value; return STATUS_OK;
    case ENTRY_AGE:
        header->time_us = (int64_t)((uint64_t)header->time_us + field->value);
        return STATUS_OK;
    default: break;
    }
    return fail(reterr, STATUS_DATA_LOSS, "damaged entry: header");
}

/* Leaves `reader` at the first event, if there is one. */
static status header_read(struct wire_reader *reader, struct entry_header *ret_header,
                          bool *ret_more, struct error *reterr)
{
    struct entry_header header = {};
    for (;;) {
        TRY(wire_next(reader, ret_more, reterr));
        if (!*ret_more || reader->number == ENTRY_EVENT) break;
        TRY(header_field(reader, &header, reterr));
    }
    *ret_header = header;
    return STATUS_OK;
}

status entry_read_header(bytes entry, struct entry_header *ret_header, struct error *reterr)
{
    struct wire_reader reader = {.rest = {entry.ptr, entry.len}};
    bool more                 = false;
    return header_read(&reader, ret_header, &more, reterr);
}

static status note_payload(uint64_t payload, str *ret_text, void *context, struct error *)
{
    const struct entry_scanner *scanner = context;
    scanner->payload(payload, scanner->context);
    *ret_text = str_from("null");
    return STATUS_OK;
}

status entry_scan(bytes entry, const struct entry_scanner *scanner, struct error *reterr)
{
    CLEANUP(payload_index_done) struct payload_index index = {};
    struct entry_scanner copy                              = *scanner;
    const struct payload_store payloads = {.load = note_payload, .context = &copy};
    struct wire_reader reader           = {
                  .rest     = {entry.ptr, entry.len},
                  .index    = &index,
                  .payloads = &payloads,
    };
    struct entry_header header = {};
    bool more                  = false;
    TRY(header_read(&reader, &header, &more, reterr));
    uint8_t base[WIRE_ID_BASE];
    id_base(header.run, header.time_us, base);
    reader.id_base = base;
    while (more) {
        if (reader.number != ENTRY_EVENT || !reader.is_bytes) {
            return fail(reterr, STATUS_DATA_LOSS, "damaged entry: events end early");
        }
        struct event event = {};
        status read        = wire_read(reader.data, &reader, &event_table, &event, reterr);
        if (read == STATUS_OK) scanner->event(&event, scanner->context);
        event_done(&event);
        TRY(read);
        TRY(wire_next(&reader, &more, reterr));
    }
    return STATUS_OK;
}

static status event_replay(struct run *run, struct event *event, const struct wire_reader *reader,
                           entry_visitor *visit, void *context, struct error *reterr)
{
    if (reader->number != ENTRY_EVENT || !reader->is_bytes) {
        return fail(reterr, STATUS_DATA_LOSS, "damaged entry: events end early");
    }
    TRY(wire_read(reader->data, reader, &event_table, event, reterr));
    event_restore(run, event);
    if (visit) visit(run, event, context);
    return run_apply(run, event, reterr);
}

status entry_replay(struct run *run, bytes entry, const struct payload_store *payloads,
                    entry_visitor *visit, void *context, struct error *reterr)
{
    struct wire_reader reader = {
        .rest     = {entry.ptr, entry.len},
        .index    = &run->payloads,
        .payloads = payloads,
    };
    struct entry_header header = {};
    bool more                  = false;
    TRY(header_read(&reader, &header, &more, reterr));
    uint8_t id[ID_BYTES];
    id_pack(str_from(run->id.text), id);
    if (memcmp(header.run, id, ID_BYTES) != 0) {
        return fail(reterr, STATUS_DATA_LOSS, "the entry belongs to another run");
    }
    uint8_t base[WIRE_ID_BASE];
    id_base(id, header.time_us, base);
    reader.id_base = base;
    for (uint64_t sequence = header.first_sequence; more; sequence++) {
        if (sequence == header.retry_from) TRY(retry_keep(run, reterr));
        struct event event = {.sequence = sequence, .time_us = header.time_us};
        status code        = event_replay(run, &event, &reader, visit, context, reterr);
        event_done(&event);
        TRY(code);
        TRY(wire_next(&reader, &more, reterr));
    }
    due_refresh(run);
    return STATUS_OK;
}
