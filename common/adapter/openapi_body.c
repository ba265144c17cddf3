/* The body of an operation: what its parameters leave. */
#include "adapter/openapi_request_internal.h"

#include "json/json_text.h"

#include <string.h>
#include <strings.h>

#define FORM "application/x-www-form-urlencoded"

/* How a body goes, the dearest first. */
enum form {
    FORM_JSON,
    FORM_URLENCODED,
    FORM_TEXT, /* any other: a text as it is */
    FORM_MULTIPART,
    FORM_NONE, /* the operation takes no body */
};

struct body {
    enum form form;
    str type;    /* its media type */
    str name;    /* of the parameter that is the whole of it */
    json schema; /* JSON_INVALID: any */
    bool is_required;
};

/* --- media types ------------------------------------------------------------------------------ */

static enum form form_of(str type)
{
    if (openapi_type_is_json(type)) return FORM_JSON;
    if (openapi_type_is(type, FORM)) return FORM_URLENCODED;
    return openapi_type_is(type, "multipart/form-data") ? FORM_MULTIPART : FORM_TEXT;
}

static str plain_type(str type)
{
    bool is_pattern = type.len == 0 || memchr(type.ptr, '*', type.len);
    return is_pattern ? str_from("application/json") : type;
}

static void prefer(struct body *body, str type, json schema)
{
    enum form form = form_of(type);
    if (form >= body->form) return;
    body->form   = form;
    body->type   = plain_type(type);
    body->schema = schema;
}

/* --- what the operation takes ----------------------------------------------------------------- */

static void read_body(const struct openapi_making *making, struct body *body)
{
    json self    = openapi_follow_member(&making->library, making->operation.self, "requestBody");
    json content = json_get_text(self, "content");
    body->is_required = json_is_truthy(json_get_text(self, "required"));
    for (size_t i = 0; json_is(content, JSON_OBJECT) && i < json_count(content); i++) {
        json media = json_value_at(content, i);
        prefer(body, json_key_at(content, i),
               openapi_follow_member(&making->library, media, "schema"));
    }
}

static void prefer_consumed(const struct openapi_making *making, struct body *body, json schema,
                            const char *otherwise)
{
    json own = json_get_text(making->operation.self, "consumes");
    json list =
        json_is(own, JSON_ARRAY) ? own : json_get_text(making->call->description, "consumes");
    for (size_t i = 0; json_is(list, JSON_ARRAY) && i < json_count(list); i++) {
        json one = json_at(list, i);
        if (json_is(one, JSON_TEXT)) prefer(body, json_str(one), schema);
    }
    if (body->form == FORM_NONE) prefer(body, str_from(otherwise), schema);
}

/* A form whose fields are parameters: they are the body. */
static status take_fields(struct openapi_making *making, struct body *body, struct error *reterr)
{
    making->body = json_object_new(4);
    for (size_t i = 0; i < making->listed_count; i++) {
        json self = making->listed[i];
        str name  = openapi_text(self, "name");
        if (!str_is(openapi_text(self, "in"), "formData")) continue;
        if (body->form == FORM_NONE) prefer_consumed(making, body, json_invalid(), FORM);
        json value = openapi_given(making, name);
        if (json_is(value, JSON_INVALID)) {
            if (!json_is_truthy(json_get_text(self, "required"))) continue;
            return openapi_missing(making, name, "form", reterr);
        }
        json_object_put(&making->body, name, json_ref(value));
    }
    if (body->form != FORM_NONE) return STATUS_OK;
    json_unref(making->body);
    making->body = json_invalid();
    return STATUS_OK;
}

static status read_swagger_body(struct openapi_making *making, struct body *body,
                                struct error *reterr)
{
    for (size_t i = 0; i < making->listed_count; i++) {
        json self = making->listed[i];
        if (!str_is(openapi_text(self, "in"), "body")) continue;
        body->name        = openapi_text(self, "name");
        body->is_required = json_is_truthy(json_get_text(self, "required"));
        prefer_consumed(making, body, openapi_follow_member(&making->library, self, "schema"),
                        "application/json");
        return STATUS_OK;
    }
    return take_fields(making, body, reterr);
}

/* --- what the call gives ---------------------------------------------------------------------- */

