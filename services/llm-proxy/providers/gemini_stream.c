/* What Gemini says: the events of a stream and whole answers have one shape. */
#include "base/attr.h"
#include "base/hash.h"
#include "llm-proxy/chat/wire.h"
#include "llm-proxy/providers/gemini.h"
#include "llm-proxy/providers/upstream.h"
#include "json/json_text.h"

#include <stdio.h>

enum { ARGS_MAX = 16 << 20 };

struct sending {
    struct gemini_candidate *candidate;
    uint32_t choice;
    str response_id;
    llm_sink *sink;
    void *context;
};

/* --- parts -------------------------------------------------------------------------------------
 */

/* Pieces of one kind that follow each other are one part. */
static uint32_t part_for(struct gemini_candidate *candidate, enum llm_event_kind kind)
{
    if (!candidate->is_open || candidate->kind != kind) candidate->next_part++;
    candidate->is_open = true;
    candidate->kind    = kind;
    return candidate->next_part - 1;
}

static void send_call(const struct sending *sending, json call)
{
    struct gemini_candidate *candidate = sending->candidate;
    CLEANUP(buf_done) struct buf args  = buf_init(ARGS_MAX);
    json said                          = json_get_text(call, "args");
    bool is_said  = json_is(said, JSON_OBJECT) && json_print(said, JSON_COMPACT, &args);
    str text      = is_said ? buf_str(&args) : str_from("{}");
    str id        = wire_text(call, "id");
    uint32_t part = candidate->next_part++;
    char minted[UPSTREAM_ID_SIZE];
    candidate->is_open  = false;
    candidate->has_tool = true;
    if (id.len == 0) { /* it has one only if the model was given ids */
        upstream_mint_id(sending->response_id, wire_text(call, "name"), text, sending->choice, part,
                         minted);
        id = str_from(minted);
    }
    const struct llm_event start = {.kind   = LLM_TOOL_START,
                                    .choice = sending->choice,
                                    .part   = part,
                                    .id     = id,
                                    .name   = wire_text(call, "name")};
    sending->sink(&start, sending->context);
    upstream_send_piece(LLM_TOOL_ARGS, sending->choice, part, text, sending->sink,
                        sending->context);
}

static void send_signature(const struct sending *sending, uint32_t part, str signature)
{
    const struct llm_event event = {.kind   = LLM_OPAQUE,
                                    .choice = sending->choice,
                                    .part   = part,
                                    .name   = str_from("thought_signature"),
                                    .bytes  = signature};
    if (signature.len > 0) sending->sink(&event, sending->context);
}

/* A call's signature goes before it, so that who keeps it knows of it when the call begins. */
static void send_part(const struct sending *sending, json value)
{
    json call     = json_get_text(value, "functionCall");
    str text      = wire_text(value, "text");
    str signature = wire_text(value, "thoughtSignature");
    uint32_t next = sending->candidate->next_part;
    if (json_is(call, JSON_OBJECT)) {
        send_signature(sending, next, signature);
        send_call(sending, call);
        return;
    }
    if (text.len > 0) {
        enum llm_event_kind kind = wire_is_true(value, "thought") ? LLM_THINKING : LLM_TEXT;
        uint32_t part            = part_for(sending->candidate, kind);
        upstream_send_piece(kind, sending->choice, part, text, sending->sink, sending->context);
    }
    next = sending->candidate->next_part;
    send_signature(sending, next > 0 ? next - 1 : 0, signature);
}

/* --- ends --------------------------------------------------------------------------------------
 */

static bool is_among(str word, const char *const *words, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (str_is(word, words[i])) return true;
    }
    return false;
}

static enum llm_finish finish_of(str reason, bool has_tool)
{
    static const char *const filtered[] = {
        "SAFETY",       "BLOCKLIST",  "PROHIBITED_CONTENT", "SPII",
        "IMAGE_SAFETY", "RECITATION", "IMAGE_RECITATION"};
    if (str_is(reason, "MAX_TOKENS")) return FINISH_LENGTH;
    if (is_among(reason, filtered, ARRAY_LEN(filtered))) return FINISH_FILTER;
    return has_tool ? FINISH_TOOL_CALLS : FINISH_STOP; /* there is no word of its own for calls */
}

/* The model has broken its own rules: another try may do. */
static bool is_broken(str reason)
{
    static const char *const broken[] = {"MALFORMED_FUNCTION_CALL", "UNEXPECTED_TOOL_CALL",
                                         "TOO_MANY_TOOL_CALLS", "MALFORMED_RESPONSE"};
    return is_among(reason, broken, ARRAY_LEN(broken));
}

static void send_finish(const struct sending *sending, str reason)
{
    struct gemini_candidate *candidate = sending->candidate;
    if (candidate->has_finished) return;
    candidate->has_finished      = true;
    const struct llm_event event = {.kind   = LLM_FINISH,
                                    .choice = sending->choice,
                                    .finish = finish_of(reason, candidate->has_tool),
                                    .name   = reason};
    sending->sink(&event, sending->context);
}

static int64_t sum_of(json said, const char *one, const char *other)
{
    int64_t first  = wire_count(said, one);
    int64_t second = wire_count(said, other);
    if (first < 0) return second;
    return second > 0 ? first + second : first;
}

/* Of one kind among the details of a counter; -1: it has none. What does not fit is as many as
 * there can be. https://ai.google.dev/api/generate-content#UsageMetadata (ModalityTokenCount) */
