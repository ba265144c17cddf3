/*
 * What a foreign server answers: heads, lengths, chunks. Besides memory errors it looks for answers
 * that mean one thing in one piece and another byte by byte. The first byte says what was asked.
 */
#include "base/assert.h"
#include "base/buf.h"
#include "framing/fields.h"
#include "http/plain_reply.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { INPUT_MAX = 1 << 16 };

struct seen {
    struct buf heads, body;
    enum reply_step last;
    size_t used;
    struct reply reply;
};

static void read_fields(str head)
{
    (void)fields_take_line(&head);
    for (str line = fields_take_line(&head); line.len > 0; line = fields_take_line(&head)) {
        str name;
        str value;
        ASSERT(fields_split(line, &name, &value) == FIELD_IS_FINE); /* or it was refused */
        ASSERT(!memchr(value.ptr, '\n', value.len));
    }
}

static struct seen read_in_pieces(str text, bool is_to_head, size_t piece_len)
{
    struct seen seen = {.heads = buf_init(2 * (size_t)INPUT_MAX),
                        .body  = buf_init(INPUT_MAX),
                        .last  = REPLY_MORE,
                        .reply = reply_init(is_to_head)};
    size_t given     = 0;
    while (given < text.len && seen.last == REPLY_MORE) {
        given     = text.len - given < piece_len ? text.len : given + piece_len;
        str input = str_slice(text, seen.used, given);
        str piece;
        do {
            seen.last = reply_next(&seen.reply, &input, &piece);
            ASSERT(seen.last != REPLY_DATA || piece.len > 0);
            if (seen.last == REPLY_LINES) {
                read_fields(piece);
                (void)buf_put_str(&seen.heads, piece);
            }
            if (seen.last == REPLY_DATA) {
                ASSERT(piece.ptr + piece.len == input.ptr);
                (void)buf_put_str(&seen.body, piece);
            }
        } while (seen.last == REPLY_LINES || seen.last == REPLY_DATA);
        seen.used = given - input.len;
    }
    return seen;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0 || size > INPUT_MAX) return 0;
    str text          = {.ptr = (const char *)data + 1, .len = size - 1};
    bool is_to_head   = data[0] & 1;
    struct seen whole = read_in_pieces(text, is_to_head, INPUT_MAX);
    struct seen slow  = read_in_pieces(text, is_to_head, 1);
    ASSERT(whole.last == slow.last);
    ASSERT(str_equal(buf_str(&whole.heads), buf_str(&slow.heads)));
    ASSERT(str_equal(buf_str(&whole.body), buf_str(&slow.body)));
    if (whole.last == REPLY_BAD) {
        ASSERT(whole.reply.wrong && slow.reply.wrong);
    } else {
        ASSERT(whole.used == slow.used);
        ASSERT(reply_ends_by_close(&whole.reply) == reply_ends_by_close(&slow.reply));
    }
    buf_done(&whole.heads);
    buf_done(&whole.body);
    buf_done(&slow.heads);
    buf_done(&slow.body);
    return 0;
}
