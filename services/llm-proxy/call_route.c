/* Where a call goes: the order of its targets, and the keys of a provider. */
#include "base/clock.h"
#include "llm-proxy/call_internal.h"

enum {
    KEY_OFF_QUOTA_MS = 3'600'000,
    COOL_MS          = 1'000, /* a 429 without retry-after */
};

static const int64_t KEY_OFF = INT64_MAX; /* until the configuration is read anew */

const struct route_target *call_target(const struct llm_call *call)
{
    return &call->route->targets[call->order[call->position]];
}

size_t call_provider(const struct llm_call *call)
{
    return (size_t)(call_target(call)->provider - call->pipeline->options.catalog->providers);
}

void call_draw_order(struct llm_call *call)
{
    const struct llm_route *route   = call->route;
    bool taken[CATALOG_TARGETS_MAX] = {};
    uint64_t total                  = 0;
    uint32_t used                   = 0;
    for (uint32_t i = 0; i < route->target_count; i++) total += route->targets[i].weight;
    while (total > 0) {
        uint64_t point = prng_next(&call->pipeline->prng) % total;
        uint32_t i     = 0;
        for (; taken[i] || point >= route->targets[i].weight; i++) {
            if (!taken[i]) point -= route->targets[i].weight;
        }
        taken[i]            = true;
        call->order[used++] = (uint8_t)i;
        total -= route->targets[i].weight;
    }
    for (uint32_t i = 0; i < route->target_count; i++) {
        if (!taken[i]) call->order[used++] = (uint8_t)i;
    }
}

const struct provider_key *call_choose_key(struct llm_call *call, int64_t *ret_wait_ms)
{
    const struct provider *provider = call_target(call)->provider;
    struct key_state *states        = call->pipeline->keys[call_provider(call)];
    int64_t now_ms                  = loop_now_ms(call->pipeline->options.loop);
    const struct provider_key *best = NULL;
    uint64_t best_load              = 0;
    int64_t soonest_ms              = KEY_OFF;
    for (uint32_t i = 0; i < provider->key_count; i++) {
        if (states[i].not_before_ms > now_ms) {
            if (states[i].not_before_ms < soonest_ms) soonest_ms = states[i].not_before_ms;
            continue;
        }
        uint32_t weight = provider->keys[i].weight > 0 ? provider->keys[i].weight : 1;
        uint64_t load   = ((uint64_t)states[i].in_flight << 16) / weight;
        if (best && load >= best_load) continue;
        best      = &provider->keys[i];
        best_load = load;
        call->key = &states[i];
    }
    *ret_wait_ms = soonest_ms == KEY_OFF ? -1 : soonest_ms - now_ms;
    return best;
}

bool call_has_usable_key(struct llm_call *call)
{
    int64_t wait_ms = 0;
    bool has_one    = call_choose_key(call, &wait_ms) != NULL;
    call->key       = NULL; /* chosen again when the try begins */
    return has_one;
}

void call_punish_key(struct llm_call *call, const struct llm_error *error)
{
    struct key_state *key = call->key;
    int64_t now_ms        = loop_now_ms(call->pipeline->options.loop);
    if (!key) return;
    int64_t rest_ms = 0;
    if (error->class == LLM_ERROR_RATE_LIMITED) {
        rest_ms = error->retry_after_ms > 0 ? error->retry_after_ms : COOL_MS;
    } else if (error->class == LLM_ERROR_QUOTA) {
        rest_ms = KEY_OFF_QUOTA_MS;
    } else if (error->class == LLM_ERROR_KEY) {
        key->not_before_ms = KEY_OFF;
        return;
    }
    if (rest_ms > 0) key->not_before_ms = now_ms + rest_ms;
}

int64_t llm_deadline_ms(int64_t deadline_us)
{
    if (deadline_us == 0) return 0;
    int64_t left_ms = (deadline_us - clock_unix_us()) / 1000;
    return clock_mono_ms() + (left_ms > 1 ? left_ms : 1);
}
