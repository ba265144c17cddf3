#include "scheduler/engine/limits/token_limit.h"

#include "auth/key_limits.h"
#include "scheduler/breaker/target_name.h"

#include <stdio.h>

#define PREFIX "tokens:"

static bool is_model_target(str target)
{
    return target_name_is_valid(target) && str_starts_with(target, str_from("llm:"));
}

bool token_limit_name(str target, char name[static TOKEN_LIMIT_NAME_SIZE])
{
    if (!is_model_target(target) || sizeof PREFIX - 1 + target.len > LIMIT_NAME_MAX) return false;
    (void)snprintf(name, TOKEN_LIMIT_NAME_SIZE, PREFIX STR_FMT, STR_ARG(target));
    return true;
}

str token_limit_target(str name)
{
    str target = str_slice(name, sizeof PREFIX - 1, name.len);
    bool is_it = str_starts_with(name, str_from(PREFIX)) && is_model_target(target);
    return is_it ? target : (str){};
}

struct queue_limits token_limit_rule(uint32_t tokens, int64_t period_us)
{
    if (tokens == 0) return (struct queue_limits){};
    return (struct queue_limits){.rate_count     = key_limit_bucket(KEY_TOKENS, tokens),
                                 .rate_period_us = period_us,
                                 .rate_unit      = key_limit_unit(KEY_TOKENS, tokens)};
}

status token_limit_check(str target, const Pb__LimitRule *rule, struct error *reterr)
{
    char name[TOKEN_LIMIT_NAME_SIZE];
    if (!rule || rule->token_count == 0) return STATUS_OK;
    if (!token_limit_name(target, name)) {
        return fail_code(reterr, STATUS_INVALID_ARGUMENT, "input_invalid",
                         "tokens: only `llm:PROVIDER` and `llm:PROVIDER/MODEL` have a limit of "
                         "tokens");
    }
    if (rule->token_count > TOKEN_LIMIT_MAX) {
        return fail(reterr, STATUS_INVALID_ARGUMENT, "tokens.count: 1 to %d", TOKEN_LIMIT_MAX);
    }
    if (rule->token_period_us < QUEUE_RATE_PERIOD_MIN_US ||
        rule->token_period_us > QUEUE_RATE_PERIOD_MAX_US) {
        return fail(reterr, STATUS_INVALID_ARGUMENT, "tokens.per: from `1s` to `24h`");
    }
    return STATUS_OK;
}

static uint32_t unit_of(const struct queue_limits *rule)
{
    return rule->rate_unit > 0 ? rule->rate_unit : 1;
}

uint32_t token_permits_up(const struct queue_limits *rule, uint32_t tokens)
{
    uint32_t unit = unit_of(rule);
    return tokens / unit + (tokens % unit > 0 ? 1 : 0);
}

uint32_t token_permits_down(const struct queue_limits *rule, uint32_t tokens)
{
    return tokens / unit_of(rule);
}

uint32_t token_count_of(const struct queue_limits *rule, uint64_t permits)
{
    uint64_t tokens = permits * unit_of(rule);
    return tokens < UINT32_MAX ? (uint32_t)tokens : UINT32_MAX;
}

void token_limit_fold(const Pb__LimitView *tokens, Pb__LimitView *target)
{
    const struct queue_limits rule = {.rate_unit = tokens->rule->rate_unit};
    target->rule->token_count      = token_count_of(&rule, tokens->rule->rate_count);
    target->rule->token_period_us  = tokens->rule->rate_period_us;
    target->tokens_used            = token_count_of(&rule, tokens->used);
    if (tokens->opens_us > target->opens_us) target->opens_us = tokens->opens_us;
}
