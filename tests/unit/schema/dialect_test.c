/* Dialects: what each draft makes of the same words, and how a schema says which one it is. */
#include "schema/schema.h"

#include "yaml/yaml.h"

#include "cmocka.h"

#include <stdio.h>

enum { ARENA_MAX = 4 << 20, NAME_MAX_LEN = 400 };

static const char *const uris[] = {
    "http://json-schema.org/draft-04/schema#",      "http://json-schema.org/draft-06/schema#",
    "http://json-schema.org/draft-07/schema#",      "https://json-schema.org/draft/2019-09/schema",
    "https://json-schema.org/draft/2020-12/schema",
};

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

/* --- the same schema and value in each draft ---------------------------------------------------
 */

/* One letter for each of draft-04, draft-06, draft-07, 2019-09 and 2020-12: + accepts the value,
 * - refuses it, ! is no schema there. */
static const struct difference {
    const char *schema;
    const char *value;
    const char *verdicts;
} differences[] = {
    /* limits */
    {"{maximum: 3, exclusiveMaximum: true}", "3", "-!!!!"},
    {"{maximum: 3, exclusiveMaximum: true}", "2", "+!!!!"},
    {"{minimum: 3, exclusiveMinimum: true}", "3", "-!!!!"},
    {"{minimum: 3, exclusiveMinimum: false}", "3", "+!!!!"},
    {"{exclusiveMinimum: true}", "3", "+!!!!"},
    {"{exclusiveMaximum: 3}", "3", "!----"},
    {"{exclusiveMinimum: 3}", "4", "!++++"},
    {"{const: 1}", "2", "+----"},
    {"{propertyNames: {maxLength: 1}}", "{ab: 1}", "+----"},
    {"{if: {type: integer}, then: {minimum: 5}, else: {minLength: 2}}", "1", "++---"},
    {"{if: {type: integer}, then: {minimum: 5}, else: {minLength: 2}}", "a", "++---"},

    /* lists */
    {"{items: [{type: string}, {type: integer}]}", "[a, b]", "----!"},
    {"{items: [{type: string}]}", "[a, b]", "++++!"},
    {"{items: [true], additionalItems: false}", "[a, b]", "----!"},
    {"{items: [true], additionalItems: {type: integer}}", "[a, 1]", "++++!"},
    {"{items: {type: string}, additionalItems: false}", "[a, b]", "+++++"},
    {"{additionalItems: false}", "[a]", "+++++"},
    {"{prefixItems: [{type: string}]}", "[1]", "++++-"},
    {"{prefixItems: [true], items: {type: string}}", "[1, a]", "----+"},
    {"{contains: {const: 1}}", "[2]", "+----"},
    {"{contains: {const: 1}, minContains: 2}", "[1]", "+++--"},
    {"{contains: {const: 1}, maxContains: 1}", "[1, 1]", "+++--"},
    {"{contains: {const: 1}, minContains: 0}", "[]", "+--++"},
    {"{contains: {const: 1}, unevaluatedItems: false}", "[1]", "+++-+"},
    {"{unevaluatedItems: false}", "[1]", "+++--"},

    /* members */
    {"{dependencies: {a: [b]}}", "{a: 1}", "-----"},
    {"{dependencies: {a: [b]}}", "{c: 1}", "+++++"},
    {"{dependencies: {a: {required: [b]}}}", "{a: 1}", "-----"},
    {"{dependencies: {a: b}}", "{}", "!!!!!"},
    {"{dependentRequired: {a: [b]}}", "{a: 1}", "+++--"},
    {"{dependentSchemas: {a: {required: [b]}}}", "{a: 1}", "+++--"},
    {"{properties: {a: true}, unevaluatedProperties: false}", "{b: 1}", "+++--"},

    /* references */
    {"{$ref: '#/definitions/a', definitions: {a: {type: string}}}", "1", "-----"},
    {"{$ref: '#/$defs/a', $defs: {a: {type: string}}}", "1", "-----"},
    {"{$ref: '#/definitions/a', maximum: 1, definitions: {a: {type: integer}}}", "2", "+++--"},
    {"{$ref: '#/definitions/a', definitions: {a: {type: integer, $id: 'x'}}}", "a", "-----"},
    {"{$ref: '#a', definitions: {x: {id: '#a', type: string}}}", "1", "-!!!!"},
    {"{$ref: '#a', definitions: {x: {$id: '#a', type: string}}}", "1", "!--!!"},
    {"{$ref: '#a', definitions: {x: {$anchor: a, type: string}}}", "1", "!!!--"},
    {"{$ref: 'u:y#a', definitions: {x: {$id: 'u:y#a', type: string}}}", "1", "!--!!"},
    {"{$ref: 'u:y', definitions: {x: {id: 'u:y', type: string}}}", "1", "-!!!!"},
    {"{$ref: 'u:y', definitions: {x: {$id: 'u:y', type: string}}}", "1", "!----"},
    {"{allOf: [{$ref: '#/definitions/a', $id: 'u:y'}], definitions: {a: {type: string}}}", "1",
     "---!!"},
    {"{properties: {a: {$recursiveRef: '#'}}, required: [b]}", "{a: {}, b: 1}", "+++-+"},
    {"{$dynamicRef: '#a', $defs: {x: {$dynamicAnchor: a, type: string}}}", "1", "++++-"},
};

