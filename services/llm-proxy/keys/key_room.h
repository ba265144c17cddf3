/**
 * key_room: whether a key of a provider may be used now, by what was asked with it before.
 *
 * A key rests when its provider says so, and may have limits of its own: requests and tokens a
 * minute, which are buckets that fill evenly, and calls at a time. Tokens are known when a call has
 * ended: it may begin while any are left, and what it has used above that is owed.
 *
 * Of this process alone; what all have used together is known to guard.h, which says until when a
 * key is shut for that. Pure: the clock is a parameter. Threads: none.
 */
#ifndef LLM_PROXY_KEY_ROOM_H
#define LLM_PROXY_KEY_ROOM_H

#include "llm-proxy/catalog/provider.h"

/** When a key may be used again that has as many calls under way as it may have: nobody knows. */
enum { KEY_ROOM_CROWDED_MS = 1'000 };

/** Not used any more. */
static const int64_t KEY_ROOM_NEVER = INT64_MAX;

struct key_room {
    uint32_t in_flight;
    int64_t not_before_ms;                    /* it rests until then; KEY_ROOM_NEVER */
    int64_t shared_ms;                        /* all together have used its limits until then */
    int64_t requests_full_ns, tokens_full_ns; /* when the buckets are full */
};

/** When the key may be used, as far as is known: `now_ms` or before, if it may now. `ret_is_full`:
 * because of its own limits. */
int64_t key_room_opens_ms(const struct key_room *room, const struct provider_key *key,
                          int64_t now_ms, bool *ret_is_full);

/** A call begins with it, and is over and has used so many tokens. */
void key_room_enter(struct key_room *room, const struct provider_key *key, int64_t now_ms);
void key_room_leave(struct key_room *room, const struct provider_key *key, int64_t tokens,
                    int64_t now_ms);

/** It is over, and nobody was called: it is not counted. */
void key_room_leave_unused(struct key_room *room, const struct provider_key *key);

/** What is known of a key that is read anew, from what was known of it before. */
void key_room_take_over(struct key_room *room, const struct key_room *before);

#endif
