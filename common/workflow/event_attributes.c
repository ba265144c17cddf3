/*
 * The attributes of CloudEvents: which of them are texts, and what they look like. Extension
 * attributes and `data` are free.
 */
#include "workflow/compile.h"

static bool is_digits(str text, size_t from, size_t count)
{
    if (from + count > text.len) return false;
    for (size_t i = 0; i < count; i++) {
        char c = text.ptr[from + i];
        if (c < '0' || c > '9') return false;
    }
    return true;
}

/* RFC 3339: 2026-05-01T12:00:00Z, with a fraction and an offset where there is one. */
static bool is_time(str text)
{
    static const char shape[] = "dddd-dd-ddTdd:dd:dd";
    size_t at                 = sizeof shape - 1;
    if (text.len <= at) return false;
    for (size_t i = 0; i < at; i++) {
        bool is_letter = shape[i] == 'T' && (text.ptr[i] == 't' || text.ptr[i] == 'T');
        bool good      = shape[i] == 'd' ? is_digits(text, i, 1) : shape[i] == text.ptr[i];
        if (!good && !is_letter) return false;
    }
    if (text.ptr[at] == '.') {
        size_t from = ++at;
        while (is_digits(text, at, 1)) at++;
        if (at == from) return false;
    }
    if (at + 1 == text.len) return text.ptr[at] == 'Z' || text.ptr[at] == 'z';
    bool is_offset = at + 6 == text.len && (text.ptr[at] == '+' || text.ptr[at] == '-');
    return is_offset && is_digits(text, at + 1, 2) && text.ptr[at + 3] == ':' &&
           is_digits(text, at + 4, 2);
}

static bool is_name(str key, const char *const *names, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (str_is(key, names[i])) return true;
    }
    return false;
}

bool event_attribute_check(struct reader *reader, str name, json value, bool is_filter)
{
    static const char *const texts[] = {"id",      "source",          "type",      "time",
                                        "subject", "datacontenttype", "dataschema"};
    static const char *const uris[]  = {"source", "dataschema"};
    if (!is_name(name, texts, ARRAY_LEN(texts))) return true;
    struct diagnostic *finding = NULL;
    if (!json_is(value, JSON_TEXT)) {
        finding = refuse(reader, "V06", value_place(reader),
                         "`" STR_FMT "` of an event is a text, not %s", STR_ARG(name),
                         kind_words(value.kind));
        if (json_is_number(value) || json_is_bool(value)) hint(reader, finding, "put it in quotes");
        return false;
    }
    if (is_filter || holds_expression(value)) return true; /* a filter may say a pattern */
    if (str_is(name, "time") && !is_time(json_str(value))) {
        finding = refuse(reader, "V06", value_place(reader), "`time` of an event is no time");
        hint(reader, finding, "`2026-05-01T12:00:00Z`, or leave it out: the event gets its own");
        return false;
    }
    if (is_name(name, uris, ARRAY_LEN(uris)) &&
        !memmem(json_str(value).ptr, json_str(value).len, "${", 2)) {
        if (!uri_check(reader, value)) return false;
    }
    return true;
}
