/*
 * How long it takes to write the request of an adapter's action: parameters checked and filled in,
 * expressions evaluated, URL, headers and body written; for every action of the manifests that
 * tutti brings, on its example. One thread, CPU time, so that what else runs on the machine counts
 * little. Prints lines of a figure and its number.
 */
#include "adapter/builtin.h"
#include "adapter/example.h"
#include "base/assert.h"
#include "base/attr.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { ROUNDS = 15, BATCH = 200, ARENA_MAX = 64 << 20, REQUESTS_MAX = 1'000 };

struct rendered {
    const char *adapter, *action, *step;
    double us;
};

static int64_t cpu_ns(void)
{
    struct timespec used = {};
    (void)clock_gettime(CLOCK_THREAD_CPUTIME_ID, &used);
    return used.tv_sec * INT64_C(1'000'000'000) + used.tv_nsec;
}

static void check(const struct manifest_action *action, status code, const struct error *error)
{
    if (code == STATUS_OK) return;
    (void)fprintf(stderr, "%s.%s: %s\n", action->manifest->name, action->name, error->text);
    exit(1);
}

/* As a call does it that starts with its parameters. */
static void render(const struct manifest_action *action, const struct manifest_step *step)
{
    CLEANUP(arena_freep) struct arena *arena = arena_new(ARENA_MAX);
    CLEANUP(json_unrefp) json scope          = json_invalid();
    struct error error                       = {};
    struct outgoing *outgoing                = arena_alloc(arena, sizeof *outgoing);
    ASSERT(outgoing);
    check(action, example_scope(action, json_invalid(), arena, &scope, &error), &error);
    const struct outgoing_source source = {.action  = action,
                                           .step    = step,
                                           .scope   = scope,
                                           .secrets = &example_secrets,
                                           .arena   = arena};
    check(action, outgoing_render(&source, outgoing, &error), &error);
}

static int compare(const void *a, const void *b)
{
    double one = *(const double *)a;
    double two = *(const double *)b;
    return (one > two) - (one < two);
}

/* The median of the rounds. */
static double time_of(const struct manifest_action *action, const struct manifest_step *step)
{
    double rounds[ROUNDS];
    render(action, step); /* warm */
    for (size_t i = 0; i < ROUNDS; i++) {
        int64_t begun = cpu_ns();
        for (size_t k = 0; k < BATCH; k++) render(action, step);
        rounds[i] = (double)(cpu_ns() - begun) / BATCH / 1'000;
    }
    qsort(rounds, ROUNDS, sizeof *rounds, compare);
    return rounds[ROUNDS / 2];
}

static void measure(const struct manifest *manifest, struct rendered *list, size_t *count)
{
    for (size_t i = 0; i < manifest->action_count; i++) {
        const struct manifest_action *action = &manifest->actions[i];
        for (size_t k = 0; k < action->step_count; k++) {
            const struct manifest_step *step = &action->steps[k];
            enum request_kind kind           = step->request.kind;
            if (kind != REQUEST_HTTP && kind != REQUEST_GRAPHQL) continue;
            ASSERT(*count < REQUESTS_MAX);
            list[(*count)++] = (struct rendered){.adapter = manifest->name,
                                                 .action  = action->name,
                                                 .step    = step->id,
                                                 .us      = time_of(action, step)};
        }
    }
}

static int by_time(const void *a, const void *b)
{
    return compare(&((const struct rendered *)a)->us, &((const struct rendered *)b)->us);
}

static void print(const char *what, const struct rendered *one)
{
    (void)printf("render_%s_us %.1f\n", what, one->us);
}

int main(int argc, char **)
{
    struct rendered *list          = calloc(REQUESTS_MAX, sizeof *list);
    struct manifest *manifests[64] = {};
    size_t count                   = 0;
    double sum                     = 0;
    ASSERT(list && builtin_manifest_count() <= ARRAY_LEN(manifests));
    for (size_t i = 0; i < builtin_manifest_count(); i++) {
        CLEANUP(arena_freep) struct arena *arena = arena_new(ARENA_MAX);
        struct error error                       = {};
        str text = builtin_manifest_text(str_from(builtin_manifest_name(i)));
        if (manifest_read_known(text, diagnostics_new(arena), &manifests[i], &error) != STATUS_OK) {
            (void)fprintf(stderr, "%s: %s\n", builtin_manifest_name(i), error.text);
            return 1;
        }
        measure(manifests[i], list, &count);
    }
    qsort(list, count, sizeof *list, by_time);
    for (size_t i = 0; i < count; i++) {
        sum += list[i].us;
        if (argc > 1) {
            (void)printf("%s.%s%s%s %.1f\n", list[i].adapter, list[i].action,
                         list[i].step ? "." : "", list[i].step ? list[i].step : "", list[i].us);
        }
    }
    (void)printf("render_requests %zu\n", count);
    (void)printf("render_mean_us %.1f\n", sum / (double)count);
    print("median", &list[count / 2]);
    print("p90", &list[count * 9 / 10]);
    print("most", &list[count - 1]);
    for (size_t i = 0; i < ARRAY_LEN(manifests); i++) manifest_free(manifests[i]);
    free(list);
    return 0;
}
