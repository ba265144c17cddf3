/**
 * hint: the bytes of a hint, and who is missing some. Pure.
 *
 *   magic u16 0x5448, version u8, 0 u8, partition u16, 0 u16, publisher u64, sequence u64, payload
 */
#ifndef RPC_HINT_H
#define RPC_HINT_H

#include "base/status.h"
#include "base/str.h"
#include "rpc/rpc_hint.h"

#include <stdint.h>

enum { HINT_HEADER_SIZE = 24 /* bytes */ };

struct hint {
    uint16_t partition;
    uint64_t publisher; /* random per start */
    uint64_t sequence;  /* 1, 2, 3, ... */
    bytes payload;      /* a view */
};

void hint_header_encode(const struct hint *hint, uint8_t ret_bytes[static HINT_HEADER_SIZE]);

/** INVALID_ARGUMENT: not a hint. */
status hint_decode(bytes message, struct hint *ret_hint, struct error *reterr);

/** What a subscriber knows of its publishers. Not thread-safe. Starts zeroed. */
struct hint_track {
    struct {
        uint64_t publisher;
        uint64_t next;
        uint64_t used; /* when, on a count of hints; 0: free */
    } entries[RPC_HINT_PUBLISHERS_MAX];
    uint64_t count;
};

/** Notes a hint; returns how many before it are missing. A publisher's first hint misses none. */
uint64_t hint_track_note(struct hint_track *track, const struct hint *hint);

#endif
