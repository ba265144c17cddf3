#include "adapter/openapi_request_internal.h"
#include "base/mem.h"
#include "http/url.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

enum { NAME_SHOWN_MAX = 100, HEADER_MAX = 16 << 10 }; /* bytes */

static void making_free(struct openapi_making *making)
{
    buf_done(&making->query);
    buf_done(&making->cookies);
    json_unref(making->headers);
    json_unref(making->body);
    free(making);
}

int openapi_shown(str name)
{
    return (int)(name.len < NAME_SHOWN_MAX ? name.len : NAME_SHOWN_MAX);
}

static status too_large(struct error *reterr)
{
    return fail(reterr, STATUS_RESOURCE_EXHAUSTED, "/parameters: the request would be too large");
}

/* --- parameters ------------------------------------------------------------------------------- */

json openapi_given(struct openapi_making *making, str name)
{
    size_t index = 0;
    if (!json_is(making->call->parameters, JSON_OBJECT)) return json_invalid();
    if (!json_find(making->call->parameters, name, &index)) return json_invalid();
    making->is_used[index] = true;
    json value             = json_value_at(making->call->parameters, index);
    return json_is(value, JSON_NULL) ? json_invalid() : value;
}

static bool is_listed(const struct openapi_making *making, json parameter)
{
    for (size_t i = 0; i < making->listed_count; i++) {
        json other = making->listed[i];
        if (str_equal(openapi_text(other, "name"), openapi_text(parameter, "name")) &&
            str_equal(openapi_text(other, "in"), openapi_text(parameter, "in"))) {
            return true;
        }
    }
    return false;
}

/* Those of the operation come first, and stand for those of its path with the same name. */
static status list_parameters(struct openapi_making *making, json list, struct error *reterr)
{
    for (size_t i = 0; json_is(list, JSON_ARRAY) && i < json_count(list); i++) {
        json parameter = openapi_follow(&making->library, json_at(list, i));
        if (openapi_text(parameter, "name").len == 0 || is_listed(making, parameter)) continue;
        if (making->listed_count == OPENAPI_LISTED_MAX) {
            return fail(reterr, STATUS_RESOURCE_EXHAUSTED,
                        "/operationId: an operation of more than %d parameters",
                        OPENAPI_LISTED_MAX);
        }
        making->listed[making->listed_count++] = parameter;
    }
    return STATUS_OK;
}

status openapi_missing(const struct openapi_making *making, str name, const char *place,
                       struct error *reterr)
{
    str id = making->call->operation_id;
    return fail(reterr, STATUS_INVALID_ARGUMENT,
                "/parameters/%.*s: is missing: a %s parameter that `%.*s` requires",
                openapi_shown(name), name.ptr, place, openapi_shown(id), id.ptr);
}

static bool put_separated(struct buf *out, const char *separator, json self, bool is_swagger,
                          str name, json value)
{
    CLEANUP(buf_done) struct buf one = buf_init(OPENAPI_URL_MAX);
    if (!openapi_put(self, is_swagger, name, value, &one)) return false;
    if (one.len == 0) return true;
    if (out->len > 0) (void)buf_put_text(out, separator);
    return buf_put_str(out, buf_str(&one));
}

static bool put_header(struct openapi_making *making, json self, str name, json value)
{
    CLEANUP(buf_done) struct buf text = buf_init(HEADER_MAX);
    if (!openapi_put(self, making->is_swagger, name, value, &text)) return false;
    json_object_put(&making->headers, name, json_text_lossy(buf_str(&text)));
    return true;
}

static bool put_parameter(struct openapi_making *making, json self, str name, json value)
{
    switch (openapi_place_of(self)) {
    case OPENAPI_IN_QUERY:
        return put_separated(&making->query, "&", self, making->is_swagger, name, value);
    case OPENAPI_IN_COOKIE:
        return put_separated(&making->cookies, "; ", self, making->is_swagger, name, value);
    case OPENAPI_IN_HEADER: return put_header(making, self, name, value);
    default: return true; /* of the path: when it is written */
    }
}

