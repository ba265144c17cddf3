#include "llm-proxy/providers/counting.h"

#include "base/attr.h"
#include "llm-proxy/chat/wire.h"
#include "llm-proxy/providers/anthropic.h"
#include "llm-proxy/providers/gemini.h"
#include "llm-proxy/providers/upstream.h"
#include "workflow/token_estimate.h"
#include "json/json_text.h"

enum { TOKENS_PER_MESSAGE = 4 };

/* --- what is asked -----------------------------------------------------------------------------
 */

/* The members of `body` that the question has. */
static void put_known(struct json_writer *w, json body)
{
    static const char *const members[] = {"model",         "messages",    "system", "tools",
                                          "tool_choice",   "thinking",    "speed",  "cache_control",
                                          "output_config", "workspace_id"};
    json_begin_object(w);
    for (size_t i = 0; i < ARRAY_LEN(members); i++) {
        json value = json_get_text(body, members[i]);
        if (json_is(value, JSON_INVALID)) continue;
        json_member(w, members[i]);
        json_write_value(w, value);
    }
    json_end_object(w);
}

static status too_large(struct error *reterr)
{
    return fail(reterr, STATUS_RESOURCE_EXHAUSTED, "the request is too large");
}

static status encode_anthropic(const struct provider_request *what, struct arena *arena,
                               struct http_request *ret_http, struct error *reterr)
{
    const struct chat_request *chat   = what->chat;
    struct chat_request bounded       = *chat;
    CLEANUP(buf_done) struct buf body = buf_init(UPSTREAM_BODY_MAX);
    CLEANUP(json_unrefp) json whole   = json_invalid();
    str version                       = anthropic_version(what->provider, chat);
    bounded.max_tokens = ANTHROPIC_TOKENS_DEFAULT; /* which is not sent: nothing is lost with it */
    if (!anthropic_print(&bounded, what->model, version, what->losses, &body)) {
        return too_large(reterr);
    }
    if (chat->protocol != PROTOCOL_ANTHROPIC) {
        if (!upstream_parse(buf_str(&body), &whole)) return too_large(reterr);
        buf_clear(&body);
        struct json_writer w = json_writer_init(&body);
        put_known(&w, whole);
    }
    const char *url = arena_printf(arena, "%s/v1/messages/count_tokens", what->provider->base_url);
    TRY(upstream_post(url, buf_str(&body), arena, ret_http, reterr));
    TRY(upstream_add_header(ret_http, "anthropic-version", version, arena, reterr));
    if (chat->protocol == PROTOCOL_ANTHROPIC && chat->betas.len > 0) {
        TRY(upstream_add_header(ret_http, "anthropic-beta", chat->betas, arena, reterr));
    }
    return upstream_add_key(what, "x-api-key", ret_http, arena, reterr);
}

/* {"generateContentRequest": {"model": "models/m", ...}} of a body with more than `contents`. */
static bool wrap(str model, struct buf *body)
{
    CLEANUP(json_unrefp) json whole   = json_invalid();
    CLEANUP(buf_done) struct buf name = buf_init(UPSTREAM_BODY_MAX);
    if (!upstream_parse(buf_str(body), &whole)) return false;
    if (json_count(whole) == 1 && json_is(json_get_text(whole, "contents"), JSON_ARRAY)) {
        return true;
    }
    (void)buf_printf(&name, "models/" STR_FMT, STR_ARG(model));
    buf_clear(body);
    struct json_writer w = json_writer_init(body);
    json_begin_object(&w);
    json_member(&w, "generateContentRequest");
    json_begin_object(&w);
    json_put_text(&w, "model", buf_str(&name));
    for (size_t i = 0; i < json_count(whole); i++) {
        if (str_is(json_key_at(whole, i), "model")) continue;
        json_member_str(&w, json_key_at(whole, i));
        json_write_value(&w, json_value_at(whole, i));
    }
    json_end_object(&w);
    json_end_object(&w);
    return !body->is_full;
}

static status encode_gemini(const struct provider_request *what, struct arena *arena,
                            struct http_request *ret_http, struct error *reterr)
{
    CLEANUP(buf_done) struct buf body = buf_init(UPSTREAM_BODY_MAX);
    if (!gemini_print(what->chat, what->model, what->losses, &body) || !wrap(what->model, &body)) {
        return too_large(reterr);
    }
    const char *model = NULL;
    TRY(upstream_segment(what->model, arena, &model, reterr));
    const char *url =
        arena_printf(arena, "%s/models/%s:countTokens", what->provider->base_url, model);
    TRY(upstream_post(url, buf_str(&body), arena, ret_http, reterr));
    return upstream_add_key(what, "x-goog-api-key", ret_http, arena, reterr);
}

