/* Google's Gemini API, as clients speak it: the type files of @google/genai. */
#include "llm-proxy/dialects/gemini.h"

#include "base/attr.h"
#include "json/json_text.h"

#include <string.h>

static int64_t or_zero(int64_t counter)
{
    return counter > 0 ? counter : 0;
}

void gemini_put_usage(struct json_writer *w, const struct llm_usage *usage)
{
    int64_t input    = or_zero(usage->input_tokens);
    int64_t output   = or_zero(usage->output_tokens);
    int64_t thoughts = or_zero(usage->reasoning_tokens);
    if (thoughts > output) thoughts = output;
    json_member(w, "usageMetadata");
    json_begin_object(w);
    json_put_int(w, "promptTokenCount", input);
    json_put_int(w, "candidatesTokenCount", output - thoughts);
    if (thoughts > 0) json_put_int(w, "thoughtsTokenCount", thoughts);
    if (usage->cached_tokens > 0) {
        json_put_int(w, "cachedContentTokenCount", usage->cached_tokens);
    }
    json_put_int(w, "totalTokenCount", input + output);
    json_end_object(w);
}

const char *gemini_finish_reason(enum llm_finish finish)
{
    switch (finish) {
    case FINISH_LENGTH: return "MAX_TOKENS";
    case FINISH_FILTER: return "SAFETY";
    case FINISH_STOP:
    case FINISH_TOOL_CALLS: return "STOP"; /* there is no word of its own for calls */
    }
    return "STOP";
}

/* --- a whole answer ----------------------------------------------------------------------------
 */

void gemini_print_text(struct json_writer *w, str text, bool is_thought)
{
    if (text.len == 0) return;
    json_begin_object(w);
    json_put_text(w, "text", text);
    if (is_thought) json_put_bool(w, "thought", true);
    json_end_object(w);
}

void gemini_print_call(struct json_writer *w, const struct answer_tool_call *call)
{
    CLEANUP(json_unrefp) json args = json_invalid();
    str text                       = buf_str(&call->arguments);
    json_begin_object(w);
    json_member(w, "functionCall");
    json_begin_object(w);
    if (call->id.len > 0) json_put_text(w, "id", buf_str(&call->id));
    json_put_text(w, "name", buf_str(&call->name));
    json_member(w, "args");
    if (text.len > 0 && json_parse(text, NULL, &args, NULL, NULL) == STATUS_OK &&
        json_is(args, JSON_OBJECT)) {
        json_write_value(w, args);
    } else {
        json_begin_object(w);
        if (text.len > 0) json_put_text(w, "_invalid", text);
        json_end_object(w);
    }
    json_end_object(w);
    json_end_object(w);
}

static void print_candidate(struct json_writer *w, const struct answer_choice *choice,
                            uint32_t index)
{
    json_begin_object(w);
    json_member(w, "content");
    json_begin_object(w);
    json_put_text(w, "role", str_from("model"));
    json_member(w, "parts");
    json_begin_array(w);
    gemini_print_text(w, buf_str(&choice->thinking), true);
    gemini_print_text(w, buf_str(&choice->text), false);
    gemini_print_text(w, buf_str(&choice->refusal), false);
    for (uint32_t i = 0; i < choice->tool_call_count; i++) {
        gemini_print_call(w, &choice->tool_calls[i]);
    }
    json_end_array(w);
    json_end_object(w);
    json_put_text(w, "finishReason", str_from(gemini_finish_reason(choice->finish)));
    json_put_int(w, "index", index);
    json_end_object(w);
}

static void print_answer(const struct llm_outcome *outcome, const struct chat_request *request,
                         struct buf *out)
{
    const struct answer *answer = outcome->answer;
    struct json_writer w        = json_writer_init(out);
    if (answer_has_whole(answer, PROTOCOL_GEMINI)) {
        answer_print_whole(answer, &w);
        return;
    }
    json_begin_object(&w);
    if (request->is_count) {
        json_put_int(&w, "totalTokens", or_zero(answer->usage.input_tokens));
        dialect_put_count_marks(outcome, &w);
        json_end_object(&w);
        return;
    }
    json_member(&w, "candidates");
    json_begin_array(&w);
    for (uint32_t i = 0; i < answer->choice_count; i++) {
        print_candidate(&w, &answer->choices[i], i);
    }
    json_end_array(&w);
    gemini_put_usage(&w, &answer->usage);
    json_put_text(&w, "modelVersion",
                  answer->model.len > 0 ? buf_str(&answer->model) : request->model);
    if (answer->id.len > 0) json_put_text(&w, "responseId", buf_str(&answer->id));
    if (outcome->is_simulated) dialect_put_simulated(&w);
    json_end_object(&w);
}

