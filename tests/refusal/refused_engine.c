/*
 * Each time that the engine asks for memory it is refused (trial.h): while it opens its partition,
 * starts runs, leases their jobs and takes the reports. The process may end, or answer that there
 * is no memory; what it has acknowledged is there when the partition is opened again.
 *
 *     refused_engine [--refusals N]
 *
 * N of them, evenly spread; without it each.
 */
#include "base/log.h"
#include "base/mem.h"
#include "job.pb-c.h"
#include "refusal/trial.h"
#include "scheduler/engine/engine.h"
#include "scheduler/tables/run_store.h"
#include "support/folder.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

enum { RUNS = 4, ARENA_MAX = 16 << 20, MAP_SIZE = 64 << 20, SAYS_SOMETHING_ELSE = 4 };

static const char definition[] = "document: {dsl: 1.0.3, namespace: a, name: b, version: 1.0.0}\n"
                                 "do:\n  - a: {call: llm.chat, with: {model: m, prompt: hi}}\n";

/* What was acknowledged; shared with the child. */
struct book {
    struct id started[RUNS];
    size_t started_count;
    struct id completed[RUNS];
    size_t completed_count;
};

struct attempt {
    struct folder folder;
    const struct workflow *workflow;
    struct book *book;
};

/* A job as its holder knows it. */
struct held {
    struct id id, run;
    struct lease_token token;
};

struct stand {
    struct partition *partition;
    struct definitions *definitions;
    struct engine *engine;
    struct arena *arena;
    bool is_answered;
    struct held jobs[RUNS];
    size_t job_count;
    struct book *book;
    struct id run; /* of the job that is reported */
};

static struct partition_options partition_in(const struct attempt *attempt)
{
    return (struct partition_options){
        .folder = attempt->folder.path, .map_size = MAP_SIZE, .count = 1};
}

/* --- the child ---------------------------------------------------------------------------------
 */

/* For want of memory nothing else may be said. */
static bool worked(status code, const struct error *error)
{
    if (code == STATUS_OK) return true;
    if (code == STATUS_RESOURCE_EXHAUSTED) return false;
    (void)fprintf(stderr, "it says %s: %s\n", status_name(code), error->text);
    _exit(SAYS_SOMETHING_ELSE);
}

/* A commit that failed: the scheduler would exit with 74. */
static void on_failed(const struct error *, void *)
{
    _exit(0);
}

static void note(struct id *ids, size_t *count, const char *id)
{
    (void)snprintf(ids[*count].text, sizeof ids->text, "%s", id);
    (*count)++;
}

static void take_job(struct stand *stand, const Pb__LeasedJob *job)
{
    struct held *held = &stand->jobs[stand->job_count++];
    (void)snprintf(held->id.text, sizeof held->id.text, "%s", job->id);
    (void)snprintf(held->run.text, sizeof held->run.text, "%s", job->run);
    memcpy(held->token.data, job->lease_token.data, sizeof held->token.data);
}

/* An answer is there until this returns. */
static void on_done(struct command *command)
{
    struct stand *stand = command->context;
    struct book *book   = stand->book;
    stand->is_answered  = true;
    if (command->code != STATUS_OK) return;
    if (command->kind == COMMAND_START) {
        const Pb__StartedRun *started = command->response;
        note(book->started, &book->started_count, started->run->id);
    } else if (command->kind == COMMAND_LEASE) {
        const Pb__LeasedJobs *leased = command->response;
        for (size_t i = 0; i < leased->n_jobs; i++) take_job(stand, leased->jobs[i]);
    } else {
        const Pb__JobReportAnswers *answers = command->response;
        bool is_taken = answers->n_reports == 1 && answers->reports[0]->status == STATUS_OK;
        if (is_taken) note(book->completed, &book->completed_count, stand->run.text);
    }
}

/* Posts `command` and turns the engine until it is answered. */
static bool ask(struct stand *stand, struct command *command)
{
    struct error error = {};
    command->mail      = (struct mail){.size_bytes = sizeof *command};
    command->arena     = stand->arena;
    command->done      = on_done;
    command->context   = stand;
    stand->is_answered = false;
    status posted      = engine_post(stand->engine, command, &error);
    if (posted != STATUS_OK) {
        command_release(command);
        return worked(posted, &error);
    }
    while (!stand->is_answered) engine_step(stand->engine);
    return worked(command->code, &command->error);
}

