/* What a call has used and cost. */
#include "llm-proxy/call/call_internal.h"

#include "base/log.h"
#include "workflow/token_estimate.h"

static Pb__CostSource source_of(enum cost_kind kind)
{
    switch (kind) {
    case COST_KIND_REPORTED: return PB__COST_SOURCE__COST_SOURCE_REPORTED;
    case COST_KIND_ESTIMATED: return PB__COST_SOURCE__COST_SOURCE_ESTIMATED;
    case COST_KIND_SIMULATED: return PB__COST_SOURCE__COST_SOURCE_SIMULATED;
    case COST_KIND_FREE: return PB__COST_SOURCE__COST_SOURCE_FREE;
    case COST_KIND_UNKNOWN: return PB__COST_SOURCE__COST_SOURCE_UNKNOWN;
    }
    return PB__COST_SOURCE__COST_SOURCE_UNKNOWN;
}

static int64_t or_zero(int64_t counter)
{
    return counter > 0 ? counter : 0;
}

static int64_t tokens_of(uint64_t size)
{
    return (int64_t)((size + CHAT_BYTES_PER_TOKEN - 1) / CHAT_BYTES_PER_TOKEN);
}

/* Without an upstream's word: what was sent, and what came, by their sizes. What an upstream has
 * said of an answer that is not whole was not its last word: Anthropic begins with one token. */
static struct llm_usage completed(const struct llm_call *call, bool *ret_is_estimated)
{
    struct llm_usage usage = call->answer.usage;
    bool is_embedding      = call->request->input_count > 0;
    *ret_is_estimated      = !is_embedding && (usage.input_tokens < 0 || usage.output_tokens < 0);
    bool is_whole          = call->answer.end == END_COMPLETE || is_embedding;
    if (!is_whole && call->answer.end == END_BUDGET) *ret_is_estimated = true;
    if (!is_whole && llm_call_output(call) > usage.output_tokens) {
        usage.output_tokens = llm_call_output(call);
        *ret_is_estimated   = true;
    }
    if (!*ret_is_estimated) return usage;
    if (usage.input_tokens < 0) usage.input_tokens = tokens_of(chat_request_size(call->request));
    if (usage.output_tokens < 0) usage.output_tokens = tokens_of(call->answer.output_bytes);
    return usage;
}

int64_t llm_call_output(const struct llm_call *call)
{
    int64_t said    = call->answer.usage.output_tokens;
    int64_t guessed = tokens_of(call->answer.output_bytes);
    return said > guessed ? said : guessed;
}

struct llm_usage call_counters(const struct llm_call *call, bool has_answer)
{
    bool is_estimated = false;
    return has_answer ? completed(call, &is_estimated) : llm_usage_unknown();
}

void call_add_spent(struct llm_call *call)
{
    struct llm_usage usage = call->answer.usage;
    enum cost_kind kind    = COST_KIND_UNKNOWN;
    if (usage.input_tokens < 0 && usage.output_tokens < 0) return;
    usage.input_tokens  = or_zero(usage.input_tokens);
    usage.output_tokens = or_zero(usage.output_tokens);
    call->spent.has_any = true;
    call->spent.cost_usd_nanos +=
        catalog_cost(call->pipeline->options.catalog, call_target(call), &usage, &kind);
    call->spent.is_unknown = call->spent.is_unknown || kind == COST_KIND_UNKNOWN;
    call->spent.input_tokens += usage.input_tokens;
    call->spent.output_tokens += usage.output_tokens;
    call->spent.cached_tokens += or_zero(usage.cached_tokens);
    call->spent.reasoning_tokens += or_zero(usage.reasoning_tokens);
    call->answer.usage = llm_usage_unknown(); /* it is counted, whoever asks before the next try */
}

void call_fill_usage(const struct llm_call *call, bool has_answer, Pb__Usage *usage)
{
    const struct route_target *target = call_target(call);
    const struct call_spent *spent    = &call->spent;
    enum cost_kind kind               = COST_KIND_REPORTED;
    pb__usage__init(usage);
    if (call->request->is_count || (!has_answer && !spent->has_any)) return;
    usage->provider = target->provider->name;
    usage->model    = target->model.ptr;
    usage->calls    = 1;
    if (has_answer) {
        bool is_estimated               = false;
        const struct llm_usage counters = completed(call, &is_estimated);
        usage->cost_usd_nanos =
            catalog_cost(call->pipeline->options.catalog, target, &counters, &kind);
        if (kind == COST_KIND_REPORTED && is_estimated) kind = COST_KIND_ESTIMATED;
        usage->input_tokens     = or_zero(counters.input_tokens);
        usage->output_tokens    = or_zero(counters.output_tokens);
        usage->cached_tokens    = or_zero(counters.cached_tokens);
        usage->reasoning_tokens = or_zero(counters.reasoning_tokens);
    }
    if (spent->is_unknown) kind = COST_KIND_UNKNOWN;
    usage->cost_source = source_of(kind);
    usage->simulated   = kind == COST_KIND_SIMULATED;
    usage->cost_usd_nanos += spent->cost_usd_nanos;
    usage->input_tokens += spent->input_tokens;
    usage->output_tokens += spent->output_tokens;
    usage->cached_tokens += spent->cached_tokens;
    usage->reasoning_tokens += spent->reasoning_tokens;
}

void call_warn_unpriced(const Pb__Usage *usage)
{
    if (usage->calls == 0 || usage->cost_source != PB__COST_SOURCE__COST_SOURCE_UNKNOWN) return;
    log_write(LOG_WARN, "llm.unpriced", LOG_STR("provider", str_from(usage->provider)),
              LOG_STR("model", str_from(usage->model)),
              LOG_INT("input_tokens", usage->input_tokens),
              LOG_INT("output_tokens", usage->output_tokens));
}
