#include "tool-adapter/http/document_service.h"

#include "base/assert.h"
#include "base/log.h"
#include "base/mem.h"
#include "document.pb-c.h"
#include "tool-adapter/http/errand.h"
#include "json/json_text.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <strings.h>

#define ACCEPTED "application/yaml, application/json;q=0.9, */*;q=0.5"

enum { ARENA_MAX = 1 << 20 };

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
    struct errand *errand;
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
    fetch->next         = service->fetches;
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
        if (fetch->errand) errand_cancel(fetch->errand);
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

static status prepare(str, struct http_request *ret_request, void *context, struct error *)
{
    static const struct http_header accept = {
        .name  = {.ptr = "Accept", .len = sizeof "Accept" - 1},
        .value = {.ptr = ACCEPTED, .len = sizeof ACCEPTED - 1},
    };
    const struct fetch *fetch        = context;
    const Pb__FetchDocument *message = fetch->call->request;
    *ret_request                     = (struct http_request){
                            .method        = str_from("GET"),
                            .url           = str_from(message->url),
                            .headers       = &accept,
                            .header_count  = 1,
                            .timeouts      = {.total_ms = DOCUMENT_FETCH_MS},
                            .body_max      = DOCUMENT_FETCH_SIZE_MAX,
                            .redirects_max = DOCUMENT_FETCH_REDIRECTS,
                            .allow_private = true, /* as far as the operator's rules do */
                            .is_compressed = true,
                            .is_repeatable = true,
    };
    return STATUS_OK;
}

static void on_done(const struct errand_result *result, void *context)
{
    struct fetch *fetch            = context;
    const struct http_result *http = result->http;
    int http_status                = http ? http->answer.http_status : 0;
    if (!http) {
        refuse(fetch, "%s", result->error.text);
    } else if (http->failure == HTTP_TOO_LARGE) {
        refuse(fetch, "it has more than %d bytes", DOCUMENT_FETCH_SIZE_MAX);
    } else if (http->code != STATUS_OK) {
        refuse(fetch, "%s", http->error.text);
    } else if (http_status < 200 || http_status > 299) {
        refuse(fetch, "it was answered with status %d", http_status);
    } else if (is_page(&http->answer)) {
        refuse(fetch, "it is a page for browsers, not YAML or JSON");
    } else {
        answer(fetch, http->body);
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
    const struct errand_options options = {
        .http          = fetch->service->http,
        .tokens        = fetch->service->tokens,
        .authorization = &fetch->authorization,
        .arena         = fetch->arena,
        .prepare       = prepare,
        .done          = on_done,
        .context       = fetch,
    };
    struct error error = {};
    if (read_authentication(fetch, &error) != STATUS_OK) {
        refuse(fetch, "%s", error.text);
        return;
    }
    struct errand *errand = errand_start(&options);
    if (errand) fetch->errand = errand; /* else it is over, and the fetch is gone */
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
