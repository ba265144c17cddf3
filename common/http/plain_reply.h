/**
 * plain_reply: the answer to one HTTP/1.1 request, taken out of the bytes of a connection.
 *
 * As strict as the server's parser (framing/): two lengths, a length beside chunks, an unknown
 * transfer coding, folded lines or a bare LF could mean two things, so such an answer is refused.
 *
 * No sockets, no clock, no memory of its own. Not thread-safe.
 */
#ifndef HTTP_PLAIN_REPLY_H
#define HTTP_PLAIN_REPLY_H

#include "framing/chunks.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct reply {
    enum {
        REPLY_HEAD,
        REPLY_LENGTH, /* a body of `left` bytes */
        REPLY_CHUNKS,
        REPLY_UNTIL_CLOSE,
        REPLY_ENDED,
    } state;
    bool is_to_head;    /* the request was a HEAD: there is no body, whatever is announced */
    bool is_kept_alive; /* the connection may carry another request; valid once it has ended */
    size_t scanned;     /* bytes of the head in which its end is not */
    uint64_t left;
    struct chunks chunks;
    const char *wrong; /* what is wrong with it, after REPLY_BAD; static */
};

/** The beginning of an answer. */
struct reply reply_init(bool is_to_head);

enum reply_step {
    REPLY_MORE,  /* as much as can be was taken; what is left is the beginning of a head */
    REPLY_LINES, /* `*ret_piece`: a whole head with its empty line, maybe of an interim answer */
    REPLY_DATA,  /* `*ret_piece`: a piece of the body, never empty */
    REPLY_END,   /* the answer is complete; the rest is not touched */
    REPLY_BAD,
};

/** Takes bytes off the front of `*input`; the piece is a view of it. After REPLY_LINES and
 * REPLY_DATA: call again, with no new bytes, too. A head that is not complete must come again with
 * what follows it. */
enum reply_step reply_next(struct reply *reply, str *input, str *ret_piece);

/** The peer has closed: says whether that is the end of the answer. */
bool reply_ends_by_close(struct reply *reply);

#endif