/* --- errors ------------------------------------------------------------------------------------
 */

static const char *status_of(int http)
{
    static const struct {
        int http;
        const char *status;
    } words[] = {{400, "INVALID_ARGUMENT"},    {401, "UNAUTHENTICATED"},
                 {402, "FAILED_PRECONDITION"}, {403, "PERMISSION_DENIED"},
                 {404, "NOT_FOUND"},           {409, "ABORTED"},
                 {429, "RESOURCE_EXHAUSTED"},  {501, "UNIMPLEMENTED"},
                 {503, "UNAVAILABLE"},         {504, "DEADLINE_EXCEEDED"}};
    for (size_t i = 0; i < ARRAY_LEN(words); i++) {
        if (words[i].http == http) return words[i].status;
    }
    return http < 500 ? "INVALID_ARGUMENT" : "INTERNAL";
}

void gemini_print_error(const struct dialect_error *error, struct buf *out)
{
    struct json_writer w = json_writer_init(out);
    json_begin_object(&w);
    json_member(&w, "error");
    json_begin_object(&w);
    json_put_int(&w, "code", error->http);
    json_put_text(&w, "message", error->message);
    json_put_text(&w, "status", str_from(status_of(error->http)));
    json_member(&w, "details");
    json_begin_array(&w);
    json_begin_object(&w);
    json_put_text(&w, "@type", str_from("type.googleapis.com/google.rpc.ErrorInfo"));
    json_put_text(&w, "reason", str_from(error->code));
    json_put_text(&w, "domain", str_from("tutti"));
    json_end_object(&w);
    json_end_array(&w);
    json_end_object(&w);
    json_end_object(&w);
}

/* --- a request ---------------------------------------------------------------------------------
 */

/* ".../models/writer:generateContent": the model may hold slashes. */
static bool split_path(str path, str *ret_model, str *ret_verb)
{
    static const char head[] = "/models/";
    size_t from              = 0;
    size_t colon             = path.len;
    while (from < path.len && !str_starts_with(str_slice(path, from, path.len), str_from(head))) {
        from++;
    }
    if (from == path.len) return false;
    from += sizeof head - 1;
    while (colon > from && path.ptr[colon - 1] != ':') colon--;
    if (colon <= from + 1) return false;
    *ret_model = str_slice(path, from, colon - 1);
    *ret_verb  = str_slice(path, colon, path.len);
    return true;
}

static status read_content(const Pb__LlmOpen *open, json body, struct arena *arena,
                           struct chat_request **ret_request, struct error *reterr)
{
    str model = {};
    str verb  = {};
    if (!split_path(str_from(open->path), &model, &verb)) {
        return fail(reterr, STATUS_INVALID_ARGUMENT, "the path names no model");
    }
    const char *name = arena_strdup(arena, model); /* a text of its own, as usage has it */
    if (!name) return fail(reterr, STATUS_RESOURCE_EXHAUSTED, "the request is too large");
    bool is_stream = str_is(verb, "streamGenerateContent");
    bool is_count  = str_is(verb, "countTokens");
    if (!is_stream && !is_count && !str_is(verb, "generateContent")) {
        return fail(reterr, STATUS_UNIMPLEMENTED, "`" STR_FMT "` is not there yet", STR_ARG(verb));
    }
    json whole = is_count ? json_get_text(body, "generateContentRequest") : json_invalid();
    if (json_is(whole, JSON_OBJECT)) body = whole;
    TRY(chat_from_gemini(body, str_from(name), is_stream, arena, ret_request, reterr));
    (*ret_request)->is_count = is_count;
    return STATUS_OK;
}

const struct dialect dialect_gemini = {
    .name         = "gemini",
    .protocol     = PROTOCOL_GEMINI,
    .read         = read_content,
    .print_answer = print_answer,
    .print_error  = gemini_print_error,
    .stream_type  = "text/event-stream; charset=utf-8",
    .stream_new   = gemini_stream_new,
    .stream_event = gemini_stream_event,
    .stream_stop  = gemini_stream_stop,
    .stream_end   = gemini_stream_end,
    .stream_fail  = gemini_stream_fail,
    .stream_free  = gemini_stream_free,
};
