/* Which operation of a description a step calls. */
#include "adapter/arazzo_internal.h"
#include "base/attr.h"
#include "json/json_pointer.h"

#include <string.h>

enum { POINTER_MAX = 4 << 10 };

static status find_operation(const struct arazzo_called *called, str id,
                             struct operation *ret_operation, struct error *reterr)
{
    struct openapi_operation found = {};
    static const char begin[]      = "$sourceDescriptions.";
    if (str_starts_with(id, str_from(begin))) {
        str rest        = str_slice(id, sizeof begin - 1, id.len);
        str source      = called->name;
        bool is_another = !str_starts_with(rest, source) || rest.len <= source.len + 1 ||
                          rest.ptr[source.len] != '.';
        if (is_another) {
            return fail(reterr, STATUS_INVALID_ARGUMENT,
                        "it is of another description than the first: a manifest has one base_url");
        }
        id = str_slice(rest, source.len + 1, rest.len);
    }
    const struct openapi_library alone = {.root = called->description};
    if (openapi_find(&alone, id, &found, NULL) != STATUS_OK) {
        return fail(reterr, STATUS_NOT_FOUND, "the description has no operation `%.*s`",
                    id.len < 60 ? (int)id.len : 60, id.ptr);
    }
    *ret_operation = (struct operation){
        .method = found.method, .path = found.path, .item = found.item, .self = found.self};
    return STATUS_OK;
}

/* `{$sourceDescriptions.NAME.url}#/paths/~1pets/get` */
static status find_path(const struct arazzo_called *called, str text,
                        struct operation *ret_operation, struct error *reterr)
{
    static const char *const methods[] = {"get", "head", "post", "put", "patch", "delete"};
    const char *hash                   = memchr(text.ptr, '#', text.len);
    str pointer = hash ? str_slice(text, (size_t)(hash - text.ptr) + 1, text.len) : (str){};
    json paths  = json_get_text(called->description, "paths");
    for (size_t i = 0; pointer.len > 0 && i < json_count(paths); i++) {
        json item = openapi_resolve(called->description, json_value_at(paths, i));
        for (size_t k = 0; k < ARRAY_LEN(methods); k++) {
            CLEANUP(buf_done) struct buf made = buf_init(POINTER_MAX);
            json self = openapi_member(called->description, item, methods[k]);
            (void)buf_put_text(&made, "/paths");
            (void)json_pointer_add(&made, json_key_at(paths, i));
            (void)json_pointer_add(&made, str_from(methods[k]));
            if (!str_equal(buf_str(&made), pointer) || !json_is(self, JSON_OBJECT)) continue;
            *ret_operation = (struct operation){
                .method = methods[k], .path = json_key_at(paths, i), .item = item, .self = self};
            return STATUS_OK;
        }
    }
    return fail(reterr, STATUS_NOT_FOUND,
                "there is no such operation: {$sourceDescriptions.NAME.url}#/paths/~1PATH/METHOD");
}

status arazzo_find(const struct arazzo_called *called, const char **ret_below,
                   struct operation *ret_operation, struct error *reterr)
{
    str path   = openapi_text(called->step, "operationPath");
    str id     = openapi_text(called->step, "operationId");
    *ret_below = path.len > 0 ? "operationPath" : "operationId";
    return path.len > 0 ? find_path(called, path, ret_operation, reterr)
                        : find_operation(called, id, ret_operation, reterr);
}
