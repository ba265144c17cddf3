#include "llm-proxy/answers/frames.h"

#include <inttypes.h>
#include <string.h>

str frames_first(str events)
{
    const char *end = memmem(events.ptr, events.len, "\n\n", 2);
    return end ? str_slice(events, 0, (size_t)(end - events.ptr) + 2) : events;
}

static bool has_id_behind(Pb__LlmOperation operation)
{
    return operation == PB__LLM_OPERATION__LLM_OPERATION_GEMINI_CONTENT;
}

void frames_put(Pb__LlmOperation operation, const char *stream, uint64_t sequence, str event,
                struct buf *out)
{
    if (has_id_behind(operation)) {
        (void)buf_put_str(out, event);
        (void)buf_printf(out, "id: %s:%" PRIu64 "\n\n", stream, sequence);
    } else {
        (void)buf_printf(out, "id: %s:%" PRIu64 "\n", stream, sequence);
        (void)buf_put_str(out, event);
    }
}

static size_t frame_len(Pb__LlmOperation operation, str frames)
{
    size_t len = frames_first(frames).len;
    if (has_id_behind(operation)) len += frames_first(str_slice(frames, len, frames.len)).len;
    return len;
}

size_t frames_behind(Pb__LlmOperation operation, str frames, uint64_t sequence, bool is_interrupted)
{
    size_t at = 0;
    for (uint64_t i = 0; i < sequence && at < frames.len; i++) {
        size_t len = frame_len(operation, str_slice(frames, at, frames.len));
        if (is_interrupted && at + len == frames.len && sequence < FRAMES_LAST_SEQUENCE) break;
        at += len;
    }
    return at;
}
