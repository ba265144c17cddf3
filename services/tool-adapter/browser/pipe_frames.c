#include "tool-adapter/browser/pipe_frames.h"

#include "base/assert.h"
#include "json/json_text.h"

enum { COMPACT_MIN = 64 << 10 /* read bytes are dropped from here on */ };

void pipe_frames_init(struct pipe_frames *frames, size_t size_max)
{
    /* What is not read yet, and what one reading brings, is bounded by whoever puts it. */
    *frames = (struct pipe_frames){.bytes = buf_init(SIZE_MAX / 2), .size_max = size_max};
}

void pipe_frames_done(struct pipe_frames *frames)
{
    buf_done(&frames->bytes);
}

static void drop_read(struct pipe_frames *frames)
{
    if (frames->from == frames->bytes.len) {
        buf_clear(&frames->bytes);
    } else if (frames->from >= COMPACT_MIN && frames->from >= frames->bytes.len / 2) {
        buf_consume(&frames->bytes, frames->from);
    } else {
        return;
    }
    frames->searched -= frames->from;
    frames->from = 0;
}

void pipe_frames_put(struct pipe_frames *frames, str piece)
{
    if (piece.len == 0) return;
    drop_read(frames);
    bool fits = buf_put_str(&frames->bytes, piece);
    ASSERT(fits);
}

/* False: its end has not come. What of a frame is too much is forgotten at once. */
static bool find_frame(struct pipe_frames *frames, str *ret_frame)
{
    str all   = buf_str(&frames->bytes);
    str rest  = str_slice(all, frames->searched, all.len);
    char *end = rest.len > 0 ? memchr(rest.ptr, '\0', rest.len) : NULL;
    if (!end) {
        frames->searched = all.len;
        if (frames->searched - frames->from > frames->size_max) frames->is_skipping = true;
        if (frames->is_skipping) frames->from = frames->searched;
        return false;
    }
    size_t at        = (size_t)(end - all.ptr);
    *ret_frame       = str_slice(all, frames->from, at);
    frames->from     = at + 1;
    frames->searched = at + 1;
    return true;
}

status pipe_frames_next(struct pipe_frames *frames, json *ret_message, struct error *reterr)
{
    static const struct json_limits limits = {.depth_max               = FRAME_DEPTH_MAX,
                                              .values_max              = FRAME_VALUES_MAX,
                                              .allow_duplicate_keys    = true,
                                              .replace_lone_surrogates = true};
    json message                           = json_invalid();
    str frame                              = {};
    *ret_message                           = json_invalid();
    while (find_frame(frames, &frame)) {
        if (frames->is_skipping || frame.len > frames->size_max) {
            frames->is_skipping = false;
            frames->skipped++;
            continue;
        }
        status code = json_parse(frame, &limits, &message, NULL, reterr);
        if (code == STATUS_RESOURCE_EXHAUSTED) {
            frames->skipped++;
            continue;
        }
        if (code != STATUS_OK || !json_is(message, JSON_OBJECT)) {
            json_unref(message);
            return fail(reterr, STATUS_INVALID_ARGUMENT, "what it says is no message of a browser");
        }
        frames->size = frame.len;
        *ret_message = message;
        return STATUS_OK;
    }
    return STATUS_OK;
}
