#include "tool-adapter/http/exchange.h"

#include "adapter/base_url.h"
#include "adapter/credentials.h"
#include "base/assert.h"
#include "base/clock.h"
#include "base/file_name.h"
#include "base/hash.h"
#include "base/mem.h"
#include "http/url.h"
#include "tool-adapter/authorization/service_token.h"
#include "tool-adapter/connections/shared_limits.h"
#include "tool-adapter/connections/validators.h"
#include "tool-adapter/files/file_arguments.h"
#include "tool-adapter/http/admission.h"
#include "tool-adapter/http/answer_body.h"
#include "tool-adapter/http/service_tls.h"
#include "json/json_text.h"

#include <stdio.h>
#include <stdlib.h>
#include <strings.h>

enum {
    REDIRECTS_MAX = 5,
    HOSTS_MAX     = CONNECTION_LIST_MAX + 1,
};

struct exchange {
    const struct exchange_means *means;
    struct exchange_request request;
    struct exchange_handlers handlers;
    struct outgoing outgoing;
    struct http_request http;
    struct http_tls tls;
    struct http_header headers[OUTGOING_HEADERS_MAX + VALIDATORS_MAX];
    const char *hosts[HOSTS_MAX + 1];
    struct http_call *call; /* under way; or */
    const struct engine *engine;
    struct engine_call *engine_call;
    struct service_token token; /* of `auth: oauth2` */
    struct file_upload *upload; /* of a file in the answer, which is */
    json response;              /* without it; owned */
    struct secret_source secrets;
    json settings, config; /* of an engine; owned */
    bool is_again;         /* nothing of the first try had left */
    struct admission admission;
};

static void exchange_free(struct exchange *exchange)
{
    admission_leave(&exchange->admission);
    service_token_done(&exchange->token);
    file_upload_freep(&exchange->upload);
    json_unref(exchange->response);
    json_unref(exchange->settings);
    json_unref(exchange->config);
    free(exchange);
}

static void finish(struct exchange *exchange, const struct exchange_result *result)
{
    const struct exchange_handlers handlers = exchange->handlers;
    struct exchange_result whole            = *result;
    whole.method                            = exchange->http.method;
    whole.url                               = exchange->http.url;
    whole.sent_bytes                        = exchange->http.body.len;
    exchange_free(exchange);
    handlers.done(&whole, handlers.context);
}

/* --- a file in the answer that is kept -------------------------------------------------------- */

static void on_uploaded(status code, const struct error *error, const Pb__StoredFile *file,
                        void *context)
{
    struct exchange *exchange        = context;
    CLEANUP(json_unrefp) json answer = json_take(&exchange->response);
    struct exchange_result result    = {.code = code, .was_sent = true, .error = *error};
    if (code == STATUS_OK) {
        json_object_put_text(&answer, "body", file_arguments_shown(file));
        result.response = answer;
    }
    finish(exchange, &result);
}

/* As the call, the service or its address calls it. */
static str name_of(const struct exchange *exchange, const struct http_result *http)
{
    str name = exchange->request.keep->name;
    str said = {};
    if (name.len > 0) return name;
    if (http_answer_header(&http->answer, "content-disposition", &said) &&
        file_name_of_disposition(said, &name)) {
        return name;
    }
    str url   = exchange->http.url;
    size_t at = 0;
    while (at < url.len && url.ptr[at] != '?' && url.ptr[at] != '#') at++;
    return str_slice(url, 0, at); /* what is behind the last slash remains of it */
}

