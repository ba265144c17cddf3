/* Jobs of the users' own workers: read, heartbeat, complete, fail, release. */
#include "base/assert.h"
#include "base/clock.h"
#include "gateway/api/view.h"
#include "gateway/handlers/handlers.h"
#include "gateway/runs/job_wire.h"
#include "json/json_text.h"

/* --- read ---------------------------------------------------------------------------------------
 */

static void on_job(struct api_call *call, const struct rpc_answer *answer)
{
    const Pb__JobView *view  = answer->message;
    const Pb__LeasedJob *job = view->job;
    struct api_answer response;
    api_answer_begin(&response, call);
    struct json_writer *w = &response.json;
    json_begin_object(w);
    json_put_text(w, "id", str_from(job->id));
    json_put_text(w, "queue", str_from(job->queue));
    json_put_text(w, "function", str_from(job->function));
    json_put_text(w, "run", str_from(job->run));
    json_put_text(w, "workflow", str_from(job->workflow));
    json_put_text(w, "task", str_from(job->task));
    if (*job->iteration) json_put_text(w, "iteration", str_from(job->iteration));
    json_put_text(w, "state", str_from(view->state));
    json_put_int(w, "attempt", job->attempt);
    if (job->attempts_max > 0) json_put_int(w, "max_attempts", job->attempts_max);
    json_put_int(w, "priority", job->priority);
    if (view->queued_us > 0) json_put_time(w, "created_at", view->queued_us);
    if (view->due_us > 0) json_put_time(w, "due_at", view->due_us);
    if (*view->holder) json_put_text(w, "worker", str_from(view->holder));
    if (view->lease_expires_us > 0) json_put_time(w, "lease_expires_at", view->lease_expires_us);
    view_json_if(w, "error", view->error_json);
    view_json_if(w, "progress", view->progress_json);
    json_end_object(w);
    api_answer_send(&response, 200, NULL);
}

void jobs_get(struct api_call *call)
{
    Pb__GetJob message = PB__GET_JOB__INIT;
    message.namespace_ = api_namespace(call);
    message.id         = api_text(call, call->params[0]);
    api_ask_owner(call, &pb__jobs__descriptor, "Get", &message, on_job);
}

/* --- cancel ------------------------------------------------------------------------------------
 */

static void on_cancelled(struct api_call *call, const struct rpc_answer *answer)
{
    const Pb__CancelledJob *result = answer->message;
    struct api_answer response;
    api_answer_begin(&response, call);
    json_begin_object(&response.json);
    json_put_text(&response.json, "run", str_from(result->run));
    json_end_object(&response.json);
    api_answer_send(&response, 202, NULL);
}

void jobs_cancel(struct api_call *call)
{
    if (!api_make_repeatable(call)) return;
    Pb__CancelJob message = PB__CANCEL_JOB__INIT;
    message.namespace_    = api_namespace(call);
    message.id            = api_text(call, call->params[0]);
    message.reason        = api_member(call, call->body, "reason");
    api_ask_owner(call, &pb__jobs__descriptor, "Cancel", &message, on_cancelled);
}

/* --- heartbeat ----------------------------------------------------------------------------------
 */

static void fail_lost(struct api_call *call)
{
    api_fail_with(call, "lease_lost", (str){},
                  "the job was leased anew, or is over: stop, and throw the result away");
}

static void on_beaten(struct api_call *call, const struct rpc_answer *answer)
{
    const Pb__HeartbeatAnswers *answers = answer->message;
    const Pb__HeartbeatAnswer *job      = answers->n_jobs > 0 ? answers->jobs[0] : NULL;
    if (!job || (job->status != 0 && !job->cancel)) {
        fail_lost(call);
        return;
    }
    struct api_answer response;
    api_answer_begin(&response, call);
    json_begin_object(&response.json);
    /* One that was cancelled has no lease any more. */
    int64_t expires_us = job->status == 0 ? job->lease_expires_us : clock_unix_us();
    json_put_time(&response.json, "lease_expires_at", expires_us);
    json_put_bool(&response.json, "cancel_requested", job->cancel);
    json_end_object(&response.json);
    api_answer_send(&response, 200, NULL);
}

