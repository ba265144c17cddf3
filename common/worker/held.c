/* Jobs under way, from their lease until they have ended and their report is taken. */
#include "base/assert.h"
#include "base/mem.h"
#include "worker/worker_internal.h"

#include <stdlib.h>

enum { REPORT_SIZE_MAX = 17 << 20 /* bytes of one packed report */ };

void held_free(struct held *held)
{
    struct worker *worker = held->worker;
    checkpoint_forget(held);
    draw_forget(held);
    if (held->previous) held->previous->next = held->next;
    if (held->next) held->next->previous = held->previous;
    if (worker->jobs == held) worker->jobs = held->next;
    worker->busy--;
    loop_timer_clear(worker->options.loop, &held->retry);
    free(held->report);
    free(held->progress);
    leased_unref(held->batch);
    free(held);
}

void leased_unref(struct batch *batch)
{
    if (--batch->references > 0) return;
    rpc_answer_free(batch->answer);
    free(batch);
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
    held->retry         = (struct loop_timer){.fire = held_report_again, .context = held};
    held->next          = worker->jobs;
    if (held->next) held->next->previous = held;
    worker->jobs = held;
    worker->busy++;
    batch->references++;
    return held;
}

/* --- the end -----------------------------------------------------------------------------------
 */

/* Packed, so that nothing of the service's needs to live until the report is taken. */
static void end_job(struct worker_job *job, Pb__JobReport *report)
{
    struct held *held = (struct held *)job;
    ASSERT(!held->is_ended);
    held->is_ended = true;
    checkpoint_forget(held);
    draw_forget(held);
    report->job            = job->leased->id;
    report->lease_token    = job->leased->lease_token;
    report->writes         = job->writes;
    report->n_writes       = job->write_count;
    Pb__JobReports message = PB__JOB_REPORTS__INIT;
    message.reports        = &report;
    message.n_reports      = 1;
    held->report_size      = pb__job_reports__get_packed_size(&message);
    held->report           = mem_new(1, held->report_size);
    held->report_until_ms  = worker_now_ms(held->worker) + WORKER_REPORT_MS;
    (void)pb__job_reports__pack(&message, held->report);
    held_report(held);
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
