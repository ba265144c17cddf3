/*
 * Snapshots: the whole state as one message. Cached fields are not in it, and are made anew while
 * reading: links between scopes, the index of jobs, times.
 */
#include "scheduler/run/apply.h"
#include "scheduler/run/snapshot_agent.h"
#include "scheduler/run/snapshot_tie.h"
#include "scheduler/run/undo.h"
#include "scheduler/run/wire.h"

#include "base/assert.h"
#include "base/mem.h"

#include <stdlib.h>

/* Fields of RunSnapshot and RunActivation that repeat. */
enum {
    SNAPSHOT_RUN         = 1,
    SNAPSHOT_SCOPE       = 40,
    SNAPSHOT_ACTIVATION  = 41,
    SNAPSHOT_BUFFERED    = 42,
    SNAPSHOT_PAYLOAD     = 43,
    SNAPSHOT_UNDO        = 158,
    ACTIVATION_REMEMBERS = 27,
};

enum { SNAPSHOT_MAX = 256 << 20 /* bytes */ };

/* What was made of several events is kept inline: it changes before it is read again. */
/* clang-format off */
static const struct wire_field run_fields[] = {
    {1,  WIRE_ID,    offsetof(struct run, id)},
    {2,  WIRE_ENUM,  offsetof(struct run, status)},
    {3,  WIRE_U64,   offsetof(struct run, sequence)},
    {4,  WIRE_I64,   offsetof(struct run, now_us)},
    {5,  WIRE_I64,   offsetof(struct run, started_us)},
    {6,  WIRE_I64,   offsetof(struct run, ended_us)},
    {7,  WIRE_I64,   offsetof(struct run, deadline_us)},
    {8,  WIRE_U8,    offsetof(struct run, priority)},
    {9,  WIRE_I64,   offsetof(struct run, budget_usd_nanos)},
    {10, WIRE_I64,   offsetof(struct run, budget_tokens)},
    {11, WIRE_VALUE, offsetof(struct run, input)},
    {12, WIRE_VALUE, offsetof(struct run, context)},
    {13, WIRE_VALUE, offsetof(struct run, output)},
    {14, WIRE_VALUE, offsetof(struct run, error)},
    {15, WIRE_SLOT,  offsetof(struct run, task_last)},
    {16, WIRE_U64,   offsetof(struct run, counted)},
    {17, WIRE_U32,   offsetof(struct run, event_number)},
    {27, WIRE_I64,   offsetof(struct run, usage.input_tokens)},
    {28, WIRE_I64,   offsetof(struct run, usage.output_tokens)},
    {29, WIRE_I64,   offsetof(struct run, usage.cached_tokens)},
    {30, WIRE_I64,   offsetof(struct run, usage.reasoning_tokens)},
    {31, WIRE_I64,   offsetof(struct run, usage.cost_usd_nanos)},
    {32, WIRE_I64,   offsetof(struct run, usage.calls)},
    {33, WIRE_ENUM,  offsetof(struct run, usage.source)},
    {34, WIRE_BOOL,  offsetof(struct run, usage.is_simulated)},
    {150, WIRE_U32,  offsetof(struct run, undo_number)},
    {151, WIRE_U32,  offsetof(struct run, undo_total)},
    {152, WIRE_U32,  offsetof(struct run, undo_done)},
    {153, WIRE_U32,  offsetof(struct run, undo_failed)},
    {154, WIRE_BOOL, offsetof(struct run, is_ending)},
    {155, WIRE_U32,  offsetof(struct run, ending_then)},
    {156, WIRE_VALUE, offsetof(struct run, ending_error)},
    {157, WIRE_VALUE, offsetof(struct run, ending_value)},
    {159, WIRE_U64,  offsetof(struct run, retry_from)},
    {180, WIRE_SLOT, offsetof(struct run, failed_task)},
    {181, WIRE_U32,  offsetof(struct run, failed_scope)},
    {182, WIRE_BOOL, offsetof(struct run, is_failed_open)},
    {183, WIRE_BOOL, offsetof(struct run, needs_new_pass)},
    {160, WIRE_ID,   offsetof(struct run, parent)},
    {161, WIRE_U32,  offsetof(struct run, depth)},
    {190, WIRE_BOOL, offsetof(struct run, is_suspended)},
    {196, WIRE_I64,  offsetof(struct run, expires_us)},
};

