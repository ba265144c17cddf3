#include "workflow/errors.h"

#include "base/assert.h"
#include "base/attr.h"
#include "workflow/workflow.h"

#include <stdio.h>

#define PREFIX "https://serverlessworkflow.io/spec/1.0.0/errors/"

static const struct {
    const char *type, *title;
    uint32_t status;
} kinds[ERROR_KIND_COUNT] = {
    [ERROR_CONFIGURATION]  = {PREFIX "configuration", "Configuration error", 400},
    [ERROR_VALIDATION]     = {PREFIX "validation", "Validation error", 400},
    [ERROR_EXPRESSION]     = {PREFIX "expression", "Expression error", 400},
    [ERROR_AUTHENTICATION] = {PREFIX "authentication", "Authentication error", 401},
    [ERROR_AUTHORIZATION]  = {PREFIX "authorization", "Authorization error", 403},
    [ERROR_TIMEOUT]        = {PREFIX "timeout", "Timeout", 408},
    [ERROR_COMMUNICATION]  = {PREFIX "communication", "Communication error", 500},
    [ERROR_RUNTIME]        = {PREFIX "runtime", "Runtime error", 500},
};

/* The three families: 1.0.3, the main dialect, and old examples with the conformance kit. */
static const char *const prefixes[] = {
    PREFIX,
    "https://open-workflow-specification.org/spec/1.0.0/errors/",
    "https://serverlessworkflow.io/dsl/errors/types/",
    "https://open-workflow-specification.org/dsl/errors/types/",
};

const char *error_type(enum error_kind kind)
{
    ASSERT(kind < ERROR_KIND_COUNT);
    return kinds[kind].type;
}

uint32_t error_status(enum error_kind kind)
{
    ASSERT(kind < ERROR_KIND_COUNT);
    return kinds[kind].status;
}

/* The kind that a URI of one of the families names; ERROR_KIND_COUNT if it names none. */
static enum error_kind kind_of(str type)
{
    for (size_t p = 0; p < ARRAY_LEN(prefixes); p++) {
        str prefix = str_from(prefixes[p]);
        if (!str_starts_with(type, prefix)) continue;
        str word = str_slice(type, prefix.len, type.len);
        for (enum error_kind kind = 0; kind < ERROR_KIND_COUNT; kind++) {
            if (str_is(word, kinds[kind].type + sizeof PREFIX - 1)) return kind;
        }
    }
    return ERROR_KIND_COUNT;
}

bool error_type_equal(str a, str b)
{
    if (str_equal(a, b)) return true;
    enum error_kind kind = kind_of(a);
    return kind != ERROR_KIND_COUNT && kind == kind_of(b);
}

static json error_make(const char *type, uint32_t number, const char *title, str detail,
                       str instance)
{
    json error = json_object_new(5);
    json_object_put_text(&error, "type", json_text_from(type));
    json_object_put_text(&error, "status", json_int(number));
    json_object_put_text(&error, "title", json_text_from(title));
    if (detail.len > 0) json_object_put_text(&error, "detail", json_text_lossy(detail));
    if (instance.len > 0) json_object_put_text(&error, "instance", json_text_lossy(instance));
    return error;
}

json error_new(enum error_kind kind, uint32_t number, str detail, str instance)
{
    ASSERT(kind < ERROR_KIND_COUNT);
    return error_make(kinds[kind].type, number ? number : kinds[kind].status, kinds[kind].title,
                      detail, instance);
}

json error_own_new(const char *name, uint32_t number, const char *title, str detail, str instance)
{
    char type[96];
    int len = snprintf(type, sizeof type, "https://tutti.dev/errors/%s", name);
    ASSERT(len > 0 && (size_t)len < sizeof type);
    return error_make(type, number, title, detail, instance);
}

static bool text_matches(const char *wanted, json value)
{
    if (!wanted) return true;
    return json_is(value, JSON_TEXT) && str_is(json_str(value), wanted);
}

bool error_filter_matches(const struct error_filter *filter, json error)
{
    if (filter->type) {
        json type = json_get_text(error, "type");
        if (!json_is(type, JSON_TEXT)) return false;
        if (!error_type_equal(str_from(filter->type), json_str(type))) return false;
    }
    if (filter->status) {
        int64_t number;
        json value = json_get_text(error, "status");
        if (!json_is_number(value) || !json_to_int(value, &number)) return false;
        if (number != filter->status) return false;
    }
    return text_matches(filter->instance, json_get_text(error, "instance")) &&
           text_matches(filter->title, json_get_text(error, "title")) &&
           text_matches(filter->detail, json_get_text(error, "detail"));
}
