#include "tool-adapter/call/charge.h"

static const char *keep(struct arena *arena, const char *text)
{
    const char *copy = arena_strdup(arena, str_from(text));
    return copy ? copy : "";
}

void charge_add(struct charge *charge, const Pb__Usage *more, struct arena *arena)
{
    Pb__Usage *sum = &charge->sum;
    if (!more) return;
    if (!charge->is_there) pb__usage__init(sum);
    charge->is_there = true;
    sum->input_tokens += more->input_tokens;
    sum->output_tokens += more->output_tokens;
    sum->cached_tokens += more->cached_tokens;
    sum->reasoning_tokens += more->reasoning_tokens;
    sum->cost_usd_nanos += more->cost_usd_nanos;
    sum->saved_usd_nanos += more->saved_usd_nanos;
    sum->calls += more->calls;
    sum->simulated |= more->simulated;
    sum->cost_source = more->cost_source;
    sum->provider    = keep(arena, more->provider);
    sum->model       = keep(arena, more->model);
}

const Pb__Usage *charge_sum(const struct charge *charge)
{
    return charge->is_there ? &charge->sum : NULL;
}