static status upload(struct exchange *exchange, const struct http_result *http,
                     struct error *reterr)
{
    const struct exchange_request *request  = &exchange->request;
    const struct file_upload_request upload = {
        .keep       = {.name       = name_of(exchange, http),
                       .subject    = request->keep->subject,
                       .expires_us = request->keep->expires_us},
        .namespace  = request->namespace,
        .key        = request->idempotency_key,
        .created_by = str_from(request->connection->name),
        .media_type = answer_media_type(&http->answer),
        .data       = bytes_from(http->body),
        .until_ms   = request->until_ms,
        .done       = on_uploaded,
        .context    = exchange,
    };
    if (!exchange->means->files) {
        return fail(reterr, STATUS_FAILED_PRECONDITION, "files cannot be kept here");
    }
    status code = file_upload_start(exchange->means->files, &upload, &exchange->upload, reterr);
    if (code == STATUS_OK) exchange->response = answer_new(http, json_null());
    /* What is not kept now would not be kept the next time. */
    return code == STATUS_INVALID_ARGUMENT ? STATUS_FAILED_PRECONDITION : code;
}

/* What `auth: jwt` has put into the request, without its prefix; empty: nothing. */
static str signed_token(const struct exchange *exchange)
{
    static const char name[]               = "Authorization";
    const struct exchange_request *request = &exchange->request;
    if (credentials_of(request->action, request->step)->kind != AUTH_JWT) return (str){};
    for (size_t i = 0; i < exchange->outgoing.header_count; i++) {
        const struct outgoing_header *header = &exchange->outgoing.headers[i];
        size_t begin                         = header->value.len;
        if (header->name.len != sizeof name - 1) continue;
        if (strncasecmp(header->name.ptr, name, sizeof name - 1) != 0) continue;
        while (begin > 0 && header->value.ptr[begin - 1] != ' ') begin--;
        return str_slice(header->value, begin, header->value.len);
    }
    return (str){};
}

/* A token that was fetched or signed is as secret as those of the configuration. Takes `response`.
 */
static json masked(const struct exchange *exchange, json response)
{
    str signed_here = signed_token(exchange);
    if (!exchange->token.text && signed_here.len == 0) return response;
    CLEANUP(json_mask_freep) struct json_mask *mask = json_mask_new();
    if (exchange->token.text) json_mask_add(mask, str_from(exchange->token.text));
    json_mask_add(mask, signed_here);
    json shown = json_mask_apply(mask, response);
    json_unref(response);
    return shown;
}

static bool renew_token(struct exchange *exchange, struct error *reterr);
static void on_http(const struct http_result *http, void *context);

static status send(struct exchange *exchange, struct error *reterr)
{
    const struct http_handlers handlers = {.on_done = on_http, .context = exchange};
    int64_t left_ms                     = exchange->request.until_ms - clock_mono_ms();
    int64_t total_ms                    = exchange->request.action->total_ms;
    struct http_client *http            = exchange->means->http;
    if (left_ms <= 0) return fail(reterr, STATUS_DEADLINE_EXCEEDED, "no time is left for it");
    exchange->http.timeouts.total_ms = left_ms < total_ms ? left_ms : total_ms;
    return http_call_start(http, &exchange->http, &handlers, &exchange->call, reterr);
}

static void on_http(const struct http_result *http, void *context)
{
    struct exchange *exchange     = context;
    struct exchange_result result = {.code = http->code, .was_sent = http->was_sent};
    json body                     = json_null();
    exchange->call                = NULL;
    bool may_try                  = http->failure == HTTP_CONNECT || http->failure == HTTP_CUT;
    if (http->code != STATUS_OK && !http->was_sent && may_try && !exchange->is_again) {
        exchange->is_again = true;
        if (send(exchange, NULL) == STATUS_OK) return;
    }
    bool is_refused = http->code == STATUS_OK && http->answer.http_status == 401;
    if (is_refused && service_token_refused(&exchange->token)) {
        if (renew_token(exchange, &result.error)) return;
    }
    bool is_kept = exchange->request.keep && http->code == STATUS_OK &&
                   answer_body_is_file(exchange->request.action->response, http);
    if (http->code == STATUS_OK) result.was_sent = true;
    if (is_kept) {
        result.code = upload(exchange, http, &result.error);
        if (result.code == STATUS_OK) return;
    } else if (http->code != STATUS_OK) {
        result.error = http->error;
    } else if (!answer_body_read(exchange->request.action->response, http,
                                 file_desk_types(exchange->means->files), &body)) {
        result.code = fail(&result.error, STATUS_DATA_LOSS, "the answer is no %s",
                           exchange->request.action->response == RESPONSE_XML ? "XML" : "JSON");
    } else {
        result.response = masked(exchange, answer_new(http, body));
    }
    json response = result.response;
    finish(exchange, &result);
    json_unref(response);
}

