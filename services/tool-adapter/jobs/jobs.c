#include "tool-adapter/jobs/jobs.h"

#include "base/assert.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "tool-adapter/call/writes.h"
#include "tool-adapter/http/api_library.h"
#include "tool-adapter/http/errand.h"
#include "tool-adapter/http/http_job.h"
#include "tool-adapter/http/job_report.h"
#include "tool-adapter/jobs/webhook_job.h"
#include "tool-adapter/peers/peer_jobs.h"
#include "json/json_text.h"

#include <stdlib.h>

enum {
    TEXT_MAX     = 16 << 20, /* bytes of an output or an error */
    INPUT_DEPTH  = 64,
    INPUT_VALUES = 1'000'000,
    FILES_MS     = 120'000, /* for stored files of a job without a deadline */
};

struct jobs {
    struct http_client *http;        /* borrowed */
    struct tokens *tokens;           /* borrowed */
    struct api_documents *documents; /* owned */
    struct measures *measures;       /* borrowed */
    struct tool_jobs *tools;         /* borrowed */
    struct file_desk *files;         /* borrowed */
    const uint8_t *audit_key;        /* borrowed */
    struct peer_jobs *peers;         /* owned */
    struct running *running;         /* all that are under way here */
};

/* Functions that are one HTTP request. */
enum form { FORM_HTTP, FORM_OPENAPI, FORM_WEBHOOK };

/* One job under way. */
struct running {
    struct running *next, *previous;
    struct jobs *jobs;
    struct worker_job *job;
    enum form form;
    struct arena *arena;
    json input;    /* as it came: the authorization's texts are views of it */
    json complete; /* with the token in its place: the request's texts are views of it */
    struct authorization authorization;
    struct api_library *library; /* the description of an operation; NULL: it is none */
    struct file_set *files;      /* that are parts of its form; NULL: none */
    struct http_job http;
    struct errand *errand;
    int64_t started_ms;
};

struct jobs *jobs_new(const struct jobs_options *options)
{
    struct jobs *jobs                    = mem_new(1, sizeof *jobs);
    *jobs                                = (struct jobs){.http      = options->http,
                                                         .tokens    = options->tokens,
                                                         .measures  = options->measures,
                                                         .tools     = options->tools,
                                                         .files     = options->files,
                                                         .audit_key = options->audit_key};
    jobs->documents                      = api_documents_new(jobs->http, jobs->tokens);
    const struct peer_jobs_options peers = {.http      = jobs->http,
                                            .loop      = options->loop,
                                            .tokens    = jobs->tokens,
                                            .documents = jobs->documents,
                                            .mcp       = options->mcp,
                                            .stdio     = options->stdio,
                                            .audit_key = jobs->audit_key,
                                            .measures  = jobs->measures};
    jobs->peers                          = peer_jobs_new(&peers);
    return jobs;
}

static void running_free(struct running *running)
{
    if (running->next) running->next->previous = running->previous;
    *(running->previous ? &running->previous->next : &running->jobs->running) = running->next;
    json_unref(running->input);
    json_unref(running->complete);
    api_library_freep(&running->library);
    file_set_freep(&running->files);
    arena_free(running->arena);
    free(running);
}

static void cancel(struct running *running)
{
    if (running->errand) errand_cancel(running->errand);
    running_free(running);
}

void jobs_freep(struct jobs **ref)
{
    struct jobs *jobs = *ref;
    if (!jobs) return;
    while (jobs->running) cancel(jobs->running); /* they come back by their leases */
    peer_jobs_freep(&jobs->peers);
    api_documents_freep(&jobs->documents);
    free(jobs);
    *ref = NULL;
}

/* --- reports -----------------------------------------------------------------------------------
 */

