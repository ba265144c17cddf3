/* Schemas: what is refused when compiling, what violations say, and the limits. */
#include "schema/schema.h"

#include "base/buf.h"
#include "yaml/yaml.h"
#include "json/json_text.h"

#include "cmocka.h"

#include <stdio.h>

enum { ARENA_MAX = 4 << 20 };

/* YAML, since it is shorter to write. Owned. */
static json parsed(const char *text)
{
    CLEANUP(yaml_freep) struct yaml_document *document = NULL;
    struct error error                                 = {};
    if (yaml_parse(str_from(text), NULL, &document, &error) != STATUS_OK) {
        fail_msg("%s: %s", text, error.text);
    }
    return json_ref(yaml_root(document));
}

static const struct violation {
    const char *schema;
    const char *value;
    const char *pointer; /* NULL: it is valid */
    const char *keyword;
    const char *schema_pointer;
    const char *sentence;
} violations[] = {
    {"{type: string}", "1", "", "type", "/type", "must be a string, is a whole number"},
    {"{type: [integer, 'null']}", "1.5", "", "type", "/type",
     "must be a whole number or null, is a number"},
    {"{type: integer}", "1.0", NULL, "", "", ""},
    {"{type: boolean}", "x", "", "type", "/type", "must be true or false, is a string"},
    {"{type: string}", "true", "", "type", "/type", "must be a string, is a boolean"},
    {"{enum: [a, 1, null]}", "b", "", "enum", "/enum", "must be one of \"a\", 1, null"},
    {"{const: {a: 1}}", "{a: 2}", "", "const", "/const", "must be {\"a\":1}"},
    {"{const: {a: 1, b: 2}}", "{b: 2.0, a: 1}", NULL, "", "", ""},
    {"{multipleOf: 0.01}", "0.07", NULL, "", "", ""},
    {"{multipleOf: 0.01}", "0.075", "", "multipleOf", "/multipleOf",
     "must be a multiple of 0.01, is 0.075"},
    {"{multipleOf: 3}", "9223372036854775805", "", "multipleOf", "/multipleOf",
     "must be a multiple of 3, is 9223372036854775805"},
    {"{multipleOf: 3}", "1e+30", "", "multipleOf", "/multipleOf",
     "must be a multiple of 3, is 1e+30"},
    {"{multipleOf: 7}", "-21", NULL, "", "", ""},
    {"{multipleOf: 1e-30}", "12", NULL, "", "", ""},
    {"{multipleOf: 1e30}", "1e-5", "", "multipleOf", "/multipleOf",
     "must be a multiple of 1e+30, is 1e-05"},
    {"{maximum: 3}", "4", "", "maximum", "/maximum", "must be at most 3, is 4"},
    {"{exclusiveMaximum: 3}", "3", "", "exclusiveMaximum", "/exclusiveMaximum",
     "must be less than 3, is 3"},
    {"{minimum: 9007199254740993}", "9007199254740992", "", "minimum", "/minimum",
     "must be at least 9007199254740993, is 9007199254740992"},
    {"{exclusiveMinimum: 0.5}", "0.5", "", "exclusiveMinimum", "/exclusiveMinimum",
     "must be more than 0.5, is 0.5"},
    {"{minLength: 3}", "'\xc3\xa9'", "", "minLength", "/minLength",
     "must have at least 3 characters, has 1"},
    {"{maxLength: 1}", "abc", "", "maxLength", "/maxLength",
     "must have at most 1 character, has 3"},
    {"{pattern: '^a+$'}", "b", "", "pattern", "/pattern", "must match the pattern ^a+$"},
    {"{minItems: 2}", "[1]", "", "minItems", "/minItems", "must have at least 2 items, has 1"},
    {"{maxItems: 0}", "[1]", "", "maxItems", "/maxItems", "must have at most 0 items, has 1"},
    {"{uniqueItems: true}", "[1, 2, {a: 1}, 1.0]", "", "uniqueItems", "/uniqueItems",
     "must not have equal items; items 0 and 3 are"},
    {"{items: {type: string}}", "[a, 1]", "/1", "type", "/items/type",
     "must be a string, is a whole number"},
    {"{prefixItems: [true, {const: 1}]}", "[0, 2]", "/1", "const", "/prefixItems/1/const",
     "must be 1"},
    {"{contains: {const: 1}}", "[2]", "", "contains", "/contains",
     "must contain at least 1 item of a kind, has 0"},
    {"{contains: {const: 1}, maxContains: 1}", "[1, 1]", "", "maxContains", "/maxContains",
     "must contain at most 1 item of a kind, has 2"},
    {"{unevaluatedItems: false, prefixItems: [true]}", "[1, 2]", "/1", "false", "/unevaluatedItems",
     "is not allowed here"},
    {"{required: [a, b]}", "{a: 1}", "", "required", "/required", "must have `b`"},
    {"{properties: {a/b: {minimum: 1}}}", "{a/b: 0}", "/a~1b", "minimum",
     "/properties/a~1b/minimum", "must be at least 1, is 0"},
    {"{properties: {name: true}, additionalProperties: false}", "{nmae: 0}", "",
     "additionalProperties", "/additionalProperties", "must not have `nmae`; did you mean `name`?"},
    {"{additionalProperties: false}", "{xyz: 0}", "", "additionalProperties",
     "/additionalProperties", "must not have `xyz`"},
    {"{patternProperties: {'^x': {type: string}}}", "{x1: 0}", "/x1", "type",
     "/patternProperties/^x/type", "must be a string, is a whole number"},
    {"{propertyNames: {maxLength: 2}}", "{abc: 0}", "", "propertyNames", "/propertyNames",
     "must not have a member of the name `abc`"},
    {"{dependentRequired: {a: [b]}}", "{a: 0}", "", "dependentRequired", "/dependentRequired",
     "must have `b`, since it has `a`"},
    {"{allOf: [{properties: {a: true}}], unevaluatedProperties: false}", "{a: 0, b: 0}", "",
     "unevaluatedProperties", "/unevaluatedProperties", "must not have `b`"},
    {"{minProperties: 1}", "{}", "", "minProperties", "/minProperties",
     "must have at least 1 member, has 0"},
    {"{maxProperties: 1}", "{a: 0, b: 0}", "", "maxProperties", "/maxProperties",
     "must have at most 1 member, has 2"},
    {"{anyOf: [{type: string}, {minimum: 5}, {maximum: 1}]}", "3", "", "anyOf", "/anyOf",
     "must match one of the 3 alternatives, matches none"},
    {"{anyOf: [{required: [a]}, {required: [b, c]}]}", "{b: 1}", "", "anyOf", "/anyOf",
     "must have `a`, or `b` and `c`"},
    {"{oneOf: [{required: [a]}, {required: [b], minProperties: 2}]}", "{}", "", "oneOf", "/oneOf",
     "must match one of the 2 alternatives, matches none"},
    {"{anyOf: [{type: string, minLength: 2}, {type: integer}]}", "x", "", "minLength",
     "/anyOf/0/minLength", "must have at least 2 characters, has 1"},
    {"{oneOf: [{minimum: 1}, {maximum: 5}]}", "3", "", "oneOf", "/oneOf",
     "must match exactly one of the 2 alternatives, matches several"},
    {"{not: {const: 1}}", "1", "", "not", "/not", "matches what the schema rules out"},
    {"{if: {type: string}, then: {minLength: 2}, else: {minimum: 2}}", "1", "", "minimum",
     "/else/minimum", "must be at least 2, is 1"},
    {"{$ref: '#/$defs/a', $defs: {a: {type: 'null'}}}", "1", "", "type", "/$defs/a/type",
     "must be null, is a whole number"},
    {"{properties: {a: false}}", "{a: 1}", "/a", "false", "/properties/a", "is not allowed here"},
    {"false", "1", "", "false", "", "is not allowed here"},
    {"true", "1", NULL, "", "", ""},
    {"{format: email}", "nothing", NULL, "", "", ""}, /* annotation only */
    {"{format: css-selector}", "'ul > li.x'", NULL, "", "", ""},
    {"{format: css-selector}", "7", NULL, "", "", ""},
    {"{format: css-selector}", "'ul >'", "", "format", "/format",
     "must be a CSS selector such as ul.list > li"},
};