/* --- the request of HTTP ---------------------------------------------------------------------- */

static bool holds_secret(const struct connection *connection, str text)
{
    for (size_t i = 0; i < connection->secret_count; i++) {
        str secret = connection->secrets[i].value;
        if (secret.len > 0 && memmem(text.ptr, text.len, secret.ptr, secret.len)) return true;
    }
    return false;
}

/* A redirect to another origin goes without these: a form of the secret is no secret of the list.
 */
static bool is_credential(const struct exchange *exchange, const struct outgoing_header *header)
{
    const char *name  = exchange->request.action->manifest->auth.name;
    const char *token = exchange->token.text;
    if (token && memmem(header->value.ptr, header->value.len, token, strlen(token))) return true;
    bool is_named = name && header->name.len == strlen(name) &&
                    strncasecmp(header->name.ptr, name, header->name.len) == 0;
    return is_named || holds_secret(exchange->request.connection, header->value);
}

static status put_hosts(struct exchange *exchange, struct error *reterr)
{
    struct url base = {};
    size_t count    = 0;
    str base_url    = exchange->request.base_url;
    if (base_url.len > 0 && !url_parse(base_url, &base)) {
        return fail(reterr, STATUS_INVALID_ARGUMENT, "`http.base_url` is no http or https URL");
    }
    if (base_url.len > 0 && !base_url_is_beside(base_url, exchange->http.url)) {
        const char *host = arena_strdup(exchange->request.arena, base.host);
        if (!host) return fail(reterr, STATUS_RESOURCE_EXHAUSTED, "the request is too large");
        exchange->hosts[count++] = host;
    }
    const char *const *more = exchange->request.connection->hosts;
    while (more && *more) exchange->hosts[count++] = *more++;
    exchange->http.hosts = exchange->hosts;
    return STATUS_OK;
}

static bool is_repeatable(const struct manifest_action *action)
{
    return action->effect == EFFECT_READ || action->idempotency.kind == IDEMPOTENCY_NATURAL ||
           action->idempotency.kind == IDEMPOTENCY_KEY;
}

static str token_of(const struct exchange *exchange)
{
    return exchange->token.text ? str_from(exchange->token.text) : (str){};
}

static status start_http(struct exchange *exchange, struct error *reterr)
{
    const struct exchange_request *request = &exchange->request;
    const struct manifest_action *action   = request->action;
    struct outgoing *outgoing              = &exchange->outgoing;
    struct outgoing_source source          = {.action       = action,
                                              .step         = request->step,
                                              .scope        = request->scope,
                                              .page         = request->page,
                                              .secrets      = &exchange->secrets,
                                              .arena        = request->arena,
                                              .access_token = token_of(exchange),
                                              .now_us       = clock_unix_us(),
                                              .kept         = request->connection->kept,
                                              .connection   = request->connection->name};
    TRY(file_arguments_blob(json_get_text(request->scope, "params"),
                            request->step->request.body_blob, request->files, request->arena,
                            &source.blob, reterr));
    TRY(outgoing_render(&source, outgoing, reterr));
    for (size_t i = 0; i < outgoing->header_count; i++) {
        const struct outgoing_header *header = &outgoing->headers[i];
        bool is_secret                       = is_credential(exchange, header);
        exchange->headers[i]                 = (struct http_header){
                            .name = header->name, .value = header->value, .is_secret = is_secret};
    }
    size_t header_count =
        validators_put(request->validators, exchange->headers, outgoing->header_count);
    exchange->http = (struct http_request){
        .method        = str_from(outgoing->method),
        .url           = outgoing->url,
        .headers       = exchange->headers,
        .header_count  = header_count,
        .body          = bytes_from(outgoing->body),
        .timeouts      = {.connect_ms = action->connect_ms},
        .body_max      = (size_t)action->manifest->answer_max,
        .redirects_max = REDIRECTS_MAX,
        .allow_private = request->connection->allow_private,
        .proxy         = request->connection->proxy,
        .is_compressed = true,
        .is_repeatable = is_repeatable(action),
    };
    TRY(put_hosts(exchange, reterr));
    TRY(service_tls_get(action->manifest, &exchange->secrets, &exchange->tls, &exchange->http.tls,
                        reterr));
    if (outgoing->blob) exchange->http.body = bytes_from(source.blob);
    return send(exchange, reterr);
}