static void refuse(struct worker_job *job, enum error_kind kind, const char *detail)
{
    const struct http_job_result result = {.value = error_new(kind, 0, str_from(detail), (str){})};
    log_write(LOG_WARN, "tool.refused", LOG_TEXT_OF("job", job->leased->id),
              LOG_TEXT_OF("function", job->leased->function), LOG_TEXT_OF("error", detail));
    job_report(job, &result);
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

/* Nothing that the call proved itself with becomes part of the run. */
static void hide_credentials(const struct running *running, str token,
                             struct http_job_result *result)
{
    if (running->authorization.kind == AUTHORIZATION_NONE) return;
    CLEANUP(json_mask_freep) struct json_mask *mask = json_mask_new();
    authorization_hide(&running->authorization, token, mask);
    json hidden = json_mask_apply(mask, result->value);
    json_unref(result->value);
    result->value = hidden;
}

static void give_up(struct running *running, enum error_kind kind, bool is_transient,
                    const char *detail)
{
    const struct http_job_result result = {.value = error_new(kind, 0, str_from(detail), (str){}),
                                           .is_transient = is_transient};
    running->job->state                 = NULL;
    job_report(running->job, &result);
    json_unref(result.value);
    running_free(running);
}

/* --- sending -----------------------------------------------------------------------------------
 */

static status parse(str text, json *ret_value, struct error *reterr)
{
    const struct json_limits limits = {.depth_max = INPUT_DEPTH, .values_max = INPUT_VALUES};
    return json_parse(text, &limits, ret_value, NULL, reterr);
}

/* The arguments with the token in the place of its placeholder. Owned. */
static status complete(const struct running *running, str token, json *ret_input,
                       struct error *reterr)
{
    const Pb__LeasedJob *leased = running->job->leased;
    str placeholder             = running->authorization.placeholder;
    str rest = {.ptr = (const char *)leased->input_json.data, .len = leased->input_json.len};
    if (placeholder.len == 0 || token.len == 0) {
        *ret_input = json_ref(running->input);
        return STATUS_OK;
    }
    CLEANUP(buf_done) struct buf text   = buf_init(TEXT_MAX);
    CLEANUP(buf_done) struct buf quoted = buf_init(TEXT_MAX);
    (void)json_print_text(token, &quoted);
    for (const char *at; (at = memmem(rest.ptr, rest.len, placeholder.ptr, placeholder.len));) {
        size_t before = (size_t)(at - rest.ptr);
        (void)buf_put_str(&text, str_slice(rest, 0, before));
        (void)buf_put_str(&text, str_slice(buf_str(&quoted), 1, quoted.len - 1));
        rest = str_slice(rest, before + placeholder.len, rest.len);
    }
    if (!buf_put_str(&text, rest)) {
        return fail(reterr, STATUS_RESOURCE_EXHAUSTED, "the request is too large");
    }
    return parse(buf_str(&text), ret_input, reterr);
}

/* The operation as the request that it is. Owned. */
static status operation_new(const struct running *running, json arguments, json *ret_request,
                            struct error *reterr)
{
    static const char *const kept[] = {"output", "redirect"};
    TRY(api_library_request_new(running->library, arguments, ret_request, reterr));
    for (size_t i = 0; i < ARRAY_LEN(kept); i++) {
        json value = json_get_text(arguments, kept[i]);
        if (json_is(value, JSON_INVALID)) continue;
        json_object_put_text(ret_request, kept[i], json_ref(value));
    }
    return STATUS_OK;
}

static status read_request(struct running *running, str token, struct error *reterr)
{
    CLEANUP(json_unrefp) json arguments = json_invalid();
    if (running->form == FORM_WEBHOOK) {
        return webhook_job_read(running->input, clock_unix_us(), running->arena, &running->http,
                                reterr);
    }
    TRY(complete(running, token, &arguments, reterr));
    json_unref(running->complete);
    running->complete = json_invalid();
    if (running->form == FORM_OPENAPI) {
        TRY(operation_new(running, arguments, &running->complete, reterr));
    } else {
        running->complete = json_ref(arguments);
    }
    return http_job_read(running->complete, str_from(running->job->leased->idempotency_key),
                         running->files, running->arena, &running->http, reterr);
}

static status prepare(str token, struct http_request *ret_request, void *context,
                      struct error *reterr)
{
    struct running *running = context;
    int64_t deadline_us     = running->job->leased->deadline_us;
    TRY(read_request(running, token, reterr));
    if (deadline_us > 0) {
        int64_t left_ms                         = (deadline_us - clock_unix_us()) / 1000;
        running->http.request.timeouts.total_ms = left_ms > 1 ? left_ms : 1;
    }
    *ret_request = running->http.request;
    return STATUS_OK;
}

static void on_done(const struct errand_result *result, void *context);

static void send(struct running *running)
{
    const struct errand_options options = {.http          = running->jobs->http,
                                           .tokens        = running->jobs->tokens,
                                           .authorization = &running->authorization,
                                           .arena         = running->arena,
                                           .prepare       = prepare,
                                           .done          = on_done,
                                           .context       = running};
    struct errand *errand               = errand_start(&options);
    if (errand) running->errand = errand; /* else it is over */
}

/* --- stored files ------------------------------------------------------------------------------
 */

static void on_files(status code, const struct error *error, void *context)
{
    struct running *running = context;
    if (code == STATUS_OK) {
        send(running);
        return;
    }
    CLEANUP(buf_done) struct buf text = buf_init(2 * ERROR_TEXT_MAX);
    (void)buf_printf(&text, "/body: %s", error->text);
    (void)buf_put_byte(&text, '\0');
    give_up(running, job_error_kind(code), status_is_transient(code), text.ptr);
}

/* The arguments as they are sent, but for a token. Owned. */
static json arguments_new(const struct running *running)
{
    json request = json_invalid();
    if (running->form == FORM_WEBHOOK) return request;
    if (running->form == FORM_HTTP) return json_ref(running->input);
    (void)!operation_new(running, running->input, &request, NULL); /* said when it is sent */
    return request;
}

/* Parts of its form that are stored files are there before anything is sent. */
static void fetch_files(struct running *running)
{
    CLEANUP(json_unrefp) json arguments = arguments_new(running);
    const Pb__LeasedJob *leased         = running->job->leased;
    int64_t left_ms                     = FILES_MS;
    struct error error                  = {};
    str ids[FILE_SET_MAX + 1];
    size_t count = http_job_files(arguments, ids);
    if (count == 0) {
        send(running);
        return;
    }
    if (leased->deadline_us > 0) left_ms = (leased->deadline_us - clock_unix_us()) / 1'000;
    const struct file_set_request request = {.namespace = str_from(leased->namespace_),
                                             .ids       = ids,
                                             .count     = count,
                                             .until_ms  = clock_mono_ms() + left_ms,
                                             .done      = on_files,
                                             .context   = running};
    status code = file_set_start(running->jobs->files, &request, &running->files, &error);
    if (code != STATUS_OK) on_files(code, &error, running);
}

/* --- the answer --------------------------------------------------------------------------------
 */

/* What it has changed, for the audit log. */
static void note_write(struct running *running, const struct http_result *http,
                       const struct http_job_result *result, struct writes *writes)
{
    const struct http_request *request = &running->http.request;
    bool was_sent                      = http->was_sent || http->code == STATUS_OK;
    if (!was_sent || !writes_are_made_by(request->method)) return;
    const struct written written = {.method      = request->method,
                                    .url         = request->url,
                                    .bytes       = request->body.len,
                                    .http_status = http->answer.http_status,
                                    .class       = job_class(result, http->answer.http_status),
                                    .duration_ms = http->total_ms};
    const struct writes_of of    = {.function   = running->job->leased->function,
                                    .connection = "",
                                    .params     = {request->body.ptr, request->body.len},
                                    .key        = running->jobs->audit_key};
    writes_add(writes, &written);
    writes_name(writes, &of);
    writes_report(writes, running->job);
}

static void on_done(const struct errand_result *errand, void *context)
{
    struct running *running        = context;
    const struct http_result *http = errand->http;
    struct http_job_result result  = {};
    running->errand                = NULL;
    if (!http) {
        /* A token may be had later; what cannot be sent, cannot. */
        bool may_pass = running->authorization.kind == AUTHORIZATION_TOKEN;
        give_up(running, job_error_kind(errand->code),
                may_pass && status_is_transient(errand->code), errand->error.text);
        return;
    }
    if (running->form == FORM_WEBHOOK) {
        webhook_job_finish(http, &result);
    } else {
        http_job_finish(&running->http, http, &result);
    }
    hide_credentials(running, errand->token, &result);
    measures_call(running->jobs->measures, running->job->leased->function,
                  result.is_ok ? "ok" : "error", clock_mono_ms() - running->started_ms);
    log_call(running, http, &result);
    running->job->state  = NULL;
    struct writes writes = {.arena = running->arena};
    note_write(running, http, &result, &writes);
    if (running->form == FORM_WEBHOOK || !job_hand_back(running->job, &result)) {
        job_report(running->job, &result);
    }
    json_unref(result.value);
    running_free(running);
}

/* --- the beginning -----------------------------------------------------------------------------
 */

static void on_library(status code, const struct error *why, void *context)
{
    struct running *running = context;
    if (code == STATUS_OK) {
        fetch_files(running);
    } else {
        give_up(running, job_error_kind(code), status_is_transient(code), why->text);
    }
}

static void ask_description(struct running *running)
{
    running->library =
        api_library_new(running->jobs->documents, running->input, on_library, running);
    api_library_gather(running->library);
}

static status read_job(struct running *running, struct error *reterr)
{
    const Pb__LeasedJob *leased = running->job->leased;
    str text = {.ptr = (const char *)leased->input_json.data, .len = leased->input_json.len};
    TRY(parse(text, &running->input, reterr));
    if (running->form == FORM_WEBHOOK) return STATUS_OK; /* signed when it is sent */
    return authorization_read(json_get_text(running->input, "authentication"),
                              &running->authorization, reterr);
}

static void run_http(struct jobs *jobs, struct worker_job *job, enum form form)
{
    struct error error      = {};
    struct running *running = mem_new(1, sizeof *running);
    running->jobs           = jobs;
    running->next           = jobs->running;
    running->job            = job;
    running->form           = form;
    running->started_ms     = clock_mono_ms();
    running->arena          = arena_new(HTTP_JOB_ARENA_MAX);
    if (running->next) running->next->previous = running;
    jobs->running = running;
    job->state    = running;
    status code   = read_job(running, &error);
    if (code != STATUS_OK) {
        give_up(running, job_error_kind(code), false, error.text);
    } else if (form == FORM_OPENAPI) {
        ask_description(running);
    } else {
        fetch_files(running);
    }
}

/* False: it is none of these. */
static bool form_of(const char *function, enum form *ret_form)
{
    static const char *const names[] = {"http", "openapi", "webhook.deliver"};
    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        if (strcmp(function, names[i]) != 0) continue;
        *ret_form = (enum form)i;
        return true;
    }
    return false;
}

