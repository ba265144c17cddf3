/*
 * Streams of chat.completion.chunk. Beyond what OpenAI sends itself: usage in a chunk that has
 * choices, tool calls without an index, streams that end without [DONE], and errors inside a stream
 * in the words of several servers.
 */
#include "llm-proxy/providers/compatible.h"

#include "base/attr.h"
#include "base/hash.h"
#include "base/mem.h"
#include "llm-proxy/chat/wire.h"
#include "llm-proxy/providers/upstream.h"

#include <stdlib.h>
#include <string.h>

enum {
    TOOL_CALLS_MAX = 2'048,    /* of all choices */
    ARGUMENTS_MAX  = 16 << 20, /* bytes */
};

struct tool_call {
    uint32_t choice, index, part;
    uint64_t mark; /* of its id; 0: it has none */
};

struct state {
    bool has_started, has_finished;
    struct tool_call *tools; /* that have begun; owned */
    uint32_t tool_count;
    str chunk_id; /* of the chunk that is read */
};

/* --- errors ------------------------------------------------------------------------------------
 */

static bool says(json error, const char *word)
{
    return str_is(wire_text(error, "type"), word) || str_is(wire_text(error, "code"), word);
}

/* The status is 200 by now, so words must do; some servers put the status into `code`. */
static enum llm_error_class class_of(json error)
{
    static const struct {
        const char *word;
        enum llm_error_class class;
    } words[] = {
        {"overloaded_error", LLM_ERROR_OVERLOADED},
        {"overloaded", LLM_ERROR_OVERLOADED},
        {"rate_limit_exceeded", LLM_ERROR_RATE_LIMITED},
        {"rate_limit_error", LLM_ERROR_RATE_LIMITED},
        {"slow_down", LLM_ERROR_RATE_LIMITED},
        {"invalid_request_error", LLM_ERROR_REQUEST},
        {"context_length_exceeded", LLM_ERROR_REQUEST},
        {"authentication_error", LLM_ERROR_KEY},
        {"invalid_api_key", LLM_ERROR_KEY},
    };
    int64_t http = wire_count(error, "code");
    if (compatible_is_quota(error)) return LLM_ERROR_QUOTA;
    if (http >= 400 && http <= 599) return llm_error_class_of((uint32_t)http);
    for (size_t i = 0; i < ARRAY_LEN(words); i++) {
        if (says(error, words[i].word)) return words[i].class;
    }
    return LLM_ERROR_SERVER;
}

struct llm_error compatible_error_of(json error)
{
    bool is_text             = json_is(error, JSON_TEXT);
    struct llm_error failure = {.class       = class_of(error),
                                .http_status = 200,
                                .type        = wire_text(error, "type"),
                                .code        = wire_text(error, "code"),
                                .param       = wire_text(error, "param"),
                                .text = is_text ? json_str(error) : wire_text(error, "message")};
    if (failure.class == LLM_ERROR_REQUEST) failure.http_status = 400;
    if (failure.text.len == 0) failure.text = str_from("the upstream gave no reason");
    return failure;
}

/* --- chunks ------------------------------------------------------------------------------------
 */

static void send_start(struct decoder *decoder, struct state *state, json chunk)
{
    int64_t created              = wire_count(chunk, "created");
    const struct llm_event start = {
        .kind       = LLM_START,
        .id         = wire_text(chunk, "id"),
        .model      = wire_text(chunk, "model"),
        .created_us = created > 0 && created < INT32_MAX * INT64_C(100) ? created * 1'000'000 : 0};
    state->has_started = true;
    decoder_send(decoder, &start);
}

/* The last one of that index: NULL if it has not begun. */
static const struct tool_call *find_tool(const struct state *state, uint32_t choice, uint32_t index)
{
    for (uint32_t i = state->tool_count; i-- > 0;) {
        const struct tool_call *begun = &state->tools[i];
        if (begun->choice == choice && begun->index == index) return begun;
    }
    return NULL;
}

/* Calls of a choice so far. */
static uint32_t tools_of(const struct state *state, uint32_t choice)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < state->tool_count; i++) count += state->tools[i].choice == choice;
    return count;
}

/* Without an index a new id begins a call, and what has none belongs to the last one. */
static uint32_t index_of(const struct state *state, uint32_t choice, json call)
{
    int64_t index  = wire_count(call, "index");
    uint32_t count = tools_of(state, choice);
    if (index >= 0 && index < TOOL_CALLS_MAX) return (uint32_t)index;
    bool is_new = wire_text(call, "id").len > 0 || count == 0;
    return is_new ? count : count - 1;
}

static uint64_t mark_of(str id)
{
    uint8_t digest[SHA256_SIZE] = {};
    if (id.len > 0) sha256(bytes_from(id), digest);
    return u64_from(digest);
}

/* Some servers number all calls 0: another id with another name is another call. */
static bool is_another(const struct tool_call *begun, json call)
{
    str id   = wire_text(call, "id");
    str name = wire_text(json_get_text(call, "function"), "name");
    return id.len > 0 && name.len > 0 && mark_of(id) != begun->mark;
}

