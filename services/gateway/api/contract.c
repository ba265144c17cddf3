/*
 * The contract is read with the project's own YAML reader; $ref is followed only where this file
 * needs it (request bodies), by handing the whole document to the schema compiler.
 */
#include "gateway/api/contract.h"

#include "base/arena.h"
#include "base/assert.h"
#include "base/attr.h"
#include "base/clock.h"
#include "base/diagnostic.h"
#include "base/mem.h"
#include "schema/schema.h"
#include "yaml/yaml.h"
#include "json/json_pointer.h"
#include "json/json_text.h"

#include <stdlib.h>

extern const unsigned char openapi_yaml[];
extern const size_t openapi_yaml_size;

enum {
    CONTRACT_ARENA_MAX = 4 << 20, /* bytes */
    CONTRACT_JSON_MAX  = 4 << 20, /* bytes */
};

static const char *const DOCUMENT_URI = "tutti:openapi";

struct contract {
    struct arena *arena;
    struct yaml_document *document;
    json root; /* a view of the document */
    struct route routes[CONTRACT_ROUTES_MAX];
    uint64_t leads[CONTRACT_ROUTES_MAX]; /* of their first segments: see lead_of() */
    uint32_t count;
    struct schema *schemas[CONTRACT_ROUTES_MAX * 2]; /* of bodies and of parameters of paths */
    uint32_t schema_count;
    struct buf text;
};

static const char *const method_names[METHOD_COUNT] = {
    [METHOD_GET] = "GET",     [METHOD_POST] = "POST",     [METHOD_PUT] = "PUT",
    [METHOD_PATCH] = "PATCH", [METHOD_DELETE] = "DELETE",
};

static const char *const method_keys[METHOD_COUNT] = {
    [METHOD_GET] = "get",     [METHOD_POST] = "post",     [METHOD_PUT] = "put",
    [METHOD_PATCH] = "patch", [METHOD_DELETE] = "delete",
};

bool method_parse(str name, enum method *ret_method)
{
    for (int i = 0; i < METHOD_COUNT; i++) {
        if (str_is(name, method_names[i])) {
            *ret_method = (enum method)i;
            return true;
        }
    }
    return false;
}

const char *method_name(enum method method)
{
    ASSERT(method < METHOD_COUNT);
    return method_names[method];
}

void method_list(unsigned allowed, struct buf *out)
{
    const char *separator = "";
    for (int i = 0; i < METHOD_COUNT; i++) {
        if (!(allowed & 1U << i)) continue;
        (void)buf_printf(out, "%s%s%s", separator, method_names[i],
                         i == METHOD_GET ? ", HEAD" : "");
        separator = ", ";
    }
}

/* "1MiB", "256KiB", "512": only what openapi.yaml uses. */
static size_t read_size(str text)
{
    size_t value = 0;
    size_t i     = 0;
    for (; i < text.len && text.ptr[i] >= '0' && text.ptr[i] <= '9'; i++) {
        value = value * 10 + (size_t)(text.ptr[i] - '0');
    }
    str unit = str_slice(text, i, text.len);
    if (str_is(unit, "MiB")) return value << 20;
    if (str_is(unit, "KiB")) return value << 10;
    return value;
}

static const char *text_of(struct contract *contract, json object, const char *key,
                           const char *otherwise)
{
    json value = json_get_text(object, key);
    if (!json_is(value, JSON_TEXT)) return otherwise;
    const char *copy = arena_strdup(contract->arena, json_str(value));
    ASSERT(copy);
    return copy;
}

static bool is_param(str segment)
{
    return segment.len > 2 && segment.ptr[0] == '{';
}

static void split_path(struct route *route)
{
    str path    = str_from(route->path);
    size_t from = 1;
    for (size_t i = 1; i <= path.len; i++) {
        if (i < path.len && path.ptr[i] != '/') continue;
        ASSERT(route->segment_count < CONTRACT_SEGMENTS_MAX);
        str segment                             = str_slice(path, from, i);
        route->segments[route->segment_count++] = segment;
        from                                    = i + 1;
        if (!is_param(segment)) continue;
        ASSERT(route->param_count < CONTRACT_PARAMS_MAX);
        const char *end = memchr(segment.ptr, '}', segment.len);
        ASSERT(end);
        str name = str_slice(segment, 1, (size_t)(end - segment.ptr));
        route->param_names[route->param_count++] = name;
    }
}

