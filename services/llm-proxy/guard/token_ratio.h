/**
 * token_ratio: how many tokens a byte of a question takes, by model: what a call may take is set
 * aside before anybody has counted.
 *
 * A quarter of a token, until its upstream has said otherwise; then a moving average of what was
 * said, an eighth of which is the newest answer, and at most one token. Short questions are not
 * taken for it: most of their tokens are what stands around the text. So it may be with tools and
 * images, which are no bytes here: a text after them is not to seem many times its size.
 *
 * Pure. Threads: none.
 */
#ifndef LLM_PROXY_TOKEN_RATIO_H
#define LLM_PROXY_TOKEN_RATIO_H

#include "base/str.h"

#include <stdint.h>

enum {
    TOKEN_RATIOS_MAX = 1'000, /* models; others stay at a quarter */
    TOKEN_RATIO_FROM = 400,   /* bytes: shorter questions say nothing */
};

struct token_ratios;

struct token_ratios *token_ratios_new(void); /* owned */
void token_ratios_freep(struct token_ratios **ratios);

/** A question of so many bytes was so many tokens. Without a number of tokens it says nothing. */
void token_ratios_note(struct token_ratios *ratios, const char *provider, str model, uint64_t size,
                       int64_t tokens);

/** How many tokens so many bytes may be, rounded up. */
int64_t token_ratios_estimate(const struct token_ratios *ratios, const char *provider, str model,
                              uint64_t size);

/** Says whether the model has been asked. */
bool token_ratios_knows(const struct token_ratios *ratios, const char *provider, str model);

#endif
