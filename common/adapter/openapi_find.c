#include "adapter/openapi_find.h"

#include "base/attr.h"
#include "json/json_pointer.h"

enum { ID_SHOWN_MAX = 100 /* bytes */ };

static const char *const methods[] = {"get",   "head",   "post",    "put",
                                      "patch", "delete", "options", "trace"};

status openapi_check(json root, bool *ret_is_swagger, struct error *reterr)
{
    bool is_openapi = str_starts_with(openapi_text(root, "openapi"), str_from("3."));
    *ret_is_swagger = str_is(openapi_text(root, "swagger"), "2.0");
    if (is_openapi || *ret_is_swagger) return STATUS_OK;
    return fail(reterr, STATUS_INVALID_ARGUMENT,
                "it is neither OpenAPI 3.x nor Swagger 2.0: it has no such `openapi` or `swagger`");
}

json openapi_resolve(json root, json node)
{
    for (size_t i = 0; i < OPENAPI_REFS_MAX; i++) {
        json ref = json_get_text(node, "$ref");
        if (!json_is(ref, JSON_TEXT)) return node;
        str pointer = json_str(ref);
        if (pointer.len == 0 || pointer.ptr[0] != '#') return json_invalid();
        node = json_pointer_get(root, str_slice(pointer, 1, pointer.len));
    }
    return json_invalid();
}

json openapi_member(json root, json map, const char *name)
{
    return openapi_resolve(root, json_get_text(map, name));
}

str openapi_text(json map, const char *name)
{
    json value = json_get_text(map, name);
    return json_is(value, JSON_TEXT) ? json_str(value) : (str){.ptr = ""};
}

status openapi_find(json root, str id, struct openapi_operation *ret_operation,
                    struct error *reterr)
{
    json paths = json_get_text(root, "paths");
    for (size_t i = 0; json_is(paths, JSON_OBJECT) && i < json_count(paths); i++) {
        str path  = json_key_at(paths, i);
        json item = openapi_resolve(root, json_value_at(paths, i));
        if (path.len == 0 || path.ptr[0] != '/') continue;
        for (size_t k = 0; k < ARRAY_LEN(methods); k++) {
            json self      = openapi_member(root, item, methods[k]);
            *ret_operation = (struct openapi_operation){
                .method = methods[k], .path = path, .item = item, .self = self};
            bool is_it = json_is(self, JSON_OBJECT) &&
                         json_is(json_get_text(self, "operationId"), JSON_TEXT) &&
                         str_equal(openapi_text(self, "operationId"), id);
            if (is_it) return STATUS_OK;
        }
    }
    return fail(reterr, STATUS_NOT_FOUND, "the description has no operation `%.*s`",
                (int)(id.len < ID_SHOWN_MAX ? id.len : ID_SHOWN_MAX), id.ptr);
}
