#include "scheduler/run/assistant.h"

#include "base/attr.h"
#include "base/buf.h"
#include "schema/schema.h"
#include "json/json_text.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

enum { POINTER_MAX = 512, NAMES_MAX = 64 /* compared for "did you mean" */, VERSION_DIGITS = 10 };

/* --- names -------------------------------------------------------------------------------------
 */

static bool is_alnum(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
}

bool assistant_name_is_valid(str name)
{
    if (name.len == 0 || name.len > ASSISTANT_NAME_MAX) return false;
    for (size_t i = 0; i < name.len; i++) {
        if (!is_alnum(name.ptr[i]) && name.ptr[i] != '-') return false;
    }
    return is_alnum(name.ptr[0]) && is_alnum(name.ptr[name.len - 1]);
}

static bool version_read(str text, uint32_t *ret_version)
{
    uint64_t version = 0;
    if (text.len == 0 || text.len > VERSION_DIGITS) return false;
    for (size_t i = 0; i < text.len; i++) {
        if (text.ptr[i] < '0' || text.ptr[i] > '9') return false;
        version = version * 10 + (uint64_t)(text.ptr[i] - '0');
    }
    if (version == 0 || version > UINT32_MAX) return false;
    *ret_version = (uint32_t)version;
    return true;
}

bool assistant_name_read(str text, struct assistant_name *ret_name)
{
    struct assistant_name name = {.name = text};
    const char *colon          = text.len > 0 ? memchr(text.ptr, ':', text.len) : NULL;
    if (colon) {
        size_t at   = (size_t)(colon - text.ptr);
        name.name   = str_slice(text, 0, at);
        str version = str_slice(text, at + 1, text.len);
        if (!str_is(version, "latest") && !version_read(version, &name.version)) return false;
    }
    if (!assistant_name_is_valid(name.name)) return false;
    *ret_name = name;
    return true;
}

/* --- templates ---------------------------------------------------------------------------------
 */

struct placeholder {
    size_t from, to; /* of all of it in the template */
    str name, field; /* field empty: none */
};

static bool is_word(char c)
{
    return is_alnum(c) || (c >= 'A' && c <= 'Z') || c == '_' || c == '-';
}

static str word_at(str text, size_t *at)
{
    size_t from = *at;
    while (*at < text.len && is_word(text.ptr[*at])) ++*at;
    return str_slice(text, from, *at);
}

static void skip_blanks(str text, size_t *at)
{
    while (*at < text.len && text.ptr[*at] == ' ') ++*at;
}

/* Reads the placeholder whose braces begin at `from`. */
static bool placeholder_read(str text, size_t from, struct placeholder *ret_found)
{
    struct placeholder found = {.from = from};
    size_t at                = from + 2;
    skip_blanks(text, &at);
    found.name    = word_at(text, &at);
    bool is_whole = found.name.len > 0;
    if (at < text.len && text.ptr[at] == '.') {
        at++;
        found.field = word_at(text, &at);
        is_whole    = is_whole && found.field.len > 0;
    }
    skip_blanks(text, &at);
    if (!is_whole || !str_starts_with(str_slice(text, at, text.len), str_from("}}"))) return false;
    found.to   = at + 2;
    *ret_found = found;
    return true;
}

/* The next `{{` from `at` on; `*ret_is_whole` false: no placeholder follows it. */
static bool placeholder_next(str text, size_t at, struct placeholder *ret_found, bool *ret_is_whole)
{
    for (; at + 1 < text.len; at++) {
        if (text.ptr[at] != '{' || text.ptr[at + 1] != '{') continue;
        *ret_found    = (struct placeholder){.from = at, .to = at + 2};
        *ret_is_whole = placeholder_read(text, at, ret_found);
        return true;
    }
    return false;
}

/* --- checking ----------------------------------------------------------------------------------
 */

static const char *const members[] = {
    "description", "model",      "fallbacks", "system",        "variables",
    "labels",      "parameters", "tools",     "output_schema",
};

static void refuse(struct diagnostics *list, const char *pointer, const char *sentence)
{
    (void)diagnostics_add(list, "", SEVERITY_ERROR, str_from(pointer), 0, 0, "%s", sentence);
}

static void check_members(json definition, struct diagnostics *list)
{
    for (size_t i = 0; i < json_count(definition); i++) {
        str key       = json_key_at(definition, i);
        bool is_known = false;
        for (size_t m = 0; m < ARRAY_LEN(members); m++) is_known |= str_is(key, members[m]);
        if (is_known) continue;
        struct diagnostic *finding =
            diagnostics_add(list, "", SEVERITY_ERROR, (str){}, 0, 0,
                            "`" STR_FMT "` is not a property of an assistant", STR_ARG(key));
        const char *near = nearest_name(key, members, ARRAY_LEN(members));
        if (near) diagnostic_hint(list, finding, "did you mean `%s`?", near);
    }
}

static void check_kind(json definition, const char *key, enum json_kind kind, const char *pointer,
                       const char *sentence, struct diagnostics *list)
{
    json value = json_get_text(definition, key);
    if (value.kind != JSON_INVALID && value.kind != kind) refuse(list, pointer, sentence);
}

