#include "llm-proxy/stream/likeness.h"

#include "base/assert.h"
#include "base/utf8.h"

#include <stdio.h>
#include <string.h>

enum { KEY_SIZE_MAX = 64 /* with quotes */ };

void likeness_init(struct likeness *likeness)
{
    *likeness = (struct likeness){.around = buf_init(LIKENESS_SIZE_MAX)};
}

void likeness_done(struct likeness *likeness)
{
    buf_done(&likeness->around);
}

/* In JSON such a text stands for itself. */
static bool is_plain(str text)
{
    for (size_t i = 0; i < text.len; i++) {
        unsigned char c = (unsigned char)text.ptr[i];
        if (c == '"' || c == '\\' || c < ' ') return false;
    }
    return utf8_valid_prefix(text) == text.len;
}

/* What follows the one place in `data` where a key stands. Without escapes it cannot stand inside a
 * text: texts end at the next quote. NULL: there is none, or more than one. */
static const char *behind_key(str data, const char *const *keys)
{
    const char *found = NULL;
    const char *end   = data.ptr + data.len;
    for (; *keys; keys++) {
        char quoted[KEY_SIZE_MAX];
        int len = snprintf(quoted, sizeof quoted, "\"%s\"", *keys);
        ASSERT(len > 0 && (size_t)len < sizeof quoted);
        for (const char *at = data.ptr; at; found = at) {
            at = memmem(at, (size_t)(end - at), quoted, (size_t)len);
            if (!at) break;
            if (found) return NULL;
            at += len;
        }
    }
    return found;
}

bool likeness_learn(struct likeness *likeness, str data, const char *const *keys, str text)
{
    if (data.len - text.len > LIKENESS_SIZE_MAX || text.len == 0 || !is_plain(text) ||
        memchr(data.ptr, '\\', data.len)) {
        return false;
    }
    const char *at = behind_key(data, keys);
    if (!at) return false;
    size_t before = (size_t)(at - data.ptr) + 2;
    str behind    = str_slice(data, before + text.len, data.len);
    bool is_there = behind.len > 0 && memcmp(at, ":\"", 2) == 0 && *behind.ptr == '"' &&
                    str_equal(str_slice(data, before, before + text.len), text);
    if (!is_there) return false;
    buf_clear(&likeness->around);
    likeness->before = before;
    return buf_put(&likeness->around, data.ptr, before) && buf_put_str(&likeness->around, behind);
}

bool likeness_find(const struct likeness *likeness, str data, str *ret_text)
{
    const struct buf *around = &likeness->around;
    size_t before            = likeness->before;
    size_t behind            = around->len - before;
    if (around->len == 0 || data.len <= around->len) return false;
    if (memcmp(data.ptr, around->ptr, before) != 0 ||
        memcmp(data.ptr + data.len - behind, around->ptr + before, behind) != 0) {
        return false;
    }
    *ret_text = str_slice(data, before, data.len - behind);
    return is_plain(*ret_text);
}
