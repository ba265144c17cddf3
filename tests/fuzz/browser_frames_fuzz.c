/*
 * What a browser writes to its pipe: the first byte of the input is the size of the pieces it comes
 * in. All in one piece gives the same number of messages.
 */
#include "base/assert.h"
#include "base/attr.h"
#include "tool-adapter/browser/pipe_frames.h"

enum { SIZE_MAX_SMALL = 256 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static unsigned read_all(str text, size_t step)
{
    struct pipe_frames frames;
    unsigned count = 0;
    status code    = STATUS_OK;
    pipe_frames_init(&frames, SIZE_MAX_SMALL);
    for (size_t at = 0; at < text.len && code == STATUS_OK; at += step) {
        pipe_frames_put(&frames, str_slice(text, at, at + step));
        for (;;) {
            CLEANUP(json_unrefp) json message = json_invalid();
            code                              = pipe_frames_next(&frames, &message, NULL);
            if (code != STATUS_OK || json_is(message, JSON_INVALID)) break;
            ASSERT(json_is(message, JSON_OBJECT));
            count++;
        }
    }
    pipe_frames_done(&frames);
    return count;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0) return 0;
    str text    = {.ptr = (const char *)data + 1, .len = size - 1};
    size_t step = (size_t)data[0] + 1;
    ASSERT(read_all(text, step) == read_all(text, text.len + 1));
    return 0;
}
