/*
 * A request passes: route (404, 405, 501), key (401) and roles (403) when its head is there, so
 * that nobody uploads a body for nothing; then its body (400, 415, 422); then its handler. A key
 * that is not known here is asked for at the scheduler first, with the body already read.
 */
#include "gateway/server.h"

#include "auth/namespace.h"
#include "auth/role.h"
#include "base/assert.h"
#include "base/clock.h"
#include "base/hash.h"
#include "base/mem.h"
#include "base/random.h"
#include "gateway/api/audit.h"
#include "gateway/api/key_limits.h"
#include "gateway/api/problem.h"
#include "gateway/events/followers.h"
#include "gateway/fleet.h"
#include "gateway/measures.h"
#include "schema/schema.h"
#include "json/json_text.h"

#include <stdlib.h>
#include <strings.h>

enum {
    ANSWER_SLACK_MS = 10'000,    /* a parked call answers by itself before the server gives it up */
    FINDINGS_MAX    = 256 << 10, /* bytes */
    LATER_BODY_MAX  = 1 << 20,   /* bytes that a path of the future reads before it says so */
    HANDLERS_MAX    = 160,
    KEY_FRESH_MS    = 10, /* a body that comes later than its head has its key looked at again */
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
    api_new_rpc_id(call);
    str given = httpd_request_field(request, "x-request-id");
    if (is_request_id(given)) {
        memcpy(call->request_id, given.ptr, given.len);
    } else {
        memcpy(call->request_id, call->rpc_id, API_RPC_ID_LEN + 1);
    }
    struct trace_context trace = {};
    if (!trace_parse(httpd_request_field(request, "traceparent"), &trace)) return;
    trace_format(&trace, call->traceparent);
    hex_encode(trace.trace_id, sizeof trace.trace_id, call->trace_id);
}

static struct api_call *call_new(struct api *api, struct httpd_handle handle,
                                 const struct httpd_request *request)
{
    struct api_call *call = mem_new(1, sizeof *call);
    call->api             = api;
    call->handle          = handle;
    call->arena           = arena_new(API_CALL_ARENA_MAX);
    call->path            = mem_dup(request->path.ptr, request->path.len);
    memcpy(call->peer, request->peer, sizeof call->peer);
    atomic_init(&call->references, 1);
    name_call(call, request);
    return call;
}

/* --- route -------------------------------------------------------------------------------------
 */

/* What a path may hold is in the contract: names and ids that cannot be are not asked for. */
static bool check_params(struct api_call *call)
{
    for (size_t i = 0; i < call->route->param_count; i++) {
        const struct schema *schema = call->route->param_schemas[i];
        if (!schema) continue;
        CLEANUP(json_unrefp) json value = json_text_new(call->params[i]);
        struct schema_errors errors     = {};
        struct error error              = {};
        if (schema_check(schema, value, call->arena, &errors, &error) == STATUS_OK) continue;
        api_fail_with(call, "invalid_request", (str){}, "%s: " STR_FMT " %s", call->route->path,
                      STR_ARG(call->route->param_names[i]),
                      errors.count > 0 ? errors.items[0].sentence : "is not valid");
        return false;
    }
    return true;
}

/* Lists of models lie on one path for two protocols: Anthropic's clients name their version. */
static enum error_shape shape_of(const struct route *route, const struct httpd_request *request)
{
    bool is_shared = route->error_shape == SHAPE_OPENAI && route->method == METHOD_GET;
    return is_shared && httpd_request_field(request, "anthropic-version").ptr ? SHAPE_ANTHROPIC
                                                                              : route->error_shape;
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
        api_fail_method(call, match.allowed);
        return false;
    }
    call->route = match.route;
    memcpy(call->params, match.params, sizeof match.params);
    call->error_shape = shape_of(match.route, request);
    audit_name(call);
    return check_params(call);
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
    if (wanted.len > 0 && !str_is(wanted, "*") && !namespace_is_valid(wanted)) {
        api_fail_with(call, "invalid_request", (str){},
                      "Tutti-Namespace: lower-case letters, digits and inner hyphens, 1 to %d",
                      NAMESPACE_MAX);
        return false;
    }
    if (!namespace_of_request(str_from(call->identity.namespace_), wanted, &result) ||
        result.len >= sizeof call->identity.requested) {
        api_fail_with(call, "forbidden", (str){}, "the key belongs to namespace %s",
                      call->identity.namespace_);
        return false;
    }
    if (result.len > 0) memcpy(call->identity.requested, result.ptr, result.len);
    call->identity.requested[result.len] = '\0';
    return true;
}

