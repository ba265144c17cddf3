/* The meta-schemas: what the table of keywords says of a schema, as a schema. */
#include "schema/schema_internal.h"

static json object_with(const char *key, json value)
{
    json object = json_object_new(4);
    json_object_put_text(&object, key, value);
    return object;
}

static json of_type(const char *type)
{
    return object_with("type", json_text_from(type));
}

/* Every schema inside a schema: the meta-schema that is in force, which may extend this one. */
static json any_schema(const struct schema_dialect *dialect)
{
    return object_with(dialect->self[0], json_text_from(dialect->self[1]));
}

static json names(void)
{
    json list = of_type("array");
    json_object_put_text(&list, "items", of_type("string"));
    json_object_put_text(&list, "uniqueItems", json_bool(true));
    return list;
}

static json map_of(json value)
{
    json map = of_type("object");
    json_object_put_text(&map, "additionalProperties", value);
    return map;
}

static json pattern(void)
{
    json text = of_type("string");
    json_object_put_text(&text, "format", json_text_from("regex"));
    return text;
}

static json any_of(json one, json other)
{
    json either = json_array_new(2);
    json_array_push(&either, one);
    json_array_push(&either, other);
    return object_with("anyOf", either);
}

static json list_of(json one)
{
    json list = of_type("array");
    json_object_put_text(&list, "items", one);
    json_object_put_text(&list, "minItems", json_int(1));
    return list;
}

static json types(void)
{
    static const char *const all[] = {"array",  "boolean", "integer", "null",
                                      "number", "object",  "string"};

    json name = json_array_new(ARRAY_LEN(all));
    for (size_t i = 0; i < ARRAY_LEN(all); i++) json_array_push(&name, json_text_from(all[i]));
    json one  = object_with("enum", name);
    json list = list_of(json_ref(one));
    json_object_put_text(&list, "uniqueItems", json_bool(true));
    return any_of(one, list);
}

static json schema_of(enum shape shape, const struct schema_dialect *dialect)
{
    json result = json_invalid();
    switch (shape) {
    case SHAPE_ANY: return json_bool(true);
    case SHAPE_TEXT: return of_type("string");
    case SHAPE_BOOL: return of_type("boolean");
    case SHAPE_NUMBER: return of_type("number");
    case SHAPE_POSITIVE:
        result = of_type("number");
        json_object_put_text(&result, "exclusiveMinimum", json_int(0));
        return result;
    case SHAPE_COUNT:
        result = of_type("integer");
        json_object_put_text(&result, "minimum", json_int(0));
        return result;
    case SHAPE_TYPES: return types();
    case SHAPE_LIST: return of_type("array");
    case SHAPE_NAMES: return names();
    case SHAPE_NAMES_MAP: return map_of(names());
    case SHAPE_BOOL_MAP: return map_of(of_type("boolean"));
    case SHAPE_PATTERN: return pattern();
    case SHAPE_SCHEMA: return any_schema(dialect);
    case SHAPE_SCHEMA_LIST: return list_of(any_schema(dialect));
    case SHAPE_SCHEMA_OR_LIST: return any_of(any_schema(dialect), list_of(any_schema(dialect)));
    case SHAPE_SCHEMA_MAP: return map_of(any_schema(dialect));
    case SHAPE_DEPENDENCY_MAP: return map_of(any_of(any_schema(dialect), names()));
    case SHAPE_PATTERN_MAP:
        result = map_of(any_schema(dialect));
        json_object_put_text(&result, "propertyNames", pattern());
        return result;
    }
    return result;
}

json schema_meta_new(const struct schema_dialect *dialect)
{
    json properties = json_object_new(KEYWORD_COUNT);
    for (size_t i = 0; i < schema_keyword_count; i++) {
        const struct keyword_info *info = &schema_keywords[i];
        if (!schema_keyword_is_of(info, dialect)) continue;
        json_object_put_text(&properties, info->name, schema_of(info->shape, dialect));
    }
    json types_allowed = json_array_new(2);
    json_array_push(&types_allowed, json_text_from("object"));
    json_array_push(&types_allowed, json_text_from("boolean"));

    json meta = object_with("$id", json_text_from(dialect->uri));
    json_object_put_text(&meta, "$dynamicAnchor", json_text_from("meta"));
    json_object_put_text(&meta, "$recursiveAnchor", json_bool(true));
    json_object_put_text(&meta, "type", types_allowed);
    json_object_put_text(&meta, "properties", properties);
    return meta;
}