static const struct wire_field scope_fields[] = {
    {1,  WIRE_U32,    offsetof(struct scope, slot)},
    {2,  WIRE_SLOT,   offsetof(struct scope, owner)},
    {3,  WIRE_ENUM,   offsetof(struct scope, kind)},
    {4,  WIRE_ENUM,   offsetof(struct scope, state)},
    {5,  WIRE_U32,    offsetof(struct scope, index)},
    {6,  WIRE_U32,    offsetof(struct scope, position)},
    {7,  WIRE_SLOT,   offsetof(struct scope, active)},
    {8,  WIRE_U32,    offsetof(struct scope, pass)},
    {9,  WIRE_VALUE,  offsetof(struct scope, data)},
    {10, WIRE_INLINE, offsetof(struct scope, steps)},
    {11, WIRE_VALUE,  offsetof(struct scope, context)},
    {12, WIRE_U64,    offsetof(struct scope, share)},
    {13, WIRE_U64,    offsetof(struct scope, counted)},
};

static const struct wire_field activation_fields[] = {
    {1,  WIRE_U32,    offsetof(struct activation, slot)},
    {2,  WIRE_U32,    offsetof(struct activation, task)},
    {3,  WIRE_U32,    offsetof(struct activation, scope)},
    {4,  WIRE_ENUM,   offsetof(struct activation, state)},
    {5,  WIRE_U32,    offsetof(struct activation, depth)},
    {6,  WIRE_U64,    offsetof(struct activation, started_sequence)},
    {7,  WIRE_I64,    offsetof(struct activation, started_us)},
    {8,  WIRE_VALUE,  offsetof(struct activation, raw_input)},
    {9,  WIRE_VALUE,  offsetof(struct activation, input)},
    {10, WIRE_INLINE, offsetof(struct activation, result)},
    {11, WIRE_VALUE,  offsetof(struct activation, error)},
    {12, WIRE_I64,    offsetof(struct activation, due_us)},
    {13, WIRE_I64,    offsetof(struct activation, deadline_us)},
    {14, WIRE_I64,    offsetof(struct activation, attempt_deadline_us)},
    {15, WIRE_I64,    offsetof(struct activation, retry_until_us)},
    {16, WIRE_U32,    offsetof(struct activation, attempt)},
    {17, WIRE_U32,    offsetof(struct activation, next_index)},
    {18, WIRE_VALUE,  offsetof(struct activation, items)},
    {19, WIRE_INLINE, offsetof(struct activation, contexts)},
    {20, WIRE_VALUE,  offsetof(struct activation, context_base)},
    {21, WIRE_ID,     offsetof(struct activation, id)},
    {22, WIRE_VALUE,  offsetof(struct activation, key)},
    {23, WIRE_VALUE,  offsetof(struct activation, payload)},
    {24, WIRE_INLINE, offsetof(struct activation, matched)},
    {25, WIRE_U64,    offsetof(struct activation, share)},
    {26, WIRE_U64,    offsetof(struct activation, counted)},
    {143, WIRE_INLINE, offsetof(struct activation, events)},
    {144, WIRE_VALUE, offsetof(struct activation, payload_asked)},
    {150, WIRE_VALUE, offsetof(struct activation, calls)},
    {151, WIRE_U32,   offsetof(struct activation, undo)},
    {152, WIRE_U32,   offsetof(struct activation, undo_then)},
    {153, WIRE_VALUE, offsetof(struct activation, undo_value)},
    {154, WIRE_U64, offsetof(struct activation, earned)},
    {340, WIRE_ID,    offsetof(struct activation, approval)},
    {185, WIRE_ENUM,  offsetof(struct activation, flow.kind)},
    {186, WIRE_U32,   offsetof(struct activation, flow.position)},
};

