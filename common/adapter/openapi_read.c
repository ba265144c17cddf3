/* Operations of a description: their parameters, from wherever it has them. */
#include "adapter/openapi_internal.h"

#include "base/attr.h"
#include <stdio.h>
#include <string.h>
#include <strings.h>

enum { ATTEMPTS_MAX = 1'000 };

/* --- the description -------------------------------------------------------------------------- */

json import_resolve(const struct import *import, json node)
{
    return openapi_resolve(import->root, node);
}

json import_member(const struct import *import, json map, const char *name)
{
    return openapi_member(import->root, map, name);
}

/* --- names ------------------------------------------------------------------------------------ */

static bool is_upper(char c)
{
    return c >= 'A' && c <= 'Z';
}

void import_name(str text, const char *fallback, char name[static IMPORT_NAME_SIZE])
{
    size_t len = 0;
    for (size_t i = 0; i < text.len && len < IMPORT_NAME_SIZE - 2; i++) {
        char c        = text.ptr[i];
        bool is_small = c >= 'a' && c <= 'z';
        bool is_digit = c >= '0' && c <= '9';
        bool was_low  = i > 0 && text.ptr[i - 1] >= 'a' && text.ptr[i - 1] <= 'z';
        bool is_first = len == 0;
        if (is_upper(c) && was_low) name[len++] = '_';
        if (is_small || is_upper(c) || (is_digit && !is_first)) {
            name[len++] = is_upper(c) ? (char)(c - 'A' + 'a') : c;
        } else if (!is_first && name[len - 1] != '_') {
            name[len++] = '_';
        }
    }
    while (len > 0 && name[len - 1] == '_') len--;
    name[len] = '\0';
    if (len == 0) (void)snprintf(name, IMPORT_NAME_SIZE, "%s", fallback);
}

/* Adds _2, _3, ... until nobody else has it. `taken` says so. */
static void name_distinguish(char name[static IMPORT_NAME_SIZE],
                             bool (*taken)(const char *name, const void *context),
                             const void *context)
{
    char base[IMPORT_NAME_SIZE];
    memcpy(base, name, IMPORT_NAME_SIZE);
    for (int i = 2; i < ATTEMPTS_MAX && taken(name, context); i++) {
        CLEANUP(buf_done) struct buf made = buf_init(IMPORT_NAME_SIZE + 8);
        (void)buf_printf(&made, "%.*s_%d", OPENAPI_NAME_MAX - 5, base, i);
        (void)buf_put_byte(&made, 0);
        memcpy(name, made.ptr, made.len);
    }
}

static bool has_param(const char *name, const void *context)
{
    const struct operation *operation = context;
    if (strcmp(name, "connection") == 0) return true; /* it picks the connection */
    for (size_t i = 0; i < operation->param_count; i++) {
        if (strcmp(operation->params[i].name, name) == 0) return true;
    }
    return false;
}

static bool has_action(const char *name, const void *context)
{
    const struct import *import = context;
    for (size_t i = 0; i < import->count; i++) {
        if (strcmp(import->names[i], name) == 0) return true;
    }
    return false;
}

void import_action_name(const struct import *import, str text, char name[static IMPORT_NAME_SIZE])
{
    import_name(text, "action", name);
    name_distinguish(name, has_action, import);
}

/* --- parameters ------------------------------------------------------------------------------- */

static void add_param(struct operation *operation, str wire, const char *in, json schema,
                      bool is_required)
{
    for (size_t i = 0; i < operation->param_count; i++) {
        const struct import_param *other = &operation->params[i];
        if (str_equal(other->wire, wire) && strcmp(other->in, in) == 0) return;
    }
    if (operation->param_count == OPENAPI_PARAMS_MAX) return;
    struct import_param param = {
        .wire = wire, .in = in, .schema = schema, .is_required = is_required};
    import_name(wire, "value", param.name);
    name_distinguish(param.name, has_param, operation);
    operation->params[operation->param_count++] = param;
}

bool import_is_in_list(json list, str name)
{
    for (size_t i = 0; i < json_count(list); i++) {
        json one = json_at(list, i);
        if (json_is(one, JSON_TEXT) && str_equal(json_str(one), name)) return true;
    }
    return false;
}

/* The members of a body, one parameter each; a body without members is one parameter. */
static void add_body(const struct import *import, struct operation *operation, json schema,
                     bool is_required)
{
    json properties = import_member(import, schema, "properties");
    json required   = json_get_text(schema, "required");
    bool is_map     = json_is(properties, JSON_OBJECT) && json_count(properties) > 0;
    if (!is_map) {
        operation->is_whole_body = true;
        add_param(operation, str_from("body"), "body", schema, is_required);
        return;
    }
    for (size_t i = 0; i < json_count(properties); i++) {
        str name = json_key_at(properties, i);
        add_param(operation, name, "body", import_resolve(import, json_value_at(properties, i)),
                  is_required && import_is_in_list(required, name));
    }
}

/* The rest is for whoever reads the manifest to put in; credentials and types are put in here. */
static void note_header(struct operation *operation, str name)
{
    static const char *const known[] = {"accept", "content-type", "authorization"};
    for (size_t i = 0; i < ARRAY_LEN(known); i++) {
        if (openapi_type_is(name, known[i])) return;
    }
    if (operation->header_count == IMPORT_HEADERS_MAX) return;
    operation->headers[operation->header_count++] = name;
}

static void add_listed(const struct import *import, struct operation *operation, json list)
{
    static const char *const places[] = {"path", "query", "formData"};
    for (size_t i = 0; i < json_count(list); i++) {
        json one         = import_resolve(import, json_at(list, i));
        str in           = openapi_text(one, "in");
        str name         = openapi_text(one, "name");
        json schema      = import_member(import, one, "schema");
        bool is_required = json_is_truthy(json_get_text(one, "required"));
        if (str_is(in, "body")) add_body(import, operation, schema, is_required);
        if (str_is(in, "header")) note_header(operation, name);
        for (size_t k = 0; k < ARRAY_LEN(places); k++) {
            if (!str_is(in, places[k]) || name.len == 0) continue;
            bool is_path = k == 0;
            bool is_form = k == 2;
            bool is_file = is_form && str_is(openapi_text(one, "type"), "file");
            if (is_form && operation->body != IMPORT_PARTS) operation->body = IMPORT_FORM;
            if (is_file) operation->body = IMPORT_PARTS;
            add_param(operation, name, is_form ? "body" : places[k],
                      json_is(schema, JSON_OBJECT) ? schema : one, is_required || is_path);
        }
    }
}

/* The names in a path that no parameter describes are parameters all the same. */
static void add_from_path(struct operation *operation)
{
    str path = operation->path;
    for (size_t i = 0; i < path.len; i++) {
        if (path.ptr[i] != '{') continue;
        const char *close = memchr(path.ptr + i, '}', path.len - i);
        if (!close) return;
        size_t end = (size_t)(close - path.ptr);
        add_param(operation, str_slice(path, i + 1, end), "path", json_invalid(), true);
        i = end;
    }
}

/* How well a manifest can send it, the best first. */
static enum import_body body_of(str type)
{
    if (openapi_type_is_json(type)) return IMPORT_JSON;
    if (openapi_type_is(type, "application/x-www-form-urlencoded")) return IMPORT_FORM;
    bool is_parts = type.len > 10 && strncasecmp(type.ptr, "multipart/", 10) == 0;
    return is_parts ? IMPORT_PARTS : IMPORT_FILE;
}

/* Of the types that it may be of, the one that a manifest sends best. */
static json best_body(json content, struct operation *operation)
{
    json best = json_invalid();
    for (size_t i = 0; json_is(content, JSON_OBJECT) && i < json_count(content); i++) {
        str type              = json_key_at(content, i);
        enum import_body body = body_of(type);
        bool is_usual         = openapi_type_is(type, "application/json") || body == IMPORT_FORM;
        bool is_first         = json_is(best, JSON_INVALID);
        if (!is_first && (body > operation->body || (body == operation->body && !is_usual))) {
            continue;
        }
        best                    = json_value_at(content, i);
        operation->body         = body;
        operation->content_type = is_usual || memchr(type.ptr, '*', type.len) ? NULL : type.ptr;
    }
    return best;
}

static void read_body(const struct import *import, struct operation *operation)
{
    json body        = import_member(import, operation->self, "requestBody");
    bool is_required = json_is_truthy(json_get_text(body, "required"));
    json media       = best_body(import_member(import, body, "content"), operation);
    if (!json_is(media, JSON_OBJECT) || operation->body == IMPORT_PARTS) return;
    if (operation->body == IMPORT_FILE) {
        add_param(operation, str_from("content"), "file", json_invalid(), is_required);
        return;
    }
    add_body(import, operation, import_member(import, media, "schema"), is_required);
}

void operation_read(const struct import *import, struct operation *operation)
{
    add_listed(import, operation, json_get_text(operation->self, "parameters"));
    add_listed(import, operation, json_get_text(operation->item, "parameters"));
    add_from_path(operation);
    read_body(import, operation);
}
