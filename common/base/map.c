/*
 * Entries stand densely in the order they were put; a table of numbers, open-addressed with linear
 * probing, finds them. So a walk is a walk over an array, and its order does not depend on the
 * key of the hash. Removed entries leave holes that the next rebuild closes.
 */
#include "base/map.h"

#include "base/assert.h"
#include "base/mem.h"

#include <endian.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>

enum { SLOTS_MIN = 8, COUNT_LIMIT = 1 << 30 };

static const uint32_t slot_free = UINT32_MAX;
static const uint32_t slot_hole = UINT32_MAX - 1; /* of a removed entry: probing goes on */

struct entry {
    char *key; /* owned; NULL: removed */
    size_t key_len;
    void *value; /* borrowed */
    uint64_t hash;
};

struct sip_key {
    uint64_t k0, k1;
};

struct map {
    struct sip_key key;
    struct entry *entries;
    uint32_t *slots;   /* indexes of `entries` */
    size_t slot_count; /* a power of two, or 0 before the first put */
    size_t filled;     /* entries in use or removed; at most 3/4 of the slots */
    size_t count;
    size_t count_max;
};

/* --- SipHash-1-3 (Aumasson and Bernstein 2012; 1 round a word, 3 at the end) ------------------ */

struct sip {
    uint64_t v0, v1, v2, v3;
};

static inline uint64_t rotate(uint64_t x, unsigned bits)
{
    return x << bits | x >> (64 - bits);
}

static inline void sip_round(struct sip *s)
{
    s->v0 += s->v1;
    s->v1 = rotate(s->v1, 13) ^ s->v0;
    s->v0 = rotate(s->v0, 32);
    s->v2 += s->v3;
    s->v3 = rotate(s->v3, 16) ^ s->v2;
    s->v0 += s->v3;
    s->v3 = rotate(s->v3, 21) ^ s->v0;
    s->v2 += s->v1;
    s->v1 = rotate(s->v1, 17) ^ s->v2;
    s->v2 = rotate(s->v2, 32);
}

static inline void sip_word(struct sip *s, uint64_t word)
{
    s->v3 ^= word;
    sip_round(s);
    s->v0 ^= word;
}

static inline uint64_t word_at(const uint8_t *raw)
{
    uint64_t word;
    memcpy(&word, raw, sizeof word);
    return le64toh(word);
}

/* The kernel hands every process 16 random bytes: a key without a global (getauxval(3)). */
static struct sip_key key_of_process(void)
{
    const uint8_t *random = (const uint8_t *)getauxval(AT_RANDOM);
    ASSERT(random != NULL);
    return (struct sip_key){word_at(random), word_at(random + 8)};
}

static uint64_t hash_under(const struct sip_key *key, const uint8_t *raw, size_t size)
{
    struct sip s = {key->k0 ^ 0x736f6d6570736575u, key->k1 ^ 0x646f72616e646f6du,
                    key->k0 ^ 0x6c7967656e657261u, key->k1 ^ 0x7465646279746573u};

    size_t whole = size - size % 8;
    for (size_t i = 0; i < whole; i += 8) sip_word(&s, word_at(raw + i));
    uint64_t last = (uint64_t)(size & 0xFF) << 56;
    for (size_t i = whole; i < size; i++) last |= (uint64_t)raw[i] << (8 * (i - whole));
    sip_word(&s, last);

    s.v2 ^= 0xFF;
    for (int i = 0; i < 3; i++) sip_round(&s);
    return s.v0 ^ s.v1 ^ s.v2 ^ s.v3;
}

uint64_t hash_bytes(const void *data, size_t size)
{
    const struct sip_key key = key_of_process();
    return hash_under(&key, data, size);
}

/* --- the map ---------------------------------------------------------------------------------- */

struct map *map_new(size_t count_max)
{
    struct map *map = mem_new(1, sizeof *map);
    map->key        = key_of_process();
    map->count_max  = count_max < COUNT_LIMIT ? count_max : COUNT_LIMIT;
    return map;
}

