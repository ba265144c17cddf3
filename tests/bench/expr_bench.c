/*
 * What expressions cost: compiling, a plain path, conditions, a small filter, what workflows do.
 *
 * Prints the best of several rounds, in CPU time, so that other work on the machine disturbs least.
 * A round of evaluations goes through all expressions: a slow second of the machine costs each of
 * them some rounds, and none of them all. Goals: compile 50 us for a typical expression, plain path
 * 0.3 us, filter of ten items 2 us.
 */
#include "base/assert.h"
#include "base/attr.h"
#include "expr/expr.h"
#include "json/json_text.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

enum { COMPILE_ROUNDS = 20, COMPILES = 200, ROUNDS = 40, EVALUATIONS = 5'000 };

static const char *const variable_names[] = {"steps"};
static const struct expr_names names      = {variable_names, 1};

static const char document[] =
    "{\"a\":{\"b\":[1,2,3]},\"status\":\"ok\",\"name\":\"Ada\",\"n\":7,"
    "\"words\":\"one, two, Three, four\","
    "\"items\":[{\"x\":1},{\"x\":2},{\"x\":3},{\"x\":4},{\"x\":5},{\"x\":6},{\"x\":7},{\"x\":8},"
    "{\"x\":9},{\"x\":10}]}";

static const char *const programs[] = {
    ".a.b[0]",
    "$steps.a.b",
    ".status == \"ok\"",
    ".n > 3 and .status == \"ok\"",
    ".missing // \"none\"",
    "\"Hello \\(.name), you are \\(.n)\"",
    "{name, count: .n, first: .items[0].x}",
    ".items | map(select(.x > 3))",
    "[.items[] | select(.x > 3) | .x * 2] | add",
    ".items | map(.x) | add / length",
    "reduce .items[] as $i (0; . + $i.x)",
    ".items | sort_by(-.x) | first | .x",
    ".items |= map(.x += 1)",
    "[.items[] | .x | tostring] | join(\", \")",
    ".name | test(\"^[A-Z][a-z]+$\")",
    ".name | ascii_downcase | gsub(\"[^a-z0-9]+\"; \"-\")",
    ".n * 2 + 1",
    "if .n > 5 then \"large\" else \"small\" end",
    "[.name, .status, .n]",
    ". + {done: true}",
    ".n = 8",
    "del(.items)",
    ".n | tostring",
    ".a | @json",
    ".words | split(\", \")",
    ".words | ascii_downcase | ltrimstr(\"one, \")",
    ".words | gsub(\", \"; \"/\")",
    ".words | [scan(\"[a-z]+\")]",
    "to_entries | map(.key)",
    "with_entries(select(.value != null))",
    ".items | length",
    ".items[2:5]",
    "[.items[].x] | max",
    ".items | group_by(.x % 3)",
    ".items | map({id: .x, large: (.x > 5)})",
    ".items | any(.x > 9)",
    "first(.items[] | select(.x > 5))",
    "[limit(3; .items[])]",
    "[.items[] | .x as $x | select($x % 2 == 0) | {key: \"k\\($x)\", value: $x}] | from_entries",
    ".items[].x |= . + 1",
    "[paths] | length",
};

static double now_us(void)
{
    struct timespec t;
    (void)clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (double)t.tv_sec * 1e6 + (double)t.tv_nsec / 1e3;
}

static struct expr *compiled(const char *program)
{
    struct arena *arena = arena_new(1 << 16);
    struct expr *expr   = NULL;
    status result       = expr_compile(str_from(program), &names, arena, &expr, NULL, NULL);
    ASSERT(result == STATUS_OK);
    arena_free(arena);
    return expr;
}

static double compile_us(const char *program)
{
    double best = 1e9;
    for (int round = 0; round < COMPILE_ROUNDS; round++) {
        double start = now_us();
        for (int i = 0; i < COMPILES; i++) expr_free(compiled(program));
        double spent = (now_us() - start) / COMPILES;
        if (spent < best) best = spent;
    }
    return best;
}

/* A row of the table. */
struct row {
    struct expr *expr;
    double best_us;
};

static void row_measure(struct row *row, json input)
{
    struct expr_input given = {.value = input, .variables = &input};
    double start            = now_us();
    for (int i = 0; i < EVALUATIONS; i++) {
        json value    = json_invalid();
        status result = expr_eval(row->expr, &given, &value, NULL, NULL);
        ASSERT(result == STATUS_OK);
        json_unref(value);
    }
    double spent = (now_us() - start) / EVALUATIONS;
    if (spent < row->best_us) row->best_us = spent;
}

/* For peers: the input, then a program per line. */
static int print_programs(void)
{
    printf("%s\n", document);
    for (size_t i = 0; i < ARRAY_LEN(programs); i++) printf("%s\n", programs[i]);
    return 0;
}

int main(int argc, char **argv)
{
    if (argc > 1 && strcmp(argv[1], "--programs") == 0) return print_programs();
    json input    = json_invalid();
    status result = json_parse(str_from(document), NULL, &input, NULL, NULL);
    ASSERT(result == STATUS_OK);
    struct row rows[ARRAY_LEN(programs)];
    for (size_t i = 0; i < ARRAY_LEN(programs); i++) {
        rows[i] = (struct row){.expr = compiled(programs[i]), .best_us = 1e9};
    }
    for (int round = 0; round < ROUNDS; round++) {
        for (size_t i = 0; i < ARRAY_LEN(rows); i++) row_measure(&rows[i], input);
    }
    printf("%10s %10s  program\n", "compile us", "eval us");
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        printf("%10.2f %10.4f  %s\n", compile_us(programs[i]), rows[i].best_us, programs[i]);
        expr_free(rows[i].expr);
    }
    json_unref(input);
    return 0;
}
