/* JSON pointers (RFC 6901). */
#include "json/json_pointer.h"

#include "json/json_internal.h"

enum { INDEX_DIGITS_MAX = 9 }; /* more than any array has */

/* An index as RFC 6901 writes it: no sign, no leading zero. */
static bool index_parse(str token, size_t *ret_index)
{
    if (token.len == 0 || token.len > INDEX_DIGITS_MAX) return false;
    if (token.len > 1 && token.ptr[0] == '0') return false;
    size_t index = 0;
    for (size_t i = 0; i < token.len; i++) {
        if (token.ptr[i] < '0' || token.ptr[i] > '9') return false;
        index = index * 10 + (size_t)(token.ptr[i] - '0');
    }
    *ret_index = index;
    return true;
}

/* Undoes ~0 and ~1; false if another character follows a ~. */
static bool unescape(str token, struct buf *name)
{
    buf_clear(name);
    for (size_t i = 0; i < token.len; i++) {
        char c = token.ptr[i];
        if (c == '~') {
            char code = ++i < token.len ? token.ptr[i] : '\0';
            if (code != '0' && code != '1') return false;
            c = '~';
            if (code == '1') c = '/';
        }
        (void)buf_put_byte(name, c); /* not longer than the token, which is its limit */
    }
    return true;
}

static json member_of(json object, str token)
{
    if (token.len == 0 || !memchr(token.ptr, '~', token.len)) return json_get(object, token);
    CLEANUP(buf_done) struct buf name = buf_init(token.len);
    return unescape(token, &name) ? json_get(object, buf_str(&name)) : json_invalid();
}

json json_pointer_get(json root, str pointer)
{
    json value  = root;
    size_t from = 0;
    while (from < pointer.len) {
        if (pointer.ptr[from] != '/') return json_invalid();
        size_t to = from + 1;
        while (to < pointer.len && pointer.ptr[to] != '/') to++;
        str token    = str_slice(pointer, from + 1, to);
        size_t index = 0;
        if (value.kind == JSON_OBJECT) {
            value = member_of(value, token);
        } else if (index_parse(token, &index)) {
            value = json_at(value, index);
        } else {
            value = json_invalid();
        }
        if (value.kind == JSON_INVALID) return value;
        from = to;
    }
    return value;
}

bool json_pointer_add(struct buf *pointer, str name)
{
    (void)buf_put_byte(pointer, '/');
    size_t from = 0;
    for (size_t i = 0; i < name.len; i++) {
        if (name.ptr[i] != '~' && name.ptr[i] != '/') continue;
        (void)buf_put_str(pointer, str_slice(name, from, i));
        (void)buf_put(pointer, name.ptr[i] == '~' ? "~0" : "~1", 2);
        from = i + 1;
    }
    return buf_put_str(pointer, str_slice(name, from, name.len));
}

bool json_pointer_add_index(struct buf *pointer, size_t index)
{
    return buf_printf(pointer, "/%zu", index);
}
