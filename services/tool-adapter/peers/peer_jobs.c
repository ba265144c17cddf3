#include "tool-adapter/peers/peer_jobs.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/utf8.h"
#include "http/url.h"
#include "tool-adapter/call/writes.h"
#include "tool-adapter/http/errand.h"
#include "tool-adapter/http/job_asks.h"
#include "tool-adapter/http/job_report.h"
#include "tool-adapter/peers/a2a_call.h"
#include "tool-adapter/peers/mcp_inquiry.h"
#include "tool-adapter/peers/verdict.h"
#include "workflow/duration.h"
#include "json/json_mask.h"
#include "json/json_text.h"

#include <stdlib.h>
#include <string.h>

enum {
    INPUT_DEPTH  = 64,
    INPUT_VALUES = 1'000'000,
    ATTEMPT_MS   = 600'000, /* of a job without a deadline */
    SAID_MAX     = 1'000,   /* bytes of what a tool says of its error */
    CONTENT_MAX  = 64 << 10,
    PARAMS_MAX   = 16 << 20, /* bytes */
    WRITES_SIZE  = 64 << 10, /* bytes of what the audit log hears */
    ORIGIN_MAX   = 512,
};

struct peer_jobs {
    struct peer_jobs_options options;
    struct running *running; /* all that are under way */
};

/* One job under way. */
struct running {
    struct running *next, *previous;
    struct peer_jobs *jobs;
    struct worker_job *job;
    json input;           /* owned */
    json endpoint;        /* whose credentials are hidden; a view */
    bool is_call;         /* of a tool */
    struct mcp_call *mcp; /* one of them */
    struct mcp_stdio_call *stdio;
    struct a2a_call *a2a;
    struct job_asks asks;
    json answered; /* what was said to the server; owned */
    struct mcp_replay replay;
    int64_t started_ms;
    bool was_sent; /* what may have changed something */
};

struct peer_jobs *peer_jobs_new(const struct peer_jobs_options *options)
{
    struct peer_jobs *jobs = mem_new(1, sizeof *jobs);
    jobs->options          = *options;
    return jobs;
}

static void running_free(struct running *running)
{
    if (running->next) running->next->previous = running->previous;
    *(running->previous ? &running->previous->next : &running->jobs->running) = running->next;
    json_unref(running->input);
    json_unref(running->answered);
    mcp_replay_done(&running->replay);
    job_asks_done(&running->asks);
    free(running);
}

static void cancel(struct running *running)
{
    if (running->mcp) mcp_call_cancel(running->mcp);
    if (running->stdio) mcp_stdio_cancel(running->stdio);
    if (running->a2a) a2a_call_cancel(running->a2a);
    running_free(running);
}

void peer_jobs_freep(struct peer_jobs **ref)
{
    struct peer_jobs *jobs = *ref;
    if (!jobs) return;
    while (jobs->running) cancel(jobs->running); /* they come back by their leases */
    free(jobs);
    *ref = NULL;
}

/* --- the end ---------------------------------------------------------------------------------- */

/* Nothing that the call proved itself with becomes part of the run. Owned. */
static json hidden_new(const struct running *running, str token, json value)
{
    struct authorization authorization = {};
    json given                         = json_get_text(running->endpoint, "authentication");
    if (authorization_read(given, &authorization, NULL) != STATUS_OK) return json_ref(value);
    if (authorization.kind == AUTHORIZATION_NONE) return json_ref(value);
    CLEANUP(json_mask_freep) struct json_mask *mask = json_mask_new();
    authorization_hide(&authorization, token, mask);
    return json_mask_apply(mask, value);
}

static void hide_credentials(const struct running *running, str token,
                             struct http_job_result *result)
{
    json hidden = hidden_new(running, token, result->value);
    json_unref(result->value);
    result->value = hidden;
}

