/*
 * Bytes as a journal, or as a snapshot and what the journal has after it: whatever they are, the
 * run either takes them or says DATA_LOSS. Input: one byte (odd: the first piece is a snapshot),
 * then pieces of two bytes length (big-endian) and as many bytes.
 */
#include "base/arena.h"
#include "base/assert.h"
#include "scheduler/run/run.h"

#include <stdlib.h>

enum { ARENA_MAX = 8 << 20, SNAPSHOT_BYTES_MAX = 64 << 20, LENGTH_SIZE = 2 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char run_name[] = "01ARZ3NDEKTSV4RRFFQ69G5FAV";

static const char definition[] =
    "document: {dsl: '1.0.3', namespace: test, name: fuzz, version: '1.0.0'}\n"
    "do:\n"
    "  - a: {set: {n: '${ .n + 1 }'}, export: {as: '{ n: 1 }'}}\n"
    "  - b: {switch: [{more: {when: '.n < 3', then: a}}]}\n"
    "  - c: {fork: {branches: [\n"
    "      {loop: {for: {in: '[1, 2]'}, metadata: {tutti: {parallel: 2}}, do: [\n"
    "        {call: {call: http, with: {method: get, endpoint: 'https://a.test'}}},\n"
    "        {note: {set: '${ $item }', export: {as: '$item'}}}]}},\n"
    "      {steady: {try: [{bad: {call: http, with: {method: get, endpoint: 'https://a.test'}}}],\n"
    "        catch: {retry: {delay: {seconds: 3}, limit: {attempt: {count: 2}}},\n"
    "        do: [{mend: {wait: {seconds: 1}}}]}}},\n"
    "      {each: {for: {in: '[1, 2]'}, do: [{x: {set: '${ $item }'}}]}},\n"
    "      {asked: {listen: {to: {one: {with: {type: dev.tutti.approval.decided.v1}}}},\n"
    "        metadata: {tutti: {approval: {title: T}}}}},\n"
    "      {heard: {listen: {to: {all: [{with: {type: x}}, {with: {type: y}}]}}}}]}}\n";

/* One definition for all inputs, made at the first and kept. */
static const struct workflow *workflow_once(void)
{
    static const struct workflow *workflow;
    if (workflow) return workflow;
    struct arena *arena      = arena_new(ARENA_MAX);
    struct diagnostics *list = diagnostics_new(arena);
    if (workflow_read(str_from(definition), list, &workflow, NULL) != STATUS_OK) abort();
    arena_free(arena);
    return workflow;
}

static status payload_store(str, uint64_t *ret_payload, void *, struct error *)
{
    *ret_payload = 1;
    return STATUS_OK;
}

static status payload_load(uint64_t payload, str *ret_text, void *, struct error *reterr)
{
    if (payload != 1) return fail(reterr, STATUS_DATA_LOSS, "no such payload");
    *ret_text = str_from("[1]");
    return STATUS_OK;
}

static const struct payload_store payloads = {payload_store, payload_load, NULL};

static void look(const struct run *run, const struct event *event, void *)
{
    struct event_view view = {};
    event_view_make(run, event, &view);
    event_view_done(&view);
}

static bool next_piece(str *rest, bytes *ret_piece)
{
    if (rest->len < LENGTH_SIZE) return false;
    size_t length = u16_from(rest->ptr);
    str piece     = str_slice(*rest, LENGTH_SIZE, LENGTH_SIZE + length);
    *rest         = str_slice(*rest, LENGTH_SIZE + length, rest->len);
    *ret_piece    = bytes_from(piece);
    return true;
}

/* What was taken must be something that a snapshot can hold and give back. */
static void prove(struct run *run)
{
    struct run *again   = NULL;
    struct buf snapshot = buf_init(SNAPSHOT_BYTES_MAX);
    struct run_wait waits[4];
    (void)run_waits(run, waits, ARRAY_LEN(waits));
    (void)run_has_more(run);
    (void)run_memory_bytes(run);
    (void)run_progress_permille(run);
    if (run_snapshot_pack(run, &payloads, &snapshot, NULL) != STATUS_OK) abort();
    if (run_snapshot_unpack(str_from(run_name), workflow_once(), bytes_from(buf_str(&snapshot)),
                            &payloads, &again, NULL) != STATUS_OK) {
        abort();
    }
    ASSERT(run_next_due(run) == run_next_due(again));
    run_free(again);
    buf_done(&snapshot);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0) return 0;
    str rest        = {(const char *)data + 1, size - 1};
    bytes piece     = {};
    struct run *run = NULL;
    if (data[0] & 1 && next_piece(&rest, &piece)) {
        if (run_snapshot_unpack(str_from(run_name), workflow_once(), piece, &payloads, &run,
                                NULL) != STATUS_OK) {
            return 0;
        }
    } else {
        run = run_new(str_from(run_name), workflow_once());
    }
    bool is_good = true;
    while (is_good && next_piece(&rest, &piece)) {
        status code = entry_replay(run, piece, &payloads, look, NULL, NULL);
        ASSERT(code == STATUS_OK || code == STATUS_DATA_LOSS);
        is_good = code == STATUS_OK;
    }
    if (is_good) prove(run);
    run_free(run);
    return 0;
}