/* How `source` is taken in a draft: one of the letters. */
static char verdict(json source, const char *uri, json value)
{
    CLEANUP(arena_freep) struct arena *arena    = arena_new(ARENA_MAX);
    CLEANUP(schema_freep) struct schema *schema = NULL;
    CLEANUP(json_unrefp) json own               = json_ref(source);
    json_object_put_text(&own, "$schema", json_text_from(uri));
    struct diagnostics *list = diagnostics_new(arena);
    if (schema_compile(own, NULL, list, &schema, NULL) != STATUS_OK) {
        assert_true(list->errors > 0);
        return '!';
    }
    status code = schema_check(schema, value, arena, NULL, NULL);
    assert_true(code == STATUS_OK || code == STATUS_INVALID_ARGUMENT);
    return code == STATUS_OK ? '+' : '-';
}

static void check_difference(void **state)
{
    const struct difference *row       = *state;
    CLEANUP(json_unrefp) json source   = parsed(row->schema);
    CLEANUP(json_unrefp) json value    = parsed(row->value);
    char verdicts[ARRAY_LEN(uris) + 1] = {};
    for (size_t i = 0; i < ARRAY_LEN(uris); i++) verdicts[i] = verdict(source, uris[i], value);
    assert_string_equal(verdicts, row->verdicts);
}

/* --- which draft it is -------------------------------------------------------------------------
 */

/* A list of items is of the older drafts: what is accepted shows which one is in force. */
#define OLD "items: [{type: string}]"

static const struct choice {
    const char *what;
    const char *schema;
    const char *pointer; /* of the finding; NULL: it is a schema */
    const char *detail;
} choices[] = {
    {"nothing said", "{items: [true]}", "/items", "must be a schema"},
    {"without the fragment", "{$schema: 'http://json-schema.org/draft-07/schema', " OLD "}", NULL,
     ""},
    {"https for http", "{$schema: 'https://json-schema.org/draft-07/schema#', " OLD "}", NULL, ""},
    {"http for https", "{$schema: 'http://json-schema.org/draft/2019-09/schema', " OLD "}", NULL,
     ""},
    {"an older one", "{$schema: 'http://json-schema.org/draft-03/schema#'}", "/$schema",
     "known are https://json-schema.org/draft/2020-12/schema, "
     "https://json-schema.org/draft/2019-09/schema, http://json-schema.org/draft-07/schema, "
     "http://json-schema.org/draft-06/schema and http://json-schema.org/draft-04/schema"},
    {"the latest, whatever it is", "{$schema: 'http://json-schema.org/schema#'}", "/$schema",
     "not known"},
    {"empty", "{$schema: ''}", "/$schema", "not known"},
    {"no text", "{$schema: 7}", "/$schema", "must be a string"},
    {"in a resource inside",
     "{$defs: {a: {$id: 'u:a', $schema: 'http://json-schema.org/draft-07/schema#', " OLD "}}}",
     NULL, ""},
    {"in a subschema",
     "{properties: {a: {$schema: 'http://json-schema.org/draft-06/schema#', " OLD "}}}", NULL, ""},
    {"and what is beside it is not",
     "{properties: {a: {$schema: 'http://json-schema.org/draft-06/schema#'}, b: {items: [true]}}}",
     "/properties/b/items", "must be a schema"},
    {"newer inside older",
     "{$schema: 'http://json-schema.org/draft-07/schema#', definitions: "
     "{a: {$schema: 'https://json-schema.org/draft/2020-12/schema', items: [true]}}}",
     "/definitions/a/items", "must be a schema"},
    {"unknown inside", "{properties: {a: {$schema: 'urn:mine'}}}", "/properties/a/$schema",
     "not known"},
    {"as the name of a member", "{properties: {$schema: {type: string}}}", NULL, ""},
    {"where a pointer leads, of what is around it",
     "{$schema: 'http://json-schema.org/draft-07/schema#', $ref: '#/x-mine/a', x-mine: {a: {" OLD
     "}}}",
     NULL, ""},
};

