/*
 * What a foreign server compressed. Besides memory errors it looks for gzip that means one thing in
 * one piece and another in several, and for more bytes than a bomb may have. The first byte says
 * how long the pieces are.
 */
#include "base/assert.h"
#include "base/buf.h"
#include "http/http.h"
#include "http/inflation.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { INPUT_MAX = 1 << 16, MADE_MAX = INFLATION_FREE + INPUT_MAX * HTTP_INFLATION_MAX };

struct seen {
    enum inflation_step last;
    bool is_whole;
    struct buf text;
};

static struct seen read_in_pieces(str input, size_t piece_len)
{
    struct inflation *inflation = inflation_new();
    struct seen seen            = {.last = INFLATION_MORE, .text = buf_init(MADE_MAX)};
    while (input.len > 0 && seen.last == INFLATION_MORE) {
        str piece = str_slice(input, 0, piece_len < input.len ? piece_len : input.len);
        str out   = {};
        input     = str_slice(input, piece.len, input.len);
        while ((seen.last = inflation_next(inflation, &piece, &out)) == INFLATION_DATA) {
            ASSERT(out.len > 0);
            ASSERT(buf_put_str(&seen.text, out));
        }
        ASSERT(piece.len == 0 || seen.last != INFLATION_MORE);
    }
    seen.is_whole = inflation_is_whole(inflation);
    inflation_free(inflation);
    return seen;
}

/* What is refused may have given more or less before, depending on where it was cut. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0 || size > INPUT_MAX) return 0;
    str input         = {.ptr = (const char *)data + 1, .len = size - 1};
    struct seen whole = read_in_pieces(input, INPUT_MAX);
    struct seen slow  = read_in_pieces(input, (size_t)data[0] + 1);
    bool is_fine      = whole.last == INFLATION_MORE && slow.last == INFLATION_MORE;
    ASSERT((whole.last == INFLATION_BAD) <= (slow.last != INFLATION_MORE));
    ASSERT(!is_fine || whole.is_whole == slow.is_whole);
    ASSERT(!is_fine || str_equal(buf_str(&whole.text), buf_str(&slow.text)));
    buf_done(&whole.text);
    buf_done(&slow.text);
    return 0;
}
