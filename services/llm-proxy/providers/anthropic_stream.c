/*
 * A stream of Anthropic's Messages API. Its events carry their type in their data too, which is
 * what counts here. Blocks are numbered; those numbers are the parts of the event model.
 */
#include "llm-proxy/providers/anthropic.h"

#include "base/buf.h"
#include "llm-proxy/chat/wire.h"
#include "json/json_text.h"

enum { ARGS_MAX = 16 << 20 };

struct anthropic_state {
    struct anthropic_usage usage;
    bool has_begun, has_finished;
    bool is_tool;  /* the block that is open */
    bool has_args; /* some of it has come */
};

static void send_piece(struct decoder *decoder, enum llm_event_kind kind, uint32_t part, str text)
{
    if (text.len == 0) return;
    const struct llm_event event = {.kind = kind, .part = part, .bytes = text};
    decoder_send(decoder, &event);
}

static void send_opaque(struct decoder *decoder, const char *kind, uint32_t part, str text)
{
    if (text.len == 0) return;
    const struct llm_event event = {
        .kind = LLM_OPAQUE, .part = part, .name = str_from(kind), .bytes = text};
    decoder_send(decoder, &event);
}

static void send_usage(struct decoder *decoder, json said)
{
    struct anthropic_state *state = decoder_state(decoder);
    if (!json_is(said, JSON_OBJECT)) return;
    anthropic_usage_merge(&state->usage, said);
    const struct llm_event event = {.kind = LLM_USAGE, .usage = anthropic_usage_of(&state->usage)};
    decoder_send(decoder, &event);
}

static void on_start(struct decoder *decoder, json data)
{
    struct anthropic_state *state = decoder_state(decoder);
    json message                  = json_get_text(data, "message");
    const struct llm_event event  = {
         .kind = LLM_START, .id = wire_text(message, "id"), .model = wire_text(message, "model")};
    state->usage     = anthropic_usage_unknown();
    state->has_begun = true;
    decoder_send(decoder, &event);
    send_usage(decoder, json_get_text(message, "usage"));
}

static uint32_t part_of(json data)
{
    int64_t index = wire_count(data, "index");
    return index >= 0 && index < UINT32_MAX ? (uint32_t)index : 0;
}

/* A tool's input is {} here and comes in pieces; some give all of it at once. */
static void begin_tool(struct decoder *decoder, json block, uint32_t part)
{
    struct anthropic_state *state     = decoder_state(decoder);
    CLEANUP(buf_done) struct buf text = buf_init(ARGS_MAX);
    json input                        = json_get_text(block, "input");
    const struct llm_event event      = {.kind = LLM_TOOL_START,
                                         .part = part,
                                         .id   = wire_text(block, "id"),
                                         .name = wire_text(block, "name")};
    decoder_send(decoder, &event);
    state->is_tool  = true;
    state->has_args = json_is(input, JSON_OBJECT) && json_count(input) > 0;
    if (state->has_args && json_print(input, JSON_COMPACT, &text)) {
        send_piece(decoder, LLM_TOOL_ARGS, part, buf_str(&text));
    }
}

static void on_block_start(struct decoder *decoder, json data)
{
    struct anthropic_state *state = decoder_state(decoder);
    json block                    = json_get_text(data, "content_block");
    uint32_t part                 = part_of(data);
    str type                      = wire_text(block, "type");
    state->is_tool                = false;
    if (str_is(type, "tool_use")) {
        begin_tool(decoder, block, part);
    } else if (str_is(type, "text")) {
        send_piece(decoder, LLM_TEXT, part, wire_text(block, "text"));
    } else if (str_is(type, "thinking")) {
        send_piece(decoder, LLM_THINKING, part, wire_text(block, "thinking"));
        send_opaque(decoder, "signature", part, wire_text(block, "signature"));
    } else if (str_is(type, "redacted_thinking")) {
        send_opaque(decoder, "redacted_thinking", part, wire_text(block, "data"));
    }
}

static void on_delta(struct decoder *decoder, json data)
{
    struct anthropic_state *state = decoder_state(decoder);
    json delta                    = json_get_text(data, "delta");
    uint32_t part                 = part_of(data);
    str type                      = wire_text(delta, "type");
    if (str_is(type, "text_delta")) {
        send_piece(decoder, LLM_TEXT, part, wire_text(delta, "text"));
    } else if (str_is(type, "input_json_delta")) {
        str piece = wire_text(delta, "partial_json");
        if (!state->is_tool) return; /* of a tool that runs at the upstream */
        state->has_args = state->has_args || piece.len > 0;
        send_piece(decoder, LLM_TOOL_ARGS, part, piece);
    } else if (str_is(type, "thinking_delta")) {
        send_piece(decoder, LLM_THINKING, part, wire_text(delta, "thinking"));
    } else if (str_is(type, "signature_delta")) {
        send_opaque(decoder, "signature", part, wire_text(delta, "signature"));
    }
}

static void on_block_stop(struct decoder *decoder, json data)
{
    struct anthropic_state *state = decoder_state(decoder);
    if (state->is_tool && !state->has_args) {
        send_piece(decoder, LLM_TOOL_ARGS, part_of(data), str_from("{}"));
    }
    state->is_tool = false;
}

static void on_message_delta(struct decoder *decoder, json data)
{
    struct anthropic_state *state = decoder_state(decoder);
    str reason                    = wire_text(json_get_text(data, "delta"), "stop_reason");
    send_usage(decoder, json_get_text(data, "usage"));
    if (reason.len == 0 || state->has_finished) return;
    const struct llm_event event = {
        .kind = LLM_FINISH, .finish = anthropic_finish_of(reason), .name = reason};
    state->has_finished = true;
    decoder_send(decoder, &event);
}

static void on_event(struct decoder *decoder, str, json data)
{
    struct anthropic_state *state = decoder_state(decoder);
    str type                      = wire_text(data, "type");
    if (str_is(type, "error")) {
        const struct llm_error error = anthropic_error_of(data, 200);
        decoder_fail(decoder, &error);
    } else if (str_is(type, "message_start")) {
        if (!state->has_begun) on_start(decoder, data);
    } else if (!state->has_begun) {
        if (str_is(type, "ping")) return;
        decoder_fail_malformed(decoder, "the upstream's stream has no beginning");
    } else if (str_is(type, "content_block_start")) {
        on_block_start(decoder, data);
    } else if (str_is(type, "content_block_delta")) {
        on_delta(decoder, data);
    } else if (str_is(type, "content_block_stop")) {
        on_block_stop(decoder, data);
    } else if (str_is(type, "message_delta")) {
        on_message_delta(decoder, data);
    } else if (str_is(type, "message_stop")) {
        if (state->has_finished) {
            decoder_complete(decoder);
        } else {
            decoder_fail_malformed(decoder, "the upstream's stream ended without a reason");
        }
    }
}

static const char *const text_keys[]     = {"text", NULL};
static const char *const thinking_keys[] = {"thinking", NULL};

static bool has_likes(json data)
{
    return str_is(wire_text(data, "type"), "content_block_delta");
}

const struct decoder_kind anthropic_stream = {.protocol      = PROTOCOL_ANTHROPIC,
                                              .state_size    = sizeof(struct anthropic_state),
                                              .event         = on_event,
                                              .text_keys     = text_keys,
                                              .thinking_keys = thinking_keys,
                                              .has_likes     = has_likes};
