/*
 * Runs jq's own case files: groups of program, input and outputs; %%FAIL groups must not compile.
 *
 * The files are read from $TUTTI_TEST_DATA/data/jq. A case that does not apply stands in the file
 * of deviations with one of five reasons, and one that stands there but would pass is an error too.
 */
#include "base/attr.h"
#include "base/buf.h"
#include "base/mem.h"
#include "expr/expr.h"
#include "json/json_text.h"

#include <stdio.h>
#include <stdlib.h>

enum { LINE_MAX_BYTES = 64 << 10, OUTPUTS_MAX = 64, DEVIATIONS_MAX = 80 };

static const char *const reasons[] = {"module", "I/O", "environment", "time zone", "number model"};

struct deviation {
    char *reason;
    char *program;
    bool is_used;
};

struct suite {
    struct deviation deviations[DEVIATIONS_MAX];
    size_t deviation_count;
    int passed;
    int failed;
    int skipped;
};

struct test_case {
    const char *file;
    int line;
    bool must_fail;
    char *program;
    char *input;
    char *outputs[OUTPUTS_MAX];
    size_t output_count;
};

/* --- reading -----------------------------------------------------------------------------------
 */

struct lines {
    FILE *file;
    int number;
    char text[LINE_MAX_BYTES];
};

static bool next_line(struct lines *lines)
{
    if (!fgets(lines->text, sizeof lines->text, lines->file)) return false;
    lines->number++;
    lines->text[strcspn(lines->text, "\n")] = 0;
    return true;
}

static bool is_skipped_line(const char *text)
{
    text += strspn(text, " \t\r");
    return *text == 0 || *text == '#';
}

static char *copy(const char *text)
{
    return mem_dup(text, strlen(text));
}

static void case_free(struct test_case *c)
{
    free(c->program);
    free(c->input);
    for (size_t i = 0; i < c->output_count; i++) free(c->outputs[i]);
    *c = (struct test_case){.file = c->file};
}

static bool read_case(struct lines *lines, struct test_case *c)
{
    do {
        if (!next_line(lines)) return false;
    } while (is_skipped_line(lines->text));
    c->must_fail = strncmp(lines->text, "%%FAIL", 6) == 0;
    if (c->must_fail && !next_line(lines)) return false;
    c->line    = lines->number;
    c->program = copy(lines->text);
    if (!c->must_fail) {
        if (!next_line(lines)) return false;
        c->input = copy(lines->text);
    }
    while (next_line(lines) && !is_skipped_line(lines->text) && c->output_count < OUTPUTS_MAX) {
        c->outputs[c->output_count++] = copy(lines->text);
    }
    return true;
}

static void read_deviations(struct suite *suite, const char *path)
{
    static struct lines lines;
    lines.file = fopen(path, "r");
    if (!lines.file) return;
    while (suite->deviation_count < DEVIATIONS_MAX && next_line(&lines)) {
        char *colon = strstr(lines.text, ": ");
        if (is_skipped_line(lines.text) || !colon) continue;
        *colon = 0;
        suite->deviations[suite->deviation_count++] =
            (struct deviation){.reason = copy(lines.text), .program = copy(colon + 2)};
    }
    (void)fclose(lines.file);
}

static bool reasons_are_known(const struct suite *suite)
{
    bool all_known = true;
    for (size_t i = 0; i < suite->deviation_count; i++) {
        bool is_known = false;
        for (size_t j = 0; j < ARRAY_LEN(reasons); j++) {
            is_known |= strcmp(suite->deviations[i].reason, reasons[j]) == 0;
        }
        if (!is_known) printf("deviation without a reason: %s\n", suite->deviations[i].program);
        all_known &= is_known;
    }
    return all_known;
}

/* --- running -----------------------------------------------------------------------------------
 */

static bool parse(const char *text, json *ret_value)
{
    static const struct json_limits limits = {.depth_max               = 10'000,
                                              .values_max              = UINT32_MAX,
                                              .allow_duplicate_keys    = true,
                                              .replace_lone_surrogates = true,
                                              .allow_nan               = true};
    if (strncmp(text, "\xef\xbb\xbf", 3) == 0) text += 3;
    return json_parse(str_from(text), &limits, ret_value, NULL, NULL) == STATUS_OK;
}

static void complain(const struct test_case *c, const char *what, const char *detail)
{
    printf("FAILED %s:%d: %s\n       %s%s%s\n", c->file, c->line, c->program, what,
           *detail ? ": " : "", detail);
}

static bool is_expected(const struct test_case *c, json value, size_t index, bool is_loud)
{
    CLEANUP(json_unrefp) json expected = json_invalid();
    CLEANUP(buf_done) struct buf text  = buf_init(1 << 20);
    (void)json_print(value, JSON_COMPACT, &text);
    if (index >= c->output_count) {
        if (is_loud) complain(c, "one output too many", buf_str(&text).ptr);
        return false;
    }
    if (!parse(c->outputs[index], &expected)) {
        if (is_loud) complain(c, "expected output is no JSON", c->outputs[index]);
        return false;
    }
    if (json_equal(value, expected)) return true;
    if (is_loud) {
        complain(c, "got", buf_str(&text).ptr);
        printf("       expected: %s\n", c->outputs[index]);
    }
    return false;
}

