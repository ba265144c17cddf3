/* The calls, and which process they belong to. */
#include "tool-adapter/peers/mcp_stdio.h"

#include "base/assert.h"
#include "base/clock.h"
#include "base/mem.h"
#include "tool-adapter/peers/mcp_input.h"
#include "tool-adapter/peers/mcp_news.h"
#include "tool-adapter/peers/mcp_stdio_internal.h"
#include "json/json_text.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { KEY_MAX = 4'096, STATES_MAX = 5 /* times that a server may ask for the same again */ };

/* --- the end of a call ------------------------------------------------------------------------ */

static str key_of(const int64_t *id)
{
    return (str){.ptr = (const char *)id, .len = sizeof *id};
}

struct mcp_stdio_call *stdio_call_of(const struct stdio_peer *peer, int64_t id)
{
    return map_get(peer->asked, key_of(&id));
}

/* It is the peer's no more. */
static void forget(struct mcp_stdio_call *call)
{
    struct stdio_peer *peer = call->peer;
    if (call->next) call->next->previous = call->previous;
    *(call->previous ? &call->previous->next : &peer->calls) = call->next;
    peer->call_count--;
    if (call->id != 0) (void)map_remove(peer->asked, key_of(&call->id));
    loop_timer_clear(peer->stdio->loop, &call->until);
    if (!peer->calls || peer->answers) stdio_peer_wake(peer); /* the next one may be sent */
}

static void call_free(struct mcp_stdio_call *call)
{
    mcp_pages_done(&call->list);
    json_unref(call->params);
    mcp_wanted_done(&call->wanted);
    free(call);
}

static void finish(struct mcp_stdio_call *call, const struct mcp_result *result)
{
    const struct mcp_handlers handlers = call->handlers;
    CLEANUP(json_unrefp) json asked    = json_invalid();
    struct mcp_result told             = *result;
    mcp_wanted_settle(&call->wanted, stdio_peer_offer(call->peer), &handlers, &told, &asked);
    forget(call);
    handlers.done(&told, handlers.context);
    call_free(call);
}

void stdio_call_fail(struct mcp_stdio_call *call, status code, const char *why)
{
    struct mcp_result result = {.was_sent = call->id != 0};
    result.code              = fail(&result.why, code, "%s", why);
    finish(call, &result);
}

static void say_cancelled(struct mcp_stdio_call *call)
{
    CLEANUP(json_unrefp) json params = json_object_new(2);
    if (call->id == 0) return;
    json_object_put_text(&params, "requestId", json_int(call->id));
    json_object_put_text(&params, "reason", json_text_from("nobody waits for it any more"));
    const struct stdio_saying saying = {.method = "notifications/cancelled", .params = params};
    if (stdio_peer_say(call->peer, &saying)) stdio_peer_give_up(call->peer);
}

static void on_until(void *context)
{
    struct mcp_stdio_call *call = context;
    say_cancelled(call);
    stdio_call_fail(call, STATUS_DEADLINE_EXCEEDED, "the server has not answered in time");
}

/* --- asking ----------------------------------------------------------------------------------- */

void stdio_call_send(struct mcp_stdio_call *call)
{
    struct stdio_peer *peer = call->peer;
    call->id                = ++peer->last_id;
    call->progress          = -HUGE_VAL;
    bool fits               = map_put(peer->asked, key_of(&call->id), call);
    ASSERT(fits); /* STDIO_CALLS_MAX */
    const struct stdio_saying saying = {.method      = call->request.method,
                                        .id          = call->id,
                                        .params      = call->params,
                                        .traceparent = call->request.traceparent,
                                        .asks        = call->request.asks && peer->is_modern};
    if (stdio_peer_say(peer, &saying)) return;
    if (peer->state != STDIO_READY) return; /* it ends with its process */
    (void)map_remove(peer->asked, key_of(&call->id));
    call->id = 0;
    stdio_call_fail(call, STATUS_RESOURCE_EXHAUSTED, "the request is too large");
}

