/* The life of a call: one hop or, with redirects, several; timeouts; exactly one end. */
#include "base/assert.h"
#include "base/mem.h"
#include "http/http_internal.h"
#include "http/plain_internal.h"

#include <stdio.h>
#include <stdlib.h>
#include <strings.h>

/* --- Failures --------------------------------------------------------------------------------- */

static const struct {
    const char *name;
    status code;
    const char *text;
} failures[HTTP_FAILURE_COUNT] = {
    [HTTP_NO_FAILURE]      = {"none", STATUS_OK, ""},
    [HTTP_REFUSED]         = {"refused", STATUS_PERMISSION_DENIED, "refused by the egress rules"},
    [HTTP_DNS]             = {"dns", STATUS_UNAVAILABLE, "the name has no address"},
    [HTTP_CONNECT]         = {"connect", STATUS_UNAVAILABLE, "cannot connect"},
    [HTTP_TLS]             = {"tls", STATUS_UNAVAILABLE, "no trusted TLS connection"},
    [HTTP_TIMEOUT_CONNECT] = {"timeout_connect", STATUS_DEADLINE_EXCEEDED, "no connection in time"},
    [HTTP_TIMEOUT_FIRST_BYTE] = {"timeout_first_byte", STATUS_DEADLINE_EXCEEDED,
                                 "no answer in time"},
    [HTTP_TIMEOUT_IDLE]  = {"timeout_idle", STATUS_DEADLINE_EXCEEDED, "the answer stopped coming"},
    [HTTP_TIMEOUT_TOTAL] = {"timeout_total", STATUS_DEADLINE_EXCEEDED, "not done in time"},
    [HTTP_CUT]           = {"cut", STATUS_UNAVAILABLE, "the connection ended too early"},
    [HTTP_PROTOCOL]      = {"protocol", STATUS_UNAVAILABLE, "the answer is no proper HTTP"},
    [HTTP_TOO_LARGE] = {"too_large", STATUS_RESOURCE_EXHAUSTED, "the answer exceeds its limits"},
    [HTTP_REDIRECTS] = {"redirects", STATUS_FAILED_PRECONDITION, "cannot be redirected"},
    [HTTP_STOPPED]   = {"stopped", STATUS_CANCELLED, "stopped by its consumer"},
};

const char *http_failure_name(enum http_failure failure)
{
    ASSERT(failure < HTTP_FAILURE_COUNT);
    return failures[failure].name;
}

/* Method, origin, what happened and why. Never a path or a query. */
static void describe(const struct http_call *call, struct error *error)
{
    CLEANUP(buf_done) struct buf origin = buf_init(URL_HOST_MAX + 32);
    (void)url_put_origin(&origin, &call->request.target);
    (void)fail(error, failures[call->failure].code, STR_FMT " " STR_FMT ": %s%s%s",
               STR_ARG(call->request.method), STR_ARG(buf_str(&origin)),
               failures[call->failure].text, call->reason[0] ? ": " : "", call->reason);
}

/* --- Timeouts: one timer, set to whichever is next -------------------------------------------- */

struct due {
    int64_t at_ms;
    enum http_failure failure;
};

static int64_t later(int64_t from_ms, int64_t timeout_ms)
{
    return timeout_ms > INT64_MAX - from_ms ? INT64_MAX : from_ms + timeout_ms;
}

static struct due next_due(const struct http_call *call)
{
    const struct http_timeouts *timeouts = &call->request.timeouts;
    struct due total = {later(call->started_ms, timeouts->total_ms), HTTP_TIMEOUT_TOTAL};
    struct due phase = {INT64_MAX, HTTP_NO_FAILURE};
    switch (call->phase) {
    case CALL_QUEUED:
    case CALL_CONNECTING:
        phase = (struct due){later(call->hop_ms, timeouts->connect_ms), HTTP_TIMEOUT_CONNECT};
        break;
    case CALL_SENDING:
        phase = (struct due){later(call->connected_ms, timeouts->first_byte_ms),
                             HTTP_TIMEOUT_FIRST_BYTE};
        break;
    case CALL_RECEIVING:
        if (call->is_paused) break;
        phase = (struct due){later(call->active_ms, timeouts->idle_ms), HTTP_TIMEOUT_IDLE};
        break;
    case CALL_ENDED: break;
    }
    return phase.at_ms < total.at_ms ? phase : total;
}

