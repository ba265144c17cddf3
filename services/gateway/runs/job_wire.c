#include "gateway/runs/job_wire.h"

#include "base/assert.h"
#include "base/clock.h"
#include "base/hash.h"
#include "base/money.h"
#include "gateway/api/view.h"
#include "json/json_text.h"

enum { TOKEN_MAX = 256 /* bytes of the scheduler's token */ };

static const char runtime_error[] = "https://serverlessworkflow.io/spec/1.0.0/errors/runtime";

/* --- names and tokens ---------------------------------------------------------------------------
 */

const char *worker_name_of(struct api_call *call, str name)
{
    const char *namespace                      = api_namespace(call);
    if (strcmp(namespace, "*") == 0) namespace = "default";
    const char *full = arena_printf(call->arena, "%s:" STR_FMT, namespace, STR_ARG(name));
    ASSERT(full); /* two short names */
    return full;
}

const char *job_token_text(struct api_call *call, ProtobufCBinaryData token, const char *worker)
{
    size_t size = base64_size(token.len);
    size_t len  = strlen(worker);
    char *text  = arena_alloc(call->arena, size + len + 2);
    ASSERT(text && token.len <= TOKEN_MAX);
    base64_encode(token.data, token.len, text);
    text[size] = '~';
    memcpy(text + size + 1, worker, len + 1);
    return text;
}

bool job_token_read(struct api_call *call, str text, struct job_token *ret_token)
{
    const char *tilde = memchr(text.ptr, '~', text.len);
    if (!tilde || tilde == text.ptr) return false;
    size_t at     = (size_t)(tilde - text.ptr);
    uint8_t *data = arena_alloc(call->arena, at);
    size_t size   = 0;
    if (!data || at > 2 * TOKEN_MAX || !base64_decode(str_slice(text, 0, at), data, &size)) {
        return false;
    }
    *ret_token = (struct job_token){
        .token  = {.len = size, .data = data},
        .worker = api_text(call, str_slice(text, at + 1, text.len)),
    };
    return true;
}

/* --- reports ------------------------------------------------------------------------------------
 */

static bool print_into(struct api_call *call, json value, ProtobufCBinaryData *ret_data)
{
    CLEANUP(buf_done) struct buf text = buf_init(RESULT_MAX);
    if (!json_print(value, JSON_COMPACT, &text)) {
        api_fail_with(call, "body_too_large", (str){}, "a result has at most %d bytes", RESULT_MAX);
        return false;
    }
    uint8_t *copy = arena_alloc(call->arena, text.len + 1);
    if (!copy) {
        api_fail_with(call, "body_too_large", (str){}, "the results are too large");
        return false;
    }
    memcpy(copy, text.ptr, text.len);
    *ret_data = (ProtobufCBinaryData){.len = text.len, .data = copy};
    return true;
}

static Pb__Usage *usage_of(struct api_call *call, json usage)
{
    if (!json_is(usage, JSON_OBJECT)) return NULL;
    Pb__Usage *read = arena_alloc(call->arena, sizeof *read);
    ASSERT(read);
    pb__usage__init(read);
    int64_t count = 0;
    if (json_to_int(json_get_text(usage, "input_tokens"), &count)) read->input_tokens = count;
    if (json_to_int(json_get_text(usage, "output_tokens"), &count)) read->output_tokens = count;
    json cost         = json_get_text(usage, "cost_usd");
    read->cost_source = PB__COST_SOURCE__COST_SOURCE_UNKNOWN;
    if (json_is(cost, JSON_TEXT) && money_parse(json_str(cost), &read->cost_usd_nanos)) {
        read->cost_source = PB__COST_SOURCE__COST_SOURCE_REPORTED;
    }
    read->calls = 1;
    return read;
}

/* The members of an error that are not given: a `runtime` error, 500. */
static bool error_into(struct api_call *call, json error, ProtobufCBinaryData *ret_data)
{
    CLEANUP(json_unrefp) json whole = json_object_new(5);
    json_object_put_text(&whole, "type", json_text_from(runtime_error));
    json_object_put_text(&whole, "status", json_int(500));
    for (size_t i = 0; i < json_count(error); i++) {
        json_object_put(&whole, json_key_at(error, i), json_ref(json_value_at(error, i)));
    }
    return print_into(call, whole, ret_data);
}

