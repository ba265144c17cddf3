/**
 * json_text: JSON documents (RFC 8259) to values and back.
 *
 * Strict: no comments, no trailing commas, no NaN, no BOM, nothing after the value; duplicate keys
 * are refused unless allowed (then the last one counts). A lone surrogate in an escape is refused.
 */
#ifndef JSON_JSON_TEXT_H
#define JSON_JSON_TEXT_H

#include "base/buf.h"
#include "base/status.h"
#include "json/json.h"

struct json_limits {
    uint32_t depth_max;  /* 0: 64, the API's limit */
    uint32_t values_max; /* 0: 100,000, the API's limit */
    bool allow_duplicate_keys;
    bool replace_lone_surrogates; /* by U+FFFD, as jq's fromjson does, instead of refusing */
    bool allow_nan;               /* `nan` and `NaN`, as jq's fromjson does */
};

/** Where and why a text is not JSON. */
struct json_fault {
    size_t offset;   /* bytes */
    uint32_t line;   /* from 1 */
    uint32_t column; /* from 1, in bytes */
};

/**
 * Parses one document. `limits` NULL: the API's. `ret_fault` may be NULL. `*ret_value` is owned.
 * Fails with INVALID_ARGUMENT (not JSON) or RESOURCE_EXHAUSTED (a limit, or the meter in force);
 * both with code "invalid_json", and the text says where and what was expected.
 */
status json_parse(str text, const struct json_limits *limits, json *ret_value,
                  struct json_fault *ret_fault, struct error *reterr);

/** The same for a text that may hold more than JSON: code fences or prose around it. If it is not
 * JSON as a whole, its first complete object or array counts. INVALID_ARGUMENT: it has none. */
status json_parse_within(str text, const struct json_limits *limits, json *ret_value,
                         struct error *reterr);

/** Length of the first complete value at the start of `text` (leading blanks included); 0 if there
 * is none. For finding a JSON value inside other text. */
size_t json_prefix(str text);

enum json_style {
    JSON_COMPACT,
    JSON_PRETTY, /* two blanks per level */
    JSON_SORTED, /* compact, members in code point order: canonical, for hashes */
};

/**
 * Appends `value` as JSON. Doubles are printed with the fewest digits that read back the same;
 * whole ones below 1e17 without exponent or fraction. NaN prints as null, infinities as the largest
 * double, as jq does. No recursion. Returns false if `out` is full.
 */
bool json_print(json value, enum json_style style, struct buf *out);

/** Compact; what stands deeper than `depth_max` levels becomes jq's `<skipped: too deep>`, which is
 * no JSON: for expressions, which have jq's limits. */
bool json_print_within(json value, uint32_t depth_max, struct buf *out);

/** Appends one text in quotes with escapes; a number as json_print() does. */
bool json_print_text(str text, struct buf *out);
bool json_print_number(json number, struct buf *out);

/** The value as compact JSON text; a new text value. For tojson and messages. JSON_INVALID if it
 * does not fit the meter in force, or 2 GiB. */
json json_to_text_new(json value);

/** A tree of its own, by way of its text: it shares nothing with `value`, of which parts may be
 * frozen and end earlier. JSON_INVALID: as json_to_text_new(). */
json json_copy_new(json value);

#endif
