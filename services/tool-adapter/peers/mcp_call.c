/* One call, request by request: which era, its session, the pages of its answer. */
#include "base/assert.h"
#include "base/clock.h"
#include "base/mem.h"
#include "tool-adapter/peers/mcp_authorize.h"
#include "tool-adapter/peers/mcp_ear.h"
#include "tool-adapter/peers/mcp_session.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    ARENA_MAX     = 64 << 20,
    RESUME_MS     = 1'000,
    RESUME_MAX_MS = 30'000,
    ROUND_IDS     = 1'000, /* more than a call has requests */
};

/* --- the end ---------------------------------------------------------------------------------- */

static struct mcp_outgoing outgoing_of(const struct mcp_call *call, const char *method, json params,
                                       int64_t id)
{
    const struct mcp_request *request = &call->request;
    bool is_named                     = request->name.len > 0;
    return (struct mcp_outgoing){
        .method         = method,
        .id             = id,
        .params         = params,
        .is_modern      = call->is_modern,
        .version        = call->version,
        .session        = call->session,
        .client_name    = is_named ? request->name : str_from("tutti"),
        .client_version = is_named ? request->name_version : str_from(TUTTI_VERSION),
        .asks           = call->is_modern ? request->asks : request->answers,
        .traceparent    = request->traceparent,
        .schema         = call->schema,
        .headers        = request->headers,
    };
}

static void say_aside(struct mcp_call *call, const char *http_method, const char *method,
                      json params, json message)
{
    const struct mcp_outgoing outgoing = outgoing_of(call, method, params, 0);
    const struct mcp_aside aside       = {.http_method       = http_method,
                                          .endpoint          = call->request.endpoint,
                                          .outgoing          = &outgoing,
                                          .message           = message,
                                          .proxy             = call->request.proxy,
                                          .keeps_private_out = call->request.keeps_private_out};
    mcp_aside_send(call->client, &aside);
}

/* The session is given back; a server that takes none back says so, and nobody minds. */
static void leave(struct mcp_call *call)
{
    bool is_own = mcp_session_is_own(call);
    if (is_own && *call->session) say_aside(call, "DELETE", "", json_invalid(), json_invalid());
    call->session[0] = '\0';
    mcp_session_leave(call);
}

static void call_free(struct mcp_call *call)
{
    mcp_ear_close(call);
    loop_timer_clear(call->client->loop, &call->pause);
    if (call->has_reply) rpc_reply_done(&call->reply);
    json_unref(call->params);
    json_unref(call->schema);
    mcp_pages_done(&call->list);
    json_unref(call->first_error);
    mcp_wanted_done(&call->wanted);
    json_unref(call->endpoint);
    arena_free(call->arena);
    free(call);
}

/* What a person can be asked while it lasts. */
static enum mcp_offer offer_of(const struct mcp_call *call)
{
    bool is_asked = !call->is_modern && call->request.answers;
    return is_asked ? mcp_offer_of(call->version, true) : MCP_OFFERS_NOTHING;
}

void mcp_call_finish(struct mcp_call *call, const struct mcp_result *result)
{
    const struct mcp_handlers handlers = call->handlers;
    CLEANUP(json_unrefp) json asked    = json_invalid();
    CLEANUP(json_unrefp) json error    = mcp_call_hide(call, result->error);
    struct mcp_result told             = *result;
    told.error                         = error;
    mcp_wanted_settle(&call->wanted, offer_of(call), &handlers, &told, &asked);
    leave(call);
    handlers.done(&told, handlers.context);
    call->is_over = true;
    if (!call->is_starting) call_free(call);
}

void mcp_call_fail(struct mcp_call *call, status code, bool was_sent, const char *why)
{
    struct mcp_result result = {.was_sent    = was_sent,
                                .http_status = call->http_status,
                                .wait_ms     = call->wait_ms,
                                .token       = call->token};
    result.code              = fail(&result.why, code, "%s", why);
    mcp_call_finish(call, &result);
}

/* --- sending ---------------------------------------------------------------------------------- */

static void on_done(const struct errand_result *result, void *context);

