/**
 * wire: commands to a browser, their answers, and what it says by itself, over pipe_frames.h.
 *
 * A command goes to the browser as a whole or to a session, which is one page, frame or worker.
 * Whoever sends one and goes away forgets it: no answer comes then. Protocol:
 * chromedevtools.github.io/devtools-protocol.
 *
 * Threads: belongs to the loop; callbacks never come from inside wire_send().
 */
#ifndef TOOL_ADAPTER_BROWSER_WIRE_H
#define TOOL_ADAPTER_BROWSER_WIRE_H

#include "tool-adapter/browser/pipe_frames.h"

enum {
    WIRE_COMMANDS_MAX = 10'000, /* without an answer; what is more is not sent */
    WIRE_SESSIONS_MAX = 10'000,
    WIRE_MESSAGE_MAX  = 64 << 20, /* bytes of one command */
};

struct wire;

/** `error` NULL: it was done, and `result` is what it says; both are views. */
typedef void wire_answer_fn(json result, const char *error, void *context);

/** Who hears what a session says; lies in its owner's memory. */
struct wire_session {
    void (*event)(struct wire_session *session, str method, json params, void *context);
    void *context;
    char *id;    /* of wire.c; NULL: not listening */
    size_t size; /* of wire.c: bytes of the event that is told */
};

struct wire_options {
    bool (*write)(str message, void *context);
    void *context;
    size_t frame_max; /* bytes; 0: FRAME_SIZE_MAX */
};

/** Owned: wire_freep(). */
struct wire *wire_new(const struct wire_options *options);
/** Commands without an answer are forgotten. NULL is fine. */
void wire_freep(struct wire **wire);

/** What the browser wrote. INVALID_ARGUMENT: it is no browser. */
status wire_hear(struct wire *wire, str piece, struct error *reterr);

struct wire_command {
    const struct wire_session *session; /* NULL: the browser as a whole */
    const char *method;
    json params;            /* taken; JSON_INVALID: none */
    wire_answer_fn *answer; /* NULL: nobody wants to know */
    void *context;
};

/** What cannot be sent has no answer: the browser is about to end. */
void wire_send(struct wire *wire, const struct wire_command *command);

/** No answer comes to `context` any more. */
void wire_forget(struct wire *wire, const void *context);

/** False: WIRE_SESSIONS_MAX, or it is listened to already. */
bool wire_listen(struct wire *wire, struct wire_session *session, str id);
/** Does nothing if it does not listen. */
void wire_leave(struct wire *wire, struct wire_session *session);
/** NULL: nobody listens to it. */
struct wire_session *wire_session_of(const struct wire *wire, str id);

#endif