static void check_violation(void **state)
{
    const struct violation *row                 = *state;
    CLEANUP(arena_freep) struct arena *arena    = arena_new(ARENA_MAX);
    CLEANUP(json_unrefp) json source            = parsed(row->schema);
    CLEANUP(json_unrefp) json value             = parsed(row->value);
    CLEANUP(schema_freep) struct schema *schema = NULL;
    struct error error                          = {};
    if (schema_compile(source, NULL, NULL, &schema, &error) != STATUS_OK) {
        fail_msg("%s", error.text);
    }
    struct schema_errors errors = {};
    status code                 = schema_check(schema, value, arena, &errors, &error);
    if (!row->pointer) {
        assert_int_equal(code, STATUS_OK);
        assert_int_equal(errors.count, 0);
        return;
    }
    assert_int_equal(code, STATUS_INVALID_ARGUMENT);
    assert_int_equal(errors.count, 1);
    assert_string_equal(errors.items[0].sentence, row->sentence);
    assert_string_equal(errors.items[0].pointer, row->pointer);
    assert_string_equal(errors.items[0].keyword, row->keyword);
    assert_string_equal(errors.items[0].schema_pointer, row->schema_pointer);
    assert_non_null(strstr(error.text, row->sentence));
}

static const struct refusal {
    const char *schema;
    status code;
    const char *pointer;
    const char *detail; /* words of it */
} refusals[] = {
    {"1", STATUS_INVALID_ARGUMENT, "", "a schema is a map, true or false"},
    {"{type: text}", STATUS_INVALID_ARGUMENT, "/type", "must be null, boolean"},
    {"{type: []}", STATUS_INVALID_ARGUMENT, "/type", "must be null, boolean"},
    {"{minLength: -1}", STATUS_INVALID_ARGUMENT, "/minLength", "whole number, 0 or more"},
    {"{minLength: 1.5}", STATUS_INVALID_ARGUMENT, "/minLength", "whole number, 0 or more"},
    {"{multipleOf: 0}", STATUS_INVALID_ARGUMENT, "/multipleOf", "above 0"},
    {"{required: a}", STATUS_INVALID_ARGUMENT, "/required", "list of strings"},
    {"{properties: [a]}", STATUS_INVALID_ARGUMENT, "/properties", "map of schemas"},
    {"{properties: {a: {items: [true]}}}", STATUS_INVALID_ARGUMENT, "/properties/a/items",
     "must be a schema"},
    {"{allOf: []}", STATUS_INVALID_ARGUMENT, "/allOf", "not empty"},
    {"{pattern: '('}", STATUS_INVALID_ARGUMENT, "/pattern", ""},
    {"{patternProperties: {'[': true}}", STATUS_INVALID_ARGUMENT, "/patternProperties", ""},
    {"{$ref: '#/$defs/a'}", STATUS_INVALID_ARGUMENT, "/$ref", "names nothing"},
    {"{$ref: 'other.json'}", STATUS_INVALID_ARGUMENT, "/$ref", "names nothing"},
    {"{$ref: '#a'}", STATUS_INVALID_ARGUMENT, "/$ref", "names nothing"},
    {"{$ref: '#/%zz'}", STATUS_INVALID_ARGUMENT, "/$ref", "names nothing"},
    {"{$id: 'a#b'}", STATUS_INVALID_ARGUMENT, "/$id", "no fragment"},
    {"{$id: 'x', $defs: {a: {$id: x}}}", STATUS_INVALID_ARGUMENT, "/$defs/a/$id", "already"},
    {"{$anchor: a, $defs: {b: {$anchor: a}}}", STATUS_INVALID_ARGUMENT, "/$defs/b/$anchor",
     "already"},
    {"{$schema: 'http://json-schema.org/draft-03/schema#'}", STATUS_UNIMPLEMENTED, "/$schema",
     "2020-12"},
    {"{$defs: {a: {type: x}}}", STATUS_INVALID_ARGUMENT, "/$defs/a/type", "must be null"},
};

