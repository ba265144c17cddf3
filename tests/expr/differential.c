/*
 * Compares with the program `jq`: generated expressions on generated inputs must have the same
 * outputs, or fail in both.
 *
 * Everything comes from one seed, so a run is the same everywhere. Debian's jq is 1.6, so the
 * generator leaves out what 1.7 and 1.8 added or changed; what it cannot leave out by construction:
 *
 *   - constants are folded by 1.6 at compile time, and a division by a constant zero does not
 *     compile there: divisors are never zero by construction;
 *   - `"x" * n` for n <= 0 is null in 1.6 and "" in 1.8: only numbers and objects are multiplied;
 *   - `last(empty)`, `|= empty`, `limit` of a negative count, `ltrimstr` on other kinds, `@html` of
 *     an apostrophe, `@uri` of !*'(), indices of texts beyond ASCII: 1.8's results differ, they do
 *     not occur;
 *   - in 1.6 `try` also catches what fails after it: its results are collected first; messages
 *     differ, so they are not shown; an error of null is no error there;
 *   - in 1.6 reduce and foreach go wrong when their start has several values: it has one;
 *   - integers beyond 2^53: exact here, doubles there; they do not occur.
 */
#include "base/attr.h"
#include "expr/expr.h"
#include "generate.h"
#include "json/json_text.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum { SEED = 20'241'122, BATCHES = 50, BATCH_PROGRAMS = 40, INPUTS = 10, LINE = 1 << 20 };

/* --- the two sides -----------------------------------------------------------------------------
 */

static bool write_file(const char *path, str text)
{
    FILE *file = fopen(path, "w");
    if (!file) return false;
    bool is_written = fwrite(text.ptr, 1, text.len, file) == text.len;
    return fclose(file) == 0 && is_written;
}

/* Our own outputs of `program`, which has exactly one. */
static json evaluate(const char *program, json input)
{
    CLEANUP(arena_freep) struct arena *arena = arena_new(1 << 16);
    CLEANUP(expr_freep) struct expr *expr    = NULL;
    struct error error                       = {};
    if (expr_compile(str_from(program), NULL, arena, &expr, NULL, &error) != STATUS_OK) {
        printf("FAILED does not compile here: %s: %s\n", program, error.text);
        return json_invalid();
    }
    struct expr_input given = {.value = input};
    json value              = json_invalid();
    if (expr_eval(expr, &given, &value, NULL, &error) != STATUS_OK) {
        printf("FAILED raises beyond try: %s: %s\n", program, error.text);
    }
    return value;
}

struct batch {
    char *programs[BATCH_PROGRAMS];
    json inputs; /* array */
    char folder[64];
};

static bool start_jq(const struct batch *batch, FILE **ret_output)
{
    char path[128];
    CLEANUP(buf_done) struct buf text = buf_init(LINE);
    (void)buf_put_text(&text, ".[] | (");
    for (int i = 0; i < BATCH_PROGRAMS; i++) {
        (void)buf_printf(&text, "%s(%s)", i > 0 ? ",\n" : "", batch->programs[i]);
    }
    (void)buf_put_text(&text, ")");
    (void)snprintf(path, sizeof path, "%s/program", batch->folder);
    if (!write_file(path, buf_str(&text))) return false;
    buf_clear(&text);
    (void)json_print(batch->inputs, JSON_COMPACT, &text);
    (void)snprintf(path, sizeof path, "%s/input", batch->folder);
    if (!write_file(path, buf_str(&text))) return false;
    char command[300];
    (void)snprintf(command, sizeof command, "jq -c -f %s/program %s/input", batch->folder,
                   batch->folder);
    *ret_output = popen(command, "r");
    return *ret_output != NULL;
}

static void complain(const char *program, json input, json ours, const char *theirs)
{
    CLEANUP(buf_done) struct buf text = buf_init(LINE);
    (void)buf_printf(&text, "FAILED %s\n       input ", program);
    (void)json_print(input, JSON_COMPACT, &text);
    (void)buf_put_text(&text, "\n       ours  ");
    if (ours.kind != JSON_INVALID) (void)json_print(ours, JSON_COMPACT, &text);
    (void)buf_printf(&text, "\n       jq's  %s", theirs);
    puts(buf_str(&text).ptr);
}

/* Counts the programs that differ; -1: jq did not do the batch. */
static int compare_batch(const struct batch *batch)
{
    static char line[LINE];
    FILE *output = NULL;
    int failed   = 0;
    if (!start_jq(batch, &output)) return -1;
    for (int i = 0; i < INPUTS; i++) {
        for (int k = 0; k < BATCH_PROGRAMS; k++) {
            CLEANUP(json_unrefp) json theirs = json_invalid();
            json input                       = json_at(batch->inputs, (size_t)i);
            if (!fgets(line, sizeof line, output) ||
                json_parse(str_from(line), NULL, &theirs, NULL, NULL) != STATUS_OK) {
                printf("FAILED jq stopped at %s\n", batch->programs[k]);
                (void)pclose(output);
                return -1;
            }
            CLEANUP(json_unrefp) json ours = evaluate(batch->programs[k], input);
            if (ours.kind == JSON_INVALID || !json_equal(ours, theirs)) {
                complain(batch->programs[k], input, ours, line);
                failed++;
            }
        }
    }
    (void)pclose(output);
    return failed;
}

