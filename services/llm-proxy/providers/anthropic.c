/* Anthropic's Messages API: requests as HTTP, whole answers, errors. */
#include "llm-proxy/providers/anthropic.h"

#include "base/attr.h"
#include "llm-proxy/chat/wire.h"
#include "llm-proxy/providers/counting.h"
#include "llm-proxy/providers/upstream.h"
#include "json/json_text.h"

/* --- request -----------------------------------------------------------------------------------
 */

str anthropic_version(const struct provider *provider, const struct chat_request *request)
{
    if (provider->version) return str_from(provider->version);
    if (request->protocol == PROTOCOL_ANTHROPIC && request->version.len > 0) {
        return request->version;
    }
    bool is_old = request->protocol == PROTOCOL_ANTHROPIC ||
                  !json_is(request->temperature, JSON_INVALID) ||
                  !json_is(request->top_p, JSON_INVALID) || !json_is(request->top_k, JSON_INVALID);
    return str_from(is_old ? ANTHROPIC_VERSION_OLD : ANTHROPIC_VERSION_NEW);
}

static status encode(const struct provider_request *what, struct arena *arena,
                     struct http_request *ret_http, struct error *reterr)
{
    const struct chat_request *chat = what->chat;
    if (chat->input_count > 0) {
        return fail(reterr, STATUS_INVALID_ARGUMENT, "Anthropic has no embeddings");
    }
    CLEANUP(buf_done) struct buf body = buf_init(UPSTREAM_BODY_MAX);
    str version                       = anthropic_version(what->provider, chat);
    if (!anthropic_print(chat, what->model, version, what->losses, &body)) {
        return fail(reterr, STATUS_RESOURCE_EXHAUSTED, "the request is too large");
    }
    const char *url = arena_printf(arena, "%s/v1/messages", what->provider->base_url);
    TRY(upstream_post(url, buf_str(&body), arena, ret_http, reterr));
    TRY(upstream_add_header(ret_http, "anthropic-version", version, arena, reterr));
    if (chat->protocol == PROTOCOL_ANTHROPIC && chat->betas.len > 0) {
        TRY(upstream_add_header(ret_http, "anthropic-beta", chat->betas, arena, reterr));
    }
    return upstream_add_key(what, "x-api-key", ret_http, arena, reterr);
}

/* --- counters and words ------------------------------------------------------------------------
 */

struct anthropic_usage anthropic_usage_unknown(void)
{
    return (struct anthropic_usage){false, -1, -1, -1, -1, -1, -1, -1};
}

static void take_count(int64_t *counter, json object, const char *key)
{
    int64_t value = wire_count(object, key);
    if (value >= 0) *counter = value;
}

void anthropic_usage_merge(struct anthropic_usage *usage, json said)
{
    if (!json_is(said, JSON_OBJECT)) return;
    usage->is_known = true;
    take_count(&usage->input, said, "input_tokens");
    take_count(&usage->cache_write, said, "cache_creation_input_tokens");
    take_count(&usage->cache_read, said, "cache_read_input_tokens");
    take_count(&usage->output, said, "output_tokens");
    take_count(&usage->cache_write_1h, json_get_text(said, "cache_creation"),
               "ephemeral_1h_input_tokens");
    take_count(&usage->reasoning, json_get_text(said, "output_tokens_details"), "thinking_tokens");
    take_count(&usage->searches, json_get_text(said, "server_tool_use"), "web_search_requests");
}

static int64_t or_zero(int64_t counter)
{
    return counter > 0 ? counter : 0;
}

struct llm_usage anthropic_usage_of(const struct anthropic_usage *usage)
{
    struct llm_usage result = llm_usage_unknown();
    if (usage->input >= 0) {
        result.input_tokens =
            usage->input + or_zero(usage->cache_write) + or_zero(usage->cache_read);
    }
    result.output_tokens         = usage->output;
    result.cached_tokens         = usage->cache_read;
    result.cache_write_tokens    = usage->cache_write;
    result.cache_write_1h_tokens = usage->cache_write_1h;
    result.reasoning_tokens      = usage->reasoning;
    result.searches              = usage->searches;
    return result;
}

enum llm_finish anthropic_finish_of(str stop_reason)
{
    static const struct {
        const char *word;
        enum llm_finish finish;
    } words[] = {
        {"max_tokens", FINISH_LENGTH},
        {"model_context_window_exceeded", FINISH_LENGTH},
        {"tool_use", FINISH_TOOL_CALLS},
        {"refusal", FINISH_FILTER},
    };
    for (size_t i = 0; i < ARRAY_LEN(words); i++) {
        if (str_is(stop_reason, words[i].word)) return words[i].finish;
    }
    return FINISH_STOP; /* end_turn, stop_sequence, pause_turn */
}

struct llm_error anthropic_error_of(json body, uint32_t http_status)
{
    static const struct {
        const char *type;
        enum llm_error_class class;
    } types[] = {
        {"overloaded_error", LLM_ERROR_OVERLOADED}, {"rate_limit_error", LLM_ERROR_RATE_LIMITED},
        {"authentication_error", LLM_ERROR_KEY},    {"permission_error", LLM_ERROR_KEY},
        {"billing_error", LLM_ERROR_KEY},           {"api_error", LLM_ERROR_SERVER},
        {"timeout_error", LLM_ERROR_SERVER},        {"invalid_request_error", LLM_ERROR_REQUEST},
        {"not_found_error", LLM_ERROR_REQUEST},     {"conflict_error", LLM_ERROR_REQUEST},
        {"request_too_large", LLM_ERROR_REQUEST},
    };
    json said              = json_get_text(body, "error");
    struct llm_error error = {.class       = llm_error_class_of(http_status),
                              .http_status = http_status,
                              .type        = wire_text(said, "type"),
                              .text        = wire_text(said, "message")};
    if (http_status == 200) error.class = LLM_ERROR_SERVER;
    for (size_t i = 0; i < ARRAY_LEN(types); i++) {
        if (str_is(error.type, types[i].type)) error.class = types[i].class;
    }
    error.code = wire_text(json_get_text(said, "details"), "error_code");
    if (str_is(error.code, "enforced_spend_limit_reached")) error.class = LLM_ERROR_QUOTA;
    if (error.text.len == 0) error.text = str_from("the upstream gave no reason");
    return error;
}