static void check_refusal(void **state)
{
    const struct refusal *row                = *state;
    CLEANUP(arena_freep) struct arena *arena = arena_new(ARENA_MAX);
    CLEANUP(json_unrefp) json source         = parsed(row->schema);
    struct diagnostics *list                 = diagnostics_new(arena);
    struct schema *schema                    = NULL;
    struct error error                       = {};
    assert_int_equal(schema_compile(source, NULL, list, &schema, &error), row->code);
    assert_null(schema);
    assert_int_equal(list->errors, 1);
    assert_string_equal(list->items[0].pointer, row->pointer);
    if (!strstr(list->items[0].detail, row->detail)) fail_msg("%s", list->items[0].detail);
    assert_true(strlen(error.text) > 0);
}

static void formats_are_checked_where_asserted(void **state)
{
    (void)state;
    const struct schema_options options         = {.assert_formats = true};
    CLEANUP(arena_freep) struct arena *arena    = arena_new(ARENA_MAX);
    CLEANUP(json_unrefp) json source            = parsed("{format: date}");
    CLEANUP(json_unrefp) json good              = parsed("'2024-02-29'");
    CLEANUP(json_unrefp) json bad               = parsed("'2023-02-29'");
    CLEANUP(schema_freep) struct schema *schema = NULL;
    assert_int_equal(schema_compile(source, &options, NULL, &schema, NULL), STATUS_OK);
    assert_int_equal(schema_check(schema, good, arena, NULL, NULL), STATUS_OK);
    assert_int_equal(schema_check(schema, json_int(1), arena, NULL, NULL), STATUS_OK);
    assert_int_equal(schema_check(schema, bad, arena, NULL, NULL), STATUS_INVALID_ARGUMENT);

    CLEANUP(json_unrefp) json unknown = parsed("{format: shoe-size}");
    struct schema *none               = NULL;
    assert_int_equal(schema_compile(unknown, &options, NULL, &none, NULL), STATUS_UNIMPLEMENTED);
}

