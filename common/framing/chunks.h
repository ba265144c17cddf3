/**
 * chunks: the decoder of chunked bodies (RFC 9112, section 7.1).
 *
 * Sizes have 1 to 8 hexadecimal digits and nothing around them; extensions and trailers are checked
 * for form and dropped. Not thread-safe; no memory of its own.
 */
#ifndef FRAMING_CHUNKS_H
#define FRAMING_CHUNKS_H

#include "base/str.h"

#include <stdint.h>

enum { CHUNKS_EXTRA_MAX = 4 << 10 /* bytes of extensions and trailers */ };

/** State of a decoder. Zeroed is the beginning. */
struct chunks {
    enum {
        CHUNK_SIZE,
        CHUNK_EXTENSION,
        CHUNK_SIZE_LF,
        CHUNK_DATA,
        CHUNK_DATA_CR,
        CHUNK_DATA_LF,
        CHUNK_TRAILER,
        CHUNK_TRAILER_NAME,
        CHUNK_TRAILER_VALUE,
        CHUNK_TRAILER_LF,
        CHUNK_LAST_LF,
        CHUNK_END,
    } state;
    uint64_t left;   /* bytes of the chunk that are still to come */
    unsigned digits; /* of its size, read so far */
    size_t extra;    /* bytes of extensions and trailers so far */
};

enum chunks_step { CHUNKS_MORE, CHUNKS_DATA, CHUNKS_DONE, CHUNKS_BAD };

/** Takes bytes off the front of `*input`. CHUNKS_DATA: `*ret_data` is a piece of the body; call
 * again. CHUNKS_MORE: all was taken. CHUNKS_DONE: the body is complete; the rest is not touched. */
enum chunks_step chunks_next(struct chunks *chunks, str *input, str *ret_data);

#endif
