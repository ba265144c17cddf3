/**
 * id: what tutti generates for runs, jobs, approvals and events.
 *
 * 26 characters, Crockford base32 (upper case, without I L O U) of 128 bits:
 * 48-bit Unix milliseconds, 16-bit partition, 32-bit counter, 32 random bits.
 * Ids of one source sort by creation, and every id says which partition owns it.
 */
#ifndef BASE_ID_H
#define BASE_ID_H

#include "base/str.h"

#include <stdbool.h>
#include <stdint.h>

enum { ID_LEN = 26, ID_BYTES = 16 };

struct id {
    char text[ID_LEN + 1];
};

/** State of one source of ids: one per partition engine. Not thread-safe. */
struct id_source {
    uint16_t partition;
    uint32_t counter;
    int64_t last_ms; /* never goes back, whatever the clock does */
};

/** Makes the next id. `random` and `unix_ms` come from the caller, so a seed replays. */
struct id id_next(struct id_source *source, int64_t unix_ms, uint32_t random);

/** Says whether `text` has the form of an id. Lower case is refused. */
bool id_is_valid(str text);

/** The partition of a valid id; the milliseconds of a valid id. */
uint16_t id_partition(str id);
int64_t id_unix_ms(str id);

/** The 16 bytes of a valid id, which sort like its text; and back. */
void id_pack(str id, uint8_t ret_bytes[static ID_BYTES]);
/** Likewise of what may be none: false. */
bool id_try_pack(str id, uint8_t ret_bytes[static ID_BYTES]);
struct id id_unpack(const uint8_t packed[static ID_BYTES]);

#endif
