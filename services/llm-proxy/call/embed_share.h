/** embed_share: what several calls have used together, in parts by weight that add up exactly. */
#ifndef LLM_PROXY_EMBED_SHARE_H
#define LLM_PROXY_EMBED_SHARE_H

#include "common.pb-c.h"

#include <stddef.h>
#include <stdint.h>

struct embed_share {
    const Pb__Usage *whole; /* borrowed */
    uint64_t total, so_far; /* weights */
};

/** Weights of at most 2^40 in all. Without any, the first part is the whole. */
struct embed_share embed_share_begin(const Pb__Usage *whole, const uint64_t *weights, size_t count);

/** The next part; its `calls` is 1 or, if the whole has none, 0. */
Pb__Usage embed_share_next(struct embed_share *share, uint64_t weight);

/** Adds a part to what a request has used. */
void embed_usage_add(Pb__Usage *total, const Pb__Usage *more);

#endif
