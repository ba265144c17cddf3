/* Texts of a JSON document: escapes, UTF-8, and the cache that lets equal keys share one text. */
#include "base/mem.h"
#include "base/utf8.h"
#include "json/parse_internal.h"

#include <stdlib.h>

enum {
    SHARED_KEY_LEN = 40, /* bytes; longer keys are rarely repeated */
    ESCAPE_LEN     = 6,  /* \uXXXX */
};

void parser_done_texts(struct parser *parser)
{
    for (size_t i = 0; i < SHARED_KEYS / 64; i++) {
        for (uint64_t left = parser->used_keys[i]; left != 0; left &= left - 1) {
            json_text_node_unref(parser->keys[64 * i + (size_t)__builtin_ctzll(left)]);
        }
    }
    free(parser->scratch);
}

/* --- texts -------------------------------------------------------------------------------------
 */

/* Moves over characters that stand for themselves, DEL among them; `*high` collects their bits. */
static const char *plain_end(const char *at, const char *end, uint64_t *high)
{
    at += json_plain_len(at, end, high);
    while (at < end && *at == 0x7f) at += 1 + json_plain_len(at + 1, end, high);
    return at;
}

static int hex_value(char c)
{
    if (c >= '0' && c <= '9') return c - '0';
    if (c >= 'a' && c <= 'f') return c - 'a' + 10;
    if (c >= 'A' && c <= 'F') return c - 'A' + 10;
    return -1;
}

/* The code unit of the escape \uXXXX at `at`, or -1. */
static int32_t unit_at(const char *at, const char *end)
{
    if (end - at < ESCAPE_LEN || at[0] != '\\' || at[1] != 'u') return -1;
    int32_t unit = 0;
    for (int i = 2; i < ESCAPE_LEN; i++) {
        int digit = hex_value(at[i]);
        if (digit < 0) return -1;
        unit = unit * 16 + digit;
    }
    return unit;
}

static bool is_high_surrogate(int32_t unit)
{
    return unit >= 0xd800 && unit < 0xdc00;
}

static bool is_low_surrogate(int32_t unit)
{
    return unit >= 0xdc00 && unit < 0xe000;
}

/* Decodes \uXXXX, two of them if they are a pair, at parser->at. */
static status unit_escape(struct parser *parser, char **to)
{
    const char *at = parser->at;
    int32_t unit   = unit_at(at, parser->end);
    if (unit < 0) return parser_refuse(parser, at, "an escape \\u takes four hexadecimal digits");
    uint32_t code = (uint32_t)unit;
    parser->at += ESCAPE_LEN;
    if (is_high_surrogate(unit) || is_low_surrogate(unit)) {
        int32_t low = is_high_surrogate(unit) ? unit_at(parser->at, parser->end) : -1;
        if (is_low_surrogate(low)) {
            code = 0x10000 + (((uint32_t)unit - 0xd800) << 10) + ((uint32_t)low - 0xdc00);
            parser->at += ESCAPE_LEN;
        } else if (!parser->limits.replace_lone_surrogates) {
            return parser_refuse(parser, at, "half a surrogate pair");
        } /* else utf8_encode() writes U+FFFD for it */
    }
    *to += utf8_encode(code, *to);
    return STATUS_OK;
}

static status escape(struct parser *parser, char **to)
{
    static const char names[]  = "\"\\/bfnrtu";
    static const char values[] = "\"\\/\b\f\n\r\t";

    const char *at = parser->at;
    if (parser->end - at < 2) return parser_refuse(parser, parser->end, "the text is not closed");
    const char *name = at[1] ? strchr(names, at[1]) : NULL;
    if (!name) {
        return parser_refuse(parser, at, "no such escape; the letters are \" \\ / b f n r t u");
    }
    if (*name == 'u') return unit_escape(parser, to);
    *(*to)++ = values[name - names];
    parser->at += 2;
    return STATUS_OK;
}

/* Appends to the text that is being decoded, and leaves room for one more character. */
static void scratch_put(struct parser *parser, size_t *len, const char *from, const char *to)
{
    size_t more   = (size_t)(to - from);
    size_t needed = *len + more + UTF8_BYTES_MAX;
    if (needed > parser->scratch_capacity) {
        parser->scratch_capacity = needed * 2;
        parser->scratch          = mem_resize(parser->scratch, 1, parser->scratch_capacity);
    }
    memcpy(parser->scratch + *len, from, more);
    *len += more;
}

/* Decodes the text that begins at `from` and whose first escape is at parser->at. */
static status decode(struct parser *parser, const char *from, uint64_t *high, str *ret_text)
{
    size_t len = 0;
    scratch_put(parser, &len, from, parser->at);
    while (parser->at < parser->end && *parser->at == '\\') {
        char *out = parser->scratch + len;
        TRY(escape(parser, &out));
        len              = (size_t)(out - parser->scratch);
        const char *next = parser->at;
        parser->at       = plain_end(next, parser->end, high);
        scratch_put(parser, &len, next, parser->at);
    }
    *ret_text = (str){.ptr = parser->scratch, .len = len};
    return STATUS_OK;
}

status parser_read_text(struct parser *parser, str *ret_text)
{
    const uint64_t highs = 0x8080808080808080;
    uint64_t high        = 0;
    const char *from     = parser->at + 1;
    parser->at           = plain_end(from, parser->end, &high);
    *ret_text            = (str){.ptr = from, .len = (size_t)(parser->at - from)};
    if (parser->at < parser->end && *parser->at == '\\') {
        TRY(decode(parser, from, &high, ret_text));
    }
    if (parser->at == parser->end) {
        return parser_refuse(parser, parser->at, "the text is not closed");
    }
    if (*parser->at != '"') {
        return parser_refuse(parser, parser->at,
                             "a control character in a text is written as an escape");
    }
    if (high & highs) {
        str raw      = {.ptr = from, .len = (size_t)(parser->at - from)};
        size_t valid = utf8_valid_prefix(raw);
        if (valid != raw.len) return parser_refuse(parser, from + valid, "not UTF-8");
    }
    parser->at++;
    return STATUS_OK;
}

/* Of its length, its first bytes and its last ones: a collision costs one allocation, no more. */
static size_t key_slot(str key)
{
    const uint64_t odd = 0x9e3779b97f4a7c15; /* Knuth's multiplier */
    uint64_t mixed     = key.len;
    if (key.len >= sizeof(uint64_t)) {
        uint64_t ends[2];
        memcpy(&ends[0], key.ptr, sizeof ends[0]);
        memcpy(&ends[1], key.ptr + key.len - sizeof ends[1], sizeof ends[1]);
        mixed = ((mixed ^ ends[0]) * odd) ^ ends[1];
    } else {
        for (size_t i = 0; i < key.len; i++) mixed = mixed << 8 | (unsigned char)key.ptr[i];
    }
    return (size_t)((mixed * odd) >> 32) % SHARED_KEYS;
}

struct json_text *parser_key(struct parser *parser, str key)
{
    if (key.len > SHARED_KEY_LEN) return json_text_node_new(key);
    size_t at               = key_slot(key);
    struct json_text **slot = &parser->keys[at];
    uint64_t bit            = UINT64_C(1) << at % 64;
    bool is_used            = parser->used_keys[at / 64] & bit;
    if (!is_used || !json_is_key(*slot, key)) {
        if (is_used) json_text_node_unref(*slot);
        *slot = json_text_node_new(key);
        parser->used_keys[at / 64] |= bit;
    }
    json_text_node_ref(*slot);
    return *slot;
}
