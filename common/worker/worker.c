#include "worker/worker.h"

#include "base/assert.h"
#include "base/id.h"
#include "base/log.h"
#include "base/mem.h"
#include "system.pb-c.h"

#include <stdio.h>
#include <stdlib.h>

enum {
    PARTITIONS_MAX  = 1'024,
    RETRY_MS        = 200,      /* after a failed poll or report */
    RETRY_MS_MAX    = 5'000,    /* it doubles up to this */
    REPORT_SIZE_MAX = 17 << 20, /* bytes of one packed report */
};

/* Jobs of one answer live in its memory; the last of them frees it. */
struct batch {
    struct rpc_answer *answer; /* owned */
    uint32_t references;
};

struct held {
    struct worker_job public; /* first: the service's pointer is ours */
    struct worker *worker;
    struct batch *batch;
    uint16_t partition;
    bool is_ended;          /* its report is under way */
    bool is_cancelled;      /* the service was told */
    Pb__JobReports *report; /* a copy of what the service said; owned */
    int64_t report_until_ms;
    int64_t retry_ms;
    struct loop_timer retry;
    struct held *previous, *next;
};

struct poll {
    struct worker *worker;
    uint16_t partition;
    bool is_parked;
    uint64_t call; /* names it for rpc_client_cancel() */
    struct loop_timer retry;
};

struct worker {
    struct worker_options options;
    char name[WORKER_NAME_MAX + 1];
    const char *queues[WORKER_QUEUES_MAX + 1];
    size_t queue_count;
    struct poll *polls; /* one per partition; NULL before the topology is known */
    uint32_t partitions;
    struct held *jobs;
    uint32_t busy;
    bool is_draining;
    struct loop_timer topology;
    struct loop_timer heartbeat;
};

static void poll_start(struct poll *poll);
static void send_report(struct held *held);

static int64_t now_ms(const struct worker *worker)
{
    return loop_now_ms(worker->options.loop);
}

/* A lease lasts three heartbeats. */
static int64_t heartbeat_at_ms(const struct worker *worker)
{
    return now_ms(worker) + worker->options.lease_ms / 3;
}

static void call(struct worker *worker, const struct rpc_request *request, uint64_t *ret_call,
                 bool *ret_sent)
{
    *ret_sent = rpc_client_call(worker->options.scheduler, request, ret_call, NULL) == STATUS_OK;
}

/* Answers come on the library's threads; the loop is where they are used. */
struct arrival {
    void (*use)(struct rpc_answer *answer, void *context); /* takes the answer */
    void *context;
    struct loop *loop;
    struct rpc_answer *answer;
};

static void on_arrived(void *context)
{
    struct arrival *arrival = context;
    arrival->use(arrival->answer, arrival->context);
    free(arrival);
}

static void on_answer(const struct rpc_answer *answer, void *context)
{
    struct arrival *arrival = context;
    arrival->answer         = rpc_answer_keep(answer);
    if (loop_post(arrival->loop, on_arrived, arrival) == STATUS_OK) return;
    rpc_answer_free(arrival->answer); /* the loop has stopped: the process is about to end */
    free(arrival);
}

static struct arrival *arrival_new(struct worker *worker, void (*use)(struct rpc_answer *, void *),
                                   void *context)
{
    struct arrival *arrival = mem_new(1, sizeof *arrival);
    *arrival = (struct arrival){.use = use, .context = context, .loop = worker->options.loop};
    return arrival;
}

/* --- jobs --------------------------------------------------------------------------------------
 */

static void held_free(struct held *held)
{
    struct worker *worker = held->worker;
    if (held->previous) held->previous->next = held->next;
    if (held->next) held->next->previous = held->previous;
    if (worker->jobs == held) worker->jobs = held->next;
    worker->busy--;
    loop_timer_clear(worker->options.loop, &held->retry);
    if (held->report) pb__job_reports__free_unpacked(held->report, NULL);
    if (--held->batch->references == 0) {
        rpc_answer_free(held->batch->answer);
        free(held->batch);
    }
    free(held);
}

