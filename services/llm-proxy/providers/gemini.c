/* Google's Gemini API: requests as HTTP, whole answers, embeddings, errors. */
#include "llm-proxy/providers/gemini.h"

#include "base/attr.h"
#include "llm-proxy/chat/wire.h"
#include "llm-proxy/providers/counting.h"
#include "llm-proxy/providers/upstream.h"

#include <string.h>

enum { RETRY_SECONDS_MAX = 86'400 };

static status encode(const struct provider_request *what, struct arena *arena,
                     struct http_request *ret_http, struct error *reterr)
{
    CLEANUP(buf_done) struct buf body = buf_init(UPSTREAM_BODY_MAX);
    const char *verb                  = "generateContent";
    bool is_printed                   = false;
    if (what->chat->has_tokens) {
        return fail(reterr, STATUS_INVALID_ARGUMENT,
                    "Gemini embeds texts only: send `input` as texts, not as tokens");
    }
    if (what->chat->input_count > 0) {
        verb       = "batchEmbedContents";
        is_printed = gemini_print_inputs(what->chat, what->model, &body);
    } else {
        if (what->chat->is_stream) verb = "streamGenerateContent?alt=sse";
        is_printed = gemini_print(what->chat, what->model, what->losses, &body);
    }
    if (!is_printed) return fail(reterr, STATUS_RESOURCE_EXHAUSTED, "the request is too large");
    const char *model = NULL;
    TRY(upstream_segment(what->model, arena, &model, reterr));
    const char *url = arena_printf(arena, "%s/models/%s:%s", what->provider->base_url, model, verb);
    TRY(upstream_post(url, buf_str(&body), arena, ret_http, reterr));
    return upstream_add_key(what, "x-goog-api-key", ret_http, arena, reterr);
}

/* --- errors ------------------------------------------------------------------------------------
 */

/* "17s" or "0.5s" of a RetryInfo among the details. */
static int64_t retry_ms_of(json details)
{
    for (size_t i = 0; i < json_count(details); i++) {
        str text        = wire_text(json_at(details, i), "retryDelay");
        int64_t seconds = 0;
        size_t at       = 0;
        for (; at < text.len && text.ptr[at] >= '0' && text.ptr[at] <= '9' && at < 6; at++) {
            seconds = seconds * 10 + (text.ptr[at] - '0');
        }
        if (at == 0) continue;
        if (at < text.len && text.ptr[at] == '.') seconds++; /* a part of one is a whole one */
        return (seconds < RETRY_SECONDS_MAX ? seconds : RETRY_SECONDS_MAX) * 1000;
    }
    return 0;
}

static bool has_reason(json details, const char *reason)
{
    for (size_t i = 0; i < json_count(details); i++) {
        if (str_is(wire_text(json_at(details, i), "reason"), reason)) return true;
    }
    return false;
}

struct llm_error gemini_error_of(json body, uint32_t http_status)
{
    static const struct {
        const char *word;
        enum llm_error_class class;
    } words[] = {
        {"RESOURCE_EXHAUSTED", LLM_ERROR_RATE_LIMITED},
        {"UNAVAILABLE", LLM_ERROR_OVERLOADED},
        {"INTERNAL", LLM_ERROR_SERVER},
        {"DEADLINE_EXCEEDED", LLM_ERROR_SERVER},
        {"UNAUTHENTICATED", LLM_ERROR_KEY},
        {"PERMISSION_DENIED", LLM_ERROR_KEY},
        {"INVALID_ARGUMENT", LLM_ERROR_REQUEST},
        {"NOT_FOUND", LLM_ERROR_REQUEST},
        {"FAILED_PRECONDITION", LLM_ERROR_REQUEST},
    };
    json first             = json_is(body, JSON_ARRAY) ? json_at(body, 0) : body;
    json said              = json_get_text(first, "error");
    json details           = json_get_text(said, "details");
    int64_t code           = wire_count(said, "code");
    struct llm_error error = {.http_status    = http_status,
                              .type           = wire_text(said, "status"),
                              .text           = wire_text(said, "message"),
                              .retry_after_ms = retry_ms_of(details)};
    if (http_status == 200 && code >= 400 && code < 600) error.http_status = (uint32_t)code;
    error.class =
        http_status == 200 && code < 400 ? LLM_ERROR_SERVER : llm_error_class_of(error.http_status);
    for (size_t i = 0; i < ARRAY_LEN(words); i++) {
        if (str_is(error.type, words[i].word)) error.class = words[i].class;
    }
    if (has_reason(details, "API_KEY_INVALID")) error.class = LLM_ERROR_KEY;
    if (error.text.len == 0) error.text = str_from("the upstream gave no reason");
    return error;
}

/* --- answer ------------------------------------------------------------------------------------
 */

static void send_end(llm_sink *sink, void *context)
{
    const struct llm_event end = {.kind = LLM_END, .end = END_COMPLETE};
    sink(&end, context);
}

static void send_answer(json body, str spelled, llm_sink *sink, void *context)
{
    struct gemini_state state    = {};
    struct llm_error error       = {};
    const struct llm_event chunk = {
        .kind = LLM_CHUNK, .protocol = PROTOCOL_GEMINI, .chunk = body, .spelled = spelled};
    sink(&chunk, context);
    if (!gemini_send(&state, body, sink, context, &error)) {
        upstream_send_error(&error, sink, context);
    } else if (!gemini_is_whole(&state)) {
        upstream_send_malformed(sink, context);
    } else {
        send_end(sink, context);
    }
}

static void send_embeddings(json list, llm_sink *sink, void *context)
{
    const struct llm_event start = {.kind = LLM_START};
    sink(&start, context);
    for (size_t i = 0; i < json_count(list); i++) {
        if (upstream_send_vector(json_get_text(json_at(list, i), "values"), sink, context)) {
            continue;
        }
        upstream_send_malformed(sink, context);
        return;
    }
    send_end(sink, context);
}

static void decode(const struct http_result *result, llm_sink *sink, void *context)
{
    if (upstream_send_failure(result, sink, context)) return;
    CLEANUP(json_unrefp) json body = json_invalid();
    bool is_json                   = upstream_parse(result->body, &body);
    uint32_t http                  = (uint32_t)result->answer.http_status;
    json embeddings                = json_get_text(body, "embeddings");
    if (http != 200) {
        struct llm_error error = gemini_error_of(body, http);
        int64_t retry_ms       = provider_retry_after_ms(&result->answer);
        if (retry_ms > 0) error.retry_after_ms = retry_ms;
        upstream_send_error(&error, sink, context);
    } else if (json_is(embeddings, JSON_ARRAY)) {
        send_embeddings(embeddings, sink, context);
    } else if (!is_json || !json_is(body, JSON_OBJECT)) {
        upstream_send_malformed(sink, context);
    } else {
        send_answer(body, result->body, sink, context);
    }
}

/* https://ai.google.dev/api/models#method:-models.list */
static status list(const struct provider_request *what, struct arena *arena,
                   struct http_request *ret_http, struct error *reterr)
{
    TRY(upstream_get(arena_printf(arena, "%s/models", what->provider->base_url), arena, ret_http,
                     reterr));
    return upstream_add_key(what, "x-goog-api-key", ret_http, arena, reterr);
}

const struct provider_kind provider_gemini = {
    .name             = "gemini",
    .protocol         = PROTOCOL_GEMINI,
    .default_base_url = "https://generativelanguage.googleapis.com/v1beta",
    .stream           = &gemini_stream,
    .encode           = encode,
    .decode           = decode,
    .list             = list,
    .counter          = &provider_gemini_counter,
};