static int64_t audio_of(json said, const char *details)
{
    json list     = json_get_text(said, details);
    int64_t total = -1;
    for (size_t i = 0; i < json_count(list); i++) {
        json one      = json_at(list, i);
        int64_t count = wire_count(one, "tokenCount");
        if (!str_is(wire_text(one, "modality"), "AUDIO") || count < 0) continue;
        if (total < 0) total = 0;
        if (__builtin_add_overflow(total, count, &total)) return INT64_MAX;
    }
    return total;
}

static int64_t audio_input(json said)
{
    int64_t prompt = audio_of(said, "promptTokensDetails");
    int64_t tools  = audio_of(said, "toolUsePromptTokensDetails");
    int64_t both   = 0;
    if (prompt < 0 || tools < 0) return prompt < 0 ? tools : prompt;
    return __builtin_add_overflow(prompt, tools, &both) ? INT64_MAX : both;
}

static void send_usage(json said, llm_sink *sink, void *context)
{
    if (!json_is(said, JSON_OBJECT)) return;
    struct llm_event event       = {.kind = LLM_USAGE, .usage = llm_usage_unknown()};
    event.usage.input_tokens     = sum_of(said, "promptTokenCount", "toolUsePromptTokenCount");
    event.usage.output_tokens    = sum_of(said, "candidatesTokenCount", "thoughtsTokenCount");
    event.usage.cached_tokens    = wire_count(said, "cachedContentTokenCount");
    event.usage.reasoning_tokens = wire_count(said, "thoughtsTokenCount");

    event.usage.input_audio_tokens  = audio_input(said);
    event.usage.output_audio_tokens = audio_of(said, "candidatesTokensDetails");
    event.usage.cached_audio_tokens = audio_of(said, "cacheTokensDetails");
    sink(&event, context);
}

/* --- events ------------------------------------------------------------------------------------
 */

static void send_start(struct gemini_state *state, json data, llm_sink *sink, void *context)
{
    if (state->has_begun) return;
    state->has_begun             = true;
    const struct llm_event event = {.kind  = LLM_START,
                                    .id    = wire_text(data, "responseId"),
                                    .model = wire_text(data, "modelVersion")};
    sink(&event, context);
}

static bool send_candidate(const struct sending *sending, json value, struct llm_error *ret_error)
{
    json parts                  = json_get_text(json_get_text(value, "content"), "parts");
    str reason                  = wire_text(value, "finishReason");
    sending->candidate->is_seen = true;
    for (size_t i = 0; i < json_count(parts); i++) send_part(sending, json_at(parts, i));
    if (is_broken(reason)) {
        *ret_error = (struct llm_error){.class       = LLM_ERROR_SERVER,
                                        .http_status = 200,
                                        .code        = reason,
                                        .text = str_from("the model's tool call is malformed")};
        return false;
    }
    if (reason.len > 0) send_finish(sending, reason);
    return true;
}

bool gemini_send(struct gemini_state *state, json data, llm_sink *sink, void *context,
                 struct llm_error *ret_error)
{
    json candidates = json_get_text(data, "candidates");
    str blocked     = wire_text(json_get_text(data, "promptFeedback"), "blockReason");
    if (json_is(json_get_text(data, "error"), JSON_OBJECT)) {
        *ret_error = gemini_error_of(data, 200);
        return false;
    }
    send_start(state, data, sink, context);
    for (size_t i = 0; i < json_count(candidates); i++) {
        int64_t index = wire_count(json_at(candidates, i), "index");
        if (index < 0) index = (int64_t)i;
        if (index >= ANSWER_CHOICES_MAX) continue;
        const struct sending sending = {.candidate   = &state->candidates[index],
                                        .choice      = (uint32_t)index,
                                        .response_id = wire_text(data, "responseId"),
                                        .sink        = sink,
                                        .context     = context};
        if (!send_candidate(&sending, json_at(candidates, i), ret_error)) return false;
    }
    send_usage(json_get_text(data, "usageMetadata"), sink, context);
    if (blocked.len > 0 && json_count(candidates) == 0 && !state->candidates[0].has_finished) {
        const struct llm_event event = {
            .kind = LLM_FINISH, .finish = FINISH_FILTER, .name = blocked};
        state->candidates[0].is_seen = state->candidates[0].has_finished = true;
        sink(&event, context);
    }
    return true;
}

bool gemini_is_whole(const struct gemini_state *state)
{
    bool is_any = false;
    for (size_t i = 0; i < ANSWER_CHOICES_MAX; i++) {
        const struct gemini_candidate *candidate = &state->candidates[i];
        if (candidate->is_seen && !candidate->has_finished) return false;
        is_any = is_any || candidate->is_seen;
    }
    return is_any;
}

/* --- as a decoder ------------------------------------------------------------------------------
 */

static void hand_on(const struct llm_event *event, void *context)
{
    decoder_send(context, event);
}

static void on_event(struct decoder *decoder, str, json data)
{
    struct llm_error error = {};
    if (!gemini_send(decoder_state(decoder), data, hand_on, decoder, &error)) {
        decoder_fail(decoder, &error);
    }
}

/* There is no last word: who has finished when the body ends has said everything. */
static bool is_whole(struct decoder *decoder)
{
    return gemini_is_whole(decoder_state(decoder));
}

const struct decoder_kind gemini_stream = {.protocol   = PROTOCOL_GEMINI,
                                           .state_size = sizeof(struct gemini_state),
                                           .event      = on_event,
                                           .is_whole   = is_whole};