/* What the server asks of us on its stream. */
static void answer_message(struct mcp_call *call, json message)
{
    CLEANUP(json_unrefp) json asked = mcp_call_hide(call, message);
    json_object_put_text(&asked, "id", json_ref(json_get_text(message, "id")));
    CLEANUP(json_unrefp)
    json answer = mcp_wanted_answer(&call->wanted, asked, offer_of(call), &call->handlers);
    say_aside(call, "POST", "", json_invalid(), answer);
}

void mcp_call_take_message(json message, void *context)
{
    struct mcp_call *call = context;
    json id               = json_get_text(message, "id");
    str method            = json_str(json_get_text(message, "method"));
    if (json_is(id, JSON_INVALID)) {
        mcp_call_hear(call, method, json_get_text(message, "params"));
    } else if (!call->is_modern) { /* the newer era asks in its results */
        answer_message(call, message);
    }
}

static void read_wait(struct mcp_call *call, const struct http_answer *answer)
{
    enum { DIGITS_MAX = 6 };
    str value     = {};
    call->wait_ms = 0;
    if (!http_answer_header(answer, "retry-after", &value)) return;
    int64_t seconds = 0;
    for (size_t i = 0; i < value.len; i++) {
        if (i >= DIGITS_MAX || value.ptr[i] < '0' || value.ptr[i] > '9') return;
        seconds = seconds * 10 + (value.ptr[i] - '0');
    }
    call->wait_ms = seconds * 1'000;
}

/* A session's name is visible ASCII; another one is none. */
static void read_session(struct mcp_call *call, const struct http_answer *answer)
{
    str value = {};
    if (!http_answer_header(answer, "mcp-session-id", &value)) return;
    if (value.len == 0 || value.len > MCP_SESSION_MAX) return;
    for (size_t i = 0; i < value.len; i++) {
        if (value.ptr[i] <= ' ' || value.ptr[i] > '~') return;
    }
    memcpy(call->session, value.ptr, value.len);
    call->session[value.len] = '\0';
}

static enum http_flow on_headers(const struct http_answer *answer, void *context)
{
    struct mcp_call *call = context;
    str type              = {};
    call->http_status     = answer->http_status;
    (void)http_answer_header(answer, "content-type", &type);
    rpc_reply_begin(&call->reply, type);
    read_wait(call, answer);
    mcp_authorize_note(call, answer);
    if (call->step == MCP_STEP_INITIALIZE) read_session(call, answer);
    return HTTP_GO_ON;
}

static enum http_flow on_data(str data, void *context)
{
    struct mcp_call *call = context;
    call->read_code       = rpc_reply_feed(&call->reply, data, &call->read_error);
    bool is_enough        = call->reply.is_answered && call->reply.form == RPC_STREAM;
    return call->read_code != STATUS_OK || is_enough ? HTTP_STOP : HTTP_GO_ON;
}

static struct mcp_outgoing outgoing_of_step(const struct mcp_call *call)
{
    switch (call->step) {
    case MCP_STEP_INITIALIZE: return outgoing_of(call, "initialize", json_invalid(), call->id);
    case MCP_STEP_INITIALIZED:
        return outgoing_of(call, "notifications/initialized", json_invalid(), 0);
    case MCP_STEP_LIST: return outgoing_of(call, "tools/list", json_invalid(), call->id);
    default: return outgoing_of(call, call->request.method, call->params, call->id);
    }
}

status mcp_call_request(struct mcp_call *call, const char *last_id,
                        struct http_request *ret_request, struct error *reterr)
{
    struct mcp_outgoing outgoing = outgoing_of_step(call);
    struct http_header *headers  = NULL;
    size_t count                 = 0;
    str body                     = {};
    bool is_get                  = last_id != NULL;
    outgoing.last_id             = last_id;
    int64_t left_ms              = call->request.until_ms - clock_mono_ms();
    if (left_ms <= 0) return fail(reterr, STATUS_DEADLINE_EXCEEDED, "no time is left for it");
    if (!is_get) TRY(mcp_body_make(&outgoing, call->arena, &body, reterr));
    TRY(mcp_headers_make(&outgoing, call->arena, &headers, &count, reterr));
    *ret_request = (struct http_request){
        .method        = str_from(is_get ? "GET" : "POST"),
        .url           = json_str(json_get_text(call->request.endpoint, "uri")),
        .headers       = headers,
        .header_count  = count,
        .body          = bytes_from(body),
        .body_max      = RPC_STREAM_MAX + 1, /* the reply counts for itself */
        .timeouts      = {.total_ms = left_ms, .first_byte_ms = -1, .idle_ms = -1},
        .allow_private = !call->request.keeps_private_out,
        .proxy         = call->request.proxy,
    };
    return STATUS_OK;
}

