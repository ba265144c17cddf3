/**
 * decoder: the streamed answer of an upstream, read as it comes.
 *
 * What all protocols share is here: the lines of an event stream (http/sse.h: LF, CR or CRLF,
 * comments, data over several lines, pieces cut anywhere), limits, JSON, and that every answer ends
 * exactly once. What the events of a protocol mean is a table of functions, a decoder_kind, which
 * lies beside its provider in providers/.
 *
 * What the sink gets: the events of event.h, each LLM_CHUNK before those that were made of it (none
 * for an event that says an error); one LLM_END as the last of all, after an LLM_ERROR if the
 * answer is not whole. How the stream was cut into pieces makes no difference. An event that is too
 * long or is no JSON, and a stream that ends before the protocol says so, are errors of class
 * LLM_ERROR_CONNECT. What comes after the end is ignored.
 *
 * Threads: one. The sink may not free the decoder.
 */
#ifndef LLM_PROXY_DECODER_H
#define LLM_PROXY_DECODER_H

#include "llm-proxy/stream/event.h"
#include "loop/loop.h"

#include <stddef.h>

enum {
    DECODER_EVENT_MAX  = 1 << 20, /* bytes of one event */
    DECODER_DEPTH_MAX  = 64,      /* of its JSON */
    DECODER_VALUES_MAX = 100'000,
};

struct decoder;

struct decoder_kind {
    enum llm_protocol protocol;
    size_t state_size; /* of what the kind keeps between events: decoder_state() */

    /** One event: its name ("message" if it has none) and its data. What the kind makes of it goes
     * out by decoder_send(), and ends by decoder_complete() or decoder_fail(). */
    void (*event)(struct decoder *decoder, str name, json data);

    /** Data that is no JSON, such as "[DONE]": says whether it means something. NULL: none does. */
    bool (*word)(struct decoder *decoder, str data);

    /** The stream has ended between two events, and no event has said that this is the end: says
     * whether the answer is whole nevertheless. NULL: it never is. */
    bool (*is_whole)(struct decoder *decoder);

    /** The names of members that `event` makes an LLM_TEXT or LLM_THINKING of, with a NULL at the
     * end: an event that differs only in such a text from one that meant this text and nothing else
     * is taken as its like, without `event` (likeness.h). NULL: `event` wants them all. */
    const char *const *text_keys, *const *thinking_keys;

    /** Whether others may be like that one. NULL: all of them. */
    bool (*has_likes)(json data);

    /** Releases what the state holds. NULL: nothing. */
    void (*done)(void *state);
};

/** Owned. The sink is called from decoder_feed() and decoder_end() only. */
struct decoder *decoder_new(const struct decoder_kind *kind, llm_sink *sink, void *context);
void decoder_free(struct decoder *decoder);
void decoder_freep(struct decoder **decoder);

/** Adds what decoder_feed() looks at. */
void decoder_ahead(const struct decoder *decoder, struct loop_ahead *ahead);

/** The next piece of the body; of any length. */
void decoder_feed(struct decoder *decoder, str piece);

/** The body is over. Sends LLM_END if that has not been. */
void decoder_end(struct decoder *decoder);

/** Says whether LLM_END was sent: the rest of the body means nothing. */
bool decoder_is_over(const struct decoder *decoder);

/* --- for kinds ---------------------------------------------------------------------------------
 */

/** `state_size` bytes, zeroed at first. */
void *decoder_state(struct decoder *decoder);

/** Hands on one event, but for LLM_ERROR and LLM_END. Ignored after the end. */
void decoder_send(struct decoder *decoder, const struct llm_event *event);

/** The answer is whole: LLM_END. */
void decoder_complete(struct decoder *decoder);

/** The upstream says that it has failed, or what it says is malformed: LLM_ERROR, LLM_END. */
void decoder_fail(struct decoder *decoder, const struct llm_error *error);
void decoder_fail_malformed(struct decoder *decoder, const char *text);

#endif