/* --- what is said ------------------------------------------------------------------------------
 */

static void send_count(json body, enum llm_protocol protocol, int64_t tokens, llm_sink *sink,
                       void *context)
{
    const struct llm_event chunk  = {.kind = LLM_CHUNK, .protocol = protocol, .chunk = body};
    const struct llm_event start  = {.kind = LLM_START};
    const struct llm_event finish = {.kind = LLM_FINISH, .finish = FINISH_STOP};
    const struct llm_event end    = {.kind = LLM_END, .end = END_COMPLETE};
    struct llm_event used         = {.kind = LLM_USAGE, .usage = llm_usage_unknown()};
    used.usage.input_tokens       = tokens;
    sink(&chunk, context);
    sink(&start, context);
    sink(&used, context);
    sink(&finish, context);
    sink(&end, context);
}

static void decode_anthropic(const struct http_result *result, llm_sink *sink, void *context)
{
    if (upstream_send_failure(result, sink, context)) return;
    CLEANUP(json_unrefp) json body = json_invalid();
    uint32_t http                  = (uint32_t)result->answer.http_status;
    bool is_json                   = upstream_parse(result->body, &body);
    int64_t tokens                 = is_json ? wire_count(body, "input_tokens") : -1;
    if (http != 200 || json_is(json_get_text(body, "error"), JSON_OBJECT)) {
        struct llm_error error = anthropic_error_of(body, http);
        error.retry_after_ms   = provider_retry_after_ms(&result->answer);
        upstream_send_error(&error, sink, context);
    } else if (tokens < 0) {
        upstream_send_malformed(sink, context);
    } else {
        send_count(body, PROTOCOL_ANTHROPIC, tokens, sink, context);
    }
}

static void decode_gemini(const struct http_result *result, llm_sink *sink, void *context)
{
    if (upstream_send_failure(result, sink, context)) return;
    CLEANUP(json_unrefp) json body = json_invalid();
    uint32_t http                  = (uint32_t)result->answer.http_status;
    bool is_json                   = upstream_parse(result->body, &body);
    int64_t tokens                 = is_json ? wire_count(body, "totalTokens") : -1;
    if (http != 200) {
        struct llm_error error = gemini_error_of(body, http);
        int64_t retry_ms       = provider_retry_after_ms(&result->answer);
        if (retry_ms > 0) error.retry_after_ms = retry_ms;
        upstream_send_error(&error, sink, context);
    } else if (tokens < 0) {
        upstream_send_malformed(sink, context);
    } else {
        send_count(body, PROTOCOL_GEMINI, tokens, sink, context);
    }
}

/* --- nobody can be asked -----------------------------------------------------------------------
 */

static uint64_t size_of(const struct chat_tool *tool)
{
    CLEANUP(buf_done) struct buf schema = buf_init(UPSTREAM_BODY_MAX);
    json said                           = tool->is_foreign ? tool->raw : tool->schema;
    if (!json_is(said, JSON_INVALID)) (void)json_print(said, JSON_COMPACT, &schema);
    return (uint64_t)tool->name.len + tool->description.len + schema.len;
}

int64_t counting_estimate(const struct chat_request *request)
{
    uint64_t size = 0;
    for (uint32_t i = 0; i < request->message_count; i++) {
        const struct chat_message *message = &request->messages[i];
        for (uint32_t p = 0; p < message->part_count; p++) {
            size += (uint64_t)message->parts[p].text.len + message->parts[p].name.len;
        }
    }
    for (uint32_t i = 0; i < request->tool_count; i++) size += size_of(&request->tools[i]);
    return (int64_t)((size + CHAT_BYTES_PER_TOKEN - 1) / CHAT_BYTES_PER_TOKEN) +
           (int64_t)request->message_count * TOKENS_PER_MESSAGE;
}

const struct provider_kind provider_anthropic_counter = {
    .name     = "anthropic",
    .protocol = PROTOCOL_ANTHROPIC,
    .encode   = encode_anthropic,
    .decode   = decode_anthropic,
};

const struct provider_kind provider_gemini_counter = {
    .name     = "gemini",
    .protocol = PROTOCOL_GEMINI,
    .encode   = encode_gemini,
    .decode   = decode_gemini,
};
