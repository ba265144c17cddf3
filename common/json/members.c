#include "json/json_members.h"

#include "json/json_internal.h"

static size_t skip_space(str text, size_t at)
{
    while (at < text.len && (text.ptr[at] == ' ' || text.ptr[at] == '\t' || text.ptr[at] == '\n' ||
                             text.ptr[at] == '\r')) {
        at++;
    }
    return at;
}

/* Behind the text that begins at `at`, a quote. */
static size_t skip_text(str text, size_t at)
{
    uint64_t ignored = 0;
    for (at++; at < text.len; at++) {
        at += json_plain_len(text.ptr + at, text.ptr + text.len, &ignored);
        if (at == text.len || text.ptr[at] == '"') break;
        if (text.ptr[at] == '\\') at++;
    }
    return at < text.len ? at + 1 : text.len;
}

/* Behind the array or object that begins at `at`. */
static size_t skip_nested(str text, size_t at)
{
    size_t depth = 0;
    while (at < text.len) {
        char c = text.ptr[at];
        if (c == '"') {
            at = skip_text(text, at);
            continue;
        }
        if (c == '{' || c == '[') depth++;
        if (c == '}' || c == ']') depth--;
        at++;
        if (depth == 0) break;
    }
    return at;
}

static bool ends_word(char c)
{
    return c == ',' || c == '}' || c == ']' || c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

static size_t skip_value(str text, size_t at)
{
    if (at == text.len) return at;
    if (text.ptr[at] == '"') return skip_text(text, at);
    if (text.ptr[at] == '{' || text.ptr[at] == '[') return skip_nested(text, at);
    while (at < text.len && !ends_word(text.ptr[at])) at++;
    return at;
}

bool json_members_next(str object, size_t *cursor, str *ret_value)
{
    size_t at = skip_space(object, *cursor);
    if (at == object.len || object.ptr[at] != (*cursor == 0 ? '{' : ',')) return false;
    at = skip_space(object, at + 1);
    if (at == object.len || object.ptr[at] != '"') return false;
    at = skip_space(object, skip_text(object, at));
    if (at == object.len || object.ptr[at] != ':') return false;
    size_t from = skip_space(object, at + 1);
    *cursor     = skip_value(object, from);
    *ret_value  = str_slice(object, from, *cursor);
    return *cursor > from;
}