/* Takes `params`. */
static void ask_again(struct mcp_stdio_call *call, json params)
{
    call->params = params;
    (void)map_remove(call->peer->asked, key_of(&call->id));
    call->id = 0;
    stdio_call_send(call);
}

/* --- answers ---------------------------------------------------------------------------------- */

/* Nothing that the server was started with becomes part of a run. */
static void deliver(struct mcp_stdio_call *call, json result, json error)
{
    const struct json_mask *mask     = call->peer->server->mask;
    CLEANUP(json_unrefp) json shown  = json_invalid();
    CLEANUP(json_unrefp) json failed = json_invalid();
    if (json_is(result, JSON_OBJECT)) shown = json_mask_apply(mask, result);
    if (json_is(error, JSON_OBJECT)) failed = json_mask_apply(mask, error);
    const struct mcp_result answer = {
        .result = shown, .error = failed, .http_status = 200, .was_sent = true};
    finish(call, &answer);
}

static void turn_page(struct mcp_stdio_call *call, json cursor)
{
    json params =
        json_is(call->params, JSON_OBJECT) ? json_take(&call->params) : json_object_new(1);
    json_object_put_text(&params, "cursor", json_ref(cursor));
    ask_again(call, params);
}

/* The server wants to hear its own state again, and perhaps more, which a person is to say. */
static void take_wish(struct mcp_stdio_call *call, json result)
{
    json state  = json_get_text(result, "requestState");
    json wanted = json_get_text(result, "inputRequests");
    if (json_count(wanted) == 0 && json_is(state, JSON_TEXT) && ++call->states < STATES_MAX) {
        ask_again(call, mcp_params_again(json_take(&call->params), json_invalid(), state));
        return;
    }
    struct mcp_result answer        = {.code = STATUS_FAILED_PRECONDITION};
    CLEANUP(json_unrefp) json asked = mcp_input_asked_new(result, &answer.why);
    json requests                   = json_get_text(asked, "requests");
    json_object_put_text(&asked, "requests", json_mask_apply(call->peer->server->mask, requests));
    answer.asked = asked; /* with its state as it is: nobody but the server hears that */
    finish(call, &answer);
}

static void take_result(struct mcp_stdio_call *call, json result)
{
    json cursor = json_invalid();
    switch (
        mcp_pages_turn(&call->list, call->request.method, call->request.params, result, &cursor)) {
    case MCP_PAGE_NEXT: turn_page(call, cursor); return;
    case MCP_PAGE_TOO_MANY:
        stdio_call_fail(call, STATUS_RESOURCE_EXHAUSTED, MCP_PAGES_TOO_MANY);
        return;
    case MCP_PAGE_LAST: break;
    }
    CLEANUP(json_unrefp) json whole = mcp_pages_whole(&call->list, call->request.method, result);
    deliver(call, whole, json_invalid());
}

void stdio_call_hear(struct mcp_stdio_call *call, json params)
{
    if (!call->handlers.progress) return;
    CLEANUP(json_unrefp) json shown = json_mask_apply(call->peer->server->mask, params);
    CLEANUP(json_unrefp) json said  = mcp_news_progress(shown, call->id, &call->progress);
    if (json_is(said, JSON_OBJECT)) call->handlers.progress(said, call->handlers.context);
}

void stdio_call_take(struct mcp_stdio_call *call, json message)
{
    json result         = json_get_text(message, "result");
    json error          = json_get_text(message, "error");
    json type           = json_get_text(result, "resultType");
    call->peer->rest_ms = STDIO_REST_MS; /* it is of use */
    if (json_is(error, JSON_OBJECT)) {
        deliver(call, json_invalid(), error);
    } else if (!json_is(result, JSON_OBJECT)) {
        stdio_call_fail(call, STATUS_DATA_LOSS, "the result is no object");
    } else if (json_is(type, JSON_TEXT) && str_is(json_str(type), "input_required")) {
        take_wish(call, result);
    } else {
        take_result(call, result);
    }
}