/* The program, if it is one, by which somebody asked for it. */
static str command_of(const struct running *running)
{
    json stdio = json_get_text(json_get_text(running->input, "transport"), "stdio");
    json given = json_get_text(stdio, "command");
    return json_is(given, JSON_TEXT) ? json_str(given) : (str){};
}

/* A tool or an agent may have changed something: that cannot be seen from here. */
static void note_write(struct running *running, const struct http_job_result *result,
                       int http_status, struct writes *writes)
{
    json uri     = json_get_text(running->endpoint, "uri");
    json params  = json_get_text(running->input, "parameters");
    json address = json_is(running->endpoint, JSON_TEXT) ? running->endpoint : uri;
    CLEANUP(buf_done) struct buf text = buf_init(PARAMS_MAX);
    if (!json_is(params, JSON_INVALID)) (void)json_print(params, JSON_COMPACT, &text);
    bool is_http                 = !json_is(running->endpoint, JSON_INVALID);
    const struct written written = {.method = str_from(is_http ? "POST" : ""),
                                    .url =
                                        json_is(address, JSON_TEXT) ? json_str(address) : (str){},
                                    .host        = is_http ? (str){} : command_of(running),
                                    .http_status = http_status,
                                    .bytes       = text.len,
                                    .class       = job_class(result, http_status),
                                    .duration_ms = clock_mono_ms() - running->started_ms};
    const struct writes_of of    = {.function   = running->job->leased->function,
                                    .connection = "",
                                    .params     = buf_str(&text),
                                    .key        = running->jobs->options.audit_key};
    writes_add(writes, &written);
    writes_name(writes, &of);
    writes_report(writes, running->job);
}

/* Takes `result->value`. */
static void end(struct running *running, struct http_job_result *result, str token, int http_status)
{
    const Pb__LeasedJob *leased = running->job->leased;
    int64_t took_ms             = clock_mono_ms() - running->started_ms;
    hide_credentials(running, token, result);
    measures_call(running->jobs->options.measures, leased->function, result->is_ok ? "ok" : "error",
                  took_ms);
    log_write(result->is_ok ? LOG_INFO : LOG_WARN, "tool.response",
              LOG_STR("run", str_from(leased->run)), LOG_STR("task", str_from(leased->task)),
              LOG_STR("job", str_from(leased->id)), LOG_INT("attempt", leased->attempt),
              LOG_STR("function", str_from(leased->function)), LOG_INT("http_status", http_status),
              LOG_INT("duration_ms", took_ms));
    running->job->state                      = NULL;
    CLEANUP(arena_freep) struct arena *arena = running->was_sent ? arena_new(WRITES_SIZE) : NULL;
    struct writes writes                     = {.arena = arena};
    if (arena) note_write(running, result, http_status, &writes);
    CLEANUP(json_unrefp) json question = hidden_new(running, token, running->asks.question);
    bool asks = job_asks_report(&running->asks, question, NULL, running->job);
    if (!asks && !job_hand_back(running->job, result)) job_report(running->job, result);
    json_unref(result->value);
    running_free(running);
}

/* What a tool says of its error: its texts. */
static void put_said(json content, struct buf *out)
{
    for (size_t i = 0; json_is(content, JSON_ARRAY) && i < json_count(content); i++) {
        json text = json_get_text(json_at(content, i), "text");
        if (!json_is(text, JSON_TEXT)) continue;
        str said = json_str(text);
        if (said.len > SAID_MAX - out->len) said.len = SAID_MAX - out->len;
        said.len = utf8_valid_prefix(said);
        (void)buf_put_str(out, said);
        return;
    }
    (void)buf_put_text(out, "the tool says that it failed, and not why");
}

/* The tool was there, and has failed: what it says is kept. */
static json tool_error_new(json result)
{
    CLEANUP(buf_done) struct buf said = buf_init(SAID_MAX);
    CLEANUP(buf_done) struct buf size = buf_init(CONTENT_MAX);
    json content                      = json_get_text(result, "content");
    put_said(content, &said);
    json error = error_new(ERROR_RUNTIME, 0, buf_str(&said), (str){});
    if (json_is(content, JSON_ARRAY) && json_print(content, JSON_COMPACT, &size)) {
        json_object_put_text(&error, "content", json_ref(content));
    }
    return error;
}