/* --- answer ------------------------------------------------------------------------------------
 */

static void send_tool_use(json block, uint32_t part, llm_sink *sink, void *context)
{
    CLEANUP(buf_done) struct buf input = buf_init(UPSTREAM_ANSWER_MAX);
    json said                          = json_get_text(block, "input");
    const struct llm_event start       = {.kind = LLM_TOOL_START,
                                          .part = part,
                                          .id   = wire_text(block, "id"),
                                          .name = wire_text(block, "name")};
    sink(&start, context);
    bool is_said = json_is(said, JSON_OBJECT) && json_print(said, JSON_COMPACT, &input);
    upstream_send_piece(LLM_TOOL_ARGS, 0, part, is_said ? buf_str(&input) : str_from("{}"), sink,
                        context);
}

static void send_opaque(const char *kind, str bytes_said, uint32_t part, llm_sink *sink,
                        void *context)
{
    if (bytes_said.len == 0) return;
    const struct llm_event event = {
        .kind = LLM_OPAQUE, .part = part, .name = str_from(kind), .bytes = bytes_said};
    sink(&event, context);
}

static void send_block(json block, uint32_t part, llm_sink *sink, void *context)
{
    str type = wire_text(block, "type");
    if (str_is(type, "text")) {
        upstream_send_piece(LLM_TEXT, 0, part, wire_text(block, "text"), sink, context);
    } else if (str_is(type, "thinking")) {
        upstream_send_piece(LLM_THINKING, 0, part, wire_text(block, "thinking"), sink, context);
        send_opaque("signature", wire_text(block, "signature"), part, sink, context);
    } else if (str_is(type, "redacted_thinking")) {
        send_opaque("redacted_thinking", wire_text(block, "data"), part, sink, context);
    } else if (str_is(type, "tool_use")) {
        send_tool_use(block, part, sink, context);
    }
}

static void send_answer(json body, str spelled, llm_sink *sink, void *context)
{
    json content                 = json_get_text(body, "content");
    str reason                   = wire_text(body, "stop_reason");
    struct anthropic_usage usage = anthropic_usage_unknown();
    const struct llm_event chunk = {
        .kind = LLM_CHUNK, .protocol = PROTOCOL_ANTHROPIC, .chunk = body, .spelled = spelled};
    const struct llm_event start = {
        .kind = LLM_START, .id = wire_text(body, "id"), .model = wire_text(body, "model")};
    const struct llm_event finish = {
        .kind = LLM_FINISH, .finish = anthropic_finish_of(reason), .name = reason};
    const struct llm_event end = {.kind = LLM_END, .end = END_COMPLETE};
    anthropic_usage_merge(&usage, json_get_text(body, "usage"));
    const struct llm_event used = {.kind = LLM_USAGE, .usage = anthropic_usage_of(&usage)};
    sink(&chunk, context);
    sink(&start, context);
    for (size_t i = 0; i < json_count(content); i++) {
        send_block(json_at(content, i), (uint32_t)i, sink, context);
    }
    if (usage.is_known) sink(&used, context);
    sink(&finish, context);
    sink(&end, context);
}

static void decode(const struct http_result *result, llm_sink *sink, void *context)
{
    if (upstream_send_failure(result, sink, context)) return;
    CLEANUP(json_unrefp) json body = json_invalid();
    bool is_json                   = upstream_parse(result->body, &body);
    uint32_t http                  = (uint32_t)result->answer.http_status;
    if (http != 200 || json_is(json_get_text(body, "error"), JSON_OBJECT)) {
        struct llm_error error = anthropic_error_of(body, http);
        error.retry_after_ms   = provider_retry_after_ms(&result->answer);
        upstream_send_error(&error, sink, context);
    } else if (!is_json || !json_is(json_get_text(body, "content"), JSON_ARRAY) ||
               !wire_has(body, "stop_reason")) {
        upstream_send_malformed(sink, context);
    } else {
        send_answer(body, result->body, sink, context);
    }
}

/* https://docs.anthropic.com/en/api/models-list */
static status list(const struct provider_request *what, struct arena *arena,
                   struct http_request *ret_http, struct error *reterr)
{
    const char *version = what->provider->version ? what->provider->version : ANTHROPIC_VERSION_OLD;
    TRY(upstream_get(arena_printf(arena, "%s/v1/models", what->provider->base_url), arena, ret_http,
                     reterr));
    TRY(upstream_add_header(ret_http, "anthropic-version", str_from(version), arena, reterr));
    return upstream_add_key(what, "x-api-key", ret_http, arena, reterr);
}

const struct provider_kind provider_anthropic = {
    .name             = "anthropic",
    .protocol         = PROTOCOL_ANTHROPIC,
    .default_base_url = "https://api.anthropic.com",
    .stream           = &anthropic_stream,
    .encode           = encode,
    .decode           = decode,
    .list             = list,
    .counter          = &provider_anthropic_counter,
};