static status put_parameters(struct openapi_making *making, struct error *reterr)
{
    static const char *const places[] = {"path", "query", "header", "cookie"};
    for (size_t i = 0; i < making->listed_count; i++) {
        json self                = making->listed[i];
        enum openapi_place place = openapi_place_of(self);
        if (place == OPENAPI_IN_PATH || place == OPENAPI_IN_NOTHING) continue;
        str name   = openapi_text(self, "name");
        json value = openapi_given(making, name);
        if (json_is(value, JSON_INVALID)) {
            if (!json_is_truthy(json_get_text(self, "required"))) continue;
            return openapi_missing(making, name, places[place], reterr);
        }
        if (!put_parameter(making, self, name, value)) return too_large(reterr);
    }
    return STATUS_OK;
}

/* Keys by which callers prove who they are; the description says under which names they go. */
static status put_keys(struct openapi_making *making, struct error *reterr)
{
    json root    = making->call->description;
    json schemes = making->is_swagger
                       ? json_get_text(root, "securityDefinitions")
                       : json_get_text(json_get_text(root, "components"), "securitySchemes");
    for (size_t i = 0; json_is(schemes, JSON_OBJECT) && i < json_count(schemes); i++) {
        json scheme = openapi_follow(&making->library, json_value_at(schemes, i));
        str name    = openapi_text(scheme, "name");
        if (!str_is(openapi_text(scheme, "type"), "apiKey") || name.len == 0) continue;
        if (is_listed(making, scheme)) continue;
        json value = openapi_given(making, name);
        if (json_is(value, JSON_INVALID)) continue;
        if (!put_parameter(making, scheme, name, value)) return too_large(reterr);
    }
    return STATUS_OK;
}

/* --- the address ------------------------------------------------------------------------------ */

/* The parameter of the path with that name; one that nobody describes is a plain text. */
static json path_parameter(const struct openapi_making *making, str name)
{
    for (size_t i = 0; i < making->listed_count; i++) {
        json self = making->listed[i];
        if (openapi_place_of(self) == OPENAPI_IN_PATH &&
            str_equal(openapi_text(self, "name"), name)) {
            return self;
        }
    }
    return json_invalid();
}

static status put_path_value(struct openapi_making *making, str name, struct buf *out,
                             struct error *reterr)
{
    CLEANUP(buf_done) struct buf text = buf_init(OPENAPI_URL_MAX);
    json self                         = path_parameter(making, name);
    json schema                       = openapi_follow_member(&making->library, self, "schema");
    json value                        = openapi_given(making, name);
    if (json_is(value, JSON_INVALID)) {
        value = json_get_text(json_is(schema, JSON_OBJECT) ? schema : self, "default");
    }
    if (json_is(value, JSON_INVALID)) return openapi_missing(making, name, "path", reterr);
    if (!openapi_put(self, making->is_swagger, name, value, &text)) return too_large(reterr);
    str said = buf_str(&text);
    if (said.len == 0 || str_is(said, ".") || str_is(said, "..")) {
        return fail(reterr, STATUS_INVALID_ARGUMENT,
                    "/parameters/%.*s: the value would change which path is called",
                    openapi_shown(name), name.ptr);
    }
    return buf_put_str(out, said) ? STATUS_OK : too_large(reterr);
}

static status put_path(struct openapi_making *making, struct buf *out, struct error *reterr)
{
    str path = making->operation.path;
    for (size_t i = 0; i < path.len; i++) {
        const char *close = path.ptr[i] == '{' ? memchr(path.ptr + i, '}', path.len - i) : NULL;
        if (!close) {
            if (!buf_put_byte(out, path.ptr[i])) return too_large(reterr);
            continue;
        }
        size_t end = (size_t)(close - path.ptr);
        TRY(put_path_value(making, str_slice(path, i + 1, end), out, reterr));
        i = end;
    }
    return STATUS_OK;
}

