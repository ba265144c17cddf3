#include "llm-proxy/chat/chat_schema.h"

#include "base/attr.h"
#include "base/buf.h"
#include "llm-proxy/chat/wire.h"
#include "json/json_text.h"
#include "json/json_write.h"

enum { TEXT_MAX = 4 << 20, TYPE_MAX = 32, DIGITS_MAX = 18 };

/* What the members of a container are. */
enum level_kind { LEVEL_SCHEMA, LEVEL_MAP, LEVEL_LIST };

struct level {
    enum level_kind kind;
    json container;
    size_t next;
};

struct conversion {
    struct level levels[CHAT_SCHEMA_DEPTH_MAX];
    uint32_t depth;
    struct json_writer w;
};

static bool is_among(str key, const char *const *names, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (str_is(key, names[i])) return true;
    }
    return false;
}

static void put_type(struct json_writer *w, str type, bool is_nullable)
{
    CLEANUP(buf_done) struct buf small = buf_init(TYPE_MAX);
    for (size_t i = 0; i < type.len; i++) {
        char c = type.ptr[i];
        (void)buf_put_byte(&small, (char)(c >= 'A' && c <= 'Z' ? c + ('a' - 'A') : c));
    }
    json_member(w, "type");
    if (!is_nullable) {
        json_write_text(w, buf_str(&small));
        return;
    }
    json_begin_array(w);
    json_write_text(w, buf_str(&small));
    json_write_text(w, str_from("null"));
    json_end_array(w);
}

/* Counts of 64 bits travel as texts in Google's JSON. */
static bool put_count(struct json_writer *w, str key, json value)
{
    static const char *const counts[] = {"minItems",  "maxItems",      "minLength",
                                         "maxLength", "minProperties", "maxProperties"};
    if (!json_is(value, JSON_TEXT) || !is_among(key, counts, ARRAY_LEN(counts))) return false;
    str text       = json_str(value);
    int64_t number = 0;
    if (text.len == 0 || text.len > DIGITS_MAX) return false;
    for (size_t i = 0; i < text.len; i++) {
        if (text.ptr[i] < '0' || text.ptr[i] > '9') return false;
        number = number * 10 + (text.ptr[i] - '0');
    }
    json_member_str(w, key);
    json_write_int(w, number);
    return true;
}

static void put_enum(struct json_writer *w, json values, bool is_nullable)
{
    json_member(w, "enum");
    json_begin_array(w);
    for (size_t i = 0; i < json_count(values); i++) json_write_value(w, json_at(values, i));
    if (is_nullable) json_write_null(w);
    json_end_array(w);
}

/* Says what the value at that key of a schema has inside; false: nothing that is a schema. */
static bool kind_of(str key, json value, enum level_kind *ret_kind)
{
    static const char *const maps[]    = {"properties", "$defs", "defs", "definitions"};
    static const char *const lists[]   = {"anyOf", "oneOf", "allOf", "prefixItems"};
    static const char *const schemas[] = {"items", "additionalProperties", "not"};
    bool is_object                     = json_is(value, JSON_OBJECT);
    if (is_object && is_among(key, maps, ARRAY_LEN(maps))) {
        *ret_kind = LEVEL_MAP;
    } else if (is_object && is_among(key, schemas, ARRAY_LEN(schemas))) {
        *ret_kind = LEVEL_SCHEMA;
    } else if (json_is(value, JSON_ARRAY) && is_among(key, lists, ARRAY_LEN(lists))) {
        *ret_kind = LEVEL_LIST;
    } else {
        return false;
    }
    return true;
}

static bool enter(struct conversion *c, enum level_kind kind, json container)
{
    if (c->depth == CHAT_SCHEMA_DEPTH_MAX) return false;
    c->levels[c->depth++] = (struct level){.kind = kind, .container = container};
    if (kind == LEVEL_LIST) {
        json_begin_array(&c->w);
    } else {
        json_begin_object(&c->w);
    }
    return true;
}

static bool put_member(struct conversion *c, json schema, str key, json value)
{
    bool is_nullable     = wire_is_true(schema, "nullable");
    enum level_kind kind = LEVEL_SCHEMA;
    if (str_is(key, "nullable") || str_is(key, "propertyOrdering")) return true;
    if (str_is(key, "type") && json_is(value, JSON_TEXT)) {
        put_type(&c->w, json_str(value), is_nullable);
    } else if (str_is(key, "enum") && json_is(value, JSON_ARRAY)) {
        put_enum(&c->w, value, is_nullable);
    } else if (kind_of(key, value, &kind)) {
        json_member_str(&c->w, key);
        return enter(c, kind, value);
    } else if (!put_count(&c->w, key, value)) {
        json_member_str(&c->w, key);
        json_write_value(&c->w, value);
    }
    return true;
}

static bool put_schema(struct conversion *c, json value)
{
    if (json_is(value, JSON_OBJECT)) return enter(c, LEVEL_SCHEMA, value);
    json_write_value(&c->w, value); /* true, false */
    return true;
}

static bool step(struct conversion *c)
{
    struct level *level = &c->levels[c->depth - 1];
    if (level->next == json_count(level->container)) {
        if (level->kind == LEVEL_LIST) {
            json_end_array(&c->w);
        } else {
            json_end_object(&c->w);
        }
        c->depth--;
        return true;
    }
    size_t i = level->next++;
    if (level->kind == LEVEL_LIST) return put_schema(c, json_at(level->container, i));
    str key    = json_key_at(level->container, i);
    json value = json_value_at(level->container, i);
    if (level->kind == LEVEL_SCHEMA) return put_member(c, level->container, key, value);
    json_member_str(&c->w, key);
    return put_schema(c, value);
}

status chat_schema_from_gemini(json schema, json *ret_schema, struct error *reterr)
{
    CLEANUP(buf_done) struct buf text = buf_init(TEXT_MAX);
    struct conversion c               = {.w = json_writer_init(&text)};
    (void)put_schema(&c, schema);
    while (c.depth > 0) {
        if (!step(&c)) {
            return fail(reterr, STATUS_INVALID_ARGUMENT, "a schema has at most %d levels",
                        CHAT_SCHEMA_DEPTH_MAX);
        }
    }
    if (text.is_full) return fail(reterr, STATUS_RESOURCE_EXHAUSTED, "a schema is too large");
    return json_parse(buf_str(&text), NULL, ret_schema, NULL, reterr);
}
