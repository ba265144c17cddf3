/**
 * sse: a decoder for streams of server-sent events (text/event-stream).
 *
 * Fed with pieces cut anywhere, also between CR and LF or inside a UTF-8 sequence; gives the same
 * events for every way of cutting. Lines end in LF, CR or CRLF; a first byte-order mark, comments
 * and unknown fields are skipped; several data lines are joined by LF. Source: WHATWG HTML, section
 * "Server-sent events". Unlike there, an event that the end of the stream cuts off can be told
 * (sse_is_clean), and an event without data but with a name or id is dropped, as there.
 *
 * Not thread-safe. The data is not checked for UTF-8.
 */
#ifndef HTTP_SSE_H
#define HTTP_SSE_H

#include "base/buf.h"
#include "base/status.h"
#include "base/str.h"

#include <stdbool.h>
#include <stdint.h>

enum {
    SSE_EVENT_MAX = 1024 * 1024, /* bytes of one line, and of one event's data */
    SSE_NAME_MAX  = 256,         /* bytes of the event's name, and of its id */
};

struct sse_event {
    str name; /* "message" if the stream named none */
    str data; /* without the last LF */
    str id;   /* the last one seen; may be empty */
};

/** Gets one event: views for the call only. Any status but OK ends the decoding. */
typedef status (*sse_fn)(const struct sse_event *event, void *context);

/** A decoder in place: sse_init(), then sse_done(). Members are the decoder's own, but for
 * `retry_ms`. */
struct sse {
    sse_fn on_event;
    void *context;
    int64_t retry_ms; /* the stream's wish; -1: none */

    /* Most events come whole, in one piece: they are given as they lie there. */
    struct buf line; /* that has begun in an earlier piece */
    struct buf data; /* likewise, or of several lines: each with its LF */
    str fresh;       /* the only data line so far, if it lies in the piece that is fed */
    struct buf name;
    struct buf id;
    uint64_t comments;
    bool has_data;     /* a data line has come since the last event */
    bool after_cr;     /* the next LF belongs to the CR before it */
    uint8_t bom_bytes; /* of a byte-order mark, matched so far; 0xff: past it */
};

/** `event_max` in bytes; 0: SSE_EVENT_MAX. */
void sse_init(struct sse *sse, size_t event_max, sse_fn on_event, void *context);
void sse_done(struct sse *sse);

/** Feeds the next piece; events come from inside. Fails with what `on_event` returned, or with
 * RESOURCE_EXHAUSTED if a line or an event is too long; feed nothing after a failure. */
status sse_feed(struct sse *sse, str piece, struct error *reterr);

/** At the end of the stream: says whether it ended between two events, so that nothing is cut off.
 */
bool sse_is_clean(const struct sse *sse);

#endif
