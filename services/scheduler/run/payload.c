#include "scheduler/run/payload.h"

#include "base/assert.h"
#include "base/hash.h"
#include "base/mem.h"

#include <stdlib.h>

enum { CAPACITY_MIN = 16 };

void payload_hash(str text, uint8_t ret_hash[static PAYLOAD_HASH_SIZE])
{
    uint8_t digest[SHA256_SIZE];
    sha256(bytes_from(text), digest);
    memcpy(ret_hash, digest, PAYLOAD_HASH_SIZE);
}

/* The hash is a cryptographic one, so its first bytes are as good a place as any. */
static struct payload_ref *place_of(const struct payload_index *index, const uint8_t *hash)
{
    uint32_t start;
    memcpy(&start, hash, sizeof start);
    for (uint32_t i = 0; i < index->capacity; i++) {
        struct payload_ref *ref = &index->refs[(start + i) & (index->capacity - 1)];
        if (ref->payload == 0 || memcmp(ref->hash, hash, PAYLOAD_HASH_SIZE) == 0) return ref;
    }
    return NULL;
}

uint64_t payload_find(const struct payload_index *index,
                      const uint8_t hash[static PAYLOAD_HASH_SIZE])
{
    const struct payload_ref *ref = place_of(index, hash);
    return ref ? ref->payload : 0;
}

static void grow(struct payload_index *index)
{
    struct payload_index bigger = {
        .capacity = index->capacity ? index->capacity * 2 : CAPACITY_MIN,
        .count    = index->count,
    };
    bigger.refs = mem_new(bigger.capacity, sizeof *bigger.refs);
    for (uint32_t i = 0; i < index->capacity; i++) {
        if (index->refs[i].payload == 0) continue;
        *place_of(&bigger, index->refs[i].hash) = index->refs[i];
    }
    free(index->refs);
    *index = bigger;
}

void payload_add(struct payload_index *index, const uint8_t hash[static PAYLOAD_HASH_SIZE],
                 uint64_t payload)
{
    ASSERT(payload != 0);
    if (index->count >= index->capacity / 4 * 3) grow(index);
    struct payload_ref *ref = place_of(index, hash);
    ASSERT(ref);
    if (ref->payload != 0) return;
    memcpy(ref->hash, hash, PAYLOAD_HASH_SIZE);
    ref->payload = payload;
    index->count++;
}

void payload_index_done(struct payload_index *index)
{
    free(index->refs);
    *index = (struct payload_index){};
}
