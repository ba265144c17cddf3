#include "tool-adapter/jobs.h"

#include "base/assert.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/random.h"
#include "tool-adapter/authorization.h"
#include "tool-adapter/http_job.h"
#include "tool-adapter/tokens.h"
#include "tool-adapter/webhook_job.h"
#include "json/json_text.h"

#include <stdlib.h>

enum {
    TEXT_MAX     = 16 << 20, /* bytes of an output or an error */
    INPUT_DEPTH  = 64,
    INPUT_VALUES = 1'000'000,
    NONCE_BYTES  = 16,  /* of a digest's cnonce */
    HANDED_S     = 900, /* a job older than this is not handed back any more */
};

struct jobs {
    struct http_client *http;  /* borrowed */
    struct tokens *tokens;     /* owned */
    struct measures *measures; /* borrowed */
};

/* One job under way. */
struct running {
    struct jobs *jobs;
    struct worker_job *job;
    struct arena *arena;
    json input;    /* as it came: the authorization's texts are views of it */
    json complete; /* with the token in its place: the request's texts are views of it */
    struct authorization authorization;
    struct token_wait *wait; /* for a token; NULL: none */
    str token;               /* in the arena; empty: none */
    struct http_job http;
    struct http_call *call;
    bool is_repeated; /* after a refusal of its credentials */
    int64_t started_ms;
    bool is_webhook;
};

struct jobs *jobs_new(struct http_client *http, struct loop *loop, struct measures *measures)
{
    struct jobs *jobs = mem_new(1, sizeof *jobs);
    *jobs = (struct jobs){.http = http, .tokens = tokens_new(http, loop), .measures = measures};
    return jobs;
}

void jobs_freep(struct jobs **jobs)
{
    if (!*jobs) return;
    tokens_freep(&(*jobs)->tokens);
    free(*jobs);
    *jobs = NULL;
}

