/* What an answer means: which era the server is of, the pages of a list, what it wants to hear. */
#include "tool-adapter/peers/mcp_authorize.h"
#include "tool-adapter/peers/mcp_ear.h"
#include "tool-adapter/peers/mcp_input.h"
#include "tool-adapter/peers/mcp_session.h"

#include <stdio.h>
#include <string.h>

enum {
    SESSIONS_MAX = 2, /* of one call */
    STATES_MAX   = 5, /* times that a server may ask for the same again */
};

static void finish_with_error(struct mcp_call *call, json error, int http_status)
{
    const struct mcp_result result = {
        .error = error, .http_status = http_status, .wait_ms = call->wait_ms, .token = call->token};
    mcp_call_finish(call, &result);
}

/* --- which era -------------------------------------------------------------------------------- */

str mcp_call_address(const struct mcp_call *call)
{
    return json_str(json_get_text(call->request.endpoint, "uri"));
}

void mcp_call_introduce(struct mcp_call *call, const char *version)
{
    mcp_ear_close(call);
    call->is_modern  = false;
    call->version    = version;
    call->session[0] = '\0';
    if (++call->sessions > SESSIONS_MAX) {
        mcp_call_fail(call, STATUS_UNAVAILABLE, false, "the server forgets its sessions");
        return;
    }
    switch (mcp_session_join(call)) {
    case MCP_JOINING_OPENS: mcp_call_send(call, MCP_STEP_INITIALIZE); break;
    case MCP_JOINING_HAS: mcp_call_send(call, MCP_STEP_ASK); break;
    case MCP_JOINING_WAITS: break;
    }
}

/* The refusals that only the newer era has. */
static bool is_modern_refusal(const struct mcp_call *call)
{
    int64_t code = rpc_error_code(call->reply.error);
    if (code <= MCP_HEADER_MISMATCH && code >= MCP_UNSUPPORTED_VERSION) return true;
    return call->http_status == 404 && code == MCP_METHOD_NOT_FOUND;
}

/* A revision of that era among those that the server says it speaks; NULL: none. */
static const char *offered_version(const struct mcp_call *call, bool wants_modern)
{
    json data = json_get_text(call->reply.error, "data");
    json list = json_get_text(data, "supported");
    for (size_t i = 0; json_is(list, JSON_ARRAY) && i < json_count(list); i++) {
        json one       = json_at(list, i);
        bool is_modern = false;
        if (!json_is(one, JSON_TEXT) || !mcp_version_is_known(json_str(one), &is_modern)) continue;
        if (is_modern == wants_modern) return arena_strdup(call->arena, json_str(one));
    }
    return NULL;
}

static bool may_be_older(const struct mcp_call *call)
{
    int status_code = call->http_status;
    bool is_refusal = status_code >= 400 && status_code < 500 && status_code != 401 &&
                      status_code != 403 && status_code != 408 && status_code != 429;
    return is_refusal && call->request.version.len == 0 && call->sessions == 0;
}

static void settle_modern_refusal(struct mcp_call *call)
{
    int64_t code        = rpc_error_code(call->reply.error);
    bool is_version     = code == MCP_UNSUPPORTED_VERSION;
    const char *version = is_version ? offered_version(call, false) : NULL;
    bool is_call        = strcmp(call->request.method, "tools/call") == 0;
    if (is_version && offered_version(call, true) && ++call->states < STATES_MAX) {
        mcp_call_send(call, call->step); /* it speaks what was sent, after all */
    } else if (version && call->request.version.len == 0) {
        mcp_call_introduce(call, version);
    } else if (code == MCP_HEADER_MISMATCH && is_call && call->step == MCP_STEP_ASK &&
               json_is(call->schema, JSON_INVALID)) {
        mcp_call_send(call, MCP_STEP_LIST); /* nothing was done */
    } else {
        finish_with_error(call, call->reply.error, call->http_status);
    }
}

/* --- answers ---------------------------------------------------------------------------------- */

