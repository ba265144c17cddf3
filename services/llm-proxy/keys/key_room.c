#include "llm-proxy/keys/key_room.h"

#define MINUTE_NS INT64_C(60'000'000'000)
#define MS_NS     INT64_C(1'000'000)

/* In which one comes; never faster than asked for. */
static int64_t step_ns(uint32_t a_minute)
{
    return (MINUTE_NS + a_minute - 1) / a_minute;
}

/* When there is one. */
static int64_t opens_ms(int64_t full_ns, uint32_t a_minute)
{
    if (a_minute == 0) return 0;
    int64_t at_ns = full_ns - (a_minute - 1) * step_ns(a_minute);
    return at_ns > 0 ? (at_ns + MS_NS - 1) / MS_NS : 0;
}

static void take(int64_t *full_ns, uint32_t a_minute, int64_t count, int64_t now_ms)
{
    int64_t taken_ns = 0;
    if (a_minute == 0) return;
    if (*full_ns < now_ms * MS_NS) *full_ns = now_ms * MS_NS;
    if (__builtin_mul_overflow(count, step_ns(a_minute), &taken_ns) ||
        __builtin_add_overflow(*full_ns, taken_ns, full_ns)) {
        *full_ns = INT64_MAX;
    }
}

int64_t key_room_opens_ms(const struct key_room *room, const struct provider_key *key,
                          int64_t now_ms, bool *ret_is_full)
{
    int64_t requests_ms = opens_ms(room->requests_full_ns, key->requests_per_minute);
    int64_t tokens_ms   = opens_ms(room->tokens_full_ns, key->tokens_per_minute);
    int64_t at_ms       = requests_ms > tokens_ms ? requests_ms : tokens_ms;
    bool is_crowded     = key->parallel > 0 && room->in_flight >= key->parallel;
    if (is_crowded && at_ms < now_ms + KEY_ROOM_CROWDED_MS) at_ms = now_ms + KEY_ROOM_CROWDED_MS;
    if (at_ms < room->shared_ms) at_ms = room->shared_ms;
    *ret_is_full = at_ms > now_ms && at_ms > room->not_before_ms;
    return at_ms > room->not_before_ms ? at_ms : room->not_before_ms;
}

void key_room_enter(struct key_room *room, const struct provider_key *key, int64_t now_ms)
{
    room->in_flight++;
    take(&room->requests_full_ns, key->requests_per_minute, 1, now_ms);
}

void key_room_leave(struct key_room *room, const struct provider_key *key, int64_t tokens,
                    int64_t now_ms)
{
    room->in_flight--;
    if (tokens > 0) take(&room->tokens_full_ns, key->tokens_per_minute, tokens, now_ms);
}

void key_room_leave_unused(struct key_room *room, const struct provider_key *key)
{
    room->in_flight--;
    if (key->requests_per_minute > 0) room->requests_full_ns -= step_ns(key->requests_per_minute);
}

void key_room_take_over(struct key_room *room, const struct key_room *before)
{
    if (before->not_before_ms != KEY_ROOM_NEVER) room->not_before_ms = before->not_before_ms;
    room->requests_full_ns = before->requests_full_ns;
    room->tokens_full_ns   = before->tokens_full_ns;
}