static void on_report_retry(void *context)
{
    send_report(context);
}

static struct held *held_new(struct worker *worker, struct batch *batch, uint16_t partition,
                             const Pb__LeasedJob *leased)
{
    struct held *held   = mem_new(1, sizeof *held);
    held->public.leased = leased;
    held->worker        = worker;
    held->batch         = batch;
    held->partition     = partition;
    held->retry_ms      = RETRY_MS;
    held->retry         = (struct loop_timer){.fire = on_report_retry, .context = held};
    held->next          = worker->jobs;
    if (held->next) held->next->previous = held;
    worker->jobs = held;
    worker->busy++;
    batch->references++;
    return held;
}

/* --- polls -------------------------------------------------------------------------------------
 */

/* Every partition gets its share, so that one with much work does not starve the others. */
static uint32_t free_slots(const struct worker *worker)
{
    uint32_t slots = worker->options.slots;
    uint32_t left  = slots > worker->busy ? slots - worker->busy : 0;
    uint32_t share = slots / worker->partitions > 0 ? slots / worker->partitions : 1;
    return left < share ? left : share;
}

static void poll_all(struct worker *worker)
{
    for (uint32_t i = 0; i < worker->partitions; i++) poll_start(&worker->polls[i]);
}

static void on_poll_retry(void *context)
{
    poll_start(context);
}

static void poll_later(struct poll *poll)
{
    struct worker *worker = poll->worker;
    loop_timer_set(worker->options.loop, &poll->retry, now_ms(worker) + RETRY_MS);
}

static void take_jobs(struct poll *poll, struct rpc_answer *answer)
{
    struct worker *worker      = poll->worker;
    const Pb__LeasedJobs *jobs = answer->message;
    struct batch *batch        = mem_new(1, sizeof *batch);
    *batch                     = (struct batch){.answer = answer, .references = 1};
    for (size_t i = 0; i < jobs->n_jobs; i++) {
        struct held *held = held_new(worker, batch, poll->partition, jobs->jobs[i]);
        worker->options.run(&held->public, worker->options.context);
    }
    if (--batch->references == 0) {
        rpc_answer_free(answer);
        free(batch);
    }
}

static void on_leased(struct rpc_answer *answer, void *context)
{
    struct poll *poll = context;
    poll->is_parked   = false;
    if (answer->code == STATUS_OK) {
        take_jobs(poll, answer);
        poll_start(poll);
        return;
    }
    /* A poll that was given up for a larger one is CANCELLED and starts again at once. */
    bool is_quick = answer->code == STATUS_CANCELLED || answer->code == STATUS_DEADLINE_EXCEEDED;
    rpc_answer_free(answer);
    if (is_quick) {
        poll_start(poll);
    } else {
        poll_later(poll);
    }
}

static void poll_start(struct poll *poll)
{
    struct worker *worker = poll->worker;
    if (worker->is_draining || poll->is_parked || loop_timer_is_set(&poll->retry)) return;
    uint32_t slots = free_slots(worker);
    if (slots == 0) return; /* the end of a job starts it again */

    Pb__LeaseJobs message            = PB__LEASE_JOBS__INIT;
    message.queues                   = worker->queues;
    message.n_queues                 = worker->queue_count;
    message.worker                   = worker->name;
    message.kind                     = worker->options.kind;
    message.count_max                = slots < 100 ? slots : 100;
    message.wait_ms                  = WORKER_POLL_MS;
    message.lease_ms                 = worker->options.lease_ms;
    message.slots                    = worker->options.slots;
    struct arrival *arrival          = arrival_new(worker, on_leased, poll);
    const struct rpc_request request = {.service    = &pb__jobs__descriptor,
                                        .method     = "Lease",
                                        .message    = &message,
                                        .partition  = poll->partition,
                                        .timeout_ms = WORKER_POLL_MS + RPC_LONG_SLACK_MS,
                                        .done       = on_answer,
                                        .context    = arrival};
    call(worker, &request, &poll->call, &poll->is_parked);
    if (poll->is_parked) return;
    free(arrival);
    poll_later(poll);
}