static const struct wire_field undo_fields[] = {
    {1,  WIRE_U32,   offsetof(struct undo, number)},
    {2,  WIRE_U32,   offsetof(struct undo, task)},
    {3,  WIRE_SLOT,  offsetof(struct undo, holder)},
    {4,  WIRE_BOOL,  offsetof(struct undo, is_due)},
    {5,  WIRE_VALUE, offsetof(struct undo, input)},
    {6,  WIRE_VALUE, offsetof(struct undo, output)},
    {7,  WIRE_VALUE, offsetof(struct undo, context)},
    {8,  WIRE_VALUE, offsetof(struct undo, steps)},
    {9,  WIRE_VALUE, offsetof(struct undo, calls)},
    {10, WIRE_VALUE, offsetof(struct undo, identity)},
    {11, WIRE_VALUE, offsetof(struct undo, key)},
    {12, WIRE_VALUE, offsetof(struct undo, iteration)},
    {13, WIRE_ID,    offsetof(struct undo, job)},
    {14, WIRE_VALUE, offsetof(struct undo, error)},
};

static const struct wire_field remembered_fields[] = {
    {1, WIRE_VALUE, offsetof(struct remembered, key)},
    {2, WIRE_VALUE, offsetof(struct remembered, output)},
    {3, WIRE_U32,   offsetof(struct remembered, rejections)},
};

static const struct wire_field buffered_fields[] = {
    {1, WIRE_U32,   offsetof(struct buffered, number)},
    {2, WIRE_I64,   offsetof(struct buffered, received_us)},
    {3, WIRE_VALUE, offsetof(struct buffered, event)},
};
/* clang-format on */

static const struct wire_table run_table        = {run_fields, ARRAY_LEN(run_fields)};
static const struct wire_table scope_table      = {scope_fields, ARRAY_LEN(scope_fields)};
static const struct wire_table activation_table = {activation_fields, ARRAY_LEN(activation_fields)};
static const struct wire_table remembered_table = {remembered_fields, ARRAY_LEN(remembered_fields)};
static const struct wire_table undo_table       = {undo_fields, ARRAY_LEN(undo_fields)};
static const struct wire_table buffered_table   = {buffered_fields, ARRAY_LEN(buffered_fields)};

/* --- writing -----------------------------------------------------------------------------------
 */

/* An activation and what it remembers are one message, which `scratch` gathers. */
static status put_activation(struct wire_writer *writer, const struct activation *activation,
                             struct buf *scratch, struct buf *within, struct error *reterr)
{
    struct buf *out = writer->out;
    buf_clear(scratch);
    writer->out = scratch;
    status code = wire_put(writer, &activation_table, activation, reterr);
    for (uint32_t i = 0; code == STATUS_OK && i < activation->remembered_count; i++) {
        code = wire_put_message(writer, ACTIVATION_REMEMBERS, &remembered_table,
                                &activation->remembered[i], within, reterr);
    }
    if (code == STATUS_OK) code = agent_put(writer, activation->agent, within, reterr);
    writer->out = out;
    TRY(code);
    wire_put_bytes(writer, SNAPSHOT_ACTIVATION, buf_str(scratch));
    return STATUS_OK;
}

static int ref_compare(const void *a, const void *b)
{
    const struct payload_ref *one   = a;
    const struct payload_ref *other = b;
    return one->payload < other->payload ? -1 : one->payload > other->payload;
}

/* In the order of their numbers: where they stand in the index depends on its history. */
static void put_payloads(struct wire_writer *writer, const struct payload_index *index)
{
    struct payload_ref *refs = mem_new(index->count + 1, sizeof *refs);
    size_t count             = 0;
    for (uint32_t i = 0; i < index->capacity; i++) {
        if (index->refs[i].payload != 0) refs[count++] = index->refs[i];
    }
    qsort(refs, count, sizeof *refs, ref_compare);
    for (size_t i = 0; i < count; i++) {
        wire_put_ref(writer, SNAPSHOT_PAYLOAD, refs[i].payload, refs[i].hash);
    }
    free(refs);
}

