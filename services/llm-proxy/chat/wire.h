/** wire: members of JSON objects, as readers of foreign protocols want them: absent and of another
 * type are the same. */
#ifndef LLM_PROXY_WIRE_H
#define LLM_PROXY_WIRE_H

#include "json/json.h"

/** The text at `key`; empty if there is none. A view. */
static inline str wire_text(json object, const char *key)
{
    json value = json_get_text(object, key);
    return json_is(value, JSON_TEXT) ? json_str(value) : (str){};
}

/** The whole number at `key`; -1 if there is none. */
static inline int64_t wire_count(json object, const char *key)
{
    int64_t value = -1;
    return json_to_int(json_get_text(object, key), &value) ? value : -1;
}

static inline bool wire_is_true(json object, const char *key)
{
    return json_is(json_get_text(object, key), JSON_TRUE);
}

/** Says whether there is a value that is not null. */
static inline bool wire_has(json object, const char *key)
{
    json value = json_get_text(object, key);
    return !json_is(value, JSON_INVALID) && !json_is(value, JSON_NULL);
}

#endif
