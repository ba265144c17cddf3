/* The keywords of JSON Schema 2020-12, and the meta-schema that follows from them. */
#include "schema/schema_internal.h"

const struct keyword_info schema_keywords[KEYWORD_COUNT] = {
    [KEYWORD_TYPE]               = {"type", SHAPE_TYPES, VOCABULARY_VALIDATION},
    [KEYWORD_ENUM]               = {"enum", SHAPE_LIST, VOCABULARY_VALIDATION},
    [KEYWORD_CONST]              = {"const", SHAPE_ANY, VOCABULARY_VALIDATION},
    [KEYWORD_MULTIPLE_OF]        = {"multipleOf", SHAPE_POSITIVE, VOCABULARY_VALIDATION},
    [KEYWORD_MAXIMUM]            = {"maximum", SHAPE_NUMBER, VOCABULARY_VALIDATION},
    [KEYWORD_EXCLUSIVE_MAXIMUM]  = {"exclusiveMaximum", SHAPE_NUMBER, VOCABULARY_VALIDATION},
    [KEYWORD_MINIMUM]            = {"minimum", SHAPE_NUMBER, VOCABULARY_VALIDATION},
    [KEYWORD_EXCLUSIVE_MINIMUM]  = {"exclusiveMinimum", SHAPE_NUMBER, VOCABULARY_VALIDATION},
    [KEYWORD_MAX_LENGTH]         = {"maxLength", SHAPE_COUNT, VOCABULARY_VALIDATION},
    [KEYWORD_MIN_LENGTH]         = {"minLength", SHAPE_COUNT, VOCABULARY_VALIDATION},
    [KEYWORD_PATTERN]            = {"pattern", SHAPE_PATTERN, VOCABULARY_VALIDATION},
    [KEYWORD_FORMAT]             = {"format", SHAPE_TEXT, VOCABULARY_FORMAT},
    [KEYWORD_MAX_ITEMS]          = {"maxItems", SHAPE_COUNT, VOCABULARY_VALIDATION},
    [KEYWORD_MIN_ITEMS]          = {"minItems", SHAPE_COUNT, VOCABULARY_VALIDATION},
    [KEYWORD_UNIQUE_ITEMS]       = {"uniqueItems", SHAPE_BOOL, VOCABULARY_VALIDATION},
    [KEYWORD_MAX_PROPERTIES]     = {"maxProperties", SHAPE_COUNT, VOCABULARY_VALIDATION},
    [KEYWORD_MIN_PROPERTIES]     = {"minProperties", SHAPE_COUNT, VOCABULARY_VALIDATION},
    [KEYWORD_REQUIRED]           = {"required", SHAPE_NAMES, VOCABULARY_VALIDATION},
    [KEYWORD_DEPENDENT_REQUIRED] = {"dependentRequired", SHAPE_NAMES_MAP, VOCABULARY_VALIDATION},
    [KEYWORD_REF]                = {"$ref", SHAPE_TEXT, VOCABULARY_CORE},
    [KEYWORD_DYNAMIC_REF]        = {"$dynamicRef", SHAPE_TEXT, VOCABULARY_CORE},
    [KEYWORD_PREFIX_ITEMS]       = {"prefixItems", SHAPE_SCHEMA_LIST, VOCABULARY_APPLICATOR},
    [KEYWORD_ITEMS]              = {"items", SHAPE_SCHEMA, VOCABULARY_APPLICATOR},
    [KEYWORD_CONTAINS]           = {"contains", SHAPE_SCHEMA, VOCABULARY_APPLICATOR},
    [KEYWORD_PROPERTIES]         = {"properties", SHAPE_SCHEMA_MAP, VOCABULARY_APPLICATOR},
    [KEYWORD_PATTERN_PROPERTIES] = {"patternProperties", SHAPE_PATTERN_MAP, VOCABULARY_APPLICATOR},
    [KEYWORD_ADDITIONAL_PROPERTIES] = {"additionalProperties", SHAPE_SCHEMA, VOCABULARY_APPLICATOR},
    [KEYWORD_PROPERTY_NAMES]        = {"propertyNames", SHAPE_SCHEMA, VOCABULARY_APPLICATOR},
    [KEYWORD_DEPENDENT_SCHEMAS]     = {"dependentSchemas", SHAPE_SCHEMA_MAP, VOCABULARY_APPLICATOR},
    [KEYWORD_ALL_OF]                = {"allOf", SHAPE_SCHEMA_LIST, VOCABULARY_APPLICATOR},
    [KEYWORD_ANY_OF]                = {"anyOf", SHAPE_SCHEMA_LIST, VOCABULARY_APPLICATOR},
    [KEYWORD_ONE_OF]                = {"oneOf", SHAPE_SCHEMA_LIST, VOCABULARY_APPLICATOR},
    [KEYWORD_NOT]                   = {"not", SHAPE_SCHEMA, VOCABULARY_APPLICATOR},
    [KEYWORD_IF]                    = {"if", SHAPE_SCHEMA, VOCABULARY_APPLICATOR},
    [KEYWORD_UNEVALUATED_ITEMS]     = {"unevaluatedItems", SHAPE_SCHEMA, VOCABULARY_UNEVALUATED},
    [KEYWORD_UNEVALUATED_PROPERTIES] = {"unevaluatedProperties", SHAPE_SCHEMA,
                                        VOCABULARY_UNEVALUATED},
    [KEYWORD_THEN]                   = {"then", SHAPE_SCHEMA, VOCABULARY_APPLICATOR},
    [KEYWORD_ELSE]                   = {"else", SHAPE_SCHEMA, VOCABULARY_APPLICATOR},
    [KEYWORD_MAX_CONTAINS]           = {"maxContains", SHAPE_COUNT, VOCABULARY_VALIDATION},
    [KEYWORD_MIN_CONTAINS]           = {"minContains", SHAPE_COUNT, VOCABULARY_VALIDATION},
    [KEYWORD_DEFS]                   = {"$defs", SHAPE_SCHEMA_MAP, VOCABULARY_CORE},
    [KEYWORD_SCHEMA]                 = {"$schema", SHAPE_TEXT, VOCABULARY_CORE},
    [KEYWORD_ID]                     = {"$id", SHAPE_TEXT, VOCABULARY_CORE},
    [KEYWORD_ANCHOR]                 = {"$anchor", SHAPE_TEXT, VOCABULARY_CORE},
    [KEYWORD_DYNAMIC_ANCHOR]         = {"$dynamicAnchor", SHAPE_TEXT, VOCABULARY_CORE},
    [KEYWORD_VOCABULARY]             = {"$vocabulary", SHAPE_BOOL_MAP, VOCABULARY_CORE},
    [KEYWORD_COMMENT]                = {"$comment", SHAPE_TEXT, VOCABULARY_CORE},
    [KEYWORD_TITLE]                  = {"title", SHAPE_TEXT, VOCABULARY_META_DATA},
    [KEYWORD_DESCRIPTION]            = {"description", SHAPE_TEXT, VOCABULARY_META_DATA},
    [KEYWORD_DEFAULT]                = {"default", SHAPE_ANY, VOCABULARY_META_DATA},
    [KEYWORD_DEPRECATED]             = {"deprecated", SHAPE_BOOL, VOCABULARY_META_DATA},
    [KEYWORD_READ_ONLY]              = {"readOnly", SHAPE_BOOL, VOCABULARY_META_DATA},
    [KEYWORD_WRITE_ONLY]             = {"writeOnly", SHAPE_BOOL, VOCABULARY_META_DATA},
    [KEYWORD_EXAMPLES]               = {"examples", SHAPE_LIST, VOCABULARY_META_DATA},
    [KEYWORD_CONTENT_ENCODING]       = {"contentEncoding", SHAPE_TEXT, VOCABULARY_CONTENT},
    [KEYWORD_CONTENT_MEDIA_TYPE]     = {"contentMediaType", SHAPE_TEXT, VOCABULARY_CONTENT},
    [KEYWORD_CONTENT_SCHEMA]         = {"contentSchema", SHAPE_SCHEMA, VOCABULARY_CONTENT},
};

