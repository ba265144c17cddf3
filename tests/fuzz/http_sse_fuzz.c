/*
 * The first two bytes say how the stream is cut; fed in such pieces and fed whole it must give the
 * same events, or fail both times.
 */
#include "base/assert.h"
#include "base/buf.h"
#include "http/sse.h"

#include <stdint.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { EVENT_MAX = 64, LOG_MAX = 1 << 20 };

static status note(const struct sse_event *event, void *context)
{
    struct buf *log = context;
    (void)buf_put_u32(log, (uint32_t)event->name.len);
    (void)buf_put_str(log, event->name);
    (void)buf_put_u32(log, (uint32_t)event->id.len);
    (void)buf_put_str(log, event->id);
    (void)buf_put_u32(log, (uint32_t)event->data.len);
    (void)buf_put_str(log, event->data);
    return STATUS_OK;
}

struct seen {
    struct buf log;
    status code;
    int64_t retry_ms;
    bool is_clean;
};

static void seen_done(struct seen *seen)
{
    buf_done(&seen->log);
}

static void decode(str stream, size_t first, size_t rest, struct seen *seen)
{
    CLEANUP(sse_done) struct sse sse;
    sse_init(&sse, EVENT_MAX, note, &seen->log);
    size_t at   = 0;
    size_t next = first;
    seen->code  = STATUS_OK;
    while (at < stream.len && seen->code == STATUS_OK) {
        seen->code = sse_feed(&sse, str_slice(stream, at, at + next), NULL);
        at += next;
        next = rest;
    }
    seen->retry_ms = sse.retry_ms;
    seen->is_clean = sse_is_clean(&sse);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 2) return 0;
    str stream = {.ptr = (const char *)data + 2, .len = size - 2};

    CLEANUP(seen_done) struct seen whole = {.log = buf_init(LOG_MAX)};
    CLEANUP(seen_done) struct seen cut   = {.log = buf_init(LOG_MAX)};
    decode(stream, stream.len, stream.len, &whole);
    decode(stream, (size_t)data[0] + 1, (size_t)data[1] + 1, &cut);

    ASSERT(whole.code == cut.code);
    ASSERT(str_equal(buf_str(&whole.log), buf_str(&cut.log)));
    if (whole.code != STATUS_OK) return 0;
    ASSERT(whole.retry_ms == cut.retry_ms);
    ASSERT(whole.is_clean == cut.is_clean);
    return 0;
}
