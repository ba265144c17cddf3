/*
 * A request passes: route (404, 405, 501), key (401) and roles (403) when its head is there, so
 * that nobody uploads a body for nothing; then its body (400, 415, 422); then its handler. A key
 * that is not known here is asked for at the scheduler first, with the body already read.
 */
#include "gateway/server.h"

#include "auth/role.h"
#include "base/assert.h"
#include "base/clock.h"
#include "base/hash.h"
#include "base/mem.h"
#include "base/random.h"
#include "gateway/measures.h"
#include "gateway/problem.h"
#include "schema/schema.h"
#include "json/json_text.h"

#include <stdio.h>
#include <stdlib.h>
#include <strings.h>

enum {
    ANSWER_SLACK_MS = 10'000,    /* a parked call answers by itself before the server gives it up */
    FINDINGS_MAX    = 256 << 10, /* bytes */
    ALLOW_MAX       = 128,
    HANDLERS_MAX    = 128,
};

/* --- a call begins -----------------------------------------------------------------------------
 */

static bool is_request_id(str text)
{
    if (text.len < 1 || text.len > API_REQUEST_ID_MAX) return false;
    for (size_t i = 0; i < text.len; i++) {
        char c = text.ptr[i];
        if (!((c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') ||
              c == '.' || c == '_' || c == '-')) {
            return false;
        }
    }
    return true;
}

static void name_call(struct api_call *call, const struct httpd_request *request)
{
    uint8_t random[16];
    random_bytes(random, sizeof random);
    hex_encode(random, sizeof random, call->rpc_id);
    str given = httpd_request_field(request, "x-request-id");
    if (is_request_id(given)) {
        memcpy(call->request_id, given.ptr, given.len);
    } else {
        memcpy(call->request_id, call->rpc_id, sizeof call->rpc_id);
    }
}

static struct api_call *call_new(struct api *api, struct httpd_handle handle,
                                 const struct httpd_request *request)
{
    struct api_call *call = mem_new(1, sizeof *call);
    call->api             = api;
    call->handle          = handle;
    call->arena           = arena_new(API_CALL_ARENA_MAX);
    call->path            = mem_dup(request->path.ptr, request->path.len);
    atomic_init(&call->references, 1);
    ASSERT(call->arena);
    name_call(call, request);
    return call;
}

/* --- route -------------------------------------------------------------------------------------
 */

static void refuse_method(struct api_call *call, unsigned allowed)
{
    CLEANUP(buf_done) struct buf list = buf_init(ALLOW_MAX);
    method_list(allowed, &list);
    CLEANUP(buf_done) struct buf body = buf_init(FINDINGS_MAX);
    const struct problem problem      = {
             .kind       = problem_kind_of(str_from("method_not_allowed"), STATUS_UNKNOWN),
             .instance   = str_from(call->path),
             .request_id = str_from(call->request_id)};
    problem_print(&problem, &body);
    const struct httpd_field allow = {str_from("Allow"), buf_str(&list)};
    api_respond(call, problem.kind->http, "application/problem+json", buf_str(&body), &allow, 1);
}

static bool find_route(struct api_call *call, const struct httpd_request *request)
{
    str name                 = request->method;
    enum method method       = METHOD_GET;
    bool is_known            = str_is(name, "HEAD") || method_parse(name, &method);
    struct route_match match = contract_match(call->api->contract, method, str_from(call->path));
    if (match.allowed == 0) {
        api_fail_with(call, "not_found", (str){},
                      "there is no path %.200s; GET /openapi.json lists them", call->path);
        return false;
    }
    if (!is_known || !match.route) {
        refuse_method(call, match.allowed);
        return false;
    }
    call->route = match.route;
    memcpy(call->params, match.params, sizeof match.params);
    call->is_openai = match.route->media == MEDIA_OPAQUE;
    return true;
}

static bool check_roles(struct api_call *call, const struct httpd_request *request)
{
    if (!role_allows(call->identity.roles, call->route->roles)) {
        api_fail_with(call, "forbidden", (str){}, "the key %s has no role that may do this (%s)",
                      call->identity.key_id, call->route->roles);
        return false;
    }
    str wanted = httpd_request_field(request, "tutti-namespace");
    str result = {};
    if (!namespace_of_request(str_from(call->identity.namespace_), wanted, &result) ||
        result.len >= sizeof call->identity.requested) {
        api_fail_with(call, "forbidden", (str){}, "the key belongs to namespace %s",
                      call->identity.namespace_);
        return false;
    }
    (void)snprintf(call->identity.requested, sizeof call->identity.requested, STR_FMT,
                   STR_ARG(result));
    return true;
}

/* False: the call was answered. IDENTITY_ASK leaves the question for later. */
static bool check_key(struct api_call *call, const struct httpd_request *request,
                      enum identity_answer *ret_answer, char key_id[static API_KEY_ID_LEN + 1])
{
    *ret_answer = IDENTITY_KNOWN;
    if (call->route->is_public) return true;
    *ret_answer = identity_check(call->api->keys, request, clock_mono_ms(), clock_unix_us(),
                                 &call->identity, key_id);
    if (*ret_answer == IDENTITY_ASK) return true;
    if (*ret_answer == IDENTITY_KNOWN) return check_roles(call, request);
    api_fail_with(call, "unauthenticated", (str){},
                  "send a valid key as `Authorization: Bearer tutti_...`");
    return false;
}

static bool on_route(struct httpd_handle handle, const struct httpd_request *request,
                     struct httpd_route *ret_route, void *context)
{
    struct api_call *call = call_new(context, handle, request);
    ret_route->user       = call;
    if (!find_route(call, request)) return false;
    enum identity_answer answer = IDENTITY_KNOWN;
    char key_id[API_KEY_ID_LEN + 1];
    if (!check_key(call, request, &answer, key_id)) return false;
    if (call->route->is_later && answer == IDENTITY_KNOWN) {
        api_fail_with(call, "not_implemented", (str){},
                      "%s is planned and not there yet; docs/roadmap.md says when",
                      call->route->path);
        return false;
    }
    ret_route->body_max = call->route->body_size_max;
    if (call->route->wait_ms_max > 0) {
        ret_route->answer_ms = call->route->wait_ms_max + ANSWER_SLACK_MS;
    }
    return true;
}

/* --- body --------------------------------------------------------------------------------------
 */

static bool is_media(str type, const char *wanted)
{
    str name = str_from(wanted);
    if (type.len < name.len || strncasecmp(type.ptr, wanted, name.len) != 0) return false;
    return type.len == name.len || type.ptr[name.len] == ';' || type.ptr[name.len] == ' ';
}

static bool check_media(struct api_call *call)
{
    enum media media = call->route->media;
    if (media == MEDIA_NONE || call->request->body.len == 0) return true;
    str type = httpd_request_field(call->request, "content-type");
    if (is_media(type, "application/json")) return true;
    bool takes_yaml = media == MEDIA_DEFINITION;
    if (takes_yaml && (is_media(type, "application/yaml") || is_media(type, "text/yaml") ||
                       is_media(type, "application/x-yaml"))) {
        return true;
    }
    api_fail_with(call, "unsupported_media_type", (str){}, "Content-Type must be %s",
                  takes_yaml ? "application/yaml or application/json" : "application/json");
    return false;
}

static void refuse_body(struct api_call *call, const struct schema_errors *errors)
{
    CLEANUP(buf_done) struct buf findings = buf_init(FINDINGS_MAX);
    struct json_writer w                  = json_writer_init(&findings);
    json_begin_array(&w);
    for (size_t i = 0; i < errors->count; i++) {
        json_begin_object(&w);
        json_put_text(&w, "pointer", str_from(errors->items[i].pointer));
        json_put_text(&w, "detail", str_from(errors->items[i].sentence));
        json_end_object(&w);
    }
    json_end_array(&w);
    const char *pointer  = errors->count > 0 ? errors->items[0].pointer : "";
    const char *sentence = errors->count > 0 ? errors->items[0].sentence : "does not fit";
    api_fail_with(call, "invalid_request", buf_str(&findings), "%s %s",
                  *pointer ? pointer : "the body", sentence);
}

static bool read_body(struct api_call *call)
{
    if (!check_media(call)) return false;
    if (call->route->media != MEDIA_JSON) return true;
    str text = buf_str(&call->request->body);
    if (text.len == 0) {
        if (!call->route->body_required) return true;
        api_fail_with(call, "invalid_json", (str){}, "a JSON body is required");
        return false;
    }
    struct error error = {};
    status code        = json_parse(text, NULL, &call->body, NULL, &error);
    if (code != STATUS_OK) {
        error.code = code == STATUS_RESOURCE_EXHAUSTED ? "body_too_large" : "invalid_json";
        api_fail(call, code, &error);
        return false;
    }
    if (!call->route->body_schema) return true;
    struct schema_errors *errors = arena_alloc(call->arena, sizeof *errors);
    ASSERT(errors);
    code = schema_check(call->route->body_schema, call->body, call->arena, errors, &error);
    if (code == STATUS_OK) return true;
    refuse_body(call, errors);
    return false;
}

/* --- handling ----------------------------------------------------------------------------------
 */

static void dispatch(struct api_call *call)
{
    if (read_body(call)) api_handlers[call->route->handler].handle(call);
    json_unref(json_take(&call->body)); /* values belong to the thread that made them */
}

static void refuse_key(struct api_call *call)
{
    api_fail_with(call, "unauthenticated", (str){},
                  "send a valid key as `Authorization: Bearer tutti_...`");
}

static void on_key_known(struct api_call *call)
{
    char key_id[API_KEY_ID_LEN + 1];
    enum identity_answer answer = IDENTITY_REFUSED;
    if (!check_key(call, call->request, &answer, key_id)) return;
    if (answer != IDENTITY_KNOWN) {
        refuse_key(call);
    } else if (call->route->is_later) {
        api_fail_with(call, "not_implemented", (str){},
                      "%s is planned and not there yet; docs/roadmap.md says when",
                      call->route->path);
    } else {
        dispatch(call);
    }
}

static void on_key(struct api_call *call, const struct rpc_answer *answer)
{
    const Pb__ApiKey *key = answer->message;
    identity_learn(call->api->keys, call->state, key, clock_mono_ms());
    on_key_known(call);
}

static void on_no_key(struct api_call *call, const struct rpc_answer *answer)
{
    if (answer->code != STATUS_NOT_FOUND) {
        api_fail_answer(call, answer);
        return;
    }
    identity_learn(call->api->keys, call->state, NULL, clock_mono_ms());
    refuse_key(call);
}

static void look_up_key(struct api_call *call, const char *key_id)
{
    call->state                  = (void *)(uintptr_t)api_text(call, str_from(key_id));
    Pb__LookupKeyRequest message = PB__LOOKUP_KEY_REQUEST__INIT;
    message.id                   = call->state;
    const struct api_ask ask     = {.service = &pb__system__descriptor,
                                    .method  = "LookupKey",
                                    .message = &message,
                                    .then    = on_key,
                                    .failed  = on_no_key};
    api_ask_scheduler(call, &ask);
}

static void on_request(struct httpd_handle, struct httpd_request *request, void *user, void *)
{
    struct api_call *call       = api_call_ref(user);
    call->request               = request;
    enum identity_answer answer = IDENTITY_KNOWN;
    char key_id[API_KEY_ID_LEN + 1];
    if (check_key(call, request, &answer, key_id)) {
        if (answer == IDENTITY_ASK) {
            look_up_key(call, key_id);
        } else {
            dispatch(call);
        }
    }
    api_call_unref(call);
}

static void on_end(struct httpd_handle, const struct httpd_end *end, void *user, void *)
{
    struct api_call *call = user;
    if (!call) return;
    measures_request(call->api->measures, call->route ? call->route->path : "none",
                     call->route ? method_name(call->route->method) : "none", end->http_status,
                     end->duration_ms);
    api_call_gone(call);
    api_call_unref(call);
}

const struct httpd_handlers server_handlers = {
    .route = on_route, .handle = on_request, .end = on_end, .flow = NULL, .refuse = NULL};

const char **server_operations(void)
{
    const char **operations = mem_new(HANDLERS_MAX, sizeof *operations);
    size_t count            = 0;
    for (const struct api_handler *handler = api_handlers; handler->operation; handler++) {
        ASSERT(count + 1 < HANDLERS_MAX);
        operations[count++] = handler->operation;
    }
    return operations;
}
