#include "llm-proxy/call/embed_share.h"

struct embed_share embed_share_begin(const Pb__Usage *whole, const uint64_t *weights, size_t count)
{
    struct embed_share share = {.whole = whole};
    for (size_t i = 0; i < count; i++) share.total += weights[i];
    return share;
}

/* Of what belongs to all weights until here, what did not belong to those before. */
static int64_t part(const struct embed_share *share, int64_t whole, uint64_t weight)
{
    if (share->total == 0) return share->so_far == 0 ? whole : 0;
    __int128 until  = (__int128)whole * (__int128)(share->so_far + weight) / (__int128)share->total;
    __int128 before = (__int128)whole * (__int128)share->so_far / (__int128)share->total;
    return (int64_t)(until - before);
}

Pb__Usage embed_share_next(struct embed_share *share, uint64_t weight)
{
    const Pb__Usage *whole = share->whole;
    Pb__Usage mine         = *whole;
    mine.input_tokens      = part(share, whole->input_tokens, weight);
    mine.output_tokens     = part(share, whole->output_tokens, weight);
    mine.cached_tokens     = part(share, whole->cached_tokens, weight);
    mine.reasoning_tokens  = part(share, whole->reasoning_tokens, weight);
    mine.cost_usd_nanos    = part(share, whole->cost_usd_nanos, weight);
    mine.calls             = whole->calls > 0 ? 1 : 0;
    share->so_far += share->total == 0 ? 1 : weight;
    return mine;
}

void embed_usage_add(Pb__Usage *total, const Pb__Usage *more)
{
    if (more->calls == 0) return;
    total->input_tokens += more->input_tokens;
    total->output_tokens += more->output_tokens;
    total->cached_tokens += more->cached_tokens;
    total->reasoning_tokens += more->reasoning_tokens;
    total->cost_usd_nanos += more->cost_usd_nanos;
    total->calls     = 1;
    total->simulated = total->simulated || more->simulated;
    if (more->cost_source > total->cost_source) total->cost_source = more->cost_source;
}