static void turn_page(struct mcp_call *call, json cursor)
{
    if (!json_is(call->params, JSON_OBJECT)) call->params = json_object_new(1);
    json_object_put_text(&call->params, "cursor", json_ref(cursor));
    mcp_call_send(call, MCP_STEP_ASK);
}

static void deliver(struct mcp_call *call)
{
    const char *method = call->request.method;
    json cursor        = json_invalid();
    switch (
        mcp_pages_turn(&call->list, method, call->request.params, call->reply.result, &cursor)) {
    case MCP_PAGE_NEXT: turn_page(call, cursor); return;
    case MCP_PAGE_TOO_MANY:
        mcp_call_fail(call, STATUS_RESOURCE_EXHAUSTED, true, MCP_PAGES_TOO_MANY);
        return;
    case MCP_PAGE_LAST: break;
    }
    CLEANUP(json_unrefp) json whole = mcp_pages_whole(&call->list, method, call->reply.result);
    const struct mcp_result result  = {
         .result = whole, .http_status = call->http_status, .token = call->token};
    mcp_call_finish(call, &result);
}

/* The server wants to hear its own state again, and perhaps more, which a person is to say. */
static void settle_input(struct mcp_call *call)
{
    json state  = json_get_text(call->reply.result, "requestState");
    json wanted = json_get_text(call->reply.result, "inputRequests");
    if (json_count(wanted) == 0 && json_is(state, JSON_TEXT) && ++call->states < STATES_MAX) {
        call->params = mcp_params_again(json_take(&call->params), json_invalid(), state);
        mcp_call_send(call, MCP_STEP_ASK);
        return;
    }
    struct mcp_result result = {
        .code = STATUS_FAILED_PRECONDITION, .http_status = call->http_status, .token = call->token};
    CLEANUP(json_unrefp) json shown = mcp_call_hide(call, call->reply.result);
    CLEANUP(json_unrefp) json asked = mcp_input_asked_new(shown, &result.why);
    if (json_is(state, JSON_TEXT)) json_object_put_text(&asked, "state", json_ref(state));
    result.asked = asked; /* with its state as it is: nobody but the server hears that */
    mcp_call_finish(call, &result);
}

static void take_schema(struct mcp_call *call)
{
    json tools = json_get_text(call->reply.result, "tools");
    json name  = json_get_text(call->params, "name");
    for (size_t i = 0; json_is(tools, JSON_ARRAY) && i < json_count(tools); i++) {
        json tool = json_at(tools, i);
        if (!json_equal(json_get_text(tool, "name"), name)) continue;
        call->schema = json_ref(json_get_text(tool, "inputSchema"));
        if (json_is(call->schema, JSON_OBJECT) && mcp_tool_is_callable(tool)) {
            mcp_call_send(call, MCP_STEP_ASK);
            return;
        }
    }
    mcp_call_fail(call, STATUS_FAILED_PRECONDITION, false,
                  "the server misses headers, and its list has no such tool that names them");
}

static void settle_introduction(struct mcp_call *call)
{
    json version   = json_get_text(call->reply.result, "protocolVersion");
    bool is_modern = false;
    if (!json_is(version, JSON_TEXT) || !mcp_version_is_known(json_str(version), &is_modern) ||
        is_modern) {
        mcp_call_fail(call, STATUS_FAILED_PRECONDITION, false,
                      "the server speaks no revision of the protocol that is known here");
        return;
    }
    call->version = arena_strdup(call->arena, json_str(version));
    mcp_call_send(call, MCP_STEP_INITIALIZED);
}

static void settle_result(struct mcp_call *call)
{
    if (call->is_modern) mcp_era_set(call->client, mcp_call_address(call), MCP_ERA_MODERN);
    json type = json_get_text(call->reply.result, "resultType");
    if (!json_is(call->reply.result, JSON_OBJECT)) {
        mcp_call_fail(call, STATUS_DATA_LOSS, true, "the result is no object");
    } else if (call->step == MCP_STEP_INITIALIZE) {
        settle_introduction(call);
    } else if (call->step == MCP_STEP_LIST) {
        take_schema(call);
    } else if (json_is(type, JSON_TEXT) && str_is(json_str(type), "input_required")) {
        settle_input(call);
    } else {
        deliver(call);
    }
}

