/* Where a call goes: the order of its targets, and the keys of a provider. */
#include "base/clock.h"
#include "llm-proxy/call/call_internal.h"

#include <string.h>

enum {
    KEY_OFF_QUOTA_MS = 3'600'000,
    COOL_MS          = 1'000, /* a 429 without retry-after */
};

const struct route_target *call_target(const struct llm_call *call)
{
    return &call->route->targets[call->order[call->position]];
}

size_t call_provider(const struct llm_call *call)
{
    return (size_t)(call_target(call)->provider - call->pipeline->options.catalog->providers);
}

size_t call_guarded(const struct llm_call *call)
{
    return call->pipeline->guarded[call_provider(call)];
}

static void take_key(struct key_room *rooms, const struct provider *provider, const char *name,
                     const struct key_room *before)
{
    for (uint32_t i = 0; i < provider->key_count; i++) {
        bool is_same = strcmp(provider->keys[i].name, name) == 0;
        if (is_same) key_room_take_over(&rooms[i], before);
    }
}

void pipeline_take_over(struct pipeline *pipeline, const struct pipeline *before)
{
    const struct catalog *catalog = pipeline->options.catalog;
    const struct catalog *old     = before->options.catalog;
    for (uint32_t i = 0; i < catalog->provider_count; i++) {
        for (uint32_t k = 0; k < old->provider_count; k++) {
            const struct provider *provider = &old->providers[k];
            if (strcmp(provider->name, catalog->providers[i].name) != 0) continue;
            pipeline->numbers[i] = before->numbers[k];
            for (uint32_t n = 0; n < provider->key_count; n++) {
                take_key(pipeline->keys[i], &catalog->providers[i], provider->keys[n].name,
                         &before->keys[k][n]);
            }
        }
    }
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

const struct provider_key *call_choose_key(struct llm_call *call, struct key_refusal *ret_refusal)
{
    const struct provider *provider = call_target(call)->provider;
    struct key_room *rooms          = call->pipeline->keys[call_provider(call)];
    int64_t now_ms                  = loop_now_ms(call->pipeline->options.loop);
    const struct provider_key *best = NULL;
    uint64_t best_load              = 0;
    int64_t soonest_ms              = KEY_ROOM_NEVER;
    *ret_refusal                    = (struct key_refusal){};
    for (uint32_t i = 0; i < provider->key_count; i++) {
        bool is_full     = false;
        int64_t opens_ms = key_room_opens_ms(&rooms[i], &provider->keys[i], now_ms, &is_full);
        if (opens_ms > now_ms) {
            if (opens_ms < soonest_ms) ret_refusal->is_full = is_full;
            if (opens_ms < soonest_ms) soonest_ms = opens_ms;
            continue;
        }
        uint32_t weight = provider->keys[i].weight > 0 ? provider->keys[i].weight : 1;
        uint64_t load   = ((uint64_t)rooms[i].in_flight << 16) / weight;
        if (best && load >= best_load) continue;
        best            = &provider->keys[i];
        best_load       = load;
        call->asked_key = &rooms[i];
    }
    ret_refusal->wait_ms = soonest_ms == KEY_ROOM_NEVER ? -1 : soonest_ms - now_ms;
    return best;
}

static const struct provider_key *key_of(const struct llm_call *call, const struct key_room *room)
{
    const struct key_room *rooms = call->pipeline->keys[call_provider(call)];
    return &call_target(call)->provider->keys[room - rooms];
}

enum guard_verdict call_ask_key(struct llm_call *call,
                                void (*decided)(enum guard_verdict verdict, void *context))
{
    struct guard *guard = call->pipeline->options.guard;
    call->key_pass      = (struct guard_key_pass){.decided = decided, .context = call};
    if (!guard || !call->asked_key) return GUARD_GO;
    return guard_enter_key(guard, call_target(call)->provider->name, key_of(call, call->asked_key),
                           &call->key_pass);
}

void call_shut_key(struct llm_call *call)
{
    struct key_room *room = TAKE(call->asked_key);
    struct guard *guard   = call->pipeline->options.guard;
    const char *provider  = call_target(call)->provider->name;
    room->shared_ms       = guard_key_opens_ms(guard, provider, key_of(call, room));
}

const struct provider_key *call_enter_key(struct llm_call *call)
{
    call->key = TAKE(call->asked_key);
    if (!call->key) return NULL;
    const struct provider_key *key = key_of(call, call->key);
    key_room_enter(call->key, key, loop_now_ms(call->pipeline->options.loop));
    return key;
}

int64_t call_tokens_of_try(const struct llm_call *call)
{
    bool has_used =
        call->is_committed || call->answer.usage.input_tokens >= 0 || !call->answer.is_failed;
    if (!call->is_sent || !has_used || call->request->is_count) return 0;
    const struct llm_usage used = call_counters(call, true);
    int64_t tokens              = used.input_tokens > 0 ? used.input_tokens : 0;
    bool is_over =
        used.output_tokens > 0 && __builtin_add_overflow(tokens, used.output_tokens, &tokens);
    return is_over ? INT64_MAX : tokens;
}

void call_leave_key(struct llm_call *call)
{
    struct key_room *room = TAKE(call->key);
    int64_t tokens        = room ? call_tokens_of_try(call) : 0;
    call->asked_key       = NULL;
    if (call->is_sent) {
        guard_leave_key(&call->key_pass, tokens);
    } else {
        guard_leave_key_unused(&call->key_pass);
    }
    if (room && call->is_sent) {
        key_room_leave(room, key_of(call, room), tokens, loop_now_ms(call->pipeline->options.loop));
    } else if (room) {
        key_room_leave_unused(room, key_of(call, room));
    }
}

const char *call_key_name(const struct llm_call *call)
{
    return call->key ? key_of(call, call->key)->name : NULL;
}

bool call_has_usable_key(struct llm_call *call)
{
    struct key_refusal refusal;
    bool has_one    = call_choose_key(call, &refusal) != NULL;
    call->asked_key = NULL; /* chosen again when the try begins */
    return has_one;
}

void call_punish_key(struct llm_call *call, const struct llm_error *error)
{
    struct key_room *key = call->key;
    int64_t now_ms       = loop_now_ms(call->pipeline->options.loop);
    if (!key) return;
    int64_t rest_ms = 0;
    if (error->class == LLM_ERROR_RATE_LIMITED) {
        rest_ms = error->retry_after_ms > 0 ? error->retry_after_ms : COOL_MS;
    } else if (error->class == LLM_ERROR_QUOTA) {
        rest_ms = KEY_OFF_QUOTA_MS;
    } else if (error->class == LLM_ERROR_KEY) {
        key->not_before_ms = KEY_ROOM_NEVER; /* until the configuration is read anew */
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
