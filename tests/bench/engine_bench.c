/*
 * The engine without HTTP and RPC: commands are posted to it as the services do it.
 *
 *     engine_bench [--dir DIR] [--seconds N]      the table below
 *     engine_bench [--dir DIR] [--seconds N] --row "10 jobs"     one workflow of it, at 64
 *     engine_bench [--dir DIR] --sleeping N       N runs that wait an hour, and what they cost
 *
 * Six workflows: one step in the engine, ten steps, 1,000 `set` and `switch`, ten jobs in a row,
 * which a thread of this program leases and completes at once; an error that is raised and caught,
 * and a call with `onOpen: fail` whose breaker is open, and what it raises is caught: the
 * difference is what failing takes. Each at 1 and 64 runs at a time: "caller" starts a run and,
 * when it has ended, the next one.
 *
 * The disk's own time for a synced write of 4 KiB is printed beside: without it the rates mean
 * nothing.
 */
#include "base/assert.h"
#include "base/clock.h"
#include "base/map.h"
#include "base/mem.h"
#include "breaker.pb-c.h"
#include "job.pb-c.h"
#include "scheduler/engine/engine.h"
#include "scheduler/tables/record.h"
#include "store/disk.h"

#include <ftw.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
    CALLERS_MAX  = 1'024,
    SAMPLES_MAX  = 2'000'000,
    ARENA_MAX    = 64 << 20,
    PROBE_ROUNDS = 200,
    LEASE_JOBS   = 100,
    WORKERS      = 2, /* so that one polls while the other reports: then a job is one commit */
    STEPS        = 10,
    LARGE_STEPS  = 500, /* of two tasks */
    SLEEP_S      = 5,
};
static const uint64_t map_bytes = 16ULL << 30;

/* One who starts runs one after the other. A caller has one command under way at a time. */
struct caller {
    struct bench *bench;
    struct arena *arena;
    struct command command;
    Pb__StartRun request;
    Pb__StartedRun response;
    int64_t begin_us;
};

struct bench {
    struct partition *partition;
    struct definitions *definitions;
    struct engine *engine;
    const struct workflow *workflow;
    unsigned callers;
    struct caller items[CALLERS_MAX];

    /* The engine thread's until it is over. */
    struct map *running; /* run id -> struct caller, of runs that did not end in their start */
    struct id ended[CALLERS_MAX]; /* in the turn at hand, whose starts are not answered yet */
    size_t ended_count;
    uint32_t *samples_us;
    size_t sample_count;
    _Atomic unsigned long started;
    unsigned long runs_max; /* 0: as many as the time allows */
    void (*done)(struct command *command);
    _Atomic bool is_over;
    _Atomic unsigned idle; /* callers that have stopped */
    _Atomic uint64_t jobs_done;
};

static void must(status code, const struct error *error)
{
    if (code == STATUS_OK) return;
    (void)fprintf(stderr, "%s: %s\n", status_name(code), error->text);
    exit(1);
}

/* --- callers -----------------------------------------------------------------------------------
 */

static void on_started(struct command *command);

static void start_run(struct caller *caller)
{
    struct bench *bench = caller->bench;
    bool has_all        = bench->runs_max > 0 && bench->started == bench->runs_max;
    if (has_all || atomic_load(&bench->is_over)) {
        atomic_fetch_add(&bench->idle, 1);
        return;
    }
    bench->started++;
    arena_clear(caller->arena);
    caller->request  = (Pb__StartRun)PB__START_RUN__INIT;
    caller->response = (Pb__StartedRun)PB__STARTED_RUN__INIT;
    caller->command  = (struct command){
         .mail        = {.size_bytes = sizeof caller->command},
         .kind        = COMMAND_START,
         .request     = &caller->request,
         .response    = &caller->response,
         .arena       = caller->arena,
         .workflow    = workflow_ref(bench->workflow),
         .values      = mem_new(1, sizeof(json)),
         .value_count = 1,
         .done        = bench->done,
         .context     = caller,
    };
    caller->begin_us   = clock_mono_us();
    struct error error = {};
    must(engine_post(bench->engine, &caller->command, &error), &error);
}

