/* What the readers of a manifest share: where they are, findings, values of one kind. */
#include "adapter/manifest_internal.h"
#include "base/assert.h"
#include "base/clock.h"
#include "json/json_map.h"
#include "json/json_pointer.h"
#include "json/json_text.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

enum { DETAIL_MAX = 512 /* bytes */ };

void *reading_alloc(struct reading *reading, size_t count, size_t size)
{
    size_t total;
    ASSERT(!__builtin_mul_overflow(count, size, &total));
    void *memory = arena_alloc(reading->arena, total ? total : 1);
    ASSERT(memory != NULL); /* a manifest's size bounds what it can ask for */
    return memory;
}

/* --- where ------------------------------------------------------------------------------------ */

size_t reading_enter(struct reading *reading, const char *key)
{
    size_t back = reading->pointer.len;
    (void)json_pointer_add(&reading->pointer, str_from(key));
    return back;
}

size_t reading_enter_index(struct reading *reading, size_t index)
{
    size_t back = reading->pointer.len;
    (void)json_pointer_add_index(&reading->pointer, index);
    return back;
}

void reading_leave(struct reading *reading, size_t back)
{
    reading->pointer.len = back;
    if (reading->pointer.ptr) reading->pointer.ptr[back] = '\0';
}

struct diagnostic *reading_refuse(struct reading *reading, const char *code, const char *format,
                                  ...)
{
    char detail[DETAIL_MAX];
    va_list args;
    va_start(args, format);
    (void)vsnprintf(detail, sizeof detail, format, args);
    va_end(args);
    str pointer             = buf_str(&reading->pointer);
    struct yaml_place place = yaml_place_of(reading->document, pointer);
    return diagnostics_add(reading->list, code, SEVERITY_ERROR, pointer, place.line, place.column,
                           "%s", detail);
}

void reading_warn(struct reading *reading, const char *code, const char *text)
{
    str pointer             = buf_str(&reading->pointer);
    struct yaml_place place = yaml_place_of(reading->document, pointer);
    (void)diagnostics_add(reading->list, code, SEVERITY_WARNING, pointer, place.line, place.column,
                          "%s", text);
}

/* --- values ----------------------------------------------------------------------------------- */

const char *text_at(json map, const char *key)
{
    json value = json_get_text(map, key);
    return json_is(value, JSON_TEXT) ? json_str(value).ptr : NULL; /* a NUL follows */
}

int64_t integer_at(json map, const char *key, int64_t fallback)
{
    int64_t number = fallback;
    return json_to_int(json_get_text(map, key), &number) ? number : fallback;
}

int64_t duration_at_ms(json map, const char *key, int64_t fallback_ms)
{
    json value = json_get_text(map, key);
    int64_t us = 0;
    if (!json_is(value, JSON_TEXT) || !duration_parse(json_str(value), &us)) return fallback_ms;
    return us / 1000;
}

int64_t size_at(json map, const char *key, int64_t fallback)
{
    static const struct {
        const char *unit;
        int shift;
    } units[]        = {{"B", 0}, {"KiB", 10}, {"MiB", 20}, {"GiB", 30}};
    const char *text = text_at(map, key);
    if (!text) return fallback;
    char *unit   = NULL;
    int64_t size = strtoll(text, &unit, 10); /* nine digits at most: the schema says so */
    for (size_t i = 0; i < sizeof units / sizeof *units; i++) {
        if (strcmp(unit, units[i].unit) == 0) return size << units[i].shift;
    }
    return fallback;
}

/* --- what the manifest owns ------------------------------------------------------------------- */

static struct holding *hold(struct reading *reading)
{
    struct holding *holding = reading_alloc(reading, 1, sizeof *holding);
    holding->next           = reading->kept->holdings;
    reading->kept->holdings = holding;
    return holding;
}

status reading_copy(struct reading *reading, json value, json *ret_copy, struct error *reterr)
{
    CLEANUP(json_unrefp) json text = json_to_text_new(value);
    json copy                      = json_invalid();
    TRY(json_parse(json_str(text), NULL, &copy, NULL, reterr));
    *ret_copy            = json_freeze(copy);
    hold(reading)->value = *ret_copy;
    return STATUS_OK;
}

static void refuse_formula(struct reading *reading, const struct formula_fault *fault)
{
    size_t back = reading->pointer.len;
    (void)buf_put_text(&reading->pointer, fault->pointer);
    str pointer = buf_str(&reading->pointer);
    /* Behind the `=` that makes it an expression. */
    struct yaml_place place = yaml_place_in(reading->document, pointer, fault->offset + 1);
    struct diagnostic *finding =
        diagnostics_add(reading->list, "M03", SEVERITY_ERROR, pointer, place.line, place.column,
                        "the expression does not compile: %s", fault->detail);
    if (fault->hint[0]) diagnostic_hint(reading->list, finding, "%s", fault->hint);
    reading_leave(reading, back);
}

/* Looks for `.secrets.NAME` of a secret that there is: it would be null, and nobody would know why.
 */
struct secret_search {
    const struct manifest *manifest;
    const char *found; /* NULL: none */
};

