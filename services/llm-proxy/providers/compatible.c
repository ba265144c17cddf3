/*
 * Everything that speaks OpenAI's chat completions: OpenAI itself, vLLM, llama.cpp, Ollama,
 * OpenRouter, Azure. Wire format: openai/openai-openapi, openapi.json 2.3.0.
 */
#include "llm-proxy/providers/compatible.h"

#include "base/attr.h"
#include "llm-proxy/chat/chat_loss.h"
#include "llm-proxy/chat/embed_text.h"
#include "llm-proxy/chat/wire.h"
#include "llm-proxy/providers/upstream.h"
#include "json/json_text.h"

enum {
    BODY_MORE     = 200,      /* bytes that a body may have beside its client's */
    ARGUMENTS_MAX = 16 << 20, /* bytes */
};

/* What its flavor passes over of a request of another protocol. */
static void lose_ignored(const struct provider_request *what)
{
    const struct chat_request *chat      = what->chat;
    const struct provider_flavor *flavor = what->provider->flavor;
    const char *why                      = flavor ? flavor->ignores_user : NULL;
    bool is_own = chat->protocol == PROTOCOL_OPENAI && json_is(chat->source, JSON_OBJECT);
    if (!why || is_own) return;
    if (chat->user.len > 0) chat_lose(chat, what->losses, CHAT_USER, LOSS_DROPPED, why);
    if (!json_is(chat->parallel_tools, JSON_INVALID)) {
        chat_lose(chat, what->losses, CHAT_PARALLEL, LOSS_DROPPED, why);
    }
}

/* Of Azure's older addresses the model is a part. */
static status put_url(const struct provider_request *what, const char *path, struct arena *arena,
                      const char **ret_url, struct error *reterr)
{
    const struct provider *provider = what->provider;
    const char *model               = NULL;
    if (!provider->api_version) {
        *ret_url = arena_printf(arena, "%s/%s", provider->base_url, path);
        return STATUS_OK;
    }
    TRY(upstream_segment(what->model, arena, &model, reterr));
    *ret_url = arena_printf(arena, "%s/openai/deployments/%s/%s?api-version=%s", provider->base_url,
                            model, path, provider->api_version);
    return STATUS_OK;
}

static const char *key_header(const struct provider *provider)
{
    return provider->flavor ? provider->flavor->key_header : NULL;
}

static status encode_as(enum chat_flavor flavor, const struct provider_request *what,
                        struct arena *arena, struct http_request *ret_http, struct error *reterr)
{
    CLEANUP(buf_done) struct buf body = buf_init(UPSTREAM_BODY_MAX);
    bool is_embedding                 = what->chat->input_count > 0;
    bool is_printed                   = false;
    (void)buf_reserve(&body, what->chat->bytes.len + BODY_MORE);
    if (is_embedding) {
        is_printed = embed_print_request(what->chat, what->model, flavor == FLAVOR_OPENAI, &body);
    } else {
        is_printed = chat_print_openai(what->chat, what->model, flavor, what->losses, &body);
        lose_ignored(what);
    }
    if (!is_printed) return fail(reterr, STATUS_RESOURCE_EXHAUSTED, "the request is too large");
    const char *path = is_embedding ? "embeddings" : "chat/completions";
    const char *url  = NULL;
    TRY(put_url(what, path, arena, &url, reterr));
    TRY(upstream_post(url, buf_str(&body), arena, ret_http, reterr));
    return upstream_add_key(what, key_header(what->provider), ret_http, arena, reterr);
}

static status encode(const struct provider_request *what, struct arena *arena,
                     struct http_request *ret_http, struct error *reterr)
{
    const struct provider_flavor *flavor = what->provider->flavor;
    return encode_as(flavor ? flavor->words : FLAVOR_COMPATIBLE, what, arena, ret_http, reterr);
}

static status encode_openai(const struct provider_request *what, struct arena *arena,
                            struct http_request *ret_http, struct error *reterr)
{
    return encode_as(FLAVOR_OPENAI, what, arena, ret_http, reterr);
}

/* --- answer ------------------------------------------------------------------------------------
 */

str compatible_arguments(json function, struct buf *room)
{
    json said = json_get_text(function, "arguments");
    if (!json_is(said, JSON_OBJECT)) return wire_text(function, "arguments");
    (void)json_print(said, JSON_COMPACT, room);
    return buf_str(room);
}

static void send_tool_call(str answer, json call, uint32_t choice, uint32_t part, llm_sink *sink,
                           void *context)
{
    CLEANUP(buf_done) struct buf room = buf_init(ARGUMENTS_MAX);
    json function                     = json_get_text(call, "function");
    struct llm_event start            = {.kind   = LLM_TOOL_START,
                                         .choice = choice,
                                         .part   = part,
                                         .id     = wire_text(call, "id"),
                                         .name   = wire_text(function, "name")};
    const struct llm_event args       = {.kind   = LLM_TOOL_ARGS,
                                         .choice = choice,
                                         .part   = part,
                                         .bytes  = compatible_arguments(function, &room)};
    char minted[UPSTREAM_ID_SIZE];
    if (start.id.len == 0) {
        upstream_mint_id(answer, start.name, args.bytes, choice, part, minted);
        start.id = str_from(minted);
    }
    sink(&start, context);
    sink(&args, context);
}

