/**
 * inflation: takes gzip (RFC 1952) off the body of an answer, as it arrives.
 *
 * What comes out is given in pieces of the inflation's own room. More than HTTP_INFLATION_MAX bytes
 * for each one that went in, beyond the first INFLATION_FREE, are refused: that is a bomb.
 *
 * No sockets, no clock. Not thread-safe.
 */
#ifndef HTTP_INFLATION_H
#define HTTP_INFLATION_H

#include "base/str.h"

#include <stdbool.h>

enum { INFLATION_FREE = 1024 * 1024 /* bytes out of it before the ratio counts */ };

struct inflation;

/** Owned: inflation_free(). About 60 KB. */
struct inflation *inflation_new(void);
void inflation_free(struct inflation *inflation);   /* NULL is fine, */
void inflation_freep(struct inflation **inflation); /* also here */

enum inflation_step {
    INFLATION_MORE, /* all of the input was taken */
    INFLATION_DATA, /* `*ret_piece`, never empty, until the next call */
    INFLATION_BAD,  /* no gzip */
    INFLATION_BOMB,
};

/** Takes bytes off the front of `*input`. After INFLATION_DATA: call again, with no new bytes, too.
 * After the last two: not again. */
enum inflation_step inflation_next(struct inflation *inflation, str *input, str *ret_piece);

/** Says whether what went in is whole: members that follow each other, each to its checksum. */
bool inflation_is_whole(const struct inflation *inflation);

#endif
