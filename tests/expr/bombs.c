/*
 * Programs that try to take more than they may have. Each must end with an error, in bounded time,
 * and the next evaluation must work as if nothing had been.
 *
 * Also purity: each program of a list is evaluated twice and must print the same bytes.
 */
#include "base/attr.h"
#include "base/buf.h"
#include "expr/expr.h"
#include "json/json_text.h"

#include <stdio.h>
#include <stdlib.h>

static const char *const bombs[] = {
    "def f: f; f",
    "def f: def g: f; g; f",
    "def f: f, f; f",
    "def f: 1 + f; f",
    "def f(g): f(g | g); f(.)",
    "def f(g): f(g, g); f(.)",
    "def f: label $l | f; f",
    "def f: try f catch 1; f",
    "def f: [f]; f",
    "def f: {a: f}; f",
    "def f: .a | f; f",
    "def f: path(f); f",
    "def f: . as $x | f as $y | 1; f",
    "[range(infinite)]",
    "[range(0; infinite; 0.5)]",
    "last(range(infinite))",
    "[limit(infinite; repeat(1))]",
    "repeat(empty)",
    "until(false; .)",
    "[while(true; .)]",
    "[recurse([.])]",
    "[recurse(., .)]",
    "last(recurse(., 1))",
    "\"x\" * 1e9",
    "\"x\" * 100000000",
    "null | .[400000000] = 1",
    "null | .[1e300] = 1",
    "[] | .[-1] = 1",
    "[0] | .[5:400000000] = [1] | .[400000000] = 2",
    "\"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa!\" | test(\"(a+)+$\")",
    "(\"a\" * 10000 + \"!\") | test(\"(a|aa)+$\")",
    "[range(100000)] | map(\"aaaaaaaaaaaaaaaaaaaaaaaa!\" | test(\"(a+)+$\"))",
    "(\"a\" * 300000) | [match(\".\"; \"g\")]",
    "(\"a\" * 300000) | gsub(\"a\"; "
    "\"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\")",
    "def d: . + .; \"x\" | d|d|d|d|d|d|d|d|d|d|d|d|d|d|d|d|d|d|d|d|d|d|d|d|d|d|d|d|d|d|d",
    "reduce range(100) as $i (\"x\"; . + .)",
    "reduce range(100) as $i ([0]; . + .)",
    "reduce range(100) as $i ([]; [., .]) | tojson",
    "reduce range(100) as $i ([]; [., .]) | flatten",
    "reduce range(100) as $i ([]; [., .]) | tostring | length",
    "reduce range(100) as $i ([]; [., .]) | [.. | 1] | length",
    "(reduce range(100) as $i ([]; [., .])) as $x | (reduce range(100) as $i ([]; [., .])) == $x",
    "(reduce range(100) as $i ([]; [., .])) as $x | [$x, $x] | sort",
    "(reduce range(100) as $i ([]; [., .])) as $x | $x | contains($x)",
    "(reduce range(100) as $i ({}; {a: ., b: .})) as $x | $x * $x",
    "reduce range(100) as $i ([]; [., .]) | walk(.)",
    "reduce range(100) as $i ([]; [., .]) | [tostream]",
    "reduce range(100) as $i ([]; [., .]) | @json \"\\(.)\"",
    "reduce range(100) as $i ([]; [., .]) | [paths]",
    "reduce range(100) as $i ([]; [., .]) | (.. | numbers) |= 1",
    "reduce range(1e9) as $i (0; . + 1)",
    "reduce range(200000) as $i ([]; [.]) | tojson | fromjson",
    "reduce range(20000) as $i ([]; [.]) | . == (reduce range(20000) as $i ([]; [.]))",
    "[range(3000)] | combinations(5)",
    "[[range(1000)], [range(1000)], [range(1000)]] | [combinations] | length",
    "[range(1000)] | [.[] as $a | .[] as $b | .[] as $c | $a] | length",
    "[range(100000)] - [range(100000)]",
    "[range(200000)] | sort_by(-.) | reverse | sort | group_by(. % 7) | map(add) | map(tojson * "
    "1000)",
    "[limit(100000; repeat(\"abc\"))] | join(\"abcdefgh\" * 1000)",
    "\"[\" * 1000000 | fromjson",
    "[splits(\"\")] | until(false; . + .)",
    "(\"a,\" * 1000000) | split(\",\") | map(. * 100)",
    "[range(100000) | {key: tostring, value: (\"v\" * 1000)}] | from_entries",
    "jn(2000000000; 1)",
    "[range(100000)] | indices([1]) | until(false; .)",
    "try error(\"x\" * 10000000) catch (. * 10)",
    "def f($a; $b; $c): f($b; $c; [$a, $b, $c]); f(1; 2; 3)",
    ". as [$a] ?// $a | until(false; .)",
    "first(range(infinite) | select(. < 0))",
    "isempty(range(infinite) | empty)",
    "[foreach range(infinite) as $x ([]; . + [$x]; .)]",
    "input_line_number",
};

