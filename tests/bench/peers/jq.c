/*
 * libjq on the expressions of expr_bench, which hands them over: `expr_bench --programs | jq_peer`.
 * The first line is the input, each further one a program. Prints what expr_bench prints; best of
 * several rounds. A program that this libjq does not compile is left out.
 */
#include <jq.h>
#include <jv.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

enum {
    COMPILE_ROUNDS = 5,
    ROUNDS         = 40,
    EVALUATIONS    = 1000,
    LINE_MAX_BYTES = 4096,
    ROWS_MAX       = 128,
};

static double now_us(void)
{
    struct timespec t;
    (void)clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (double)t.tv_sec * 1e6 + (double)t.tv_nsec / 1e3;
}

static void no_message(void *context, jv message)
{
    (void)context;
    jv_free(message);
}

static jq_state *compiled(const char *program, jv input)
{
    jq_state *jq = jq_init();
    jq_set_error_cb(jq, no_message, NULL);
    jv arguments = jv_object_set(jv_object(), jv_string("steps"), jv_copy(input));
    if (jq_compile_args(jq, program, arguments)) return jq;
    jq_teardown(&jq);
    return NULL;
}

static double compile_us(const char *program, jv input)
{
    double best = 1e9;
    for (int round = 0; round < COMPILE_ROUNDS; round++) {
        double start = now_us();
        jq_state *jq = compiled(program, input);
        if (!jq) return -1;
        jq_teardown(&jq);
        double spent = now_us() - start;
        if (spent < best) best = spent;
    }
    return best;
}

/* A row of the table. */
struct row {
    char program[LINE_MAX_BYTES];
    jq_state *jq;
    double compile_us;
    double best_us;
};

/* The input first, then a program per line. Returns how many rows there are. */
static int rows_read(struct row *rows, jv *ret_input)
{
    int count = 0;
    char line[LINE_MAX_BYTES];
    if (!fgets(line, sizeof line, stdin)) return 0;
    *ret_input = jv_parse(line);
    while (count < ROWS_MAX && fgets(rows[count].program, LINE_MAX_BYTES, stdin)) {
        struct row *row                           = &rows[count];
        row->program[strcspn(row->program, "\n")] = '\0';
        row->compile_us                           = compile_us(row->program, *ret_input);
        if (row->compile_us < 0) continue;
        row->jq      = compiled(row->program, *ret_input);
        row->best_us = 1e9;
        count++;
    }
    return count;
}

static void row_measure(struct row *row, jv input)
{
    double start = now_us();
    for (int i = 0; i < EVALUATIONS; i++) {
        jq_start(row->jq, jv_copy(input), 0);
        jv_free(jq_next(row->jq));
    }
    double spent = (now_us() - start) / EVALUATIONS;
    if (spent < row->best_us) row->best_us = spent;
}

int main(void)
{
    static struct row rows[ROWS_MAX];
    jv input  = jv_null();
    int count = rows_read(rows, &input);
    for (int round = 0; round < ROUNDS; round++) {
        for (int i = 0; i < count; i++) row_measure(&rows[i], input);
    }
    printf("%10s %10s  program\n", "compile us", "eval us");
    for (int i = 0; i < count; i++) {
        printf("%10.2f %10.4f  %s\n", rows[i].compile_us, rows[i].best_us, rows[i].program);
        jq_teardown(&rows[i].jq);
    }
    jv_free(input);
    return count > 0 ? 0 : 1;
}
