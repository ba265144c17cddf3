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
    ".a == (.b == (.c == (.a == (.b == (.c == (.a == (.b == .c)))))))",
    "\"text\"",
    "null",
    "true and false",
    "1.5 < 2",
    "nan < nan",
    /* arithmetic */
    ".a + .b",
    ".a - .b",
    ".a * 2 + 1",
    ".a / .b",
    ".a % .b",
    "-.a",
    "-(.a + 1)",
    ". + .",
    ". + null",
    "null + .",
    "null + \"const\"",
    "\"con\" + \"st\"",
    "\"x\" * .a",
    ". * {a: {z: 1}}",
    ". - [1]",
    "\"a,b\" / \",\"",
    "9223372036854775807 + .a",
    /* branches */
    "if .a then .b else .c end",
    "if .a == 1 then \"one\" elif .a == null then \"none\" else [.a] end",
    "if .a then \"yes\" end",
    "if .a and .b then {a: 1} else null end | .a",
    "(.a // \"none\") + \"x\"",
    "[.a // \"none\", if .b then \"t\" else \"f\" end]",
    ".a | not",
    ".a and (.b | not)",
    /* new values */
    "[]",
    "{}",
    "[.a, \"x\", [.b]]",
    "{a, b: .b, \"c d\": \"x\", e: {f: [.a]}}",
    "{a: 1, a: 2}",
    "{(\"a\" + \"b\"): 1}",
    "{$steps, x: $steps.x}",
    ". + {done: true}",
    ". + {a: .b, b: .a, z: \"new\"}",
    ". + {a: 1, a: 2}",
    ". + {}",
    "{} + {a: .a} + {b: .b}",
    "$steps + {x: .a, y: .b}",
    "null + {a: 1}",
    "\"\\(.a) and \\(.b)!\"",
    "\"\"",
    "\"\\(.)\"",
    "\"\\(\"const\")\"",
    "@base64 \"x\\(.a)\"",
    /* builtins and pipes */
    "length",
    ".a | length",
    ".a | tostring",
    ".a | tostring | length",
    ".a | @json",
    ".a | @text",
    "@base64",
    "tojson | fromjson",
    "keys",
    "type",
    "to_entries",
    ". as [$x] | $x",
    "has(\"a\")",
    "has(.a)",
    "contains({a: 1})",
    "setpath([\"a\", \"q\"]; \"v\")",
    "setpath([\"a\"]; .b)",
    ".a | split(\", \")",
    "\"a, b\" | split(\", \")",
    "\"const\" | ltrimstr(\"no\")",
    "\"const\" | tostring",
    "[\"const\" | tostring, ascii_downcase]",
    "\"const\" | ., 1",
    "{a: \"const\"} | .a",
    "[\"const\"] | first",
    "[\"x\", \"y\"] | last | ascii_upcase",
    "[.a, .b] | max | tojson",
    "[.a, .b] | join(\"-\")",
    "[.a, .b] | add",
    "[3, 1] | sort",
    ".b | test(\"^o\")",
    "\"ok\" | test(\"^O\"; \"i\")",
    "\"ok\" | test(\"(\")",
    "[.a | length, (.b | type), .c]",
    ".a | {x: ., y: ($steps | .x)}",
    ".a | . + . | . * 2",
    "(.a | .b) | .b",
    ".a | .b[0]",
    "[.a] | .[0]",
    "(. + {a: 5}).a",
    "{a: {b: \"c\"}}.a.b",
    ".a | true",
    "todate",
    "0 | todate",
    "now",
    "infinite | floor | tostring",
    "pow(2; 3)",
    "ascii_downcase | ascii_upcase",
    "builtins | length",
    "splits(\",\")",
    "error(\"x\")",
    "implode",
    "range(3)",
    ".a?",
    ".a.b.c? // \"none\"",
    "try (.a + 1) catch \"bad\"",
    "[.a | tonumber?]",
    "[try error(\"x\") catch .]",
    "(.a?, 1)",
    /* all of an array or object */
    "[.[]]",
    "[.a[]]",
    "[.a[]] | length",
    "[.a | .[]]",
    "[. | .a.b[]]",
    "[.a, .b] | [.[]]",
    "[[\"x\", .a][]]",
    "[{a: .b, c: \"const\"}[]]",
    "{a: [.[]], b: [.a[]?]}",
    "[.a | scan(\"[a-z]\")]",
    "[.a | scan(\"([a-z])([a-z])?\")]",
    "[.a | scan(\"X\"; \"i\")]",
    "[.a | scan(\"X\"; \"ix\") | length]",
    "[.b | match(\"o\")]",
    "[.b | match(\"(o)(?<n>k)?\"; \"g\") | .string]",
    "[.b | match([\"O\", \"gi\"])]",
    "[.a | splits(\", *\")]",
    "[.a | scan(\"(\")]",
    "[.a | scan(.b)]",
    "[.b | scan($steps.x)]",
    "[.a | to_entries[]]",
    "[.a[] | .]",
    "[.a | .[] | .]",
    "[(.a | .[]), 1]",
    "[if .a then .[] else 1 end]",
    "def scan($x): .[]; [.a | scan(\"x\")]",
    /* higher than the stack */
    "[1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17,18,19,20,21,22,23,.a,.b]",
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
    /* members at other places than in the one before */
    "{\"c\":0,\"b\":{\"b\":1},\"a\":{\"x\":1,\"y\":2,\"b\":[3]}}",
    "{\"z\":0,\"y\":1,\"x\":2,\"w\":3,\"v\":4,\"u\":5,\"c\":7,\"b\":\"ok\",\"a\":\"one, two\"}",
    "{\"b\":\"a\",\"a\":\"b\"}",
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

