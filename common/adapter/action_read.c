/* Actions: their parameters, requests, what they output, and how they are repeated and undone. */
#include "adapter/manifest_internal.h"
#include "base/assert.h"
#include "json/json_pointer.h"

#include <stdlib.h>

enum { TTL_MS = 86'400'000 };

/* --- parameters ------------------------------------------------------------------------------- */

static void common_param_refuse(struct reading *reading, size_t index, const char *name)
{
    size_t back   = reading_enter(reading, "common");
    size_t of_one = reading_enter_index(reading, index);
    (void)reading_refuse(reading, "M04", "there is no parameter `%s` in `common_params`", name);
    reading_leave(reading, of_one);
    reading_leave(reading, back);
}

/* Common properties first, then the action's own. Owned. */
static json properties_of(struct reading *reading, json params)
{
    json common     = json_get_text(params, "common");
    json shared     = json_get_text(reading->manifest->root, "common_params");
    json own        = json_get_text(params, "properties");
    json properties = json_object_new(json_count(common) + json_count(own));
    for (size_t i = 0; i < json_count(common); i++) {
        str name      = json_str(json_at(common, i));
        json property = json_get(shared, name);
        if (json_is(property, JSON_INVALID)) {
            common_param_refuse(reading, i, name.ptr);
        } else {
            json_object_put(&properties, name, json_ref(property));
        }
    }
    for (size_t i = 0; i < json_count(own); i++) {
        json_object_put(&properties, json_key_at(own, i), json_ref(json_value_at(own, i)));
    }
    return properties;
}

/* What a file may be given as: its text, its base64, or a reference to a stored one. */
static json blob_schema(void)
{
    static const char *const members[] = {"base64", "file"};
    json forms                         = json_array_new(3);
    json text                          = json_object_new(1);
    json_object_put_text(&text, "type", json_text_from("string"));
    json_array_push(&forms, text);
    for (size_t i = 0; i < sizeof members / sizeof *members; i++) {
        json required = json_array_new(1);
        json form     = json_object_new(2);
        json_array_push(&required, json_text_from(members[i]));
        json_object_put_text(&form, "type", json_text_from("object"));
        json_object_put_text(&form, "required", required);
        json_array_push(&forms, form);
    }
    json schema = json_object_new(1);
    json_object_put_text(&schema, "anyOf", forms);
    return schema;
}

static bool has_format(json property, const char *name)
{
    json format = json_get_text(property, "format");
    return json_is(format, JSON_TEXT) && str_is(json_str(format), name);
}

/* The schema that is checked: `format: blob` means one of several things. Owned. */
static json checked_params(json params)
{
    json properties = json_get_text(params, "properties");
    json checked    = json_object_new(json_count(properties));
    for (size_t i = 0; i < json_count(properties); i++) {
        json property = json_value_at(properties, i);
        json_object_put(&checked, json_key_at(properties, i),
                        has_format(property, "blob") ? blob_schema() : json_ref(property));
    }
    json schema = json_ref(params);
    json_object_put_text(&schema, "properties", checked);
    return schema;
}

static void params_read(struct reading *reading, json map, struct manifest_action *action)
{
    static const char *const kept[]  = {"required", "anyOf"};
    json params                      = json_get_text(map, "params");
    size_t back                      = reading_enter(reading, "params");
    CLEANUP(json_unrefp) json schema = json_object_new(5);
    json_object_put_text(&schema, "type", json_text_from("object"));
    json_object_put_text(&schema, "properties", properties_of(reading, params));
    for (size_t i = 0; i < sizeof kept / sizeof *kept; i++) {
        json value = json_get_text(params, kept[i]);
        if (!json_is(value, JSON_INVALID)) json_object_put_text(&schema, kept[i], json_ref(value));
    }
    json_object_put_text(&schema, "additionalProperties", json_bool(false));

    struct error ignored = {};
    status copied        = reading_copy(reading, schema, &action->params, &ignored);
    ASSERT(copied == STATUS_OK); /* parts of what was within the limits */
    CLEANUP(json_unrefp) json checked = checked_params(action->params);
    action->params_schema             = schema_at(reading, checked);
    /* A default of a common parameter compiles at its place in `common_params`, or not at all. */
    size_t of_properties = reading_enter(reading, "properties");
    defaults_read(reading, json_get_text(action->params, "properties"), &action->defaults);
    reading_leave(reading, of_properties);
    reading_leave(reading, back);
}

