#include "tool-adapter/peers/mcp_engine.h"

#include "base/arena.h"
#include "base/assert.h"
#include "base/clock.h"
#include "base/mem.h"
#include "schema/schema.h"
#include "tool-adapter/peers/mcp_inquiry.h"
#include "json/json_mask.h"
#include "json/json_text.h"

#include <stdio.h>
#include <stdlib.h>

/* Among the `params` of a request, and not sent. */
#define OUTPUT_SCHEMA "outputSchema"

enum {
    CHECK_MAX = 16 << 20, /* bytes, while an answer is checked */
};

/* One request under way; the engine's `struct engine_call` is this. */
struct reach {
    struct engine_handlers handlers;
    const struct onlooker *onlooker;     /* NULL: nobody */
    const struct respondent *respondent; /* NULL: nobody, or nobody is to be asked */
    str asker;                           /* the connection's name */
    json input;                          /* owned */
    struct mcp_replay replay;
    json endpoint, headers, params; /* owned */
    json client;                    /* owned */
    json output_schema;             /* owned; JSON_INVALID: any answer will do */
    const char *method;             /* the manifest's */
    struct mcp_call *call;          /* one of them */
    struct mcp_stdio_call *local;
    bool is_starting, is_over; /* inside of start; and it ended there */
    status code;               /* how */
    struct error error;
};