/* The address of a server with the defaults of its variables. */
static void put_server(json server, struct buf *out)
{
    str url        = openapi_text(server, "url");
    json variables = json_get_text(server, "variables");
    for (size_t i = 0; i < url.len; i++) {
        const char *close = url.ptr[i] == '{' ? memchr(url.ptr + i, '}', url.len - i) : NULL;
        size_t end        = close ? (size_t)(close - url.ptr) : i;
        if (close) {
            json variable = json_get(variables, str_slice(url, i + 1, end));
            (void)buf_put_str(out, openapi_text(variable, "default"));
            i = end;
        } else {
            (void)buf_put_byte(out, url.ptr[i]);
        }
    }
}

static json server_of(const struct openapi_making *making)
{
    const json places[] = {making->operation.self, making->operation.item,
                           making->call->description};
    for (size_t i = 0; i < ARRAY_LEN(places); i++) {
        json server = json_at(json_get_text(places[i], "servers"), 0);
        if (json_is(server, JSON_OBJECT)) return server;
    }
    return json_invalid();
}

/* https if there is a choice; the document's own if nothing is said. */
static str swagger_scheme(json root, const struct url *document)
{
    json schemes = json_get_text(root, "schemes");
    str first    = document->scheme;
    for (size_t i = 0; json_is(schemes, JSON_ARRAY) && i < json_count(schemes); i++) {
        json one = json_at(schemes, i);
        if (!json_is(one, JSON_TEXT)) continue;
        if (str_is(json_str(one), "https")) return json_str(one);
        if (i == 0) first = json_str(one);
    }
    return first;
}

static void put_swagger_server(json root, const struct url *document, struct buf *out)
{
    str host = openapi_text(root, "host");
    (void)buf_put_str(out, swagger_scheme(root, document));
    (void)buf_put_text(out, "://");
    if (host.len > 0) {
        (void)buf_put_str(out, host);
    } else {
        bool is_v6 = memchr(document->host.ptr, ':', document->host.len) != NULL;
        (void)buf_printf(out, "%s" STR_FMT "%s:%u", is_v6 ? "[" : "", STR_ARG(document->host),
                         is_v6 ? "]" : "", document->port);
    }
    (void)buf_put_str(out, openapi_text(root, "basePath"));
}

static status put_base(const struct openapi_making *making, struct buf *out, struct error *reterr)
{
    CLEANUP(buf_done) struct buf said = buf_init(OPENAPI_URL_MAX);
    json root                         = making->call->description;
    struct url document               = {};
    struct url base                   = {};
    if (!url_parse(making->call->document_url, &document)) {
        return fail(reterr, STATUS_INVALID_ARGUMENT, "/document: its address is no http URL");
    }
    if (making->is_swagger) {
        put_swagger_server(root, &document, &said);
    } else {
        put_server(server_of(making), &said);
    }
    if (said.len == 0) (void)buf_put_byte(&said, '/');
    bool is_fine = !said.is_full && url_resolve(making->call->document_url, buf_str(&said), out) &&
                   url_parse(buf_str(out), &base);
    while (out->len > 0 && out->ptr[out->len - 1] == '/') out->len--;
    if (is_fine && base.query.len == 0 && base.fragment.len == 0) return STATUS_OK;
    return fail(reterr, STATUS_INVALID_ARGUMENT,
                "/document: the server that the description names has no http or https URL");
}

static status put_address(struct openapi_making *making, struct buf *out, struct error *reterr)
{
    TRY(put_base(making, out, reterr));
    TRY(put_path(making, out, reterr));
    TRY(put_parameters(making, reterr));
    TRY(put_keys(making, reterr));
    if (making->query.len > 0) {
        (void)buf_put_byte(out, '?');
        (void)buf_put_str(out, buf_str(&making->query));
    }
    return out->is_full ? too_large(reterr) : STATUS_OK;
}