static void check_choice(void **state)
{
    const struct choice *row                    = *state;
    CLEANUP(arena_freep) struct arena *arena    = arena_new(ARENA_MAX);
    CLEANUP(json_unrefp) json source            = parsed(row->schema);
    CLEANUP(schema_freep) struct schema *schema = NULL;
    struct diagnostics *list                    = diagnostics_new(arena);
    status code                                 = schema_compile(source, NULL, list, &schema, NULL);
    if (!row->pointer) {
        assert_int_equal(code, STATUS_OK);
        return;
    }
    assert_int_not_equal(code, STATUS_OK);
    assert_int_equal(list->errors, 1);
    assert_string_equal(list->items[0].pointer, row->pointer);
    if (!strstr(list->items[0].detail, row->detail)) fail_msg("%s", list->items[0].detail);
}

/* A document that is referred to and does not say of which draft it is, is of the one that refers
 * to it. */
static void documents_follow_who_refers_to_them(void **state)
{
    (void)state;
    CLEANUP(json_unrefp) json other          = parsed("{" OLD "}");
    const struct schema_document documents[] = {{"u:other", other}, {}};
    const struct schema_options options      = {.documents = documents};
    CLEANUP(json_unrefp) json source         = parsed("{$ref: 'u:other'}");
    for (size_t i = 0; i < ARRAY_LEN(uris); i++) {
        CLEANUP(schema_freep) struct schema *schema = NULL;
        CLEANUP(json_unrefp) json own               = json_ref(source);
        json_object_put_text(&own, "$schema", json_text_from(uris[i]));
        status code = schema_compile(own, &options, NULL, &schema, NULL);
        assert_int_equal(code, i < 4 ? STATUS_OK : STATUS_INVALID_ARGUMENT);
    }
}

/* --- meta-schemas ------------------------------------------------------------------------------
 */

static const struct difference meta_differences[] = {
    {"", "{type: string, items: {minLength: 1}, properties: {a: {}}}", "+++++"},
    {"", "{type: text}", "-----"},
    {"", "{properties: {a: {minLength: -1}}}", "-----"},
    {"", "{exclusiveMinimum: true}", "+----"},
    {"", "{exclusiveMinimum: 1}", "-++++"},
    {"", "{items: [{type: string}]}", "++++-"},
    {"", "{items: [{type: text}]}", "-----"},
    {"", "{dependencies: {a: [b], c: {}}}", "+++++"},
    {"", "{dependencies: {a: b}}", "-----"},
    {"", "{if: {type: text}}", "++---"},
    {"", "{$defs: {a: {type: text}}}", "+++--"},
    {"", "{definitions: {a: {type: text}}}", "-----"},
};

static void check_meta(void **state)
{
    const struct difference *row       = *state;
    CLEANUP(json_unrefp) json value    = parsed(row->value);
    char verdicts[ARRAY_LEN(uris) + 1] = {};
    for (size_t i = 0; i < ARRAY_LEN(uris); i++) {
        CLEANUP(json_unrefp) json source = json_object_new(1);
        json_object_put_text(&source, "$ref", json_text_from(uris[i]));
        verdicts[i] = verdict(source, uris[i], value);
    }
    assert_string_equal(verdicts, row->verdicts);
}

