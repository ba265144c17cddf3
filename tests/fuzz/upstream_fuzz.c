/* Whatever an upstream says, as a stream, as a whole or as a count: one end, it is the last event,
 * and a stream cut into bytes, or read as JSON event by event, says the same as one in a piece, and
 * a whole answer that is scanned the same as one that is parsed. */
#include "base/assert.h"
#include "base/buf.h"
#include "llm-proxy/providers/anthropic.h"
#include "llm-proxy/providers/compatible.h"
#include "llm-proxy/providers/gemini.h"
#include "llm-proxy/stream/decoder.h"

#include <string.h>

enum { LOG_MAX = 64 << 20 };

struct seen {
    struct buf log;
    bool has_ended;
};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void take(const struct llm_event *event, void *context)
{
    struct seen *seen = context;
    ASSERT(!seen->has_ended);
    seen->has_ended = event->kind == LLM_END;
    (void)buf_printf(&seen->log, "%d %u.%u %d/", (int)event->kind, event->choice, event->part,
                     (int)event->finish);
    (void)buf_put_str(&seen->log, event->bytes);
    (void)buf_put_str(&seen->log, event->id);
    (void)buf_put_str(&seen->log, event->name);
    (void)buf_put_str(&seen->log, event->model);
    (void)buf_printf(&seen->log, "%lld", (long long)event->created_us);
    const int64_t counters[] = {event->usage.input_tokens,       event->usage.output_tokens,
                                event->usage.cached_tokens,      event->usage.cache_write_tokens,
                                event->usage.reasoning_tokens,   event->usage.input_audio_tokens,
                                event->usage.output_audio_tokens};
    for (size_t i = 0; i < ARRAY_LEN(counters); i++) {
        (void)buf_printf(&seen->log, " %lld", (long long)counters[i]);
    }
    (void)buf_put_byte(&seen->log, ';');
}

static void stream(const struct decoder_kind *kind, str text, size_t step, struct seen *seen)
{
    struct decoder *decoder = decoder_new(kind, take, seen);
    for (size_t i = 0; i < text.len; i += step) {
        decoder_feed(decoder, str_slice(text, i, i + step));
    }
    decoder_end(decoder);
    ASSERT(seen->has_ended);
    decoder_free(decoder);
}

static void try_kind(const struct provider_kind *kind, str text)
{
    struct seen whole         = {.log = buf_init(LOG_MAX)};
    struct seen single        = {.log = buf_init(LOG_MAX)};
    struct seen read          = {.log = buf_init(LOG_MAX)};
    struct seen unary         = {.log = buf_init(LOG_MAX)};
    struct decoder_kind plain = *kind->stream; /* that takes nothing for the like of another */
    plain.text_keys = plain.thinking_keys = NULL;
    stream(kind->stream, text, text.len > 0 ? text.len : 1, &whole);
    stream(kind->stream, text, 1, &single);
    ASSERT(str_equal(buf_str(&whole.log), buf_str(&single.log)));
    stream(&plain, text, text.len > 0 ? text.len : 1, &read);
    ASSERT(str_equal(buf_str(&whole.log), buf_str(&read.log)));
    for (int http = 200; http <= 500; http += 300) {
        const struct http_result result = {
            .code = STATUS_OK, .answer = {.http_status = http}, .body = text};
        unary.has_ended = false;
        kind->decode(&result, take, &unary);
        ASSERT(unary.has_ended);
        if (!kind->counter) continue;
        unary.has_ended = false;
        kind->counter->decode(&result, take, &unary);
        ASSERT(unary.has_ended);
    }
    buf_done(&read.log);
    buf_done(&whole.log);
    buf_done(&single.log);
    buf_done(&unary.log);
}

/* A key with an escape is not scanned: with one more member the same answer is parsed. */
static void scan(str text)
{
    struct seen scanned       = {.log = buf_init(LOG_MAX)};
    struct seen parsed        = {.log = buf_init(LOG_MAX)};
    struct http_result result = {.code = STATUS_OK, .answer = {.http_status = 200}};
    struct buf other          = buf_init(LOG_MAX);
    const char *from          = text.len > 0 ? memchr(text.ptr, '{', text.len) : NULL;
    if (from && compatible_scan(text, take, &scanned)) {
        size_t at = (size_t)(from - text.ptr) + 1;
        (void)buf_put_str(&other, str_slice(text, 0, at));
        (void)buf_put_text(&other, "\"\\u0078-not-scanned\":0,");
        (void)buf_put_str(&other, str_slice(text, at, text.len));
        ASSERT(!compatible_scan(buf_str(&other), take, &parsed));
        result.body = buf_str(&other);
        provider_compatible.decode(&result, take, &parsed);
        ASSERT(str_equal(buf_str(&scanned.log), buf_str(&parsed.log)));
    }
    buf_done(&other);
    buf_done(&scanned.log);
    buf_done(&parsed.log);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    str text = {.ptr = (const char *)data, .len = size};
    scan(text);
    try_kind(&provider_compatible, text);
    try_kind(&provider_anthropic, text);
    try_kind(&provider_gemini, text);
    return 0;
}