/* --- other actions ---------------------------------------------------------------------------- */

static struct action_call call_read(struct reading *reading, json map)
{
    return (struct action_call){
        .name      = text_at(map, "action"),
        .condition = formula_at(reading, map, "if", FORMULA_KEEPS_NULL),
        .each      = formula_at(reading, map, "each", FORMULA_KEEPS_NULL),
        .with      = formula_at(reading, map, "with", FORMULA_DROPS_NULL),
        .found     = formula_at(reading, map, "found", FORMULA_KEEPS_NULL),
    };
}

static void calls_read(struct reading *reading, json map, const char *key,
                       struct action_calls *ret_calls)
{
    json list        = json_get_text(map, key);
    size_t back      = reading_enter(reading, key);
    ret_calls->count = json_count(list);
    ret_calls->items = reading_alloc(reading, ret_calls->count, sizeof *ret_calls->items);
    for (size_t i = 0; i < ret_calls->count; i++) {
        size_t of_one       = reading_enter_index(reading, i);
        ret_calls->items[i] = call_read(reading, json_at(list, i));
        reading_leave(reading, of_one);
    }
    reading_leave(reading, back);
}

/* --- requests --------------------------------------------------------------------------------- */

static enum request_kind request_kind_of(json request)
{
    static const struct {
        const char *key;
        enum request_kind kind;
    } rows[] = {
        {"graphql", REQUEST_GRAPHQL}, {"smtp", REQUEST_SMTP},       {"browser", REQUEST_BROWSER},
        {"mcp", REQUEST_MCP},         {"builtin", REQUEST_BUILTIN},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        if (!json_is(json_get_text(request, rows[i].key), JSON_INVALID)) return rows[i].kind;
    }
    return REQUEST_HTTP;
}

static struct formula *body_of(struct reading *reading, json request, enum request_kind kind)
{
    static const char *const keys[] = {
        [REQUEST_HTTP] = "body",      [REQUEST_GRAPHQL] = "variables", [REQUEST_SMTP] = "smtp",
        [REQUEST_BROWSER] = "params", [REQUEST_MCP] = "params",        [REQUEST_BUILTIN] = "params",
    };
    return formula_keeping(reading, request, keys[kind], json_get_text(request, "keep_null"));
}

static void request_read(struct reading *reading, json map, struct manifest_request *ret_request)
{
    static const char *const documents[] = {
        [REQUEST_GRAPHQL] = "graphql",
        [REQUEST_BROWSER] = "browser",
        [REQUEST_MCP]     = "mcp",
        [REQUEST_BUILTIN] = "builtin",
    };
    json request           = json_get_text(map, "request");
    enum request_kind kind = request_kind_of(request);
    bool has_document      = kind < sizeof documents / sizeof *documents && documents[kind];
    const char *method     = text_at(request, "method");
    size_t back            = reading_enter(reading, "request");
    bool is_computed       = method && method[0] == '=';
    struct formula *method_by =
        is_computed ? formula_at(reading, request, "method", FORMULA_KEEPS_NULL) : NULL;
    *ret_request = (struct manifest_request){
        .kind         = kind,
        .method       = kind == REQUEST_GRAPHQL || is_computed ? "POST" : method,
        .method_by    = method_by,
        .path         = text_at(request, "path"),
        .url          = formula_at(reading, request, "url", FORMULA_KEEPS_NULL),
        .query        = formula_at(reading, request, "query", FORMULA_DROPS_NULL),
        .headers      = formula_at(reading, request, "headers", FORMULA_DROPS_NULL),
        .body         = body_of(reading, request, kind),
        .form         = formula_at(reading, request, "form", FORMULA_DROPS_NULL),
        .body_blob    = text_at(request, "body_blob"),
        .content_type = text_at(request, "content_type"),
        .document     = has_document ? text_at(request, documents[kind]) : NULL,
    };
    reading_leave(reading, back);
}

static void step_read(struct reading *reading, json map, struct manifest_step *ret_step)
{
    ret_step->id        = text_at(map, "id");
    ret_step->condition = formula_at(reading, map, "if", FORMULA_KEEPS_NULL);
    ret_step->ok_when   = formula_at(reading, map, "ok_when", FORMULA_KEEPS_NULL);
    ret_step->output    = formula_at(reading, map, "output", FORMULA_KEEPS_NULL);
    ret_step->has_auth  = !json_is(json_get_text(map, "auth"), JSON_INVALID);
    manifest_auth_read(reading, map, &ret_step->auth);
    request_read(reading, map, &ret_step->request);
    calls_read(reading, map, "compensate", &ret_step->compensate);
}