static void generate_batch(struct generator *g, struct batch *batch)
{
    CLEANUP(buf_done) struct buf text = buf_init(LINE);
    g->out                            = &text;
    batch->inputs                     = json_array_new(INPUTS);
    for (int i = 0; i < INPUTS; i++) {
        json input = json_invalid();
        buf_clear(&text);
        generate_input(g);
        if (json_parse(buf_str(&text), NULL, &input, NULL, NULL) != STATUS_OK) abort();
        json_array_push(&batch->inputs, input);
    }
    for (int i = 0; i < BATCH_PROGRAMS; i++) {
        buf_clear(&text);
        generate_program(g);
        batch->programs[i] = buf_take(&text);
    }
}

static void forget_batch(struct batch *batch)
{
    for (int k = 0; k < BATCH_PROGRAMS; k++) free(batch->programs[k]);
    json_unref(batch->inputs);
}

/* --- for other peers ---------------------------------------------------------------------------
 */

/* A line per batch: {"inputs": [...], "programs": [...], "ours": [...]}, where the results stand as
 * jq would print them: of the first input by all programs, then of the second. */
static void write_batch(const struct batch *batch)
{
    CLEANUP(buf_done) struct buf text = buf_init(LINE * 64);
    json programs                     = json_array_new(BATCH_PROGRAMS);
    json ours                         = json_array_new((size_t)BATCH_PROGRAMS * INPUTS);
    for (int k = 0; k < BATCH_PROGRAMS; k++) {
        json_array_push(&programs, json_text_from(batch->programs[k]));
    }
    for (int i = 0; i < INPUTS; i++) {
        for (int k = 0; k < BATCH_PROGRAMS; k++) {
            json value = evaluate(batch->programs[k], json_at(batch->inputs, (size_t)i));
            json_array_push(&ours, json_is(value, JSON_INVALID) ? json_null() : value);
        }
    }
    json line = json_object_new(3);
    json_object_put_text(&line, "inputs", json_ref(batch->inputs));
    json_object_put_text(&line, "programs", programs);
    json_object_put_text(&line, "ours", ours);
    (void)json_print(line, JSON_COMPACT, &text);
    puts(text.ptr);
    json_unref(line);
}

/* `--write BATCHES SEED`: programs of 1.7's language and our results, for jq_wasm.test.mjs. */
static int write_batches(struct generator *g, char **arguments)
{
    struct batch batch = {};
    long count         = strtol(arguments[0], NULL, 10);
    g->state           = strtoull(arguments[1], NULL, 10);
    g->is_newer        = true;
    for (long i = 0; i < count; i++) {
        generate_batch(g, &batch);
        write_batch(&batch);
        forget_batch(&batch);
    }
    return 0;
}

/* `--one PROGRAM INPUT`: all outputs as an array, or "error". */
static int show_one(char **arguments)
{
    CLEANUP(buf_done) struct buf text        = buf_init(LINE);
    CLEANUP(arena_freep) struct arena *arena = arena_new(1 << 16);
    CLEANUP(expr_freep) struct expr *expr    = NULL;
    CLEANUP(json_unrefp) json input          = json_invalid();
    CLEANUP(json_unrefp) json value          = json_invalid();
    (void)buf_printf(&text, "[%s]", arguments[0]);
    if (json_parse(str_from(arguments[1]), NULL, &input, NULL, NULL) != STATUS_OK) return 1;
    const struct expr_input given = {.value = input};
    if (expr_compile(buf_str(&text), NULL, arena, &expr, NULL, NULL) != STATUS_OK ||
        expr_eval(expr, &given, &value, NULL, NULL) != STATUS_OK) {
        puts("error");
        return 0;
    }
    buf_clear(&text);
    (void)json_print(value, JSON_COMPACT, &text);
    puts(text.ptr);
    return 0;
}

int main(int argc, char **argv)
{
    struct generator g = {.state = SEED};
    if (argc == 4 && strcmp(argv[1], "--write") == 0) return write_batches(&g, argv + 2);
    if (argc == 4 && strcmp(argv[1], "--one") == 0) return show_one(argv + 2);
    struct batch batch = {.folder = "/tmp/expr_differential_XXXXXX"};
    if (access("/usr/bin/jq", X_OK) != 0) {
        printf("skipped: there is no /usr/bin/jq\n");
        return 0;
    }
    if (!mkdtemp(batch.folder)) return 1;
    int failed = 0;
    for (int i = 0; i < BATCHES; i++) {
        generate_batch(&g, &batch);
        int result = compare_batch(&batch);
        failed += result < 0 ? 1 : result;
        forget_batch(&batch);
    }
    printf("%d programs on %d inputs each, %d differ from jq\n", BATCHES * BATCH_PROGRAMS, INPUTS,
           failed);
    char path[128];
    (void)snprintf(path, sizeof path, "%s/program", batch.folder);
    (void)unlink(path);
    (void)snprintf(path, sizeof path, "%s/input", batch.folder);
    (void)unlink(path);
    return rmdir(batch.folder) != 0 || failed > 0;
}
