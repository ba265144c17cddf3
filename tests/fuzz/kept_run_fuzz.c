/*
 * Bytes as a run that comes from outside: whatever they are, they are refused, or are a run that
 * goes through other numbers unchanged. Input: one byte (odd: the first piece is the row; bits 1 to
 * 3: so many of the next pieces are payloads), then pieces of two bytes length (big-endian) and as
 * many bytes; the rest of them is the journal.
 */
#include "base/arena.h"
#include "base/assert.h"
#include "scheduler/run/renumber.h"
#include "scheduler/tables/kept_run.h"
#include "json/json.h"

#include <stdlib.h>

enum {
    ARENA_MAX       = 64 << 20,
    ENTRY_BYTES_MAX = 1 << 20,
    LENGTH_SIZE     = 2,
    PIECES_MAX      = 256,
    BASE            = 9
};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char run_name[] = "01ARZ3NDEKTSV4RRFFQ69G5FAV";

static const char definition[] =
    "document: {dsl: '1.0.3', namespace: test, name: fuzz, version: '1.0.0'}\n"
    "do:\n"
    "  - a: {set: {n: '${ .n + 1 }'}, export: {as: '{ n: 1 }'}}\n"
    "  - b: {call: http, with: {method: get, endpoint: 'https://a.test'}}\n"
    "  - c: {for: {in: '[1, 2]'}, do: [{x: {set: '${ $item }'}}]}\n";

/* One for all inputs, made at the first and kept. */
static struct definitions *definitions_once(const struct workflow **ret_workflow)
{
    static const struct workflow *workflow;
    static struct definitions *definitions;
    if (!workflow) {
        struct arena *arena         = arena_new(ARENA_MAX);
        struct diagnostics *list    = diagnostics_new(arena);
        const struct workflow *same = NULL;
        if (workflow_read(str_from(definition), list, &workflow, NULL) != STATUS_OK) abort();
        CLEANUP(json_unrefp) json source = workflow_source_new(workflow);
        const bytes digest               = {workflow->digest, SHA256_SIZE};
        definitions                      = definitions_new();
        if (definitions_take(definitions, json_str(source), digest, &same, NULL) != STATUS_OK) {
            abort();
        }
        workflow_unref(same);
        arena_free(arena);
    }
    *ret_workflow = workflow;
    return definitions;
}

static bool next_piece(str *rest, ProtobufCBinaryData *ret_piece)
{
    if (rest->len < LENGTH_SIZE) return false;
    size_t length = u16_from(rest->ptr);
    str piece     = str_slice(*rest, LENGTH_SIZE, LENGTH_SIZE + length);
    *rest         = str_slice(*rest, LENGTH_SIZE + length, rest->len);
    *ret_piece = (ProtobufCBinaryData){.data = (uint8_t *)(uintptr_t)piece.ptr, .len = piece.len};
    return true;
}

static ProtobufCBinaryData row_new(const struct workflow *workflow, struct arena *arena)
{
    Pb__RunView row = PB__RUN_VIEW__INIT;
    row.id          = run_name;
    row.namespace_  = workflow->namespace_;
    row.workflow    = workflow->name;
    row.version     = workflow->version;
    row.digest =
        (ProtobufCBinaryData){.data = (uint8_t *)(uintptr_t)workflow->digest, .len = SHA256_SIZE};
    uint8_t *packed = arena_alloc(arena, pb__run_view__get_packed_size(&row));
    ASSERT(packed);
    return (ProtobufCBinaryData){.data = packed, .len = pb__run_view__pack(&row, packed)};
}

static status shift(uint64_t payload, const uint8_t *, uint64_t *ret_payload, void *context,
                    struct error *)
{
    const uint64_t *base = context;
    *ret_payload         = payload + *base;
    return STATUS_OK;
}

/* What was taken can be written down, under other numbers and back. */
static void prove(const Pb__KeptRun *message)
{
    for (size_t i = 0; i < message->n_entries; i++) {
        const bytes entry                  = {message->entries[i].data, message->entries[i].len};
        CLEANUP(buf_done) struct buf moved = buf_init(ENTRY_BYTES_MAX);
        CLEANUP(buf_done) struct buf again = buf_init(ENTRY_BYTES_MAX);
        CLEANUP(buf_done) struct buf back  = buf_init(ENTRY_BYTES_MAX);
        uint64_t base                      = BASE;
        struct renumbering numbers         = {.previous = i, .payload = shift, .context = &base};
        if (entry_renumber(entry, &numbers, &moved, NULL) != STATUS_OK) abort();
        base             = 0;
        numbers.previous = 0;
        if (entry_renumber(entry, &numbers, &again, NULL) != STATUS_OK) abort();
        base = -(uint64_t)BASE;
        if (entry_renumber(bytes_from(buf_str(&moved)), &numbers, &back, NULL) != STATUS_OK) {
            abort();
        }
        ASSERT(str_equal(buf_str(&again), buf_str(&back)));
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const struct workflow *workflow = NULL;
    struct definitions *definitions = definitions_once(&workflow);
    ProtobufCBinaryData pieces[PIECES_MAX];
    size_t count = 0;
    if (size == 0) return 0;
    str rest = {(const char *)data + 1, size - 1};
    while (count < PIECES_MAX && next_piece(&rest, &pieces[count])) count++;

    CLEANUP(arena_freep) struct arena *arena = arena_new(ARENA_MAX);
    bool has_row                             = data[0] & 1 && count > 0;
    size_t payloads                          = data[0] >> 1 & 7;
    size_t first                             = has_row ? 1 : 0;
    if (payloads > count - first) payloads = count - first;
    Pb__KeptRun message  = PB__KEPT_RUN__INIT;
    message.id           = run_name;
    message.row          = has_row ? pieces[0] : row_new(workflow, arena);
    message.payloads     = &pieces[first];
    message.n_payloads   = payloads;
    message.entries      = &pieces[first + payloads];
    message.n_entries    = count - first - payloads;
    struct kept_run kept = {};
    status read          = kept_run_read(&message, definitions, arena, &kept, NULL);
    ASSERT(read == STATUS_OK || read == STATUS_INVALID_ARGUMENT ||
           read == STATUS_FAILED_PRECONDITION);
    if (read == STATUS_OK) prove(&message);
    kept_run_done(&kept);
    return 0;
}
