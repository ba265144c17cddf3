/*
 * JSON documents that escape characters beyond U+FFFF, as many programs write them: a pair of \u
 * escapes, which YAML does not know. They are replaced before libyaml sees them, by the character
 * itself; what follows on that line stands a few columns further left than in the file.
 */
#include "base/utf8.h"
#include "yaml/yaml_internal.h"
#include "json/json_text.h"

enum { ESCAPE_LEN = 6 /* \uXXXX */ };

static int hex_value(char c)
{
    if (c >= '0' && c <= '9') return c - '0';
    if (c >= 'a' && c <= 'f') return c - 'a' + 10;
    if (c >= 'A' && c <= 'F') return c - 'A' + 10;
    return -1;
}

/* The code unit of the escape at the start of `text`, or 0 if there is none. */
static uint32_t unit_at(str text)
{
    if (text.len < ESCAPE_LEN || text.ptr[0] != '\\' || text.ptr[1] != 'u') return 0;
    uint32_t unit = 0;
    for (size_t i = 2; i < ESCAPE_LEN; i++) {
        int digit = hex_value(text.ptr[i]);
        if (digit < 0) return 0;
        unit = unit * 16 + (uint32_t)digit;
    }
    return unit;
}

/* The character of the pair at the start of `text`, or 0 if there is none. */
static uint32_t pair_at(str text)
{
    uint32_t high = unit_at(text);
    if (high < 0xd800 || high >= 0xdc00) return 0;
    uint32_t low = unit_at(str_slice(text, ESCAPE_LEN, text.len));
    if (low < 0xdc00 || low >= 0xe000) return 0;
    return 0x10000 + ((high - 0xd800) << 10) + (low - 0xdc00);
}

static bool is_json(str text)
{
    const struct json_limits limits = {.values_max = YAML_NODES_MAX, .allow_duplicate_keys = true};
    json value                      = json_invalid();
    if (json_parse(text, &limits, &value, NULL, NULL) != STATUS_OK) return false;
    json_unref(value);
    return true;
}

size_t yaml_join_surrogates(char *text, size_t len)
{
    bool has_lower = memmem(text, len, "\\ud", 3) != NULL;
    if (!has_lower && !memmem(text, len, "\\uD", 3)) return len;
    str whole = {.ptr = text, .len = len};
    if (!is_json(whole)) return len; /* elsewhere a backslash may mean another thing */

    size_t to = 0;
    for (size_t from = 0; from < len;) {
        uint32_t character = pair_at(str_slice(whole, from, len));
        if (character != 0) {
            to += utf8_encode(character, text + to);
            from += (size_t)2 * ESCAPE_LEN;
            continue;
        }
        bool is_escape = text[from] == '\\'; /* what it escapes is copied with it */
        text[to++]     = text[from++];
        if (is_escape) text[to++] = text[from++];
    }
    text[to] = '\0';
    return to;
}
