/*
 * Group commit: one writer thread applies everything that waits, in one transaction, commits once,
 * then answers. "Transition" is what an ordinary step of a run costs the store: append an event
 * (200 B), overwrite the run's row (64 B), append a job, delete an old job. "Random" puts 200 B
 * under a random key: what not to do.
 *
 *     store_bench [--dir DIR] [--seconds N] [--json]
 *
 * The disk's own time for a synced write of 4 KiB is measured before and after and printed beside:
 * without it the rates mean nothing.
 */
#include "base/assert.h"
#include "base/clock.h"
#include "base/mem.h"
#include "base/random.h"
#include "store/disk.h"
#include "store/key.h"
#include "store/store.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum table { TABLE_JOURNAL, TABLE_RUNS, TABLE_JOBS, TABLE_RANDOM };
static const char *const tables[] = {"journal", "runs", "jobs", "random", NULL};

enum {
    EVENT_BYTES     = 200,
    RUN_BYTES       = 64,
    JOB_BYTES       = 100,
    OPEN_JOBS       = 10'000,
    OUTSTANDING_MAX = 1024,
    SAMPLES_MAX     = 4'000'000,
    PROBE_ROUNDS    = 200,
};
static const uint64_t store_bytes = 16ULL << 30;

enum kind { KIND_TRANSITION, KIND_RANDOM };
static const char *const kind_names[] = {"transition", "random"};

struct call {
    unsigned run;
    int64_t begin_us;
};

/* What the two threads share; the mutex guards it. */
struct bench {
    pthread_mutex_t mutex;
    pthread_cond_t has_waiting, has_answered;
    struct call waiting[OUTSTANDING_MAX];
    struct call answered[OUTSTANDING_MAX];
    unsigned waiting_count, answered_count;
    bool is_over;

    /* The writer's own. */
    struct store *store;
    enum kind kind;
    uint64_t sequence;
    struct prng prng;
    uint64_t commits;
    int64_t *times_us;
    size_t time_count;
};

struct numbers {
    double per_second, per_commit;
    int64_t p50_us, p99_us;
};

static _Noreturn void give_up(const struct error *error)
{
    (void)fprintf(stderr, "store_bench: %s\n", error->text);
    exit(1);
}

static void must(status code, const struct error *error)
{
    if (code != STATUS_OK) give_up(error);
}

/* --- The writer ------------------------------------------------------------------------------- */

static void apply_transition(struct bench *bench, struct txn *txn, const struct call *call)
{
    static const char block[EVENT_BYTES];
    struct error error;
    uint64_t sequence  = ++bench->sequence;
    struct key_u64 key = key_of_u64(sequence);
    struct key_u64 run = key_of_u64(call->run);
    struct key_u64 old = key_of_u64(sequence - OPEN_JOBS);
    must(txn_append(txn, TABLE_JOURNAL, key_u64_bytes(&key), (bytes){block, EVENT_BYTES}, &error),
         &error);
    must(txn_put(txn, TABLE_RUNS, key_u64_bytes(&run), (bytes){block, RUN_BYTES}, &error), &error);
    must(txn_append(txn, TABLE_JOBS, key_u64_bytes(&key), (bytes){block, JOB_BYTES}, &error),
         &error);
    if (sequence > OPEN_JOBS) {
        must(txn_delete(txn, TABLE_JOBS, key_u64_bytes(&old), &error), &error);
    }
}

static void apply_random(struct bench *bench, struct txn *txn)
{
    static const char block[EVENT_BYTES];
    struct error error;
    struct key key;
    key_begin(&key);
    key_put_u64(&key, prng_next(&bench->prng));
    key_put_u64(&key, prng_next(&bench->prng));
    must(txn_put(txn, TABLE_RANDOM, key_bytes(&key), (bytes){block, EVENT_BYTES}, &error), &error);
}

