/* Limits that keys of providers have of their own, over all llm-proxies. */
#include "auth/key_limits.h"
#include "llm-proxy/guard/guard_internal.h"

#include <stdio.h>

/* As all llm-proxies name it: llmkey:PROVIDER/KEY. Empty: it does not fit. */
struct key_name {
    char text[TOLLGATE_NAME_MAX + 1];
    str name;
};

static str name_key(const char *provider, const struct provider_key *key, struct key_name *ret_name)
{
    int len = snprintf(ret_name->text, sizeof ret_name->text, "llmkey:%s/%s", provider, key->name);
    if (len < 0 || (size_t)len >= sizeof ret_name->text) return (str){};
    return (str){.ptr = ret_name->text, .len = (size_t)len};
}

/* Of a rate above what the scheduler counts every llm-proxy keeps its own. */
static struct tollgate_rules rules_of(const struct provider_key *key)
{
    bool is_countable = key->requests_per_minute <= KEY_LIMIT_RATE_MAX;
    return (struct tollgate_rules){.starts           = is_countable ? key->requests_per_minute : 0,
                                   .starts_period_us = KEY_LIMIT_PERIOD_US,
                                   .places           = key->parallel,
                                   .spent = key_limit_bucket(KEY_TOKENS, key->tokens_per_minute),
                                   .spent_period_us = KEY_LIMIT_PERIOD_US,
                                   .spent_unit =
                                       key_limit_unit(KEY_TOKENS, key->tokens_per_minute)};
}

static void on_decided(bool may_go, void *context)
{
    struct guard_key_pass *pass = context;
    pass->decided(may_go ? GUARD_GO : GUARD_LIMIT, pass->context);
}

enum guard_verdict guard_enter_key(struct guard *guard, const char *provider,
                                   const struct provider_key *key, struct guard_key_pass *pass)
{
    static const enum guard_verdict verdicts[] = {
        [TOLLGATE_GO] = GUARD_GO, [TOLLGATE_WAIT] = GUARD_WAIT, [TOLLGATE_SHUT] = GUARD_LIMIT};
    const struct tollgate_rules rules = rules_of(key);
    struct key_name name              = {};
    str named                         = name_key(provider, key, &name);
    pass->tollgate = (struct tollgate_pass){.decided = on_decided, .context = pass};
    if (named.len == 0) return GUARD_GO;
    return verdicts[tollgate_enter(guard->tollgates, named, &rules, &pass->tollgate)];
}

int64_t guard_key_opens_ms(struct guard *guard, const char *provider,
                           const struct provider_key *key)
{
    struct key_name name = {};
    return tollgate_opens_ms(guard->tollgates, name_key(provider, key, &name));
}

void guard_leave_key(struct guard_key_pass *pass, int64_t tokens)
{
    tollgate_leave(&pass->tollgate, tokens);
}

void guard_leave_key_unused(struct guard_key_pass *pass)
{
    tollgate_leave_unused(&pass->tollgate);
}
