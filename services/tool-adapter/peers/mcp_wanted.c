#include "tool-adapter/peers/mcp_wanted.h"

#include "tool-adapter/peers/mcp_input.h"
#include "tool-adapter/peers/rpc_reply.h"

#include <stdio.h>

enum { NAME_SIZE = 16 };

void mcp_wanted_done(struct mcp_wanted *wanted)
{
    json_unref(json_take(&wanted->requests));
}

/* --- answers ---------------------------------------------------------------------------------- */

/* Forms have no mode in 2025-06-18, and may have none later. */
static bool is_offered(json params, enum mcp_offer offer)
{
    json mode = json_get_text(params, "mode");
    if (!json_is(params, JSON_OBJECT)) return false;
    if (json_is(mode, JSON_INVALID)) return true;
    if (!json_is(mode, JSON_TEXT)) return false;
    bool is_address = offer == MCP_OFFERS_ADDRESSES && str_is(json_str(mode), "url");
    return is_address || str_is(json_str(mode), "form");
}

static void put_request(json *requests, const char *name, json params)
{
    json request = json_object_new(2);
    json_object_put_text(&request, "method", json_text_from("elicitation/create"));
    json_object_put_text(&request, "params", json_ref(params));
    json_object_put_text(requests, name, request);
}

static json said_before(const struct mcp_handlers *handlers, json params)
{
    if (!handlers || !handlers->answer) return json_invalid();
    return handlers->answer(params, handlers->context);
}

/* The first thing that nobody has an answer to is what is wanted. Owned. */
static json response_new(struct mcp_wanted *wanted, json params,
                         const struct mcp_handlers *handlers)
{
    json response = said_before(handlers, params);
    if (json_is(response, JSON_OBJECT)) return response;
    if (wanted && !json_is(wanted->requests, JSON_OBJECT)) {
        wanted->requests = json_object_new(1);
        put_request(&wanted->requests, "input", params);
    }
    response = json_object_new(1);
    json_object_put_text(&response, "action", json_text_from("cancel"));
    return response;
}

static void put_error(json *answer, int code, const char *message)
{
    json error = json_object_new(2);
    json_object_put_text(&error, "code", json_int(code));
    json_object_put_text(&error, "message", json_text_from(message));
    json_object_put_text(answer, "error", error);
}

json mcp_wanted_answer(struct mcp_wanted *wanted, json message, enum mcp_offer offer,
                       const struct mcp_handlers *handlers)
{
    json answer  = json_object_new(3);
    json params  = json_get_text(message, "params");
    json method  = json_get_text(message, "method");
    str asked    = json_is(method, JSON_TEXT) ? json_str(method) : (str){};
    bool is_wish = str_is(asked, "elicitation/create") && offer != MCP_OFFERS_NOTHING;
    json_object_put_text(&answer, "jsonrpc", json_text_from("2.0"));
    json_object_put_text(&answer, "id", json_ref(json_get_text(message, "id")));
    if (str_is(asked, "ping")) {
        json_object_put_text(&answer, "result", json_object_new(0));
    } else if (!is_wish) {
        put_error(&answer, MCP_METHOD_NOT_FOUND, "This client offers nothing of the kind");
    } else if (!is_offered(params, offer)) {
        put_error(&answer, MCP_INVALID_PARAMS, "This client does not ask in this mode");
    } else {
        json_object_put_text(&answer, "result", response_new(wanted, params, handlers));
    }
    return answer;
}

/* --- the end ---------------------------------------------------------------------------------- */

/* The last word counts: what was agreed to before was not enough. */
static bool was_refused(const struct mcp_handlers *handlers, json params)
{
    bool is_refused = false;
    for (;;) {
        CLEANUP(json_unrefp) json response = said_before(handlers, params);
        if (!json_is(response, JSON_OBJECT)) return is_refused;
        json action = json_get_text(response, "action");
        is_refused  = !json_is(action, JSON_TEXT) || !str_is(json_str(action), "accept");
    }
}

static bool is_address(json params)
{
    json mode = json_get_text(params, "mode");
    return json_is(mode, JSON_TEXT) && str_is(json_str(mode), "url");
}

/* The addresses without which it does nothing, as requests. Owned; JSON_INVALID: it is no such
 * refusal, or one that stays. */
static json addresses_new(json error, const struct mcp_handlers *handlers)
{
    json list    = json_get_text(json_get_text(error, "data"), "elicitations");
    size_t count = json_is(list, JSON_ARRAY) ? json_count(list) : 0;
    if (rpc_error_code(error) != MCP_ADDRESS_REQUIRED) return json_invalid();
    if (count == 0 || count > MCP_INPUTS_MAX) return json_invalid();
    CLEANUP(json_unrefp) json requests = json_object_new(count);
    for (size_t i = 0; i < count; i++) {
        char name[NAME_SIZE];
        json params = json_at(list, i);
        if (!is_address(params) || was_refused(handlers, params)) return json_invalid();
        (void)snprintf(name, sizeof name, "address-%zu", i + 1);
        put_request(&requests, name, params);
    }
    return json_take(&requests);
}

void mcp_wanted_settle(const struct mcp_wanted *wanted, enum mcp_offer offer,
                       const struct mcp_handlers *handlers, struct mcp_result *result,
                       json *ret_asked)
{
    if (result->code != STATUS_OK || offer == MCP_OFFERS_NOTHING) return;
    CLEANUP(json_unrefp) json requests = json_ref(wanted->requests);
    if (!json_is(requests, JSON_OBJECT) && offer == MCP_OFFERS_ADDRESSES) {
        requests = addresses_new(result->error, handlers);
    }
    if (!json_is(requests, JSON_OBJECT)) return;
    CLEANUP(json_unrefp) json said = json_object_new(1);
    json_object_put_text(&said, "inputRequests", json_ref(requests));
    *ret_asked = mcp_input_asked_new(said, &result->why);
    json_object_put_text(ret_asked, "replay", json_bool(true));
    result->code     = STATUS_FAILED_PRECONDITION;
    result->asked    = *ret_asked;
    result->was_sent = true;
    result->result   = json_invalid();
    result->error    = json_invalid();
}
