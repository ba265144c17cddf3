/* What the files of call.h share. */
#ifndef LLM_PROXY_CALL_INTERNAL_H
#define LLM_PROXY_CALL_INTERNAL_H

#include "base/random.h"
#include "llm-proxy/call.h"
#include "llm-proxy/exchange.h"
#include "llm-proxy/providers/simulated.h"

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
    struct exchange_rests rests;
};

/* What tries that failed have cost nevertheless. */
struct call_spent {
    bool has_any, is_unknown;
    int64_t cost_usd_nanos;
    int64_t input_tokens, output_tokens, cached_tokens, reasoning_tokens;
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
    struct key_state *key;               /* of the try under way; NULL: the provider has none */
    struct arena *arena;                 /* of the try, while it is sent */
    struct exchange *exchange;           /* of the try, owned; as the next */
    struct simulated_stream *simulation; /* of a streamed try of a simulated provider */
    struct answer answer;                /* of the try */
    struct losses losses;                /* likewise */
    struct llm_stream stream;            /* zeroed: nobody listens */
    bool is_paused, is_committed;
    struct call_spent spent;
    struct guard_pass pass; /* of the try */
    bool is_job;
    char let_pass[CALL_TARGET_SIZE]; /* the target of its job; "": none */
    struct loop_timer timer;         /* a wait, or a simulated answer's time */
    struct llm_call *previous, *next;
};

/* A try: begins; is over, with what it said in `answer`. */
void call_begin_try(struct llm_call *call);
void call_after_try(struct llm_call *call);

/* Says whether its deadline is over after that time. */
bool call_is_late(const struct llm_call *call, int64_t wait_ms);

/* A simulated stream goes on. */
void call_simulate_on(struct llm_call *call);

/* What the answer of the try has used (estimated where its upstream did not say) and, in all, what
 * the call has: with that answer, if there is one to be charged, and the tries before. */
struct llm_usage call_counters(const struct llm_call *call, bool has_answer);
void call_fill_usage(const struct llm_call *call, bool has_answer, Pb__Usage *usage);

/* The try has failed: what its upstream says it has used is charged all the same. */
void call_add_spent(struct llm_call *call);

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
