/*
 * A schema and a value from the same bytes: compiling and checking end, with a status that fits
 * what is reported. Input: the schema as JSON, a NUL, the value as JSON.
 */
#include "base/arena.h"
#include "base/assert.h"
#include "schema/schema.h"
#include "json/json_text.h"

#include <stdint.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { ARENA_MAX = 4 << 20 };

static json parsed(str text)
{
    const struct json_limits limits = {.allow_duplicate_keys = true};
    json value                      = json_invalid();
    if (json_parse(text, &limits, &value, NULL, NULL) != STATUS_OK) return json_invalid();
    return value;
}

static void check(const struct schema *schema, json value, struct arena *arena)
{
    struct schema_errors errors = {};
    status code                 = schema_check(schema, value, arena, &errors, NULL);
    ASSERT(code == STATUS_OK || code == STATUS_INVALID_ARGUMENT ||
           code == STATUS_RESOURCE_EXHAUSTED);
    ASSERT(code != STATUS_OK || errors.count == 0);
    ASSERT(code != STATUS_INVALID_ARGUMENT || errors.count > 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    str all         = {.ptr = (const char *)data, .len = size};
    const char *nul = size ? memchr(data, '\0', size) : NULL;
    size_t len      = nul ? (size_t)(nul - all.ptr) : size;

    CLEANUP(json_unrefp) json source         = parsed(str_slice(all, 0, len));
    CLEANUP(json_unrefp) json value          = parsed(str_slice(all, len + 1, size));
    CLEANUP(arena_freep) struct arena *arena = arena_new(ARENA_MAX);
    if (json_is(source, JSON_INVALID)) return 0;
    struct diagnostics *list                    = diagnostics_new(arena);
    const struct schema_options options         = {.assert_formats = size % 2 == 0};
    CLEANUP(schema_freep) struct schema *schema = NULL;
    status code = schema_compile(source, &options, list, &schema, NULL);
    ASSERT((code == STATUS_OK) == (list->errors == 0));
    if (code != STATUS_OK) return 0;
    if (!json_is(value, JSON_INVALID)) check(schema, value, arena);
    check(schema, source, arena);
    return 0;
}