/* --- topology ----------------------------------------------------------------------------------
 */

static void make_polls(struct worker *worker, uint32_t partitions)
{
    worker->partitions = partitions;
    worker->polls      = mem_new(partitions, sizeof *worker->polls);
    for (uint32_t i = 0; i < partitions; i++) {
        struct poll *poll = &worker->polls[i];
        poll->worker      = worker;
        poll->partition   = (uint16_t)i;
        poll->retry       = (struct loop_timer){.fire = on_poll_retry, .context = poll};
    }
}

static void on_topology(struct rpc_answer *answer, void *context)
{
    struct worker *worker = context;
    bool is_known         = answer->code == STATUS_OK;
    if (is_known && !worker->polls) {
        const Pb__TopologyView *view = answer->message;
        uint32_t count               = view->partition_count;
        make_polls(worker, count < 1 ? 1 : count > PARTITIONS_MAX ? PARTITIONS_MAX : count);
        if (worker->options.ready) worker->options.ready(worker->options.context);
        poll_all(worker);
    }
    rpc_answer_free(answer);
    if (is_known) return;
    loop_timer_set(worker->options.loop, &worker->topology, now_ms(worker) + RETRY_MS);
}

static void ask_topology(void *context)
{
    struct worker *worker            = context;
    Pb__TopologyRequest message      = PB__TOPOLOGY_REQUEST__INIT;
    struct arrival *arrival          = arrival_new(worker, on_topology, worker);
    const struct rpc_request request = {.service = &pb__system__descriptor,
                                        .method  = "Topology",
                                        .message = &message,
                                        .done    = on_answer,
                                        .context = arrival};
    bool is_sent                     = false;
    call(worker, &request, NULL, &is_sent);
    if (is_sent) return;
    free(arrival);
    loop_timer_set(worker->options.loop, &worker->topology, now_ms(worker) + RETRY_MS);
}

/* --- heartbeats --------------------------------------------------------------------------------
 */

static void cancel_job(struct worker *worker, str id)
{
    for (struct held *held = worker->jobs; held; held = held->next) {
        if (!str_is(id, held->public.leased->id)) continue;
        if (held->is_ended || held->is_cancelled) return;
        held->is_cancelled = true;
        worker->options.cancel(&held->public, worker->options.context);
        return;
    }
}

static void on_heartbeat(struct rpc_answer *answer, void *context)
{
    struct worker *worker = context;
    if (answer->code == STATUS_OK) {
        const Pb__HeartbeatAnswers *answers = answer->message;
        for (size_t i = 0; i < answers->n_jobs; i++) {
            const Pb__HeartbeatAnswer *job = answers->jobs[i];
            if (job->cancel || job->status == STATUS_FAILED_PRECONDITION) {
                cancel_job(worker, str_from(job->job));
            }
        }
    }
    rpc_answer_free(answer);
}

static size_t collect_beats(struct worker *worker, uint16_t partition, Pb__Heartbeat *beats,
                            Pb__Heartbeat **list)
{
    size_t count = 0;
    for (struct held *held = worker->jobs; held; held = held->next) {
        if (held->partition != partition || held->is_ended) continue;
        pb__heartbeat__init(&beats[count]);
        beats[count].job         = held->public.leased->id;
        beats[count].lease_token = held->public.leased->lease_token;
        list[count]              = &beats[count];
        count++;
    }
    return count;
}

static void beat_partition(struct worker *worker, uint16_t partition)
{
    if (worker->busy == 0) return;
    Pb__Heartbeat *beats = mem_new(worker->busy, sizeof *beats);
    Pb__Heartbeat **list = mem_new(worker->busy, sizeof *list);

    Pb__Heartbeats message           = PB__HEARTBEATS__INIT;
    message.worker                   = worker->name;
    message.jobs                     = list;
    message.n_jobs                   = collect_beats(worker, partition, beats, list);
    struct arrival *arrival          = arrival_new(worker, on_heartbeat, worker);
    const struct rpc_request request = {.service   = &pb__jobs__descriptor,
                                        .method    = "Heartbeat",
                                        .message   = &message,
                                        .partition = partition,
                                        .done      = on_answer,
                                        .context   = arrival};
    bool is_sent                     = false;
    if (message.n_jobs > 0) call(worker, &request, NULL, &is_sent);
    if (!is_sent) free(arrival); /* the next one is soon enough: a lease lasts three of them */
    free(list);
    free(beats);
}

