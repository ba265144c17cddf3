#include "scheduler/run/usage.h"

static void count(int64_t *total, int64_t more)
{
    if (more <= 0) return;
    if (__builtin_add_overflow(*total, more, total)) *total = INT64_MAX;
}

void usage_add(struct usage *total, const struct usage *more)
{
    count(&total->input_tokens, more->input_tokens);
    count(&total->output_tokens, more->output_tokens);
    count(&total->cached_tokens, more->cached_tokens);
    count(&total->reasoning_tokens, more->reasoning_tokens);
    count(&total->cost_usd_nanos, more->cost_usd_nanos);
    count(&total->calls, more->calls);
    if (more->source > total->source) total->source = more->source;
    total->is_simulated |= more->is_simulated;
}

int64_t usage_tokens(const struct usage *usage)
{
    int64_t tokens   = 0;
    bool is_too_many = __builtin_add_overflow(usage->input_tokens, usage->output_tokens, &tokens);
    return is_too_many ? INT64_MAX : tokens;
}
