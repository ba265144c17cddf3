/* One byte at a time, but for the data itself. */
#include "framing/chunks.h"

#include "base/assert.h"
#include "framing/fields.h"

enum { SIZE_DIGITS_MAX = 8 };

static int hex_value(char c)
{
    if (c >= '0' && c <= '9') return c - '0';
    if (c >= 'a' && c <= 'f') return c - 'a' + 10;
    if (c >= 'A' && c <= 'F') return c - 'A' + 10;
    return -1;
}

static bool step_size(struct chunks *chunks, char c)
{
    int digit = hex_value(c);
    if (digit >= 0) {
        if (chunks->digits == SIZE_DIGITS_MAX) return false;
        chunks->left = chunks->left << 4 | (unsigned)digit;
        chunks->digits++;
        return true;
    }
    chunks->state = c == ';' ? CHUNK_EXTENSION : CHUNK_SIZE_LF;
    return chunks->digits > 0 && (c == ';' || c == '\r');
}

static bool step_size_lf(struct chunks *chunks, char c)
{
    chunks->state  = chunks->left > 0 ? CHUNK_DATA : CHUNK_TRAILER;
    chunks->digits = 0;
    return c == '\n';
}

/* Extensions and trailers: text up to a CR, all of it counted. */
static bool step_extra(struct chunks *chunks, char c)
{
    if (++chunks->extra > CHUNKS_EXTRA_MAX) return false;
    switch (chunks->state) {
    case CHUNK_EXTENSION:
        if (c == '\r') chunks->state = CHUNK_SIZE_LF;
        return c == '\r' || is_text_char(c);
    case CHUNK_TRAILER:
        chunks->state = c == '\r' ? CHUNK_LAST_LF : CHUNK_TRAILER_NAME;
        return c == '\r' || is_token_char(c);
    case CHUNK_TRAILER_NAME:
        if (c == ':') chunks->state = CHUNK_TRAILER_VALUE;
        return c == ':' || is_token_char(c);
    case CHUNK_TRAILER_VALUE:
        if (c == '\r') chunks->state = CHUNK_TRAILER_LF;
        return c == '\r' || is_text_char(c);
    case CHUNK_TRAILER_LF: chunks->state = CHUNK_TRAILER; return c == '\n';
    case CHUNK_SIZE:
    case CHUNK_SIZE_LF:
    case CHUNK_DATA:
    case CHUNK_DATA_CR:
    case CHUNK_DATA_LF:
    case CHUNK_LAST_LF:
    case CHUNK_END: break;
    }
    ASSERT(false);
    return false;
}

static bool step(struct chunks *chunks, char c)
{
    switch (chunks->state) {
    case CHUNK_SIZE: return step_size(chunks, c);
    case CHUNK_SIZE_LF: return step_size_lf(chunks, c);
    case CHUNK_DATA_CR: chunks->state = CHUNK_DATA_LF; return c == '\r';
    case CHUNK_DATA_LF: chunks->state = CHUNK_SIZE; return c == '\n';
    case CHUNK_LAST_LF: chunks->state = CHUNK_END; return c == '\n';
    case CHUNK_EXTENSION:
    case CHUNK_TRAILER:
    case CHUNK_TRAILER_NAME:
    case CHUNK_TRAILER_VALUE:
    case CHUNK_TRAILER_LF: return step_extra(chunks, c);
    case CHUNK_DATA:
    case CHUNK_END: break;
    }
    ASSERT(false);
    return false;
}

enum chunks_step chunks_next(struct chunks *chunks, str *input, str *ret_data)
{
    while (chunks->state != CHUNK_END && input->len > 0) {
        if (chunks->state == CHUNK_DATA) {
            size_t len = chunks->left < input->len ? (size_t)chunks->left : input->len;
            *ret_data  = str_slice(*input, 0, len);
            *input     = str_slice(*input, len, input->len);
            chunks->left -= len;
            if (chunks->left == 0) chunks->state = CHUNK_DATA_CR;
            return CHUNKS_DATA;
        }
        char c = input->ptr[0];
        *input = str_slice(*input, 1, input->len);
        if (!step(chunks, c)) return CHUNKS_BAD;
    }
    return chunks->state == CHUNK_END ? CHUNKS_DONE : CHUNKS_MORE;
}