static void on_ended(struct caller *caller)
{
    struct bench *bench = caller->bench;
    int64_t took_us     = clock_mono_us() - caller->begin_us;
    if (bench->sample_count < SAMPLES_MAX) {
        bench->samples_us[bench->sample_count++] = (uint32_t)took_us;
    }
    start_run(caller);
}

/* A run may end in the turn that starts it, behind its start: the answer does not say so. */
static bool ended_at_once(const struct bench *bench, const char *run)
{
    for (size_t i = 0; i < bench->ended_count; i++) {
        if (strcmp(bench->ended[i].text, run) == 0) return true;
    }
    return false;
}

static void on_started(struct command *command)
{
    struct caller *caller = command->context;
    must(command->code, &command->error);
    const Pb__RunView *run = caller->response.run;
    if (run->status == PB__RUN_STATUS__RUN_STATUS_COMPLETED ||
        ended_at_once(caller->bench, run->id)) {
        on_ended(caller);
    } else {
        bool is_put = map_put(caller->bench->running, str_from(run->id), caller);
        ASSERT(is_put);
    }
}

static void on_moved(const struct run_move *moves, size_t count, void *context)
{
    struct bench *bench = context;
    bench->ended_count  = 0;
    for (size_t i = 0; i < count; i++) {
        if (!moves[i].has_ended) continue;
        struct caller *caller = map_remove(bench->running, str_from(moves[i].run.text));
        if (caller) {
            on_ended(caller);
        } else if (bench->ended_count < CALLERS_MAX) {
            bench->ended[bench->ended_count++] = moves[i].run;
        }
    }
}

/* --- the worker: a thread, so that its work is not the engine's --------------------------------
 */

struct worker_thread {
    struct bench *bench;
    pthread_t thread;
    pthread_mutex_t mutex;
    pthread_cond_t answered;
    bool is_answered;
};

static void on_answer(struct command *command)
{
    struct worker_thread *worker = command->context;
    (void)pthread_mutex_lock(&worker->mutex);
    worker->is_answered = true;
    (void)pthread_cond_signal(&worker->answered);
    (void)pthread_mutex_unlock(&worker->mutex);
}

static void ask(struct worker_thread *worker, struct command *command)
{
    command->done       = on_answer;
    command->context    = worker;
    worker->is_answered = false;
    struct error error  = {};
    must(engine_post(worker->bench->engine, command, &error), &error);
    (void)pthread_mutex_lock(&worker->mutex);
    while (!worker->is_answered) (void)pthread_cond_wait(&worker->answered, &worker->mutex);
    (void)pthread_mutex_unlock(&worker->mutex);
}

static void report_all(struct worker_thread *worker, const Pb__LeasedJobs *leased,
                       struct arena *arena)
{
    Pb__JobReport reports[LEASE_JOBS];
    Pb__JobReport *list[LEASE_JOBS];
    Pb__JobCompleted completed = PB__JOB_COMPLETED__INIT;
    for (size_t i = 0; i < leased->n_jobs; i++) {
        reports[i]             = (Pb__JobReport)PB__JOB_REPORT__INIT;
        reports[i].job         = leased->jobs[i]->id;
        reports[i].lease_token = leased->jobs[i]->lease_token;
        reports[i].result_case = PB__JOB_REPORT__RESULT_COMPLETED;
        reports[i].completed   = &completed;
        list[i]                = &reports[i];
    }
    Pb__JobReports request        = PB__JOB_REPORTS__INIT;
    Pb__JobReportAnswers response = PB__JOB_REPORT_ANSWERS__INIT;
    request.worker                = "bench";
    request.reports               = list;
    request.n_reports             = leased->n_jobs;
    struct command command        = {.mail        = {.size_bytes = sizeof command},
                                     .kind        = COMMAND_REPORT,
                                     .request     = &request,
                                     .response    = &response,
                                     .arena       = arena,
                                     .values      = mem_new(2 * leased->n_jobs, sizeof(json)),
                                     .value_count = 2 * leased->n_jobs};
    ask(worker, &command);
    for (size_t i = 0; i < response.n_reports; i++) ASSERT(response.reports[i]->status == 0);
    atomic_fetch_add(&worker->bench->jobs_done, response.n_reports);
}