/* That one, or the next after all others. */
static uint32_t free_part(const struct state *state, uint32_t choice, uint32_t wanted)
{
    bool is_taken = false;
    uint32_t last = 0;
    for (uint32_t i = 0; i < state->tool_count; i++) {
        const struct tool_call *begun = &state->tools[i];
        if (begun->choice != choice) continue;
        is_taken |= begun->part == wanted;
        if (begun->part > last) last = begun->part;
    }
    return is_taken ? last + 1 : wanted;
}

static const struct tool_call *begin_tool(struct decoder *decoder, uint32_t choice, uint32_t index,
                                          json call)
{
    struct state *state = decoder_state(decoder);
    if (state->tool_count == TOOL_CALLS_MAX) {
        decoder_fail_malformed(decoder, "the upstream's answer has too many tool calls");
        return NULL;
    }
    uint32_t part = free_part(state, choice, index + 1);
    state->tools  = mem_resize(state->tools, state->tool_count + 1, sizeof *state->tools);
    state->tools[state->tool_count++] = (struct tool_call){
        .choice = choice, .index = index, .part = part, .mark = mark_of(wire_text(call, "id"))};
    struct llm_event start = {.kind   = LLM_TOOL_START,
                              .choice = choice,
                              .part   = part,
                              .id     = wire_text(call, "id"),
                              .name   = wire_text(json_get_text(call, "function"), "name")};
    char minted[UPSTREAM_ID_SIZE];
    if (start.id.len == 0) {
        upstream_mint_id(state->chunk_id, start.name, (str){}, choice, part, minted);
        start.id = str_from(minted);
    }
    decoder_send(decoder, &start);
    return &state->tools[state->tool_count - 1];
}

static void send_tool(struct decoder *decoder, uint32_t choice, json call)
{
    const struct state *state    = decoder_state(decoder);
    uint32_t index               = index_of(state, choice, call);
    const struct tool_call *tool = find_tool(state, choice, index);
    if (!tool || is_another(tool, call)) tool = begin_tool(decoder, choice, index, call);
    if (!tool) return;
    CLEANUP(buf_done) struct buf room = buf_init(ARGUMENTS_MAX);
    const struct llm_event args       = {
              .kind   = LLM_TOOL_ARGS,
              .choice = choice,
              .part   = tool->part,
              .bytes  = compatible_arguments(json_get_text(call, "function"), &room)};
    if (args.bytes.len > 0) decoder_send(decoder, &args);
}

static void to_decoder(const struct llm_event *event, void *context)
{
    decoder_send(context, event);
}

static void send_choice(struct decoder *decoder, json value, uint32_t position)
{
    int64_t index   = wire_count(value, "index");
    uint32_t choice = index >= 0 && index < INT32_MAX ? (uint32_t)index : position;
    json delta      = json_get_text(value, "delta");
    json calls      = json_get_text(delta, "tool_calls");
    str reason      = wire_text(value, "finish_reason");
    compatible_send_texts(delta, choice, to_decoder, decoder);
    for (size_t i = 0; json_is(calls, JSON_ARRAY) && i < json_count(calls); i++) {
        send_tool(decoder, choice, json_at(calls, i));
    }
    if (reason.len == 0) return;
    const struct llm_event finish = {
        .kind = LLM_FINISH, .choice = choice, .finish = compatible_finish(reason), .name = reason};
    ((struct state *)decoder_state(decoder))->has_finished = true;
    decoder_send(decoder, &finish);
}

static void on_chunk(struct decoder *decoder, str, json chunk)
{
    struct state *state = decoder_state(decoder);
    json error          = json_get_text(chunk, "error");
    json choices        = json_get_text(chunk, "choices");
    if (!json_is(chunk, JSON_OBJECT)) {
        decoder_fail_malformed(decoder, "an event of the upstream's stream is malformed");
        return;
    }
    if (!json_is(error, JSON_INVALID) && !json_is(error, JSON_NULL)) {
        const struct llm_error failure = compatible_error_of(error);
        decoder_fail(decoder, &failure);
        return;
    }
    state->chunk_id = wire_text(chunk, "id");
    if (!state->has_started) send_start(decoder, state, chunk);
    for (size_t i = 0; json_is(choices, JSON_ARRAY) && i < json_count(choices); i++) {
        send_choice(decoder, json_at(choices, i), (uint32_t)i);
    }
    struct llm_event used = {.kind = LLM_USAGE};
    if (compatible_usage(json_get_text(chunk, "usage"), &used.usage)) decoder_send(decoder, &used);
}

static bool on_word(struct decoder *decoder, str data)
{
    if (!str_is(data, "[DONE]")) return false;
    decoder_complete(decoder);
    return true;
}

static bool is_whole(struct decoder *decoder)
{
    const struct state *state = decoder_state(decoder);
    return state->has_finished;
}

static void state_done(void *state)
{
    free(((struct state *)state)->tools);
}

static const char *const text_keys[]     = {"content", NULL};
static const char *const thinking_keys[] = {"reasoning_content", "reasoning", NULL};

const struct decoder_kind compatible_stream = {
    .protocol      = PROTOCOL_OPENAI,
    .state_size    = sizeof(struct state),
    .event         = on_chunk,
    .word          = on_word,
    .is_whole      = is_whole,
    .text_keys     = text_keys,
    .thinking_keys = thinking_keys,
    .done          = state_done,
};
