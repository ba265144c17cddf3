/* Values to JSON text, without recursion. */
#include "json/json_internal.h"
#include "json/json_text.h"

#include <math.h>

/* buf_put_byte() and buf_put(), inline where there is room. */
static inline void put_byte(struct buf *out, char byte)
{
    if (!out->is_full && out->len + 1 < out->capacity) {
        out->ptr[out->len++] = byte;
        out->ptr[out->len]   = '\0';
    } else {
        (void)buf_put_byte(out, byte);
    }
}

static inline void put(struct buf *out, const char *data, size_t size)
{
    if (!out->is_full && out->len + size < out->capacity) {
        memcpy(out->ptr + out->len, data, size);
        out->len += size;
        out->ptr[out->len] = '\0';
    } else {
        (void)buf_put(out, data, size);
    }
}

/* How a byte below 0x20, a quote, a backslash or DEL is written. */
static bool put_escape(char c, struct buf *out)
{
    switch (c) {
    case '"': return buf_put(out, "\\\"", 2);
    case '\\': return buf_put(out, "\\\\", 2);
    case '\b': return buf_put(out, "\\b", 2);
    case '\f': return buf_put(out, "\\f", 2);
    case '\n': return buf_put(out, "\\n", 2);
    case '\r': return buf_put(out, "\\r", 2);
    case '\t': return buf_put(out, "\\t", 2);
    default: break;
    }
    static const char hex[] = "0123456789abcdef";
    char escape[]           = "\\u0000";
    escape[4]               = hex[(unsigned char)c >> 4];
    escape[5]               = hex[(unsigned char)c & 15];
    return buf_put(out, escape, 6);
}

bool json_print_text(str text, struct buf *out)
{
    put_byte(out, '"'); /* what did not fit shows in the last append */
    if (text.len == 0) text.ptr = "";
    for (;;) {
        uint64_t ignored = 0;
        size_t len       = json_plain_len(text.ptr, text.ptr + text.len, &ignored);
        if (len > 0) put(out, text.ptr, len);
        if (len == text.len) {
            put_byte(out, '"');
            return !out->is_full;
        }
        (void)put_escape(text.ptr[len], out);
        text = str_slice(text, len + 1, text.len);
    }
}

bool json_print_number(json number, struct buf *out)
{
    if (number.kind == JSON_REAL && isnan(number.real)) return buf_put(out, "null", 4);
    if (!out->is_full && out->len + JSON_NUMBER_SIZE < out->capacity) {
        out->len += json_number_format(number, out->ptr + out->len);
        out->ptr[out->len] = '\0';
        return true;
    }
    char text[JSON_NUMBER_SIZE];
    size_t len = json_number_format(number, text);
    return buf_put(out, text, len);
}

static void print_scalar(json value, struct buf *out)
{
    switch (value.kind) {
    case JSON_NULL: put(out, "null", 4); return;
    case JSON_FALSE: put(out, "false", 5); return;
    case JSON_TRUE: put(out, "true", 4); return;
    case JSON_INT:
    case JSON_REAL: (void)json_print_number(value, out); return;
    case JSON_TEXT: (void)json_print_text(json_str(value), out); return;
    case JSON_INVALID:
    case JSON_ARRAY:
    case JSON_OBJECT: break;
    }
    ASSERT(value.kind != JSON_INVALID);
}

static void new_line(enum json_style style, size_t depth, struct buf *out)
{
    if (style != JSON_PRETTY) return;
    (void)buf_put_byte(out, '\n');
    for (size_t i = 0; i < depth; i++) (void)buf_put(out, "  ", 2);
}

static void open_container(json container, enum json_style style, struct json_walk *walk,
                           struct buf *out)
{
    struct json_level *level = json_walk_push(walk, container);
    bool is_object           = container.kind == JSON_OBJECT;
    if (is_object && style == JSON_SORTED) level->order = json_object_order(container.object);
    put_byte(out, is_object ? '{' : '[');
}

static void close_container(enum json_style style, struct json_walk *walk, struct buf *out)
{
    struct json_level *level = json_walk_top(walk);
    bool is_object           = level->container.kind == JSON_OBJECT;
    bool is_empty            = json_container_count(level->container) == 0;
    json_walk_pop(walk);
    if (!is_empty) new_line(style, walk->depth, out);
    put_byte(out, is_object ? '}' : ']');
}

/* Prints what stands before the next member, and returns it. */
static json next_member(enum json_style style, struct json_walk *walk, struct buf *out)
{
    struct json_level *level = json_walk_top(walk);
    size_t position          = level->position++;
    if (position > 0) put_byte(out, ',');
    new_line(style, walk->depth, out);
    if (level->order) position = level->order[position];
    if (level->container.kind == JSON_ARRAY) return level->container.array->items[position];

    const struct json_member *member = &level->container.object->members[position];
    (void)json_print_text(json_text_view(member->key), out);
    put(out, ": ", style == JSON_PRETTY ? 2 : 1);
    return member->value;
}

static bool print(json value, enum json_style style, size_t depth_max, struct buf *out)
{
    CLEANUP(json_walk_done) struct json_walk walk;
    json_walk_init(&walk);
    for (;;) {
        if (out->is_full) return false; /* or a tree that shares much would be walked for ever */
        if (walk.depth > depth_max) {
            (void)buf_put_text(out, "<skipped: too deep>");
        } else if (json_is_container(value)) {
            open_container(value, style, &walk, out);
        } else {
            print_scalar(value, out);
        }
        struct json_level *top = json_walk_top(&walk);
        while (top && top->position == json_container_count(top->container)) {
            close_container(style, &walk, out);
            top = json_walk_top(&walk);
        }
        if (!top) return !out->is_full;
        value = next_member(style, &walk, out);
    }
}

bool json_print(json value, enum json_style style, struct buf *out)
{
    return print(value, style, SIZE_MAX, out);
}

bool json_print_within(json value, uint32_t depth_max, struct buf *out)
{
    return print(value, JSON_COMPACT, depth_max, out);
}

json json_to_text_new(json value)
{
    size_t room                      = json_meter_room();
    size_t len_max                   = room < JSON_TEXT_LEN_MAX ? room : JSON_TEXT_LEN_MAX;
    CLEANUP(buf_done) struct buf out = buf_init(len_max);
    if (json_print(value, JSON_COMPACT, &out)) return json_text_new(buf_str(&out));
    (void)json_meter_allows(len_max + 1); /* counts as exceeded */
    return json_invalid();
}

json json_copy_new(json value)
{
    const struct json_limits limits = {.depth_max = UINT32_MAX, .values_max = UINT32_MAX};
    json copy                       = json_invalid();
    if (value.kind == JSON_INVALID) return copy;
    CLEANUP(json_unrefp) json text = json_to_text_new(value);
    if (text.kind != JSON_INVALID) (void)json_parse(json_str(text), &limits, &copy, NULL, NULL);
    return copy;
}
