/*
 * Everything that speaks OpenAI's chat completions: OpenAI itself, vLLM, llama.cpp, Ollama,
 * OpenRouter. Wire format: openai/openai-openapi, openapi.json 2.3.0.
 */
#include "llm-proxy/embed.h"

#include "base/attr.h"
#include "json/json_text.h"

#include <string.h>
#include <strings.h>

enum {
    BODY_MAX          = 32 << 20, /* bytes sent */
    ANSWER_MAX        = 64 << 20, /* bytes received */
    HEADERS_MAX       = 4,
    ANSWER_DEPTH_MAX  = 64,
    ANSWER_VALUES_MAX = 1'000'000,
};

/* --- request -----------------------------------------------------------------------------------
 */

static status no_memory(struct error *reterr)
{
    return fail(reterr, STATUS_RESOURCE_EXHAUSTED, "the request is too large");
}

static size_t put_headers(const struct provider *provider, const struct provider_key *key,
                          struct arena *arena, struct http_header *headers)
{
    size_t count     = 0;
    headers[count++] = (struct http_header){.name  = str_from("Content-Type"),
                                            .value = str_from("application/json")};
    if (!key) return count;
    const char *name  = provider->key_header ? provider->key_header : "Authorization";
    const char *value = provider->key_header
                            ? arena_strdup(arena, key->value)
                            : arena_printf(arena, "Bearer " STR_FMT, STR_ARG(key->value));
    if (!value) return 0;
    headers[count++] =
        (struct http_header){.name = str_from(name), .value = str_from(value), .is_secret = true};
    return count;
}

static status encode(const struct provider *provider, const struct provider_key *key,
                     const struct chat_request *request, str model, struct arena *arena,
                     struct http_request *ret_http, struct error *reterr)
{
    CLEANUP(buf_done) struct buf body = buf_init(BODY_MAX);
    bool is_embedding                 = request->input_count > 0;
    bool is_printed                   = is_embedding ? embed_print_request(request, model, &body)
                                                     : chat_print_openai(request, model, &body);
    if (!is_printed) return no_memory(reterr);
    const char *path            = is_embedding ? "embeddings" : "chat/completions";
    const char *url             = arena_printf(arena, "%s/%s", provider->base_url, path);
    char *copy                  = arena_strdup(arena, buf_str(&body));
    struct http_header *headers = arena_alloc(arena, HEADERS_MAX * sizeof *headers);
    if (!url || !copy || !headers) return no_memory(reterr);
    size_t count = put_headers(provider, key, arena, headers);
    if (count == 0) return no_memory(reterr);
    *ret_http = (struct http_request){
        .method        = str_from("POST"),
        .url           = str_from(url),
        .headers       = headers,
        .header_count  = count,
        .body          = {.ptr = copy, .len = body.len},
        .body_max      = ANSWER_MAX,
        .is_compressed = true,
    };
    return STATUS_OK;
}

/* --- answer ------------------------------------------------------------------------------------
 */

static str text_of(json object, const char *key)
{
    json value = json_get_text(object, key);
    return json_is(value, JSON_TEXT) ? json_str(value) : (str){};
}

static int64_t count_of(json object, const char *key)
{
    int64_t value = -1;
    return json_to_int(json_get_text(object, key), &value) ? value : -1;
}

static void send_failure(struct llm_error failure, llm_sink *sink, void *context)
{
    const struct llm_event error = {.kind = LLM_ERROR, .error = failure};
    const struct llm_event end   = {.kind = LLM_END, .end = END_CUT};
    sink(&error, context);
    sink(&end, context);
}

static void send_error(enum llm_error_class class, uint32_t http_status, str text,
                       int64_t retry_after_ms, llm_sink *sink, void *context)
{
    const struct llm_error failure = {
        .class = class, .http_status = http_status, .text = text, .retry_after_ms = retry_after_ms};
    send_failure(failure, sink, context);
}

