/* OpenAI's chat completions and embeddings, as clients speak them: openai/openai-openapi,
 * openapi.json 2.3.0. */
#include "llm-proxy/dialects/openai.h"

#include "base/clock.h"
#include "llm-proxy/chat/embed_text.h"

#include <string.h>

static int64_t or_zero(int64_t counter)
{
    return counter > 0 ? counter : 0;
}

void openai_put_usage(struct json_writer *w, const struct llm_usage *usage)
{
    int64_t input  = or_zero(usage->input_tokens);
    int64_t output = or_zero(usage->output_tokens);
    json_member(w, "usage");
    json_begin_object(w);
    json_put_int(w, "prompt_tokens", input);
    json_put_int(w, "completion_tokens", output);
    json_put_int(w, "total_tokens", input + output);
    if (usage->cached_tokens >= 0) {
        json_member(w, "prompt_tokens_details");
        json_begin_object(w);
        json_put_int(w, "cached_tokens", usage->cached_tokens);
        json_end_object(w);
    }
    if (usage->reasoning_tokens >= 0) {
        json_member(w, "completion_tokens_details");
        json_begin_object(w);
        json_put_int(w, "reasoning_tokens", usage->reasoning_tokens);
        json_end_object(w);
    }
    json_end_object(w);
}

static void print_choice(struct json_writer *w, const struct answer_choice *choice, uint32_t index)
{
    json_begin_object(w);
    json_put_int(w, "index", index);
    json_member(w, "message");
    answer_print_message(choice, w);
    json_put_text(w, "finish_reason", str_from(llm_finish_name(choice->finish)));
    json_member(w, "logprobs");
    json_write_null(w);
    json_end_object(w);
}

static void print_answer(const struct llm_outcome *outcome, const struct chat_request *request,
                         struct buf *out)
{
    const struct answer *answer = outcome->answer;
    int64_t created_us          = answer->created_us > 0 ? answer->created_us : clock_unix_us();
    struct json_writer w        = json_writer_init(out);
    if (answer_has_whole(answer, PROTOCOL_OPENAI)) {
        answer_print_whole(answer, &w);
        return;
    }
    json_begin_object(&w);
    json_put_text(&w, "id", buf_str(&answer->id));
    json_put_text(&w, "object", str_from("chat.completion"));
    json_put_int(&w, "created", created_us / 1'000'000); /* others do not say it */
    json_put_text(&w, "model", answer->model.len > 0 ? buf_str(&answer->model) : request->model);
    json_member(&w, "choices");
    json_begin_array(&w);
    for (uint32_t i = 0; i < answer->choice_count; i++) print_choice(&w, &answer->choices[i], i);
    json_end_array(&w);
    openai_put_usage(&w, &answer->usage);
    if (outcome->is_simulated) dialect_put_simulated(&w);
    json_end_object(&w);
}

static void print_vectors(const struct llm_outcome *outcome, const struct chat_request *request,
                          struct buf *out)
{
    struct json_writer w = json_writer_init(out);
    embed_print_answer(outcome->answer, request, outcome->usage.input_tokens, outcome->is_simulated,
                       &w);
}

/* OpenAI has no type of its own for 401, 403 and 404 of a request that it understands. Users of
 * other gateways know what a spent budget is by its type. */
static const char *type_of(const struct dialect_error *error)
{
    if (strcmp(error->code, "budget_exceeded") == 0) return error->code;
    if (error->class == LLM_ERROR_QUOTA) return "insufficient_quota";
    if (error->http == 429) return "rate_limit_error";
    return error->http >= 500 ? "server_error" : "invalid_request_error";
}

static void put_param(struct json_writer *w, str param)
{
    if (param.len > 0) {
        json_put_text(w, "param", param);
    } else {
        json_member(w, "param");
        json_write_null(w);
    }
}

/* An upstream's own: programs shorten their question where it says that it was too long. */
static str code_of(const struct dialect_error *error)
{
    return error->upstream_code.len > 0 ? error->upstream_code : str_from(error->code);
}

void openai_print_error(const struct dialect_error *error, struct buf *out)
{
    struct json_writer w = json_writer_init(out);
    json_begin_object(&w);
    json_member(&w, "error");
    json_begin_object(&w);
    json_put_text(&w, "message", error->message);
    json_put_text(&w, "type", str_from(type_of(error)));
    put_param(&w, error->upstream_param);
    json_put_text(&w, "code", code_of(error));
    json_end_object(&w);
    json_end_object(&w);
}

static status read_chat(const Pb__LlmOpen *, json body, struct arena *arena,
                        struct chat_request **ret_request, struct error *reterr)
{
    return chat_from_openai(body, arena, ret_request, reterr);
}

static status read_inputs(const Pb__LlmOpen *, json body, struct arena *arena,
                          struct chat_request **ret_request, struct error *reterr)
{
    TRY(embed_read(body, arena, ret_request, reterr));
    bool is_empty = (*ret_request)->input_count == 0;
    return is_empty ? fail(reterr, STATUS_INVALID_ARGUMENT, "/input: no text") : STATUS_OK;
}

const struct dialect dialect_openai_chat = {
    .name         = "openai",
    .protocol     = PROTOCOL_OPENAI,
    .read         = read_chat,
    .scan         = chat_scan_openai,
    .print_answer = print_answer,
    .print_error  = openai_print_error,
    .stream_type  = "text/event-stream; charset=utf-8",
    .stream_new   = openai_stream_new,
    .stream_event = openai_stream_event,
    .stream_stop  = openai_stream_stop,
    .stream_end   = openai_stream_end,
    .stream_fail  = openai_stream_fail,
    .stream_free  = openai_stream_free,
};

const struct dialect dialect_openai_embeddings = {
    .name         = "openai-embeddings",
    .protocol     = PROTOCOL_OPENAI,
    .read         = read_inputs,
    .print_answer = print_vectors,
    .print_error  = openai_print_error,
};
