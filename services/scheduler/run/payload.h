/**
 * payload: which contents of a run have been stored already, so that each is stored once.
 *
 * A table from the first 16 bytes of SHA-256 to the payload's number. It is kept with the run: the
 * journal names both with every reference, and so a rebuilt run knows them too.
 */
#ifndef SCHEDULER_PAYLOAD_H
#define SCHEDULER_PAYLOAD_H

#include "base/str.h"

#include <stddef.h>
#include <stdint.h>

enum { PAYLOAD_HASH_SIZE = 16 };

struct payload_ref {
    uint8_t hash[PAYLOAD_HASH_SIZE];
    uint64_t payload; /* 0: a free place */
};

struct payload_index {
    struct payload_ref *refs;
    uint32_t count, capacity; /* capacity: a power of two, or 0 */
};

void payload_hash(str text, uint8_t ret_hash[static PAYLOAD_HASH_SIZE]);

/** The number of the content; 0: not stored yet. */
uint64_t payload_find(const struct payload_index *index,
                      const uint8_t hash[static PAYLOAD_HASH_SIZE]);
/** Knows one content more; one that is known already stays as it is. */
void payload_add(struct payload_index *index, const uint8_t hash[static PAYLOAD_HASH_SIZE],
                 uint64_t payload);
void payload_index_done(struct payload_index *index);

#endif