static void send_tool_calls(json calls, uint32_t choice, llm_sink *sink, void *context)
{
    for (size_t i = 0; i < json_count(calls); i++) {
        json call                    = json_at(calls, i);
        json function                = json_get_text(call, "function");
        const struct llm_event start = {.kind   = LLM_TOOL_START,
                                        .choice = choice,
                                        .part   = (uint32_t)i + 1,
                                        .id     = text_of(call, "id"),
                                        .name   = text_of(function, "name")};
        const struct llm_event args  = {.kind   = LLM_TOOL_ARGS,
                                        .choice = choice,
                                        .part   = (uint32_t)i + 1,
                                        .bytes  = text_of(function, "arguments")};
        sink(&start, context);
        sink(&args, context);
    }
}

static enum llm_finish finish_of(str reason)
{
    if (str_is(reason, "length")) return FINISH_LENGTH;
    if (str_is(reason, "tool_calls") || str_is(reason, "function_call")) return FINISH_TOOL_CALLS;
    if (str_is(reason, "content_filter")) return FINISH_FILTER;
    return FINISH_STOP;
}

static void send_piece(enum llm_event_kind kind, uint32_t choice, str text, llm_sink *sink,
                       void *context)
{
    if (text.len == 0) return;
    const struct llm_event event = {.kind = kind, .choice = choice, .bytes = text};
    sink(&event, context);
}

static void send_choice(json value, uint32_t position, llm_sink *sink, void *context)
{
    int64_t index   = count_of(value, "index");
    uint32_t choice = index >= 0 && index < UINT32_MAX ? (uint32_t)index : position;
    json message    = json_get_text(value, "message");
    send_piece(LLM_THINKING, choice, text_of(message, "reasoning_content"), sink, context);
    send_piece(LLM_TEXT, choice, text_of(message, "content"), sink, context);
    send_piece(LLM_REFUSAL, choice, text_of(message, "refusal"), sink, context);
    send_tool_calls(json_get_text(message, "tool_calls"), choice, sink, context);
    str reason                    = text_of(value, "finish_reason");
    const struct llm_event finish = {
        .kind = LLM_FINISH, .choice = choice, .finish = finish_of(reason), .name = reason};
    sink(&finish, context);
}

static void send_usage(json usage, llm_sink *sink, void *context)
{
    if (!json_is(usage, JSON_OBJECT)) return;
    json prompt                  = json_get_text(usage, "prompt_tokens_details");
    json completion              = json_get_text(usage, "completion_tokens_details");
    const struct llm_event event = {
        .kind  = LLM_USAGE,
        .usage = {.input_tokens       = count_of(usage, "prompt_tokens"),
                  .output_tokens      = count_of(usage, "completion_tokens"),
                  .cached_tokens      = count_of(prompt, "cached_tokens"),
                  .cache_write_tokens = count_of(prompt, "cache_write_tokens"),
                  .reasoning_tokens   = count_of(completion, "reasoning_tokens")}};
    sink(&event, context);
}

static void send_answer(json body, llm_sink *sink, void *context)
{
    json choices                 = json_get_text(body, "choices");
    int64_t created              = count_of(body, "created");
    const struct llm_event start = {.kind       = LLM_START,
                                    .id         = text_of(body, "id"),
                                    .model      = text_of(body, "model"),
                                    .created_us = created > 0 ? created * 1'000'000 : 0};
    sink(&start, context);
    for (size_t i = 0; i < json_count(choices); i++) {
        send_choice(json_at(choices, i), (uint32_t)i, sink, context);
    }
    send_usage(json_get_text(body, "usage"), sink, context);
    const struct llm_event end = {.kind = LLM_END, .end = END_COMPLETE};
    sink(&end, context);
}

static bool send_vector(json embedding, llm_sink *sink, void *context)
{
    CLEANUP(buf_done) struct buf raw = buf_init(EMBED_DIMENSIONS_MAX * sizeof(float));
    if (!json_is(embedding, JSON_ARRAY)) return false;
    for (size_t i = 0; i < json_count(embedding); i++) {
        json number = json_at(embedding, i);
        if (!json_is_number(number)) return false;
        float value = (float)json_number(number);
        if (!buf_put(&raw, &value, sizeof value)) return false;
    }
    const struct llm_event event = {.kind = LLM_VECTOR, .bytes = buf_str(&raw)};
    sink(&event, context);
    return raw.len > 0;
}

