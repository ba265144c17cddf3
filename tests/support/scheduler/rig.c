#include "support/scheduler/rig.h"

#include "call_cache.pb-c.h"
#include "dead_letter.pb-c.h"
#include "file.pb-c.h"

#include "assistant.pb-c.h"
#include "base/assert.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "budget.pb-c.h"
#include "event.pb-c.h"
#include "key.pb-c.h"
#include "limit.pb-c.h"
#include "provider_key.pb-c.h"
#include "schedule.pb-c.h"
#include "subscription.pb-c.h"

#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

enum { MAP_SIZE = 256 << 20, URL_SIZE = 128, DRAIN_MS = 1'000 };

static void must(status code, const struct error *error, const char *what)
{
    if (code == STATUS_OK) return;
    (void)fprintf(stderr, "%s: %s: %s\n", what, status_name(code), error->text);
    abort();
}

/* --- start and stop ----------------------------------------------------------------------------
 */

static void start_client(struct rig *rig)
{
    static const ProtobufCServiceDescriptor *const services[] = {
        &pb__runs__descriptor,       &pb__jobs__descriptor,
        &pb__workflows__descriptor,  &pb__approvals__descriptor,
        &pb__system__descriptor,     &pb__functions__descriptor,
        &pb__events__descriptor,     &pb__subscriptions__descriptor,
        &pb__breakers__descriptor,   &pb__dead_letters__descriptor,
        &pb__call_cache__descriptor, &pb__partitions__descriptor,
        &pb__budgets__descriptor,    &pb__provider_keys__descriptor,
        &pb__assistants__descriptor, &pb__keys__descriptor,
        &pb__limits__descriptor,     &pb__schedules__descriptor,
        &pb__files__descriptor,      NULL};
    char endpoint[2 * URL_SIZE];
    (void)snprintf(endpoint, sizeof endpoint, "%s %s", server_url(rig->server),
                   server_long_url(rig->server));
    const struct rpc_client_options options = {
        .endpoints = endpoint, .choice = RPC_OWNER, .services = services};
    struct error error = {};
    must(rpc_client_open(&options, &rig->client, &error), &error, "client");
}

static void start(struct rig *rig)
{
    struct error error                     = {};
    const struct scheduler_options options = {
        .folder      = *rig->folder ? rig->folder : NULL,
        .map_size    = MAP_SIZE,
        .count       = rig->partitions,
        .lease_ms    = rig->lease_ms,
        .secrets     = rig->secrets,
        .safekeeping = {.backup_folder = rig->backup_folder},
        .breakers    = rig->breakers,
    };
    must(scheduler_open(&options, &rig->scheduler, &error), &error, "scheduler");

    char url[URL_SIZE];
    static _Atomic unsigned number; /* of this program */
    (void)snprintf(url, sizeof url, "abstract://tutti-rig-%d-%u", getpid(), number++);
    char hint_url[2 * URL_SIZE];
    (void)snprintf(hint_url, sizeof hint_url, "%s-hints", url);
    const struct server_options server = {.url = url, .hint_url = hint_url, .drain_ms = DRAIN_MS};
    must(server_start(&server, rig->scheduler, &rig->server, &error), &error, "server");
    start_client(rig);
}

void rig_stop(struct rig *rig)
{
    rpc_client_closep(&rig->client);
    server_stopp(&rig->server);
    scheduler_closep(&rig->scheduler);
}

void rig_init(struct rig *rig, uint16_t partitions, bool is_durable)
{
    *rig = (struct rig){.partitions    = partitions,
                        .lease_ms      = rig->lease_ms,
                        .instance      = rig->instance,
                        .secrets       = rig->secrets,
                        .backup_folder = rig->backup_folder,
                        .breakers      = rig->breakers};
    log_set_level(LOG_ERROR);
    if (is_durable) {
        (void)snprintf(rig->folder, sizeof rig->folder, "/tmp/tutti-rig-XXXXXX");
        char *made = mkdtemp(rig->folder);
        ASSERT(made);
    }
    start(rig);
}

static int remove_one(const char *path, const struct stat *, int, struct FTW *)
{
    return remove(path);
}

void rig_done(struct rig *rig)
{
    rig_stop(rig);
    for (size_t i = 0; i < rig->answer_count; i++) rpc_answer_free(rig->answers[i]);
    if (*rig->folder) (void)nftw(rig->folder, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

void rig_restart(struct rig *rig)
{
    rig_stop(rig);
    rig_resume(rig);
}

void rig_resume(struct rig *rig)
{
    ASSERT(*rig->folder); /* a scheduler in memory has forgotten everything */
    start(rig);
}

/* --- questions ---------------------------------------------------------------------------------
 */

const void *rig_ask(struct rig *rig, const struct question *question)
{
    char request_id[32];
    (void)snprintf(request_id, sizeof request_id, "rig-%llu", (unsigned long long)++rig->calls);
    const struct rpc_request request = {
        .service        = question->service,
        .method         = question->method,
        .message        = question->message,
        .partition      = question->partition,
        .timeout_ms     = RIG_WAIT_MS,
        .wait_for_ready = true,
        .namespace      = str_from(question->namespace ? question->namespace : "*"),
        .request_id     = str_from(question->request_id ? question->request_id : request_id),
    };
    struct rpc_answer *answer = NULL;
    struct error error        = {};
    status code               = rpc_client_ask(rig->client, &request, &answer, &error);
    const char *found         = answer ? answer->error_code : "";
    bool is_expected          = code == question->expected;
    if (is_expected && question->code) is_expected = strcmp(found, question->code) == 0;
    if (!is_expected) {
        (void)fprintf(stderr, "%s: %s \"%s\" (%s), expected %s \"%s\"\n", question->method,
                      status_name(code), found, error.text, status_name(question->expected),
                      question->code ? question->code : "");
        abort();
    }
    ASSERT(rig->answer_count < RIG_ANSWERS_MAX);
    if (answer) rig->answers[rig->answer_count++] = answer;
    return code == STATUS_OK ? answer->message : NULL;
}

const void *rig_ask_runs(struct rig *rig, const char *method, const void *message, status expected,
                         const char *code)
{
    const struct question asked = {.service  = &pb__runs__descriptor,
                                   .method   = method,
                                   .message  = message,
                                   .expected = expected,
                                   .code     = code};
    return rig_ask(rig, &asked);
}

ProtobufCBinaryData rig_bytes(const char *text)
{
    union {
        const char *read;
        uint8_t *data;
    } pointer = {.read = text};
    return (ProtobufCBinaryData){.len = text ? strlen(text) : 0, .data = pointer.data};
}

void rig_put_text(struct rig *rig, const char *definition)
{
    Pb__PutWorkflow message     = PB__PUT_WORKFLOW__INIT;
    message.definition          = rig_bytes(definition);
    const struct question asked = {
        .service = &pb__workflows__descriptor, .method = "Put", .message = &message};
    (void)rig_ask(rig, &asked);
}

void rig_put(struct rig *rig, const char *name, const char *tasks)
{
    struct buf text = buf_init(64 << 10);
    (void)buf_printf(&text,
                     "document: {dsl: 1.0.3, namespace: default, name: %s, version: 1.0.0}\n"
                     "do:\n%s",
                     name, tasks);
    rig_put_text(rig, text.ptr);
    buf_done(&text);
}

const Pb__StartedRun *rig_start(struct rig *rig, const char *workflow, const char *input)
{
    Pb__StartRun message        = PB__START_RUN__INIT;
    message.workflow            = workflow;
    message.input_json          = rig_bytes(input);
    const struct question asked = {
        .service = &pb__runs__descriptor, .method = "Start", .message = &message};
    return rig_ask(rig, &asked);
}

const char *rig_start_as(struct rig *rig, const Pb__StartRun *message)
{
    str client                  = str_from(message->client_id);
    const struct question asked = {
        .service   = &pb__runs__descriptor,
        .method    = "Start",
        .message   = message,
        .partition = partition_of_text(str_from("default"), client, rig->partitions)};
    const Pb__StartedRun *started = rig_ask(rig, &asked);
    return started->run->id;
}

const Pb__RunView *rig_get(struct rig *rig, const char *run)
{
    Pb__GetRun message = PB__GET_RUN__INIT;
    message.id         = run;
    message.full       = true;
    return rig_ask_runs(rig, "Get", &message, STATUS_OK, NULL);
}

void rig_cancel(struct rig *rig, const char *run)
{
    Pb__CancelRun message = PB__CANCEL_RUN__INIT;
    message.id            = run;
    (void)rig_ask_runs(rig, "Cancel", &message, STATUS_OK, NULL);
}

void rig_wait_for(struct rig *rig, const char *run, Pb__RunStatus wanted)
{
    uint64_t after   = 0;
    int64_t until_ms = clock_mono_ms() + RIG_WAIT_MS;
    for (;;) {
        Pb__ReadHistory message     = PB__READ_HISTORY__INIT;
        message.id                  = run;
        message.after               = after;
        message.wait_ms             = 5'000;
        const struct question asked = {
            .service = &pb__runs__descriptor, .method = "History", .message = &message};
        const Pb__RunHistory *history = rig_ask(rig, &asked);
        if (history->status == wanted) return;
        ASSERT(clock_mono_ms() < until_ms);
        after = history->last_sequence;
    }
}

void rig_forget(struct rig *rig)
{
    ASSERT(rig->answer_count > 0);
    rpc_answer_free(rig->answers[--rig->answer_count]);
}

void rig_pause(void)
{
    const struct timespec moment = {.tv_nsec = 2'000'000};
    (void)nanosleep(&moment, NULL);
}

void rig_wait_for_run(struct rig *rig, const char *run)
{
    Pb__GetRun message               = PB__GET_RUN__INIT;
    message.id                       = run;
    const struct rpc_request request = {
        .service        = &pb__runs__descriptor,
        .method         = "Get",
        .message        = &message,
        .timeout_ms     = RIG_WAIT_MS,
        .wait_for_ready = true,
        .namespace      = str_from("*"),
    };
    int64_t until_ms = clock_mono_ms() + RIG_WAIT_MS;
    status code      = STATUS_NOT_FOUND;
    while (code != STATUS_OK) {
        struct rpc_answer *answer = NULL;
        ASSERT(clock_mono_ms() < until_ms);
        code = rpc_client_ask(rig->client, &request, &answer, NULL);
        rpc_answer_free(answer);
    }
}

void rig_wait_for_event(struct rig *rig, const char *run, const char *type)
{
    uint64_t after   = 0;
    int64_t until_ms = clock_mono_ms() + RIG_WAIT_MS;
    for (;;) {
        Pb__ReadHistory message     = PB__READ_HISTORY__INIT;
        message.id                  = run;
        message.after               = after;
        message.wait_ms             = 5'000;
        const struct question asked = {
            .service = &pb__runs__descriptor, .method = "History", .message = &message};
        const Pb__RunHistory *history = rig_ask(rig, &asked);
        for (size_t i = 0; i < history->n_events; i++) {
            after = history->events[i]->sequence;
            if (strcmp(history->events[i]->type, type) == 0) return;
        }
        ASSERT(clock_mono_ms() < until_ms);
    }
}

static const Pb__LeasedJob *lease(struct rig *rig, const char *queue, uint32_t wait_ms,
                                  uint16_t partition)
{
    const char *queues[]         = {queue};
    Pb__LeaseJobs message        = PB__LEASE_JOBS__INIT;
    message.queues               = queues;
    message.n_queues             = 1;
    message.worker               = "w";
    message.kind                 = "external";
    message.count_max            = 1;
    message.wait_ms              = wait_ms;
    message.lease_ms             = rig->lease_ms;
    message.instance             = rig->instance;
    const struct question asked  = {.service   = &pb__jobs__descriptor,
                                    .method    = "Lease",
                                    .message   = &message,
                                    .partition = partition};
    const Pb__LeasedJobs *leased = rig_ask(rig, &asked);
    return leased->n_jobs > 0 ? leased->jobs[0] : NULL;
}

const Pb__LeasedJob *rig_lease(struct rig *rig, const char *queue, uint32_t wait_ms)
{
    return lease(rig, queue, wait_ms, 0);
}

const Pb__LeasedJob *rig_lease_of(struct rig *rig, const char *queue, uint16_t partition)
{
    return lease(rig, queue, 0, partition);
}

const Pb__LeasedJob *rig_lease_any(struct rig *rig, const char *queue)
{
    for (uint16_t i = 0; i < rig->partitions; i++) {
        const Pb__LeasedJob *job = rig_lease_of(rig, queue, i);
        if (job) return job;
        rig_forget(rig);
    }
    return NULL;
}

const Pb__LeasedJob *rig_lease_soon(struct rig *rig, const char *queue)
{
    const Pb__LeasedJob *job = NULL;
    int64_t until_ms         = clock_mono_ms() + RIG_WAIT_MS;
    while (!(job = rig_lease_any(rig, queue)) && clock_mono_ms() < until_ms) rig_pause();
    ASSERT(job);
    return job;
}

uint32_t rig_report(struct rig *rig, const Pb__LeasedJob *job, Pb__JobReport *report)
{
    report->job                          = job->id;
    report->lease_token                  = job->lease_token;
    Pb__JobReport *list[]                = {report};
    Pb__JobReports message               = PB__JOB_REPORTS__INIT;
    message.worker                       = "w";
    message.reports                      = list;
    message.n_reports                    = 1;
    const struct question asked          = {.service   = &pb__jobs__descriptor,
                                            .method    = "Report",
                                            .message   = &message,
                                            .partition = id_partition(str_from(job->id))};
    const Pb__JobReportAnswers *answered = rig_ask(rig, &asked);
    ASSERT(answered->n_reports == 1);
    ASSERT(strcmp(answered->reports[0]->job, job->id) == 0);
    return answered->reports[0]->status;
}

uint32_t rig_complete(struct rig *rig, const Pb__LeasedJob *job, const char *output)
{
    Pb__JobCompleted completed = PB__JOB_COMPLETED__INIT;
    Pb__JobReport report       = PB__JOB_REPORT__INIT;
    completed.output_json      = rig_bytes(output);
    report.result_case         = PB__JOB_REPORT__RESULT_COMPLETED;
    report.completed           = &completed;
    return rig_report(rig, job, &report);
}

uint32_t rig_fail(struct rig *rig, const Pb__LeasedJob *job, Pb__JobFailed *failed)
{
    Pb__JobReport report = PB__JOB_REPORT__INIT;
    report.result_case   = PB__JOB_REPORT__RESULT_FAILED;
    report.failed        = failed;
    return rig_report(rig, job, &report);
}

const Pb__QueueView *rig_queue(struct rig *rig, const char *name)
{
    Pb__ListQueues message      = PB__LIST_QUEUES__INIT;
    message.name                = name;
    const struct question asked = {
        .service = &pb__system__descriptor, .method = "Queues", .message = &message};
    const Pb__QueueList *list = rig_ask(rig, &asked);
    ASSERT(list->n_queues == 1);
    return list->queues[0];
}