static void write_batch(struct bench *bench, const struct call *batch, unsigned count)
{
    struct txn *txn = NULL;
    struct error error;
    must(txn_begin_write(bench->store, &txn, &error), &error);
    for (unsigned i = 0; i < count; i++) {
        if (bench->kind == KIND_TRANSITION) {
            apply_transition(bench, txn, &batch[i]);
        } else {
            apply_random(bench, txn);
        }
    }
    must(txn_commit(txn, &error), &error);
    bench->commits++;
}

static void *run_writer(void *context)
{
    struct bench *bench = context;
    struct call *batch  = mem_new(OUTSTANDING_MAX, sizeof *batch);
    for (;;) {
        pthread_mutex_lock(&bench->mutex);
        while (bench->waiting_count == 0 && !bench->is_over) {
            pthread_cond_wait(&bench->has_waiting, &bench->mutex);
        }
        unsigned count = bench->waiting_count;
        memcpy(batch, bench->waiting, count * sizeof *batch);
        bench->waiting_count = 0;
        pthread_mutex_unlock(&bench->mutex);
        if (count == 0) break;

        write_batch(bench, batch, count);

        pthread_mutex_lock(&bench->mutex);
        memcpy(bench->answered + bench->answered_count, batch, count * sizeof *batch);
        bench->answered_count += count;
        pthread_cond_signal(&bench->has_answered);
        pthread_mutex_unlock(&bench->mutex);
    }
    free(batch);
    return NULL;
}

/* --- The callers: each has one call outstanding, and makes the next when it is answered ------- */

/* Takes the answers and calls again, until the time is over. Holds the mutex. */
static void call_again(struct bench *bench, int64_t end_us)
{
    int64_t now_us = clock_mono_us();
    for (unsigned i = 0; i < bench->answered_count; i++) {
        struct call call = bench->answered[i];
        if (bench->time_count < SAMPLES_MAX) {
            bench->times_us[bench->time_count++] = now_us - call.begin_us;
        }
        call.begin_us = now_us;
        if (now_us < end_us) bench->waiting[bench->waiting_count++] = call;
    }
    bench->answered_count = 0;
    bench->is_over        = now_us >= end_us;
    pthread_cond_signal(&bench->has_waiting);
}

static int compare_times(const void *a, const void *b)
{
    int64_t x = *(const int64_t *)a;
    int64_t y = *(const int64_t *)b;
    return (x > y) - (x < y);
}

static struct numbers numbers_of(struct bench *bench, int64_t took_us)
{
    qsort(bench->times_us, bench->time_count, sizeof bench->times_us[0], compare_times);
    size_t count = bench->time_count;
    return (struct numbers){
        .per_second = (double)count * 1e6 / (double)took_us,
        .per_commit = (double)count / (double)bench->commits,
        .p50_us     = bench->times_us[count / 2],
        .p99_us     = bench->times_us[count * 99 / 100],
    };
}

static struct numbers measure(struct store *store, enum kind kind, unsigned outstanding,
                              int64_t duration_us, uint64_t *sequence)
{
    struct bench *bench = mem_new(1, sizeof *bench);
    bench->store        = store;
    bench->kind         = kind;
    bench->sequence     = *sequence;
    bench->prng.state   = 1;
    bench->times_us     = mem_new(SAMPLES_MAX, sizeof bench->times_us[0]);
    pthread_mutex_init(&bench->mutex, NULL);
    pthread_cond_init(&bench->has_waiting, NULL);
    pthread_cond_init(&bench->has_answered, NULL);

    int64_t begin_us = clock_mono_us();
    for (unsigned i = 0; i < outstanding; i++) {
        bench->waiting[i] = (struct call){.run = i, .begin_us = begin_us};
    }
    bench->waiting_count = outstanding;
    pthread_t writer;
    int rc = pthread_create(&writer, NULL, run_writer, bench);
    ASSERT(rc == 0);

    pthread_mutex_lock(&bench->mutex);
    while (!bench->is_over) {
        while (bench->answered_count == 0) {
            pthread_cond_wait(&bench->has_answered, &bench->mutex);
        }
        call_again(bench, begin_us + duration_us);
    }
    pthread_mutex_unlock(&bench->mutex);
    pthread_join(writer, NULL);

    struct numbers numbers = numbers_of(bench, clock_mono_us() - begin_us);
    *sequence              = bench->sequence;
    free(bench->times_us);
    free(bench);
    return numbers;
}