static void steps_read(struct reading *reading, json map, struct manifest_action *action)
{
    json steps = json_get_text(map, "steps");
    if (json_is(steps, JSON_INVALID)) {
        action->steps      = reading_alloc(reading, 1, sizeof *action->steps);
        action->step_count = 1;
        request_read(reading, map, &action->steps[0].request);
        return;
    }
    size_t back        = reading_enter(reading, "steps");
    action->step_count = json_count(steps);
    action->steps      = reading_alloc(reading, action->step_count, sizeof *action->steps);
    for (size_t i = 0; i < action->step_count; i++) {
        size_t of_one = reading_enter_index(reading, i);
        step_read(reading, json_at(steps, i), &action->steps[i]);
        reading_leave(reading, of_one);
    }
    reading_leave(reading, back);
}

static void paginate_read(struct reading *reading, json map, struct manifest_action *action)
{
    const struct manifest *manifest = reading->manifest;
    json paginate                   = json_get_text(map, "paginate");
    const char *name                = text_at(paginate, "use");
    size_t back                     = reading_enter(reading, "paginate");
    action->items_max = formula_at(reading, paginate, "max_items", FORMULA_KEEPS_NULL);
    for (size_t i = 0; name && i < manifest->pagination_count; i++) {
        if (strcmp(manifest->paginations[i].name, name) != 0) continue;
        action->pagination = &manifest->paginations[i];
    }
    if (name && !action->pagination) {
        size_t of_use = reading_enter(reading, "use");
        (void)reading_refuse(reading, "M04", "there is no `%s` in `pagination`", name);
        reading_leave(reading, of_use);
    }
    reading_leave(reading, back);
}

/* --- once ------------------------------------------------------------------------------------- */

static void idempotency_map_read(struct reading *reading, json map, struct idempotency *ret)
{
    const char *header = text_at(map, "header");
    const char *body   = text_at(map, "body");
    ret->kind          = header || body ? IDEMPOTENCY_KEY : IDEMPOTENCY_COMPARE;
    ret->is_in_body    = body;
    ret->name          = header ? header : body;
    ret->value         = formula_at(reading, map, "value", FORMULA_KEEPS_NULL);
    ret->ttl_ms        = duration_at_ms(map, "ttl", TTL_MS);
    ret->skip_when     = formula_at(reading, map, "skip_when", FORMULA_KEEPS_NULL);
    ret->output        = formula_at(reading, map, "output", FORMULA_KEEPS_NULL);
    if (json_is(json_get_text(map, "lookup"), JSON_INVALID)) return;
    ret->kind = IDEMPOTENCY_LOOKUP;
    calls_read(reading, map, "lookup", &ret->lookup);
}

static void idempotency_read(struct reading *reading, json map, struct idempotency *ret)
{
    json value    = json_get_text(map, "idempotency");
    ret->is_given = !json_is(value, JSON_INVALID);
    ret->kind     = IDEMPOTENCY_NATURAL;
    if (json_is(value, JSON_OBJECT)) {
        size_t back = reading_enter(reading, "idempotency");
        idempotency_map_read(reading, value, ret);
        reading_leave(reading, back);
    } else if (formula_is_expression(value)) {
        ret->kind       = IDEMPOTENCY_VARIES;
        ret->expression = formula_at(reading, map, "idempotency", FORMULA_KEEPS_NULL);
    } else if (json_is(value, JSON_TEXT) && str_is(json_str(value), "none")) {
        ret->kind = IDEMPOTENCY_NONE;
    }
}

static void derive_read(struct reading *reading, json map, struct manifest_action *action)
{
    static const char *const kinds[] = {"sha256", "uuid5", "base64"};
    json derive                      = json_get_text(map, "derive");
    size_t back                      = reading_enter(reading, "derive");
    action->derive = reading_alloc(reading, json_count(derive), sizeof *action->derive);
    for (size_t i = 0; i < json_count(derive); i++) {
        json one                 = json_value_at(derive, i);
        json hmac                = json_get_text(one, "hmac");
        struct derivation *entry = &action->derive[action->derive_count++];
        *entry = (struct derivation){.name = json_key_at(derive, i).ptr, .kind = DERIVE_HMAC};
        size_t of_one = reading_enter(reading, entry->name);
        for (size_t k = 0; k < sizeof kinds / sizeof *kinds; k++) {
            struct formula *text = formula_at(reading, one, kinds[k], FORMULA_KEEPS_NULL);
            if (!text) continue;
            entry->kind = (enum derivation_kind)k;
            entry->text = text;
        }
        size_t of_hmac = reading_enter(reading, "hmac");
        entry->secret  = text_at(hmac, "secret");
        if (entry->secret) entry->text = formula_at(reading, hmac, "text", FORMULA_KEEPS_NULL);
        reading_leave(reading, of_hmac);
        struct formula *address = formula_at(reading, one, "presign", FORMULA_DROPS_NULL);
        if (address) entry->kind = DERIVE_PRESIGN;
        if (address) entry->text = address;
        reading_leave(reading, of_one);
    }
    reading_leave(reading, back);
}

