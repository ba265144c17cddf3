/*
 * What a program that speaks JSON-RPC writes: the first byte says how it is cut. Cut or whole it
 * must mean the same.
 */
#include "base/assert.h"
#include "base/attr.h"
#include "tool-adapter/peers/line_frames.h"
#include "json/json_text.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { SIZE_MAX_OF_LINE = 256, SEEN_MAX = 1 << 20 };

struct seen {
    struct buf messages; /* printed */
    uint64_t foreign;
    status code;
};

static void seen_done(struct seen *seen)
{
    buf_done(&seen->messages);
}

static void hear(struct seen *seen, str text, size_t piece)
{
    struct line_frames frames;
    line_frames_init(&frames, SIZE_MAX_OF_LINE);
    seen->messages = buf_init(SEEN_MAX);
    for (size_t at = 0; at < text.len && seen->code == STATUS_OK; at += piece) {
        size_t end = at + piece < text.len ? at + piece : text.len;
        line_frames_put(&frames, str_slice(text, at, end));
        for (;;) {
            CLEANUP(json_unrefp) json message = json_invalid();
            seen->code                        = line_frames_next(&frames, &message, NULL);
            if (json_is(message, JSON_INVALID)) break;
            ASSERT(seen->code == STATUS_OK);
            (void)json_print(message, JSON_COMPACT, &seen->messages);
        }
    }
    seen->foreign = frames.foreign;
    line_frames_done(&frames);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 1) return 0;
    str text                             = {.ptr = (const char *)data + 1, .len = size - 1};
    CLEANUP(seen_done) struct seen whole = {};
    CLEANUP(seen_done) struct seen cut   = {};
    hear(&whole, text, text.len + 1);
    hear(&cut, text, (size_t)data[0] + 1);
    ASSERT(whole.code == cut.code);
    ASSERT(whole.foreign == cut.foreign);
    ASSERT(str_equal(buf_str(&whole.messages), buf_str(&cut.messages)));
    return 0;
}
