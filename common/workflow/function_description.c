/* One description: its members, and what they promise. */
#include "workflow/function_catalog.h"

#include "base/buf.h"
#include "schema/schema.h"
#include "workflow/version.h"
#include "json/json_text.h"

#include <string.h>

static const char *const effects[EFFECT_COUNT] = {
    [EFFECT_READ] = "read",     [EFFECT_CREATE] = "create", [EFFECT_UPDATE] = "update",
    [EFFECT_DELETE] = "delete", [EFFECT_SEND] = "send",
};

static const char *const idempotencies[IDEMPOTENCY_COUNT] = {
    [IDEMPOTENCY_NATURAL] = "natural", [IDEMPOTENCY_KEY] = "key",   [IDEMPOTENCY_LOOKUP] = "lookup",
    [IDEMPOTENCY_COMPARE] = "compare", [IDEMPOTENCY_NONE] = "none", [IDEMPOTENCY_VARIES] = "varies",
};

const char *effect_name(enum function_effect effect)
{
    return effects[effect];
}

const char *idempotency_name(enum function_idempotency idempotency)
{
    return idempotencies[idempotency];
}

/* --- members ------------------------------------------------------------------------------------
 */

static status refused(struct error *reterr, const char *member, const char *what)
{
    return fail_code(reterr, STATUS_INVALID_ARGUMENT, "invalid_request", "%s: %s", member, what);
}

/* `*ret_text` stays as it is if the member is not there and need not be. */
static status text_member(json source, const char *member, bool is_required, size_t len_max,
                          const char **ret_text, struct error *reterr)
{
    json value = json_get_text(source, member);
    if (json_is(value, JSON_INVALID)) {
        return is_required ? refused(reterr, member, "is required") : STATUS_OK;
    }
    if (!json_is(value, JSON_TEXT)) return refused(reterr, member, "must be a text");
    str text = json_str(value);
    if (text.len > len_max || memchr(text.ptr, '\0', text.len)) {
        return refused(reterr, member, "is too long, or holds a NUL");
    }
    if (is_required && text.len == 0) return refused(reterr, member, "must not be empty");
    *ret_text = text.ptr;
    return STATUS_OK;
}

static status choice_member(json source, const char *member, const char *const *names, size_t count,
                            size_t *ret_index, struct error *reterr)
{
    json value = json_get_text(source, member);
    for (size_t i = 0; i < count && json_is(value, JSON_TEXT); i++) {
        if (!str_is(json_str(value), names[i])) continue;
        *ret_index = i;
        return STATUS_OK;
    }
    return refused(reterr, member, "is missing, or none of the known words");
}

static status schema_member(json source, const char *member, json *ret_schema, struct error *reterr)
{
    json value = json_get_text(source, member);
    if (json_is(value, JSON_INVALID)) return STATUS_OK;
    CLEANUP(schema_freep) struct schema *schema = NULL;
    struct error why                            = {};
    if (schema_compile(value, NULL, NULL, &schema, &why) != STATUS_OK) {
        return fail_code(reterr, STATUS_INVALID_ARGUMENT, "invalid_request", "%s: %s", member,
                         why.text);
    }
    *ret_schema = value;
    return STATUS_OK;
}