/* False: the call was answered. IDENTITY_ASK leaves the question for later. */
static bool check_key(struct api_call *call, const struct httpd_request *request,
                      enum identity_answer *ret_answer, char key_id[static API_KEY_ID_LEN + 1])
{
    *ret_answer = IDENTITY_KNOWN;
    if (call->route->is_public) return true;
    int64_t now_ms = clock_mono_ms();
    key_id[0]      = '\0';
    *ret_answer =
        identity_check(call->api->keys, request, now_ms, clock_unix_us(), &call->identity, key_id);
    memcpy(call->claimed_key, key_id, sizeof call->claimed_key);
    if (*ret_answer == IDENTITY_ASK) return true;
    if (*ret_answer == IDENTITY_KNOWN) {
        call->key_known_ms = now_ms;
        return check_roles(call, request);
    }
    api_fail_with(call, "unauthenticated", (str){},
                  "send a valid key as `Authorization: Bearer tutti_...`");
    return false;
}

static void refuse_later(struct api_call *call)
{
    api_fail_with(call, "not_implemented", (str){},
                  "%s is planned and not there yet; docs/roadmap.md says when", call->route->path);
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
        refuse_later(call);
        return false;
    }
    ret_route->body_max = call->route->is_later ? LATER_BODY_MAX : call->route->body_size_max;
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
    if (media == MEDIA_NONE || media == MEDIA_EVENTS || media == MEDIA_FILE) return true;
    if (call->request->body.len == 0) return true;
    str type = httpd_request_field(call->request, "content-type");
    if (media == MEDIA_LINES) {
        if (is_media(type, "application/x-ndjson") || is_media(type, "application/jsonl")) {
            return true;
        }
        api_fail_with(call, "unsupported_media_type", (str){},
                      "Content-Type must be application/x-ndjson");
        return false;
    }
    if (is_media(type, "application/json")) return true;
    bool is_patch = call->route->method == METHOD_PATCH;
    if (is_patch && is_media(type, "application/merge-patch+json")) return true;
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
    if (api_check_query_names(call) && read_body(call)) {
        api_handlers[call->route->handler].handle(call);
    }
    json_unref(json_take(&call->body)); /* values belong to the thread that made them */
}

/* The handler's turn, if the limits of the key let it pass. */
static void enter(struct api_call *call)
{
    if (!key_limits_ask(call, dispatch)) dispatch(call);
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
    call->state                 = NULL; /* the handler's from here on */
    if (!check_key(call, call->request, &answer, key_id)) return;
    if (answer == IDENTITY_ASK) { /* others filled the cache in between, or the answer was late */
        api_fail_with(call, "overloaded", (str){}, "too many keys are being looked up; try again");
    } else if (call->route->is_later) {
        refuse_later(call);
    } else {
        enter(call);
    }
}

/* call->state while a key is looked up. */
struct looking_up {
    char key_id[API_KEY_ID_LEN + 1];
    int64_t asked_ms;
    unsigned process; /* that is asked: fleet.h */
};

static void on_key(struct api_call *call, const struct rpc_answer *answer)
{
    const Pb__ApiKey *key             = answer->message;
    const struct looking_up *question = call->state;
    identity_learn(call->api->keys, question->key_id, key, question->asked_ms);
    on_key_known(call);
}

static void ask_key(struct api_call *call);

/* Every scheduler process can read the keys: the first that is there is enough. */
static void on_no_key(struct api_call *call, const struct rpc_answer *answer)
{
    struct looking_up *question = call->state;
    bool is_away                = answer->code == STATUS_UNAVAILABLE;
    if (is_away && question->process + 1 < fleet_count(call->api)) {
        question->process++;
        ask_key(call);
        return;
    }
    if (answer->code != STATUS_NOT_FOUND) {
        api_fail_answer(call, answer);
        return;
    }
    identity_learn(call->api->keys, question->key_id, NULL, question->asked_ms);
    refuse_key(call);
}

