/* What the value of a keyword must look like, checked before anything is made of it. */
#include "schema/schema_internal.h"

#include <math.h>

static const struct {
    const char *name;
    uint32_t bits;
} types[] = {
    {"null", SCHEMA_NULL},       {"boolean", SCHEMA_BOOLEAN},
    {"integer", SCHEMA_INTEGER}, {"number", SCHEMA_INTEGER | SCHEMA_NUMBER},
    {"string", SCHEMA_STRING},   {"array", SCHEMA_ARRAY},
    {"object", SCHEMA_OBJECT},
};

uint32_t schema_type_bits(str name)
{
    for (size_t i = 0; i < ARRAY_LEN(types); i++) {
        if (str_is(name, types[i].name)) return types[i].bits;
    }
    return 0;
}

uint32_t schema_type_of(json value)
{
    switch (value.kind) {
    case JSON_INVALID: return 0;
    case JSON_NULL: return SCHEMA_NULL;
    case JSON_FALSE:
    case JSON_TRUE: return SCHEMA_BOOLEAN;
    case JSON_INT: return SCHEMA_INTEGER;
    case JSON_REAL: return value.real == trunc(value.real) ? SCHEMA_INTEGER : SCHEMA_NUMBER;
    case JSON_TEXT: return SCHEMA_STRING;
    case JSON_ARRAY: return SCHEMA_ARRAY;
    case JSON_OBJECT: return SCHEMA_OBJECT;
    }
    return 0;
}

static bool is_schema(json value)
{
    return json_is_bool(value) || json_is(value, JSON_OBJECT);
}

static bool is_text(json value)
{
    return json_is(value, JSON_TEXT);
}

static bool is_type_name(json value)
{
    return is_text(value) && schema_type_bits(json_str(value)) != 0;
}

static bool all_items(json list, bool (*is_good)(json item))
{
    if (!json_is(list, JSON_ARRAY)) return false;
    for (size_t i = 0; i < json_count(list); i++) {
        if (!is_good(json_at(list, i))) return false;
    }
    return true;
}

static bool all_values(json map, bool (*is_good)(json value))
{
    if (!json_is(map, JSON_OBJECT)) return false;
    for (size_t i = 0; i < json_count(map); i++) {
        if (!is_good(json_value_at(map, i))) return false;
    }
    return true;
}

static bool is_names(json value)
{
    return all_items(value, is_text);
}

static bool is_dependency(json value)
{
    return is_schema(value) || is_names(value);
}

static bool is_whole(json value)
{
    int64_t count = 0;
    return json_to_int(value, &count) && count >= 0;
}

static bool has_shape(enum shape shape, json value)
{
    switch (shape) {
    case SHAPE_ANY: return true;
    case SHAPE_TEXT:
    case SHAPE_PATTERN: return is_text(value);
    case SHAPE_BOOL: return json_is_bool(value);
    case SHAPE_NUMBER: return json_is_number(value);
    case SHAPE_POSITIVE: return json_is_number(value) && json_number(value) > 0;
    case SHAPE_COUNT: return is_whole(value);
    case SHAPE_TYPES:
        return is_type_name(value) || (all_items(value, is_type_name) && json_count(value) > 0);
    case SHAPE_LIST: return json_is(value, JSON_ARRAY);
    case SHAPE_NAMES: return is_names(value);
    case SHAPE_NAMES_MAP: return all_values(value, is_names);
    case SHAPE_BOOL_MAP: return all_values(value, json_is_bool);
    case SHAPE_SCHEMA: return is_schema(value);
    case SHAPE_SCHEMA_LIST: return all_items(value, is_schema) && json_count(value) > 0;
    case SHAPE_SCHEMA_OR_LIST:
        return is_schema(value) || (all_items(value, is_schema) && json_count(value) > 0);
    case SHAPE_DEPENDENCY_MAP: return all_values(value, is_dependency);
    case SHAPE_SCHEMA_MAP:
    case SHAPE_PATTERN_MAP: return all_values(value, is_schema);
    }
    return false;
}

static const char *shape_sentence(enum shape shape)
{
    switch (shape) {
    case SHAPE_ANY: return "may be anything";
    case SHAPE_TEXT: return "must be a string";
    case SHAPE_BOOL: return "must be true or false";
    case SHAPE_NUMBER: return "must be a number";
    case SHAPE_POSITIVE: return "must be a number above 0";
    case SHAPE_COUNT: return "must be a whole number, 0 or more";
    case SHAPE_TYPES:
        return "must be null, boolean, integer, number, string, array or object, or a list of "
               "these";
    case SHAPE_LIST: return "must be a list";
    case SHAPE_NAMES: return "must be a list of strings";
    case SHAPE_NAMES_MAP: return "must be a map of lists of strings";
    case SHAPE_BOOL_MAP: return "must be a map of booleans";
    case SHAPE_PATTERN: return "must be a regular expression";
    case SHAPE_SCHEMA: return "must be a schema: a map, true or false";
    case SHAPE_SCHEMA_LIST: return "must be a list of schemas that is not empty";
    case SHAPE_SCHEMA_OR_LIST: return "must be a schema or a list of schemas that is not empty";
    case SHAPE_SCHEMA_MAP: return "must be a map of schemas";
    case SHAPE_DEPENDENCY_MAP: return "must be a map of schemas and lists of strings";
    case SHAPE_PATTERN_MAP: return "must be a map of schemas by regular expression";
    }
    return "";
}

bool compiler_check_shape(struct compiler *compiler, const struct schema_node *node,
                          const struct keyword_info *info, json value)
{
    if (has_shape(info->shape, value)) return true;
    compiler_found(compiler, node, STATUS_INVALID_ARGUMENT, str_from(info->name), "`%s` %s",
                   info->name, shape_sentence(info->shape));
    return false;
}
