/* expr_yield_of(): one value whatever the input, or perhaps none or many. */
#include "base/arena.h"
#include "cmocka.h"
#include "expr/expr.h"

static const char *const ones[] = {
    ".",
    ".a.b",
    ".a[0]",
    ".a[1:]",
    "1",
    "\"a\"",
    "\"a\\(.x)b\"",
    "@base64",
    "@csv \"\\(.x)\"",
    "$v",
    "$v.a",
    "-1",
    ".a + .b",
    ".a | .b",
    "[.[]]",
    "[.[], 1]",
    "{a: 1, b: .c}",
    "{a, $v}",
    "{(.k): .v}",
    ".a // 1",
    ".a and .b",
    ".a == 1 or .b",
    "if .a then 1 else 2 end",
    "if .a then 1 end",
    "try .a catch 1",
    "reduce .[] as $x (0; . + $x)",
    ".a = 1",
    ".a |= .[]",
    ".a += 1",
    ".a //= 1",
    "map(.[])",
    "map(select(.x))",
    "length",
    "keys",
    "any(.[]; .ok) | not",
    "all",
    "[.[] | .x]",
    "first(.a, .b)",
    "first",
    "last",
    "nth(2)",
    "first(.[]) // null",
    "first(.[])",
    "last(.[])",
    "first(empty)",
    "def f(g): g; f(.)",
    "def f(x): x + 1; f(.a)",
    "def f($x): $x; f(.a)",
    "def f: def g: 1; g; f",
    ".x as $a | $a",
    "split(\",\")",
    "test(\"a\")",
    "sub(\"a\"; \"b\")",
    "[limit(3; .[])]",
    "with_entries(.value)",
    "sort_by(.a, .b)",
    "del(.a, .b)",
    "to_entries",
    "IN(.[])",
    "now | todate",
    "isempty(.[])",
    "[range(10)] | add",
    "add(.[])",
    "group_by(.a)",
    "join(\", \")",
    "def f: .[]; .a",
    "error(\"x\")",
    "walk(.)",
};

static const char *const anys[] = {
    ".[]",
    ".a[]",
    ".a?",
    "empty",
    "1, 2",
    ".a, .b",
    "..",
    "recurse",
    "range(3)",
    ".[] | .x",
    "[1] | .[]",
    "\"\\(.[])\"",
    "{a: .[]}",
    "{(.[]): 1}",
    "select(.a)",
    ".a | select(.b)",
    "values",
    ".a | strings",
    "if .a then .[] else 1 end",
    "if .[] then 1 else 2 end",
    "if .a then empty end",
    "try .a",
    "try .[] catch 1",
    "nth(1; .a, .b)",
    ".[] // 1",
    ".a // .[]",
    ".a = (1, 2)",
    "reduce .[] as $x (1, 2; .)",
    "foreach .[] as $x (0; .)",
    "label $out | break $out",
    ".[] as $x | $x",
    "limit(1; .)",
    "match(\"a\")",
    "capture(\"(?<x>a)\")",
    "scan(\"a\")",
    "splits(\",\")",
    "paths",
    "split(\",\", \";\")",
    "walk(.[]?)",
    "def f: .[]; f",
    "def map(f): .[]; map(.)",
    "def f(g): g; f(.[])",
    "def f(g): [g] | .[]; f(.)",
    "def f: if . > 3 then . else . + 1 | f end; f",
    "def f(a; b; c; d; e; g; h; i): 1; f(1; 2; 3; 4; 5; 6; 7; 8)",
    "def f: def g: .[]; g; f",
    ".a[.b[]]",
    ".[.a[]:]",
    "-(.[])",
    ". + .[]",
    "path(.[])",
    "tostream",
    "(.a[]? // empty) // 1",
};

static enum expr_yield yield_of_text(const char *text)
{
    static const char *const names[]         = {"v"};
    const struct expr_names known            = {.names = names, .count = 1};
    CLEANUP(arena_freep) struct arena *arena = arena_new(1 << 20);
    CLEANUP(expr_freep) struct expr *expr    = NULL;
    struct error why                         = {};
    if (expr_compile(str_from(text), &known, arena, &expr, NULL, &why) != STATUS_OK) {
        fail_msg("%s: %s", text, why.text);
    }
    return expr_yield_of(expr);
}

static void yields_one(void **state)
{
    if (yield_of_text(*state) != EXPR_YIELDS_ONE) fail_msg("%s", (const char *)*state);
}

static void yields_any(void **state)
{
    if (yield_of_text(*state) != EXPR_YIELDS_ANY) fail_msg("%s", (const char *)*state);
}

int main(void)
{
    struct CMUnitTest tests[ARRAY_LEN(ones) + ARRAY_LEN(anys)];
    size_t count = 0;
    for (size_t i = 0; i < ARRAY_LEN(ones); i++) {
        tests[count++] = row_test(ones[i], yields_one, ones[i]);
    }
    for (size_t i = 0; i < ARRAY_LEN(anys); i++) {
        tests[count++] = row_test(anys[i], yields_any, anys[i]);
    }
    return cmocka_run_group_tests_name("yield", tests, NULL, NULL);
}