static status prepare(str token, struct http_request *ret_request, void *context,
                      struct error *reterr)
{
    struct mcp_call *call = context;
    const char *last_id   = NULL;
    call->token           = token;
    if (call->step == MCP_STEP_RESUME) {
        last_id = arena_strdup(call->arena, rpc_reply_last_id(&call->reply));
        if (!last_id) return fail(reterr, STATUS_RESOURCE_EXHAUSTED, "the request is too large");
    }
    return mcp_call_request(call, last_id, ret_request, reterr);
}

struct errand *mcp_call_errand(struct mcp_call *call, struct errand_options options)
{
    options.http          = call->client->http;
    options.tokens        = call->client->tokens;
    options.authorization = &call->authorization;
    options.arena         = call->arena;
    return errand_start(&options);
}

void mcp_call_send(struct mcp_call *call, enum mcp_step step)
{
    size_t max        = call->request.answer_max > 0 ? call->request.answer_max : MCP_ANSWER_MAX;
    call->step        = step;
    call->read_code   = STATUS_OK;
    call->http_status = 0;
    if (step != MCP_STEP_RESUME) {
        if (call->has_reply) rpc_reply_done(&call->reply);
        call->id = mcp_call_next_id(call);
        rpc_reply_init(&call->reply, call->id, max, mcp_call_take_message, call);
        call->progress  = -HUGE_VAL;
        call->has_reply = true;
    }
    struct errand *errand = mcp_call_errand(call, (struct errand_options){.prepare    = prepare,
                                                                          .on_headers = on_headers,
                                                                          .on_data    = on_data,
                                                                          .done       = on_done,
                                                                          .context    = call});
    if (errand) call->errand = errand; /* else it is over */
}

/* --- what came -------------------------------------------------------------------------------- */

static void on_pause(void *context)
{
    struct mcp_call *call = context;
    if (call->is_waiting) {
        mcp_call_fail(call, STATUS_DEADLINE_EXCEEDED, false, "the session was not there in time");
    } else {
        mcp_call_send(call, call->next_step);
    }
}

void mcp_call_send_soon(struct mcp_call *call, enum mcp_step step, int64_t wait_ms)
{
    struct loop *loop = call->client->loop;
    call->next_step   = step;
    loop_timer_set(loop, &call->pause, loop_now_ms(loop) + wait_ms);
}

/* The rest of a stream that was cut, when the server wants to be asked for it. */
bool mcp_call_resume(struct mcp_call *call)
{
    int64_t wait_ms = call->reply.has_sse ? call->reply.sse.retry_ms : -1;
    bool may = !call->is_modern && (call->step == MCP_STEP_ASK || call->step == MCP_STEP_RESUME) &&
               rpc_reply_last_id(&call->reply).len > 0 && call->resumes < MCP_RESUMES_MAX;
    if (!may) return false;
    if (wait_ms < 0) wait_ms = RESUME_MS;
    if (wait_ms > RESUME_MAX_MS) wait_ms = RESUME_MAX_MS;
    call->resumes++;
    mcp_call_send_soon(call, MCP_STEP_RESUME, wait_ms);
    return true;
}