static void *work(void *context)
{
    struct worker_thread *worker = context;
    struct arena *arena          = arena_new(ARENA_MAX);
    const char *queues[]         = {"llm"};
    while (atomic_load(&worker->bench->idle) < worker->bench->callers) {
        arena_clear(arena);
        Pb__LeaseJobs request   = PB__LEASE_JOBS__INIT;
        Pb__LeasedJobs response = PB__LEASED_JOBS__INIT;
        request.queues          = queues;
        request.n_queues        = 1;
        request.worker          = "bench";
        request.count_max       = LEASE_JOBS;
        request.wait_ms         = 100;
        struct command command  = {.mail     = {.size_bytes = sizeof command},
                                   .kind     = COMMAND_LEASE,
                                   .request  = &request,
                                   .response = &response,
                                   .arena    = arena};
        ask(worker, &command);
        if (response.n_jobs > 0) report_all(worker, &response, arena);
    }
    arena_free(arena);
    return NULL;
}

static void worker_start(struct worker_thread *worker, struct bench *bench)
{
    worker->bench = bench;
    (void)pthread_mutex_init(&worker->mutex, NULL);
    (void)pthread_cond_init(&worker->answered, NULL);
    (void)pthread_create(&worker->thread, NULL, work, worker);
}

/* --- one row of the table ----------------------------------------------------------------------
 */

static int compare(const void *a, const void *b)
{
    uint32_t one = *(const uint32_t *)a;
    uint32_t two = *(const uint32_t *)b;
    return (one > two) - (one < two);
}

static void read_workflow(struct bench *bench, const char *body)
{
    struct arena *arena      = arena_new(ARENA_MAX);
    struct diagnostics *list = diagnostics_new(arena);
    struct buf text          = buf_init(1 << 20);
    struct error error       = {};
    (void)buf_printf(&text,
                     "document: {dsl: 1.0.3, namespace: bench, name: bench, version: 1.0.0}\n"
                     "do:\n%s",
                     body);
    must(workflow_read(buf_str(&text), list, &bench->workflow, &error), &error);
    buf_done(&text);
    arena_free(arena);
}

