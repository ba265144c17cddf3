#include "tool-adapter/peers/line_frames.h"

#include "base/assert.h"
#include "tool-adapter/peers/rpc_reply.h"
#include "json/json_text.h"

#include <string.h>

void line_frames_init(struct line_frames *frames, size_t size_max)
{
    *frames = (struct line_frames){.bytes = buf_init(SIZE_MAX / 2), .size_max = size_max};
}

void line_frames_done(struct line_frames *frames)
{
    buf_done(&frames->bytes);
}

void line_frames_put(struct line_frames *frames, str piece)
{
    buf_consume(&frames->bytes, frames->from);
    frames->searched -= frames->from;
    frames->from = 0;
    bool fits    = buf_put_str(&frames->bytes, piece);
    ASSERT(fits); /* a line and a piece: next() has said so long before */
}

/* The next line, or what there is of it: then false. */
static bool next_line(struct line_frames *frames, str *ret_line)
{
    str all         = buf_str(&frames->bytes);
    str rest        = str_slice(all, frames->searched, all.len);
    const char *end = rest.len > 0 ? memchr(rest.ptr, '\n', rest.len) : NULL;
    if (!end) {
        frames->searched = all.len;
        *ret_line        = str_slice(all, frames->from, all.len);
        return false;
    }
    size_t at        = (size_t)(end - all.ptr);
    *ret_line        = str_slice(all, frames->from, at);
    frames->from     = at + 1;
    frames->searched = at + 1;
    return true;
}

status line_frames_next(struct line_frames *frames, json *ret_message, struct error *reterr)
{
    static const struct json_limits limits = {
        .depth_max = RPC_DEPTH_MAX, .values_max = RPC_VALUES_MAX, .allow_duplicate_keys = true};
    str line     = {};
    *ret_message = json_invalid();
    for (;;) {
        json message = json_invalid();
        bool is_line = next_line(frames, &line);
        if (line.len > frames->size_max) {
            return fail(reterr, STATUS_RESOURCE_EXHAUSTED, "a message has more than %zu bytes",
                        frames->size_max);
        }
        if (!is_line) return STATUS_OK;
        status code = json_parse(line, &limits, &message, NULL, reterr);
        if (code == STATUS_RESOURCE_EXHAUSTED) return code;
        if (code == STATUS_OK && (json_is(message, JSON_OBJECT) || json_is(message, JSON_ARRAY))) {
            *ret_message = message;
            return STATUS_OK;
        }
        json_unref(message);
        frames->foreign++;
    }
}
