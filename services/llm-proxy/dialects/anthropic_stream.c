/*
 * A stream of Anthropic's Messages API: named events, blocks that begin and end. Events of an
 * upstream that speaks the protocol itself are handed on as they came.
 */
#include "llm-proxy/dialects/anthropic.h"

#include "base/mem.h"
#include "llm-proxy/chat/wire.h"

#include <stdlib.h>

enum { NAME_BYTES_MAX = 4096, EVENT_NAME_MAX = 64 };

/* A tool call and the number of its block: pieces of several calls may come by turns. */
struct tool_block {
    uint32_t part, index;
};

struct anthropic_writer {
    struct dialect_about about;
    struct buf id, model;
    bool is_handed_on, has_begun, has_stopped, has_calls;
    bool is_stopped;          /* by its budget */
    bool is_open;             /* a block */
    enum llm_event_kind kind; /* of it */
    uint32_t next_index;
    struct tool_block tools[ANSWER_TOOL_CALLS_MAX];
    uint32_t tool_count;
    enum llm_finish finish;
};

void *anthropic_stream_new(const struct dialect_about *about)
{
    struct anthropic_writer *stream = mem_new(1, sizeof *stream);
    stream->about                   = *about;
    stream->id                      = buf_init(NAME_BYTES_MAX);
    stream->model                   = buf_init(NAME_BYTES_MAX);
    return stream;
}

void anthropic_stream_free(void *context)
{
    struct anthropic_writer *stream = context;
    if (!stream) return;
    buf_done(&stream->id);
    buf_done(&stream->model);
    free(stream);
}

static struct json_writer begin_event(const char *type, struct buf *out)
{
    struct json_writer w = json_writer_init(out);
    (void)buf_printf(out, "event: %s\ndata: ", type);
    json_begin_object(&w);
    json_put_text(&w, "type", str_from(type));
    return w;
}

static void end_event(struct json_writer *w)
{
    json_end_object(w);
    (void)buf_put_text(w->out, "\n\n");
}

/* --- events that came --------------------------------------------------------------------------
 */

static void put_event(str type, str raw, json chunk, struct buf *out)
{
    struct json_writer w = json_writer_init(out);
    (void)buf_put_text(out, "event: ");
    (void)buf_put_str(out, type);
    (void)buf_put_text(out, "\ndata: ");
    if (raw.len > 0) {
        (void)buf_put_str(out, raw);
    } else {
        json_write_value(&w, chunk);
    }
    (void)buf_put_text(out, "\n\n");
}

/* An error is worded by whoever ends the stream. */
static void hand_on(struct anthropic_writer *stream, json chunk, str raw, struct buf *out)
{
    str type             = wire_text(chunk, "type");
    stream->is_handed_on = true;
    if (type.len == 0 || type.len > EVENT_NAME_MAX || str_is(type, "error")) return;
    stream->has_stopped = stream->has_stopped || str_is(type, "message_stop");
    if (str_is(type, "content_block_start")) {
        int64_t index      = 0;
        stream->is_open    = json_to_int(json_get_text(chunk, "index"), &index) && index >= 0;
        stream->next_index = (uint32_t)index + 1;
    } else if (str_is(type, "content_block_stop")) {
        stream->is_open = false;
    }
    put_event(type, raw, chunk, out);
}

/* --- events that are made ----------------------------------------------------------------------
 */

static void begin_message(struct anthropic_writer *stream, struct buf *out)
{
    if (stream->has_begun) return;
    stream->has_begun             = true;
    const struct llm_usage nobody = llm_usage_unknown();
    bool has_id                   = stream->id.len > 0;
    bool has_model                = stream->model.len > 0;
    struct json_writer w          = begin_event("message_start", out);
    json_member(&w, "message");
    json_begin_object(&w);
    json_put_text(&w, "id", has_id ? buf_str(&stream->id) : stream->about.id);
    json_put_text(&w, "type", str_from("message"));
    json_put_text(&w, "role", str_from("assistant"));
    json_put_text(&w, "model", has_model ? buf_str(&stream->model) : stream->about.request->model);
    json_member(&w, "content");
    json_begin_array(&w);
    json_end_array(&w);
    json_member(&w, "stop_reason");
    json_write_null(&w);
    json_member(&w, "stop_sequence");
    json_write_null(&w);
    anthropic_put_usage(&w, &nobody);
    json_end_object(&w);
    end_event(&w);
}

static void end_block(struct anthropic_writer *stream, struct buf *out)
{
    if (!stream->is_open) return;
    stream->is_open      = false;
    struct json_writer w = begin_event("content_block_stop", out);
    json_put_int(&w, "index", stream->next_index - 1);
    end_event(&w);
}