static void on_progress(json said, void *context)
{
    struct running *running           = context;
    CLEANUP(buf_done) struct buf text = buf_init(WORKER_PROGRESS_MAX);
    CLEANUP(json_unrefp) json hidden  = hidden_new(running, (str){}, said);
    if (json_print(hidden, JSON_COMPACT, &text)) worker_progress(running->job, buf_str(&text));
}

static str text_of(json map, const char *name)
{
    json value = json_get_text(map, name);
    return json_is(value, JSON_TEXT) ? json_str(value) : (str){.ptr = ""};
}

static json input_setting(const struct running *running)
{
    json transport = json_get_text(running->input, "transport");
    return json_get_text(json_get_text(transport, "options"), "input");
}

/* What the server asks goes to a person, if the call may ask one; else the error says why not. */
static void inquire(struct running *running, const struct mcp_result *from, struct error *why)
{
    const struct respondent *respondent = job_asks_respondent(&running->asks);
    json params                         = json_get_text(running->input, "parameters");
    str name                            = text_of(params, "name");
    CLEANUP(buf_done) struct buf origin = buf_init(ORIGIN_MAX);
    struct mcp_asker asker              = {.tool = name.len > 0 ? name : text_of(params, "uri")};
    bool is_wanted                      = mcp_inquiry_is_wanted(input_setting(running));
    if (!json_is(from->asked, JSON_OBJECT) || !respondent || !is_wanted) return;
    struct url url;
    bool is_remote =
        url_parse(text_of(running->endpoint, "uri"), &url) && url_put_origin(&origin, &url);
    asker.server = is_remote ? buf_str(&origin) : command_of(running);
    (void)mcp_inquiry_put(respondent, from->asked, &asker, why);
}

static json on_asked(json params, void *context)
{
    struct running *running = context;
    return mcp_replay_answer(&running->replay, params);
}

static void on_mcp(const struct mcp_result *from, void *context)
{
    struct running *running       = context;
    struct http_job_result result = {};
    struct error why              = from->why;
    running->mcp                  = NULL;
    running->stdio                = NULL;
    inquire(running, from, &why);
    bool is_answer    = from->code == STATUS_OK && !json_is(from->error, JSON_OBJECT);
    running->was_sent = running->is_call && (from->code == STATUS_OK || from->was_sent);
    const struct verdict_facts facts = {.is_write    = running->is_call,
                                        .code        = from->code,
                                        .error       = from->error,
                                        .http_status = from->http_status,
                                        .was_sent    = from->was_sent,
                                        .wait_ms     = from->wait_ms,
                                        .why         = why.text};
    if (is_answer && json_is_truthy(json_get_text(from->result, "isError"))) {
        result.value = tool_error_new(from->result);
    } else if (is_answer) {
        result = (struct http_job_result){.is_ok = true, .value = json_ref(from->result)};
    } else {
        verdict_of(&facts, &result);
    }
    end(running, &result, from->token, from->http_status);
}

static void on_a2a(const struct a2a_result *from, void *context)
{
    struct running *running       = context;
    struct http_job_result result = {};
    running->a2a                  = NULL;
    running->was_sent             = from->is_write && (from->code == STATUS_OK || from->was_sent);
    const struct verdict_facts facts = {.is_write    = from->is_write,
                                        .code        = from->code,
                                        .error       = from->error,
                                        .http_status = from->http_status,
                                        .was_sent    = from->was_sent,
                                        .wait_ms     = from->wait_ms,
                                        .why         = from->why};
    if (from->code == STATUS_OK && !json_is(from->error, JSON_OBJECT)) {
        result = (struct http_job_result){.is_ok = true, .value = json_ref(from->result)};
    } else {
        verdict_of(&facts, &result);
    }
    end(running, &result, from->token, from->http_status);
}