static void start_runs(const struct attempt *attempt, struct stand *stand)
{
    for (size_t i = 0; i < RUNS; i++) {
        Pb__StartRun request    = PB__START_RUN__INIT;
        Pb__StartedRun response = PB__STARTED_RUN__INIT;
        struct command command  = {.kind        = COMMAND_START,
                                   .request     = &request,
                                   .response    = &response,
                                   .workflow    = workflow_ref(attempt->workflow),
                                   .values      = mem_new(1, sizeof(json)),
                                   .value_count = 1};
        (void)ask(stand, &command);
    }
}

static void complete(struct stand *stand, struct held *held)
{
    Pb__JobCompleted completed  = PB__JOB_COMPLETED__INIT;
    Pb__JobReport report        = PB__JOB_REPORT__INIT;
    Pb__JobReports request      = PB__JOB_REPORTS__INIT;
    Pb__JobReportAnswers answer = PB__JOB_REPORT_ANSWERS__INIT;
    Pb__JobReport *reports[]    = {&report};
    report.job                  = held->id.text;
    report.lease_token          = (ProtobufCBinaryData){sizeof held->token.data, held->token.data};
    report.result_case          = PB__JOB_REPORT__RESULT_COMPLETED;
    report.completed            = &completed;
    request.worker              = "w";
    request.reports             = reports;
    request.n_reports           = 1;
    struct command command      = {.kind        = COMMAND_REPORT,
                                   .request     = &request,
                                   .response    = &answer,
                                   .values      = mem_new(2, sizeof(json)),
                                   .value_count = 2};
    stand->run                  = held->run;
    (void)ask(stand, &command);
}

static void lease_and_complete(struct stand *stand)
{
    const char *queues[]   = {"llm"};
    Pb__LeaseJobs request  = PB__LEASE_JOBS__INIT;
    Pb__LeasedJobs answer  = PB__LEASED_JOBS__INIT;
    request.worker         = "w";
    request.queues         = queues;
    request.n_queues       = 1;
    request.count_max      = RUNS;
    struct command command = {.kind = COMMAND_LEASE, .request = &request, .response = &answer};
    (void)ask(stand, &command);
    for (size_t i = 0; i < stand->job_count; i++) complete(stand, &stand->jobs[i]);
}

static void work(void *context)
{
    const struct attempt *attempt          = context;
    const struct partition_options options = partition_in(attempt);
    struct stand stand = {.definitions = definitions_new(), .book = attempt->book};
    struct error error = {};
    stand.arena        = arena_new(ARENA_MAX);
    if (worked(partition_open(&options, &stand.partition, &error), &error)) {
        const struct engine_options engine = {.partition   = stand.partition,
                                              .definitions = stand.definitions,
                                              .failed      = on_failed,
                                              .random_seed = 1};
        if (worked(engine_open(&engine, &stand.engine, &error), &error)) {
            start_runs(attempt, &stand);
            lease_and_complete(&stand);
        }
    }
    engine_stopp(&stand.engine);
    partition_closep(&stand.partition);
    definitions_freep(&stand.definitions);
    arena_free(stand.arena);
}

/* --- afterwards --------------------------------------------------------------------------------
 */

static status look_at_run(struct txn *txn, struct definitions *definitions, const struct id *id,
                          bool is_completed, struct error *reterr)
{
    CLEANUP(arena_freep) struct arena *arena = arena_new(ARENA_MAX);
    CLEANUP(run_freep) struct run *run       = NULL;
    Pb__RunHead *head                        = NULL;
    Pb__RunView *row                         = NULL;
    TRY(run_rows_get(txn, str_from(id->text), arena, &row, &head, reterr));
    if (row->status == PB__RUN_STATUS__RUN_STATUS_COMPLETED) return STATUS_OK;
    if (is_completed) return fail(reterr, STATUS_DATA_LOSS, "run %s has not ended", id->text);
    TRY(run_load(txn, definitions, str_from(id->text), head,
                 (bytes){row->digest.data, row->digest.len}, false, NULL, &run, reterr));
    if (run_jobs_open(run) == 1) return STATUS_OK;
    return fail(reterr, STATUS_DATA_LOSS, "run %s has lost its job", id->text);
}

