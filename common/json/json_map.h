/** json_map: a value with parts of it changed, at any depth. */
#ifndef JSON_JSON_MAP_H
#define JSON_JSON_MAP_H

#include "json/json.h"

/** What stands in the place of `value`, a text, a number, or a container, which comes before its
 * members; owned by the caller. JSON_INVALID: it stays, and of a container the members come next.
 * `key` is that of the member that the value, or the array around it, is the value of; empty: there
 * is none. */
typedef json json_map_fn(str key, json value, void *context);

/**
 * `value` with its parts replaced as `map` says; keys of objects stay. Parts without a
 * change are shared with `value`, and `value` itself is the result if there is none. Owned.
 */
json json_map_values(json value, json_map_fn *map, void *context);

#endif