static void send_pieces(enum llm_event_kind kind, uint32_t choice, json said, llm_sink *sink,
                        void *context)
{
    if (json_is(said, JSON_TEXT)) {
        upstream_send_piece(kind, choice, 0, json_str(said), sink, context);
    }
    for (size_t i = 0; json_is(said, JSON_ARRAY) && i < json_count(said); i++) {
        upstream_send_piece(kind, choice, 0, wire_text(json_at(said, i), "text"), sink, context);
    }
}

/* A text, or a list of parts of which some are thoughts: so Mistral answers. */
static void send_content(json content, uint32_t choice, llm_sink *sink, void *context)
{
    if (!json_is(content, JSON_ARRAY)) {
        send_pieces(LLM_TEXT, choice, content, sink, context);
        return;
    }
    for (size_t i = 0; i < json_count(content); i++) {
        json part       = json_at(content, i);
        json thinking   = json_get_text(part, "thinking");
        bool is_thought = str_is(wire_text(part, "type"), "thinking");
        send_pieces(is_thought ? LLM_THINKING : LLM_TEXT, choice,
                    is_thought ? thinking : json_get_text(part, "text"), sink, context);
    }
}

void compatible_send_texts(json message, uint32_t choice, llm_sink *sink, void *context)
{
    str thought = wire_text(message, "reasoning_content");
    if (thought.len == 0) thought = wire_text(message, "reasoning");
    upstream_send_piece(LLM_THINKING, choice, 0, thought, sink, context);
    send_content(json_get_text(message, "content"), choice, sink, context);
    upstream_send_piece(LLM_REFUSAL, choice, 0, wire_text(message, "refusal"), sink, context);
}

enum llm_finish compatible_finish(str reason)
{
    if (str_is(reason, "length")) return FINISH_LENGTH;
    if (str_is(reason, "tool_calls") || str_is(reason, "function_call")) return FINISH_TOOL_CALLS;
    if (str_is(reason, "content_filter")) return FINISH_FILTER;
    return FINISH_STOP;
}

static void send_choice(str answer, json value, uint32_t position, llm_sink *sink, void *context)
{
    int64_t index   = wire_count(value, "index");
    uint32_t choice = index >= 0 && index < UINT32_MAX ? (uint32_t)index : position;
    json message    = json_get_text(value, "message");
    json calls      = json_get_text(message, "tool_calls");
    compatible_send_texts(message, choice, sink, context);
    for (size_t i = 0; json_is(calls, JSON_ARRAY) && i < json_count(calls); i++) {
        send_tool_call(answer, json_at(calls, i), choice, (uint32_t)i + 1, sink, context);
    }
    str reason                    = wire_text(value, "finish_reason");
    const struct llm_event finish = {
        .kind = LLM_FINISH, .choice = choice, .finish = compatible_finish(reason), .name = reason};
    sink(&finish, context);
}

bool compatible_usage(json usage, struct llm_usage *ret_usage)
{
    if (!json_is(usage, JSON_OBJECT)) return false;
    json prompt                    = json_get_text(usage, "prompt_tokens_details");
    json completion                = json_get_text(usage, "completion_tokens_details");
    *ret_usage                     = llm_usage_unknown();
    ret_usage->input_tokens        = wire_count(usage, "prompt_tokens");
    ret_usage->output_tokens       = wire_count(usage, "completion_tokens");
    ret_usage->input_audio_tokens  = wire_count(prompt, "audio_tokens");
    ret_usage->output_audio_tokens = wire_count(completion, "audio_tokens");
    ret_usage->cached_tokens       = wire_count(prompt, "cached_tokens");
    ret_usage->cache_write_tokens  = wire_count(prompt, "cache_write_tokens");
    ret_usage->reasoning_tokens    = wire_count(completion, "reasoning_tokens");
    return true;
}

static void send_usage(json usage, llm_sink *sink, void *context)
{
    struct llm_event event = {.kind = LLM_USAGE};
    if (compatible_usage(usage, &event.usage)) sink(&event, context);
}

static void send_answer(json body, str spelled, llm_sink *sink, void *context)
{
    json choices                 = json_get_text(body, "choices");
    const struct llm_event chunk = {
        .kind = LLM_CHUNK, .protocol = PROTOCOL_OPENAI, .chunk = body, .spelled = spelled};
    int64_t created              = wire_count(body, "created");
    bool is_dated                = created > 0 && created <= COMPATIBLE_CREATED_S_MAX;
    const struct llm_event start = {.kind       = LLM_START,
                                    .id         = wire_text(body, "id"),
                                    .model      = wire_text(body, "model"),
                                    .created_us = is_dated ? created * 1'000'000 : 0};
    sink(&chunk, context);
    sink(&start, context);
    for (size_t i = 0; i < json_count(choices); i++) {
        send_choice(start.id, json_at(choices, i), (uint32_t)i, sink, context);
    }
    send_usage(json_get_text(body, "usage"), sink, context);
    const struct llm_event end = {.kind = LLM_END, .end = END_COMPLETE};
    sink(&end, context);
}

