#include "tool-adapter/jobs.h"

#include "base/assert.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "tool-adapter/http_job.h"
#include "json/json_text.h"

#include <stdlib.h>

enum {
    TEXT_MAX     = 16 << 20, /* bytes of an output or an error */
    INPUT_DEPTH  = 64,
    INPUT_VALUES = 1'000'000,
};

struct jobs {
    struct http_client *http;  /* borrowed */
    struct measures *measures; /* borrowed */
};

/* One job under way. */
struct running {
    struct jobs *jobs;
    struct worker_job *job;
    struct arena *arena;
    json input; /* the request's texts are views of it */
    struct http_job http;
    struct http_call *call;
    int64_t started_ms;
};

struct jobs *jobs_new(struct http_client *http, struct measures *measures)
{
    struct jobs *jobs = mem_new(1, sizeof *jobs);
    *jobs             = (struct jobs){.http = http, .measures = measures};
    return jobs;
}

void jobs_freep(struct jobs **jobs)
{
    free(*jobs);
    *jobs = NULL;
}

static void running_free(struct running *running)
{
    json_unref(running->input);
    arena_free(running->arena);
    free(running);
}

/* --- reports -----------------------------------------------------------------------------------
 */

static void report(struct worker_job *job, const struct http_job_result *result)
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

static void refuse(struct worker_job *job, enum error_kind kind, const char *detail)
{
    const struct http_job_result result = {.value = error_new(kind, 0, str_from(detail), (str){})};
    report(job, &result);
    json_unref(result.value);
}

static void log_call(const struct running *running, const struct http_result *http,
                     const struct http_job_result *result)
{
    const Pb__LeasedJob *leased = running->job->leased;
    log_write(
        result->is_ok ? LOG_INFO : LOG_WARN, "tool.response", LOG_STR("run", str_from(leased->run)),
        LOG_STR("task", str_from(leased->task)), LOG_STR("job", str_from(leased->id)),
        LOG_INT("attempt", leased->attempt), LOG_STR("function", str_from(leased->function)),
        LOG_INT("http_status", http->answer.http_status), LOG_INT("duration_ms", http->total_ms),
        LOG_STR("failure", str_from(http_failure_name(http->failure))));
}

static void on_done(const struct http_result *http, void *context)
{
    struct running *running       = context;
    struct http_job_result result = {};
    http_job_finish(&running->http, http, &result);
    measures_call(running->jobs->measures, running->job->leased->function,
                  result.is_ok ? "ok" : "error", clock_mono_ms() - running->started_ms);
    log_call(running, http, &result);
    report(running->job, &result);
    json_unref(result.value);
    running_free(running);
}

/* --- the beginning -----------------------------------------------------------------------------
 */

static status read_job(struct running *running, struct error *reterr)
{
    const Pb__LeasedJob *leased     = running->job->leased;
    const struct json_limits limits = {.depth_max = INPUT_DEPTH, .values_max = INPUT_VALUES};
    str text = {.ptr = (const char *)leased->input_json.data, .len = leased->input_json.len};
    TRY(json_parse(text, &limits, &running->input, NULL, reterr));
    TRY(http_job_read(running->input, str_from(leased->idempotency_key), running->arena,
                      &running->http, reterr));
    if (leased->deadline_us > 0) {
        int64_t left_ms                         = (leased->deadline_us - clock_unix_us()) / 1000;
        running->http.request.timeouts.total_ms = left_ms > 1 ? left_ms : 1;
    }
    return STATUS_OK;
}

static enum error_kind kind_of(status code)
{
    return code == STATUS_PERMISSION_DENIED ? ERROR_AUTHORIZATION : ERROR_CONFIGURATION;
}

static void run_http(struct jobs *jobs, struct worker_job *job)
{
    struct error error      = {};
    struct running *running = mem_new(1, sizeof *running);
    running->jobs           = jobs;
    running->job            = job;
    running->started_ms     = clock_mono_ms();
    running->arena          = arena_new(HTTP_JOB_ARENA_MAX);
    ASSERT(running->arena);
    job->state  = running;
    status code = read_job(running, &error);
    if (code == STATUS_OK) {
        const struct http_handlers handlers = {.on_done = on_done, .context = running};
        code =
            http_call_start(jobs->http, &running->http.request, &handlers, &running->call, &error);
    }
    if (code == STATUS_OK) return;
    job->state = NULL;
    running_free(running);
    refuse(job, kind_of(code), error.text);
}

void jobs_run(struct worker_job *job, void *context)
{
    struct jobs *jobs = context;
    if (str_is(str_from(job->leased->function), "http")) {
        run_http(jobs, job);
        return;
    }
    struct error error = {};
    (void)fail(&error, STATUS_UNIMPLEMENTED,
               "`call: %s` is not executed yet: this tool-adapter has no such function",
               job->leased->function);
    refuse(job, ERROR_CONFIGURATION, error.text);
}

void jobs_cancel(struct worker_job *job, void *)
{
    struct running *running = job->state;
    if (!running) return;
    http_call_cancel(running->call);
    running_free(running);
    job->state = NULL;
    worker_release(job, 0, "cancelled");
}