static status put_all(struct wire_writer *writer, const struct run *run, struct error *reterr)
{
    CLEANUP(buf_done) struct buf message = buf_init(SNAPSHOT_MAX);
    CLEANUP(buf_done) struct buf within  = buf_init(SNAPSHOT_MAX);
    TRY(wire_put(writer, &run_table, run, reterr));
    for (uint32_t i = 0; i < run->scopes.count; i++) {
        const struct scope *scope = run_scope(run, i);
        if (!scope) continue;
        TRY(wire_put_message(writer, SNAPSHOT_SCOPE, &scope_table, scope, &message, reterr));
    }
    for (uint32_t i = 0; i < run->activations.count; i++) {
        const struct activation *activation = run_activation(run, i);
        if (activation) TRY(put_activation(writer, activation, &message, &within, reterr));
    }
    for (uint32_t i = 0; i < run->buffer_count; i++) {
        TRY(wire_put_message(writer, SNAPSHOT_BUFFERED, &buffered_table, &run->buffer[i], &message,
                             reterr));
    }
    for (uint32_t i = 0; i < run->undo_count; i++) {
        TRY(wire_put_message(writer, SNAPSHOT_UNDO, &undo_table, &run->undos[i], &message, reterr));
    }
    put_payloads(writer, &run->payloads);
    return STATUS_OK;
}

status run_snapshot_pack(struct run *run, const struct payload_store *payloads, struct buf *out,
                         struct error *reterr)
{
    CLEANUP(wire_writer_done) struct wire_writer writer;
    wire_writer_init(&writer, &run->payloads, payloads, out);
    TRY(put_all(&writer, run, reterr));
    if (out->is_full) return fail(reterr, STATUS_RESOURCE_EXHAUSTED, "a snapshot is too long");
    return STATUS_OK;
}

status run_snapshot_pack_inline(struct run *run, struct buf *out, struct error *reterr)
{
    const struct payload_store nothing = {};
    CLEANUP(wire_writer_done) struct wire_writer writer;
    wire_writer_init(&writer, &run->payloads, &nothing, out);
    writer.is_inline = true;
    TRY(put_all(&writer, run, reterr));
    if (out->is_full) return fail(reterr, STATUS_RESOURCE_EXHAUSTED, "a snapshot is too long");
    return STATUS_OK;
}

/* --- reading -----------------------------------------------------------------------------------
 */

static status read_scope(struct run *run, const struct wire_reader *reader, struct error *reterr)
{
    struct scope *scope = mem_new(1, sizeof *scope);
    scope->owner = scope->active = SLOT_NONE;
    status code                  = wire_read(reader->data, reader, &scope_table, scope, reterr);
    if (code == STATUS_OK && slots_add(&run->scopes, scope, scope->slot) == SLOT_NONE) {
        code = snapshot_broken(reterr, "two scopes in one place");
    }
    if (code != STATUS_OK) scope_free(scope);
    return code;
}

static status read_remembered(struct activation *activation, const struct wire_reader *reader,
                              struct error *reterr)
{
    struct remembered entry = {};
    status code             = wire_read(reader->data, reader, &remembered_table, &entry, reterr);
    activation_remember(activation, &entry);
    return code;
}

static status read_activation_fields(struct activation *activation, const struct wire_reader *outer,
                                     struct error *reterr)
{
    struct wire_reader reader = {
        .rest     = outer->data,
        .index    = outer->index,
        .payloads = outer->payloads,
    };
    for (;;) {
        bool more = false, known = false;
        TRY(wire_next(&reader, &more, reterr));
        if (!more) return STATUS_OK;
        if (reader.number == ACTIVATION_REMEMBERS && reader.is_bytes) {
            TRY(read_remembered(activation, &reader, reterr));
            continue;
        }
        if (agent_is_field(&reader)) {
            TRY(agent_read(activation, &reader, reterr));
            continue;
        }
        TRY(wire_take(&reader, &activation_table, activation, &known, reterr));
        if (!known) return snapshot_broken(reterr, "an unknown field");
    }
}

