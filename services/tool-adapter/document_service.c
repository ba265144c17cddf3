#include "tool-adapter/document_service.h"

#include "base/assert.h"
#include "base/hash.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/random.h"
#include "document.pb-c.h"
#include "tool-adapter/authorization.h"
#include "tool-adapter/tokens.h"
#include "json/json_text.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <strings.h>

enum {
    NONCE_BYTES = 16, /* of a digest's cnonce */
    ARENA_MAX   = 1 << 20,
    HEADERS_MAX = 2,
};

struct document_service {
    struct http_client *http; /* borrowed */
    struct loop *loop;        /* borrowed */
    struct tokens *tokens;    /* owned */
    struct fetch *fetches;    /* under way */
    unsigned count;
};

/* One document under way. */
struct fetch {
    struct fetch *next, *previous;
    struct document_service *service;
    struct rpc_call *call;
    struct arena *arena;
    json authentication; /* the authorization's texts are views of it */
    struct authorization authorization;
    struct http_request request;
    struct http_header headers[HEADERS_MAX];
    struct http_call *http;
    struct token_wait *wait;
    str token;        /* in the arena; empty: none */
    bool is_repeated; /* after a refusal of its credentials */
};

/* --- life --------------------------------------------------------------------------------------
 */

struct document_service *document_service_new(struct http_client *http, struct loop *loop)
{
    struct document_service *service = mem_new(1, sizeof *service);
    *service =
        (struct document_service){.http = http, .loop = loop, .tokens = tokens_new(http, loop)};
    return service;
}

static struct fetch *fetch_new(struct document_service *service, struct rpc_call *call)
{
    struct fetch *fetch = mem_new(1, sizeof *fetch);
    fetch->service      = service;
    fetch->call         = call;
    fetch->arena        = arena_new(ARENA_MAX);
    ASSERT(fetch->arena);
    fetch->next = service->fetches;
    if (fetch->next) fetch->next->previous = fetch;
    service->fetches = fetch;
    service->count++;
    return fetch;
}

static void fetch_free(struct fetch *fetch)
{
    struct document_service *service = fetch->service;
    if (fetch->next) fetch->next->previous = fetch->previous;
    if (fetch->previous) {
        fetch->previous->next = fetch->next;
    } else {
        service->fetches = fetch->next;
    }
    service->count--;
    json_unref(fetch->authentication);
    arena_free(fetch->arena);
    free(fetch);
}

void document_service_freep(struct document_service **ref)
{
    struct document_service *service = *ref;
    if (!service) return;
    while (service->fetches) {
        struct fetch *fetch = service->fetches;
        if (fetch->http) http_call_cancel(fetch->http);
        if (fetch->wait) tokens_cancel(fetch->wait);
        fetch_free(fetch);
    }
    tokens_freep(&service->tokens);
    free(service);
    *ref = NULL;
}

/* --- answers -----------------------------------------------------------------------------------
 */

static void answer(struct fetch *fetch, str text)
{
    Pb__FetchedDocument *document = fetch->call->response;
    char *copy                    = arena_strdup(fetch->call->arena, text);
    if (copy) document->text = (ProtobufCBinaryData){.data = (uint8_t *)copy, .len = text.len};
    rpc_reply(fetch->call, copy ? STATUS_OK : STATUS_RESOURCE_EXHAUSTED, NULL);
    fetch_free(fetch);
}

PRINTF_LIKE(2, 3) static void refuse(struct fetch *fetch, const char *format, ...)
{
    struct error why = {};
    va_list args;
    va_start(args, format);
    (void)vsnprintf(why.text, sizeof why.text, format, args);
    va_end(args);
    Pb__FetchedDocument *document = fetch->call->response;
    const char *copy              = arena_strdup(fetch->call->arena, str_from(why.text));
    document->failure             = copy ? copy : "it cannot be read";
    log_write(LOG_INFO, "document.refused", LOG_STR("reason", str_from(document->failure)));
    rpc_reply(fetch->call, STATUS_OK, NULL);
    fetch_free(fetch);
}

/* A page for people, where a document was meant: a sign-in, or the page about a file. */
static bool is_page(const struct http_answer *answer)
{
    static const char html[] = "text/html";
    str type                 = {};
    return http_answer_header(answer, "content-type", &type) && type.len >= sizeof html - 1 &&
           strncasecmp(type.ptr, html, sizeof html - 1) == 0;
}

/* --- sending -----------------------------------------------------------------------------------
 */

static void on_done(const struct http_result *result, void *context);

static status send(struct fetch *fetch, str authorization, struct error *reterr)
{
    const struct http_handlers handlers = {.on_done = on_done, .context = fetch};
    size_t count                        = 0;
    fetch->headers[count++]             = (struct http_header){
                    .name  = str_from("Accept"),
                    .value = str_from("application/yaml, application/json;q=0.9, */*;q=0.5")};
    if (authorization.len > 0) {
        fetch->headers[count++] = (struct http_header){
            .name = str_from("Authorization"), .value = authorization, .is_secret = true};
    }
    fetch->request.headers      = fetch->headers;
    fetch->request.header_count = count;
    return http_call_start(fetch->service->http, &fetch->request, &handlers, &fetch->http, reterr);
}

/* With the credentials that are known from the start. */
static void begin(struct fetch *fetch)
{
    str authorization  = {};
    struct error error = {};
    status code        = authorization_header(&fetch->authorization, fetch->token, fetch->arena,
                                              &authorization, &error);
    if (code == STATUS_OK) code = send(fetch, authorization, &error);
    if (code != STATUS_OK) refuse(fetch, "%s", error.text);
}