static void ask_key(struct api_call *call)
{
    const struct looking_up *question = call->state;
    Pb__LookupKeyRequest message      = PB__LOOKUP_KEY_REQUEST__INIT;
    message.id                        = question->key_id;
    const struct api_ask ask          = {.service   = &pb__system__descriptor,
                                         .method    = "LookupKey",
                                         .message   = &message,
                                         .partition = (uint16_t)question->process,
                                         .then      = on_key,
                                         .failed    = on_no_key};
    api_ask_scheduler(call, &ask);
}

static void look_up_key(struct api_call *call, const char *key_id)
{
    struct looking_up *question = arena_alloc(call->arena, sizeof *question);
    ASSERT(question);
    *question   = (struct looking_up){.asked_ms = clock_mono_ms()};
    call->state = question;
    memcpy(question->key_id, key_id, sizeof question->key_id);
    ask_key(call);
}

static bool is_key_fresh(const struct api_call *call)
{
    return call->key_known_ms > 0 && clock_mono_ms() - call->key_known_ms <= KEY_FRESH_MS;
}

static void on_request(struct httpd_handle, struct httpd_request *request, void *user, void *)
{
    struct api_call *call       = api_call_ref(user);
    call->request               = request;
    enum identity_answer answer = IDENTITY_KNOWN;
    char key_id[API_KEY_ID_LEN + 1];
    bool may_ask =
        api_check_query(call) && (is_key_fresh(call) || check_key(call, request, &answer, key_id));
    if (may_ask) {
        if (answer == IDENTITY_ASK) {
            look_up_key(call, key_id);
        } else {
            enter(call);
        }
    }
    api_call_unref(call);
}

void server_serve(struct api_call *call)
{
    if (!find_route(call, call->request)) return;
    if (call->request->body.len > call->route->body_size_max) {
        api_fail_with(call, "body_too_large", (str){}, "%s takes at most %zu bytes",
                      call->route->path, call->route->body_size_max);
        return;
    }
    if (!role_allows(call->identity.roles, call->route->roles)) {
        api_fail_with(call, "forbidden", (str){}, "the key %s has no role that may do this (%s)",
                      call->identity.key_id, call->route->roles);
    } else if (call->route->is_later) {
        refuse_later(call);
    } else if (api_check_query(call)) {
        enter(call);
    }
}

static void on_end(struct httpd_handle, const struct httpd_end *end, void *user, void *)
{
    struct api_call *call = user;
    if (!call) return;
    measures_request(call->api->measures, call->route ? call->route->path : "none",
                     call->route ? method_name(call->route->method) : "none", end->http_status,
                     end->duration_ms);
    api_call_gone(call);
    key_limits_leave(call);
    if (end->why != HTTPD_SENT) api_call_unsent(call);
    api_call_unref(call);
}

/* A client that reads slowly is not sent more before it has taken what there is. */
static void on_flow(struct httpd_handle, bool is_slow, size_t, void *user, void *)
{
    struct api_call *call = user;
    atomic_store(&call->is_slow, is_slow);
    if (!is_slow) api_call_resume(call);
}

/* The server's own answers look like ours. */
static void on_refuse(const struct httpd_refusal *refusal, struct buf *body, void *)
{
    uint8_t random[16];
    char id[2 * sizeof random + 1];
    random_bytes(random, sizeof random);
    hex_encode(random, sizeof random, id);
    const struct problem problem = {
        .kind       = problem_kind_of(str_from(refusal->code), STATUS_UNKNOWN),
        .detail     = str_from(refusal->detail),
        .request_id = str_from(id),
    };
    if (problem.kind->http == refusal->http_status) problem_print(&problem, body);
}

const struct httpd_handlers server_handlers = {
    .route = on_route, .handle = on_request, .end = on_end, .flow = on_flow, .refuse = on_refuse};

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