/* --- the whole -------------------------------------------------------------------------------- */

static status check_given(const struct openapi_call *call, struct error *reterr)
{
    json given = call->parameters;
    if (json_is(given, JSON_INVALID) || json_is(given, JSON_NULL)) return STATUS_OK;
    if (json_is(given, JSON_OBJECT) && json_count(given) <= OPENAPI_GIVEN_MAX) return STATUS_OK;
    return fail(reterr, STATUS_INVALID_ARGUMENT, "/parameters: a map of at most %d members",
                OPENAPI_GIVEN_MAX);
}

static status find_operation(struct openapi_making *making, struct error *reterr)
{
    const struct openapi_call *call = making->call;
    struct error why                = {};
    status code                     = openapi_check(call->description, &making->is_swagger, &why);
    if (code != STATUS_OK) return fail(reterr, code, "/document: %s", why.text);
    code = openapi_find(&making->library, call->operation_id, &making->operation, &why);
    if (code != STATUS_OK) return fail(reterr, code, "/operationId: %s", why.text);
    TRY(list_parameters(making, json_get_text(making->operation.self, "parameters"), reterr));
    return list_parameters(making, json_get_text(making->operation.item, "parameters"), reterr);
}

static bool has_header(const struct openapi_making *making, const char *name)
{
    size_t len = strlen(name);
    for (size_t i = 0; i < json_count(making->headers); i++) {
        str key = json_key_at(making->headers, i);
        if (key.len == len && strncasecmp(key.ptr, name, len) == 0) return true;
    }
    return false;
}

static void put_accept(struct openapi_making *making)
{
    if (has_header(making, "accept")) return;
    json_object_put_text(&making->headers, "Accept", json_text_from("application/json, */*;q=0.5"));
}

static status make(struct openapi_making *making, struct buf *address, struct error *reterr)
{
    TRY(check_given(making->call, reterr));
    TRY(find_operation(making, reterr));
    TRY(put_address(making, address, reterr));
    TRY(openapi_put_body(making, reterr));
    put_accept(making);
    if (making->cookies.len == 0) return STATUS_OK;
    json_object_put_text(&making->headers, "Cookie", json_text_lossy(buf_str(&making->cookies)));
    return STATUS_OK;
}

static struct openapi_library library_of(const struct openapi_call *call, size_t *followed)
{
    return (struct openapi_library){.root       = call->description,
                                    .url        = call->document_url,
                                    .parts      = call->parts,
                                    .part_count = call->part_count,
                                    .wanted     = call->wanted,
                                    .is_search  = call->is_search,
                                    .followed   = followed};
}

status openapi_request_new(const struct openapi_call *call, json *ret_request, struct error *reterr)
{
    CLEANUP(buf_done) struct buf address = buf_init(3 * OPENAPI_URL_MAX);
    struct openapi_making *making        = mem_new(1, sizeof *making);
    making->call                         = call;
    making->library                      = library_of(call, &making->followed);
    making->query                        = buf_init(OPENAPI_URL_MAX);
    making->cookies                      = buf_init(OPENAPI_URL_MAX);
    making->headers                      = json_object_new(4);
    status code                          = make(making, &address, reterr);
    if (making->followed > OPENAPI_FOLLOWED_MAX) {
        code = fail(reterr, STATUS_RESOURCE_EXHAUSTED,
                    "/document: more than %d references stand in the way of its operation",
                    OPENAPI_FOLLOWED_MAX);
    }
    if (code == STATUS_OK) {
        json request = json_object_new(4);
        json_object_put_text(&request, "method", json_text_from(making->operation.method));
        json_object_put_text(&request, "endpoint", json_text_lossy(buf_str(&address)));
        json_object_put_text(&request, "headers", json_ref(making->headers));
        if (!json_is(making->body, JSON_INVALID)) {
            json_object_put_text(&request, "body", json_ref(making->body));
        }
        *ret_request = request;
    }
    making_free(making);
    return code;
}