static void check_texts(json definition, const char *key, const char *pointer,
                        struct diagnostics *list)
{
    json items = json_get_text(definition, key);
    if (items.kind == JSON_INVALID) return;
    bool is_fine = items.kind == JSON_ARRAY;
    for (size_t i = 0; is_fine && i < json_count(items); i++) {
        is_fine = json_is(json_at(items, i), JSON_TEXT) && json_str(json_at(items, i)).len > 0;
    }
    if (!is_fine) refuse(list, pointer, "must be a list of texts");
}

static void check_schema(json definition, const char *key, struct diagnostics *list)
{
    json source = json_get_text(definition, key);
    if (source.kind == JSON_INVALID) return;
    CLEANUP(schema_freep) struct schema *schema = NULL;
    struct error why                            = {};
    if (schema_compile(source, NULL, NULL, &schema, &why) == STATUS_OK) return;
    CLEANUP(buf_done) struct buf pointer = buf_init(POINTER_MAX);
    (void)buf_printf(&pointer, "/%s", key);
    (void)diagnostics_add(list, "", SEVERITY_ERROR, buf_str(&pointer), 0, 0,
                          "is no usable JSON Schema: %s", why.text);
}

/* Where the variables are declared by name, a template may use these only. */
static void check_declared(json properties, str name, struct diagnostics *list)
{
    if (json_get(properties, name).kind != JSON_INVALID) return;
    struct diagnostic *finding =
        diagnostics_add(list, "", SEVERITY_ERROR, str_from("/system"), 0, 0,
                        "uses {{" STR_FMT "}}, which `variables` does not have", STR_ARG(name));
    const char *names[NAMES_MAX];
    size_t count = 0;
    for (size_t i = 0; i < json_count(properties) && count < NAMES_MAX; i++) {
        names[count++] = json_str(json_key_value_at(properties, i)).ptr;
    }
    const char *near = nearest_name(name, names, count);
    if (near) diagnostic_hint(list, finding, "did you mean `%s`?", near);
}

static void check_template(json definition, struct diagnostics *list)
{
    json system     = json_get_text(definition, "system");
    json variables  = json_get_text(definition, "variables");
    json properties = json_get_text(variables, "properties");
    if (system.kind != JSON_TEXT) return;
    str text                 = json_str(system);
    struct placeholder found = {};
    bool is_whole            = false;
    while (placeholder_next(text, found.to, &found, &is_whole)) {
        if (!is_whole) {
            struct diagnostic *finding =
                diagnostics_add(list, "", SEVERITY_ERROR, str_from("/system"), 0, 0,
                                "byte %zu: {{ begins a placeholder that is none", found.from);
            diagnostic_hint(list, finding, "write {{name}} or {{name.field}}");
        } else if (properties.kind == JSON_OBJECT) {
            check_declared(properties, found.name, list);
        }
    }
}

static void check_labels(json definition, struct diagnostics *list)
{
    json labels = json_get_text(definition, "labels");
    for (size_t i = 0; json_is(labels, JSON_OBJECT) && i < json_count(labels); i++) {
        if (json_is(json_value_at(labels, i), JSON_TEXT)) continue;
        refuse(list, "/labels", "the values of labels are texts");
        return;
    }
}

void assistant_check(json definition, struct diagnostics *list)
{
    if (definition.kind != JSON_OBJECT) {
        refuse(list, "", "an assistant is an object");
        return;
    }
    check_members(definition, list);
    json model    = json_get_text(definition, "model");
    bool is_model = json_is(model, JSON_TEXT) && json_str(model).len > 0;
    if (!is_model) refuse(list, "/model", "an assistant needs the name of a model or a route");
    check_kind(definition, "description", JSON_TEXT, "/description", "must be a text", list);
    check_kind(definition, "system", JSON_TEXT, "/system", "must be a text", list);
    check_kind(definition, "parameters", JSON_OBJECT, "/parameters", "must be an object", list);
    check_kind(definition, "labels", JSON_OBJECT, "/labels", "must be an object", list);
    check_texts(definition, "fallbacks", "/fallbacks", list);
    check_kind(definition, "tools", JSON_ARRAY, "/tools", "must be a list of tools", list);
    check_schema(definition, "variables", list);
    check_schema(definition, "output_schema", list);
    check_template(definition, list);
    check_labels(definition, list);
}

/* --- rendering ---------------------------------------------------------------------------------
 */

PRINTF_LIKE(4, 5)
static status missing(struct diagnostics *list, const char *pointer, struct error *reterr,
                      const char *format, ...)
{
    char text[ERROR_TEXT_MAX];
    va_list arguments;
    va_start(arguments, format);
    (void)vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    if (list) {
        (void)diagnostics_add(list, "", SEVERITY_ERROR, str_from(pointer), 0, 0, "%s", text);
    }
    return fail_code(reterr, STATUS_INVALID_ARGUMENT, "input_invalid", "%s: %s", pointer, text);
}

