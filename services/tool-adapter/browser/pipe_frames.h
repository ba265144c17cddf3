/**
 * pipe_frames: the messages of a browser's pipe: JSON objects, each ended by a NUL.
 *
 * What a browser writes is foreign: a page decides about much of it. A frame is one object of at
 * most FRAME_SIZE_MAX bytes, FRAME_DEPTH_MAX levels and FRAME_VALUES_MAX values. One that is longer
 * is skipped, so that a page cannot end the browser that others use: whoever waits for it runs into
 * its deadline. Anything else that is no object is a fault of the browser, not of a page.
 *
 * Source: Chromium, `--remote-debugging-pipe` (content/browser/devtools/devtools_pipe_handler.cc).
 *
 * Threads: none of its own.
 */
#ifndef TOOL_ADAPTER_BROWSER_PIPE_FRAMES_H
#define TOOL_ADAPTER_BROWSER_PIPE_FRAMES_H

#include "base/buf.h"
#include "base/status.h"
#include "json/json.h"

enum {
    FRAME_SIZE_MAX   = 64 << 20, /* bytes: a page of 10 Mi characters, each escaped, fits */
    FRAME_DEPTH_MAX  = 64,
    FRAME_VALUES_MAX = 100'000,
};

struct pipe_frames {
    struct buf bytes; /* what came and was not yet read */
    size_t from;      /* where the next frame begins */
    size_t searched;  /* no NUL from there up to here */
    size_t size_max;  /* FRAME_SIZE_MAX, less in tests */
    size_t size;      /* bytes of the message that came last */
    bool is_skipping; /* the rest of a frame that is too long */
    uint64_t skipped; /* frames */
};

void pipe_frames_init(struct pipe_frames *frames, size_t size_max);
void pipe_frames_done(struct pipe_frames *frames);

/** Takes over what was read. */
void pipe_frames_put(struct pipe_frames *frames, str piece);

/** The next whole message. `*ret_message` is owned; JSON_INVALID: there is none yet.
 * INVALID_ARGUMENT: this is no browser. */
status pipe_frames_next(struct pipe_frames *frames, json *ret_message, struct error *reterr);

#endif
