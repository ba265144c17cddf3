/*
 * A stream of Gemini's: each event is an answer of its own. Calls of functions come whole, so they
 * are kept until the end, whose event has the reasons and the counters. Events of an upstream that
 * speaks the protocol itself are handed on as they came.
 */
#include "llm-proxy/dialects/gemini.h"

#include "base/mem.h"
#include "llm-proxy/chat/wire.h"

#include <stdlib.h>

enum { NAME_BYTES_MAX = 4096 };

struct gemini_writer {
    struct dialect_about about;
    struct answer calls; /* names and arguments of calls, and the reasons to end */
    struct buf id, model;
    bool is_stopped; /* by its budget */
    bool is_handed_on;
};

void *gemini_stream_new(const struct dialect_about *about)
{
    struct gemini_writer *stream = mem_new(1, sizeof *stream);
    stream->about                = *about;
    stream->id                   = buf_init(NAME_BYTES_MAX);
    stream->model                = buf_init(NAME_BYTES_MAX);
    answer_init(&stream->calls);
    return stream;
}

void gemini_stream_free(void *context)
{
    struct gemini_writer *stream = context;
    if (!stream) return;
    answer_done(&stream->calls);
    buf_done(&stream->id);
    buf_done(&stream->model);
    free(stream);
}

static struct json_writer begin_event(struct buf *out)
{
    struct json_writer w = json_writer_init(out);
    (void)buf_put_text(out, "data: ");
    json_begin_object(&w);
    json_member(&w, "candidates");
    json_begin_array(&w);
    return w;
}

static void begin_candidate(struct json_writer *w)
{
    json_begin_object(w);
    json_member(w, "content");
    json_begin_object(w);
    json_put_text(w, "role", str_from("model"));
    json_member(w, "parts");
    json_begin_array(w);
}

static void end_parts(struct json_writer *w)
{
    json_end_array(w);
    json_end_object(w);
}

/* After the candidates. */
static void put_names(const struct gemini_writer *stream, struct json_writer *w)
{
    bool has_id    = stream->id.len > 0;
    bool has_model = stream->model.len > 0;
    json_put_text(w, "modelVersion",
                  has_model ? buf_str(&stream->model) : stream->about.request->model);
    json_put_text(w, "responseId", has_id ? buf_str(&stream->id) : stream->about.id);
}

static void end_event(struct json_writer *w)
{
    json_end_object(w);
    (void)buf_put_text(w->out, "\n\n");
}

static void write_text(const struct gemini_writer *stream, const struct llm_event *event,
                       struct buf *out)
{
    if (event->bytes.len == 0) return;
    struct json_writer w = begin_event(out);
    begin_candidate(&w);
    gemini_print_text(&w, event->bytes, event->kind == LLM_THINKING);
    end_parts(&w);
    json_put_int(&w, "index", event->choice);
    json_end_object(&w);
    json_end_array(&w);
    put_names(stream, &w);
    end_event(&w);
}

static void hand_on(struct gemini_writer *stream, json chunk, str raw, struct buf *out)
{
    struct json_writer w = json_writer_init(out);
    stream->is_handed_on = true;
    if (wire_has(chunk, "error")) return; /* worded by whoever ends the stream */
    (void)buf_put_text(out, "data: ");
    if (raw.len > 0) {
        (void)buf_put_str(out, raw);
    } else {
        json_write_value(&w, chunk);
    }
    (void)buf_put_text(out, "\n\n");
}

static void take_start(struct gemini_writer *stream, const struct llm_event *event)
{
    (void)buf_put_str(&stream->id, event->id);
    (void)buf_put_str(&stream->model, event->model);
}

static void write_event(struct gemini_writer *stream, const struct llm_event *event,
                        struct buf *out)
{
    switch (event->kind) {
    case LLM_START: take_start(stream, event); break;
    case LLM_TEXT:
    case LLM_REFUSAL:
    case LLM_THINKING: write_text(stream, event, out); break;
    case LLM_TOOL_START:
    case LLM_TOOL_ARGS:
    case LLM_FINISH: answer_take(event, &stream->calls); break;
    default: break;
    }
}

void gemini_stream_event(void *context, const struct llm_event *event, struct buf *out)
{
    struct gemini_writer *stream = context;
    if (event->kind == LLM_CHUNK) {
        if (event->protocol == PROTOCOL_GEMINI) hand_on(stream, event->chunk, event->raw, out);
    } else if (!stream->is_handed_on) {
        write_event(stream, event, out);
    }
}

void gemini_stream_stop(void *context)
{
    struct gemini_writer *stream = context;
    stream->is_handed_on         = false;
    stream->is_stopped           = true;
}

void gemini_stream_end(void *context, const struct llm_usage *usage, struct buf *out)
{
    struct gemini_writer *stream = context;
    if (stream->is_handed_on) return;
    struct json_writer w = begin_event(out);
    for (uint32_t i = 0; i < stream->calls.choice_count; i++) {
        const struct answer_choice *choice = &stream->calls.choices[i];
        begin_candidate(&w);
        for (uint32_t k = 0; k < choice->tool_call_count; k++) {
            gemini_print_call(&w, &choice->tool_calls[k]);
        }
        end_parts(&w);
        json_put_text(&w, "finishReason", str_from(gemini_finish_reason(choice->finish)));
        json_put_int(&w, "index", i);
        json_end_object(&w);
    }
    json_end_array(&w);
    gemini_put_usage(&w, usage);
    put_names(stream, &w);
    dialect_put_last(stream->about.is_simulated, stream->is_stopped, &w);
    end_event(&w);
}

void gemini_stream_fail(void *, const struct dialect_error *error, struct buf *out)
{
    (void)buf_put_text(out, "data: ");
    gemini_print_error(error, out);
    (void)buf_put_text(out, "\n\n");
}
