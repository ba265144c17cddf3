#include "tool-adapter/peers/a2a_call.h"

#include "base/assert.h"
#include "base/clock.h"
#include "base/hash.h"
#include "base/mem.h"
#include "http/url.h"
#include "tool-adapter/http/errand.h"
#include "tool-adapter/peers/rpc_reply.h"
#include "json/json_text.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { ARENA_MAX = 64 << 20, REQUEST_ID = 1, INTERFACES_MAX = 100 };

/* tutti's own; ids of messages are made of the keys of jobs in it. */
static const uint8_t namespace_of_messages[UUID_SIZE] = {
    0x6b, 0x1d, 0x0c, 0x52, 0x2f, 0x8a, 0x4e, 0x0b, 0x9d, 0x35, 0x71, 0xc4, 0x5e, 0x93, 0xaa, 0x07};

struct a2a_call {
    struct a2a_means means;
    struct a2a_request request;
    void (*done)(const struct a2a_result *result, void *context);
    void *context;
    struct arena *arena;
    const char *method;
    bool is_stream;
    struct authorization authorization;
    str url; /* of the agent; in the arena, as the body */
    str body;
    struct api_document_wait *wait; /* for the card; or */
    struct errand *errand;
    struct rpc_reply reply;
    json events; /* of a stream; owned */
    status read_code;
    struct error read_error;
    int http_status;
    bool is_starting, is_over;
};

/* --- the end ---------------------------------------------------------------------------------- */

bool a2a_is_write(const char *method)
{
    return strncmp(method, "message/", 8) == 0 ||
           strcmp(method, "tasks/pushNotificationConfig/set") == 0;
}

static void call_free(struct a2a_call *call)
{
    rpc_reply_done(&call->reply);
    json_unref(call->events);
    arena_free(call->arena);
    free(call);
}

static void finish(struct a2a_call *call, struct a2a_result *result)
{
    result->is_write    = a2a_is_write(call->method);
    result->http_status = call->http_status;
    call->done(result, call->context);
    call->is_over = true;
    if (!call->is_starting) call_free(call);
}

static void fail_call(struct a2a_call *call, status code, bool was_sent, const char *why)
{
    struct a2a_result result = {.code = code, .was_sent = was_sent, .why = why};
    finish(call, &result);
}

/* --- the message ------------------------------------------------------------------------------ */

static bool lacks(json map, const char *name)
{
    return json_is(json_get_text(map, name), JSON_INVALID);
}

/* The parameters with what a message needs. Owned. */
static json parameters_new(const struct a2a_call *call)
{
    json given   = json_get_text(call->request.arguments, "parameters");
    json params  = json_is(given, JSON_OBJECT) ? json_ref(given) : json_object_new(0);
    json message = json_ref(json_get_text(params, "message"));
    if (strncmp(call->method, "message/", 8) != 0 || !json_is(message, JSON_OBJECT)) {
        json_unref(message);
        return params;
    }
    if (lacks(message, "messageId")) {
        char uuid[UUID_TEXT_SIZE];
        uuid5(namespace_of_messages, call->request.key, uuid);
        json_object_put_text(&message, "messageId", json_text_from(uuid));
    }
    if (lacks(message, "role")) {
        json_object_put_text(&message, "role", json_text_from("user"));
    }
    if (lacks(message, "kind")) {
        json_object_put_text(&message, "kind", json_text_from("message"));
    }
    json_object_put_text(&params, "message", message);
    return params;
}

static status body_make(struct a2a_call *call, struct error *reterr)
{
    CLEANUP(buf_done) struct buf text = buf_init(HTTP_BODY_SENT_MAX);
    CLEANUP(json_unrefp) json message = json_object_new(4);
    json params                       = parameters_new(call);
    json_object_put_text(&message, "jsonrpc", json_text_from("2.0"));
    json_object_put_text(&message, "id", json_int(REQUEST_ID));
    json_object_put_text(&message, "method", json_text_from(call->method));
    if (json_count(params) > 0) {
        json_object_put_text(&message, "params", params);
    } else {
        json_unref(params);
    }
    char *copy =
        json_print(message, JSON_COMPACT, &text) ? arena_strdup(call->arena, buf_str(&text)) : NULL;
    if (!copy) return fail(reterr, STATUS_RESOURCE_EXHAUSTED, "the request is too large");
    call->body = (str){.ptr = copy, .len = text.len};
    return STATUS_OK;
}

/* --- sending ---------------------------------------------------------------------------------- */