void jobs_run(struct worker_job *job, void *context)
{
    struct jobs *jobs = context;
    enum form form    = FORM_HTTP;
    if (form_of(job->leased->function, &form)) {
        run_http(jobs, job, form);
        return;
    }
    if (peer_jobs_take(job->leased)) {
        peer_jobs_run(jobs->peers, job);
        return;
    }
    if (tool_job_is(job->leased)) {
        tool_jobs_run(jobs->tools, job);
        return;
    }
    struct error error = {};
    (void)fail(&error, STATUS_UNIMPLEMENTED,
               "`call: %s` is not executed yet: this tool-adapter has no such function",
               job->leased->function);
    refuse(job, ERROR_CONFIGURATION, error.text);
}

void jobs_cancel(struct worker_job *job, void *context)
{
    struct jobs *jobs       = context;
    struct running *running = job->state;
    enum form form          = FORM_HTTP;
    if (peer_jobs_take(job->leased)) {
        peer_jobs_cancel(jobs->peers, job);
        return;
    }
    if (!form_of(job->leased->function, &form)) {
        tool_jobs_cancel(jobs->tools, job);
        return;
    }
    if (!running) return;
    struct writes writes = {.arena = running->arena};
    job->state           = NULL;
    if (running->errand && errand_was_sent(running->errand)) {
        const struct http_result unheard    = {.was_sent = true,
                                               .total_ms = clock_mono_ms() - running->started_ms};
        const struct http_job_result result = {.is_unknown = true};
        note_write(running, &unheard, &result, &writes);
    }
    worker_release(job, 0, "cancelled"); /* it takes the writes along */
    cancel(running);
}
