/**
 * inflation: takes gzip (RFC 1952) off the body of an answer, as it arrives.
 *
 * What comes out is given in pieces of the inflation's own room. More than HTTP_INFLATION_MAX bytes
 * for each one that went in, beyond the first INFLATION_FREE, are refused: that is a bomb. So is
 * the contrary, whose work no limit of the body would end: more than INFLATION_WASTE bytes that
 * went in for each one that came out, beyond the first INFLATION_WASTE_FREE. Empty blocks and
 * members have none; a byte that is flushed by itself takes 8.
 *
 * No sockets, no clock. Not thread-safe.
 */
#ifndef HTTP_INFLATION_H
#define HTTP_INFLATION_H

#include "base/str.h"

#include <stdbool.h>
#include <stdint.h>

enum {
    INFLATION_FREE       = 1024 * 1024, /* bytes out of it before the ratio counts */
    INFLATION_WASTE      = 32,
    INFLATION_WASTE_FREE = 256 * 1024, /* four times the extra field of a head */
};

/** Says whether that is more than is reasonable: of whoever inflates, after each piece. */
bool inflation_is_bomb(uint64_t received, uint64_t made);
bool inflation_is_waste(uint64_t received, uint64_t made);

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
    INFLATION_EMPTY, /* next to nothing comes out of it */
};

/** Takes bytes off the front of `*input`. After INFLATION_DATA: call again, with no new bytes, too.
 * After the last three: not again. */
enum inflation_step inflation_next(struct inflation *inflation, str *input, str *ret_piece);

/** Says whether what went in is whole: members that follow each other, each to its checksum. */
bool inflation_is_whole(const struct inflation *inflation);

#endif
