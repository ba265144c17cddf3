/* What the files of call.h share. */
#ifndef LLM_PROXY_CALL_INTERNAL_H
#define LLM_PROXY_CALL_INTERNAL_H

#include "base/random.h"
#include "llm-proxy/call.h"

enum { CALL_TARGET_SIZE = PROVIDER_NAME_MAX + sizeof "llm:" };

struct key_state {
    uint32_t in_flight;
    int64_t not_before_ms; /* cooling; KEY_OFF: not used any more */
};

struct pipeline {
    struct pipeline_options options;
    struct key_state (*keys)[PROVIDER_KEYS_MAX]; /* by provider, in the catalog's order */
    uint64_t *numbers;                           /* calls of a provider so far */
    struct prng prng;
    struct llm_call *calls;
};

struct llm_call {
    struct pipeline *pipeline;
    const struct chat_request *request;
    const struct llm_route *route;
    llm_call_done *done;
    void *context;
    int64_t deadline_ms;
    int64_t started_ms;
    uint8_t order[CATALOG_TARGETS_MAX];
    uint32_t position;     /* in `order` */
    uint32_t target_tries; /* of this target */
    uint32_t tries;
    struct key_state *key;  /* of the try under way; NULL: the provider has none */
    struct arena *arena;    /* of the try */
    struct http_call *http; /* of the try */
    struct answer answer;
    struct losses losses;   /* of the try */
    struct guard_pass pass; /* of the try */
    bool is_job;
    char let_pass[CALL_TARGET_SIZE]; /* the target of its job; "": none */
    struct loop_timer timer;         /* a wait, or a simulated answer's time */
    struct llm_call *previous, *next;
};

const struct route_target *call_target(const struct llm_call *call);

/** Its provider's place in the catalog. */
size_t call_provider(const struct llm_call *call);

/** The order in which its targets are tried: drawn by weight, without putting back; those of weight
 * 0 follow as they stand. */
void call_draw_order(struct llm_call *call);

/** The key with the least load for its weight among those that may be used now, which becomes that
 * of the try; NULL: none, and `*ret_wait_ms` says for how long (-1: for good). */
const struct provider_key *call_choose_key(struct llm_call *call, int64_t *ret_wait_ms);
bool call_has_usable_key(struct llm_call *call);

/** What a failure means for the key of the try. */
void call_punish_key(struct llm_call *call, const struct llm_error *error);

#endif