enum keyword schema_keyword_find(str name)
{
    enum keyword keyword = 0;
    while (keyword < KEYWORD_COUNT && !str_is(name, schema_keywords[keyword].name)) keyword++;
    return keyword;
}

/* --- the meta-schema ---------------------------------------------------------------------------
 */

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
static json any_schema(void)
{
    return object_with("$dynamicRef", json_text_from("#meta"));
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

static json types(void)
{
    static const char *const all[] = {"array",  "boolean", "integer", "null",
                                      "number", "object",  "string"};

    json name = json_array_new(ARRAY_LEN(all));
    for (size_t i = 0; i < ARRAY_LEN(all); i++) json_array_push(&name, json_text_from(all[i]));
    json one  = object_with("enum", name);
    json list = of_type("array");
    json_object_put_text(&list, "items", json_ref(one));
    json_object_put_text(&list, "minItems", json_int(1));
    json_object_put_text(&list, "uniqueItems", json_bool(true));
    json either = json_array_new(2);
    json_array_push(&either, one);
    json_array_push(&either, list);
    return object_with("anyOf", either);
}

static json schema_of(enum shape shape)
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
    case SHAPE_SCHEMA: return any_schema();
    case SHAPE_SCHEMA_LIST:
        result = of_type("array");
        json_object_put_text(&result, "items", any_schema());
        json_object_put_text(&result, "minItems", json_int(1));
        return result;
    case SHAPE_SCHEMA_MAP: return map_of(any_schema());
    case SHAPE_PATTERN_MAP:
        result = map_of(any_schema());
        json_object_put_text(&result, "propertyNames", pattern());
        return result;
    }
    return result;
}

json schema_meta_new(void)
{
    json properties = json_object_new(KEYWORD_COUNT);
    for (enum keyword keyword = 0; keyword < KEYWORD_COUNT; keyword++) {
        json_object_put_text(&properties, schema_keywords[keyword].name,
                             schema_of(schema_keywords[keyword].shape));
    }
    json types_allowed = json_array_new(2);
    json_array_push(&types_allowed, json_text_from("object"));
    json_array_push(&types_allowed, json_text_from("boolean"));

    json meta = object_with("$id", json_text_from(SCHEMA_META_URI));
    json_object_put_text(&meta, "$dynamicAnchor", json_text_from("meta"));
    json_object_put_text(&meta, "type", types_allowed);
    json_object_put_text(&meta, "properties", properties);
    return meta;
}