/* What it asks is of the call that it was sent: there is but one. Its secrets are nobody's input.
 */
json stdio_answer_new(struct stdio_peer *peer, json message)
{
    CLEANUP(json_unrefp) json asked = json_mask_apply(peer->server->mask, message);
    struct mcp_stdio_call *call     = peer->calls;
    while (call && call->id == 0) call = call->next;
    if (!json_is(asked, JSON_OBJECT)) { /* too large to be looked through */
        json_unref(asked);
        asked = json_object_new(1);
    }
    json_object_put_text(&asked, "id", json_ref(json_get_text(message, "id")));
    return mcp_wanted_answer(call ? &call->wanted : NULL, asked, stdio_peer_offer(peer),
                             call ? &call->handlers : NULL);
}

/* --- whose process ---------------------------------------------------------------------------- */

/* One that has no process makes room at once; else one that nobody uses is stopped, for who asks
 * again: this may be its own callback. */
static bool make_room(struct mcp_stdio *stdio)
{
    struct stdio_peer *unused = NULL;
    bool is_one_ending        = false;
    size_t cursor             = 0;
    str key                   = {};
    void *value               = NULL;
    if (map_count(stdio->peers) < STDIO_PROCESSES_MAX) return true;
    while (map_next(stdio->peers, &cursor, &key, &value)) {
        struct stdio_peer *peer = value;
        if (peer->calls) continue;
        if (peer->state == STDIO_NONE) {
            (void)map_remove(stdio->peers, key);
            stdio_peer_freep(&peer);
            return true;
        }
        if (peer->state == STDIO_READY) unused = peer;
        is_one_ending |= peer->state == STDIO_ENDING;
    }
    if (unused && !is_one_ending) stdio_peer_tire(unused);
    return false;
}

static void put_part(struct buf *key, str part)
{
    (void)buf_put_number(key, part.len);
    (void)buf_put_byte(key, ' ');
    (void)buf_put_str(key, part);
}

static status peer_of(struct mcp_stdio *stdio, const struct stdio_server *server,
                      const struct mcp_stdio_request *request, struct stdio_peer **ret_peer,
                      struct error *reterr)
{
    CLEANUP(buf_done) struct buf key = buf_init(KEY_MAX);
    bool is_workflows                = request->owner.len == 0;
    put_part(&key, str_from(server->name));
    put_part(&key, request->owner);
    put_part(&key, is_workflows ? request->namespace : (str){.ptr = ""});
    put_part(&key, request->call.version);
    put_part(&key, request->call.name);
    put_part(&key, request->call.name_version);
    put_part(&key, str_from(request->call.answers ? "answers" : ""));
    if (key.is_full) return fail(reterr, STATUS_INVALID_ARGUMENT, "/client: too long a name");
    *ret_peer = map_get(stdio->peers, buf_str(&key));
    if (*ret_peer) return STATUS_OK;
    if (!make_room(stdio)) {
        return fail(reterr, STATUS_RESOURCE_EXHAUSTED,
                    "%d servers are running already; one that nobody uses makes room soon",
                    STDIO_PROCESSES_MAX);
    }
    *ret_peer    = stdio_peer_new(stdio, server, &request->call);
    bool is_kept = map_put(stdio->peers, buf_str(&key), *ret_peer);
    ASSERT(is_kept);
    return STATUS_OK;
}