static status compile(struct contract *contract, json schema, const struct schema **ret_schema,
                      struct error *reterr)
{
    /* "#/components/..." becomes a reference into the whole document. */
    CLEANUP(json_unrefp) json source = json_ref(schema);
    str ref                          = {};
    if (json_is(json_get_text(schema, "$ref"), JSON_TEXT)) {
        ref              = json_str(json_get_text(schema, "$ref"));
        const char *full = arena_printf(contract->arena, "%s" STR_FMT, DOCUMENT_URI, STR_ARG(ref));
        ASSERT(full);
        json absolute = json_object_new(1);
        json_object_put_text(&absolute, "$ref", json_text_from(full));
        json_unref(source);
        source = absolute;
    }
    const struct schema_document documents[] = {{DOCUMENT_URI, contract->root}, {}};
    ASSERT(contract->schema_count < ARRAY_LEN(contract->schemas));
    const struct schema_options options = {.documents = documents, .assert_formats = true};
    struct schema *compiled             = NULL;
    TRY(schema_compile(source, &options, NULL, &compiled, reterr));
    contract->schemas[contract->schema_count++] = compiled;
    *ret_schema                                 = compiled;
    return STATUS_OK;
}

static status compile_body(struct contract *contract, struct route *route, json operation,
                           struct error *reterr)
{
    json body            = json_get_text(operation, "requestBody");
    route->body_required = json_is_truthy(json_get_text(body, "required"));
    json content         = json_get_text(json_get_text(body, "content"), "application/json");
    json schema          = json_get_text(content, "schema");
    if (!json_is(schema, JSON_OBJECT)) return STATUS_OK;
    return compile(contract, schema, &route->body_schema, reterr);
}

static status add_query_name(struct contract *contract, struct route *route, str name,
                             struct error *reterr)
{
    if (route->query_count == CONTRACT_QUERY_MAX) {
        return fail(reterr, STATUS_INTERNAL, "openapi.yaml: %s has over %d parameters",
                    route->operation, CONTRACT_QUERY_MAX);
    }
    const char *copy = arena_strdup(contract->arena, name);
    ASSERT(copy);
    route->query_names[route->query_count++] = copy;
    return STATUS_OK;
}

/* The parameters of a path or of an operation: the schemas of those in the path, the names of those
 * in the query. */
static status compile_params(struct contract *contract, struct route *route, json list,
                             struct error *reterr)
{
    for (size_t i = 0; json_is(list, JSON_ARRAY) && i < json_count(list); i++) {
        json param = json_at(list, i);
        json ref   = json_get_text(param, "$ref");
        if (json_is(ref, JSON_TEXT)) {
            str pointer = str_slice(json_str(ref), 1, json_str(ref).len); /* without "#" */
            param       = json_pointer_get(contract->root, pointer);
        }
        json name   = json_get_text(param, "name");
        json schema = json_get_text(param, "schema");
        json in     = json_get_text(param, "in");
        if (!json_is(name, JSON_TEXT) || !json_is(schema, JSON_OBJECT)) continue;
        if (json_is(in, JSON_TEXT) && str_is(json_str(in), "query")) {
            TRY(add_query_name(contract, route, json_str(name), reterr));
            continue;
        }
        for (size_t p = 0; p < route->param_count; p++) {
            if (!str_equal(route->param_names[p], json_str(name))) continue;
            TRY(compile(contract, schema, &route->param_schemas[p], reterr));
        }
    }
    return STATUS_OK;
}

static enum media media_of(json operation, const struct route *route)
{
    json media = json_get_text(operation, "x-tutti-media");
    if (json_is(media, JSON_TEXT)) {
        if (str_is(json_str(media), "events")) return MEDIA_EVENTS;
        if (str_is(json_str(media), "lines")) return MEDIA_LINES;
        if (str_is(json_str(media), "file")) return MEDIA_FILE;
        return str_is(json_str(media), "opaque") ? MEDIA_OPAQUE : MEDIA_DEFINITION;
    }
    return route->body_size_max > 0 ? MEDIA_JSON : MEDIA_NONE;
}

static enum error_shape error_shape_of(json operation, const struct route *route)
{
    json shape = json_get_text(operation, "x-tutti-errors");
    if (json_is(shape, JSON_TEXT)) {
        if (str_is(json_str(shape), "problem")) return SHAPE_PROBLEM;
        return str_is(json_str(shape), "anthropic") ? SHAPE_ANTHROPIC : SHAPE_GEMINI;
    }
    return route->media == MEDIA_OPAQUE ? SHAPE_OPENAI : SHAPE_PROBLEM;
}

