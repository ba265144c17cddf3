/* Maps, lists and single values of a file of cases. */
#include "base/assert.h"
#include "base/buf.h"
#include "base/clock.h"
#include "cli/test/case_file.h"

#include <stdarg.h>
#include <stdio.h>

enum { DETAIL_MAX = 512, NAMES_MAX = 32 };

void *case_alloc(struct case_reader *reader, size_t count, size_t size)
{
    void *memory = arena_alloc(reader->arena, (count + 1) * size);
    ASSERT(memory); /* the document's size bounds it */
    memset(memory, 0, (count + 1) * size);
    return memory;
}

void case_refuse(struct case_reader *reader, const char *pointer, const char *code,
                 const char *format, ...)
{
    char detail[DETAIL_MAX];
    va_list arguments;
    va_start(arguments, format);
    (void)vsnprintf(detail, sizeof detail, format, arguments);
    va_end(arguments);
    struct yaml_place place = yaml_place_of(reader->yaml, str_from(pointer));
    (void)diagnostics_add(reader->list, code, SEVERITY_ERROR, str_from(pointer), place.line,
                          place.column, "%s", detail);
}

const char *case_member(struct case_reader *reader, const char *pointer, str name)
{
    CLEANUP(buf_done) struct buf text = buf_init(1 << 20);
    (void)buf_put_text(&text, pointer);
    (void)buf_put_byte(&text, '/');
    for (size_t i = 0; i < name.len; i++) { /* RFC 6901 */
        char c = name.ptr[i];
        (void)(c == '~'   ? buf_put_text(&text, "~0")
               : c == '/' ? buf_put_text(&text, "~1")
                          : buf_put_byte(&text, c));
    }
    const char *copy = arena_strdup(reader->arena, buf_str(&text));
    ASSERT(copy);
    return copy;
}

const char *case_element(struct case_reader *reader, const char *pointer, size_t index)
{
    const char *text = arena_printf(reader->arena, "%s/%zu", pointer, index);
    ASSERT(text);
    return text;
}

static void refuse_key(struct case_reader *reader, const char *pointer, str key,
                       const char *const *names)
{
    size_t count = 0;
    while (names[count]) count++;
    const char *at          = case_member(reader, pointer, key);
    const char *near        = nearest_name(key, names, count);
    struct yaml_place place = yaml_key_place(reader->yaml, str_from(at));
    struct diagnostic *found =
        diagnostics_add(reader->list, "T01", SEVERITY_ERROR, str_from(at), place.line, place.column,
                        "`" STR_FMT "` is not known here", STR_ARG(key));
    if (near) diagnostic_hint(reader->list, found, "did you mean `%s`?", near);
}

bool case_is_map(struct case_reader *reader, const char *pointer, json value,
                 const char *const *names)
{
    if (!json_is(value, JSON_OBJECT)) {
        case_refuse(reader, pointer, "T02", "a map is needed here, not %s", json_kind_name(value));
        return false;
    }
    for (size_t i = 0; names && i < json_count(value); i++) {
        str key       = json_key_at(value, i);
        bool is_known = false;
        for (size_t k = 0; names[k]; k++) is_known |= str_is(key, names[k]);
        if (!is_known) refuse_key(reader, pointer, key, names);
    }
    return true;
}

bool case_is_list(struct case_reader *reader, const char *pointer, json value, size_t max)
{
    if (!json_is(value, JSON_ARRAY)) {
        case_refuse(reader, pointer, "T02", "a list is needed here, not %s", json_kind_name(value));
        return false;
    }
    if (json_count(value) <= max) return true;
    case_refuse(reader, pointer, "T02", "%zu of them; at most %zu are read", json_count(value),
                max);
    return false;
}

const char *case_text(struct case_reader *reader, const char *pointer, json map, const char *name)
{
    json value = json_get_text(map, name);
    if (json_is(value, JSON_INVALID)) return NULL;
    const char *at = case_member(reader, pointer, str_from(name));
    if (!json_is(value, JSON_TEXT) || json_str(value).len == 0) {
        case_refuse(reader, at, "T02", "a text is needed here");
        return NULL;
    }
    const char *text = arena_strdup(reader->arena, json_str(value));
    ASSERT(text);
    return text;
}

int64_t case_duration(struct case_reader *reader, const char *pointer, json map, const char *name,
                      int64_t otherwise_us)
{
    json value = json_get_text(map, name);
    int64_t us = 0;
    if (json_is(value, JSON_INVALID)) return otherwise_us;
    if (json_is(value, JSON_TEXT) && duration_parse(json_str(value), &us)) return us;
    case_refuse(reader, case_member(reader, pointer, str_from(name)), "T02",
                "a duration is needed here, such as PT1H30M or 90s");
    return otherwise_us;
}

uint32_t case_number(struct case_reader *reader, const char *pointer, json map, const char *name,
                     uint32_t max)
{
    json value     = json_get_text(map, name);
    int64_t number = 0;
    if (json_is(value, JSON_INVALID)) return 0;
    if (json_is_number(value) && json_to_int(value, &number) && number >= 0 && number <= max) {
        return (uint32_t)number;
    }
    case_refuse(reader, case_member(reader, pointer, str_from(name)), "T02",
                "a whole number from 0 to %u is needed here", max);
    return 0;
}
