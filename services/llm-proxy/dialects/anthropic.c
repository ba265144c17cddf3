/* Anthropic's Messages API, as clients speak it: the type files of @anthropic-ai/sdk. */
#include "llm-proxy/dialects/anthropic.h"

#include "base/attr.h"
#include "llm-proxy/dialects/llm_reply.h"
#include "json/json_text.h"

#include <string.h>

static int64_t or_zero(int64_t counter)
{
    return counter > 0 ? counter : 0;
}

void anthropic_put_usage(struct json_writer *w, const struct llm_usage *usage)
{
    int64_t input = or_zero(usage->input_tokens) - or_zero(usage->cached_tokens) -
                    or_zero(usage->cache_write_tokens);
    json_member(w, "usage");
    json_begin_object(w);
    json_put_int(w, "input_tokens", or_zero(input));
    json_put_int(w, "cache_creation_input_tokens", or_zero(usage->cache_write_tokens));
    json_put_int(w, "cache_read_input_tokens", or_zero(usage->cached_tokens));
    json_put_int(w, "output_tokens", or_zero(usage->output_tokens));
    if (usage->reasoning_tokens >= 0) {
        json_member(w, "output_tokens_details");
        json_begin_object(w);
        json_put_int(w, "thinking_tokens", usage->reasoning_tokens);
        json_end_object(w);
    }
    json_end_object(w);
}

const char *anthropic_stop_reason(enum llm_finish finish, bool has_calls)
{
    /* Of a function that had to be called OpenAI says "stop". */
    if (has_calls && finish == FINISH_STOP) finish = FINISH_TOOL_CALLS;
    switch (finish) {
    case FINISH_STOP: return "end_turn";
    case FINISH_LENGTH: return "max_tokens";
    case FINISH_TOOL_CALLS: return "tool_use";
    case FINISH_FILTER: return "refusal";
    }
    return "end_turn";
}

/* --- a whole answer ----------------------------------------------------------------------------
 */

static void print_text(struct json_writer *w, const char *type, const char *key, str text)
{
    if (text.len == 0) return;
    json_begin_object(w);
    json_put_text(w, "type", str_from(type));
    json_put_text(w, key, text);
    if (strcmp(type, "thinking") == 0) json_put_text(w, "signature", (str){});
    json_end_object(w);
}

/* An object, whatever the model has said. */
static void print_input(struct json_writer *w, str arguments)
{
    CLEANUP(json_unrefp) json input = json_invalid();
    json_member(w, "input");
    if (arguments.len > 0 && json_parse(arguments, NULL, &input, NULL, NULL) == STATUS_OK &&
        json_is(input, JSON_OBJECT)) {
        json_write_value(w, input);
        return;
    }
    json_begin_object(w);
    if (arguments.len > 0) json_put_text(w, "_invalid", arguments);
    json_end_object(w);
}

static void print_content(struct json_writer *w, const struct answer_choice *choice)
{
    json_member(w, "content");
    json_begin_array(w);
    print_text(w, "thinking", "thinking", buf_str(&choice->thinking));
    print_text(w, "text", "text", buf_str(&choice->text));
    print_text(w, "text", "text", buf_str(&choice->refusal));
    for (uint32_t i = 0; i < choice->tool_call_count; i++) {
        const struct answer_tool_call *call = &choice->tool_calls[i];
        json_begin_object(w);
        json_put_text(w, "type", str_from("tool_use"));
        json_put_text(w, "id", buf_str(&call->id));
        json_put_text(w, "name", buf_str(&call->name));
        print_input(w, buf_str(&call->arguments));
        json_end_object(w);
    }
    json_end_array(w);
}