static enum audit_by audit_of(json operation, const struct route *route)
{
    json by = json_get_text(operation, "x-tutti-audit");
    if (json_is(by, JSON_TEXT)) {
        return str_is(json_str(by), "gateway") ? AUDIT_GATEWAY : AUDIT_NONE;
    }
    return route->method == METHOD_GET ? AUDIT_NONE : AUDIT_COMMAND;
}

static uint32_t find_handler(const char *const *operations, const char *operation)
{
    for (uint32_t i = 0; operations[i]; i++) {
        if (str_is(str_from(operation), operations[i])) return i;
    }
    return CONTRACT_NO_HANDLER;
}

static status add_route(struct contract *contract, str path, enum method method, json item,
                        const char *const *operations, struct error *reterr)
{
    json operation = json_get_text(item, method_keys[method]);
    if (!json_is(operation, JSON_OBJECT)) return STATUS_OK;
    if (contract->count == CONTRACT_ROUTES_MAX) {
        return fail(reterr, STATUS_INTERNAL, "openapi.yaml: over %d routes", CONTRACT_ROUTES_MAX);
    }
    struct route *route = &contract->routes[contract->count];
    *route              = (struct route){.method = method, .handler = CONTRACT_NO_HANDLER};
    route->path         = arena_strdup(contract->arena, path);
    ASSERT(route->path);
    split_path(route);
    route->operation     = text_of(contract, operation, "operationId", "");
    route->roles         = text_of(contract, operation, "x-tutti-role", "");
    route->is_public     = str_is(str_from(route->roles), "none");
    route->is_later      = json_is_truthy(json_get_text(operation, "x-tutti-later"));
    route->has_rest      = json_is_truthy(json_get_text(operation, "x-tutti-rest"));
    route->body_size_max = read_size(str_from(text_of(contract, operation, "x-tutti-body", "0")));
    int64_t wait_us      = 0;
    (void)duration_parse(str_from(text_of(contract, operation, "x-tutti-wait", "0s")), &wait_us);
    route->wait_ms_max = wait_us / 1000;
    route->media       = media_of(operation, route);
    route->error_shape = error_shape_of(operation, route);
    route->audit       = audit_of(operation, route);
    if (!*route->operation || !*route->roles) {
        return fail(reterr, STATUS_INTERNAL, "openapi.yaml: %s needs operationId and x-tutti-role",
                    route->path);
    }
    if (!route->is_later) {
        route->handler = find_handler(operations, route->operation);
        if (route->handler == CONTRACT_NO_HANDLER) {
            return fail(reterr, STATUS_INTERNAL, "openapi.yaml: no handler for %s",
                        route->operation);
        }
        if (route->media == MEDIA_JSON) TRY(compile_body(contract, route, operation, reterr));
        TRY(compile_params(contract, route, json_get_text(item, "parameters"), reterr));
        TRY(compile_params(contract, route, json_get_text(operation, "parameters"), reterr));
    }
    contract->count++;
    return STATUS_OK;
}

static status read_routes(struct contract *contract, const char *const *operations,
                          struct error *reterr)
{
    json paths = json_get_text(contract->root, "paths");
    for (size_t i = 0; i < json_count(paths); i++) {
        json item = json_value_at(paths, i);
        for (int m = 0; m < METHOD_COUNT; m++) {
            TRY(add_route(contract, json_key_at(paths, i), (enum method)m, item, operations,
                          reterr));
        }
    }
    return STATUS_OK;
}

static status check_handlers(const struct contract *contract, const char *const *operations,
                             struct error *reterr)
{
    for (uint32_t i = 0; operations[i]; i++) {
        bool found = false;
        for (uint32_t r = 0; r < contract->count && !found; r++) {
            found = contract->routes[r].handler == i;
        }
        if (!found) {
            return fail(reterr, STATUS_INTERNAL, "openapi.yaml: no operation for handler %s",
                        operations[i]);
        }
    }
    return STATUS_OK;
}

/* Tells most paths apart: a hash of two segments, never 0. */
static uint64_t lead_of(const str *segments)
{
    uint64_t hash = 0xcbf29ce484222325; /* FNV-1a */
    for (int i = 0; i < 2; i++) {
        for (size_t at = 0; at < segments[i].len; at++) {
            hash = (hash ^ (unsigned char)segments[i].ptr[at]) * 0x100000001b3;
        }
        hash = (hash ^ '/') * 0x100000001b3;
    }
    return hash | 1;
}

/* 0: it is not known by its first segments. */
static uint64_t lead_of_route(const struct route *route)
{
    bool is_known =
        route->segment_count >= 2 && !is_param(route->segments[0]) && !is_param(route->segments[1]);
    return is_known ? lead_of(route->segments) : 0;
}