static bool is_of_name(char c)
{
    return c == '_' || (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static bool names_secret(str text, const char *name)
{
    static const char root[] = ".secrets.";
    const size_t len         = strlen(name);
    for (const char *at = strstr(text.ptr, root); at; at = strstr(at + 1, root)) {
        bool is_member   = at > text.ptr && (is_of_name(at[-1]) || at[-1] == ')' || at[-1] == ']');
        const char *from = at + sizeof root - 1;
        if (!is_member && strncmp(from, name, len) == 0 && !is_of_name(from[len])) return true;
    }
    return false;
}

static json search_leaf(str, json leaf, void *context)
{
    struct secret_search *search    = context;
    const struct manifest *manifest = search->manifest;
    bool is_expression              = formula_is_expression(leaf);
    for (size_t i = 0; is_expression && i < manifest->secret_count; i++) {
        if (names_secret(json_str(leaf), manifest->secrets[i].name)) {
            search->found = manifest->secrets[i].name;
        }
    }
    return json_invalid();
}

static bool holds_secret(struct reading *reading, json value)
{
    struct secret_search search = {.manifest = reading->manifest};
    json_unref(json_map_values(value, search_leaf, &search));
    if (!search.found) return false;
    struct diagnostic *finding = reading_refuse(
        reading, "M03", "expressions do not see secrets, such as `%s`", search.found);
    diagnostic_hint(reading->list, finding, "`auth` puts it in when the request leaves");
    return true;
}

static void see(struct reading *reading, json value)
{
    struct seen_formula *seen = reading_alloc(reading, 1, sizeof *seen);
    char *pointer             = arena_strdup(reading->arena, buf_str(&reading->pointer));
    ASSERT(pointer != NULL); /* as reading_alloc() */
    *seen                  = (struct seen_formula){.value = value, .pointer = pointer};
    *reading->formulas_end = seen;
    reading->formulas_end  = &seen->next;
}

static struct formula *compile(struct reading *reading, json value, enum formula_nulls nulls,
                               json keep_null)
{
    struct formula_fault fault = {};
    struct formula *formula    = NULL;
    struct error ignored       = {};
    if (!reading->is_known && holds_secret(reading, value)) return NULL;
    if (formula_compile(value, nulls, keep_null, reading->arena, &formula, &fault, &ignored) !=
        STATUS_OK) {
        refuse_formula(reading, &fault);
        return NULL;
    }
    hold(reading)->formula = formula;
    if (!reading->is_known && !formula_is_constant(value)) see(reading, value);
    return formula;
}

static struct formula *compile_at(struct reading *reading, json map, const char *key,
                                  enum formula_nulls nulls, json keep_null)
{
    json value = json_get_text(map, key);
    if (json_is(value, JSON_INVALID)) return NULL;
    size_t back             = reading_enter(reading, key);
    struct formula *formula = compile(reading, value, nulls, keep_null);
    reading_leave(reading, back);
    return formula;
}

struct formula *formula_at(struct reading *reading, json map, const char *key,
                           enum formula_nulls nulls)
{
    return compile_at(reading, map, key, nulls, json_invalid());
}

struct formula *formula_keeping(struct reading *reading, json map, const char *key, json keep_null)
{
    return compile_at(reading, map, key, FORMULA_DROPS_NULL, keep_null);
}

/* Findings about a schema stand where it stands, or at the map it was made of. */
static void move_findings(struct reading *reading, const struct diagnostics *found)
{
    for (size_t i = 0; i < found->count; i++) {
        const struct diagnostic *finding = &found->items[i];
        size_t back                      = reading->pointer.len;
        (void)buf_put_text(&reading->pointer, finding->pointer);
        struct diagnostic *moved = reading_refuse(reading, "M02", "%s", finding->detail);
        if (finding->hint && finding->hint[0]) {
            diagnostic_hint(reading->list, moved, "%s", finding->hint);
        }
        reading_leave(reading, back);
    }
}

struct schema *schema_at(struct reading *reading, json source)
{
    /* Ours, which say what a value is for. */
    static const char *const own[]      = {"file", "keep", NULL};
    const struct schema_options options = {.assert_formats = true, .passed_formats = own};
    struct diagnostics *found           = diagnostics_new(reading->arena);
    struct schema *schema               = NULL;
    struct error ignored                = {};
    json copy                           = json_invalid();
    status copied                       = reading_copy(reading, source, &copy, &ignored);
    ASSERT(copied == STATUS_OK); /* a part of what was within the limits */
    if (schema_compile(copy, &options, found, &schema, &ignored) != STATUS_OK) {
        move_findings(reading, found);
        return NULL;
    }
    hold(reading)->schema = schema;
    return schema;
}

void defaults_read(struct reading *reading, json properties, struct formula_map *ret_defaults)
{
    size_t count        = json_count(properties);
    ret_defaults->items = reading_alloc(reading, count, sizeof *ret_defaults->items);
    for (size_t i = 0; i < count; i++) {
        json property = json_value_at(properties, i);
        str name      = json_key_at(properties, i);
        if (json_is(json_get_text(property, "default"), JSON_INVALID)) continue;
        size_t back             = reading_enter(reading, name.ptr);
        struct formula *formula = formula_at(reading, property, "default", FORMULA_KEEPS_NULL);
        reading_leave(reading, back);
        if (!formula) continue;
        ret_defaults->items[ret_defaults->count++] =
            (struct named_formula){.name = name.ptr, .formula = formula};
    }
}
