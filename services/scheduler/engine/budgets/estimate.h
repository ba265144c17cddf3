/**
 * estimate: how many tokens a call of a model may take, by its arguments.
 *
 * The input: a quarter of the bytes of its texts, rounded up, and a few tokens per message; of
 * pictures and the like only the provider knows. The answer: `max_tokens` of each of `n`; if it
 * says nothing, that is not known (-1). Embeddings have no answer.
 */
#ifndef SCHEDULER_BUDGETS_ESTIMATE_H
#define SCHEDULER_BUDGETS_ESTIMATE_H

#include "json/json.h"

#include <stdint.h>

struct token_estimate {
    int64_t input, output; /* output -1: it does not say */
};

struct token_estimate token_estimate_of(json arguments, bool is_embedding);

#endif