static void reach_free(struct reach *reach)
{
    json_unref(reach->endpoint);
    json_unref(reach->client);
    json_unref(reach->headers);
    json_unref(reach->params);
    json_unref(reach->output_schema);
    json_unref(reach->input);
    mcp_replay_done(&reach->replay);
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

/* Sessions, tokens and what is known of a server outlive the configuration, whose frozen values
 * count no owners. Takes `value`. Owned; JSON_INVALID: there is none, or it is too large. */
static json lasting_new(json value)
{
    CLEANUP(json_unrefp) json given = value;
    return json_is(given, JSON_OBJECT) ? json_copy_new(given) : json_invalid();
}

/* A member that is not there stays out. */
static void put_setting(json *object, const char *name, json config, const char *setting)
{
    json given = json_get_text(config, setting);
    if (!json_is(given, JSON_INVALID)) json_object_put_text(object, name, json_ref(given));
}

/* {id, secret or key, …}: who we are to an authorization server. Owned; JSON_INVALID: nobody. */
static json client_new(const struct engine_request *request)
{
    json secret = secret_of(request, "client_secret");
    json key    = secret_of(request, "client_key");
    if (json_is(secret, JSON_INVALID) && json_is(key, JSON_INVALID)) return json_invalid();
    json client = json_object_new(6);
    put_setting(&client, "id", request->config, "client_id");
    if (json_is(secret, JSON_TEXT)) json_object_put_text(&client, "secret", secret);
    if (json_is(key, JSON_TEXT)) {
        json_object_put_text(&client, "key", key);
        put_setting(&client, "key_id", request->config, "client_key_id");
    }
    return client;
}

static bool has_token_url(const struct engine_request *request)
{
    return json_is(json_get_text(request->config, "token_url"), JSON_TEXT);
}

/* {oauth2: {…}}. Takes `client`. Owned. */
static json policy_new(const struct engine_request *request, json client)
{
    json policy    = json_object_new(1);
    json given     = json_object_new(4);
    json endpoints = json_object_new(1);
    bool has_key   = json_is(json_get_text(client, "key"), JSON_TEXT);
    if (has_key) json_object_put_text(&client, "authentication", json_text_from("private_key_jwt"));
    put_setting(&endpoints, "token", request->config, "token_url");
    json_object_put_text(&given, "grant", json_text_from("client_credentials"));
    json_object_put_text(&given, "client", client);
    json_object_put_text(&given, "endpoints", endpoints);
    put_setting(&given, "scopes", request->config, "scopes");
    if (request->proxy.len > 0) {
        json_object_put_text(&given, OAUTH2_PROXY, json_text_new(request->proxy));
    }
    json_object_put_text(&policy, "oauth2", given);
    return policy;
}

/* {bearer: {token}}, {oauth2: {…}}, or nothing. Owned. */
static json authentication_new(const struct engine_request *request)
{
    json client = has_token_url(request) ? client_new(request) : json_invalid();
    if (json_is(client, JSON_OBJECT)) return policy_new(request, client);
    json token = secret_of(request, "token");
    if (!json_is(token, JSON_TEXT)) return json_invalid();
    json policy = json_object_new(1);
    json given  = json_object_new(1);
    json_object_put_text(&given, "token", token);
    json_object_put_text(&policy, "bearer", given);
    return policy;
}

/* Without a `token_url` the server is asked. Owned; JSON_INVALID: no such client. */
static json asking_client_new(const struct engine_request *request)
{
    json client = has_token_url(request) ? json_invalid() : client_new(request);
    if (!json_is(client, JSON_OBJECT)) return client;
    put_setting(&client, "scopes", request->config, "scopes");
    put_setting(&client, "issuer", request->config, "issuer");
    return client;
}

/* Nothing is dialled without. */
static status check_address(const struct engine_request *request, struct error *reterr)
{
    if (json_is(json_get_text(request->config, "url"), JSON_TEXT)) return STATUS_OK;
    return fail(reterr, STATUS_FAILED_PRECONDITION,
                "the connection `" STR_FMT
                "` lacks the setting `url` (or `server`): tools.connections." STR_FMT ".config",
                STR_ARG(request->connection), STR_ARG(request->connection));
}

/* Whoever says where the secret is to be sent gets it. */
static status check_client(json client, json config, struct error *reterr)
{
    if (!json_is(client, JSON_OBJECT)) return STATUS_OK;
    if (!json_is(json_get_text(client, "id"), JSON_TEXT)) {
        return fail(reterr, STATUS_FAILED_PRECONDITION,
                    "the connection has a client_secret or client_key, and no `client_id`");
    }
    bool is_bound = json_is(json_get_text(client, "issuer"), JSON_TEXT);
    if (is_bound || json_is_truthy(json_get_text(config, "trusted"))) return STATUS_OK;
    return fail(reterr, STATUS_FAILED_PRECONDITION,
                "the connection does not say who may have its client_secret, or what client_key "
                "signs: give it "
                "`token_url` or `issuer`, or mark the server as `trusted`");
}

static json endpoint_new(const struct engine_request *request)
{
    json endpoint       = json_object_new(2);
    json authentication = authentication_new(request);
    put_setting(&endpoint, "uri", request->config, "url");
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
    if (from->code != STATUS_OK) { /* what the status does not say */
        body = json_object_new(1);
        json_object_put_text(&body, "reason", json_text_lossy(str_from(from->why.text)));
    }
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

/* What a tool promised must be there; a failure has promised nothing, and a schema that cannot be
 * read here is passed over. */
static bool is_as_promised(const struct reach *reach, json result, struct error *ret_why)
{
    CLEANUP(schema_freep) struct schema *schema = NULL;
    CLEANUP(arena_freep) struct arena *arena    = NULL;
    json given                                  = json_get_text(result, "structuredContent");
    struct error why                            = {};
    bool is_asked = json_is(reach->output_schema, JSON_OBJECT) && json_is(result, JSON_OBJECT);
    if (!is_asked || json_is(json_get_text(result, "isError"), JSON_TRUE)) return true;
    if (schema_compile(reach->output_schema, NULL, NULL, &schema, NULL) != STATUS_OK) return true;
    if (json_is(given, JSON_INVALID)) {
        (void)fail(ret_why, STATUS_DATA_LOSS,
                   "the tool has an output schema, and its answer no structuredContent");
        return false;
    }
    arena = arena_new(CHECK_MAX);
    if (schema_check(schema, given, arena, NULL, &why) == STATUS_OK) return true;
    (void)fail(ret_why, STATUS_DATA_LOSS, "structuredContent is not what the tool promises: %s",
               why.text);
    return false;
}

/* In place of a result: the call was made, and what came of it is of no use. Owned; JSON_INVALID:
 * nothing is wrong. */
static json mismatch_new(const struct reach *reach, json result)
{
    struct error why = {};
    if (is_as_promised(reach, result, &why)) return json_invalid();
    json body = json_object_new(1);
    json_object_put_text(&body, "mismatch", json_text_lossy(str_from(why.text)));
    return body;
}

/* A token that was fetched is as secret as those of the configuration. Takes `response`. */
static json masked(str token, json response)
{
    if (token.len == 0) return response;
    CLEANUP(json_mask_freep) struct json_mask *mask = json_mask_new();
    json_mask_add(mask, token);
    json shown = json_mask_apply(mask, response);
    json_unref(response);
    return shown;
}

static void on_progress(json said, void *context)
{
    const struct reach *reach = context;
    reach->onlooker->progress(said, reach->onlooker->context);
}

/* The tool, prompt or resource that is asked for. */
static str named(const struct reach *reach)
{
    json name = json_get_text(reach->params, "name");
    if (!json_is(name, JSON_TEXT)) name = json_get_text(reach->params, "uri");
    return json_is(name, JSON_TEXT) ? json_str(name) : (str){};
}

/* What the server asks goes to whoever can say; the call ends in either case. */
static void inquire(const struct reach *reach, const struct mcp_result *from, struct error *error)
{
    const struct mcp_asker asker = {.server = reach->asker, .tool = named(reach)};
    if (!json_is(from->asked, JSON_OBJECT) || !reach->respondent) return;
    (void)mcp_inquiry_put(reach->respondent, from->asked, &asker, error);
}

static json on_asked(json params, void *context)
{
    struct reach *reach = context;
    return mcp_replay_answer(&reach->replay, params);
}

static void on_done(const struct mcp_result *from, void *context)
{
    struct reach *reach = context;
    bool has_status =
        from->http_status != 0 && (from->http_status < 200 || from->http_status > 299);
    struct engine_result result = {
        .code = from->code, .was_sent = from->was_sent, .error = from->why};
    inquire(reach, from, &result.error);
    if (reach->is_starting) {
        reach->is_over = true;
        reach->code    = from->code;
        reach->error   = from->why;
        return;
    }
    if (from->code == STATUS_OK || has_status) { /* the manifest knows what a status means */
        CLEANUP(json_unrefp) json mismatch = mismatch_new(reach, from->result);
        struct mcp_result answer           = *from;
        if (json_is(mismatch, JSON_OBJECT)) answer.result = mismatch;
        result.code     = STATUS_OK;
        result.response = masked(from->token, response_new(&answer));
    }
    reach->handlers.done(&result, reach->handlers.context);
    json_unref(result.response);
    reach_free(reach);
}

/* --- asking ----------------------------------------------------------------------------------- */

static struct mcp_handlers handlers_of(struct reach *reach)
{
    return (struct mcp_handlers){.progress = reach->onlooker ? on_progress : NULL,
                                 .answer   = on_asked,
                                 .done     = on_done,
                                 .context  = reach};
}

/* A program of this machine. */
static status start_local(struct mcp_stdio *stdio, struct reach *reach,
                          const struct engine_request *request, const struct mcp_request *asked,
                          struct error *reterr)
{
    const struct mcp_handlers mine         = handlers_of(reach);
    const struct mcp_stdio_request started = {
        .server    = json_str(json_get_text(request->config, "server")),
        .owner     = request->connection,
        .namespace = request->namespace,
        .call      = *asked};
    return mcp_stdio_start(stdio, &started, &mine, &reach->local, reterr);
}

static void start_remote(struct mcp_client *client, struct reach *reach,
                         const struct mcp_request *asked)
{
    const struct mcp_handlers mine = handlers_of(reach);
    reach->is_starting             = true;
    reach->call                    = mcp_call_start(client, asked, &mine);
    reach->is_starting             = false;
}

static status start(void *self, const struct engine_request *request,
                    const struct engine_handlers *handlers, struct engine_call **ret_call,
                    struct error *reterr)
{
    const struct mcp_means *means = self;
    struct reach *reach           = mem_new(1, sizeof *reach);
    bool is_local                 = json_is(json_get_text(request->config, "server"), JSON_TEXT);
    reach->handlers               = *handlers;
    reach->onlooker               = request->onlooker;
    reach->asker                  = request->connection;
    json setting                  = json_get_text(request->config, "input");
    bool asks                     = mcp_inquiry_is_wanted(setting);
    if (asks) reach->respondent = request->respondent;
    reach->endpoint      = lasting_new(endpoint_new(request));
    reach->client        = lasting_new(asking_client_new(request));
    reach->headers       = lasting_new(json_ref(json_get_text(request->config, "headers")));
    reach->params        = json_ref(request->settings);
    reach->output_schema = json_ref(json_get_text(reach->params, OUTPUT_SCHEMA));
    (void)json_object_remove(&reach->params, str_from(OUTPUT_SCHEMA));
    reach->method = request->function;
    status code   = mcp_inquiry_input(reach->respondent, &reach->input, reterr);
    if (code == STATUS_OK) code = mcp_replay_init(&reach->replay, reach->respondent, reterr);
    const struct mcp_request asked = {.endpoint          = reach->endpoint,
                                      .client            = reach->client,
                                      .headers           = reach->headers,
                                      .method            = reach->method,
                                      .params            = reach->params,
                                      .asks              = asks,
                                      .answers           = mcp_inquiry_replays(setting),
                                      .input             = reach->input,
                                      .owner             = request->connection,
                                      .traceparent       = request->traceparent,
                                      .until_ms          = clock_mono_ms() + request->total_ms,
                                      .answer_max        = (size_t)request->answer_max,
                                      .proxy             = request->proxy,
                                      .keeps_private_out = !request->allow_private};
    if (code == STATUS_OK && !is_local) code = check_address(request, reterr);
    if (code == STATUS_OK && !is_local) {
        code = check_client(reach->client, request->config, reterr);
    }
    if (code != STATUS_OK) {
        reach_free(reach);
        return code;
    }
    if (is_local) {
        code = start_local(means->stdio, reach, request, &asked, reterr);
    } else {
        start_remote(means->client, reach, &asked);
        if (reach->is_over) code = fail(reterr, reach->code, "%s", reach->error.text);
    }
    if (code != STATUS_OK) {
        reach_free(reach);
        return code;
    }
    *ret_call = (struct engine_call *)(void *)reach;
    return STATUS_OK;
}

static void cancel(struct engine_call *call)
{
    struct reach *reach = (struct reach *)(void *)call;
    if (reach->call) mcp_call_cancel(reach->call);
    if (reach->local) mcp_stdio_cancel(reach->local);
    reach_free(reach);
}

struct engine mcp_engine(const struct mcp_means *means)
{
    return (struct engine){.kind   = REQUEST_MCP,
                           .start  = start,
                           .cancel = cancel,
                           .self   = (struct mcp_means *)(uintptr_t)means};
}