/* --- a token first ---------------------------------------------------------------------------- */

static const struct manifest_auth *auth_of(const struct exchange *exchange)
{
    return credentials_of(exchange->request.action, exchange->request.step);
}

/* Nothing has left, or what left was refused. */
static void on_token(status code, const struct error *error, void *context)
{
    struct exchange *exchange     = context;
    struct exchange_result result = {.code = code, .error = *error};
    if (code == STATUS_OK) result.code = start_http(exchange, &result.error);
    if (result.code != STATUS_OK) finish(exchange, &result);
}

static status ask_token(struct exchange *exchange, struct error *reterr)
{
    const struct exchange_request *request = &exchange->request;
    exchange->token.tokens                 = exchange->means->tokens;
    exchange->token.loop                   = exchange->means->loop;
    exchange->token.until_ms               = request->until_ms;
    exchange->token.done                   = on_token;
    exchange->token.context                = exchange;
    exchange->token.proxy                  = request->connection->proxy;
    return service_token_get(&exchange->token, request->action, auth_of(exchange), request->scope,
                             &exchange->secrets, reterr);
}

/* True: the request goes out again, or waits for its token. */
static bool renew_token(struct exchange *exchange, struct error *reterr)
{
    if (ask_token(exchange, reterr) != STATUS_OK) return false;
    return !exchange->token.text || start_http(exchange, reterr) == STATUS_OK;
}

static status begin_http(struct exchange *exchange, struct error *reterr)
{
    if (auth_of(exchange)->kind == AUTH_OAUTH2) {
        TRY(ask_token(exchange, reterr));
        if (!exchange->token.text) return STATUS_OK;
    }
    return start_http(exchange, reterr);
}

/* --- engines ---------------------------------------------------------------------------------- */

static void on_engine(const struct engine_result *engine, void *context)
{
    const struct exchange_result result = {.code     = engine->code,
                                           .was_sent = engine->was_sent,
                                           .response = engine->response,
                                           .error    = engine->error,
                                           .usage    = engine->usage};
    finish(context, &result);
}

static void on_progress(json progress, void *context)
{
    const struct exchange *exchange = context;
    exchange->handlers.progress(progress, exchange->handlers.context);
}

static status start_engine(struct exchange *exchange, struct error *reterr)
{
    const struct exchange_request *request = &exchange->request;
    const struct manifest_request *what    = &request->step->request;
    const struct engine_handlers handlers  = {.progress =
                                                 exchange->handlers.progress ? on_progress : NULL,
                                              .done    = on_engine,
                                              .context = exchange};
    struct error error                     = {};

    exchange->engine = engine_of(exchange->means->engines, what);
    if (!exchange->engine) {
        return fail(reterr, STATUS_UNIMPLEMENTED, "this tool-adapter has no engine for `%s.%s`",
                    request->action->manifest->name, request->action->name);
    }
    if (what->body) {
        status code = formula_eval(what->body, request->scope, scope_now_us(request->scope),
                                   &exchange->settings, &error);
        if (code != STATUS_OK) return fail(reterr, code, "`request`: %s", error.text);
    }
    int64_t left_ms = request->until_ms - clock_mono_ms();
    if (left_ms <= 0) return fail(reterr, STATUS_DEADLINE_EXCEEDED, "no time is left for it");
    exchange->config                   = json_ref(json_get_text(request->scope, "config"));
    const struct engine_request engine = {
        .action          = request->action,
        .function        = what->document,
        .settings        = exchange->settings,
        .config          = exchange->config,
        .connection      = str_from(request->connection->name),
        .namespace       = request->namespace,
        .idempotency_key = request->idempotency_key,
        .traceparent     = request->traceparent,
        .payer           = request->payer,
        .secrets         = &exchange->secrets,
        .mask            = request->connection->mask,
        .files           = request->files,
        .progress        = request->progress,
        .onlooker        = request->onlooker,
        .respondent      = request->respondent,
        .total_ms      = left_ms < request->action->total_ms ? left_ms : request->action->total_ms,
        .answer_max    = request->action->manifest->answer_max,
        .allow_private = request->connection->allow_private,
        .proxy         = request->connection->proxy,
    };
    return exchange->engine->start(exchange->engine->self, &engine, &handlers,
                                   &exchange->engine_call, reterr);
}

