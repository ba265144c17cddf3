#include "llm-proxy/content.h"

#include "base/assert.h"
#include "base/attr.h"
#include "schema/schema.h"
#include "json/json_text.h"

#include <stdio.h>
#include <string.h>

enum {
    CHECK_ARENA_MAX = 8 << 20, /* bytes */
    SHOWN_MAX       = 3,       /* violations in the message */
    VALUES_MAX      = 1'000'000,
    DEPTH_MAX       = 64,
};

/* Models like to wrap JSON into ```json fences, or into a sentence. */
static status find_json(str text, json *ret_value, struct error *reterr)
{
    const struct json_limits limits = {
        .depth_max = DEPTH_MAX, .values_max = VALUES_MAX, .allow_duplicate_keys = true};
    if (json_parse_within(text, &limits, ret_value, NULL) == STATUS_OK) return STATUS_OK;
    return fail(reterr, STATUS_INVALID_ARGUMENT, "the model answered with text, not with JSON");
}

static status check_shape(json schema, json value, struct error *reterr)
{
    CLEANUP(schema_freep) struct schema *compiled = NULL;
    TRY(schema_compile(schema, NULL, NULL, &compiled, reterr));
    CLEANUP(arena_freep) struct arena *arena = arena_new(CHECK_ARENA_MAX);
    ASSERT(arena);
    struct schema_errors *errors = arena_alloc(arena, sizeof *errors);
    ASSERT(errors);
    status code = schema_check(compiled, value, arena, errors, reterr);
    if (code != STATUS_INVALID_ARGUMENT) return code;

    CLEANUP(buf_done) struct buf text = buf_init(ERROR_TEXT_MAX);
    for (size_t i = 0; i < errors->count && i < SHOWN_MAX; i++) {
        (void)buf_printf(&text, "%s%s: %s", i > 0 ? "; " : "",
                         *errors->items[i].pointer ? errors->items[i].pointer : "the answer",
                         errors->items[i].sentence);
    }
    return fail(reterr, STATUS_INVALID_ARGUMENT, "%.200s", text.ptr ? text.ptr : "wrong shape");
}

status content_read(const struct chat_request *request, str text, json *ret_value,
                    struct error *reterr)
{
    if (request->format == FORMAT_TEXT || request->is_unchecked) {
        *ret_value = json_text_lossy(text);
        return STATUS_OK;
    }
    CLEANUP(json_unrefp) json value = json_invalid();
    TRY(find_json(text, &value, reterr));
    if (request->format == FORMAT_SCHEMA) TRY(check_shape(request->schema, value, reterr));
    *ret_value = json_take(&value);
    return STATUS_OK;
}
