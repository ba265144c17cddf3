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

enum { COMPILE_ROUNDS = 5, ROUNDS = 20, EVALUATIONS = 1000, LINE_MAX_BYTES = 4096 };

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

static double eval_us(const char *program, jv input)
{
    jq_state *jq = compiled(program, input);
    double best  = 1e9;
    for (int round = 0; round < ROUNDS; round++) {
        double start = now_us();
        for (int i = 0; i < EVALUATIONS; i++) {
            jq_start(jq, jv_copy(input), 0);
            jv_free(jq_next(jq));
        }
        double spent = (now_us() - start) / EVALUATIONS;
        if (spent < best) best = spent;
    }
    jq_teardown(&jq);
    return best;
}

int main(void)
{
    char line[LINE_MAX_BYTES];
    if (!fgets(line, sizeof line, stdin)) return 1;
    jv input = jv_parse(line);
    printf("%10s %10s  program\n", "compile us", "eval us");
    while (fgets(line, sizeof line, stdin)) {
        line[strcspn(line, "\n")] = '\0';
        double compile            = compile_us(line, input);
        if (compile < 0) continue;
        printf("%10.2f %10.3f  %s\n", compile, eval_us(line, input), line);
    }
    jv_free(input);
    return 0;
}
