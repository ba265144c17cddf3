#include "tool-adapter/peers/mcp_engine.h"

#include "base/clock.h"
#include "base/mem.h"

#include <stdio.h>
#include <stdlib.h>

/* One request under way; the engine's `struct engine_call` is this. */
struct reach {
    struct engine_handlers handlers;
    json endpoint, headers, params; /* owned */
    const char *method;             /* the manifest's */
    struct mcp_call *call;
    bool is_starting, is_over; /* inside of start; and it ended there */
    status code;               /* how */
    struct error error;
};

static void reach_free(struct reach *reach)
{
    json_unref(reach->endpoint);
    json_unref(reach->headers);
    json_unref(reach->params);
    free(reach);
}

/* --- who we are ------------------------------------------------------------------------------- */

static json secret_of(const struct engine_request *request, const char *slot)
{
    str value = {};
    if (!request->secrets ||
        request->secrets->find(slot, &value, NULL, request->secrets->context) != STATUS_OK) {
        return json_invalid();
    }
    return json_text_lossy(value);
}

/* {bearer: {token}}, {oauth2: {…}}, or nothing. Owned. */
static json authentication_new(const struct engine_request *request)
{
    json token  = secret_of(request, "token");
    json secret = secret_of(request, "client_secret");
    json policy = json_object_new(1);
    json given  = json_object_new(4);
    if (json_is(secret, JSON_TEXT)) {
        json client    = json_object_new(2);
        json endpoints = json_object_new(1);
        json_object_put_text(&client, "id", json_ref(json_get_text(request->config, "client_id")));
        json_object_put_text(&client, "secret", secret);
        json_object_put_text(&endpoints, "token",
                             json_ref(json_get_text(request->config, "token_url")));
        json_object_put_text(&given, "grant", json_text_from("client_credentials"));
        json_object_put_text(&given, "client", client);
        json_object_put_text(&given, "endpoints", endpoints);
        json scopes = json_get_text(request->config, "scopes");
        if (json_is(scopes, JSON_ARRAY)) json_object_put_text(&given, "scopes", json_ref(scopes));
        json_object_put_text(&policy, "oauth2", given);
        json_unref(token);
        return policy;
    }
    if (json_is(token, JSON_TEXT)) {
        json_object_put_text(&given, "token", token);
        json_object_put_text(&policy, "bearer", given);
        return policy;
    }
    json_unref(policy);
    json_unref(given);
    return json_invalid();
}

static json endpoint_new(const struct engine_request *request)
{
    json endpoint       = json_object_new(2);
    json authentication = authentication_new(request);
    json_object_put_text(&endpoint, "uri", json_ref(json_get_text(request->config, "url")));
    if (json_is(authentication, JSON_OBJECT)) {
        json_object_put_text(&endpoint, "authentication", authentication);
    }
    return endpoint;
}

/* --- the answer ------------------------------------------------------------------------------- */

static json response_new(const struct mcp_result *from)
{
    bool is_error = json_is(from->error, JSON_OBJECT);
    bool has_body = json_is(from->result, JSON_OBJECT);
    json body     = is_error ? json_object_new(1) : json_null();
    if (has_body) body = json_ref(from->result);
    json headers  = json_object_new(1);
    json response = json_object_new(3);
    if (is_error) json_object_put_text(&body, "error", json_ref(from->error));
    if (from->wait_ms > 0) {
        char seconds[32];
        (void)snprintf(seconds, sizeof seconds, "%lld", (long long)(from->wait_ms / 1'000));
        json_object_put_text(&headers, "retry-after", json_text_from(seconds));
    }
    json_object_put_text(&response, "status", json_int(from->http_status));
    json_object_put_text(&response, "headers", headers);
    json_object_put_text(&response, "body", body);
    return response;
}

static void on_done(const struct mcp_result *from, void *context)
{
    struct reach *reach = context;
    bool has_status =
        from->http_status != 0 && (from->http_status < 200 || from->http_status > 299);
    struct engine_result result = {
        .code = from->code, .was_sent = from->was_sent, .error = from->why};
    if (reach->is_starting) {
        reach->is_over = true;
        reach->code    = from->code;
        reach->error   = from->why;
        return;
    }
    if (from->code == STATUS_OK || has_status) { /* the manifest knows what a status means */
        result.code     = STATUS_OK;
        result.response = response_new(from);
    }
    reach->handlers.done(&result, reach->handlers.context);
    json_unref(result.response);
    reach_free(reach);
}

/* --- asking ----------------------------------------------------------------------------------- */

static status start(void *self, const struct engine_request *request,
                    const struct engine_handlers *handlers, struct engine_call **ret_call,
                    struct error *reterr)
{
    struct reach *reach            = mem_new(1, sizeof *reach);
    const struct mcp_handlers mine = {.done = on_done, .context = reach};
    reach->handlers                = *handlers;
    reach->endpoint                = endpoint_new(request);
    reach->headers                 = json_ref(json_get_text(request->config, "headers"));
    reach->params                  = json_ref(request->settings);
    reach->method                  = request->function;
    reach->is_starting             = true;
    const struct mcp_request asked = {.endpoint          = reach->endpoint,
                                      .headers           = reach->headers,
                                      .method            = reach->method,
                                      .params            = reach->params,
                                      .until_ms          = clock_mono_ms() + request->total_ms,
                                      .answer_max        = (size_t)request->answer_max,
                                      .keeps_private_out = !request->allow_private};
    struct mcp_call *call          = mcp_call_start(self, &asked, &mine);
    if (reach->is_over) {
        status code = fail(reterr, reach->code, "%s", reach->error.text);
        reach_free(reach);
        return code;
    }
    reach->is_starting = false;
    reach->call        = call;
    *ret_call          = (struct engine_call *)(void *)reach;
    return STATUS_OK;
}

static void cancel(struct engine_call *call)
{
    struct reach *reach = (struct reach *)(void *)call;
    mcp_call_cancel(reach->call);
    reach_free(reach);
}

struct engine mcp_engine(struct mcp_client *client)
{
    return (struct engine){.kind = REQUEST_MCP, .start = start, .cancel = cancel, .self = client};
}