static status prepare(str, struct http_request *ret_request, void *context, struct error *reterr)
{
    static const struct http_header plain[] = {
        {{"Content-Type", 12}, {"application/json", 16}, false},
        {{"Accept", 6}, {"application/json", 16}, false}};
    static const struct http_header stream[] = {
        {{"Content-Type", 12}, {"application/json", 16}, false},
        {{"Accept", 6}, {"text/event-stream, application/json", 35}, false}};
    const struct a2a_call *call = context;
    int64_t left_ms             = call->request.until_ms - clock_mono_ms();
    if (left_ms <= 0) return fail(reterr, STATUS_DEADLINE_EXCEEDED, "no time is left for it");
    *ret_request = (struct http_request){
        .method        = str_from("POST"),
        .url           = call->url,
        .headers       = call->is_stream ? stream : plain,
        .header_count  = 2,
        .body          = bytes_from(call->body),
        .body_max      = RPC_STREAM_MAX + 1, /* the reply counts for itself */
        .timeouts      = {.total_ms = left_ms, .first_byte_ms = -1, .idle_ms = -1},
        .allow_private = true, /* as far as the operator's rules do */
    };
    return STATUS_OK;
}

static enum http_flow on_headers(const struct http_answer *answer, void *context)
{
    struct a2a_call *call = context;
    str type              = {};
    call->http_status     = answer->http_status;
    (void)http_answer_header(answer, "content-type", &type);
    rpc_reply_begin(&call->reply, type);
    return HTTP_GO_ON;
}

static enum http_flow on_data(str data, void *context)
{
    struct a2a_call *call = context;
    call->read_code       = rpc_reply_feed(&call->reply, data, &call->read_error);
    return call->read_code != STATUS_OK ? HTTP_STOP : HTTP_GO_ON;
}

static void on_event(json message, void *context)
{
    struct a2a_call *call = context;
    json result           = json_get_text(message, "result");
    if (json_is(result, JSON_INVALID) || json_count(call->events) >= A2A_EVENTS_MAX) return;
    json_array_push(&call->events, json_ref(result));
}

static void settle(struct a2a_call *call, str token)
{
    struct a2a_result result = {.token = token, .was_sent = true};
    bool is_fine             = call->http_status >= 200 && call->http_status <= 299;
    char why[32];
    (void)snprintf(why, sizeof why, "HTTP %d", call->http_status);
    if (call->reply.is_answered) {
        result.error  = call->reply.error;
        result.result = call->is_stream ? call->events : call->reply.result;
    } else if (!is_fine) {
        result.code = STATUS_UNAVAILABLE;
        result.why  = why;
    } else {
        result.code = STATUS_DATA_LOSS;
        result.why  = "the answer is no JSON-RPC";
    }
    finish(call, &result);
}

static void on_done(const struct errand_result *errand, void *context)
{
    struct a2a_call *call          = context;
    const struct http_result *http = errand->http;
    call->errand                   = NULL;
    if (!http) {
        fail_call(call, errand->code, false, errand->error.text);
        return;
    }
    if (call->read_code == STATUS_OK && http->code == STATUS_OK) {
        call->read_code = rpc_reply_end(&call->reply, &call->read_error);
    }
    bool is_fine = call->http_status >= 200 && call->http_status <= 299;
    if (call->read_code != STATUS_OK && is_fine) {
        fail_call(call, call->read_code, true, call->read_error.text);
    } else if (http->code != STATUS_OK) {
        fail_call(call, http->code, http->was_sent, http->error.text);
    } else {
        settle(call, errand->token);
    }
}

static void send(struct a2a_call *call)
{
    const struct errand_options options = {.http          = call->means.http,
                                           .tokens        = call->means.tokens,
                                           .authorization = &call->authorization,
                                           .arena         = call->arena,
                                           .prepare       = prepare,
                                           .on_headers    = on_headers,
                                           .on_data       = on_data,
                                           .done          = on_done,
                                           .context       = call};
    struct errand *errand               = errand_start(&options);
    if (errand) call->errand = errand; /* else it is over */
}

/* --- where ------------------------------------------------------------------------------------ */

static str text_of(json map, const char *name)
{
    json value = json_get_text(map, name);
    return json_is(value, JSON_TEXT) ? json_str(value) : (str){.ptr = ""};
}

static bool is_json_rpc(str transport)
{
    return transport.len == 0 || str_is(transport, "JSONRPC");
}

