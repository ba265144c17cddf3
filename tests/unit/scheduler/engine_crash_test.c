/*
 * kill -9 in the middle of the work: what was acknowledged is there, and the partition goes on.
 *
 * A child process runs an engine and writes the id of each run to a pipe when its start has been
 * answered; the parent kills it, opens the same folder and looks for every id it has read.
 */
#include "cmocka.h"

#include "base/assert.h"
#include "base/log.h"
#include "base/mem.h"
#include "scheduler/engine/engine.h"
#include "scheduler/engine/jobs/job_queue.h"
#include "scheduler/tables/run_store.h"

#include <ftw.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

enum { ARENA_MAX = 16 << 20, MAP_SIZE = 256 << 20, ROUNDS = 6, CALLERS = 8, RUNS_MAX = 100'000 };

static const char definition[] = "document: {dsl: 1.0.3, namespace: a, name: b, version: 1.0.0}\n"
                                 "do:\n  - a: {call: llm.chat, with: {model: m, prompt: hi}}\n";

/* --- the child ---------------------------------------------------------------------------------
 */

struct caller {
    struct child *child;
    struct command command;
    struct arena *arena;
    Pb__StartRun request;
    Pb__StartedRun response;
};

struct child {
    struct engine *engine;
    const struct workflow *workflow;
    int pipe;
    struct caller callers[CALLERS];
};

static void on_done(struct command *command);

static void start_run(struct caller *caller)
{
    arena_clear(caller->arena);
    caller->request  = (Pb__StartRun)PB__START_RUN__INIT;
    caller->response = (Pb__StartedRun)PB__STARTED_RUN__INIT;
    caller->command  = (struct command){.mail        = {.size_bytes = sizeof caller->command},
                                        .kind        = COMMAND_START,
                                        .request     = &caller->request,
                                        .response    = &caller->response,
                                        .arena       = caller->arena,
                                        .workflow    = workflow_ref(caller->child->workflow),
                                        .values      = mem_new(1, sizeof(json)),
                                        .value_count = 1,
                                        .done        = on_done,
                                        .context     = caller};
    status posted    = engine_post(caller->child->engine, &caller->command, NULL);
    ASSERT(posted == STATUS_OK);
}

static void on_done(struct command *command)
{
    struct caller *caller = command->context;
    ASSERT(command->code == STATUS_OK);
    ssize_t written = write(caller->child->pipe, caller->response.run->id, ID_LEN);
    ASSERT(written == ID_LEN);
    start_run(caller);
}

static const struct workflow *read_definition(void)
{
    struct arena *arena             = arena_new(ARENA_MAX);
    const struct workflow *workflow = NULL;
    status read = workflow_read(str_from(definition), diagnostics_new(arena), &workflow, NULL);
    ASSERT(read == STATUS_OK);
    arena_free(arena);
    return workflow;
}

static struct partition *open_partition(const char *folder)
{
    const struct partition_options options = {.folder = folder, .map_size = MAP_SIZE, .count = 1};
    struct partition *partition            = NULL;
    struct error error                     = {};
    if (partition_open(&options, &partition, &error) != STATUS_OK) {
        (void)fprintf(stderr, "%s\n", error.text);
        abort();
    }
    return partition;
}

_Noreturn static void run_child(const char *folder, int out)
{
    struct child *child                 = mem_new(1, sizeof *child);
    const struct engine_options options = {.partition   = open_partition(folder),
                                           .definitions = definitions_new()};
    child->pipe                         = out;
    child->workflow                     = read_definition();
    status started                      = engine_start(&options, &child->engine, NULL);
    ASSERT(started == STATUS_OK);
    for (size_t i = 0; i < CALLERS; i++) {
        child->callers[i].child = child;
        child->callers[i].arena = arena_new(ARENA_MAX);
        start_run(&child->callers[i]);
    }
    for (;;) (void)pause();
}

/* --- the parent --------------------------------------------------------------------------------
 */

static int remove_one(const char *path, const struct stat *, int, struct FTW *)
{
    return remove(path);
}

/* Lets the child acknowledge `count` starts, then kills it and takes what is still in the pipe. */
static size_t kill_after(const char *folder, size_t count, struct id *ids, size_t known)
{
    int ends[2];
    assert_int_equal(pipe(ends), 0);
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        (void)close(ends[0]);
        run_child(folder, ends[1]);
    }
    (void)close(ends[1]);
    size_t read_count = 0;
    bool is_killed    = false;
    while (known + read_count < RUNS_MAX) {
        ssize_t size = read(ends[0], ids[known + read_count].text, ID_LEN);
        if (size != ID_LEN) break;
        read_count++;
        if (read_count >= count && !is_killed) is_killed = kill(child, SIGKILL) == 0;
    }
    int how = 0;
    assert_int_equal(waitpid(child, &how, 0), child);
    assert_true(WIFSIGNALED(how));
    (void)close(ends[0]);
    return known + read_count;
}

static void check_run(struct txn *txn, struct definitions *definitions, const struct id *id,
                      struct arena *arena)
{
    Pb__RunHead *head  = NULL;
    Pb__RunView *row   = NULL;
    struct run *run    = NULL;
    struct error error = {};
    str text           = str_from(id->text);
    arena_clear(arena);
    status code = run_rows_get(txn, text, arena, &row, &head, &error);
    if (code == STATUS_OK) {
        code = run_load(txn, definitions, text, head, (bytes){row->digest.data, row->digest.len},
                        false, NULL, &run, &error);
    }
    if (code != STATUS_OK) fail_msg("run %s: %s", id->text, error.text);
    assert_int_equal(run_jobs_open(run), 1);
    assert_int_equal(run_sequence(run), head->last_sequence);
    run_free(run);
}

static void check_all(const char *folder, const struct id *ids, size_t count)
{
    struct partition *partition     = open_partition(folder);
    struct definitions *definitions = definitions_new();
    struct arena *arena             = arena_new(ARENA_MAX);
    struct txn *txn                 = NULL;
    assert_int_equal(txn_begin_read(partition->store, &txn, NULL), STATUS_OK);
    for (size_t i = 0; i < count; i++) check_run(txn, definitions, &ids[i], arena);

    uint64_t runs  = 0;
    uint64_t heads = 0;
    uint64_t jobs  = 0;
    uint64_t ready = 0;
    assert_int_equal(txn_count(txn, TABLE_RUNS, &runs, NULL), STATUS_OK);
    assert_int_equal(txn_count(txn, TABLE_RUN_HEADS, &heads, NULL), STATUS_OK);
    assert_int_equal(txn_count(txn, TABLE_JOBS, &jobs, NULL), STATUS_OK);
    assert_int_equal(txn_count(txn, TABLE_READY, &ready, NULL), STATUS_OK);
    assert_true(runs >= count); /* committed, but not yet acknowledged, may be more */
    assert_int_equal(heads, runs);
    assert_int_equal(jobs, runs);
    assert_int_equal(ready, runs);
    txn_abort(txn);
    arena_free(arena);
    definitions_free(definitions);
    partition_close(partition);
}

static void test_kill_9_loses_nothing_acknowledged(void **)
{
    char folder[] = "/tmp/tutti-crash-XXXXXX";
    assert_non_null(mkdtemp(folder));
    struct id *ids = mem_new(RUNS_MAX, sizeof *ids);
    size_t count   = 0;
    for (size_t i = 0; i < ROUNDS; i++) {
        count = kill_after(folder, 1 + 37 * i, ids, count);
        check_all(folder, ids, count);
    }
    free(ids);
    (void)nftw(folder, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_kill_9_loses_nothing_acknowledged),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
