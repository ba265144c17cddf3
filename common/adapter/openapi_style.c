#include "adapter/openapi_style.h"

#include "adapter/openapi_find.h"
#include "base/attr.h"
#include "http/url.h"
#include "json/json_text.h"

#include <string.h>

/* How a value is put together. */
struct style {
    const char *before;    /* of all */
    const char *between;   /* items of an exploded one */
    const char *delimiter; /* between items of one that is not exploded */
    bool is_named;         /* "name=" stands before it */
    bool is_exploded;
    bool is_deep;     /* name[member]=value */
    bool is_json;     /* the whole value as JSON */
    bool is_raw;      /* of a header: nothing is encoded */
    bool is_reserved; /* what a URL gives a meaning stays as it is, where it can in a query */
};

enum openapi_place openapi_place_of(json parameter)
{
    static const char *const places[] = {"path", "query", "header", "cookie"};
    str in                            = openapi_text(parameter, "in");
    for (size_t i = 0; i < ARRAY_LEN(places); i++) {
        if (str_is(in, places[i])) return (enum openapi_place)i;
    }
    return OPENAPI_IN_NOTHING;
}

/* --- which style it is ------------------------------------------------------------------------ */

static struct style default_style(enum openapi_place place)
{
    switch (place) {
    case OPENAPI_IN_QUERY:
        return (struct style){.before = "", .between = "&", .delimiter = ",", .is_named = true};
    case OPENAPI_IN_COOKIE:
        return (struct style){.before = "", .between = "; ", .delimiter = ",", .is_named = true};
    case OPENAPI_IN_HEADER:
        return (struct style){.before = "", .between = ",", .delimiter = ",", .is_raw = true};
    default: return (struct style){.before = "", .between = ",", .delimiter = ","};
    }
}

static struct style style_of_swagger(json self, enum openapi_place place)
{
    struct style style = default_style(place);
    str format         = openapi_text(self, "collectionFormat");
    bool is_raw        = style.is_raw;
    if (str_is(format, "ssv")) style.delimiter = is_raw ? " " : "%20";
    if (str_is(format, "tsv")) style.delimiter = is_raw ? "\t" : "%09";
    if (str_is(format, "pipes")) style.delimiter = is_raw ? "|" : "%7C";
    style.is_exploded = str_is(format, "multi");
    return style;
}

static struct style style_of(json self, enum openapi_place place)
{
    struct style style = default_style(place);
    str name           = openapi_text(self, "style");
    json explode       = json_get_text(self, "explode");
    bool is_form       = place == OPENAPI_IN_QUERY || place == OPENAPI_IN_COOKIE;
    if (str_is(name, "label")) style.before = style.between = ".";
    if (str_is(name, "matrix")) {
        style.before = style.between = ";";
        style.is_named               = true;
    }
    if (str_is(name, "spaceDelimited")) style.delimiter = "%20";
    if (str_is(name, "pipeDelimited")) style.delimiter = "%7C";
    bool is_delimited = str_is(name, "spaceDelimited") || str_is(name, "pipeDelimited");
    style.is_deep     = str_is(name, "deepObject");
    style.is_exploded = json_is_bool(explode) ? json_is_truthy(explode) : is_form && !is_delimited;
    style.is_json     = json_is(json_get_text(self, "content"), JSON_OBJECT);
    style.is_reserved = json_is_truthy(json_get_text(self, "allowReserved"));
    return style;
}

/* --- texts ------------------------------------------------------------------------------------ */

/* Characters that a query may hold without ending it or its pair. */
static void put_reserved(struct buf *out, str text)
{
    static const char kept[] = ":/?@!$'()*,;=";
    for (size_t i = 0; i < text.len; i++) {
        if (text.ptr[i] != '\0' && strchr(kept, text.ptr[i])) {
            (void)buf_put_byte(out, text.ptr[i]);
        } else {
            (void)url_encode(out, str_slice(text, i, i + 1));
        }
    }
}

static void put_encoded(const struct style *style, str text, struct buf *out)
{
    if (style->is_raw) {
        (void)buf_put_str(out, text);
    } else if (style->is_reserved) {
        put_reserved(out, text);
    } else {
        (void)url_encode(out, text);
    }
}

static void put_scalar(const struct style *style, json value, struct buf *out)
{
    CLEANUP(json_unrefp) json text = json_invalid();
    if (json_is(value, JSON_NULL)) return;
    bool is_text = json_is(value, JSON_TEXT) && !style->is_json;
    text         = is_text ? json_ref(value) : json_to_text_new(value);
    if (json_is(text, JSON_TEXT)) put_encoded(style, json_str(text), out);
}

static void put_name(const struct style *style, str name, struct buf *out)
{
    put_encoded(style, name, out);
    (void)buf_put_byte(out, '=');
}

/* --- lists and maps --------------------------------------------------------------------------- */

static json item_at(json value, size_t index)
{
    return json_is(value, JSON_ARRAY) ? json_at(value, index) : json_value_at(value, index);
}

static void put_exploded(const struct style *style, str name, json value, struct buf *out)
{
    bool is_map = json_is(value, JSON_OBJECT);
    for (size_t i = 0; i < json_count(value); i++) {
        (void)buf_put_text(out, i > 0 ? style->between : style->before);
        if (is_map) put_name(style, json_key_at(value, i), out);
        if (!is_map && style->is_named) put_name(style, name, out);
        put_scalar(style, item_at(value, i), out);
    }
}

static void put_joined(const struct style *style, str name, json value, struct buf *out)
{
    bool is_map = json_is(value, JSON_OBJECT);
    (void)buf_put_text(out, style->before);
    if (style->is_named) put_name(style, name, out);
    for (size_t i = 0; i < json_count(value); i++) {
        if (i > 0) (void)buf_put_text(out, style->delimiter);
        if (is_map) {
            put_encoded(style, json_key_at(value, i), out);
            (void)buf_put_text(out, style->delimiter);
        }
        put_scalar(style, item_at(value, i), out);
    }
}

/* name[member]=value; a list repeats it. */
static void put_deep(const struct style *style, str name, json value, struct buf *out)
{
    size_t start = out->len;
    for (size_t i = 0; i < json_count(value); i++) {
        json member  = json_value_at(value, i);
        bool is_list = json_is(member, JSON_ARRAY);
        for (size_t k = 0; k < (is_list ? json_count(member) : 1); k++) {
            if (out->len > start) (void)buf_put_text(out, style->between);
            put_encoded(style, name, out);
            (void)buf_put_text(out, "%5B");
            put_encoded(style, json_key_at(value, i), out);
            (void)buf_put_text(out, "%5D=");
            put_scalar(style, is_list ? json_at(member, k) : member, out);
        }
    }
}

bool openapi_put(json self, bool is_swagger, str name, json value, struct buf *out)
{
    enum openapi_place place = openapi_place_of(self);
    struct style style       = is_swagger ? style_of_swagger(self, place) : style_of(self, place);
    bool has_items           = json_is(value, JSON_ARRAY) || json_is(value, JSON_OBJECT);
    if (style.is_json || !has_items) {
        (void)buf_put_text(out, style.before);
        if (style.is_named) put_name(&style, name, out);
        put_scalar(&style, value, out);
    } else if (json_count(value) == 0) {
        return !out->is_full;
    } else if (style.is_deep && json_is(value, JSON_OBJECT)) {
        put_deep(&style, name, value, out);
    } else if (style.is_exploded) {
        put_exploded(&style, name, value, out);
    } else {
        put_joined(&style, name, value, out);
    }
    return !out->is_full;
}
