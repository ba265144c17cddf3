/*
 * How long a recall over many vectors takes, as the memory does it, beside what bounds it: a plain
 * loop in C over the same numbers in one array, and the fastest loop over that array. One thread,
 * CPU time, so that what else runs on the machine counts little.
 * Then what it costs to write: many entries a call, and one a call from many threads, in CPU of the
 * whole process and in bytes given to the kernel.
 * With a folder as argument the store lies there, else in a new one below /tmp.
 */
#include "base/random.h"
#include "tool-adapter/memory/memory_store.h"
#include "tool-adapter/memory/vectors.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum {
    COUNT      = 100'000,
    DIMENSIONS = 384,
    BATCH      = 250,
    ROUNDS     = 31,
    LIMIT      = 5,
    WRITERS    = 16,  /* as MODULES_MEMORY_THREADS */
    SINGLES    = 100, /* calls of each writer, with an entry each */
    PATH_SIZE  = 256,
};

static const struct memory_scope scope = {.tenant    = {.ptr = "bench", .len = 5},
                                          .namespace = {.ptr = "docs", .len = 4}};

static int64_t clock_us(clockid_t clock)
{
    struct timespec used = {};
    (void)clock_gettime(clock, &used);
    return used.tv_sec * INT64_C(1'000'000) + used.tv_nsec / 1'000;
}

static int64_t cpu_us(void)
{
    return clock_us(CLOCK_THREAD_CPUTIME_ID);
}

/* What the process has given to write(2) and its like. */
static double written_bytes(void)
{
    double total = 0;
    char line[64];
    FILE *file = fopen("/proc/self/io", "re");
    while (file && fgets(line, sizeof line, file)) {
        if (strncmp(line, "wchar: ", 7) == 0) total = strtod(line + 7, NULL);
    }
    if (file) (void)fclose(file);
    return total;
}

struct cost {
    int64_t cpu_us, wall_us;
    double bytes;
};

static struct cost cost_now(void)
{
    return (struct cost){.cpu_us  = clock_us(CLOCK_PROCESS_CPUTIME_ID),
                         .wall_us = clock_us(CLOCK_MONOTONIC),
                         .bytes   = written_bytes()};
}

static void report_cost(const char *figure, const struct cost *before, double entries)
{
    const struct cost now = cost_now();
    (void)printf("%s_entries_per_cpu_s %.0f\n", figure,
                 entries * 1e6 / (double)(now.cpu_us - before->cpu_us));
    (void)printf("%s_entries_per_s %.0f\n", figure,
                 entries * 1e6 / (double)(now.wall_us - before->wall_us));
    (void)printf("%s_written_bytes_per_entry %.0f\n", figure,
                 (now.bytes - before->bytes) / entries);
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

struct writer {
    pthread_t thread;
    struct memory_store *store;
    const struct memory_space *space;
    const float *vectors;
    unsigned number;
};

static void *write_singles(void *context)
{
    const struct writer *writer = context;
    struct error error          = {};
    for (unsigned i = 0; i < SINGLES; i++) {
        struct memory_item item = {};
        float vector[DIMENSIONS];
        char key[32];
        memcpy(vector, writer->vectors + (size_t)i * DIMENSIONS, sizeof vector);
        (void)snprintf(key, sizeof key, "single-%03u-%06u", writer->number, i);
        item.key                     = str_from(key);
        item.content                 = item.key;
        item.vectors[MEMORY_CURRENT] = vector;
        sha256(bytes_from(item.content), item.hash);
        check(memory_write(writer->store, &scope, writer->space, &item, 1, 1, &error), &error);
    }
    return NULL;
}

static void measure_singles(struct memory_store *store, const float *vectors)
{
    struct writer writers[WRITERS] = {};
    struct memory_space space      = {};
    struct error error             = {};
    struct arena *arena            = arena_new(1 << 20);
    check(memory_space_find(store, &scope, arena, &space, &error), &error);
    const struct cost before = cost_now();
    for (unsigned i = 0; i < WRITERS; i++) {
        writers[i] =
            (struct writer){.store = store, .space = &space, .vectors = vectors, .number = i};
        if (pthread_create(&writers[i].thread, NULL, write_singles, &writers[i]) != 0) exit(1);
    }
    for (unsigned i = 0; i < WRITERS; i++) (void)pthread_join(writers[i].thread, NULL);
    report_cost("remember_16_at_once", &before, WRITERS * SINGLES);
    arena_free(arena);
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
    const struct cost before = cost_now();
    write_all(store, vectors);
    report_cost("remember_many_250", &before, COUNT);
    measure_recall(store, query);
    measure_loop("plain_loop", vector_dot_plain, vectors, query);
    measure_loop("fastest_loop", vector_dot_of(), vectors, query);
    measure_singles(store, vectors);
    memory_store_closep(&store);
    remove_store(path);
    free(vectors);
    return 0;
}
