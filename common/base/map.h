/**
 * map: a hash map from byte strings to pointers.
 *
 * Keys are copied, values are borrowed (the owner frees them). Keyed SipHash-1-3, so that names
 * chosen by an attacker do not collide. Open addressing; at most `count_max` entries.
 * Not thread-safe.
 */
#ifndef BASE_MAP_H
#define BASE_MAP_H

#include "base/str.h"

#include <stdbool.h>
#include <stdint.h>

struct map;

/** Owned: map_free(). */
struct map *map_new(size_t count_max);
void map_free(struct map *map);
void map_freep(struct map **map);

size_t map_count(const struct map *map);

/** Returns the value, or NULL. */
void *map_get(const struct map *map, str key);

/** Sets `value` (not NULL) and returns true; false if the map is full. */
bool map_put(struct map *map, str key, void *value);

/** Removes and returns the value, or NULL if there was none. */
void *map_remove(struct map *map, str key);

/** Walks all entries in no order: start with `*cursor` = 0; false at the end.
 * Removing the entry just returned is allowed, putting is not. */
bool map_next(const struct map *map, size_t *cursor, str *ret_key, void **ret_value);

/** SipHash-1-3 under a key drawn at process start. For tables in memory, never for disk. */
uint64_t hash_bytes(const void *data, size_t size);

#endif