static void on_token(status code, str token, const struct error *why, void *context)
{
    struct fetch *fetch = context;
    fetch->wait         = NULL;
    char *copy          = code == STATUS_OK ? arena_strdup(fetch->arena, token) : NULL;
    if (!copy) {
        refuse(fetch, "no token for it: %s", why ? why->text : "it is too large");
        return;
    }
    fetch->token = str_from(copy);
    begin(fetch);
}

static void ask_token(struct fetch *fetch)
{
    struct token_wait *wait =
        tokens_ask(fetch->service->tokens, &fetch->authorization.policy, on_token, fetch);
    if (wait) fetch->wait = wait; /* else it is under way, or over */
}

/* --- the answer --------------------------------------------------------------------------------
 */

static bool answer_challenge(struct fetch *fetch, const struct http_result *result)
{
    uint8_t raw[NONCE_BYTES];
    char cnonce[NONCE_BYTES * 2 + 1];
    str value = {};
    if (!str_equal(result->answer.url, fetch->request.url)) return false; /* redirected */
    random_bytes(raw, sizeof raw);
    hex_encode(raw, sizeof raw, cnonce);
    return authorization_answer(&fetch->authorization, &fetch->request, &result->answer,
                                str_from(cnonce), fetch->arena, &value, NULL) == STATUS_OK &&
           send(fetch, value, NULL) == STATUS_OK;
}

/* A refusal that new credentials may lift: once. False: it is final. */
static bool try_again(struct fetch *fetch, const struct http_result *result)
{
    enum authorization_kind kind = fetch->authorization.kind;
    bool is_refused              = result->code == STATUS_OK && result->answer.http_status == 401;
    if (!is_refused || fetch->is_repeated) return false;
    fetch->is_repeated = true;
    if (kind == AUTHORIZATION_DIGEST) return answer_challenge(fetch, result);
    if (kind != AUTHORIZATION_TOKEN) return false;
    tokens_refused(fetch->service->tokens, &fetch->authorization.policy, fetch->token);
    ask_token(fetch);
    return true;
}

static void on_done(const struct http_result *result, void *context)
{
    struct fetch *fetch = context;
    fetch->http         = NULL;
    if (try_again(fetch, result)) return;
    int http_status = result->answer.http_status;
    if (result->failure == HTTP_TOO_LARGE) {
        refuse(fetch, "it has more than %d bytes", DOCUMENT_FETCH_SIZE_MAX);
    } else if (result->code != STATUS_OK) {
        refuse(fetch, "%s", result->error.text);
    } else if (http_status < 200 || http_status > 299) {
        refuse(fetch, "it was answered with status %d", http_status);
    } else if (is_page(&result->answer)) {
        refuse(fetch, "it is a page for browsers, not YAML or JSON");
    } else {
        answer(fetch, result->body);
    }
}

/* --- Fetch -------------------------------------------------------------------------------------
 */

static status read_authentication(struct fetch *fetch, struct error *reterr)
{
    const Pb__FetchDocument *message = fetch->call->request;
    str text                         = {.ptr = (const char *)message->authentication_json.data,
                                        .len = message->authentication_json.len};
    if (text.len == 0) return STATUS_OK;
    TRY(json_parse(text, NULL, &fetch->authentication, NULL, reterr));
    return authorization_read(fetch->authentication, &fetch->authorization, reterr);
}

static void start(struct fetch *fetch)
{
    const Pb__FetchDocument *message = fetch->call->request;
    struct error error               = {};

    fetch->request = (struct http_request){
        .method        = str_from("GET"),
        .url           = str_from(message->url),
        .timeouts      = {.total_ms = DOCUMENT_FETCH_MS},
        .body_max      = DOCUMENT_FETCH_SIZE_MAX,
        .redirects_max = DOCUMENT_FETCH_REDIRECTS,
        .allow_private = true, /* as far as the operator's rules do */
        .is_compressed = true,
        .is_repeatable = true,
    };
    if (read_authentication(fetch, &error) != STATUS_OK) {
        refuse(fetch, "%s", error.text);
    } else if (fetch->authorization.kind == AUTHORIZATION_TOKEN) {
        ask_token(fetch);
    } else {
        begin(fetch);
    }
}

struct arrived {
    struct document_service *service;
    struct rpc_call *call;
};

static void on_fetch(void *context)
{
    struct arrived arrived = *(struct arrived *)context;
    free(context);
    if (arrived.service->count < DOCUMENT_FETCHES_MAX) {
        start(fetch_new(arrived.service, arrived.call));
        return;
    }
    struct error error = {};
    rpc_reply(arrived.call,
              fail(&error, STATUS_RESOURCE_EXHAUSTED, "more than %d documents at once",
                   DOCUMENT_FETCHES_MAX),
              &error);
}

static status handle_fetch(struct rpc_call *call, struct error *reterr)
{
    struct document_service *service = call->context;
    struct arrived *arrived          = mem_new(1, sizeof *arrived);
    *arrived                         = (struct arrived){.service = service, .call = call};
    status code                      = loop_post(service->loop, on_fetch, arrived);
    if (code == STATUS_OK) return STATUS_OK;
    free(arrived);
    return fail(reterr, code, "this tool-adapter is overloaded");
}

const struct rpc_method document_service_methods[] = {
    {.name = "Fetch", .handle = handle_fetch},
    {},
};
