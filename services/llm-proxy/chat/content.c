#include "llm-proxy/chat/content.h"

#include "base/assert.h"
#include "base/attr.h"
#include "schema/schema.h"
#include "json/json_text.h"

#include <stdio.h>
#include <string.h>

enum {
    CHECK_ARENA_MAX = 8 << 20, /* bytes */
    SHOWN_MAX       = 3,       /* violations in the message */
    EXPLAINED_MAX   = 10,      /* the same for the model */
    VALUES_MAX      = 1'000'000,
    DEPTH_MAX       = 64,
};

static const struct json_limits limits = {
    .depth_max = DEPTH_MAX, .values_max = VALUES_MAX, .allow_duplicate_keys = true};

bool content_is_bare(str text)
{
    CLEANUP(json_unrefp) json value = json_invalid();
    return json_parse(text, &limits, &value, NULL, NULL) == STATUS_OK;
}

/* Models like to wrap JSON into ```json fences, or into a sentence. */
static status find_json(str text, json *ret_value, struct error *reterr)
{
    if (json_parse_within(text, &limits, ret_value, NULL) == STATUS_OK) return STATUS_OK;
    return fail(reterr, STATUS_INVALID_ARGUMENT, "the model answered with text, not with JSON");
}

/* INVALID_ARGUMENT: of another shape; the first `count` violations are in `out`, between them
 * `between`. */
static status check_shape(json schema, json value, size_t count, const char *between,
                          struct buf *out, struct error *reterr)
{
    CLEANUP(schema_freep) struct schema *compiled = NULL;
    TRY(schema_compile(schema, NULL, NULL, &compiled, reterr));
    CLEANUP(arena_freep) struct arena *arena = arena_new(CHECK_ARENA_MAX);
    struct schema_errors *errors             = arena_alloc(arena, sizeof *errors);
    ASSERT(errors);
    status code = schema_check(compiled, value, arena, errors, reterr);
    if (code != STATUS_INVALID_ARGUMENT) return code;
    for (size_t i = 0; i < errors->count && i < count; i++) {
        (void)buf_printf(out, "%s%s: %s", i > 0 ? between : "",
                         *errors->items[i].pointer ? errors->items[i].pointer : "the answer",
                         errors->items[i].sentence);
    }
    return code;
}

void content_explain(const struct chat_request *request, str text, struct buf *out)
{
    CLEANUP(json_unrefp) json value = json_invalid();
    struct error error              = {};
    status code                     = find_json(text, &value, &error);
    size_t before                   = out->len;
    if (code == STATUS_OK && request->format == FORMAT_SCHEMA) {
        code = check_shape(request->schema, value, EXPLAINED_MAX, "\n", out, &error);
    }
    if (code != STATUS_OK && out->len == before) (void)buf_put_text(out, error.text);
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
    if (request->format == FORMAT_SCHEMA) {
        CLEANUP(buf_done) struct buf shown = buf_init(ERROR_TEXT_MAX);
        status code = check_shape(request->schema, value, SHOWN_MAX, "; ", &shown, reterr);
        if (code == STATUS_INVALID_ARGUMENT && shown.len > 0) {
            return fail(reterr, code, "%.200s", shown.ptr);
        }
        TRY(code);
    }
    *ret_value = json_take(&value);
    return STATUS_OK;
}