/* All that was acknowledged, and as many places of jobs as there are jobs. */
static status look(const struct attempt *attempt, struct partition *partition, struct error *reterr)
{
    CLEANUP(definitions_freep) struct definitions *definitions = definitions_new();
    CLEANUP(txn_abortp) struct txn *txn                        = NULL;
    const struct book *book                                    = attempt->book;
    uint64_t jobs                                              = 0;
    uint64_t ready                                             = 0;
    TRY(txn_begin_read(partition->store, &txn, reterr));
    for (size_t i = 0; i < book->started_count; i++) {
        TRY(look_at_run(txn, definitions, &book->started[i], false, reterr));
    }
    for (size_t i = 0; i < book->completed_count; i++) {
        TRY(look_at_run(txn, definitions, &book->completed[i], true, reterr));
    }
    TRY(txn_count(txn, TABLE_JOBS, &jobs, reterr));
    TRY(txn_count(txn, TABLE_READY, &ready, reterr));
    if (jobs == ready) return STATUS_OK;
    return fail(reterr, STATUS_DATA_LOSS, "%llu jobs in %llu places", (unsigned long long)jobs,
                (unsigned long long)ready);
}

/* The next trial has a new folder. */
static bool check(void *context)
{
    struct attempt *attempt                = context;
    const struct partition_options options = partition_in(attempt);
    struct partition *partition            = NULL;
    struct error error                     = {};
    status code                            = partition_open(&options, &partition, &error);
    if (code == STATUS_OK) code = look(attempt, partition, &error);
    if (code != STATUS_OK) (void)printf("%s\n", error.text);
    partition_closep(&partition);
    folder_remove(&attempt->folder);
    attempt->folder = folder_new();
    memset(attempt->book, 0, sizeof *attempt->book);
    return code == STATUS_OK;
}

static const struct workflow *read_definition(void)
{
    CLEANUP(arena_freep) struct arena *arena = arena_new(ARENA_MAX);
    const struct workflow *workflow          = NULL;
    struct error error                       = {};
    if (workflow_read(str_from(definition), diagnostics_new(arena), &workflow, &error) !=
        STATUS_OK) {
        (void)fprintf(stderr, "refused_engine: %s\n", error.text);
        exit(2);
    }
    return workflow;
}

/* Without a refusal everything is acknowledged, or the trials would prove little. */
static bool acknowledges_all(struct attempt *attempt)
{
    struct trial trial;
    trial_run(work, attempt, 0, false, &trial);
    bool has_all = attempt->book->started_count == RUNS && attempt->book->completed_count == RUNS;
    if (!has_all) (void)printf("with memory not everything works: %s\n", trial.text);
    return check(attempt) && has_all;
}

int main(int argc, char **argv)
{
    bool has_count         = argc == 3 && strcmp(argv[1], "--refusals") == 0;
    struct attempt attempt = {.book = mmap(NULL, sizeof *attempt.book, PROT_READ | PROT_WRITE,
                                           MAP_SHARED | MAP_ANONYMOUS, -1, 0)};
    struct trial_sum sum   = {};
    if ((argc > 1 && !has_count) || attempt.book == MAP_FAILED) {
        (void)fprintf(stderr, "usage: refused_engine [--refusals N]\n");
        return 2;
    }
    log_set_level((enum log_level)(LOG_ERROR + 1)); /* failures are what this is about */
    attempt.workflow = read_definition();
    attempt.folder   = folder_new();
    sum.findings     = !acknowledges_all(&attempt);
    trial_all("engine", work, check, &attempt, has_count ? strtoull(argv[2], NULL, 10) : 0, &sum);
    folder_remove(&attempt.folder);
    workflow_unrefp(&attempt.workflow);
    return trial_sum_print("engine", &sum) ? 0 : 1;
}