/* In the order of their `index`; without one, as they stand. */
static json item_of(json data, int64_t index)
{
    for (size_t i = 0; i < json_count(data); i++) {
        if (wire_count(json_at(data, i), "index") == index) return json_at(data, i);
    }
    return json_at(data, (size_t)index);
}

static void send_embeddings(json body, llm_sink *sink, void *context)
{
    json data                    = json_get_text(body, "data");
    json usage                   = json_get_text(body, "usage");
    const struct llm_event start = {.kind = LLM_START, .model = wire_text(body, "model")};
    sink(&start, context);
    for (size_t i = 0; i < json_count(data); i++) {
        json item = item_of(data, (int64_t)i);
        if (upstream_send_vector(json_get_text(item, "embedding"), sink, context)) continue;
        upstream_send_malformed(sink, context);
        return;
    }
    struct llm_usage counted    = llm_usage_unknown();
    counted.input_tokens        = wire_count(usage, "prompt_tokens");
    counted.output_tokens       = 0;
    const struct llm_event used = {.kind = LLM_USAGE, .usage = counted};
    const struct llm_event end  = {.kind = LLM_END, .end = END_COMPLETE};
    sink(&used, context);
    sink(&end, context);
}

/* --- errors ------------------------------------------------------------------------------------
 */

/* A spent account does not come back by waiting. */
bool compatible_is_quota(json error)
{
    static const char *const codes[] = {
        "insufficient_quota", "credit_balance_exhausted", "organization_spend_limit_exceeded",
        "project_spend_limit_exceeded", "organization_usage_limit_exceeded"};
    for (size_t i = 0; i < ARRAY_LEN(codes); i++) {
        if (str_is(wire_text(error, "type"), codes[i]) ||
            str_is(wire_text(error, "code"), codes[i])) {
            return true;
        }
    }
    return false;
}

static void send_http_error(const struct http_result *result, json body, llm_sink *sink,
                            void *context)
{
    json said              = json_get_text(body, "error");
    struct llm_error error = {.http_status    = (uint32_t)result->answer.http_status,
                              .code           = wire_text(said, "code"),
                              .param          = wire_text(said, "param"),
                              .text           = wire_text(said, "message"),
                              .retry_after_ms = provider_retry_after_ms(&result->answer)};
    error.class            = llm_error_class_of(error.http_status);
    if (error.class == LLM_ERROR_RATE_LIMITED && compatible_is_quota(said)) {
        error.class = LLM_ERROR_QUOTA;
    }
    if (error.text.len == 0) error.text = str_from("the upstream gave no reason");
    upstream_send_error(&error, sink, context);
}

static void decode(const struct http_result *result, llm_sink *sink, void *context)
{
    if (upstream_send_failure(result, sink, context)) return;
    bool is_answer = result->answer.http_status == 200;
    if (is_answer && compatible_scan(result->body, sink, context)) return;
    CLEANUP(json_unrefp) json body = json_invalid();
    bool is_json                   = upstream_parse(result->body, &body);
    if (!is_answer) {
        send_http_error(result, body, sink, context);
    } else if (is_json && json_is(json_get_text(body, "data"), JSON_ARRAY)) {
        send_embeddings(body, sink, context);
    } else if (is_json && json_is(json_get_text(body, "error"), JSON_OBJECT)) {
        const struct llm_error error = compatible_error_of(json_get_text(body, "error"));
        upstream_send_error(&error, sink, context);
    } else if (!is_json || json_count(json_get_text(body, "choices")) == 0) {
        upstream_send_malformed(sink, context);
    } else {
        send_answer(body, result->body, sink, context);
    }
}

/* https://platform.openai.com/docs/api-reference/models/list */
static status list(const struct provider_request *what, struct arena *arena,
                   struct http_request *ret_http, struct error *reterr)
{
    const struct provider *provider = what->provider;
    const char *version             = provider->api_version;
    const char *url = version ? arena_printf(arena, "%s/openai/models?api-version=%s",
                                             provider->base_url, version)
                              : arena_printf(arena, "%s/models", provider->base_url);
    TRY(upstream_get(url, arena, ret_http, reterr));
    return upstream_add_key(what, key_header(provider), ret_http, arena, reterr);
}

const struct provider_kind provider_openai = {
    .name             = "openai",
    .protocol         = PROTOCOL_OPENAI,
    .default_base_url = "https://api.openai.com/v1",
    .stream           = &compatible_stream,
    .encode           = encode_openai,
    .decode           = decode,
    .list             = list,
};

const struct provider_kind provider_compatible = {
    .name     = "openai-compatible",
    .protocol = PROTOCOL_OPENAI,
    .stream   = &compatible_stream,
    .encode   = encode,
    .decode   = decode,
    .list     = list,
};