/* A timer that fires too early looks again, which costs less than to set it for each phase. */
void call_arm(struct http_call *call)
{
    int64_t due_ms = next_due(call).at_ms;
    if (loop_timer_is_set(&call->timer) && call->timer.due_ms <= due_ms) return;
    if (due_ms < INT64_MAX) loop_timer_set(call->client->loop, &call->timer, due_ms);
}

static void timed_out(void *context)
{
    struct http_call *call = context;
    struct due due         = next_due(call);
    if (loop_now_ms(call->client->loop) < due.at_ms) { /* something came meanwhile */
        call_arm(call);
        return;
    }
    call->failure = due.failure;
    if (call->transfer) transfer_ended(call, CURLE_OPERATION_TIMEDOUT);
    call_finish(call);
}

/* --- Beginning -------------------------------------------------------------------------------- */

/* All that a call copies, with room for its redirects. */
static size_t arena_limit(const struct http_request *request)
{
    size_t tls =
        request->tls ? request->tls->ca.len + request->tls->cert.len + request->tls->key.len : 0;
    return request->body.len + tls + (3 + 3 * (size_t)HTTP_REDIRECTS_MAX) * HTTP_URL_MAX +
           4 * (size_t)HTTP_PROXY_MAX + 2 * (size_t)HTTP_HEADERS_MAX +
           HTTP_HEADERS_SENT_MAX * sizeof(struct http_header) +
           (size_t)EGRESS_RULES_MAX * (URL_HOST_MAX + 32);
}

static struct http_call *call_new(struct http_client *client, const struct http_request *request,
                                  const struct http_handlers *handlers)
{
    struct http_call *call = mem_new(1, sizeof *call);
    call->client           = client;
    call->handlers         = *handlers;
    call->timer            = (struct loop_timer){.fire = timed_out, .context = call};
    call->arena            = arena_new(arena_limit(request));
    call->sent             = arena_new(arena_limit(request));
    ASSERT(call->arena && call->sent);
    call->next = client->calls;
    if (call->next) call->next->prev = call;
    client->calls = call;
    client->call_count++;
    return call;
}

static void call_freep(struct http_call **call)
{
    if (*call) call_free(*call);
}

status http_call_start(struct http_client *client, const struct http_request *request,
                       const struct http_handlers *handlers, struct http_call **ret_call,
                       struct error *reterr)
{
    ASSERT(client);
    ASSERT(handlers->on_done);
    ASSERT(request->redirects_max <= HTTP_REDIRECTS_MAX);
    if (client->call_count >= client->calls_max) {
        return fail(reterr, STATUS_RESOURCE_EXHAUSTED, "http: %u calls are under way",
                    client->call_count);
    }
    CLEANUP(call_freep) struct http_call *call = call_new(client, request, handlers);
    TRY(request_copy(call, request, reterr));

    call->body          = buf_init(call->request.body_max);
    call->started_ms    = loop_now_ms(client->loop);
    call->connected_ms  = -1;
    call->first_byte_ms = -1;
    call->hop_ms        = call->started_ms;
    call_arm(call);
    client_unsettle(call);
    if (ret_call) *ret_call = call;
    (void)TAKE(call);
    return STATUS_OK;
}

bool call_begin_curl(struct http_call *call)
{
    client_enter(call->client);
    bool is_started = transfer_start(call);
    client_leave(call->client);
    if (is_started) return true;
    call->failure = HTTP_PROTOCOL;
    (void)snprintf(call->reason, sizeof call->reason, "the transfer cannot be set up");
    return false;
}

/* libcurl does all that our own transport does not; the next hop may be the other one's. */
static bool begin_transport(struct http_call *call)
{
    if (plain_takes(call)) return plain_start(call);
    return call->request.proxy ? proxied_start(call) : call_begin_curl(call);
}

void call_begin_hop(struct http_call *call)
{
    answer_reset(&call->answer, call->request.headers_max);
    call->phase      = CALL_CONNECTING;
    call->body_bytes = 0;
    call->reason[0]  = '\0';
    call_arm(call);
    if (!begin_transport(call)) call_finish(call);
}

void call_goes_out(struct http_call *call)
{
    call->was_sent     = true;
    call->is_refused   = false; /* an address of several, perhaps */
    call->reason[0]    = '\0';
    call->phase        = CALL_SENDING;
    call->connected_ms = loop_now_ms(call->client->loop);
    call_arm(call);
}