static json leftovers_new(const struct openapi_making *making)
{
    json parameters = making->call->parameters;
    json rest       = json_object_new(4);
    for (size_t i = 0; json_is(parameters, JSON_OBJECT) && i < json_count(parameters); i++) {
        json value = json_value_at(parameters, i);
        if (making->is_used[i]) continue;
        json_object_put(&rest, json_key_at(parameters, i), json_ref(value));
    }
    return rest;
}

/* Says whether members of that name may stand in the body. What is put together of several schemas
 * may have any. */
static bool may_have(const struct body *body, str name)
{
    static const char *const others[] = {"allOf", "anyOf", "oneOf", "patternProperties"};
    json properties                   = json_get_text(body->schema, "properties");
    json more                         = json_get_text(body->schema, "additionalProperties");
    bool is_open =
        json_is(more, JSON_TRUE) || json_is(more, JSON_OBJECT) || json_count(properties) == 0;
    for (size_t i = 0; i < ARRAY_LEN(others); i++) {
        is_open = is_open || !json_is(json_get_text(body->schema, others[i]), JSON_INVALID);
    }
    return is_open || !json_is(json_get(properties, name), JSON_INVALID);
}

static bool is_whole_body_name(const struct body *body)
{
    json properties = json_get_text(body->schema, "properties");
    return json_is(json_get(properties, body->name), JSON_INVALID);
}

static status check_leftovers(const struct openapi_making *making, const struct body *body,
                              json rest, struct error *reterr)
{
    bool has_whole = body->form == FORM_NONE || !json_is(making->body, JSON_INVALID);
    str id         = making->call->operation_id;
    for (size_t i = 0; i < json_count(rest); i++) {
        str name     = json_key_at(rest, i);
        bool is_null = json_is(json_value_at(rest, i), JSON_NULL);
        if (!has_whole && may_have(body, name)) continue;
        if (has_whole && is_null) continue;
        return fail(reterr, STATUS_INVALID_ARGUMENT,
                    "/parameters/%.*s: `%.*s` has no such parameter", openapi_shown(name), name.ptr,
                    openapi_shown(id), id.ptr);
    }
    return STATUS_OK;
}

/* --- how it goes ------------------------------------------------------------------------------ */

/* JSON that is a text needs its quotes: a text as a body goes as it is. */
static void quote(struct openapi_making *making)
{
    if (!json_is(making->body, JSON_TEXT)) return;
    json quoted = json_to_text_new(making->body);
    json_unref(making->body);
    making->body = quoted;
}

static status finish_body(struct openapi_making *making, const struct body *body,
                          struct error *reterr)
{
    if (body->form == FORM_JSON) quote(making);
    bool is_text = json_is(making->body, JSON_TEXT);
    if (body->form == FORM_TEXT && !is_text) {
        return fail(reterr, STATUS_INVALID_ARGUMENT, "/parameters/body: a text, of the type %.*s",
                    openapi_shown(body->type), body->type.ptr);
    }
    bool is_map = json_is(making->body, JSON_OBJECT);
    if (body->form == FORM_MULTIPART && !is_map) {
        return fail(reterr, STATUS_INVALID_ARGUMENT, "/parameters/body: a map");
    }
    if (body->form == FORM_URLENCODED && !is_text && !is_map) {
        return fail(reterr, STATUS_INVALID_ARGUMENT, "/parameters/body: a map, or a text");
    }
    json_object_put_text(&making->headers, "Content-Type", json_text_lossy(body->type));
    return STATUS_OK;
}

status openapi_put_body(struct openapi_making *making, struct error *reterr)
{
    struct body body = {.form = FORM_NONE, .name = str_from("body")};
    if (making->is_swagger) {
        TRY(read_swagger_body(making, &body, reterr));
    } else {
        read_body(making, &body);
    }
    bool is_open = body.form != FORM_NONE && json_is(making->body, JSON_INVALID);
    if (is_open && is_whole_body_name(&body)) {
        making->body = json_ref(openapi_given(making, body.name));
    }
    CLEANUP(json_unrefp) json rest = leftovers_new(making);
    TRY(check_leftovers(making, &body, rest, reterr));
    bool is_whole = !json_is(making->body, JSON_INVALID);
    if (is_open && !is_whole && json_count(rest) > 0) making->body = json_ref(rest);
    if (!json_is(making->body, JSON_INVALID)) return finish_body(making, &body, reterr);
    if (body.is_required) return openapi_missing(making, body.name, "body", reterr);
    return STATUS_OK;
}
