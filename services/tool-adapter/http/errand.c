#include "tool-adapter/http/errand.h"

#include "base/hash.h"
#include "base/mem.h"
#include "base/random.h"

#include <stdlib.h>

enum { NONCE_BYTES = 16 /* of a digest's cnonce */, HTTP_UNAUTHORIZED = 401 };

struct errand {
    struct errand_options options;
    struct http_request request;
    struct http_header headers[HTTP_HEADERS_SENT_MAX];
    struct http_call *call;  /* under way; or */
    struct token_wait *wait; /* for a token */
    str token;               /* in the arena; empty: none */
    bool is_starting;        /* inside of errand_start() */
    bool is_over;            /* while it is */
    bool is_repeated;        /* after a refusal of its credentials */
    bool is_unheard;         /* what comes is a refusal that may be lifted */
};

static enum authorization_kind kind_of(const struct errand *errand)
{
    const struct authorization *authorization = errand->options.authorization;
    return authorization ? authorization->kind : AUTHORIZATION_NONE;
}

static void finish(struct errand *errand, const struct errand_result *result)
{
    const struct errand_options options = errand->options;
    options.done(result, options.context);
    errand->is_over = true;
    if (!errand->is_starting) free(errand);
}

static void give_up(struct errand *errand, status code, const struct error *why)
{
    const struct errand_result result = {.code = code, .error = *why, .token = errand->token};
    finish(errand, &result);
}

/* --- sending ---------------------------------------------------------------------------------- */

static enum http_flow on_headers(const struct http_answer *answer, void *context)
{
    struct errand *errand = context;
    bool may_be_lifted =
        kind_of(errand) == AUTHORIZATION_DIGEST || kind_of(errand) == AUTHORIZATION_TOKEN;
    errand->is_unheard =
        answer->http_status == HTTP_UNAUTHORIZED && may_be_lifted && !errand->is_repeated;
    if (errand->is_unheard || !errand->options.on_headers) return HTTP_GO_ON;
    return errand->options.on_headers(answer, errand->options.context);
}

static enum http_flow on_data(str data, void *context)
{
    struct errand *errand = context;
    if (errand->is_unheard) return HTTP_GO_ON;
    return errand->options.on_data(data, errand->options.context);
}

static void on_done(const struct http_result *http, void *context);

/* With that value of Authorization in place of one that the request may have. */
static status send(struct errand *errand, str authorization, struct error *reterr)
{
    struct http_request request         = errand->request;
    const struct http_handlers handlers = {.on_headers = on_headers,
                                           .on_data    = errand->options.on_data ? on_data : NULL,
                                           .on_done    = on_done,
                                           .context    = errand};
    if (request.header_count >= HTTP_HEADERS_SENT_MAX) {
        return fail(reterr, STATUS_RESOURCE_EXHAUSTED, "the request has too many headers");
    }
    request.header_count = authorization_replace(request.headers, request.header_count,
                                                 authorization, errand->headers);
    request.headers      = errand->headers;
    return http_call_start(errand->options.http, &request, &handlers, &errand->call, reterr);
}

static status try_send(struct errand *errand, struct error *reterr)
{
    const struct errand_options *options = &errand->options;
    str authorization                    = {};
    errand->request                      = (struct http_request){};
    TRY(options->prepare(errand->token, &errand->request, options->context, reterr));
    if (options->authorization) {
        TRY(authorization_header(options->authorization, errand->token, options->arena,
                                 &authorization, reterr));
    }
    return send(errand, authorization, reterr);
}

static void on_token(status code, str token, const struct error *why, void *context)
{
    struct errand *errand = context;
    struct error error    = {};
    errand->wait          = NULL;
    if (code == STATUS_OK) {
        char *copy    = arena_strdup(errand->options.arena, token);
        errand->token = copy ? str_from(copy) : (str){};
        code          = copy ? try_send(errand, &error) : STATUS_RESOURCE_EXHAUSTED;
        why           = &error;
    }
    if (code != STATUS_OK) give_up(errand, code, why);
}

static void ask_token(struct errand *errand)
{
    struct token_wait *wait = tokens_ask(errand->options.tokens,
                                         &errand->options.authorization->policy, on_token, errand);
    if (wait) errand->wait = wait; /* else it is under way, or over */
}

/* --- the answer ------------------------------------------------------------------------------- */

/* Sends a digest's answer to its challenge. */
static bool answer_challenge(struct errand *errand, const struct http_result *http)
{
    uint8_t raw[NONCE_BYTES];
    char cnonce[NONCE_BYTES * 2 + 1];
    str value = {};
    if (!str_equal(http->answer.url, errand->request.url)) return false; /* redirected */
    random_bytes(raw, sizeof raw);
    hex_encode(raw, sizeof raw, cnonce);
    status code =
        authorization_answer(errand->options.authorization, &errand->request, &http->answer,
                             str_from(cnonce), errand->options.arena, &value, NULL);
    return code == STATUS_OK && send(errand, value, NULL) == STATUS_OK;
}

/* A refusal that new credentials may lift: once. False: it is final. */
static bool try_again(struct errand *errand, const struct http_result *http)
{
    if (http->code != STATUS_OK || !errand->is_unheard) return false;
    errand->is_repeated = true;
    errand->is_unheard  = false;
    if (kind_of(errand) == AUTHORIZATION_DIGEST) return answer_challenge(errand, http);
    tokens_refused(errand->options.tokens, &errand->options.authorization->policy, errand->token);
    ask_token(errand);
    return true;
}

static void on_done(const struct http_result *http, void *context)
{
    struct errand *errand = context;
    errand->call          = NULL;
    if (try_again(errand, http)) return;
    const struct errand_result result = {.http = http, .code = http->code, .token = errand->token};
    finish(errand, &result);
}

/* --- life ------------------------------------------------------------------------------------- */

struct errand *errand_start(const struct errand_options *options)
{
    struct error error    = {};
    struct errand *errand = mem_new(1, sizeof *errand);
    *errand               = (struct errand){.options = *options, .is_starting = true};
    if (kind_of(errand) == AUTHORIZATION_TOKEN) {
        ask_token(errand);
    } else {
        status code = try_send(errand, &error);
        if (code != STATUS_OK) give_up(errand, code, &error);
    }
    errand->is_starting = false;
    if (!errand->is_over) return errand;
    free(errand);
    return NULL;
}

bool errand_was_sent(const struct errand *errand)
{
    return errand->is_repeated || (errand->call && http_call_sent_ms(errand->call) >= 0);
}

void errand_cancel(struct errand *errand)
{
    if (errand->call) http_call_cancel(errand->call);
    if (errand->wait) tokens_cancel(errand->wait);
    free(errand);
}