static void beat(void *context)
{
    struct worker *worker = context;
    for (uint32_t i = 0; i < worker->partitions; i++) beat_partition(worker, (uint16_t)i);
    loop_timer_set(worker->options.loop, &worker->heartbeat, heartbeat_at_ms(worker));
}

/* --- reports -----------------------------------------------------------------------------------
 */

static void report_later(struct held *held)
{
    struct worker *worker = held->worker;
    if (now_ms(worker) >= held->report_until_ms) {
        log_write(LOG_ERROR, "nobody took the result of a job; it will be done again",
                  LOG_STR("job", str_from(held->public.leased->id)),
                  LOG_STR("run", str_from(held->public.leased->run)));
        held_free(held);
        poll_all(worker);
        return;
    }
    loop_timer_set(worker->options.loop, &held->retry, now_ms(worker) + held->retry_ms);
    held->retry_ms = held->retry_ms * 2 < RETRY_MS_MAX ? held->retry_ms * 2 : RETRY_MS_MAX;
}

static void on_reported(struct rpc_answer *answer, void *context)
{
    struct held *held     = context;
    struct worker *worker = held->worker;
    status code           = answer->code;
    if (code == STATUS_OK) {
        const Pb__JobReportAnswers *answers = answer->message;
        uint32_t result = answers->n_reports == 1 ? answers->reports[0]->status : STATUS_INTERNAL;
        if (result != STATUS_OK && !held->is_cancelled) {
            log_write(LOG_WARN, "the result of a job came too late",
                      LOG_STR("job", str_from(held->public.leased->id)),
                      LOG_STR("run", str_from(held->public.leased->run)));
        }
    }
    bool is_final = code == STATUS_OK || !status_is_transient(code);
    if (is_final && code != STATUS_OK) {
        log_write(LOG_ERROR, "the scheduler refused the result of a job",
                  LOG_STR("job", str_from(held->public.leased->id)),
                  LOG_STR("error.message", str_from(answer->detail)));
    }
    rpc_answer_free(answer);
    if (!is_final) {
        report_later(held);
        return;
    }
    held_free(held);
    poll_all(worker);
}

static void send_report(struct held *held)
{
    struct worker *worker            = held->worker;
    struct arrival *arrival          = arrival_new(worker, on_reported, held);
    const struct rpc_request request = {.service   = &pb__jobs__descriptor,
                                        .method    = "Report",
                                        .message   = held->report,
                                        .partition = held->partition,
                                        .done      = on_answer,
                                        .context   = arrival};
    bool is_sent                     = false;
    call(worker, &request, NULL, &is_sent);
    if (is_sent) return;
    free(arrival);
    report_later(held);
}

/* A deep copy, so that nothing of the service's needs to live until the report is taken. */
static Pb__JobReports *copy_report(const Pb__JobReports *message)
{
    size_t size     = pb__job_reports__get_packed_size(message);
    uint8_t *packed = mem_new(1, size);
    (void)pb__job_reports__pack(message, packed);
    Pb__JobReports *copy = pb__job_reports__unpack(NULL, size, packed);
    free(packed);
    ASSERT(copy); /* it was ours */
    return copy;
}

static void end_job(struct worker_job *job, Pb__JobReport *report)
{
    struct held *held = (struct held *)job;
    ASSERT(!held->is_ended);
    held->is_ended         = true;
    report->job            = job->leased->id;
    report->lease_token    = job->leased->lease_token;
    Pb__JobReports message = PB__JOB_REPORTS__INIT;
    message.worker         = held->worker->name;
    message.reports        = &report;
    message.n_reports      = 1;
    held->report           = copy_report(&message);
    held->report_until_ms  = now_ms(held->worker) + WORKER_REPORT_MS;
    send_report(held);
}