static void refuse(struct running *running, status code, const char *why)
{
    struct http_job_result result = {
        .value = error_new(job_error_kind(code), 0, str_from(why), (str){})};
    end(running, &result, (str){}, 0);
}

/* --- the beginning ---------------------------------------------------------------------------- */

static status until_of(const struct running *running, int64_t *ret_until_ms, struct error *reterr)
{
    int64_t deadline_us = running->job->leased->deadline_us;
    int64_t now_ms      = clock_mono_ms();
    json timeout        = json_get_text(running->input, "timeout");
    int64_t limit_us    = 0;
    struct error why    = {};
    *ret_until_ms       = now_ms + ATTEMPT_MS;
    if (deadline_us > 0) *ret_until_ms = now_ms + (deadline_us - clock_unix_us()) / 1'000;
    if (json_is(timeout, JSON_INVALID)) return STATUS_OK;
    status code = duration_read(timeout, &limit_us, &why);
    if (code != STATUS_OK) return fail(reterr, code, "/timeout: %s", why.text);
    if (now_ms + limit_us / 1'000 < *ret_until_ms) *ret_until_ms = now_ms + limit_us / 1'000;
    return STATUS_OK;
}

/* A program of the administrator's list: its command, or its name there. */
static status start_stdio(struct running *running, const struct mcp_request *request,
                          const struct mcp_handlers *handlers, struct error *reterr)
{
    json given = json_get_text(json_get_text(running->input, "transport"), "stdio");
    const struct mcp_stdio_request started = {.server    = command_of(running),
                                              .arguments = json_get_text(given, "arguments"),
                                              .namespace =
                                                  str_from(running->job->leased->namespace_),
                                              .call = *request};
    if (!json_is(json_get_text(given, "environment"), JSON_INVALID)) {
        return fail(reterr, STATUS_INVALID_ARGUMENT,
                    "/transport/stdio/environment: it stands in tools.mcp.stdio");
    }
    return mcp_stdio_start(running->jobs->options.stdio, &started, handlers, &running->stdio,
                           reterr);
}

static status start_mcp(struct running *running, struct error *reterr)
{
    const struct mcp_handlers handlers = {
        .progress = on_progress, .answer = on_asked, .done = on_mcp, .context = running};
    json http                  = json_get_text(json_get_text(running->input, "transport"), "http");
    json client                = json_get_text(running->input, "client");
    str method                 = text_of(running->input, "method");
    running->endpoint          = json_get_text(http, "endpoint");
    running->is_call           = str_is(method, "tools/call");
    struct mcp_request request = {
        .endpoint     = running->endpoint,
        .headers      = json_get_text(http, "headers"),
        .version      = text_of(running->input, "protocolVersion"),
        .name         = text_of(client, "name"),
        .name_version = text_of(client, "version"),
        .method       = method.ptr, /* texts end with NUL */
        .params       = json_get_text(running->input, "parameters"),
        .traceparent  = str_from(running->job->leased->traceparent),
    };
    request.asks    = mcp_inquiry_is_wanted(input_setting(running));
    request.answers = mcp_inquiry_replays(input_setting(running));
    TRY(mcp_replay_init(&running->replay, job_asks_respondent(&running->asks), reterr));
    TRY(mcp_inquiry_check(input_setting(running), reterr));
    TRY(mcp_inquiry_input(job_asks_respondent(&running->asks), &running->answered, reterr));
    request.input = running->answered;
    TRY(until_of(running, &request.until_ms, reterr));
    if (!json_is(http, JSON_OBJECT)) return start_stdio(running, &request, &handlers, reterr);
    struct mcp_call *call = mcp_call_start(running->jobs->options.mcp, &request, &handlers);
    if (call) running->mcp = call; /* else it is over */
    return STATUS_OK;
}

static status start_a2a(struct running *running, struct error *reterr)
{
    const struct peer_jobs_options *options = &running->jobs->options;
    struct a2a_means means                  = {.http = options->http, .tokens = options->tokens};
    json server                             = json_get_text(running->input, "server");
    json card                               = json_get_text(running->input, "agentCard");
    bool has_server                         = json_is(server, JSON_OBJECT);
    running->endpoint                       = has_server ? server : json_get_text(card, "endpoint");
    struct a2a_request request              = {.arguments = running->input};
    means.documents                         = options->documents;
    request.key                             = str_from(running->job->leased->idempotency_key);
    TRY(until_of(running, &request.until_ms, reterr));
    struct a2a_call *call = a2a_call_start(&means, &request, on_a2a, running);
    if (call) running->a2a = call; /* else it is over */
    return STATUS_OK;
}

/* An attempt before has sent it perhaps, and nobody has heard how it ended. */
static bool may_be_done(const struct running *running)
{
    const Pb__LeasedJob *leased = running->job->leased;
    bool is_mcp                 = strcmp(leased->function, "mcp") == 0;
    str method                  = text_of(running->input, "method");
    bool is_write               = is_mcp ? str_is(method, "tools/call") : a2a_is_write(method.ptr);
    return is_write && (leased->previous == PB__PREVIOUS_ATTEMPT__PREVIOUS_LOST ||
                        leased->previous == PB__PREVIOUS_ATTEMPT__PREVIOUS_UNKNOWN);
}

static void refuse_repetition(struct running *running)
{
    const struct verdict_facts facts = {
        .is_write = true,
        .code     = STATUS_UNAVAILABLE,
        .was_sent = true,
        .why      = "an earlier attempt may have made the call; it is not made again"};
    struct http_job_result result = {};
    verdict_of(&facts, &result);
    end(running, &result, (str){}, 0);
}

bool peer_jobs_take(const Pb__LeasedJob *leased)
{
    return strcmp(leased->function, "mcp") == 0 || strcmp(leased->function, "a2a") == 0;
}

void peer_jobs_run(struct peer_jobs *jobs, struct worker_job *job)
{
    const struct json_limits limits = {.depth_max = INPUT_DEPTH, .values_max = INPUT_VALUES};
    str text                        = {.ptr = (const char *)job->leased->input_json.data,
                                       .len = job->leased->input_json.len};
    struct error error              = {};
    struct running *running         = mem_new(1, sizeof *running);
    running->jobs                   = jobs;
    running->job                    = job;
    running->next                   = jobs->running;
    running->started_ms             = clock_mono_ms();
    if (running->next) running->next->previous = running;
    jobs->running = running;
    job->state    = running;
    job_asks_init(&running->asks, job->leased);
    status code = json_parse(text, &limits, &running->input, NULL, &error);
    bool is_mcp = strcmp(job->leased->function, "mcp") == 0;
    if (code == STATUS_OK && may_be_done(running)) {
        refuse_repetition(running);
        return;
    }
    if (code == STATUS_OK) code = is_mcp ? start_mcp(running, &error) : start_a2a(running, &error);
    if (code != STATUS_OK) refuse(running, code, error.text);
}

void peer_jobs_cancel(struct peer_jobs *, struct worker_job *job)
{
    struct running *running = job->state;
    if (!running) return;
    json method     = json_get_text(running->input, "method");
    bool is_mcp     = running->mcp || running->stdio;
    bool is_sending = running->a2a && json_is(method, JSON_TEXT);
    bool may_change = is_mcp ? running->is_call : is_sending && a2a_is_write(json_str(method).ptr);
    CLEANUP(arena_freep) struct arena *arena = may_change ? arena_new(WRITES_SIZE) : NULL;
    const struct http_job_result unheard     = {.is_unknown = true};
    struct writes writes                     = {.arena = arena};
    job->state                               = NULL;
    if (arena) note_write(running, &unheard, 0, &writes);
    worker_release(job, 0, "cancelled"); /* it takes the writes along */
    cancel(running);
}