static status check_variables(json schema_source, json variables, struct arena *scratch,
                              struct diagnostics *list, struct error *reterr)
{
    if (schema_source.kind == JSON_INVALID) return STATUS_OK;
    CLEANUP(schema_freep) struct schema *schema = NULL;
    TRY(schema_compile(schema_source, NULL, NULL, &schema, reterr));
    struct schema_errors *errors = arena_alloc(scratch, sizeof *errors);
    if (!errors) return fail(reterr, STATUS_RESOURCE_EXHAUSTED, "no memory");
    errors->count = 0;
    status fits   = schema_check(schema, variables, scratch, errors, reterr);
    if (fits != STATUS_INVALID_ARGUMENT) return fits;
    for (size_t i = errors->count; i-- > 0;) { /* the first one stays in `reterr` */
        const char *pointer = arena_printf(scratch, "/variables%s", errors->items[i].pointer);
        status code         = missing(list, pointer ? pointer : "/variables", reterr, "%s",
                                      errors->items[i].sentence);
        if (i == 0) return code;
    }
    return fits;
}

static status put_value(const struct placeholder *found, json variables, struct diagnostics *list,
                        struct buf *out, struct error *reterr)
{
    json value = json_get(variables, found->name);
    if (found->field.len > 0) value = json_get(value, found->field);
    if (value.kind == JSON_INVALID) {
        CLEANUP(buf_done) struct buf pointer = buf_init(POINTER_MAX);
        bool has_field                       = found->field.len > 0;
        (void)buf_printf(&pointer, "/variables/" STR_FMT "%s" STR_FMT, STR_ARG(found->name),
                         has_field ? "/" : "", STR_ARG(found->field));
        return missing(list, pointer.ptr ? pointer.ptr : "/variables", reterr,
                       "the prompt needs it");
    }
    bool is_put = json_is(value, JSON_TEXT) ? buf_put_str(out, json_str(value))
                                            : json_print(value, JSON_COMPACT, out);
    if (is_put) return STATUS_OK;
    return fail_code(reterr, STATUS_INVALID_ARGUMENT, "input_invalid",
                     "/variables: the prompt would be longer than %d bytes", ASSISTANT_SYSTEM_MAX);
}

status assistant_render(json definition, json variables, struct arena *scratch,
                        struct diagnostics *list, json *ret_system, struct error *reterr)
{
    CLEANUP(json_unrefp)
    json given = variables.kind == JSON_INVALID ? json_object_new(0) : json_ref(variables);
    TRY(check_variables(json_get_text(definition, "variables"), given, scratch, list, reterr));

    CLEANUP(buf_done) struct buf out = buf_init(ASSISTANT_SYSTEM_MAX);
    json system                      = json_get_text(definition, "system");
    str text                         = system.kind == JSON_TEXT ? json_str(system) : (str){};
    struct placeholder found         = {};
    size_t at                        = 0;
    bool is_whole                    = false;
    while (placeholder_next(text, at, &found, &is_whole)) {
        (void)buf_put_str(&out, str_slice(text, at, is_whole ? found.from : found.to));
        at = found.to;
        if (is_whole) TRY(put_value(&found, given, list, &out, reterr));
    }
    (void)buf_put_str(&out, str_slice(text, at, text.len));
    *ret_system = json_text_new(buf_str(&out));
    return STATUS_OK;
}

/* --- applying ----------------------------------------------------------------------------------
 */

static bool has(json object, const char *key)
{
    return json_get_text(object, key).kind != JSON_INVALID;
}

static void put_default(json *arguments, const char *key, json value)
{
    if (value.kind == JSON_INVALID || has(*arguments, key)) return;
    json_object_put_text(arguments, key, json_ref(value));
}

json assistant_fallbacks(json definition, json arguments)
{
    if (has(arguments, "model")) return json_invalid();
    return json_get_text(definition, "fallbacks");
}

status assistant_apply(json definition, str reference, json arguments, struct arena *scratch,
                       json *ret_arguments, struct error *reterr)
{
    CLEANUP(json_unrefp) json result = json_ref(arguments);
    json parameters                  = json_get_text(definition, "parameters");
    bool has_shape =
        has(arguments, "schema") || has(arguments, "json") || has(arguments, "response_format");

    CLEANUP(json_unrefp) json system = json_invalid();
    if (!has(arguments, "system")) {
        TRY(assistant_render(definition, json_get_text(arguments, "variables"), scratch, NULL,
                             &system, reterr));
    }
    json_object_put_text(&result, "assistant", json_text_new(reference));
    (void)json_object_remove(&result, str_from("variables"));
    put_default(&result, "model", json_get_text(definition, "model"));
    if (json_is(system, JSON_TEXT) && json_str(system).len > 0) {
        put_default(&result, "system", system);
    }
    put_default(&result, "fallbacks", assistant_fallbacks(definition, arguments));
    for (size_t i = 0; i < json_count(parameters); i++) {
        json key = json_key_value_at(parameters, i);
        if (json_get(result, json_str(key)).kind != JSON_INVALID) continue;
        json_object_put_key(&result, key, json_ref(json_value_at(parameters, i)));
    }
    if (!has_shape) put_default(&result, "schema", json_get_text(definition, "output_schema"));
    *ret_arguments = json_take(&result);
    return STATUS_OK;
}