/* --- Redirects -------------------------------------------------------------------------------- */

static bool is_credential(const struct http_header *header)
{
    static const char *const names[] = {"Authorization", "Cookie", "Proxy-Authorization"};
    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        if (header->name.len == strlen(names[i]) &&
            strncasecmp(header->name.ptr, names[i], header->name.len) == 0) {
            return true;
        }
    }
    return header->is_secret;
}

static void drop_credentials(struct request *request)
{
    size_t kept = 0;
    for (size_t i = 0; i < request->header_count; i++) {
        if (!is_credential(&request->headers[i])) request->headers[kept++] = request->headers[i];
    }
    request->header_count = kept;
    request->tls.cert     = (str){};
    request->tls.key      = (str){};
}

static void follow(struct http_call *call)
{
    struct request *request = &call->request;
    struct url target;
    str url       = str_from(call->redirect_url);
    bool is_valid = url_parse(url, &target);
    ASSERT(is_valid);
    if (!url_same_origin(&request->target, &target)) drop_credentials(request);
    request->url       = url;
    request->target    = target;
    call->redirect_url = NULL;
    call->hop_ms       = loop_now_ms(call->client->loop);
    call->redirects++;
    transfer_stop(call);
    plain_stop(call);
    call->phase = CALL_QUEUED;
    client_unsettle(call);
}

/* --- Ending ----------------------------------------------------------------------------------- */

static int64_t duration(const struct http_call *call, int64_t at_ms)
{
    return at_ms < 0 ? -1 : at_ms - call->started_ms;
}

static void tell(struct http_call *call)
{
    struct http_result result = {
        .code          = failures[call->failure].code,
        .failure       = call->failure,
        .was_sent      = call->was_sent,
        .is_reused     = call->is_reused,
        .answer        = answer_view(call),
        .body          = buf_str(&call->body),
        .body_bytes    = call->body_bytes,
        .connect_ms    = duration(call, call->connected_ms),
        .first_byte_ms = duration(call, call->first_byte_ms),
        .total_ms      = duration(call, loop_now_ms(call->client->loop)),
    };
    if (call->failure != HTTP_NO_FAILURE) describe(call, &result.error);
    call->phase = CALL_ENDED;
    call->handlers.on_done(&result, call->handlers.context);
}

void call_finish(struct http_call *call)
{
    ASSERT(call->client->depth == 0);
    if (!call->is_cancelled && call->failure == HTTP_NO_FAILURE && call->redirect_url) {
        follow(call);
        return;
    }
    if (!call->is_cancelled) tell(call);
    call_free(call);
}

void call_free(struct http_call *call)
{
    struct http_client *client = call->client;
    ASSERT(client->depth == 0 || (!call->transfer && !call->plain));
    client_forget_unsettled(call);
    loop_timer_clear(client->loop, &call->timer);
    proxied_stop(call);
    transfer_stop(call);
    plain_stop(call);
    if (call->next) call->next->prev = call->prev;
    if (call->prev) {
        call->prev->next = call->next;
    } else {
        client->calls = call->next;
    }
    client->call_count--;
    answer_clear(&call->answer);
    buf_done(&call->body);
    arena_free(call->sent);
    arena_free(call->arena);
    free(call);
}

/* --- From the caller -------------------------------------------------------------------------- */

void call_resume(struct http_call *call)
{
    if (!call->is_paused) return;
    call->is_paused = false;
    call->active_ms = loop_now_ms(call->client->loop);
    call_arm(call);
    bool goes_on = call->plain ? plain_resume(call) : transfer_resume(call);
    if (!goes_on) call_finish(call);
}

void http_call_resume(struct http_call *call)
{
    ASSERT(!call->in_handler);
    ASSERT(call->phase != CALL_ENDED);
    if (call->is_paused) client_unsettle(call);
}

int64_t http_call_sent_ms(const struct http_call *call)
{
    return call->connected_ms;
}

void http_call_cancel(struct http_call *call)
{
    ASSERT(call->phase != CALL_ENDED);
    call->is_cancelled = true;
    loop_timer_clear(call->client->loop, &call->timer);
    if (call->client->depth > 0) {
        client_unsettle(call);
    } else {
        call_free(call);
    }
}