/* --- Report ----------------------------------------------------------------------------------- */

struct options {
    const char *dir;
    int seconds;
    bool is_json;
};

static bool read_options(int argc, char **argv, struct options *options)
{
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--json") == 0) {
            options->is_json = true;
        } else if (strcmp(argv[i], "--dir") == 0 && i + 1 < argc) {
            options->dir = argv[++i];
        } else if (strcmp(argv[i], "--seconds") == 0 && i + 1 < argc) {
            options->seconds = (int)strtol(argv[++i], NULL, 10);
        } else {
            return false;
        }
    }
    return options->seconds > 0;
}

static int64_t probe(const char *dir)
{
    int64_t p50_us = 0;
    struct error error;
    must(disk_probe_sync(dir, PROBE_ROUNDS, &p50_us, &error), &error);
    return p50_us;
}

static void print_numbers(const struct options *options, enum kind kind, unsigned outstanding,
                          const struct numbers *numbers, int64_t sync_us)
{
    long long p50_us = numbers->p50_us;
    long long p99_us = numbers->p99_us;
    if (options->is_json) {
        (void)printf("{\"case\":\"%s\",\"outstanding\":%u,\"per_second\":%.0f,\"p50_us\":%lld,"
                     "\"p99_us\":%lld,\"per_commit\":%.1f,\"fdatasync_p50_us\":%lld}\n",
                     kind_names[kind], outstanding, numbers->per_second, p50_us, p99_us,
                     numbers->per_commit, (long long)sync_us);
        return;
    }
    (void)printf("%-10s %5u outstanding  %9.0f/s  p50 %6lld us  p99 %6lld us  %7.1f per commit  "
                 "fdatasync p50 %lld us\n",
                 kind_names[kind], outstanding, numbers->per_second, p50_us, p99_us,
                 numbers->per_commit, (long long)sync_us);
}

static void run_all(const struct options *options, const char *dir)
{
    static const unsigned outstanding[] = {1, 16, 256, 1024};
    struct store *store                 = NULL;
    struct error error;
    const struct store_options store_options = {
        .path = dir, .size_max = store_bytes, .tables = tables};
    must(store_open(&store_options, &store, &error), &error);
    uint64_t sequence = 0;
    for (enum kind kind = KIND_TRANSITION; kind <= KIND_RANDOM; kind++) {
        for (size_t i = 0; i < ARRAY_LEN(outstanding); i++) {
            struct numbers numbers = measure(store, kind, outstanding[i],
                                             options->seconds * INT64_C(1'000'000), &sequence);
            print_numbers(options, kind, outstanding[i], &numbers, probe(dir));
            (void)fflush(stdout);
        }
    }
    store_close(store);
}

int main(int argc, char **argv)
{
    struct options options = {.dir = "/tmp", .seconds = 2};
    if (!read_options(argc, argv, &options)) {
        (void)fprintf(stderr, "usage: store_bench [--dir DIR] [--seconds N] [--json]\n");
        return 2;
    }
    char dir[STORE_PATH_MAX];
    (void)snprintf(dir, sizeof dir, "%s/store-bench-XXXXXX", options.dir);
    if (!mkdtemp(dir)) {
        perror(dir);
        return 1;
    }
    run_all(&options, dir);

    static const char *const files[] = {"data.mdb", "lock.mdb", "owner"};
    for (size_t i = 0; i < ARRAY_LEN(files); i++) {
        char path[STORE_PATH_MAX + 16];
        (void)snprintf(path, sizeof path, "%s/%s", dir, files[i]);
        (void)unlink(path);
    }
    (void)rmdir(dir);
    return 0;
}
