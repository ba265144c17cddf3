/*
 * A stream of chat.completion.chunk. Chunks of an upstream that speaks OpenAI's protocol itself are
 * handed on as they came, but for the usage a client has not asked for. All others are made here,
 * one for each event.
 */
#include "llm-proxy/dialects/openai.h"

#include "base/attr.h"
#include "base/mem.h"
#include "json/json_text.h"

#include <stdlib.h>
#include <string.h>

enum { NAME_BYTES_MAX = 4096, CHOICES_MAX = 64 };

/* A tool call's place among those of its choice. */
struct tool_place {
    uint32_t choice, part, index;
};

struct openai_stream {
    struct dialect_about about;
    struct buf id, model;
    int64_t created_us;
    uint64_t begun; /* bit n: choice n has its role */
    struct tool_place *tools;
    uint32_t tool_count;
    bool is_stopped;   /* by its budget */
    bool is_handed_on; /* chunks of the upstream */
    bool has_usage;    /* the client has got it */
    bool wants_usage;  /* of the request, which lies elsewhere */
};

void *openai_stream_new(const struct dialect_about *about)
{
    struct openai_stream *stream = mem_new(1, sizeof *stream);
    stream->about                = *about;
    stream->wants_usage          = about->request->wants_usage;
    stream->id                   = buf_init(NAME_BYTES_MAX);
    stream->model                = buf_init(NAME_BYTES_MAX);
    stream->created_us           = about->created_us;
    return stream;
}

void openai_stream_free(void *context)
{
    struct openai_stream *stream = context;
    if (!stream) return;
    buf_done(&stream->id);
    buf_done(&stream->model);
    free(stream->tools);
    free(stream);
}

/* --- chunks that came --------------------------------------------------------------------------
 */

/* As it came, but for a usage that nobody has asked for and that says nothing. False: the chunk is
 * to be written anew. */
static bool put_raw(const struct openai_stream *stream, str raw, struct buf *out)
{
    static const char usage[] = "\"usage\"";
    static const char none[]  = ",\"usage\":null";
    const char *end           = raw.ptr + raw.len;
    const char *from          = NULL; /* of what is left out */
    const char *to            = NULL;
    if (raw.len == 0) return false;
    if (!stream->wants_usage) {
        from = memmem(raw.ptr, raw.len, usage, sizeof usage - 1);
    }
    if (from) {
        to           = from + sizeof none - 2;
        bool is_none = from > raw.ptr && to <= end && memcmp(from - 1, none, sizeof none - 1) == 0;
        if (!is_none || memmem(to, (size_t)(end - to), usage, sizeof usage - 1)) return false;
        from--;
    }
    (void)buf_reserve(out, raw.len + sizeof "data: \n\n"); /* at once, for all that follows */
    (void)buf_put_text(out, "data: ");
    (void)buf_put(out, raw.ptr, (size_t)((from ? from : end) - raw.ptr));
    if (to) (void)buf_put(out, to, (size_t)(end - to));
    (void)buf_put_text(out, "\n\n");
    return true;
}

static void put_anew(const struct openai_stream *stream, json chunk, struct buf *out)
{
    struct json_writer w = json_writer_init(out);
    (void)buf_put_text(out, "data: ");
    json_begin_object(&w);
    for (size_t i = 0; i < json_count(chunk); i++) {
        bool is_usage = str_is(json_key_at(chunk, i), "usage");
        if (is_usage && !stream->wants_usage) continue;
        json_member_str(&w, json_key_at(chunk, i));
        json_write_value(&w, json_value_at(chunk, i));
    }
    json_end_object(&w);
    (void)buf_put_text(out, "\n\n");
}

/* The other one was looked at. */
static void hand_on_alike(const struct openai_stream *stream, str raw, struct buf *out)
{
    const struct json_limits limits = {.allow_duplicate_keys = true};
    CLEANUP(json_unrefp) json chunk = json_invalid();
    if (put_raw(stream, raw, out)) return;
    if (json_parse(raw, &limits, &chunk, NULL, NULL) == STATUS_OK) put_anew(stream, chunk, out);
}

static void hand_on(struct openai_stream *stream, json chunk, str raw, struct buf *out)
{
    json usage           = json_get_text(chunk, "usage");
    bool wants_usage     = stream->wants_usage;
    bool has_usage       = json_is(usage, JSON_OBJECT);
    bool has_choices     = json_count(json_get_text(chunk, "choices")) > 0;
    stream->is_handed_on = true;
    if (has_usage && !has_choices && !wants_usage) return;
    stream->has_usage = stream->has_usage || has_usage;
    if (!put_raw(stream, raw, out)) put_anew(stream, chunk, out);
}

/* --- chunks that are made ----------------------------------------------------------------------
 */

static void begin_chunk(const struct openai_stream *stream, struct json_writer *w)
{
    bool has_id    = stream->id.len > 0;
    bool has_model = stream->model.len > 0;
    (void)buf_put_text(w->out, "data: ");
    json_begin_object(w);
    json_put_text(w, "id", has_id ? buf_str(&stream->id) : stream->about.id);
    json_put_text(w, "object", str_from("chat.completion.chunk"));
    json_put_int(w, "created", stream->created_us / 1'000'000);
    json_put_text(w, "model", has_model ? buf_str(&stream->model) : stream->about.request->model);
    json_member(w, "choices");
    json_begin_array(w);
}

static void end_chunk(struct json_writer *w)
{
    json_end_object(w);
    (void)buf_put_text(w->out, "\n\n");
}