static void running_free(struct running *running)
{
    json_unref(running->input);
    json_unref(running->complete);
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

/* "Later": the job goes back and burns no attempt, and nobody else calls before. */
static bool hand_back(struct worker_job *job, const struct http_job_result *result)
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

static void refuse(struct worker_job *job, enum error_kind kind, const char *detail)
{
    const struct http_job_result result = {.value = error_new(kind, 0, str_from(detail), (str){})};
    log_write(LOG_WARN, "tool.refused", LOG_TEXT_OF("job", job->leased->id),
              LOG_TEXT_OF("function", job->leased->function), LOG_TEXT_OF("error", detail));
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

/* Nothing that the call proved itself with becomes part of the run. */
static void hide_credentials(const struct running *running, struct http_job_result *result)
{
    CLEANUP(json_mask_freep) struct json_mask *mask = json_mask_new();
    if (running->authorization.kind == AUTHORIZATION_NONE) return;
    authorization_hide(&running->authorization, running->token, mask);
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
    report(running->job, &result);
    json_unref(result.value);
    running_free(running);
}

static enum error_kind kind_of(status code)
{
    switch (code) {
    case STATUS_PERMISSION_DENIED: return ERROR_AUTHORIZATION;
    case STATUS_UNAUTHENTICATED: return ERROR_AUTHENTICATION;
    case STATUS_DEADLINE_EXCEEDED: return ERROR_TIMEOUT;
    case STATUS_UNAVAILABLE: return ERROR_COMMUNICATION;
    default: return ERROR_CONFIGURATION;
    }
}

/* --- sending -----------------------------------------------------------------------------------
 */

static void on_done(const struct http_result *http, void *context);

static status send(struct running *running, struct error *reterr)
{
    const struct http_handlers handlers = {.on_done = on_done, .context = running};
    int64_t deadline_us                 = running->job->leased->deadline_us;
    if (deadline_us > 0) {
        int64_t left_ms                         = (deadline_us - clock_unix_us()) / 1000;
        running->http.request.timeouts.total_ms = left_ms > 1 ? left_ms : 1;
    }
    return http_call_start(running->jobs->http, &running->http.request, &handlers, &running->call,
                           reterr);
}

static status parse(str text, json *ret_value, struct error *reterr)
{
    const struct json_limits limits = {.depth_max = INPUT_DEPTH, .values_max = INPUT_VALUES};
    return json_parse(text, &limits, ret_value, NULL, reterr);
}

/* The arguments with the token in the place of its placeholder. Owned. */
static status complete(const struct running *running, json *ret_input, struct error *reterr)
{
    const Pb__LeasedJob *leased = running->job->leased;
    str placeholder             = running->authorization.placeholder;
    str rest = {.ptr = (const char *)leased->input_json.data, .len = leased->input_json.len};
    if (placeholder.len == 0 || running->token.len == 0) {
        *ret_input = json_ref(running->input);
        return STATUS_OK;
    }
    CLEANUP(buf_done) struct buf text  = buf_init(TEXT_MAX);
    CLEANUP(buf_done) struct buf token = buf_init(TEXT_MAX);
    (void)json_print_text(running->token, &token);
    for (const char *at; (at = memmem(rest.ptr, rest.len, placeholder.ptr, placeholder.len));) {
        size_t before = (size_t)(at - rest.ptr);
        (void)buf_put_str(&text, str_slice(rest, 0, before));
        (void)buf_put_str(&text, str_slice(buf_str(&token), 1, token.len - 1));
        rest = str_slice(rest, before + placeholder.len, rest.len);
    }
    if (!buf_put_str(&text, rest)) {
        return fail(reterr, STATUS_RESOURCE_EXHAUSTED, "the request is too large");
    }
    return parse(buf_str(&text), ret_input, reterr);
}

static status begin_call(struct running *running, struct error *reterr)
{
    str authorization = {};
    if (running->is_webhook) {
        TRY(webhook_job_read(running->input, clock_unix_us(), running->arena, &running->http,
                             reterr));
        return send(running, reterr);
    }
    json_unref(running->complete);
    running->complete = json_invalid();
    TRY(complete(running, &running->complete, reterr));
    TRY(http_job_read(running->complete, str_from(running->job->leased->idempotency_key),
                      running->arena, &running->http, reterr));
    TRY(authorization_header(&running->authorization, running->token, running->arena,
                             &authorization, reterr));
    if (authorization.len > 0) http_job_authorize(&running->http, authorization);
    return send(running, reterr);
}

static void on_token(status code, str token, const struct error *why, void *context)
{
    struct running *running = context;
    struct error error      = {};
    running->wait           = NULL;
    if (code == STATUS_OK) {
        char *copy     = arena_strdup(running->arena, token);
        running->token = copy ? str_from(copy) : (str){};
        code           = copy ? begin_call(running, &error) : STATUS_RESOURCE_EXHAUSTED;
        why            = &error;
    }
    if (code != STATUS_OK) give_up(running, kind_of(code), status_is_transient(code), why->text);
}

static void ask_token(struct running *running)
{
    struct token_wait *wait =
        tokens_ask(running->jobs->tokens, &running->authorization.policy, on_token, running);
    if (wait) running->wait = wait; /* else it is under way, or over */
}

/* --- the answer --------------------------------------------------------------------------------
 */

/* Sends a digest's answer to its challenge. */
static bool answer_challenge(struct running *running, const struct http_result *http)
{
    uint8_t raw[NONCE_BYTES];
    char cnonce[NONCE_BYTES * 2 + 1];
    str value = {};
    if (!str_equal(http->answer.url, running->http.request.url)) return false; /* redirected */
    random_bytes(raw, sizeof raw);
    hex_encode(raw, sizeof raw, cnonce);
    if (authorization_answer(&running->authorization, &running->http.request, &http->answer,
                             str_from(cnonce), running->arena, &value, NULL) != STATUS_OK) {
        return false;
    }
    http_job_authorize(&running->http, value);
    return send(running, NULL) == STATUS_OK;
}

/* A refusal that new credentials may lift: once. False: it is final. */
static bool try_again(struct running *running, const struct http_result *http)
{
    enum authorization_kind kind = running->authorization.kind;
    bool is_refused              = http->code == STATUS_OK && http->answer.http_status == 401;
    if (!is_refused || running->is_repeated) return false;
    running->is_repeated = true;
    if (kind == AUTHORIZATION_DIGEST) return answer_challenge(running, http);
    if (kind != AUTHORIZATION_TOKEN) return false;
    tokens_refused(running->jobs->tokens, &running->authorization.policy, running->token);
    ask_token(running);
    return true;
}

static void on_done(const struct http_result *http, void *context)
{
    struct running *running       = context;
    struct http_job_result result = {};
    running->call                 = NULL;
    if (try_again(running, http)) return;
    if (running->is_webhook) {
        webhook_job_finish(http, &result);
    } else {
        http_job_finish(&running->http, http, &result);
    }
    hide_credentials(running, &result);
    measures_call(running->jobs->measures, running->job->leased->function,
                  result.is_ok ? "ok" : "error", clock_mono_ms() - running->started_ms);
    log_call(running, http, &result);
    running->job->state = NULL;
    if (running->is_webhook || !hand_back(running->job, &result)) report(running->job, &result);
    json_unref(result.value);
    running_free(running);
}

/* --- the beginning -----------------------------------------------------------------------------
 */

static status read_job(struct running *running, struct error *reterr)
{
    const Pb__LeasedJob *leased = running->job->leased;
    str text = {.ptr = (const char *)leased->input_json.data, .len = leased->input_json.len};
    TRY(parse(text, &running->input, reterr));
    if (running->is_webhook) return STATUS_OK; /* signed when it is sent */
    return authorization_read(json_get_text(running->input, "authentication"),
                              &running->authorization, reterr);
}

static void run_http(struct jobs *jobs, struct worker_job *job, bool is_webhook)
{
    struct error error      = {};
    struct running *running = mem_new(1, sizeof *running);
    running->jobs           = jobs;
    running->job            = job;
    running->is_webhook     = is_webhook;
    running->started_ms     = clock_mono_ms();
    running->arena          = arena_new(HTTP_JOB_ARENA_MAX);
    ASSERT(running->arena);
    job->state  = running;
    status code = read_job(running, &error);
    if (code == STATUS_OK && running->authorization.kind == AUTHORIZATION_TOKEN) {
        ask_token(running);
        return;
    }
    if (code == STATUS_OK) code = begin_call(running, &error);
    if (code != STATUS_OK) give_up(running, kind_of(code), false, error.text);
}

void jobs_run(struct worker_job *job, void *context)
{
    struct jobs *jobs = context;
    bool is_webhook   = strcmp(job->leased->function, "webhook.deliver") == 0;
    if (is_webhook || strcmp(job->leased->function, "http") == 0) {
        run_http(jobs, job, is_webhook);
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
    if (running->call) http_call_cancel(running->call);
    if (running->wait) tokens_cancel(running->wait);
    running_free(running);
    job->state = NULL;
    worker_release(job, 0, "cancelled");
}