/* --- actions ---------------------------------------------------------------------------------- */

static enum function_effect effect_of(const char *name)
{
    enum function_effect effect = EFFECT_READ;
    while (strcmp(effect_name(effect), name) != 0) effect++; /* the schema has checked it */
    return effect;
}

static enum response_form response_of(const char *name)
{
    static const char *const names[] = {"auto", "json", "text", "xml", "blob"};
    enum response_form form          = RESPONSE_AUTO;
    while (name && strcmp(names[form], name) != 0) form++;
    return form;
}

static struct schema *output_check_read(struct reading *reading, json source)
{
    if (json_is(source, JSON_INVALID)) return NULL;
    size_t back           = reading_enter(reading, "output_schema");
    struct schema *schema = schema_at(reading, source);
    reading_leave(reading, back);
    return schema;
}

static void cache_read(struct reading *reading, json map, struct manifest_action *action)
{
    json cache        = json_get_text(map, "cache");
    size_t back       = reading_enter(reading, "cache");
    action->cache_ms  = duration_at_ms(cache, "max_age", 0);
    action->cache_key = formula_at(reading, cache, "key", FORMULA_KEEPS_NULL);
    reading_leave(reading, back);
}

static void action_read(struct reading *reading, json map, struct manifest_action *action)
{
    json timeout          = json_get_text(map, "timeout");
    json before           = json_get_text(map, "before");
    action->manifest      = reading->manifest;
    action->summary       = text_at(map, "summary");
    action->description   = text_at(map, "description");
    action->aliases       = json_get_text(map, "aliases");
    action->effect        = effect_of(text_at(map, "effect"));
    action->irreversible  = text_at(map, "irreversible");
    action->connect_ms    = duration_at_ms(timeout, "connect", reading->manifest->connect_ms);
    action->total_ms      = duration_at_ms(timeout, "total", reading->manifest->total_ms);
    action->response      = response_of(text_at(map, "response"));
    action->output_schema = json_get_text(map, "output_schema");
    action->output_check  = output_check_read(reading, action->output_schema);
    action->example       = json_get_text(map, "example");
    action->has_before    = !json_is(before, JSON_INVALID);
    action->has_auth      = !json_is(json_get_text(map, "auth"), JSON_INVALID);
    manifest_auth_read(reading, map, &action->auth);
    params_read(reading, map, action);
    derive_read(reading, map, action);
    size_t back    = reading_enter(reading, "before");
    action->before = call_read(reading, before);
    reading_leave(reading, back);
    steps_read(reading, map, action);
    paginate_read(reading, map, action);
    action->ok_when = formula_at(reading, map, "ok_when", FORMULA_KEEPS_NULL);
    error_rules_read(reading, map, &action->errors, &action->error_count);
    action->output = formula_at(reading, map, "output", FORMULA_KEEPS_NULL);
    idempotency_read(reading, map, &action->idempotency);
    calls_read(reading, map, "compensate", &action->compensate);
    cache_read(reading, map, action);
}

void actions_read(struct reading *reading, json map)
{
    struct manifest *manifest = reading->manifest;
    json actions              = json_get_text(map, "actions");
    size_t back               = reading_enter(reading, "actions");
    manifest->actions = reading_alloc(reading, json_count(actions), sizeof *manifest->actions);
    for (size_t i = 0; i < json_count(actions); i++) {
        struct manifest_action *action = &manifest->actions[manifest->action_count++];
        action->name                   = json_key_at(actions, i).ptr;
        size_t of_one                  = reading_enter(reading, action->name);
        action_read(reading, json_value_at(actions, i), action);
        reading_leave(reading, of_one);
    }
    reading_leave(reading, back);
}
