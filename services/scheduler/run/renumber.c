#include "scheduler/run/renumber.h"

#include "scheduler/run/event_codec.h"
#include "scheduler/run/state.h"
#include "scheduler/run/wire.h"

static status put_ref(const struct wire_reader *reader, const struct renumbering *numbers,
                      struct wire_writer *writer, struct error *reterr)
{
    uint64_t payload = 0;
    str hash         = {};
    TRY(wire_look_at_ref(reader, &payload, &hash, reterr));
    const uint8_t *digest = (const uint8_t *)hash.ptr;
    TRY(numbers->payload(payload, digest, &payload, numbers->context, reterr));
    wire_put_ref(writer, reader->number, payload, digest);
    return STATUS_OK;
}

static status put_event(str event, const struct renumbering *numbers, struct wire_writer *writer,
                        struct error *reterr)
{
    struct wire_reader reader = {.rest = event};
    for (bool more = true;;) {
        TRY(wire_next(&reader, &more, reterr));
        if (!more) return STATUS_OK;
        if (!reader.is_bytes) {
            wire_put_uint(writer, reader.number, reader.value);
        } else if (event_field_is_ref(reader.number)) {
            TRY(put_ref(&reader, numbers, writer, reterr));
        } else {
            wire_put_bytes(writer, reader.number, reader.data);
        }
    }
}

status entry_renumber(bytes entry, const struct renumbering *numbers, struct buf *out,
                      struct error *reterr)
{
    struct wire_reader reader          = {.rest = {entry.ptr, entry.len}};
    CLEANUP(buf_done) struct buf event = buf_init(ENTRY_MAX);
    struct wire_writer writer          = {.out = out};
    struct wire_writer inner           = {.out = &event};
    for (bool more = true;;) {
        TRY(wire_next(&reader, &more, reterr));
        if (!more) break;
        if (reader.number == ENTRY_PREVIOUS_FIELD) continue;
        if (!reader.is_bytes) {
            wire_put_uint(&writer, reader.number, reader.value);
        } else if (entry_field_is_event(reader.number)) {
            buf_clear(&event);
            TRY(put_event(reader.data, numbers, &inner, reterr));
            wire_put_bytes(&writer, reader.number, buf_str(&event));
        } else {
            wire_put_bytes(&writer, reader.number, reader.data);
        }
        if (reader.number == ENTRY_RUN_FIELD && numbers->previous != 0) {
            wire_put_uint(&writer, ENTRY_PREVIOUS_FIELD, numbers->previous);
        }
    }
    if (!out->is_full && !event.is_full) return STATUS_OK;
    return fail(reterr, STATUS_RESOURCE_EXHAUSTED, "an entry is too long");
}

void run_renumber_payloads(struct run *run, uint64_t base)
{
    for (uint32_t i = 0; i < run->payloads.capacity; i++) {
        struct payload_ref *ref = &run->payloads.refs[i];
        if (ref->payload != 0) ref->payload += base;
    }
}
