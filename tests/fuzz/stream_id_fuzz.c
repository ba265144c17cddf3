/* The id of a frame as a client sends it back, and a stream that is cut where it says. */
#include "base/assert.h"
#include "base/attr.h"
#include "gateway/llm/llm_resume.h"
#include "llm-proxy/answers/frames.h"

enum { OUT_MAX = 64 << 20 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* All frames of a stream are found again, one behind the other. */
static void number(Pb__LlmOperation operation, str events)
{
    CLEANUP(buf_done) struct buf out = buf_init(OUT_MAX);
    uint64_t count                   = 0;
    while (events.len > 0) {
        str event = frames_first(events);
        ASSERT(event.len > 0 && event.len <= events.len);
        events = str_slice(events, event.len, events.len);
        if (event.len < 2 || event.ptr[event.len - 1] != '\n') break; /* the rest is no frame */
        frames_put(operation, "s", ++count, event, &out);
    }
    size_t before = 0;
    for (uint64_t i = 1; i <= count; i++) {
        size_t at = frames_behind(operation, buf_str(&out), i, false);
        ASSERT(at > before && at <= out.len);
        before = at;
    }
    ASSERT(before == out.len);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    str text          = {.ptr = (const char *)data, .len = size};
    str stream        = {};
    uint64_t sequence = 0;
    if (llm_resume_read_id(text, &stream, &sequence)) {
        ASSERT(stream.len > 0 && stream.len < text.len);
        ASSERT(text.ptr[stream.len] == ':');
    }
    (void)frames_behind(PB__LLM_OPERATION__LLM_OPERATION_OPENAI_CHAT, text, sequence, true);
    number(PB__LLM_OPERATION__LLM_OPERATION_GEMINI_CONTENT, text);
    return 0;
}