void map_free(struct map *map)
{
    if (!map) return;
    for (size_t i = 0; i < map->filled; i++) free(map->entries[i].key);
    free(map->entries);
    free(map->slots);
    free(map);
}

void map_freep(struct map **map)
{
    map_free(*map);
    *map = NULL;
}

size_t map_count(const struct map *map)
{
    return map->count;
}

static uint64_t hash_of(const struct map *map, str key)
{
    return hash_under(&map->key, (const uint8_t *)key.ptr, key.len);
}

/* Returns the slot of `key`, or slot_count if it is not there. */
static size_t slot_find(const struct map *map, str key, uint64_t hash)
{
    if (map->slot_count == 0) return map->slot_count;
    size_t mask = map->slot_count - 1;
    for (size_t at = (size_t)hash & mask; map->slots[at] != slot_free; at = (at + 1) & mask) {
        if (map->slots[at] == slot_hole) continue;
        const struct entry *entry = &map->entries[map->slots[at]];
        if (entry->hash == hash && str_equal((str){entry->key, entry->key_len}, key)) return at;
    }
    return map->slot_count;
}

static void slot_fill(struct map *map, uint64_t hash, uint32_t index)
{
    size_t mask = map->slot_count - 1;
    size_t at   = (size_t)hash & mask;
    while (map->slots[at] != slot_free) at = (at + 1) & mask;
    map->slots[at] = index;
}

/* Closes the holes, and doubles the table if it would be more than half full without them. */
static void rebuild(struct map *map)
{
    size_t slot_count = map->slot_count ? map->slot_count : SLOTS_MIN;
    if (map->count >= slot_count / 2) slot_count *= 2;

    size_t filled = 0;
    for (size_t i = 0; i < map->filled; i++) {
        if (map->entries[i].key) map->entries[filled++] = map->entries[i];
    }
    ASSERT(filled == map->count);
    map->filled     = filled;
    map->slot_count = slot_count;
    map->entries    = mem_resize(map->entries, slot_count / 4 * 3, sizeof *map->entries);
    map->slots      = mem_resize(map->slots, slot_count, sizeof *map->slots);
    for (size_t i = 0; i < slot_count; i++) map->slots[i] = slot_free;
    for (size_t i = 0; i < filled; i++) slot_fill(map, map->entries[i].hash, (uint32_t)i);
}

void *map_get(const struct map *map, str key)
{
    if (map->count == 0) return NULL;
    size_t at = slot_find(map, key, hash_of(map, key));
    return at < map->slot_count ? map->entries[map->slots[at]].value : NULL;
}

bool map_put(struct map *map, str key, void *value)
{
    ASSERT(value != NULL);
    uint64_t hash = hash_of(map, key);
    size_t at     = slot_find(map, key, hash);
    if (at < map->slot_count) {
        map->entries[map->slots[at]].value = value;
        return true;
    }
    if (map->count >= map->count_max) return false;
    if (map->filled == map->slot_count / 4 * 3) rebuild(map);

    map->entries[map->filled] = (struct entry){
        .key = mem_dup(key.ptr, key.len), .key_len = key.len, .value = value, .hash = hash};
    slot_fill(map, hash, (uint32_t)map->filled);
    map->filled++;
    map->count++;
    return true;
}

void *map_remove(struct map *map, str key)
{
    size_t at = slot_find(map, key, hash_of(map, key));
    if (at == map->slot_count) return NULL;

    struct entry *entry = &map->entries[map->slots[at]];
    void *value         = entry->value;
    free(entry->key);
    entry->key     = NULL;
    map->slots[at] = slot_hole;
    map->count--;
    return value;
}

bool map_next(const struct map *map, size_t *cursor, str *ret_key, void **ret_value)
{
    while (*cursor < map->filled) {
        const struct entry *entry = &map->entries[(*cursor)++];
        if (!entry->key) continue;
        if (ret_key) *ret_key = (str){entry->key, entry->key_len};
        if (ret_value) *ret_value = entry->value;
        return true;
    }
    return false;
}