/* The address of the card's first interface that is JSON-RPC; empty: it has none. */
static str card_url(json card)
{
    static const char *const lists[][2] = {{"additionalInterfaces", "transport"},
                                           {"supportedInterfaces", "protocolBinding"}};
    str url                             = text_of(card, "url");
    if (url.len > 0 && is_json_rpc(text_of(card, "preferredTransport"))) return url;
    for (size_t i = 0; i < sizeof lists / sizeof *lists; i++) {
        json list = json_get_text(card, lists[i][0]);
        for (size_t k = 0; json_is(list, JSON_ARRAY) && k < json_count(list) && k < INTERFACES_MAX;
             k++) {
            json one = json_at(list, k);
            if (str_is(text_of(one, lists[i][1]), "JSONRPC")) return text_of(one, "url");
        }
    }
    return (str){.ptr = ""};
}

static status take_card(struct a2a_call *call, json card, str from, struct error *reterr)
{
    CLEANUP(buf_done) struct buf url = buf_init(HTTP_URL_MAX);
    struct url agent                 = {};
    struct url own                   = {};
    str said                         = card_url(card);
    if (said.len == 0) {
        return fail(reterr, STATUS_FAILED_PRECONDITION,
                    "/agentCard: it names no address for JSON-RPC");
    }
    if (!url_resolve(from, said, &url) || !url_parse(buf_str(&url), &agent) ||
        !url_parse(from, &own)) {
        return fail(reterr, STATUS_FAILED_PRECONDITION,
                    "/agentCard: the agent's address is no http or https URL");
    }
    char *copy = arena_strdup(call->arena, buf_str(&url));
    if (!copy) return fail(reterr, STATUS_RESOURCE_EXHAUSTED, "the request is too large");
    call->url = str_from(copy);
    if (!url_same_origin(&agent, &own)) call->authorization = (struct authorization){};
    return STATUS_OK;
}

static void on_card(status code, json card, str url, size_t, const struct error *why, void *context)
{
    struct a2a_call *call = context;
    struct error error    = {};
    call->wait            = NULL;
    if (code != STATUS_OK) {
        (void)fail(&error, code, "/agentCard: %s", why->text);
    } else {
        code = take_card(call, card, url, &error);
    }
    if (code == STATUS_OK) {
        send(call);
    } else {
        fail_call(call, code, false, error.text);
    }
}

static status begin(struct a2a_call *call, json endpoint, struct error *reterr)
{
    str uri = text_of(endpoint, "uri");
    if (uri.len == 0) {
        return fail(reterr, STATUS_INVALID_ARGUMENT, "the address of the agent must be a text");
    }
    call->url = uri;
    TRY(authorization_read(json_get_text(endpoint, "authentication"), &call->authorization,
                           reterr));
    return body_make(call, reterr);
}

struct a2a_call *a2a_call_start(const struct a2a_means *means, const struct a2a_request *request,
                                void (*done)(const struct a2a_result *result, void *context),
                                void *context)
{
    struct error error    = {};
    struct a2a_call *call = mem_new(1, sizeof *call);
    json server           = json_get_text(request->arguments, "server");
    json card             = json_get_text(request->arguments, "agentCard");
    bool has_server       = json_is(server, JSON_OBJECT);
    json endpoint         = has_server ? server : json_get_text(card, "endpoint");
    call->means           = *means;
    call->request         = *request;
    call->done            = done;
    call->context         = context;
    call->is_starting     = true;
    call->arena           = arena_new(ARENA_MAX);
    call->method          = arena_strdup(call->arena, text_of(request->arguments, "method"));
    call->is_stream       = strcmp(call->method, "message/stream") == 0 ||
                      strcmp(call->method, "tasks/resubscribe") == 0;
    call->events = json_array_new(4);
    rpc_reply_init(&call->reply, REQUEST_ID, A2A_ANSWER_MAX, NULL, call);
    call->reply.takes_all = call->is_stream;
    call->reply.on_answer = on_event;
    status code           = begin(call, endpoint, &error);
    if (code != STATUS_OK) {
        fail_call(call, code, false, error.text);
    } else if (has_server) {
        send(call);
    } else {
        struct api_document_wait *wait =
            api_documents_ask(call->means.documents, endpoint, on_card, call);
        if (wait) call->wait = wait; /* else it was there, or cannot be had */
    }
    call->is_starting = false;
    if (!call->is_over) return call;
    call_free(call);
    return NULL;
}

void a2a_call_cancel(struct a2a_call *call)
{
    if (call->wait) api_documents_cancel(call->wait);
    if (call->errand) errand_cancel(call->errand);
    call_free(call);
}
