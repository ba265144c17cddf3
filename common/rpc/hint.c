#include "rpc/hint.h"

#include "base/buf.h"

enum { HINT_MAGIC = 0x5448, HINT_VERSION = 1 };

static void put(uint8_t *at, uint64_t value, unsigned size)
{
    for (unsigned i = 0; i < size; i++) at[i] = (uint8_t)(value >> (8 * (size - 1 - i)));
}

void hint_header_encode(const struct hint *hint, uint8_t ret_bytes[static HINT_HEADER_SIZE])
{
    put(ret_bytes, HINT_MAGIC, 2);
    put(ret_bytes + 2, HINT_VERSION, 1);
    put(ret_bytes + 3, 0, 1);
    put(ret_bytes + 4, hint->partition, 2);
    put(ret_bytes + 6, 0, 2);
    put(ret_bytes + 8, hint->publisher, 8);
    put(ret_bytes + 16, hint->sequence, 8);
}

status hint_decode(bytes message, struct hint *ret_hint, struct error *reterr)
{
    const uint8_t *at = message.ptr;
    if (message.len < HINT_HEADER_SIZE || message.len > HINT_HEADER_SIZE + RPC_HINT_SIZE_MAX) {
        return fail(reterr, STATUS_INVALID_ARGUMENT, "hint: %zu bytes", message.len);
    }
    if (u16_from(at) != HINT_MAGIC || at[2] != HINT_VERSION) {
        return fail(reterr, STATUS_INVALID_ARGUMENT, "hint: not one of ours");
    }
    *ret_hint = (struct hint){
        .partition = u16_from(at + 4),
        .publisher = u64_from(at + 8),
        .sequence  = u64_from(at + 16),
        .payload   = {at + HINT_HEADER_SIZE, message.len - HINT_HEADER_SIZE},
    };
    return STATUS_OK;
}

uint64_t hint_track_note(struct hint_track *track, const struct hint *hint)
{
    unsigned oldest = 0;
    track->count++;
    for (unsigned i = 0; i < RPC_HINT_PUBLISHERS_MAX; i++) {
        if (track->entries[i].used == 0 || track->entries[i].publisher != hint->publisher) {
            if (track->entries[i].used < track->entries[oldest].used) oldest = i;
            continue;
        }
        uint64_t next = track->entries[i].next;
        if (hint->sequence < next) return 0; /* late or twice */
        track->entries[i].used = track->count;
        track->entries[i].next = hint->sequence + 1;
        return hint->sequence - next;
    }
    track->entries[oldest].publisher = hint->publisher;
    track->entries[oldest].next      = hint->sequence + 1;
    track->entries[oldest].used      = track->count;
    return 0;
}
