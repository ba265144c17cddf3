/* Texts: counted, valid UTF-8, NUL-terminated. */
#include "base/map.h"
#include "base/mem.h"
#include "base/utf8.h"
#include "json/json_internal.h"

static inline size_t size_of(size_t capacity)
{
    return sizeof(struct json_text) + capacity + 1;
}

static inline struct json_text *node_with(size_t capacity)
{
    ASSERT(capacity <= JSON_TEXT_LEN_MAX);
    struct json_text *text = json_node_new(size_of(capacity));
    text->refs             = 1;
    text->hash             = 0;
    text->len              = 0;
    text->capacity         = (uint32_t)capacity;
    return text;
}

static inline void put(struct json_text *text, str more)
{
    if (more.ptr && more.len > 0) memcpy(text->bytes + text->len, more.ptr, more.len);
    text->len += (uint32_t)more.len;
    text->bytes[text->len] = '\0';
}

static inline struct json_text *copy_of(str text)
{
    struct json_text *node = node_with(text.len);
    json_copy_bytes(node->bytes, text.ptr, text.len);
    node->len             = (uint32_t)text.len;
    node->bytes[text.len] = '\0';
    return node;
}

struct json_text *json_text_node_new(str text)
{
    return copy_of(text);
}

static bool is_in_block(const struct json_text *text)
{
    return (text->capacity & JSON_TEXT_IN_BLOCK) != 0;
}

static size_t capacity_of(const struct json_text *text)
{
    return is_in_block(text) ? text->len : text->capacity;
}

void json_text_node_free(struct json_text *text)
{
    json_text_node_bury(text);
}

json json_text_with_capacity(size_t capacity)
{
    struct json_text *node = node_with(capacity);
    node->bytes[0]         = '\0';
    return json_from_text(node);
}

uint32_t json_hash(str text)
{
    uint32_t hash = (uint32_t)hash_bytes(text.ptr, text.len);
    return hash ? hash : 1;
}

json json_text_new(str text)
{
    return json_from_text(copy_of(text));
}

json json_text_from(const char *text)
{
    return json_text_new(str_from(text));
}

json json_text_lossy(str raw)
{
    json text = json_from_text(node_with(raw.len));
    for (;;) {
        size_t valid = utf8_valid_prefix(raw);
        json_text_append(&text, str_slice(raw, 0, valid));
        if (valid == raw.len) return text;
        json_text_append(&text, str_from("\xef\xbf\xbd"));
        raw = str_slice(raw, valid + 1, raw.len);
    }
}

str json_str(json text)
{
    ASSERT(text.kind == JSON_TEXT);
    return json_text_view(text.text);
}

/* Doubles while it is small, so that appending byte by byte stays linear, and grows by a quarter
 * when it is large, so that a budget is not half air. */
static size_t grown(size_t capacity, size_t needed)
{
    enum { SMALL = 1 << 20 }; /* bytes */
    size_t next = capacity < SMALL ? capacity * 2 : capacity + capacity / 4;
    return next > needed && next <= JSON_TEXT_LEN_MAX ? next : needed;
}

void json_text_append(json *text, str more)
{
    ASSERT(text->kind == JSON_TEXT);
    ASSERT(more.len <= JSON_TEXT_LEN_MAX);
    if (more.len == 0) return;

    struct json_text *node = text->text;
    size_t needed          = node->len + more.len;
    if (node->refs != 1 || needed > capacity_of(node)) {
        /* A new node, not a bigger one: `more` may be a view of the old. */
        struct json_text *next = node_with(grown(node->len, needed));
        put(next, json_text_view(node));
        put(next, more);
        json_text_node_unref(node);
        text->text = next;
        return;
    }
    put(node, more);
    node->hash = 0;
}