/* A meta-schema of somebody's own: its `$schema` is what it extends, its vocabularies count. */
static void a_meta_schema_of_ones_own(void **state)
{
    (void)state;
    static const struct {
        const char *meta;
        const char *value;
        status compiled, checked;
    } rows[] = {
        {"{$schema: 'http://json-schema.org/draft-07/schema#'}", "[1]", STATUS_OK,
         STATUS_INVALID_ARGUMENT},
        {"{$schema: 'https://json-schema.org/draft/2019-09/schema', $vocabulary: "
         "{'https://json-schema.org/draft/2019-09/vocab/core': true}}",
         "[1]", STATUS_OK, STATUS_OK},
        {"{$schema: 'https://json-schema.org/draft/2019-09/schema', $vocabulary: "
         "{'https://json-schema.org/draft/2019-09/vocab/applicator': true, "
         "'https://json-schema.org/draft/2019-09/vocab/format': false}}",
         "['2024-99-99']", STATUS_OK, STATUS_OK},
        {"{$schema: 'https://json-schema.org/draft/2019-09/schema', $vocabulary: "
         "{'https://json-schema.org/draft/2019-09/vocab/applicator': true, "
         "'https://json-schema.org/draft/2019-09/vocab/format': true}}",
         "['2024-99-99']", STATUS_OK, STATUS_INVALID_ARGUMENT},
        {"{$schema: 'https://json-schema.org/draft/2019-09/schema', $vocabulary: {'u:mine': true}}",
         "[]", STATUS_UNIMPLEMENTED, STATUS_OK},
        {"{$schema: 'u:else'}", "[]", STATUS_UNIMPLEMENTED, STATUS_OK},
        {"{items: [true]}", "[]", STATUS_INVALID_ARGUMENT, STATUS_OK}, /* 2020-12 */
    };
    CLEANUP(json_unrefp)
    json source = parsed("{$schema: 'u:meta', items: [{type: string, format: date}]}");
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        CLEANUP(arena_freep) struct arena *arena    = arena_new(ARENA_MAX);
        CLEANUP(json_unrefp) json meta              = parsed(rows[i].meta);
        CLEANUP(json_unrefp) json value             = parsed(rows[i].value);
        const struct schema_document documents[]    = {{"u:meta", meta}, {}};
        const struct schema_options options         = {.documents = documents};
        CLEANUP(schema_freep) struct schema *schema = NULL;
        assert_int_equal(schema_compile(source, &options, NULL, &schema, NULL), rows[i].compiled);
        if (!schema) continue;
        assert_int_equal(schema_check(schema, value, arena, NULL, NULL), rows[i].checked);
    }
}

/* --- what is said ------------------------------------------------------------------------------
 */

/* Violations carry the name and the place of the keyword as it was written. */
static const struct violation {
    const char *schema;
    const char *value;
    const char *pointer;
    const char *keyword;
    const char *schema_pointer;
    const char *sentence;
} violations[] = {
    {"{$schema: 'http://json-schema.org/draft-04/schema#', minimum: 3, exclusiveMinimum: true}",
     "3", "", "minimum", "/minimum", "must be more than 3, is 3"},
    {"{$schema: 'http://json-schema.org/draft-07/schema#', items: [true, {type: string}]}",
     "[1, 2]", "/1", "type", "/items/1/type", "must be a string, is a whole number"},
    {"{$schema: 'http://json-schema.org/draft-07/schema#', items: [true], additionalItems: "
     "{type: string}}",
     "[1, 2]", "/1", "type", "/additionalItems/type", "must be a string, is a whole number"},
    {"{$schema: 'http://json-schema.org/draft-07/schema#', dependencies: {a: [b]}}", "{a: 1}", "",
     "dependencies", "/dependencies", "must have `b`, since it has `a`"},
    {"{$schema: 'http://json-schema.org/draft-07/schema#', dependencies: {a: {minProperties: 2}}}",
     "{a: 1}", "", "minProperties", "/dependencies/a/minProperties",
     "must have at least 2 members, has 1"},
};

