/* Conditions without the machine answer as the machine does, in every case, errors included. */
#include "cmocka.h"

#include "base/attr.h"
#include "expr/expr.h"
#include "expr/program.h"
#include "json/json_text.h"

enum { ARENA_MAX = 1 << 20 };

static const char *const programs[] = {
    ".",
    ".a",
    ".a.b[0]",
    ".a.b[-1]",
    "$steps.x",
    "$steps",
    ".a == 1",
    "1 != .a",
    ".a < 2",
    ".a <= $steps.x",
    ".a > \"x\"",
    ".a >= .b",
    ".a == .b",
    ".a and .b",
    ".a or .b",
    ".a // .b",
    ".a // \"none\"",
    ".missing // null // false // 7",
    ".a and .b or .c",
    "(.a or .b) and (.c // true)",
    ".a == 1 and .b == \"ok\" and .c != null",
    "(.a == 1) == (.b == 2)",
    "((((.a < 1) < 2) < 3) < 4) < 5",
    ".a == (.b == (.c == (.a == (.b == (.c == (.a == (.b == .c)))))))", /* higher than the stack */
    "\"text\"",
    "null",
    "true and false",
    "1.5 < 2",
    "nan < nan",
};

static const char *const inputs[] = {
    "null",
    "1",
    "\"text\"",
    "[1,2]",
    "{}",
    "{\"a\":1,\"b\":2,\"c\":3}",
    "{\"a\":{\"b\":[1,\"x\"]},\"b\":{\"b\":[1,\"x\"]},\"c\":false}",
    "{\"a\":\"x\",\"b\":\"ok\",\"c\":null}",
    "{\"a\":1,\"b\":\"ok\",\"c\":[]}",
    "{\"a\":1.0,\"b\":true,\"c\":\"\"}",
    "{\"a\":null,\"b\":false}",
};

static const char *const variable_names[] = {"steps"};
static const struct expr_names names      = {.names = variable_names, .count = 1};

static json parsed(const char *text)
{
    json value = json_invalid();
    assert_int_equal(json_parse(str_from(text), NULL, &value, NULL, NULL), STATUS_OK);
    return value;
}

static struct expr *compiled(const char *program)
{
    struct arena *arena = arena_new(ARENA_MAX);
    struct expr *expr   = NULL;
    assert_int_equal(expr_compile(str_from(program), &names, arena, &expr, NULL, NULL), STATUS_OK);
    arena_free(arena);
    return expr;
}

static void compare(const char *program, const char *text)
{
    CLEANUP(expr_freep) struct expr *expr = compiled(program);
    CLEANUP(json_unrefp) json input       = parsed(text);
    CLEANUP(json_unrefp) json steps       = parsed("{\"x\":2}");
    const struct expr_input given         = {.value = input, .variables = &steps};
    CLEANUP(json_unrefp) json value       = json_invalid();
    CLEANUP(json_unrefp) json wanted      = json_invalid();
    struct error error                    = {};
    struct error error_wanted             = {};
    status code                           = expr_eval(expr, &given, &value, NULL, &error);

    struct expr_run *run = expr_run_new(expr, &given);
    assert_int_equal(code, expr_run_next(run, &wanted, NULL, &error_wanted));
    expr_run_free(run);
    assert_string_equal(error.text, error_wanted.text);
    if (code != STATUS_OK) return;
    assert_int_equal(value.kind, wanted.kind);
    /* Exactly, but for NaN, which equals nothing. */
    if (!(value.kind == JSON_REAL && value.real != value.real)) {
        assert_int_equal(json_compare(value, wanted), 0);
    }
}

static void test_as_the_machine(void **)
{
    for (size_t i = 0; i < ARRAY_LEN(programs); i++) {
        for (size_t j = 0; j < ARRAY_LEN(inputs); j++) compare(programs[i], inputs[j]);
    }
}

static void test_what_is_plain(void **)
{
    static const struct {
        const char *program;
        bool is_plain;
    } rows[] = {
        {".a.b[0]", true},
        {".status == \"ok\" and .n > 3", true},
        {".missing // \"none\"", true},
        {"((((.a < 1) < 2) < 3) < 4) < 5", true},
        {".a == (.b == (.c == (.a == (.b == (.c == (.a == (.b == .c)))))))", false},
        {".a[]", false},
        {".[.a]", false},
        {".a + 1", false},
        {".a as $x | $x", false},
        {"def true: 1; true", false},
        {"not", false},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        CLEANUP(expr_freep) struct expr *expr = compiled(rows[i].program);
        assert_int_equal(expr->plain_count > 0, rows[i].is_plain);
    }
}

/* A constant of the program outlives it. */
static void test_results_are_ones_own(void **)
{
    struct expr *expr             = compiled(".missing // \"none\"");
    CLEANUP(json_unrefp) json in  = parsed("{}");
    CLEANUP(json_unrefp) json out = json_invalid();
    const struct expr_input given = {.value = in, .variables = &in};
    assert_int_equal(expr_eval(expr, &given, &out, NULL, NULL), STATUS_OK);
    expr_free(expr);
    assert_true(str_is(json_str(out), "none"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_as_the_machine),
        cmocka_unit_test(test_what_is_plain),
        cmocka_unit_test(test_results_are_ones_own),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