static double cpu_seconds(void)
{
    struct rusage usage;
    (void)getrusage(RUSAGE_SELF, &usage);
    return (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
           (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6;
}

/* As an operator does it: it stays open. */
static void open_breaker(struct bench *bench, const char *target)
{
    struct worker_thread hand = {.bench = bench};
    struct arena *arena       = arena_new(ARENA_MAX);
    Pb__SetBreaker request    = PB__SET_BREAKER__INIT;
    Pb__BreakerView view      = PB__BREAKER_VIEW__INIT;
    request.name              = target;
    request.action            = PB__BREAKER_ACTION__BREAKER_ACTION_OPEN;
    request.by                = "bench";
    struct command command    = {.mail     = {.size_bytes = sizeof command},
                                 .kind     = COMMAND_SET_BREAKER,
                                 .request  = &request,
                                 .response = &view,
                                 .arena    = arena};
    (void)pthread_mutex_init(&hand.mutex, NULL);
    (void)pthread_cond_init(&hand.answered, NULL);
    ask(&hand, &command);
    must(command.code, &command.error);
    arena_free(arena);
}

struct row {
    const char *name;
    const char *body;
    const char *open; /* the target whose breaker is open; NULL: none */
};

static void measure(struct bench *bench, const struct row *row, unsigned callers, unsigned seconds)
{
    read_workflow(bench, row->body);
    bench->callers      = callers;
    bench->sample_count = 0;
    bench->running      = map_new(CALLERS_MAX);
    atomic_store(&bench->is_over, false);
    atomic_store(&bench->idle, 0);
    atomic_store(&bench->jobs_done, 0);

    struct engine_options options = {
        .partition   = bench->partition,
        .definitions = bench->definitions,
        .listener    = {.moved = on_moved, .context = bench},
    };
    struct error error = {};
    must(engine_start(&options, &bench->engine, &error), &error);
    if (row->open) open_breaker(bench, row->open);
    struct worker_thread workers[WORKERS] = {};
    for (unsigned i = 0; i < WORKERS; i++) worker_start(&workers[i], bench);

    double cpu_begin = cpu_seconds();
    int64_t begin_us = clock_mono_us();
    for (unsigned i = 0; i < callers; i++) {
        bench->items[i].bench = bench;
        if (!bench->items[i].arena) bench->items[i].arena = arena_new(ARENA_MAX);
        start_run(&bench->items[i]);
    }
    (void)sleep(seconds);
    atomic_store(&bench->is_over, true);
    for (unsigned i = 0; i < WORKERS; i++) { /* they go when all callers have stopped */
        (void)pthread_join(workers[i].thread, NULL);
    }
    double took_s = (double)(clock_mono_us() - begin_us) / 1e6;
    double cpu_s  = cpu_seconds() - cpu_begin;
    engine_stopp(&bench->engine);

    qsort(bench->samples_us, bench->sample_count, sizeof *bench->samples_us, compare);
    size_t count = bench->sample_count;
    (void)printf(
        "%-22s %7u %10.0f %10.0f %9u %9u %8.1f\n", row->name, callers, (double)count / took_s,
        (double)atomic_load(&bench->jobs_done) / took_s, count ? bench->samples_us[count / 2] : 0,
        count ? bench->samples_us[count * 99 / 100] : 0, count ? cpu_s * 1e6 / (double)count : 0);
    (void)fflush(stdout);
    map_free(bench->running);
    workflow_unrefp(&bench->workflow);
}

/* --- runs that sleep ---------------------------------------------------------------------------
 */

/* Memory of our own, without the pages of files, in KiB. */
static long anonymous_kib(void)
{
    FILE *file = fopen("/proc/self/status", "r");
    char line[128];
    long kib = 0;
    while (file && fgets(line, sizeof line, file)) {
        if (strncmp(line, "RssAnon:", 8) == 0) kib = strtol(line + 8, NULL, 10);
    }
    if (file) (void)fclose(file);
    return kib;
}

static void on_sleeping(const struct run_move *moves, size_t count, void *context)
{
    struct bench *bench = context;
    for (size_t i = 0; i < count; i++) {
        struct caller *caller = map_remove(bench->running, str_from(moves[i].run.text));
        if (caller) on_ended(caller);
    }
}

static void on_asleep(struct command *command)
{
    struct caller *caller = command->context;
    must(command->code, &command->error);
    on_ended(caller);
}

static void measure_sleep(struct bench *bench, unsigned long runs)
{
    read_workflow(bench, "  - a: {wait: {hours: 1}}\n  - b: {set: {done: 1}}\n");
    bench->callers                = CALLERS_MAX / 4;
    bench->running                = map_new(CALLERS_MAX);
    bench->done                   = on_asleep;
    struct engine_options options = {.partition   = bench->partition,
                                     .definitions = bench->definitions,
                                     .listener    = {.moved = on_sleeping, .context = bench}};
    struct error error            = {};
    must(engine_start(&options, &bench->engine, &error), &error);
    long before_kib  = anonymous_kib();
    int64_t begin_us = clock_mono_us();
    bench->runs_max  = runs;
    for (unsigned i = 0; i < bench->callers; i++) {
        bench->items[i].bench = bench;
        bench->items[i].arena = arena_new(ARENA_MAX);
        start_run(&bench->items[i]);
    }
    while (atomic_load(&bench->idle) < bench->callers) (void)usleep(10'000);
    double took_s = (double)(clock_mono_us() - begin_us) / 1e6;
    (void)printf("%lu runs asleep after %.1f s: %ld KiB of memory before, %ld KiB now\n", runs,
                 took_s, before_kib, anonymous_kib());

    double cpu_begin = cpu_seconds();
    (void)sleep(SLEEP_S);
    (void)printf("idle for %d s: %.3f %% CPU\n", SLEEP_S,
                 (cpu_seconds() - cpu_begin) * 100 / SLEEP_S);
    engine_stopp(&bench->engine);

    begin_us = clock_mono_us();
    must(engine_start(&options, &bench->engine, &error), &error);
    (void)printf("restart: %.1f ms\n", (double)(clock_mono_us() - begin_us) / 1e3);
    engine_stopp(&bench->engine);
    map_free(bench->running);
    workflow_unrefp(&bench->workflow);
}

/* --- main --------------------------------------------------------------------------------------
 */

static void repeat(const char *format, struct buf *out)
{
    for (int i = 0; i < STEPS; i++) (void)buf_printf(out, "  - t%d: %s\n", i, format);
}

static void measure_all(struct bench *bench, const char *only, unsigned seconds)
{
    (void)printf("%-22s %7s %10s %10s %9s %9s %8s\n", "workflow", "callers", "runs/s", "jobs/s",
                 "p50 us", "p99 us", "CPU us");

    struct buf sets  = buf_init(4096);
    struct buf jobs  = buf_init(4096);
    struct buf large = buf_init(1 << 20);
    for (int i = 0; i < LARGE_STEPS; i++) {
        (void)buf_printf(&large,
                         "  - s%d: {set: {n: \"${ .n + 1 }\"}}\n"
                         "  - c%d: {switch: [{small: {when: '.n < 0', then: end}},"
                         " {other: {then: continue}}]}\n",
                         i, i);
    }
    repeat("{set: {answer: 42, text: hello}}", &sets);
    repeat("{call: llm.chat, with: {model: m, prompt: hello}}", &jobs);
    static const char raised[] =
        "  - a:\n      try:\n"
        "        - b: {raise: {error: {type: communication, status: 503, detail: open}}}\n"
        "      catch: {do: [{c: {set: {way: other}}}]}\n";
    static const char refused[] =
        "  - a:\n      try:\n"
        "        - b: {call: http, with: {method: get, endpoint: 'http://127.0.0.1:9/x'},"
        " metadata: {tutti: {onOpen: fail}}}\n"
        "      catch: {do: [{c: {set: {way: other}}}]}\n";
    const struct row rows[] = {{"1 step", "  - a: {set: {answer: 42}}\n", NULL},
                               {"10 steps", sets.ptr, NULL},
                               {"10 jobs", jobs.ptr, NULL},
                               {"1000 tasks", large.ptr, NULL},
                               {"error", raised, NULL},
                               {"open breaker", refused, "tool:127.0.0.1:9"}};
    for (unsigned callers = only ? 64 : 1; callers <= 64; callers *= 64) {
        for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
            if (only && strcmp(only, rows[i].name) != 0) continue;
            measure(bench, &rows[i], callers, seconds);
        }
    }
    buf_done(&sets);
    buf_done(&large);
    buf_done(&jobs);
}

static int remove_one(const char *path, const struct stat *, int, struct FTW *)
{
    return remove(path);
}

int main(int argc, char **argv)
{
    const char *folder = NULL;
    const char *row    = NULL;
    unsigned seconds   = 3;
    unsigned long runs = 0;
    for (int i = 1; i + 1 < argc; i += 2) {
        if (strcmp(argv[i], "--dir") == 0) folder = argv[i + 1];
        if (strcmp(argv[i], "--row") == 0) row = argv[i + 1];
        if (strcmp(argv[i], "--seconds") == 0) seconds = (unsigned)strtoul(argv[i + 1], NULL, 10);
        if (strcmp(argv[i], "--sleeping") == 0) runs = strtoul(argv[i + 1], NULL, 10);
    }
    char made[] = "/tmp/tutti-engine-bench-XXXXXX";
    if (!folder) folder = mkdtemp(made);
    ASSERT(folder);

    struct bench *bench                    = mem_new(1, sizeof *bench);
    bench->samples_us                      = mem_new(SAMPLES_MAX, sizeof *bench->samples_us);
    bench->definitions                     = definitions_new();
    const struct partition_options options = {.folder = folder, .map_size = map_bytes, .count = 1};
    struct error error                     = {};
    int64_t probe_us                       = 0;
    must(partition_open(&options, &bench->partition, &error), &error);
    must(disk_probe_sync(folder, PROBE_ROUNDS, &probe_us, &error), &error);
    (void)printf("folder %s, fdatasync of 4 KiB p50 %lld us, %u s a row\n", folder,
                 (long long)probe_us, seconds);
    bench->done = on_started;
    if (runs > 0) {
        measure_sleep(bench, runs);
    } else {
        measure_all(bench, row, seconds);
    }
    for (size_t i = 0; i < CALLERS_MAX; i++) arena_free(bench->items[i].arena);
    partition_closep(&bench->partition);
    definitions_freep(&bench->definitions);
    free(bench->samples_us);
    free(bench);
    if (folder == made) (void)nftw(made, remove_one, 16, FTW_DEPTH | FTW_PHYS);
    return 0;
}
