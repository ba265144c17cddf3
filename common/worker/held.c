/* Jobs under way, from their lease until their report is taken. */
#include "base/assert.h"
#include "base/log.h"
#include "base/mem.h"
#include "worker/worker_internal.h"

#include <stdlib.h>

enum {
    RETRY_MS_MAX    = 5'000,    /* the pause between two tries of a report doubles up to this */
    REPORT_SIZE_MAX = 17 << 20, /* bytes of one packed report */
};

static void send_report(struct held *held);

void held_free(struct held *held)
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

struct held *held_new(struct worker *worker, struct batch *batch, uint16_t partition,
                      const Pb__LeasedJob *leased)
{
    struct held *held   = mem_new(1, sizeof *held);
    held->public.leased = leased;
    held->worker        = worker;
    held->batch         = batch;
    held->partition     = partition;
    held->retry_ms      = WORKER_RETRY_MS;
    held->retry         = (struct loop_timer){.fire = on_report_retry, .context = held};
    held->next          = worker->jobs;
    if (held->next) held->next->previous = held;
    worker->jobs = held;
    worker->busy++;
    batch->references++;
    return held;
}

/* --- reports -----------------------------------------------------------------------------------
 */

static void report_later(struct held *held)
{
    struct worker *worker = held->worker;
    if (worker->is_stopped) return;
    if (worker_now_ms(worker) >= held->report_until_ms) {
        log_write(LOG_ERROR, "nobody took the result of a job; it will be done again",
                  LOG_STR("job", str_from(held->public.leased->id)),
                  LOG_STR("run", str_from(held->public.leased->run)));
        held_free(held);
        worker_poll_all(worker);
        return;
    }
    loop_timer_set(worker->options.loop, &held->retry, worker_now_ms(worker) + held->retry_ms);
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
    /* CANCELLED is said by our own client while it closes: nobody has refused anything. */
    bool is_final = code != STATUS_CANCELLED && !status_is_transient(code);
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
    worker_poll_all(worker);
}

static void send_report(struct held *held)
{
    struct rpc_request request = {
        .service = &pb__jobs__descriptor,
        .method  = "Report",
        /* At the first moment: a restarted scheduler soon offers the job to others. */
        .wait_for_ready = true,
        .message        = held->report,
        .partition      = held->partition};
    if (!worker_call(held->worker, &request, on_reported, held, NULL)) report_later(held);
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
    held->report_until_ms  = worker_now_ms(held->worker) + WORKER_REPORT_MS;
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

void worker_hand_back(struct worker_job *job, const Pb__JobReleased *released)
{
    Pb__JobReport report = PB__JOB_REPORT__INIT;
    report.result_case   = PB__JOB_REPORT__RESULT_RELEASED;
    report.released      = (Pb__JobReleased *)(uintptr_t)released;
    end_job(job, &report);
}

void worker_release(struct worker_job *job, int64_t not_before_us, const char *reason)
{
    Pb__JobReleased released = PB__JOB_RELEASED__INIT;
    released.not_before_us   = not_before_us;
    released.reason          = reason;
    worker_hand_back(job, &released);
}
