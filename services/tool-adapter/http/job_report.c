#include "tool-adapter/http/job_report.h"

#include "base/clock.h"
#include "json/json_text.h"

enum {
    TEXT_MAX = 16 << 20, /* bytes of an output or an error */
    HANDED_S = 900,      /* a job older than this is not handed back any more */
};

void job_report(struct worker_job *job, const struct http_job_result *result)
{
    CLEANUP(buf_done) struct buf text = buf_init(TEXT_MAX);
    (void)json_print(result->value, JSON_COMPACT, &text);
    ProtobufCBinaryData document = {.data = (uint8_t *)text.ptr, .len = text.len};
    if (result->is_ok) {
        Pb__JobCompleted completed = PB__JOB_COMPLETED__INIT;
        completed.output_json      = document;
        worker_complete(job, &completed);
        return;
    }
    Pb__JobFailed failed   = PB__JOB_FAILED__INIT;
    failed.error_json      = document;
    failed.transient       = result->is_transient;
    failed.unknown_outcome = result->is_unknown;
    failed.retry_after_ms  = result->retry_after_ms;
    worker_fail(job, &failed);
}

bool job_hand_back(struct worker_job *job, const struct http_job_result *result)
{
    int64_t now_us = clock_unix_us();
    bool is_old    = now_us - job->leased->queued_us > HANDED_S * INT64_C(1'000'000);
    if (!result->wants_rest || is_old) return false;
    Pb__TargetOutcome outcome = PB__TARGET_OUTCOME__INIT;
    Pb__TargetOutcome *list[] = {&outcome};
    Pb__JobReleased released  = PB__JOB_RELEASED__INIT;
    outcome.failed            = result->is_failing;
    outcome.rest_until_us     = now_us + result->retry_after_ms * 1000;
    released.not_before_us    = outcome.rest_until_us;
    released.reason           = "the other side asks to wait";
    released.outcomes         = list;
    released.n_outcomes       = 1;
    worker_hand_back(job, &released);
    return true;
}

const char *job_class(const struct http_job_result *result, int http_status)
{
    if (result->is_ok) return "ok";
    if (result->is_unknown) return "unknown";
    if (result->wants_rest) return "throttled";
    if (result->is_transient) return "transient";
    switch (http_status) {
    case 401:
    case 403: return "auth";
    case 404:
    case 410: return "not_found";
    case 409:
    case 412: return "conflict";
    case 400:
    case 422: return "invalid";
    default: return "fatal";
    }
}

enum error_kind job_error_kind(status code)
{
    switch (code) {
    case STATUS_PERMISSION_DENIED: return ERROR_AUTHORIZATION;
    case STATUS_UNAUTHENTICATED: return ERROR_AUTHENTICATION;
    case STATUS_DEADLINE_EXCEEDED: return ERROR_TIMEOUT;
    case STATUS_UNAVAILABLE: return ERROR_COMMUNICATION;
    default: return ERROR_CONFIGURATION;
    }
}
