#include "http/inflation.h"

#include "base/assert.h"
#include "base/mem.h"
#include "http/http.h"

#include <limits.h>
#include <stdlib.h>
#include <zlib.h>

enum {
    ROOM_SIZE   = 16 * 1024,
    WINDOW_GZIP = MAX_WBITS + 16, /* of inflateInit2(): gzip, and nothing else */
};

struct inflation {
    z_stream stream;
    uint64_t received, made; /* bytes */
    bool has_more;           /* the room was too small for what there was */
    bool is_whole;           /* a member has ended, and no other one has begun */
    char room[ROOM_SIZE];
};

struct inflation *inflation_new(void)
{
    struct inflation *inflation = mem_new(1, sizeof *inflation);
    int rc                      = inflateInit2(&inflation->stream, WINDOW_GZIP);
    ASSERT(rc == Z_OK && "out of memory");
    return inflation;
}

void inflation_free(struct inflation *inflation)
{
    if (!inflation) return;
    (void)inflateEnd(&inflation->stream);
    free(inflation);
}

void inflation_freep(struct inflation **inflation)
{
    inflation_free(*inflation);
    *inflation = NULL;
}

bool inflation_is_bomb(uint64_t received, uint64_t made)
{
    return made > INFLATION_FREE + received * HTTP_INFLATION_MAX;
}

bool inflation_is_waste(uint64_t received, uint64_t made)
{
    return received > INFLATION_WASTE_FREE + made * INFLATION_WASTE;
}

/* Fills the room as far as the input goes; returns what inflate() says. */
static int fill_room(struct inflation *inflation, str *input)
{
    z_stream *stream  = &inflation->stream;
    size_t len        = input->len < UINT_MAX ? input->len : UINT_MAX;
    stream->next_in   = (Bytef *)(uintptr_t)input->ptr; /* read only */
    stream->avail_in  = (uInt)len;
    stream->next_out  = (Bytef *)inflation->room;
    stream->avail_out = ROOM_SIZE;
    int rc            = inflate(stream, Z_NO_FLUSH);
    ASSERT(rc != Z_MEM_ERROR && "out of memory"); /* for its window: it comes when it is needed */
    size_t taken = len - stream->avail_in;
    *input       = str_slice(*input, taken, input->len);
    inflation->received += taken;
    inflation->made += ROOM_SIZE - stream->avail_out;
    inflation->has_more = rc == Z_OK && stream->avail_out == 0;
    return rc;
}

enum inflation_step inflation_next(struct inflation *inflation, str *input, str *ret_piece)
{
    while (input->len > 0 || inflation->has_more) {
        if (inflation->is_whole && inflateReset(&inflation->stream) != Z_OK) return INFLATION_BAD;
        inflation->is_whole = false;
        int rc              = fill_room(inflation, input);
        size_t made         = ROOM_SIZE - inflation->stream.avail_out;
        /* Z_BUF_ERROR: nothing was left in it; it needs more input. */
        if (rc != Z_OK && rc != Z_STREAM_END && rc != Z_BUF_ERROR) return INFLATION_BAD;
        if (rc == Z_BUF_ERROR && input->len > 0) return INFLATION_BAD;
        inflation->is_whole = rc == Z_STREAM_END;
        if (inflation_is_bomb(inflation->received, inflation->made)) return INFLATION_BOMB;
        if (inflation_is_waste(inflation->received, inflation->made)) return INFLATION_EMPTY;
        if (made == 0) continue;
        *ret_piece = (str){.ptr = inflation->room, .len = made};
        return INFLATION_DATA;
    }
    return INFLATION_MORE;
}

bool inflation_is_whole(const struct inflation *inflation)
{
    return inflation->is_whole;
}
