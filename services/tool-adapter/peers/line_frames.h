/**
 * line_frames: the messages of a program that speaks JSON-RPC over its standard output: JSON, each
 * ended by a line feed.
 *
 * What comes is a stranger's, cut anywhere. A message is one line of at most `size_max` bytes,
 * RPC_DEPTH_MAX levels and RPC_VALUES_MAX values: whoever writes more than that is not heard any
 * further, since nobody knows whose answer it was. Lines that are no JSON object or array are
 * passed over and counted: many programs print a greeting.
 *
 * Source: modelcontextprotocol.io, specification 2025-11-25 and 2026-07-28, "Transports", stdio.
 *
 * Threads: none of its own.
 */
#ifndef TOOL_ADAPTER_LINE_FRAMES_H
#define TOOL_ADAPTER_LINE_FRAMES_H

#include "base/buf.h"
#include "base/status.h"
#include "json/json.h"

struct line_frames {
    struct buf bytes; /* what came and was not read yet */
    size_t from;      /* where the next line begins */
    size_t searched;  /* no line feed from `from` up to here */
    size_t size_max;
    uint64_t foreign; /* lines that were passed over */
};

void line_frames_init(struct line_frames *frames, size_t size_max);
void line_frames_done(struct line_frames *frames);

/** Takes over what was read: ask for its messages before the next piece. */
void line_frames_put(struct line_frames *frames, str piece);

/** The next whole message, owned; JSON_INVALID: there is none yet. RESOURCE_EXHAUSTED: a line is
 * too long, or nests too deeply, or has too many values; nothing is to be read any more then. */
status line_frames_next(struct line_frames *frames, json *ret_message, struct error *reterr);

#endif