static bool member_print(struct api_call *call, const char *key, struct buf *out,
                         ProtobufCBinaryData *ret_data)
{
    if (!api_print(call, json_get_text(call->body, key), out)) return false;
    *ret_data = (ProtobufCBinaryData){.len = out->len, .data = (uint8_t *)out->ptr};
    return true;
}

enum { CHECKPOINT_MAX = 256 << 10, PROGRESS_MAX = 4 << 10 /* bytes */ };

#define EXTEND_US_MIN INT64_C(1'000'000)
#define EXTEND_US_MAX INT64_C(3'600'000'000) /* as the scheduler's LEASE_MS_MAX */

/* How long the lease is to be from now on; false: the call has been answered. */
static bool extend_read(struct api_call *call, uint32_t *ret_ms)
{
    json extend       = json_get_text(call->body, "extend");
    int64_t extend_us = 0;
    if (json_is(extend, JSON_INVALID)) return true;
    bool is_read = duration_parse(json_str(extend), &extend_us);
    if (!is_read || extend_us < EXTEND_US_MIN || extend_us > EXTEND_US_MAX) {
        api_fail_with(call, "invalid_request", (str){}, "extend: a duration from `1s` to `1h`");
        return false;
    }
    *ret_ms = (uint32_t)(extend_us / 1000);
    return true;
}

void jobs_heartbeat(struct api_call *call)
{
    struct job_token token = {};
    if (!job_token_read(call, json_str(json_get_text(call->body, "lease_token")), &token)) {
        fail_lost(call);
        return;
    }
    CLEANUP(buf_done) struct buf checkpoint = buf_init(CHECKPOINT_MAX);
    CLEANUP(buf_done) struct buf progress   = buf_init(PROGRESS_MAX);
    Pb__Heartbeat beat                      = PB__HEARTBEAT__INIT;
    beat.job                                = api_text(call, call->params[0]);
    beat.lease_token                        = token.token;
    if (!member_print(call, "checkpoint", &checkpoint, &beat.checkpoint_json) ||
        !member_print(call, "progress", &progress, &beat.progress_json) ||
        !extend_read(call, &beat.extend_ms)) {
        return;
    }
    Pb__Heartbeat *list[]  = {&beat};
    Pb__Heartbeats message = PB__HEARTBEATS__INIT;
    message.worker         = token.worker;
    message.jobs           = list;
    message.n_jobs         = 1;
    api_ask_owner(call, &pb__jobs__descriptor, "Heartbeat", &message, on_beaten);
}

/* --- results ------------------------------------------------------------------------------------
 */

static void on_reported(struct api_call *call, const struct rpc_answer *answer)
{
    const Pb__JobReportAnswers *answers = answer->message;
    if (answers->n_reports == 0 || answers->reports[0]->status != 0) {
        fail_lost(call);
        return;
    }
    struct api_answer response;
    api_answer_begin(&response, call);
    json_begin_object(&response.json);
    json_put_text(&response.json, "job", str_from(answers->reports[0]->job));
    json_end_object(&response.json);
    api_answer_send(&response, 200, NULL);
}

static void report(struct api_call *call, enum job_result result)
{
    Pb__JobReport one     = PB__JOB_REPORT__INIT;
    Pb__JobReport *list[] = {&one};
    const char *worker    = NULL;
    const char *job       = api_text(call, call->params[0]);
    if (!job_report_read(call, call->body, result, job, &one, &worker)) return;
    job_reports_send(call, api_partition_of(call, call->params[0]), worker, list, 1, on_reported,
                     NULL);
}

void jobs_complete(struct api_call *call)
{
    report(call, JOB_RESULT_OUTPUT);
}

void jobs_fail(struct api_call *call)
{
    report(call, JOB_RESULT_ERROR);
}

void jobs_release(struct api_call *call)
{
    report(call, JOB_RESULT_RELEASED);
}