static void on_done(const struct errand_result *result, void *context)
{
    struct mcp_call *call          = context;
    const struct http_result *http = result->http;
    call->errand                   = NULL;
    call->token                    = result->token;
    if (!http) {
        mcp_call_fail(call, result->code,
                      call->step != MCP_STEP_ASK && call->step != MCP_STEP_INITIALIZE,
                      result->error.text);
        return;
    }
    bool is_stopped = http->failure == HTTP_STOPPED;
    if (call->read_code == STATUS_OK && http->code == STATUS_OK) {
        call->read_code = rpc_reply_end(&call->reply, &call->read_error);
    }
    if (call->read_code != STATUS_OK && (mcp_call_is_fine(call) || is_stopped)) {
        mcp_call_fail(call, call->read_code, true, call->read_error.text);
    } else if (http->code != STATUS_OK && !(is_stopped && call->reply.is_answered)) {
        if (call->http_status == 200 && http->failure == HTTP_CUT && mcp_call_resume(call)) return;
        mcp_call_fail(call, http->code, http->was_sent, http->error.text);
    } else {
        mcp_call_settle(call);
    }
}

/* --- life ------------------------------------------------------------------------------------- */

static status read_request(struct mcp_call *call, struct error *reterr)
{
    json endpoint  = call->request.endpoint;
    str version    = call->request.version;
    bool is_modern = true;
    if (!json_is(json_get_text(endpoint, "uri"), JSON_TEXT)) {
        return fail(reterr, STATUS_INVALID_ARGUMENT, "the address of the server must be a text");
    }
    if (version.len > 0 && !mcp_version_is_known(version, &is_modern)) {
        return fail(reterr, STATUS_INVALID_ARGUMENT,
                    "/protocolVersion: this revision is not spoken here; " MCP_MODERN
                    ", " MCP_LEGACY ", 2025-06-18 and 2025-03-26 are");
    }
    bool is_legacy  = version.len > 0
                          ? !is_modern
                          : mcp_era_of(call->client, mcp_call_address(call)) == MCP_ERA_LEGACY;
    call->is_modern = !is_legacy;
    call->version   = is_legacy ? MCP_LEGACY : MCP_MODERN;
    if (version.len > 0) call->version = arena_strdup(call->arena, version);
    if (mcp_authorize_known(call)) return STATUS_OK;
    return authorization_read(json_get_text(endpoint, "authentication"), &call->authorization,
                              reterr);
}

struct mcp_call *mcp_call_start(struct mcp_client *client, const struct mcp_request *request,
                                const struct mcp_handlers *handlers)
{
    struct error error    = {};
    struct mcp_call *call = mem_new(1, sizeof *call);
    call->client          = client;
    call->request         = *request;
    call->handlers        = *handlers;
    call->is_starting     = true;
    call->pause           = (struct loop_timer){.fire = on_pause, .context = call};
    call->arena           = arena_new(ARENA_MAX);
    call->params          = json_ref(request->params);
    if (json_is(request->input, JSON_OBJECT)) {
        int64_t round = 0; /* each has ids of its own ("Multi Round-Trip Requests") */
        (void)json_to_int(json_get_text(request->input, "round"), &round);
        call->id     = round * ROUND_IDS;
        call->params = mcp_params_again(call->params, json_get_text(request->input, "responses"),
                                        json_get_text(request->input, "state"));
    }
    call->schema = json_ref(request->schema);
    status code  = read_request(call, &error);
    if (code != STATUS_OK) {
        mcp_call_fail(call, code, false, error.text);
    } else if (call->is_modern) {
        mcp_call_send(call, MCP_STEP_ASK);
    } else {
        mcp_call_introduce(call, call->version);
    }
    call->is_starting = false;
    if (!call->is_over) return call;
    call_free(call);
    return NULL;
}

void mcp_call_cancel(struct mcp_call *call)
{
    bool is_asked = !call->is_modern && call->step == MCP_STEP_ASK && call->errand;
    if (call->errand) errand_cancel(call->errand);
    mcp_authorize_cancel(call);
    if (is_asked) {
        CLEANUP(json_unrefp) json params = json_object_new(2);
        json_object_put_text(&params, "requestId", json_int(call->id));
        json_object_put_text(&params, "reason", json_text_from("nobody waits for it any more"));
        say_aside(call, "POST", "notifications/cancelled", params, json_invalid());
    }
    leave(call);
    call_free(call);
}