static void begin_block(struct anthropic_writer *stream, const struct llm_event *event,
                        struct buf *out)
{
    end_block(stream, out);
    stream->is_open      = true;
    stream->kind         = event->kind;
    struct json_writer w = begin_event("content_block_start", out);
    json_put_int(&w, "index", stream->next_index++);
    json_member(&w, "content_block");
    json_begin_object(&w);
    if (event->kind == LLM_TOOL_START) {
        json_put_text(&w, "type", str_from("tool_use"));
        json_put_text(&w, "id", event->id);
        json_put_text(&w, "name", event->name);
        json_put_raw(&w, "input", str_from("{}"));
    } else if (event->kind == LLM_THINKING) {
        json_put_text(&w, "type", str_from("thinking"));
        json_put_text(&w, "thinking", (str){});
        json_put_text(&w, "signature", (str){});
    } else {
        json_put_text(&w, "type", str_from("text"));
        json_put_text(&w, "text", (str){});
    }
    json_end_object(&w);
    end_event(&w);
}

static void print_delta(uint32_t index, const char *type, const char *key, str text,
                        struct buf *out)
{
    struct json_writer w = begin_event("content_block_delta", out);
    json_put_int(&w, "index", index);
    json_member(&w, "delta");
    json_begin_object(&w);
    json_put_text(&w, "type", str_from(type));
    json_put_text(&w, key, text);
    json_end_object(&w);
    end_event(&w);
}

static void write_text(struct anthropic_writer *stream, const struct llm_event *event,
                       struct buf *out)
{
    if (event->bytes.len == 0) return;
    if (!stream->is_open || stream->kind != event->kind) begin_block(stream, event, out);
    bool is_thought = event->kind == LLM_THINKING;
    print_delta(stream->next_index - 1, is_thought ? "thinking_delta" : "text_delta",
                is_thought ? "thinking" : "text", event->bytes, out);
}

static void begin_tool(struct anthropic_writer *stream, const struct llm_event *event,
                       struct buf *out)
{
    if (stream->tool_count == ANSWER_TOOL_CALLS_MAX) return;
    begin_block(stream, event, out);
    stream->tools[stream->tool_count++] =
        (struct tool_block){.part = event->part, .index = stream->next_index - 1};
}

static void write_args(const struct anthropic_writer *stream, const struct llm_event *event,
                       struct buf *out)
{
    for (uint32_t i = 0; i < stream->tool_count; i++) {
        if (stream->tools[i].part != event->part) continue;
        print_delta(stream->tools[i].index, "input_json_delta", "partial_json", event->bytes, out);
        return;
    }
}

static void take_start(struct anthropic_writer *stream, const struct llm_event *event)
{
    (void)buf_put_str(&stream->id, event->id);
    (void)buf_put_str(&stream->model, event->model);
}

static void write_event(struct anthropic_writer *stream, const struct llm_event *event,
                        struct buf *out)
{
    if (event->choice != 0) return; /* there is one answer only */
    begin_message(stream, out);
    switch (event->kind) {
    case LLM_TEXT:
    case LLM_REFUSAL:
    case LLM_THINKING: write_text(stream, event, out); break;
    case LLM_TOOL_START:
        stream->has_calls = true;
        begin_tool(stream, event, out);
        break;
    case LLM_TOOL_ARGS: write_args(stream, event, out); break;
    case LLM_FINISH: stream->finish = event->finish; break;
    default: break;
    }
}

void anthropic_stream_event(void *context, const struct llm_event *event, struct buf *out)
{
    struct anthropic_writer *stream = context;
    bool is_own = event->kind == LLM_CHUNK && event->protocol == PROTOCOL_ANTHROPIC;
    if (is_own && event->is_alike) {
        put_event(str_from("content_block_delta"), event->raw, event->chunk, out);
    } else if (is_own) {
        hand_on(stream, event->chunk, event->raw, out);
    } else if (event->kind == LLM_CHUNK) {
        return;
    } else if (!stream->is_handed_on) {
        if (event->kind == LLM_START) take_start(stream, event);
        write_event(stream, event, out);
    }
}

/* --- the end -----------------------------------------------------------------------------------
 */

void anthropic_stream_stop(void *context)
{
    struct anthropic_writer *stream = context;
    stream->is_stopped              = true;
    stream->finish                  = FINISH_LENGTH;
}

void anthropic_stream_end(void *context, const struct llm_usage *usage, struct buf *out)
{
    struct anthropic_writer *stream = context;
    if (stream->has_stopped) return;
    if (!stream->is_handed_on) begin_message(stream, out);
    end_block(stream, out);
    struct json_writer w = begin_event("message_delta", out);
    json_member(&w, "delta");
    json_begin_object(&w);
    json_put_text(&w, "stop_reason",
                  str_from(anthropic_stop_reason(stream->finish, stream->has_calls)));
    json_member(&w, "stop_sequence");
    json_write_null(&w);
    json_end_object(&w);
    anthropic_put_usage(&w, usage);
    end_event(&w);
    w = begin_event("message_stop", out);
    dialect_put_last(stream->about.is_simulated, stream->is_stopped, &w);
    end_event(&w);
}

void anthropic_stream_fail(void *, const struct dialect_error *error, struct buf *out)
{
    (void)buf_put_text(out, "event: error\ndata: ");
    anthropic_print_error(error, out);
    (void)buf_put_text(out, "\n\n");
}