static void begin_delta(struct openai_stream *stream, const struct llm_event *event,
                        struct json_writer *w)
{
    uint64_t bit = event->choice < CHOICES_MAX ? UINT64_C(1) << event->choice : 0;
    begin_chunk(stream, w);
    json_begin_object(w);
    json_put_int(w, "index", event->choice);
    json_member(w, "delta");
    json_begin_object(w);
    if ((stream->begun & bit) == 0) json_put_text(w, "role", str_from("assistant"));
    stream->begun |= bit;
}

static void end_delta(struct openai_stream *stream, const struct llm_event *event,
                      struct json_writer *w)
{
    bool is_last = event->kind == LLM_FINISH;
    json_end_object(w);
    json_member(w, "logprobs");
    json_write_null(w);
    json_member(w, "finish_reason");
    if (is_last) {
        json_write_text(w, str_from(llm_finish_name(event->finish)));
    } else {
        json_write_null(w);
    }
    json_end_object(w);
    json_end_array(w);
    if (stream->wants_usage) {
        json_member(w, "usage");
        json_write_null(w);
    }
    if (is_last) dialect_put_last(stream->about.is_simulated, stream->is_stopped, w);
    end_chunk(w);
}

/* Their index counts tool calls of a choice; parts count everything. */
static uint32_t tool_index(struct openai_stream *stream, const struct llm_event *event)
{
    uint32_t index = 0;
    for (uint32_t i = 0; i < stream->tool_count; i++) {
        const struct tool_place *place = &stream->tools[i];
        if (place->choice != event->choice) continue;
        if (place->part == event->part) return place->index;
        index++;
    }
    if (stream->tool_count == CHOICES_MAX * ANSWER_TOOL_CALLS_MAX) return index;
    stream->tools = mem_resize(stream->tools, stream->tool_count + 1, sizeof *stream->tools);
    stream->tools[stream->tool_count++] =
        (struct tool_place){.choice = event->choice, .part = event->part, .index = index};
    return index;
}

static void print_tool(struct openai_stream *stream, const struct llm_event *event,
                       struct json_writer *w)
{
    json_member(w, "tool_calls");
    json_begin_array(w);
    json_begin_object(w);
    json_put_int(w, "index", tool_index(stream, event));
    if (event->kind == LLM_TOOL_START) {
        json_put_text(w, "id", event->id);
        json_put_text(w, "type", str_from("function"));
    }
    json_member(w, "function");
    json_begin_object(w);
    if (event->kind == LLM_TOOL_START) json_put_text(w, "name", event->name);
    json_put_text(w, "arguments", event->kind == LLM_TOOL_ARGS ? event->bytes : str_from(""));
    json_end_object(w);
    json_end_object(w);
    json_end_array(w);
}

static void print_delta(struct openai_stream *stream, const struct llm_event *event,
                        struct buf *out)
{
    struct json_writer w = json_writer_init(out);
    begin_delta(stream, event, &w);
    switch (event->kind) {
    case LLM_TEXT: json_put_text(&w, "content", event->bytes); break;
    case LLM_REFUSAL: json_put_text(&w, "refusal", event->bytes); break;
    case LLM_THINKING: json_put_text(&w, "reasoning_content", event->bytes); break;
    case LLM_TOOL_START:
    case LLM_TOOL_ARGS: print_tool(stream, event, &w); break;
    default: break; /* LLM_FINISH: an empty delta */
    }
    end_delta(stream, event, &w);
}

static void take_start(struct openai_stream *stream, const struct llm_event *event)
{
    (void)buf_put_str(&stream->id, event->id);
    (void)buf_put_str(&stream->model, event->model);
    if (event->created_us > 0) stream->created_us = event->created_us;
}

void openai_stream_event(void *context, const struct llm_event *event, struct buf *out)
{
    struct openai_stream *stream = context;
    if (event->kind == LLM_CHUNK && event->protocol == PROTOCOL_OPENAI && event->is_alike) {
        hand_on_alike(stream, event->raw, out);
    } else if (event->kind == LLM_CHUNK && event->protocol == PROTOCOL_OPENAI) {
        hand_on(stream, event->chunk, event->raw, out);
    } else if (event->kind == LLM_START) {
        take_start(stream, event);
    } else if (!stream->is_handed_on && event->kind != LLM_CHUNK && event->kind != LLM_OPAQUE &&
               event->kind != LLM_USAGE && event->kind != LLM_VECTOR) {
        print_delta(stream, event, out);
    }
}

/* --- the end -----------------------------------------------------------------------------------
 */

void openai_stream_stop(void *context)
{
    struct openai_stream *stream = context;
    stream->is_handed_on         = false;
    stream->is_stopped           = true;
    stream->begun                = UINT64_MAX;
}

void openai_stream_end(void *context, const struct llm_usage *usage, struct buf *out)
{
    struct openai_stream *stream = context;
    if (stream->wants_usage && !stream->has_usage) {
        struct json_writer w = json_writer_init(out);
        begin_chunk(stream, &w);
        json_end_array(&w);
        openai_put_usage(&w, usage);
        dialect_put_last(stream->about.is_simulated, stream->is_stopped, &w);
        end_chunk(&w);
    }
    (void)buf_put_text(out, "data: [DONE]\n\n");
}

void openai_stream_fail(void *, const struct dialect_error *error, struct buf *out)
{
    (void)buf_put_text(out, "data: ");
    openai_print_error(error, out);
    (void)buf_put_text(out, "\n\n");
}