static const char *const pure[] = {
    "now | todate",
    "[1, 2.5, \"a\", null, true] | map(tojson)",
    "{b: 1, a: 2} | [keys, keys_unsorted, tojson]",
    "[range(50)] | map({(tostring): .}) | add | with_entries(.value += 1) | tojson",
    "[range(100) | tostring] | sort | group_by(length) | map(unique)",
    "\"The quick brown fox\" | [match(\"[a-z]+\"; \"g\").string, gsub(\"o\"; \"0\"), ascii_upcase]",
    "[1e1000, -1e1000, nan, 0.1, 1e17, 1e-5, 123456789012] | map(tostring)",
    "\"2024-02-29T01:02:03Z\" | strptime(\"%Y-%m-%dT%H:%M:%SZ\") | mktime | strftime(\"%c %Z %j\")",
    "[builtins | sort | length]",
    "{a: [1, {b: 2}]} | [paths, tostream, (.. |= .)]",
    "[.[]?, (try error({x: 1}) catch .x)]",
};

static struct expr *compiled(const char *program)
{
    CLEANUP(arena_freep) struct arena *arena = arena_new(1 << 16);
    struct expr *expr                        = NULL;
    (void)!expr_compile(str_from(program), NULL, arena, &expr, NULL, NULL);
    return expr;
}

/* All outputs, as text; false: it ended with an error. */
static bool run(const struct expr *expr, struct buf *out, struct error *reterr)
{
    /* A fifth of the defaults: sanitizers make all of this slow. */
    static const struct expr_limits limits = {EXPR_FUEL / 5, EXPR_MEMORY / 5, EXPR_DEPTH};
    static const int64_t a_moment_us       = 1'700'000'000'123'456;
    struct expr_input input = {.value = json_null(), .now_us = a_moment_us, .limits = &limits};
    CLEANUP(expr_run_freep) struct expr_run *run = expr_run_new(expr, &input);
    for (;;) {
        CLEANUP(json_unrefp) json value = json_invalid();
        if (expr_run_next(run, &value, NULL, reterr) != STATUS_OK) return false;
        if (value.kind == JSON_INVALID) return true;
        (void)json_print(value, JSON_COMPACT, out);
        (void)buf_put_byte(out, '\n');
    }
}

static bool engine_works(void)
{
    CLEANUP(expr_freep) struct expr *expr = compiled("[range(5)] | map(. * 2) | add");
    CLEANUP(buf_done) struct buf out      = buf_init(100);
    return run(expr, &out, NULL) && str_is(buf_str(&out), "20\n");
}

/* A bomb may also be harmless, as long as it ends; those that must not succeed are told by their
 * result. One that does not compile has ended, too. */
static bool is_defused(const char *program)
{
    CLEANUP(expr_freep) struct expr *expr = compiled(program);
    CLEANUP(buf_done) struct buf out      = buf_init(1 << 20);
    struct error error                    = {};
    if (expr && run(expr, &out, &error)) {
        printf("FAILED it succeeds: %s\n", program);
        return false;
    }
    if (!engine_works()) {
        printf("FAILED nothing works after: %s\n", program);
        return false;
    }
    return true;
}

static bool is_pure(const char *program)
{
    CLEANUP(expr_freep) struct expr *expr = compiled(program);
    CLEANUP(buf_done) struct buf first    = buf_init(1 << 20);
    CLEANUP(buf_done) struct buf second   = buf_init(1 << 20);
    if (!expr || !run(expr, &first, NULL) || !run(expr, &second, NULL)) {
        printf("FAILED does not run: %s\n", program);
        return false;
    }
    if (str_equal(buf_str(&first), buf_str(&second))) return true;
    printf("FAILED differs: %s\n", program);
    return false;
}

int main(void)
{
    int failed = 0;
    for (size_t i = 0; i < ARRAY_LEN(bombs); i++) failed += !is_defused(bombs[i]);
    for (size_t i = 0; i < ARRAY_LEN(pure); i++) failed += !is_pure(pure[i]);
    printf("%zu bombs, %zu pure programs, %d failed\n", ARRAY_LEN(bombs), ARRAY_LEN(pure), failed);
    return failed > 0;
}
