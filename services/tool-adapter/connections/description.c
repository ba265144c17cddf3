#include "tool-adapter/connections/description.h"

#include "adapter/formula.h"
#include "base/buf.h"

static bool is_blob(json property)
{
    json format = json_get_text(property, "format");
    return json_is(format, JSON_TEXT) && str_is(json_str(format), "blob");
}

/* A default that is an expression, and the type of what may be given in several forms, say nothing
 * to those who call. */
static json property_new(json property)
{
    json shown = json_ref(property);
    if (formula_is_expression(json_get_text(property, "default"))) {
        (void)json_object_remove(&shown, str_from("default"));
    }
    if (is_blob(property)) (void)json_object_remove(&shown, str_from("type"));
    return shown;
}

static json properties_new(json given)
{
    json properties = json_object_new(json_count(given) + 1);
    for (size_t i = 0; i < json_count(given); i++) {
        json_object_put(&properties, json_key_at(given, i), property_new(json_value_at(given, i)));
    }
    json connection = json_object_new(2);
    json_object_put_text(&connection, "type", json_text_from("string"));
    json_object_put_text(&connection, "description",
                         json_text_from("under which account; by default the adapter's own"));
    json_object_put_text(&properties, "connection", connection);
    return properties;
}

static bool has_default(const struct manifest_action *action, str name)
{
    for (size_t i = 0; i < action->defaults.count; i++) {
        if (str_is(name, action->defaults.items[i].name)) return true;
    }
    return false;
}

static json required_new(const struct manifest_action *action)
{
    json given    = json_get_text(action->params, "required");
    json required = json_array_new(json_count(given));
    for (size_t i = 0; i < json_count(given); i++) {
        json name = json_at(given, i);
        if (!has_default(action, json_str(name))) json_array_push(&required, json_ref(name));
    }
    return required;
}

static json input_schema_new(const struct manifest_action *action)
{
    json schema = json_object_new(5);
    json any_of = json_get_text(action->params, "anyOf");
    json_object_put_text(&schema, "type", json_text_from("object"));
    json_object_put_text(&schema, "properties",
                         properties_new(json_get_text(action->params, "properties")));
    json_object_put_text(&schema, "required", required_new(action));
    if (!json_is(any_of, JSON_INVALID)) json_object_put_text(&schema, "anyOf", json_ref(any_of));
    json_object_put_text(&schema, "additionalProperties", json_bool(false));
    return schema;
}

static json function_name_new(const struct manifest_action *action, const char *name)
{
    CLEANUP(buf_done) struct buf text = buf_init(FUNCTION_NAME_MAX);
    (void)buf_printf(&text, "%s.%s", action->manifest->name, name);
    return json_text_new(buf_str(&text));
}

json description_alias_new(json description, str family, str action)
{
    CLEANUP(buf_done) struct buf text = buf_init(FUNCTION_NAME_MAX);
    json alias                        = json_ref(description);
    (void)buf_printf(&text, STR_FMT "." STR_FMT, STR_ARG(family), STR_ARG(action));
    json_object_put_text(&alias, "alias_of", json_ref(json_get_text(description, "name")));
    json_object_put_text(&alias, "name", json_text_new(buf_str(&text)));
    return alias;
}

static json compensation_new(const struct manifest_action *action)
{
    json compensation = json_object_new(2);
    json functions    = json_array_new(2);
    for (size_t i = 0; manifest_undo_at(action, i); i++) {
        json_array_push(&functions, function_name_new(action, manifest_undo_at(action, i)->name));
    }
    json_object_put_text(&compensation, "summary",
                         json_text_from(manifest_undo_at(action, 0)->action->summary));
    json_object_put_text(&compensation, "functions", functions);
    return compensation;
}

json description_new(const struct manifest_action *action, const char *queue)
{
    json description = json_object_new(9);
    json_object_put_text(&description, "name", function_name_new(action, action->name));
    json_object_put_text(&description, "version", json_text_from(action->manifest->version));
    json_object_put_text(&description, "queue", json_text_from(queue));
    json_object_put_text(&description, "summary", json_text_from(action->summary));
    json_object_put_text(&description, "effect", json_text_from(effect_name(action->effect)));
    json_object_put_text(&description, "idempotency",
                         json_text_from(idempotency_name(action->idempotency.kind)));
    json_object_put_text(&description, "input_schema", input_schema_new(action));
    if (!json_is(action->output_schema, JSON_INVALID)) {
        json_object_put_text(&description, "output_schema", json_ref(action->output_schema));
    }
    if (manifest_undo_at(action, 0)) {
        json_object_put_text(&description, "compensation", compensation_new(action));
    }
    return description;
}