/* expr_eval() has ways of its own; they lead to the first output of a run. */
static bool is_first(const struct test_case *c, const struct expr *expr,
                     const struct expr_input *given, bool is_loud)
{
    CLEANUP(json_unrefp) json value = json_invalid();
    struct error error              = {};
    if (expr_eval(expr, given, &value, NULL, &error) == STATUS_OK) {
        return is_expected(c, value, 0, is_loud);
    }
    if (is_loud) complain(c, "error at once", error.text);
    return false;
}

static bool run_program(const struct test_case *c, const struct expr *expr, bool is_loud)
{
    CLEANUP(json_unrefp) json input = json_invalid();
    if (!parse(c->input, &input)) {
        if (is_loud) complain(c, "input is no JSON", c->input);
        return false;
    }
    struct expr_limits limits = {
        .fuel = EXPR_FUEL_MAX, .memory = EXPR_MEMORY_MAX, .depth = EXPR_DEPTH};
    struct expr_input given                      = {.value = input, .limits = &limits};
    CLEANUP(expr_run_freep) struct expr_run *run = expr_run_new(expr, &given);
    struct error error                           = {};
    for (size_t count = 0;; count++) {
        CLEANUP(json_unrefp) json value = json_invalid();
        status result                   = expr_run_next(run, &value, NULL, &error);
        if (result != STATUS_OK || value.kind == JSON_INVALID) {
            /* jq's runner takes an error for the end of the outputs. */
            if (count == c->output_count) return true;
            if (is_loud) complain(c, result == STATUS_OK ? "too few outputs" : "error", error.text);
            return false;
        }
        if (!is_expected(c, value, count, is_loud)) return false;
        if (count == 0 && !is_first(c, expr, &given, is_loud)) return false;
    }
}

static bool run_case(const struct test_case *c, bool is_loud)
{
    CLEANUP(arena_freep) struct arena *arena = arena_new(1 << 20);
    CLEANUP(expr_freep) struct expr *expr    = NULL;
    struct expr_fault fault                  = {};
    struct error error                       = {};
    status result = expr_compile(str_from(c->program), NULL, arena, &expr, &fault, &error);
    if (c->must_fail) {
        if (result == STATUS_OK && is_loud) complain(c, "compiles, but must not", "");
        return result != STATUS_OK;
    }
    if (result != STATUS_OK) {
        if (is_loud) complain(c, "does not compile", error.text);
        return false;
    }
    return run_program(c, expr, is_loud);
}

static struct deviation *find_deviation(struct suite *suite, const char *program)
{
    for (size_t i = 0; i < suite->deviation_count; i++) {
        if (strcmp(suite->deviations[i].program, program) == 0) return &suite->deviations[i];
    }
    return NULL;
}

static void count_case(struct suite *suite, const struct test_case *c)
{
    struct deviation *deviation = find_deviation(suite, c->program);
    if (!deviation) {
        int *counter = run_case(c, true) ? &suite->passed : &suite->failed;
        ++*counter;
        return;
    }
    deviation->is_used = true;
    if (run_case(c, false)) {
        complain(c, "passes, but is a deviation", deviation->reason);
        suite->failed++;
        return;
    }
    suite->skipped++;
}

static void run_file(struct suite *suite, const char *folder, const char *name)
{
    static struct lines lines;
    char path[4'096];
    (void)snprintf(path, sizeof path, "%s/data/jq/%s", folder, name);
    lines.file   = fopen(path, "r");
    lines.number = 0;
    if (!lines.file) {
        printf("FAILED cannot open %s\n", path);
        suite->failed++;
        return;
    }
    struct test_case c = {.file = name};
    while (read_case(&lines, &c)) {
        count_case(suite, &c);
        case_free(&c);
    }
    case_free(&c);
    (void)fclose(lines.file);
}

int main(int argc, char **argv)
{
    static const char *const files[] = {"jq.test", "man.test", "onig.test", "base64.test",
                                        "uri.test"};
    static struct suite suite;
    const char *folder = getenv("TUTTI_TEST_DATA");
    if (!folder || !*folder) {
        printf("skipped: TUTTI_TEST_DATA is not set\n");
        return 0;
    }
    if (argc > 1) read_deviations(&suite, argv[1]);
    for (size_t i = 0; i < ARRAY_LEN(files); i++) run_file(&suite, folder, files[i]);
    for (size_t i = 0; i < suite.deviation_count; i++) {
        if (suite.deviations[i].is_used) continue;
        printf("FAILED deviation without a case: %s\n", suite.deviations[i].program);
        suite.failed++;
    }
    if (!reasons_are_known(&suite)) suite.failed++;
    printf("jq's cases: %d passed, %d failed, %d skipped\n", suite.passed, suite.failed,
           suite.skipped);
    for (size_t i = 0; i < suite.deviation_count; i++) {
        free(suite.deviations[i].reason);
        free(suite.deviations[i].program);
    }
    return suite.failed > 0;
}