static bool failed_read(struct api_call *call, json body, Pb__JobReport *report)
{
    Pb__JobFailed *failed = arena_alloc(call->arena, sizeof *failed);
    ASSERT(failed);
    pb__job_failed__init(failed);
    json after          = json_get_text(body, "retry_after");
    int64_t after_us    = 0;
    failed->transient   = json_get_text(body, "retryable").kind == JSON_TRUE;
    failed->usage       = usage_of(call, json_get_text(body, "usage"));
    report->failed      = failed;
    report->result_case = PB__JOB_REPORT__RESULT_FAILED;
    if (json_is(after, JSON_TEXT)) {
        if (!duration_parse(json_str(after), &after_us)) {
            api_fail_with(call, "invalid_request", (str){}, "retry_after: a duration such as `5s`");
            return false;
        }
        failed->retry_after_ms = after_us / 1000;
    }
    return error_into(call, json_get_text(body, "error"), &failed->error_json);
}

static bool completed_read(struct api_call *call, json body, Pb__JobReport *report)
{
    Pb__JobCompleted *completed = arena_alloc(call->arena, sizeof *completed);
    ASSERT(completed);
    pb__job_completed__init(completed);
    json output         = json_get_text(body, "output");
    completed->usage    = usage_of(call, json_get_text(body, "usage"));
    report->completed   = completed;
    report->result_case = PB__JOB_REPORT__RESULT_COMPLETED;
    if (json_is(output, JSON_INVALID)) output = json_null();
    return print_into(call, output, &completed->output_json);
}

static bool released_read(struct api_call *call, json body, Pb__JobReport *report)
{
    Pb__JobReleased *released = arena_alloc(call->arena, sizeof *released);
    ASSERT(released);
    pb__job_released__init(released);
    json not_before     = json_get_text(body, "not_before");
    report->released    = released;
    report->result_case = PB__JOB_REPORT__RESULT_RELEASED;
    if (!json_is(not_before, JSON_TEXT)) return true;
    if (time_parse(json_str(not_before), &released->not_before_us)) return true;
    api_fail_with(call, "invalid_request", (str){},
                  "not_before: a time such as 2026-01-31T12:00:00Z");
    return false;
}

bool job_report_read(struct api_call *call, json body, enum job_result result, const char *job,
                     Pb__JobReport *ret_report, const char **ret_worker)
{
    struct job_token token = {};
    pb__job_report__init(ret_report);
    ret_report->job = job;
    if (job_token_read(call, json_str(json_get_text(body, "lease_token")), &token)) {
        ret_report->lease_token = token.token;
        *ret_worker             = token.worker;
    } else {
        *ret_worker = worker_name_of(call, str_from("unknown")); /* the engine says: lost */
    }
    switch (result) {
    case JOB_RESULT_OUTPUT: return completed_read(call, body, ret_report);
    case JOB_RESULT_ERROR: return failed_read(call, body, ret_report);
    case JOB_RESULT_RELEASED: return released_read(call, body, ret_report);
    }
    return false;
}

void job_reports_send(struct api_call *call, uint16_t partition, const char *worker,
                      Pb__JobReport **reports, size_t count, api_then *then, api_then *failed)
{
    Pb__JobReports message   = PB__JOB_REPORTS__INIT;
    message.worker           = worker;
    message.reports          = reports;
    message.n_reports        = count;
    const struct api_ask ask = {.service   = &pb__jobs__descriptor,
                                .method    = "Report",
                                .message   = &message,
                                .partition = partition,
                                .then      = then,
                                .failed    = failed};
    api_ask_scheduler(call, &ask);
}

/* --- a leased job -------------------------------------------------------------------------------
 */

void job_leased_view(struct api_call *call, struct json_writer *w, const Pb__LeasedJob *job,
                     const char *worker)
{
    json_begin_object(w);
    json_put_text(w, "id", str_from(job->id));
    json_put_text(w, "queue", str_from(job->queue));
    json_put_text(w, "function", str_from(job->function));
    json_put_text(w, "run", str_from(job->run));
    json_put_text(w, "workflow", str_from(job->workflow));
    json_put_text(w, "task", str_from(job->task));
    view_text_if(w, "iteration", job->iteration);
    view_json_if(w, "input", job->input_json);
    json_put_int(w, "attempt", job->attempt);
    if (job->attempts_max > 0) json_put_int(w, "max_attempts", job->attempts_max);
    json_put_int(w, "priority", job->priority);
    json_put_text(w, "lease_token", str_from(job_token_text(call, job->lease_token, worker)));
    json_put_time(w, "lease_expires_at", job->lease_expires_us);
    if (job->deadline_us > 0) json_put_time(w, "deadline", job->deadline_us);
    json_put_text(w, "idempotency_key", str_from(job->idempotency_key));
    view_json_if(w, "checkpoint", job->checkpoint_json);
    view_text_if(w, "last_holder", job->last_holder);
    view_text_if(w, "traceparent", job->traceparent);
    json_end_object(w);
}