static void other_documents_are_referred_to(void **state)
{
    (void)state;
    CLEANUP(json_unrefp) json other          = parsed("{$defs: {n: {type: integer}}}");
    const struct schema_document documents[] = {{"http://x/other.json", other}, {}};
    const struct schema_options options      = {.documents = documents};
    CLEANUP(arena_freep) struct arena *arena = arena_new(ARENA_MAX);
    CLEANUP(json_unrefp)
    json source                                 = parsed("{$id: 'http://x/a/b', $ref: "
                                                                                         "'../other.json#/$defs/n'}");
    CLEANUP(schema_freep) struct schema *schema = NULL;
    assert_int_equal(schema_compile(source, &options, NULL, &schema, NULL), STATUS_OK);
    assert_int_equal(schema_check(schema, json_int(1), arena, NULL, NULL), STATUS_OK);
    assert_int_equal(schema_check(schema, json_null(), arena, NULL, NULL), STATUS_INVALID_ARGUMENT);
}

static void nearly_a_keyword_is_a_warning(void **state)
{
    (void)state;
    CLEANUP(arena_freep) struct arena *arena    = arena_new(ARENA_MAX);
    CLEANUP(json_unrefp) json source            = parsed("{requried: [a], x-mine: 1}");
    struct diagnostics *list                    = diagnostics_new(arena);
    CLEANUP(schema_freep) struct schema *schema = NULL;
    assert_int_equal(schema_compile(source, NULL, list, &schema, NULL), STATUS_OK);
    assert_int_equal(list->count, 1);
    assert_int_equal(list->errors, 0);
    assert_int_equal(list->items[0].severity, SEVERITY_WARNING);
    assert_string_equal(list->items[0].pointer, "/requried");
    assert_string_equal(list->items[0].hint, "`required`");
}

static void errors_are_limited(void **state)
{
    (void)state;
    CLEANUP(arena_freep) struct arena *arena    = arena_new(ARENA_MAX);
    CLEANUP(json_unrefp) json source            = parsed("{items: {type: string}}");
    CLEANUP(schema_freep) struct schema *schema = NULL;
    assert_int_equal(schema_compile(source, NULL, NULL, &schema, NULL), STATUS_OK);
    CLEANUP(json_unrefp) json value = json_array_new(0);
    for (int i = 0; i < SCHEMA_ERRORS_MAX + 3; i++) json_array_push(&value, json_int(i));
    struct schema_errors errors = {};
    assert_int_equal(schema_check(schema, value, arena, &errors, NULL), STATUS_INVALID_ARGUMENT);
    assert_int_equal(errors.count, SCHEMA_ERRORS_MAX);
    assert_int_equal(errors.dropped, 3);
    assert_string_equal(errors.items[19].pointer, "/19");
}