static status read_activation(struct run *run, const struct wire_reader *reader,
                              struct error *reterr)
{
    struct activation *activation = mem_new(1, sizeof *activation);
    activation->first_scope = activation->last_scope = SLOT_NONE;
    status code = read_activation_fields(activation, reader, reterr);
    if (code == STATUS_OK &&
        slots_add(&run->activations, activation, activation->slot) == SLOT_NONE) {
        code = snapshot_broken(reterr, "two tasks in one place");
    }
    if (code != STATUS_OK) activation_free(activation);
    return code;
}

static status read_buffered(struct run *run, const struct wire_reader *reader, struct error *reterr)
{
    struct buffered buffered = {};
    status code              = wire_read(reader->data, reader, &buffered_table, &buffered, reterr);
    if (code == STATUS_OK && run->buffer_count > RUN_BUFFERED_MAX) {
        code = snapshot_broken(reterr, "too many events");
    }
    if (code == STATUS_OK) {
        buffer_add(run, &buffered);
    } else {
        json_unref(buffered.event);
    }
    return code;
}

/* Who holds it is in the tables by then: activations come before. */
static status read_undo(struct run *run, const struct wire_reader *reader, struct error *reterr)
{
    struct undo entry = {.holder = SLOT_NONE};
    status code       = wire_read(reader->data, reader, &undo_table, &entry, reterr);
    uint32_t last     = run->undo_count > 0 ? run->undos[run->undo_count - 1].number : 0;
    undo_add(run, &entry);
    TRY(code);
    bool is_held = entry.holder == SLOT_NONE || run_activation(run, entry.holder);
    if (entry.task >= run->workflow->task_count || !is_held || entry.number <= last) {
        return snapshot_broken(reterr, "something to undo");
    }
    return STATUS_OK;
}

static status read_field(struct run *run, struct wire_reader *reader, struct error *reterr)
{
    if (reader->is_bytes) {
        uint64_t payload = 0;
        switch (reader->number) {
        case SNAPSHOT_SCOPE: return read_scope(run, reader, reterr);
        case SNAPSHOT_ACTIVATION: return read_activation(run, reader, reterr);
        case SNAPSHOT_BUFFERED: return read_buffered(run, reader, reterr);
        case SNAPSHOT_UNDO: return read_undo(run, reader, reterr);
        case SNAPSHOT_PAYLOAD: return wire_read_ref(reader, &payload, reterr);
        default: break;
        }
    }
    bool known = false;
    TRY(wire_take(reader, &run_table, run, &known, reterr));
    return known ? STATUS_OK : snapshot_broken(reterr, "an unknown field");
}

static status read_all(struct run *run, bytes snapshot, const struct payload_store *payloads,
                       struct error *reterr)
{
    struct wire_reader reader = {
        .rest     = {snapshot.ptr, snapshot.len},
        .index    = &run->payloads,
        .payloads = payloads,
    };
    struct id id = run->id;
    for (;;) {
        bool more = false;
        TRY(wire_next(&reader, &more, reterr));
        if (!more) break;
        TRY(read_field(run, &reader, reterr));
        if (memcmp(run->id.text, id.text, ID_LEN) != 0) {
            run->id = id;
            return snapshot_broken(reterr, "of another run");
        }
    }
    return snapshot_tie(run, reterr);
}

status run_snapshot_payloads(bytes snapshot, void (*visit)(uint64_t payload, void *context),
                             void *context, struct error *reterr)
{
    CLEANUP(payload_index_done) struct payload_index index = {};
    struct wire_reader reader = {.rest = {snapshot.ptr, snapshot.len}, .index = &index};
    for (;;) {
        bool more        = false;
        uint64_t payload = 0;
        TRY(wire_next(&reader, &more, reterr));
        if (!more) return STATUS_OK;
        if (reader.number != SNAPSHOT_PAYLOAD) continue;
        TRY(wire_read_ref(&reader, &payload, reterr));
        visit(payload, context);
    }
}

status run_snapshot_unpack(str id, const struct workflow *workflow, bytes snapshot,
                           const struct payload_store *payloads, struct run **ret_run,
                           struct error *reterr)
{
    CLEANUP(run_freep) struct run *run = run_new(id, workflow);
    TRY(read_all(run, snapshot, payloads, reterr));
    *ret_run = TAKE(run);
    return STATUS_OK;
}