static void compare(const struct expr *expr, const char *text)
{
    CLEANUP(json_unrefp) json input  = parsed(text);
    CLEANUP(json_unrefp) json steps  = parsed("{\"x\":2}");
    const struct expr_input given    = {.value = input, .variables = &steps};
    CLEANUP(json_unrefp) json value  = json_invalid();
    CLEANUP(json_unrefp) json wanted = json_invalid();
    struct error error               = {};
    struct error error_wanted        = {};
    status code                      = expr_eval(expr, &given, &value, NULL, &error);

    struct expr_run *run = expr_run_new(expr, &given);
    assert_int_equal(code, expr_run_next(run, &wanted, NULL, &error_wanted));
    expr_run_free(run);
    assert_string_equal(error.text, error_wanted.text);
    if (code != STATUS_OK) return;
    if (wanted.kind == JSON_INVALID) wanted = json_null(); /* no output */
    assert_int_equal(value.kind, wanted.kind);
    /* Exactly, but for NaN, which equals nothing. */
    if (!(value.kind == JSON_REAL && value.real != value.real)) {
        assert_int_equal(json_compare(value, wanted), 0);
    }
}

static void test_as_the_machine(void **)
{
    for (size_t i = 0; i < ARRAY_LEN(programs); i++) {
        CLEANUP(expr_freep) struct expr *expr = compiled(programs[i]);
        for (size_t j = 0; j < ARRAY_LEN(inputs); j++) compare(expr, inputs[j]);
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
        {".a == (.b == (.c == (.a == (.b == (.c == (.a == (.b == .c)))))))", true},
        {".a[]", false},
        {".[.a]", false},
        {".a + 1", true},
        {"if .a then .b else {c: .d} end", true},
        {"\"\\(.a)\" | length", true},
        {". + {a: .b}", true},
        {"try .a catch .b", true},
        {".a | first | tostring", true},
        {".a | test(\"x\")", true},
        {"{(.a): 1}", false},
        {"def f: 1; f", false},
        {".a as $x | $x", false},
        {".a | sub(\"x\"; \"y\")", false},
        {"[.[] | .a]", false},
        {"[.[]]", true},
        {"[.a.b[]] | length", true},
        {"[.a | scan(\"x\")]", true},
        {"[.a | scan(\"x\"; \"i\")]", true},
        {"[.a | match(\"x\"; \"g\")]", true},
        {"[.a | scan(.b)]", false},
        {"[.a | .[], 1]", false},
        {"[.a[]?]", false},
        {".a | .[]", false},
        {"def scan($x): .[]; [.a | scan(\"x\")]", false},
        {"error", false},
        {"[1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17,18,19,20,21,22,23,24,.a]", false},
        {".a as $x | $x", false},
        {"def true: 1; true", false},
        {"not", true},
        {"empty", false},
        {". as [$x] | not", false},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        CLEANUP(expr_freep) struct expr *expr = compiled(rows[i].program);
        if ((expr->plain_count > 0) != rows[i].is_plain) fail_msg("%s", rows[i].program);
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
