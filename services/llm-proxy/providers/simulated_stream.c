/* A simulated answer as a stream: recorded at once, then said token by token. */
#include "llm-proxy/providers/simulated.h"

#include "base/arena.h"
#include "base/assert.h"
#include "base/mem.h"
#include "workflow/token_estimate.h"

#include <stdlib.h>

enum { ARENA_MAX = 16 << 20, EVENTS_MAX = 2'048 };

struct simulated_stream {
    struct arena *arena; /* texts of the events */
    struct llm_event *events;
    uint32_t count;
    uint32_t position; /* of the event that is being said */
    size_t said;       /* bytes of it */
    int64_t tokens;    /* said so far */
    int64_t begin_ms, tokens_per_second, cut_after;
};

static str keep(struct simulated_stream *stream, str text)
{
    char *copy = text.len > 0 ? arena_strdup(stream->arena, text) : NULL;
    return copy ? (str){.ptr = copy, .len = text.len} : (str){};
}

static void record(const struct llm_event *event, void *context)
{
    struct simulated_stream *stream = context;
    if (stream->count == EVENTS_MAX) return;
    stream->events         = mem_resize(stream->events, stream->count + 1, sizeof *stream->events);
    struct llm_event *copy = &stream->events[stream->count++];
    *copy                  = *event;
    copy->bytes            = keep(stream, event->bytes);
    copy->id               = keep(stream, event->id);
    copy->name             = keep(stream, event->name);
    copy->model            = keep(stream, event->model);
    copy->error.text       = keep(stream, event->error.text);
}

struct simulated_stream *simulated_stream_new(const struct provider *provider,
                                              const struct chat_request *request, str model,
                                              uint64_t number, int64_t now_ms)
{
    struct simulated_stream *stream = mem_new(1, sizeof *stream);
    struct provider whole           = *provider;
    whole.simulation.cut_after      = 0; /* here it is cut in its middle */
    stream->arena                   = arena_new(ARENA_MAX);
    stream->cut_after               = provider->simulation.cut_after;
    stream->tokens_per_second       = provider->simulation.tokens_per_second;
    stream->begin_ms                = now_ms + simulated_first_ms(provider, request);
    simulated_answer(&whole, request, model, number, record, stream);
    return stream;
}

void simulated_stream_free(struct simulated_stream *stream)
{
    if (!stream) return;
    arena_free(stream->arena);
    free(stream->events);
    free(stream);
}

int64_t simulated_stream_due_ms(const struct simulated_stream *stream)
{
    if (stream->tokens_per_second <= 0) return stream->begin_ms;
    return stream->begin_ms + stream->tokens * 1000 / stream->tokens_per_second;
}

static bool is_spoken(const struct llm_event *event)
{
    return event->kind == LLM_TEXT || event->kind == LLM_TOOL_ARGS;
}

/* A token ends where a character does. */
static size_t token_end(str text, size_t from)
{
    size_t to = from + CHAT_BYTES_PER_TOKEN;
    if (to >= text.len) return text.len;
    while (to < text.len && ((uint8_t)text.ptr[to] & 0xc0) == 0x80) to++;
    return to;
}

static void say_token(struct simulated_stream *stream, llm_sink *sink, void *context)
{
    const struct llm_event *event = &stream->events[stream->position];
    struct llm_event piece        = *event;
    size_t to                     = token_end(event->bytes, stream->said);
    piece.bytes                   = str_slice(event->bytes, stream->said, to);
    stream->said                  = to;
    stream->tokens++;
    if (to == event->bytes.len) {
        stream->position++;
        stream->said = 0;
    }
    sink(&piece, context);
}

static bool cut(llm_sink *sink, void *context)
{
    const struct llm_event error = {
        .kind  = LLM_ERROR,
        .error = {.class = LLM_ERROR_CONNECT,
                  .text  = str_from("the simulated provider cuts as configured")}};
    const struct llm_event end = {.kind = LLM_END, .end = END_CUT};
    sink(&error, context);
    sink(&end, context);
    return false;
}

bool simulated_stream_send(struct simulated_stream *stream, llm_sink *sink, void *context)
{
    ASSERT(stream->position < stream->count);
    const struct llm_event *event = &stream->events[stream->position];
    bool is_cut                   = stream->cut_after > 0 && stream->tokens >= stream->cut_after;
    if (is_cut && is_spoken(event)) return cut(sink, context);
    if (is_spoken(event)) {
        say_token(stream, sink, context);
        return true;
    }
    stream->position++;
    sink(event, context);
    return event->kind != LLM_END;
}
