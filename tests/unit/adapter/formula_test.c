/* Literals and expressions as one program; which nulls go; where a fault is. */
#include "adapter/formula.h"

#include "base/attr.h"
#include "support/cmocka.h"
#include "json/json_text.h"

#include <stdlib.h>

enum { ARENA_MAX = 4 << 20 };

static json parsed(const char *text)
{
    json value         = json_invalid();
    struct error error = {};
    assert_int_equal(json_parse(str_from(text), NULL, &value, NULL, &error), STATUS_OK);
    return value;
}

static struct formula *compiled(const char *text, enum formula_nulls nulls, const char *keep)
{
    CLEANUP(arena_freep) struct arena *arena = arena_new(ARENA_MAX);
    CLEANUP(json_unrefp) json value          = parsed(text);
    CLEANUP(json_unrefp) json keep_null      = keep ? parsed(keep) : json_invalid();
    struct formula *formula                  = NULL;
    struct formula_fault fault               = {};
    struct error error                       = {};
    status code = formula_compile(value, nulls, keep_null, arena, &formula, &fault, &error);
    if (code != STATUS_OK) fail_msg("%s: %s", text, error.text);
    return formula;
}

static void assert_yields(const struct formula *formula, const char *scope, const char *expected)
{
    CLEANUP(json_unrefp) json given  = parsed(scope);
    CLEANUP(json_unrefp) json wanted = parsed(expected);
    CLEANUP(json_unrefp) json value  = json_invalid();
    struct error error               = {};
    if (formula_eval(formula, given, 0, &value, &error) != STATUS_OK) fail_msg("%s", error.text);
    CLEANUP(json_unrefp) json shown = json_to_text_new(value);
    if (!json_equal(value, wanted)) fail_msg("%s, not %s", json_str(shown).ptr, expected);
}

static void test_values(void **)
{
    static const struct {
        const char *value, *expected;
    } rows[] = {
        {"1", "1"},
        {"\"text\"", "\"text\""},
        {"\"=.params.a\"", "7"},
        {"\"=\\\"=text\\\"\"", "\"=text\""},
        {"\"=.params.a # a comment\"", "7"},
        {"\"=empty\"", "null"},
        {"\"=.params.a, 1 | select(. == 1)\"", "1"},
        {"{\"a\": {\"b\": [\"=.params.a\", \"\\\\(x)\", -1, 9007199254740993]}}",
         "{\"a\": {\"b\": [7, \"\\\\(x)\", -1, 9007199254740993]}}"},
        {"{\"=a\": \"=.params.a\"}", "{\"=a\": 7}"},
        {"[[\"=.params | keys\"], []]", "[[[\"a\"]], []]"},
        {"\"=def twice: . * 2; .params.a | twice\"", "14"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        CLEANUP(formula_freep)
        struct formula *formula = compiled(rows[i].value, FORMULA_KEEPS_NULL, NULL);
        assert_yields(formula, "{\"params\": {\"a\": 7}}", rows[i].expected);
    }
}

static void test_nulls(void **)
{
    static const char value[] = "{\"gone\": \"=.x\", \"meant\": null, \"clear\": \"=.x\","
                                " \"in\": {\"clear\": \"=.x\", \"list\": [\"=.x\"]},"
                                " \"whole\": \"={a: null}\"}";
    CLEANUP(formula_freep) struct formula *keeps = compiled(value, FORMULA_KEEPS_NULL, NULL);
    assert_yields(keeps, "{}",
                  "{\"gone\": null, \"meant\": null, \"clear\": null,"
                  " \"in\": {\"clear\": null, \"list\": [null]}, \"whole\": {\"a\": null}}");
    CLEANUP(formula_freep)
    struct formula *drops = compiled(value, FORMULA_DROPS_NULL, "[\"clear\"]");
    assert_yields(drops, "{}",
                  "{\"meant\": null, \"clear\": null, \"in\": {\"list\": [null]},"
                  " \"whole\": {\"a\": null}}");
    assert_yields(drops, "{\"x\": 1}",
                  "{\"gone\": 1, \"meant\": null, \"clear\": 1,"
                  " \"in\": {\"clear\": 1, \"list\": [1]}, \"whole\": {\"a\": null}}");
}

static void test_errors(void **)
{
    static const char *const values[] = {"\"=1, 2\"", "\"=error(\\\"no\\\")\"", "[\"=.a.b.c\"]"};
    CLEANUP(json_unrefp) json scope   = parsed("{\"a\": 1}");
    for (size_t i = 0; i < sizeof values / sizeof *values; i++) {
        CLEANUP(formula_freep)
        struct formula *formula = compiled(values[i], FORMULA_KEEPS_NULL, NULL);
        json value              = json_invalid();
        struct error error      = {};
        assert_int_equal(formula_eval(formula, scope, 0, &value, &error), STATUS_INVALID_ARGUMENT);
        assert_true(error.text[0] != '\0');
        assert_false(formula_test(formula, scope, 0));
    }
    CLEANUP(formula_freep)
    struct formula *endless = compiled("\"=def f: f; f\"", FORMULA_KEEPS_NULL, NULL);
    json value              = json_invalid();
    struct error error      = {};
    assert_int_equal(formula_eval(endless, scope, 0, &value, &error), STATUS_RESOURCE_EXHAUSTED);
}

static void test_conditions(void **)
{
    CLEANUP(json_unrefp) json scope               = parsed("{\"yes\": 1, \"no\": false}");
    CLEANUP(formula_freep) struct formula *yes    = compiled("\"=.yes\"", FORMULA_KEEPS_NULL, NULL);
    CLEANUP(formula_freep) struct formula *no     = compiled("\"=.no\"", FORMULA_KEEPS_NULL, NULL);
    CLEANUP(formula_freep) struct formula *absent = compiled("\"=.x\"", FORMULA_KEEPS_NULL, NULL);
    assert_true(formula_test(yes, scope, 0));
    assert_false(formula_test(no, scope, 0));
    assert_false(formula_test(absent, scope, 0));
}

static void test_faults(void **)
{
    static const struct {
        const char *value, *pointer;
        size_t offset;
    } rows[] = {
        {"\"=.a +\"", "", 4},
        {"{\"a/b\": [1, \"=.a | nosuch\"]}", "/a~1b/1", 5},
        {"{\"x\": \"=1) + (2\"}", "/x", 1},
        {"\"=env\"", "", 0},
        {"\"=$secret\"", "", 0},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        CLEANUP(arena_freep) struct arena *arena = arena_new(ARENA_MAX);
        CLEANUP(json_unrefp) json value          = parsed(rows[i].value);
        struct formula *formula                  = NULL;
        struct formula_fault fault               = {};
        struct error error                       = {};
        assert_int_equal(formula_compile(value, FORMULA_DROPS_NULL, json_invalid(), arena, &formula,
                                         &fault, &error),
                         STATUS_INVALID_ARGUMENT);
        assert_null(formula);
        assert_string_equal(fault.pointer, rows[i].pointer);
        assert_int_equal(fault.offset, rows[i].offset);
        assert_true(fault.detail[0] != '\0');
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_values), cmocka_unit_test(test_nulls),
        cmocka_unit_test(test_errors), cmocka_unit_test(test_conditions),
        cmocka_unit_test(test_faults),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