/* --- the limits of its connection ------------------------------------------------------------- */

static status begin(struct exchange *exchange, struct error *reterr)
{
    enum request_kind kind = exchange->request.step->request.kind;
    bool is_http           = kind == REQUEST_HTTP || kind == REQUEST_GRAPHQL;
    return is_http ? begin_http(exchange, reterr) : start_engine(exchange, reterr);
}

static void on_admitted(bool may_go, int64_t wait_ms, void *context)
{
    struct exchange *exchange     = context;
    struct exchange_result result = {.wait_ms = wait_ms};
    if (may_go) {
        result.code = begin(exchange, &result.error);
    } else {
        result.code = fail(&result.error, STATUS_RESOURCE_EXHAUSTED,
                           "the limits of the connection `%s` are reached",
                           exchange->request.connection->name);
    }
    if (result.code != STATUS_OK) finish(exchange, &result);
}

static status ask_to_leave(struct exchange *exchange, struct error *reterr)
{
    struct shared_limits *limits = exchange->means->limits;
    int64_t left_ms              = exchange->request.until_ms - clock_mono_ms();
    exchange->admission =
        (struct admission){.connection  = exchange->request.connection,
                           .action      = exchange->request.action,
                           .scope       = exchange->request.scope,
                           .loop        = exchange->means->loop,
                           .tollgates   = limits ? shared_limits_tollgates(limits) : NULL,
                           .patience_ms = exchange->request.is_under_way ? left_ms : 0,
                           .decided     = on_admitted,
                           .context     = exchange};
    return admission_ask(&exchange->admission) ? begin(exchange, reterr) : STATUS_OK;
}

/* --- life ------------------------------------------------------------------------------------- */

status exchange_start(const struct exchange_means *means, const struct exchange_request *request,
                      const struct exchange_handlers *handlers, struct exchange **ret_exchange,
                      struct error *reterr)
{
    struct exchange *exchange = mem_new(1, sizeof *exchange);
    exchange->means           = means;
    exchange->request         = *request;
    exchange->handlers        = *handlers;
    exchange->secrets         = connection_secrets(request->connection);
    status code               = ask_to_leave(exchange, reterr);
    if (code != STATUS_OK) {
        exchange_free(exchange);
        return code;
    }
    *ret_exchange = exchange;
    return STATUS_OK;
}

struct exchange_result exchange_sent(const struct exchange *exchange)
{
    bool was_sent = exchange->call ? http_call_sent_ms(exchange->call) >= 0
                                   : exchange->engine_call || exchange->upload;
    return (struct exchange_result){.code       = STATUS_CANCELLED,
                                    .was_sent   = was_sent,
                                    .method     = exchange->http.method,
                                    .url        = exchange->http.url,
                                    .sent_bytes = exchange->http.body.len};
}

void exchange_cancel(struct exchange *exchange)
{
    if (!exchange) return;
    if (exchange->call) http_call_cancel(exchange->call);
    if (exchange->engine_call) exchange->engine->cancel(exchange->engine_call);
    exchange_free(exchange);
}