static void depth_is_limited(void **state)
{
    (void)state;
    CLEANUP(arena_freep) struct arena *arena    = arena_new(ARENA_MAX);
    CLEANUP(json_unrefp) json source            = parsed("{items: {$ref: '#'}}");
    CLEANUP(schema_freep) struct schema *schema = NULL;
    assert_int_equal(schema_compile(source, NULL, NULL, &schema, NULL), STATUS_OK);
    json value = json_null();
    for (int depth = 0; depth <= 64; depth++) {
        status code = schema_check(schema, value, arena, NULL, NULL);
        assert_int_equal(code, depth < 64 ? STATUS_OK : STATUS_RESOURCE_EXHAUSTED);
        json outer = json_array_new(1);
        json_array_push(&outer, value);
        value = outer;
    }
    json_unref(value);
}

static void a_schema_that_is_itself_ends(void **state)
{
    (void)state;
    CLEANUP(arena_freep) struct arena *arena = arena_new(ARENA_MAX);
    CLEANUP(json_unrefp) json source         = parsed("{anyOf: [{$ref: '#'}, {not: {$ref: '#'}}]}");
    CLEANUP(schema_freep) struct schema *schema = NULL;
    assert_int_equal(schema_compile(source, NULL, NULL, &schema, NULL), STATUS_OK);
    assert_int_equal(schema_check(schema, json_null(), arena, NULL, NULL),
                     STATUS_RESOURCE_EXHAUSTED);
}

static void alternatives_that_multiply_end(void **state)
{
    (void)state;
    CLEANUP(arena_freep) struct arena *arena = arena_new(ARENA_MAX);
    CLEANUP(buf_done) struct buf text        = buf_init(10'000);
    (void)buf_put_text(&text, "{$ref: '#/$defs/d0', $defs: {");
    for (int i = 0; i < 40; i++) {
        (void)buf_printf(&text, "d%d: {allOf: [{$ref: '#/$defs/d%d'}, {$ref: '#/$defs/d%d'}]}, ", i,
                         i + 1, i + 1);
    }
    (void)buf_put_text(&text, "d40: true}}");
    CLEANUP(json_unrefp) json source            = parsed(text.ptr);
    CLEANUP(schema_freep) struct schema *schema = NULL;
    struct error error                          = {};
    assert_int_equal(schema_compile(source, NULL, NULL, &schema, NULL), STATUS_OK);
    assert_int_equal(schema_check(schema, json_null(), arena, NULL, &error),
                     STATUS_RESOURCE_EXHAUSTED);
    assert_non_null(strstr(error.text, "too many steps"));
}

static void subschemas_are_limited(void **state)
{
    (void)state;
    for (int count = SCHEMA_NODES_MAX - 1; count <= SCHEMA_NODES_MAX; count++) {
        json list = json_array_new(0);
        for (int i = 0; i < count; i++) json_array_push(&list, json_object_new(0));
        CLEANUP(json_unrefp) json source = json_object_new(1);
        json_object_put_text(&source, "allOf", list);
        CLEANUP(schema_freep) struct schema *schema = NULL;
        status code = schema_compile(source, NULL, NULL, &schema, NULL);
        assert_int_equal(code, count < SCHEMA_NODES_MAX ? STATUS_OK : STATUS_RESOURCE_EXHAUSTED);
    }
}

int main(void)
{
    struct CMUnitTest violation_tests[ARRAY_LEN(violations)];
    for (size_t i = 0; i < ARRAY_LEN(violations); i++) {
        violation_tests[i] = row_test(violations[i].schema, check_violation, &violations[i]);
    }
    struct CMUnitTest refusal_tests[ARRAY_LEN(refusals)];
    for (size_t i = 0; i < ARRAY_LEN(refusals); i++) {
        refusal_tests[i] = row_test(refusals[i].schema, check_refusal, &refusals[i]);
    }
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(formats_are_checked_where_asserted),
        cmocka_unit_test(other_documents_are_referred_to),
        cmocka_unit_test(nearly_a_keyword_is_a_warning),
        cmocka_unit_test(errors_are_limited),
        cmocka_unit_test(depth_is_limited),
        cmocka_unit_test(a_schema_that_is_itself_ends),
        cmocka_unit_test(alternatives_that_multiply_end),
        cmocka_unit_test(subschemas_are_limited),
    };
    int failed = cmocka_run_group_tests_name("schema violations", violation_tests, NULL, NULL);
    failed += cmocka_run_group_tests_name("schema refusals", refusal_tests, NULL, NULL);
    return failed + cmocka_run_group_tests_name("schema", tests, NULL, NULL);
}