status contract_load(const char *const *operations, struct contract **ret_contract,
                     struct error *reterr)
{
    CLEANUP(contract_freep) struct contract *contract = mem_new(1, sizeof *contract);
    contract->arena                                   = arena_new(CONTRACT_ARENA_MAX);
    contract->text                                    = buf_init(CONTRACT_JSON_MAX);

    struct diagnostics *findings = diagnostics_new(contract->arena);
    str text                     = {.ptr = (const char *)openapi_yaml, .len = openapi_yaml_size};
    TRY(yaml_parse(text, findings, &contract->document, reterr));
    contract->root = yaml_root(contract->document);
    TRY(read_routes(contract, operations, reterr));
    TRY(check_handlers(contract, operations, reterr));
    for (uint32_t i = 0; i < contract->count; i++) {
        contract->leads[i] = lead_of_route(&contract->routes[i]);
    }
    if (!json_print(contract->root, JSON_COMPACT, &contract->text)) {
        return fail(reterr, STATUS_INTERNAL, "openapi.yaml: over %d bytes", CONTRACT_JSON_MAX);
    }
    *ret_contract = TAKE(contract);
    return STATUS_OK;
}

void contract_free(struct contract *contract)
{
    if (!contract) return;
    for (uint32_t i = 0; i < contract->schema_count; i++) schema_free(contract->schemas[i]);
    buf_done(&contract->text);
    yaml_document_free(contract->document);
    arena_free(contract->arena);
    free(contract);
}

void contract_freep(struct contract **contract)
{
    contract_free(*contract);
}

/* --- matching ----------------------------------------------------------------------------------
 */

static uint32_t split_request(str path, str segments[static CONTRACT_SEGMENTS_MAX])
{
    if (path.len == 0 || path.ptr[0] != '/') return 0;
    uint32_t count = 0;
    size_t from    = 1;
    for (size_t i = 1; i <= path.len; i++) {
        if (i < path.len && path.ptr[i] != '/') continue;
        if (count == CONTRACT_SEGMENTS_MAX) return 0;
        segments[count++] = str_slice(path, from, i);
        from              = i + 1;
    }
    return count;
}

/* How well `route` fits: 0 not at all, else more for more literal segments, so that
 * /v1/workflows/validate wins over /v1/workflows/{name}. */
static uint32_t fit(const struct route *route, const str *segments, uint32_t count)
{
    bool is_as_long =
        route->has_rest ? count >= route->segment_count : count == route->segment_count;
    if (!is_as_long) return 0;
    uint32_t score = 1;
    for (uint32_t i = 0; i < route->segment_count; i++) {
        if (is_param(route->segments[i])) {
            if (segments[i].len == 0) return 0;
        } else {
            if (!str_equal(route->segments[i], segments[i])) return 0;
            score += 1U << (CONTRACT_SEGMENTS_MAX - i);
        }
    }
    return score;
}

struct route_match contract_match(const struct contract *contract, enum method method, str path)
{
    str segments[CONTRACT_SEGMENTS_MAX];
    uint32_t count           = split_request(path, segments);
    struct route_match match = {};
    uint32_t best            = 0;
    uint64_t lead            = count >= 2 ? lead_of(segments) : 0;
    for (uint32_t i = 0; count > 0 && i < contract->count; i++) {
        if (contract->leads[i] != 0 && contract->leads[i] != lead) continue;
        const struct route *route = &contract->routes[i];
        uint32_t score            = fit(route, segments, count);
        if (score == 0 || score < best) continue;
        if (score > best) match.allowed = 0, match.route = NULL;
        best = score;
        match.allowed |= 1U << route->method;
        if (route->method == method) match.route = route;
    }
    for (uint32_t i = 0; match.route && i < match.route->segment_count; i++) {
        if (!is_param(match.route->segments[i])) continue;
        ASSERT(match.param_count < CONTRACT_PARAMS_MAX);
        bool is_rest = match.route->has_rest && i + 1 == match.route->segment_count;
        size_t from  = (size_t)(segments[i].ptr - path.ptr);
        match.params[match.param_count++] = is_rest ? str_slice(path, from, path.len) : segments[i];
    }
    return match;
}

str contract_json(const struct contract *contract)
{
    return buf_str(&contract->text);
}

const struct route *contract_routes(const struct contract *contract, uint32_t *ret_count)
{
    *ret_count = contract->count;
    return contract->routes;
}
