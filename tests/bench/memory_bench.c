/*
 * How long a recall over many vectors takes, as the memory does it, beside what bounds it: a plain
 * loop in C over the same numbers in one array, and the fastest loop over that array. One thread,
 * CPU time, so that what else runs on the machine counts little.
 * With a folder as argument the store lies there, else in a new one below /tmp.
 */
#include "base/random.h"
#include "tool-adapter/memory/memory_store.h"
#include "tool-adapter/memory/vectors.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { COUNT = 100'000, DIMENSIONS = 384, BATCH = 250, ROUNDS = 31, LIMIT = 5, PATH_SIZE = 256 };

static const struct memory_scope scope = {.tenant    = {.ptr = "bench", .len = 5},
                                          .namespace = {.ptr = "docs", .len = 4}};

static int64_t cpu_us(void)
{
    struct timespec used = {};
    (void)clock_gettime(CLOCK_THREAD_CPUTIME_ID, &used);
    return used.tv_sec * INT64_C(1'000'000) + used.tv_nsec / 1'000;
}

static void fill(struct prng *prng, float *vector)
{
    for (size_t i = 0; i < DIMENSIONS; i++) {
        vector[i] = (float)((double)(prng_next(prng) >> 11) * 0x1p-52 - 1);
    }
    (void)vector_normalise(vector, DIMENSIONS);
}

static void check(status code, const struct error *error)
{
    if (code == STATUS_OK) return;
    (void)fprintf(stderr, "%s: %s\n", status_name(code), error->text);
    exit(1);
}

static void write_all(struct memory_store *store, float *vectors)
{
    static const struct memory_space first = {
        .versions = {{.model = {.ptr = "bench", .len = 5}, .dimensions = DIMENSIONS}}};
    struct memory_space space = first;
    struct error error        = {};
    for (size_t from = 0; from < COUNT; from += BATCH) {
        struct memory_item items[BATCH] = {};
        char keys[BATCH][24];
        struct arena *arena = arena_new(1 << 20);
        for (size_t i = 0; i < BATCH; i++) {
            (void)snprintf(keys[i], sizeof keys[i], "key-%08zu", from + i);
            items[i].key                     = str_from(keys[i]);
            items[i].content                 = items[i].key;
            items[i].vectors[MEMORY_CURRENT] = vectors + (from + i) * DIMENSIONS;
            sha256(bytes_from(items[i].content), items[i].hash);
        }
        check(memory_write(store, &scope, &space, items, BATCH, 1, &error), &error);
        check(memory_space_find(store, &scope, arena, &space, &error), &error);
        space.versions[MEMORY_CURRENT].model = first.versions[MEMORY_CURRENT].model;
        space.versions[MEMORY_CURRENT].label = (str){};
        space.versions[MEMORY_CURRENT].asked = (str){};
        arena_free(arena);
    }
}

static int by_size(const void *left, const void *right)
{
    double a = *(const double *)left;
    double b = *(const double *)right;
    return (a > b) - (a < b);
}

static void report(const char *figure, double *ms)
{
    qsort(ms, ROUNDS, sizeof *ms, by_size);
    (void)printf("%s_p50_ms %.2f\n%s_max_ms %.2f\n", figure, ms[ROUNDS / 2], figure,
                 ms[ROUNDS - 1]);
}

static void measure_recall(struct memory_store *store, const float *query)
{
    double ms[ROUNDS];
    static const atomic_bool is_cancelled = false;
    struct error error                    = {};
    for (unsigned round = 0; round < ROUNDS; round++) {
        struct arena *arena             = arena_new(8 << 20);
        struct memory_space space       = {};
        struct memory_page page         = {};
        const struct memory_query asked = {
            .vector = query, .limit = LIMIT, .score_min = -2, .until = {&is_cancelled, INT64_MAX}};
        int64_t start_us = cpu_us();
        check(memory_space_find(store, &scope, arena, &space, &error), &error);
        check(memory_recall(store, &scope, &space, &asked, arena, &page, &error), &error);
        ms[round] = (double)(cpu_us() - start_us) / 1000;
        arena_free(arena);
    }
    report("recall_100k_384", ms);
}

static void measure_loop(const char *figure, vector_dot_fn *dot, const float *vectors,
                         const float *query)
{
    double ms[ROUNDS];
    float best = -2;
    for (unsigned round = 0; round < ROUNDS; round++) {
        int64_t start_us = cpu_us();
        for (size_t i = 0; i < COUNT; i++) {
            float score = dot(vectors + i * DIMENSIONS, query, DIMENSIONS);
            if (score > best) best = score;
        }
        ms[round] = (double)(cpu_us() - start_us) / 1000;
    }
    if (best < -1) (void)printf("never\n");
    report(figure, ms);
}

static void remove_store(const char *path)
{
    static const char *const files[] = {"data.mdb", "lock.mdb", "owner"};
    char name[PATH_SIZE + 16];
    for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
        (void)snprintf(name, sizeof name, "%s/%s", path, files[i]);
        (void)unlink(name);
    }
    (void)rmdir(path);
}

int main(int argc, char **argv)
{
    char path[PATH_SIZE] = "/tmp/memory-bench-XXXXXX";
    if (argc > 1) (void)snprintf(path, sizeof path, "%s/memory-bench-XXXXXX", argv[1]);
    if (!mkdtemp(path)) return 1;
    const struct memory_store_options options = {.path = path, .size_max = UINT64_C(4) << 30};
    struct memory_store *store                = NULL;
    struct error error                        = {};
    struct prng prng                          = {.state = 1};
    float *vectors                            = calloc((size_t)COUNT * DIMENSIONS, sizeof *vectors);
    float query[DIMENSIONS];
    check(memory_store_open(&options, &store, &error), &error);
    for (size_t i = 0; i < COUNT; i++) fill(&prng, vectors + i * DIMENSIONS);
    fill(&prng, query);
    int64_t start_us = cpu_us();
    write_all(store, vectors);
    double seconds = (double)(cpu_us() - start_us) / 1e6;
    (void)printf("remember_many_%d_entries_per_cpu_s %.0f\n", BATCH, COUNT / seconds);
    measure_recall(store, query);
    measure_loop("plain_loop", vector_dot_plain, vectors, query);
    measure_loop("fastest_loop", vector_dot_of(), vectors, query);
    memory_store_closep(&store);
    remove_store(path);
    free(vectors);
    return 0;
}