static status check(const struct mcp_stdio *stdio, const struct mcp_stdio_request *request,
                    const struct stdio_server **ret_server, struct error *reterr)
{
    const struct stdio_server *server =
        stdio_servers_find(stdio->servers, request->server, request->arguments);
    bool is_modern = false;
    if (!server) {
        return fail(reterr, STATUS_FAILED_PRECONDITION,
                    "`%.*s` with these arguments is no server of tools.mcp.stdio, and nothing else "
                    "is started: ask the administrator of the tool-adapter",
                    request->server.len < 60 ? (int)request->server.len : 60, request->server.ptr);
    }
    if (!stdio_server_serves(server, request->namespace)) {
        return fail(reterr, STATUS_PERMISSION_DENIED,
                    "tools.mcp.stdio.%s does not serve this namespace", server->name);
    }
    str version = request->call.version;
    if (version.len > 0 && !mcp_version_is_known(version, &is_modern)) {
        return fail(reterr, STATUS_INVALID_ARGUMENT,
                    "/protocolVersion: this revision is not spoken here; " MCP_MODERN
                    ", " MCP_LEGACY ", 2025-06-18 and 2025-03-26 are");
    }
    *ret_server = server;
    return STATUS_OK;
}

status mcp_stdio_start(struct mcp_stdio *stdio, const struct mcp_stdio_request *request,
                       const struct mcp_handlers *handlers, struct mcp_stdio_call **ret_call,
                       struct error *reterr)
{
    const struct stdio_server *server = NULL;
    struct stdio_peer *peer           = NULL;
    struct loop *loop                 = stdio->loop;
    int64_t left_ms                   = request->call.until_ms - clock_mono_ms();
    TRY(check(stdio, request, &server, reterr));
    if (left_ms <= 0) return fail(reterr, STATUS_DEADLINE_EXCEEDED, "no time is left for it");
    TRY(peer_of(stdio, server, request, &peer, reterr));
    if (peer->call_count == STDIO_CALLS_MAX) {
        return fail(reterr, STATUS_RESOURCE_EXHAUSTED, "%d calls wait for the server already",
                    STDIO_CALLS_MAX);
    }
    struct mcp_stdio_call *call = mem_new(1, sizeof *call);
    call->peer                  = peer;
    call->request               = request->call;
    call->handlers              = *handlers;
    call->params                = json_ref(request->call.params);
    if (json_is(request->call.input, JSON_OBJECT)) {
        json input   = request->call.input;
        call->params = mcp_params_again(call->params, json_get_text(input, "responses"),
                                        json_get_text(input, "state"));
    }
    call->until = (struct loop_timer){.fire = on_until, .context = call};
    call->next  = peer->calls;
    if (call->next) call->next->previous = call;
    peer->calls = call;
    peer->call_count++;
    loop_timer_set(loop, &call->until, loop_now_ms(loop) + left_ms);
    stdio_peer_wake(peer);
    *ret_call = call;
    return STATUS_OK;
}

void mcp_stdio_cancel(struct mcp_stdio_call *call)
{
    say_cancelled(call);
    forget(call);
    call_free(call);
}

/* --- life ------------------------------------------------------------------------------------- */

struct mcp_stdio *mcp_stdio_new(const struct stdio_servers *servers, struct loop *loop)
{
    struct mcp_stdio *stdio = mem_new(1, sizeof *stdio);
    stdio->servers          = servers;
    stdio->loop             = loop;
    stdio->peers            = map_new(STDIO_PROCESSES_MAX);
    return stdio;
}

void mcp_stdio_freep(struct mcp_stdio **ref)
{
    struct mcp_stdio *stdio = *ref;
    int64_t until_ms        = clock_mono_ms() + CHILD_STOP_MS;
    size_t cursor           = 0;
    str key                 = {};
    void *value             = NULL;
    if (!stdio) return;
    while (map_next(stdio->peers, &cursor, &key, &value)) {
        struct stdio_peer *peer = value;
        if (peer->child) child_process_stop(peer->child);
    }
    for (cursor = 0; map_next(stdio->peers, &cursor, &key, &value);) {
        struct stdio_peer *peer = value;
        if (peer->child) child_process_wait(peer->child, until_ms);
        stdio_peer_freep(&peer);
    }
    map_free(stdio->peers);
    free(stdio);
    *ref = NULL;
}