/* In the order of their `index`; without one, as they stand. */
static json item_of(json data, int64_t index)
{
    for (size_t i = 0; i < json_count(data); i++) {
        if (count_of(json_at(data, i), "index") == index) return json_at(data, i);
    }
    return json_at(data, (size_t)index);
}

static void send_embeddings(json body, llm_sink *sink, void *context)
{
    json data                    = json_get_text(body, "data");
    json usage                   = json_get_text(body, "usage");
    const struct llm_event start = {.kind = LLM_START, .model = text_of(body, "model")};
    sink(&start, context);
    for (size_t i = 0; i < json_count(data); i++) {
        json item = item_of(data, (int64_t)i);
        if (send_vector(json_get_text(item, "embedding"), sink, context)) continue;
        send_error(LLM_ERROR_CONNECT, 200, str_from("the upstream's answer is malformed"), 0, sink,
                   context);
        return;
    }
    struct llm_usage counted    = llm_usage_unknown();
    counted.input_tokens        = count_of(usage, "prompt_tokens");
    counted.output_tokens       = 0;
    const struct llm_event used = {.kind = LLM_USAGE, .usage = counted};
    const struct llm_event end  = {.kind = LLM_END, .end = END_COMPLETE};
    sink(&used, context);
    sink(&end, context);
}

/* --- errors ------------------------------------------------------------------------------------
 */

/* A spent account does not come back by waiting. */
static bool is_quota(json error)
{
    static const char *const codes[] = {
        "insufficient_quota", "credit_balance_exhausted", "organization_spend_limit_exceeded",
        "project_spend_limit_exceeded", "organization_usage_limit_exceeded"};
    for (size_t i = 0; i < ARRAY_LEN(codes); i++) {
        if (str_is(text_of(error, "type"), codes[i]) || str_is(text_of(error, "code"), codes[i])) {
            return true;
        }
    }
    return false;
}

static void send_http_error(const struct http_result *result, json body, llm_sink *sink,
                            void *context)
{
    uint32_t http              = (uint32_t)result->answer.http_status;
    json error                 = json_get_text(body, "error");
    enum llm_error_class class = llm_error_class_of(http);
    if (class == LLM_ERROR_RATE_LIMITED && is_quota(error)) class = LLM_ERROR_QUOTA;
    str text = text_of(error, "message");
    if (text.len == 0) text = str_from("the upstream gave no reason");
    send_error(class, http, text, provider_retry_after_ms(&result->answer), sink, context);
}

static void decode(const struct http_result *result, llm_sink *sink, void *context)
{
    if (result->code != STATUS_OK) {
        send_failure(provider_transfer_error(result), sink, context);
        return;
    }
    const struct json_limits limits = {.depth_max            = ANSWER_DEPTH_MAX,
                                       .values_max           = ANSWER_VALUES_MAX,
                                       .allow_duplicate_keys = true};
    CLEANUP(json_unrefp) json body  = json_invalid();
    status parsed                   = json_parse(result->body, &limits, &body, NULL, NULL);
    if (result->answer.http_status != 200) {
        send_http_error(result, body, sink, context);
    } else if (parsed == STATUS_OK && json_is(json_get_text(body, "data"), JSON_ARRAY)) {
        send_embeddings(body, sink, context);
    } else if (parsed != STATUS_OK || json_count(json_get_text(body, "choices")) == 0) {
        send_error(LLM_ERROR_CONNECT, 200, str_from("the upstream's answer is malformed"), 0, sink,
                   context);
    } else {
        send_answer(body, sink, context);
    }
}

const struct provider_kind provider_compatible = {
    .name = "openai-compatible", .encode = encode, .decode = decode};
