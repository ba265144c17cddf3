/* The state of one json_parse(), shared by parse.c (structure) and parse_text.c (texts, keys). */
#ifndef JSON_PARSE_INTERNAL_H
#define JSON_PARSE_INTERNAL_H

#include "base/status.h"
#include "json/json_internal.h"
#include "json/json_text.h"

enum {
    SHARED_KEYS  = 256, /* slots of the cache of keys; a power of two */
    FIRST_VALUES = 64,  /* that need no memory, nor do these: */
    FIRST_LEVELS = 16,
};

struct parser_level {
    size_t base; /* of its members among the values */
    bool is_object;
};

struct parser {
    const char *start;
    const char *at;
    const char *end;
    struct json_limits limits;
    size_t values_made;

    json *values; /* `first_values`, or owned; and each of them is owned */
    size_t value_count;
    size_t value_capacity;
    struct parser_level *levels; /* `first_levels`, or owned */
    size_t level_count;
    size_t level_capacity;

    char *scratch; /* owned; a text with escapes while it is decoded */
    size_t scratch_capacity;
    uint64_t used_keys[SHARED_KEYS / 64]; /* a bit for each of `keys` that is one */

    const char *fault_at;
    const char *fault; /* static */

    /* All that follows is written before it is read. */
    json first_values[FIRST_VALUES];
    struct parser_level first_levels[FIRST_LEVELS];
    struct json_text *keys[SHARED_KEYS]; /* owned: seen before */
};

/** Notes where and why the text is not JSON. `fault` is static. */
status parser_refuse(struct parser *parser, const char *at, const char *fault);

/** Reads the text whose quote is at parser->at. A view until the next text. */
status parser_read_text(struct parser *parser, str *ret_text);

/** The text for a key: the one made before, if it was seen a short while ago. Owned. */
struct json_text *parser_key(struct parser *parser, str key);

/** Frees what parser_read_text() and parser_key() keep. */
void parser_done_texts(struct parser *parser);

#endif