static void check_violation(void **state)
{
    const struct violation *row                 = *state;
    CLEANUP(arena_freep) struct arena *arena    = arena_new(ARENA_MAX);
    CLEANUP(json_unrefp) json source            = parsed(row->schema);
    CLEANUP(json_unrefp) json value             = parsed(row->value);
    CLEANUP(schema_freep) struct schema *schema = NULL;
    struct schema_errors errors                 = {};
    assert_int_equal(schema_compile(source, NULL, NULL, &schema, NULL), STATUS_OK);
    assert_int_equal(schema_check(schema, value, arena, &errors, NULL), STATUS_INVALID_ARGUMENT);
    assert_int_equal(errors.count, 1);
    assert_string_equal(errors.items[0].pointer, row->pointer);
    assert_string_equal(errors.items[0].keyword, row->keyword);
    assert_string_equal(errors.items[0].schema_pointer, row->schema_pointer);
    assert_string_equal(errors.items[0].sentence, row->sentence);
}

/* A keyword of another draft would be ignored in silence. */
static void keywords_of_other_drafts_are_warnings(void **state)
{
    (void)state;
    static const struct {
        const char *schema, *pointer, *detail, *hint;
    } rows[] = {
        {"{$schema: 'http://json-schema.org/draft-07/schema#', prefixItems: [true]}",
         "/prefixItems", "`prefixItems` is no keyword of draft-07 and is ignored",
         "`$schema: https://json-schema.org/draft/2020-12/schema` has it"},
        {"{additionalItems: false}", "/additionalItems",
         "`additionalItems` is no keyword of 2020-12 and is ignored",
         "`$schema: https://json-schema.org/draft/2019-09/schema` has it"},
        {"{$schema: 'http://json-schema.org/draft-04/schema#', minLenght: 1}", "/minLenght",
         "`minLenght` is no keyword of draft-04 and is ignored", "`minLength`"},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        CLEANUP(arena_freep) struct arena *arena    = arena_new(ARENA_MAX);
        CLEANUP(json_unrefp) json source            = parsed(rows[i].schema);
        CLEANUP(schema_freep) struct schema *schema = NULL;
        struct diagnostics *list                    = diagnostics_new(arena);
        assert_int_equal(schema_compile(source, NULL, list, &schema, NULL), STATUS_OK);
        assert_int_equal(list->count, 1);
        assert_int_equal(list->items[0].severity, SEVERITY_WARNING);
        assert_string_equal(list->items[0].pointer, rows[i].pointer);
        assert_string_equal(list->items[0].detail, rows[i].detail);
        assert_string_equal(list->items[0].hint, rows[i].hint);
    }
}

/* --- all of them -------------------------------------------------------------------------------
 */

int main(void)
{
    static char names[ARRAY_LEN(differences)][NAME_MAX_LEN];
    struct CMUnitTest difference_tests[ARRAY_LEN(differences)];
    for (size_t i = 0; i < ARRAY_LEN(differences); i++) {
        (void)snprintf(names[i], sizeof names[i], "%s of %s", differences[i].value,
                       differences[i].schema);
        difference_tests[i] = row_test(names[i], check_difference, &differences[i]);
    }
    struct CMUnitTest choice_tests[ARRAY_LEN(choices)];
    for (size_t i = 0; i < ARRAY_LEN(choices); i++) {
        choice_tests[i] = row_test(choices[i].what, check_choice, &choices[i]);
    }
    struct CMUnitTest meta_tests[ARRAY_LEN(meta_differences)];
    for (size_t i = 0; i < ARRAY_LEN(meta_differences); i++) {
        meta_tests[i] = row_test(meta_differences[i].value, check_meta, &meta_differences[i]);
    }
    struct CMUnitTest violation_tests[ARRAY_LEN(violations)];
    for (size_t i = 0; i < ARRAY_LEN(violations); i++) {
        violation_tests[i] = row_test(violations[i].schema, check_violation, &violations[i]);
    }
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(documents_follow_who_refers_to_them),
        cmocka_unit_test(a_meta_schema_of_ones_own),
        cmocka_unit_test(keywords_of_other_drafts_are_warnings),
    };
    int failed = cmocka_run_group_tests_name("differences", difference_tests, NULL, NULL);
    failed += cmocka_run_group_tests_name("$schema", choice_tests, NULL, NULL);
    failed += cmocka_run_group_tests_name("meta-schemas", meta_tests, NULL, NULL);
    failed += cmocka_run_group_tests_name("violations", violation_tests, NULL, NULL);
    return failed + cmocka_run_group_tests_name("dialects", tests, NULL, NULL);
}
