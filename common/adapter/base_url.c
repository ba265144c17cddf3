#include "adapter/base_url.h"

#include "adapter/scope.h"
#include "expr/reads.h"
#include "http/url.h"

#include <string.h>

/* For the first setting that the address is made of and that is not there. */
struct search {
    json config;
    struct arena *arena;
    const char *missing; /* NULL: none */
};

static void look_at_read(const struct expr_read *read, void *context)
{
    struct search *search = context;
    bool is_setting       = read->count == 2 && str_is(read->keys[0], "config");
    if (!is_setting || search->missing) return;
    json value = json_get(search->config, read->keys[1]);
    if (!json_is(value, JSON_INVALID) && !json_is(value, JSON_NULL)) return;
    search->missing = arena_strdup(search->arena, read->keys[1]);
}

static const char *missing_setting(const struct manifest *manifest, json scope, struct arena *arena)
{
    json written         = json_get_text(json_get_text(manifest->root, "http"), "base_url");
    struct search search = {.config = json_get_text(scope, "config"), .arena = arena};
    if (!formula_is_expression(written)) return NULL;
    str text = json_str(written);
    expr_reads(str_slice(text, 1, text.len), look_at_read, &search);
    return search.missing;
}

/* Behind a brace `{secret}` may stand, which is no URL yet. */
static bool is_address(json base)
{
    struct url parsed;
    if (!json_is(base, JSON_TEXT)) return false;
    const char *brace = memchr(json_str(base).ptr, '{', json_str(base).len);
    size_t end        = brace ? (size_t)(brace - json_str(base).ptr) : json_str(base).len;
    return url_parse(str_slice(json_str(base), 0, end), &parsed);
}

status base_url_of(const struct manifest *manifest, json scope, const char *connection,
                   struct arena *arena, str *ret_url, struct error *reterr)
{
    CLEANUP(json_unrefp) json base = json_invalid();
    struct error error             = {};
    if (!manifest->base_url) return STATUS_OK;
    status code = formula_eval(manifest->base_url, scope, scope_now_us(scope), &base, &error);
    const char *missing = is_address(base) ? NULL : missing_setting(manifest, scope, arena);
    if (missing) {
        const char *name = connection ? connection : manifest->name;
        return fail(reterr, STATUS_FAILED_PRECONDITION,
                    "the connection `%s` lacks the setting `%s`: tools.connections.%s.config", name,
                    missing, name);
    }
    if (code != STATUS_OK) return fail(reterr, code, "`http.base_url`: %s", error.text);
    if (!json_is(base, JSON_TEXT)) {
        return fail(reterr, STATUS_INVALID_ARGUMENT, "`http.base_url` is no text");
    }
    str text = json_str(base);
    while (text.len > 0 && text.ptr[text.len - 1] == '/') text.len--;
    char *copy = arena_strdup(arena, text);
    if (!copy) return fail(reterr, STATUS_RESOURCE_EXHAUSTED, "the request is too large");
    *ret_url = (str){.ptr = copy, .len = text.len};
    return STATUS_OK;
}

bool base_url_is_beside(str base_url, str url)
{
    struct url base;
    struct url there;
    return url_parse(base_url, &base) && url_parse(url, &there) && url_same_host(&base, &there) &&
           !url_same_origin(&base, &there);
}