static bool is_name_part(str part)
{
    bool is_fine = part.len > 0 && part.len <= 63 && part.ptr[0] >= 'a' && part.ptr[0] <= 'z';
    for (size_t i = 0; is_fine && i < part.len; i++) {
        char c  = part.ptr[i];
        is_fine = (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_' || c == '-';
    }
    return is_fine;
}

/* "adapter.action": names of the language's own calls have no point, so none can be taken. */
static bool is_function_name(str name)
{
    const char *point = memchr(name.ptr, '.', name.len);
    if (!point) return false;
    size_t at = (size_t)(point - name.ptr);
    return is_name_part(str_slice(name, 0, at)) && is_name_part(str_slice(name, at + 1, name.len));
}

static status check_members(json source, struct error *reterr)
{
    static const char *const known[] = {
        "name",        "version",   "catalog",      "queue",         "summary",      "effect",
        "idempotency", "streaming", "input_schema", "output_schema", "compensation", "alias_of",
    };
    if (!json_is(source, JSON_OBJECT)) {
        return fail_code(reterr, STATUS_INVALID_ARGUMENT, "invalid_request",
                         "the description of a function is a map");
    }
    for (size_t i = 0; i < json_count(source); i++) {
        str key       = json_key_at(source, i);
        bool is_known = false;
        for (size_t k = 0; k < ARRAY_LEN(known); k++) is_known |= str_is(key, known[k]);
        if (is_known) continue;
        return fail_code(reterr, STATUS_INVALID_ARGUMENT, "invalid_request",
                         "`" STR_FMT "` is no member of a function's description",
                         STR_ARG(str_slice(key, 0, key.len < 60 ? key.len : 60)));
    }
    json catalog = json_get_text(source, "catalog");
    if (json_is(catalog, JSON_INVALID)) return STATUS_OK;
    if (json_is(catalog, JSON_TEXT) && str_is(json_str(catalog), "default")) return STATUS_OK;
    return refused(reterr, "catalog", "functions are registered in `default` only");
}

static status check_names(const struct function_description *description, struct error *reterr)
{
    if (!is_function_name(str_from(description->name))) {
        return refused(reterr, "name", "write family.function in lower case");
    }
    if (description->alias_of && !is_function_name(str_from(description->alias_of))) {
        return refused(reterr, "alias_of", "write family.function in lower case");
    }
    if (str_starts_with(str_from(description->name), str_from("worker."))) {
        return refused(reterr, "name", "`worker.` is for jobs of the users' own workers");
    }
    str version = str_from(description->version);
    if (!version_is_valid(version) || strpbrk(description->version, "-+")) {
        return refused(reterr, "version", "write three numbers, such as 1.0.0");
    }
    return STATUS_OK;
}

status function_description_read(json source, struct function_description *ret_description,
                                 struct error *reterr)
{
    TRY(check_members(source, reterr));
    struct function_description read = {.summary = "", .source = source};
    size_t effect                    = 0;
    size_t idempotency               = IDEMPOTENCY_NATURAL;
    TRY(text_member(source, "name", true, FUNCTION_NAME_MAX, &read.name, reterr));
    TRY(text_member(source, "version", true, FUNCTION_VERSION_MAX, &read.version, reterr));
    TRY(text_member(source, "queue", true, FUNCTION_NAME_MAX, &read.queue, reterr));
    TRY(text_member(source, "summary", false, FUNCTION_SUMMARY_MAX, &read.summary, reterr));
    TRY(text_member(source, "alias_of", false, FUNCTION_NAME_MAX, &read.alias_of, reterr));
    TRY(check_names(&read, reterr));
    TRY(choice_member(source, "effect", effects, EFFECT_COUNT, &effect, reterr));
    read.effect    = (enum function_effect)effect;
    bool has_kind  = !json_is(json_get_text(source, "idempotency"), JSON_INVALID);
    json streaming = json_get_text(source, "streaming");
    if (has_kind || read.effect != EFFECT_READ) {
        TRY(choice_member(source, "idempotency", idempotencies, IDEMPOTENCY_COUNT, &idempotency,
                          reterr));
    }
    read.idempotency = (enum function_idempotency)idempotency;
    if (!json_is(streaming, JSON_INVALID) && !json_is_bool(streaming)) {
        return refused(reterr, "streaming", "is true or false");
    }
    read.is_streaming = streaming.kind == JSON_TRUE;
    TRY(schema_member(source, "input_schema", &read.input_schema, reterr));
    TRY(schema_member(source, "output_schema", &read.output_schema, reterr));
    read.compensation = json_get_text(source, "compensation");
    if (!json_is(read.compensation, JSON_INVALID) && !json_is(read.compensation, JSON_OBJECT)) {
        return refused(reterr, "compensation", "must be a map");
    }
    *ret_description = read;
    return STATUS_OK;
}

/* --- comparing ----------------------------------------------------------------------------------
 */

/* Both absent, or both there and equal. */
static bool is_same(json a, json b)
{
    if (json_is(a, JSON_INVALID) || json_is(b, JSON_INVALID)) return a.kind == b.kind;
    return json_equal(a, b);
}

bool function_contract_equal(const struct function_description *a,
                             const struct function_description *b)
{
    return strcmp(a->name, b->name) == 0 && strcmp(a->version, b->version) == 0 &&
           strcmp(a->queue, b->queue) == 0 && a->effect == b->effect &&
           a->idempotency == b->idempotency && a->is_streaming == b->is_streaming &&
           is_same(a->input_schema, b->input_schema) &&
           is_same(a->output_schema, b->output_schema) && is_same(a->compensation, b->compensation);
}

/* --- selecting ----------------------------------------------------------------------------------
 */

bool function_selector_read(str text, struct function_selector *ret_selector)
{
    if (text.len == 0 || text.len > FUNCTION_SELECTOR_MAX) return false;
    struct function_selector selector = {.name = text};
    const char *at                    = memrchr(text.ptr, '@', text.len);
    if (at) {
        size_t cut       = (size_t)(at - text.ptr);
        selector.name    = str_slice(text, 0, cut);
        selector.catalog = str_slice(text, cut + 1, text.len);
        if (selector.catalog.len == 0) return false;
    }
    str name          = selector.name;
    const char *colon = name.len > 0 ? memchr(name.ptr, ':', name.len) : NULL;
    if (colon) {
        size_t cut       = (size_t)(colon - name.ptr);
        selector.name    = str_slice(name, 0, cut);
        selector.version = str_slice(name, cut + 1, name.len);
        if (selector.version.len == 0) return false;
    }
    if (selector.name.len == 0) return false;
    *ret_selector = selector;
    return true;
}

bool function_version_matches(str there, str wanted)
{
    if (wanted.len == 0) return true;
    if (!str_starts_with(there, wanted)) return false;
    return there.len == wanted.len || there.ptr[wanted.len] == '.';
}