bool mcp_call_is_fine(const struct mcp_call *call)
{
    return call->http_status >= 200 && call->http_status <= 299;
}

/* It was of the older era when it was asked before, and takes no introductions any more. */
static bool is_newer_now(const struct mcp_call *call)
{
    bool is_refusal = call->http_status == 400 || call->http_status == 404;
    return call->step == MCP_STEP_INITIALIZE && is_refusal && call->request.version.len == 0 &&
           call->first_status == 0 && call->sessions == 1;
}

/* A 404 says so (2025-11-25, "Session Management"); of one that was opened a while ago also a 400
 * with an error of the server's own kind, which is what a restarted server of the official SDK for
 * TypeScript answers. */
static bool has_lost_session(const struct mcp_call *call)
{
    enum { SERVER_ERROR_MIN = -32'099, SERVER_ERROR_MAX = -32'000 };
    int64_t code = rpc_error_code(call->reply.error);
    bool is_said = call->http_status == 400 && mcp_session_is_shared(call) &&
                   code >= SERVER_ERROR_MIN && code <= SERVER_ERROR_MAX;
    if (!*call->session || call->step == MCP_STEP_INITIALIZE) return false;
    return call->http_status == 404 || is_said;
}

static void settle_refusal(struct mcp_call *call)
{
    bool is_rpc = json_is(call->reply.error, JSON_OBJECT);
    if (mcp_authorize(call)) return;
    if (has_lost_session(call)) {
        mcp_session_lose(call);
        mcp_call_introduce(call, call->version);
    } else if (call->is_modern && is_rpc && is_modern_refusal(call)) {
        settle_modern_refusal(call);
    } else if (call->is_modern && may_be_older(call)) {
        mcp_era_set(call->client, mcp_call_address(call), MCP_ERA_UNKNOWN);
        call->first_error  = json_ref(call->reply.error);
        call->first_status = call->http_status;
        mcp_call_introduce(call, MCP_LEGACY);
    } else if (is_newer_now(call)) {
        mcp_era_set(call->client, mcp_call_address(call), MCP_ERA_UNKNOWN);
        mcp_session_leave(call);
        call->is_modern = true;
        call->version   = MCP_MODERN;
        mcp_call_send(call, MCP_STEP_ASK);
    } else if (call->step == MCP_STEP_INITIALIZE && json_is(call->first_error, JSON_OBJECT)) {
        finish_with_error(call, call->first_error, call->first_status);
    } else if (is_rpc) {
        finish_with_error(call, call->reply.error, call->http_status);
    } else {
        char why[32];
        (void)snprintf(why, sizeof why, "HTTP %d", call->http_status);
        mcp_call_fail(call, STATUS_UNAVAILABLE, true, why);
    }
}

void mcp_call_settle(struct mcp_call *call)
{
    if (mcp_call_is_fine(call) && call->step == MCP_STEP_INITIALIZED) {
        mcp_era_set(call->client, mcp_call_address(call), MCP_ERA_LEGACY);
        mcp_session_open(call);
        if (!mcp_ear_open(call)) mcp_call_send(call, MCP_STEP_ASK);
        return;
    }
    if (!mcp_call_is_fine(call)) {
        settle_refusal(call);
        return;
    }
    if (!call->reply.is_answered) {
        if (mcp_call_resume(call)) return;
        mcp_call_fail(call, STATUS_UNAVAILABLE, true, "the answer ended before the result");
    } else if (json_is(call->reply.error, JSON_OBJECT)) {
        finish_with_error(call, call->reply.error, call->http_status);
    } else {
        settle_result(call);
    }
}
