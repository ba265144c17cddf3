#include "tool-adapter/connections/validators.h"

#include "base/assert.h"

#include <string.h>
#include <strings.h>

static const struct {
    const char *answered, *name, *asked;
} kinds[] = {
    {"etag", "etag", "If-None-Match"},
    {"last-modified", "last_modified", "If-Modified-Since"},
};
static_assert(ARRAY_LEN(kinds) == VALIDATORS_MAX);

bool validators_apply(const struct manifest_action *action)
{
    const struct manifest_step *step = &action->steps[0];
    bool is_one                      = action->step_count == 1 && !step->id && !action->pagination;
    return is_one && step->request.kind == REQUEST_HTTP && !step->request.method_by &&
           strcmp(step->request.method, "GET") == 0;
}

/* What can be sent as it came: no control character, and nothing that JSON has no text for. */
static bool is_plain(str value)
{
    for (size_t i = 0; i < value.len; i++) {
        if (value.ptr[i] < ' ' || value.ptr[i] > '~') return false;
    }
    return value.len > 0 && value.len <= VALIDATOR_SIZE_MAX;
}

json validators_new(json response)
{
    json headers    = json_get_text(response, "headers");
    json validators = json_object_new(VALIDATORS_MAX);
    for (size_t i = 0; i < ARRAY_LEN(kinds); i++) {
        json value = json_get_text(headers, kinds[i].answered);
        if (!json_is(value, JSON_TEXT) || !is_plain(json_str(value))) continue;
        json_object_put_text(&validators, kinds[i].name, json_ref(value));
    }
    if (json_count(validators) > 0) return validators;
    json_unref(validators);
    return json_invalid();
}

static bool is_named(const struct http_header *headers, size_t count, const char *name)
{
    for (size_t i = 0; i < count; i++) {
        str one = headers[i].name;
        if (one.len == strlen(name) && strncasecmp(one.ptr, name, one.len) == 0) return true;
    }
    return false;
}

size_t validators_put(json validators, struct http_header *headers, size_t count)
{
    for (size_t i = 0; i < ARRAY_LEN(kinds); i++) {
        json value = json_get_text(validators, kinds[i].name);
        if (!json_is(value, JSON_TEXT) || is_named(headers, count, kinds[i].asked)) continue;
        headers[count++] =
            (struct http_header){.name = str_from(kinds[i].asked), .value = json_str(value)};
    }
    return count;
}

bool validators_hold(json validators, json response)
{
    enum { NOT_MODIFIED = 304 };
    int64_t http_status = 0;
    (void)json_to_int(json_get_text(response, "status"), &http_status);
    return !json_is(validators, JSON_INVALID) && http_status == NOT_MODIFIED;
}