void worker_complete(struct worker_job *job, const Pb__JobCompleted *completed)
{
    if (completed->output_json.len > REPORT_SIZE_MAX) {
        static const char too_large[] =
            "{\"type\":\"https://serverlessworkflow.io/spec/1.0.0/errors/runtime\",\"status\":500,"
            "\"title\":\"The output is too large\"}";
        Pb__JobFailed failed = PB__JOB_FAILED__INIT;
        failed.error_json    = (ProtobufCBinaryData){.data = (uint8_t *)(uintptr_t)too_large,
                                                     .len  = sizeof too_large - 1};
        failed.usage         = completed->usage;
        worker_fail(job, &failed);
        return;
    }
    Pb__JobReport report = PB__JOB_REPORT__INIT;
    report.result_case   = PB__JOB_REPORT__RESULT_COMPLETED;
    report.completed     = (Pb__JobCompleted *)(uintptr_t)completed;
    end_job(job, &report);
}

void worker_fail(struct worker_job *job, const Pb__JobFailed *failed)
{
    Pb__JobReport report = PB__JOB_REPORT__INIT;
    report.result_case   = PB__JOB_REPORT__RESULT_FAILED;
    report.failed        = (Pb__JobFailed *)(uintptr_t)failed;
    end_job(job, &report);
}

void worker_release(struct worker_job *job, int64_t not_before_us, const char *reason)
{
    Pb__JobReleased released = PB__JOB_RELEASED__INIT;
    released.not_before_us   = not_before_us;
    released.reason          = reason;
    Pb__JobReport report     = PB__JOB_REPORT__INIT;
    report.result_case       = PB__JOB_REPORT__RESULT_RELEASED;
    report.released          = &released;
    end_job(job, &report);
}

/* --- life --------------------------------------------------------------------------------------
 */

struct worker *worker_new(const struct worker_options *options)
{
    ASSERT(options->slots >= 1 && options->slots <= WORKER_SLOTS_MAX);
    ASSERT(options->lease_ms > 0);
    struct worker *worker = mem_new(1, sizeof *worker);
    worker->options       = *options;
    (void)snprintf(worker->name, sizeof worker->name, "%s", options->name);
    while (options->queues[worker->queue_count]) {
        ASSERT(worker->queue_count < WORKER_QUEUES_MAX);
        worker->queues[worker->queue_count] = options->queues[worker->queue_count];
        worker->queue_count++;
    }
    worker->topology  = (struct loop_timer){.fire = ask_topology, .context = worker};
    worker->heartbeat = (struct loop_timer){.fire = beat, .context = worker};
    loop_timer_set(options->loop, &worker->topology, now_ms(worker));
    loop_timer_set(options->loop, &worker->heartbeat, heartbeat_at_ms(worker));
    return worker;
}

void worker_drain(struct worker *worker)
{
    worker->is_draining = true;
    for (uint32_t i = 0; i < worker->partitions; i++) {
        struct poll *poll = &worker->polls[i];
        loop_timer_clear(worker->options.loop, &poll->retry);
        if (poll->is_parked) rpc_client_cancel(worker->options.scheduler, poll->call);
    }
}

uint32_t worker_busy(const struct worker *worker)
{
    return worker->busy;
}

void worker_freep(struct worker **ref)
{
    struct worker *worker = *ref;
    if (!worker) return;
    while (worker->jobs) held_free(worker->jobs);
    for (uint32_t i = 0; i < worker->partitions; i++) {
        loop_timer_clear(worker->options.loop, &worker->polls[i].retry);
    }
    loop_timer_clear(worker->options.loop, &worker->topology);
    loop_timer_clear(worker->options.loop, &worker->heartbeat);
    free(worker->polls);
    free(worker);
    *ref = NULL;
}