static void print_answer(const struct llm_outcome *outcome, const struct chat_request *request,
                         struct buf *out)
{
    const struct answer *answer        = outcome->answer;
    const struct answer_choice nobody  = {};
    const struct answer_choice *choice = answer->choice_count > 0 ? &answer->choices[0] : &nobody;
    struct json_writer w               = json_writer_init(out);
    if (answer_has_whole(answer, PROTOCOL_ANTHROPIC)) {
        answer_print_whole(answer, &w);
        return;
    }
    json_begin_object(&w);
    if (request->is_count) {
        json_put_int(&w, "input_tokens", or_zero(answer->usage.input_tokens));
        dialect_put_count_marks(outcome, &w);
        json_end_object(&w);
        return;
    }
    json_put_text(&w, "id", answer->id.len > 0 ? buf_str(&answer->id) : str_from("msg_unnamed"));
    json_put_text(&w, "type", str_from("message"));
    json_put_text(&w, "role", str_from("assistant"));
    json_put_text(&w, "model", answer->model.len > 0 ? buf_str(&answer->model) : request->model);
    print_content(&w, choice);
    json_put_text(&w, "stop_reason",
                  str_from(anthropic_stop_reason(choice->finish, choice->tool_call_count > 0)));
    json_member(&w, "stop_sequence");
    json_write_null(&w);
    anthropic_put_usage(&w, &answer->usage);
    if (outcome->is_simulated) dialect_put_simulated(&w);
    json_end_object(&w);
}

/* --- errors ------------------------------------------------------------------------------------
 */

static const char *type_of(int http)
{
    static const struct {
        int http;
        const char *type;
    } types[] = {{400, "invalid_request_error"}, {401, "authentication_error"},
                 {402, "billing_error"},         {403, "permission_error"},
                 {404, "not_found_error"},       {409, "conflict_error"},
                 {413, "request_too_large"},     {429, "rate_limit_error"},
                 {504, "timeout_error"},         {529, "overloaded_error"}};
    for (size_t i = 0; i < ARRAY_LEN(types); i++) {
        if (types[i].http == http) return types[i].type;
    }
    return http < 500 ? "invalid_request_error" : "api_error";
}

void anthropic_print_error(const struct dialect_error *error, struct buf *out)
{
    struct json_writer w = json_writer_init(out);
    json_begin_object(&w);
    json_put_text(&w, "type", str_from("error"));
    json_member(&w, "error");
    json_begin_object(&w);
    json_put_text(&w, "type", str_from(type_of(error->http)));
    json_put_text(&w, "message", error->message);
    json_member(&w, "details");
    json_begin_object(&w);
    json_put_text(&w, "error_code", str_from(error->code));
    json_end_object(&w);
    json_end_object(&w);
    json_end_object(&w);
}

static int http_of(const struct llm_error *error)
{
    bool is_overloaded = error->class == LLM_ERROR_OVERLOADED || error->class == LLM_ERROR_BREAKER;
    return is_overloaded ? 529 : llm_reply_http(error);
}

/* --- a request ---------------------------------------------------------------------------------
 */

static status read_message(const Pb__LlmOpen *open, json body, struct arena *arena,
                           struct chat_request **ret_request, struct error *reterr)
{
    bool is_count = open->operation == PB__LLM_OPERATION__LLM_OPERATION_ANTHROPIC_COUNT;
    if (is_count && json_is(json_get_text(body, "stream"), JSON_TRUE)) {
        return fail(reterr, STATUS_INVALID_ARGUMENT, "/stream: a count is one number");
    }
    TRY(chat_from_anthropic(body, !is_count, arena, ret_request, reterr));
    (*ret_request)->is_count = is_count;
    for (size_t i = 0; i < open->n_headers; i++) {
        const char *value = arena_strdup(arena, str_from(open->headers[i]->value));
        if (!value) return fail(reterr, STATUS_RESOURCE_EXHAUSTED, "the request is too large");
        str name = str_from(open->headers[i]->name);
        if (str_is(name, "anthropic-version")) (*ret_request)->version = str_from(value);
        if (str_is(name, "anthropic-beta")) (*ret_request)->betas = str_from(value);
    }
    return STATUS_OK;
}

const struct dialect dialect_anthropic = {
    .name         = "anthropic",
    .protocol     = PROTOCOL_ANTHROPIC,
    .read         = read_message,
    .http_of      = http_of,
    .print_answer = print_answer,
    .print_error  = anthropic_print_error,
    .stream_type  = "text/event-stream; charset=utf-8",
    .stream_new   = anthropic_stream_new,
    .stream_event = anthropic_stream_event,
    .stream_stop  = anthropic_stream_stop,
    .stream_end   = anthropic_stream_end,
    .stream_fail  = anthropic_stream_fail,
    .stream_free  = anthropic_stream_free,
};
