/* What the files of call.h share. */
#ifndef LLM_PROXY_CALL_INTERNAL_H
#define LLM_PROXY_CALL_INTERNAL_H

#include "base/random.h"
#include "llm-proxy/call/answer_cache.h"
#include "llm-proxy/call/call.h"
#include "llm-proxy/call/exchange.h"
#include "llm-proxy/chat/function_names.h"
#include "llm-proxy/keys/key_room.h"
#include "llm-proxy/providers/simulated.h"
#include "llm-proxy/vault/scribe.h"

/* What a try is held to, in this order. */
enum call_quota { CALL_QUOTA_PROVIDER, CALL_QUOTA_MODEL, CALL_QUOTAS };

enum { CALL_TARGET_SIZE = PROVIDER_NAME_MAX + sizeof "llm:" };

struct pipeline {
    struct pipeline_options options;
    struct key_room (*keys)[PROVIDER_KEYS_MAX]; /* by provider, in the catalog's order */
    uint64_t *numbers;                          /* calls of a provider so far */
    size_t *guarded;                            /* places of the providers in the guard */
    uint32_t holds;
    struct prng prng;
    struct llm_call *calls;
    struct exchange_rests rests;
    struct answer_cache *cache;   /* owned; as the next two */
    struct answer_cache *vectors; /* of embeddings */
    struct embed_pools *pools;    /* likewise */
};

/* What tries that failed have cost nevertheless. */
struct call_spent {
    bool has_any, is_unknown;
    int64_t cost_usd_nanos;
    int64_t input_tokens, output_tokens, cached_tokens, reasoning_tokens;
};

struct llm_call {
    struct pipeline *pipeline;
    struct scribe *scribe;      /* of the try, owned; NULL: nothing is to be kept */
    struct call_saving *saving; /* owned; NULL: answers from before are not wanted */
    struct llm_stream stream;   /* zeroed: nobody listens */
    bool is_paused, is_committed;
    struct answer answer; /* of the try */
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
    int64_t try_started_ms;
    struct llm_attempt *attempts;        /* of the request's arena */
    struct key_room *key;                /* of the try under way; NULL: the provider has none */
    struct key_room *asked_key;          /* whether it has room for the try is asked */
    struct guard_key_pass key_pass;      /* of that one, or of `key` */
    struct arena *arena;                 /* of the try, while it is sent */
    struct exchange *exchange;           /* of the try, owned; as the next */
    struct simulated_stream *simulation; /* of a streamed try of a simulated provider */
    struct losses losses;                /* likewise */
    struct function_names names;         /* likewise: those that it has changed */
    json source; /* likewise, while it is sent: its body with defaults, or JSON_INVALID */
    str namespace;
    struct peers_recall *recall; /* what others keep of the conversation is on its way */
    struct call_spent spent;
    bool is_sent; /* somebody was called; of the try, as the next four */
    struct guard_pass pass;
    struct quota_pass quotas[CALL_QUOTAS];
    enum call_quota quota_count; /* that have let it pass */
    void (*quota_decided)(struct llm_call *call, bool may_go);
    int64_t asked_ms; /* when a limit that it may wait for was asked */
    int64_t first_ms; /* of a stream that has committed: from the start to that */
    int64_t guessed_tokens; /* of its question; 0: nobody has said */
    bool is_job;
    char let_pass[CALL_TARGET_SIZE]; /* the target of its job; "": none */
    int64_t back_ms;         /* when the first target that rests may be asked; 0: none does */
    struct loop_timer timer; /* a wait, or a simulated answer's time */
    struct llm_call *previous, *next;
};

/* A try: begins; is over, with what it said in `answer`. */
void call_begin_try(struct llm_call *call);
void call_after_try(struct llm_call *call);

/* The end: with what `answer` has (NULL), or with a failure. */
void call_end_with(struct llm_call *call, const struct llm_error *error);

/* The request as the target of the try is to get it, which may be the caller's own; lives as long
 * as the try's arena. NULL: out of memory. */
const struct chat_request *call_adapt(struct llm_call *call);

/* What the target says, as the caller is to hear it: `event` itself or, changed, in `room`. */
const struct llm_event *call_adapt_event(struct llm_call *call, const struct llm_event *event,
                                         struct llm_event *room);

/* Says whether its deadline is over after that time. */
bool call_is_late(const struct llm_call *call, int64_t wait_ms);

/* A simulated stream goes on. */
void call_simulate_on(struct llm_call *call);

/* What the answer of the try has used (estimated where its upstream did not say) and, in all, what
 * the call has: with that answer, if there is one to be charged, and the tries before. */
struct llm_usage call_counters(const struct llm_call *call, bool has_answer);
void call_fill_usage(const struct llm_call *call, bool has_answer, Pb__Usage *usage);

/* Nobody knows what it has cost: said in the log. */
void call_warn_unpriced(const Pb__Usage *usage);

/* The try has failed: what its upstream says it has used is charged all the same. */
void call_add_spent(struct llm_call *call);

const struct route_target *call_target(const struct llm_call *call);

/** Its provider's place in the catalog, and in the guard. */
size_t call_provider(const struct llm_call *call);
size_t call_guarded(const struct llm_call *call);

/** The order in which its targets are tried: drawn by weight, without putting back; those of weight
 * 0 follow as they stand. */
void call_draw_order(struct llm_call *call);

/** Why no key may be used, and for how long. */
struct key_refusal {
    int64_t wait_ms; /* -1: for good */
    bool is_full;    /* the soonest one has limits of its own */
};

/** The key with the least load for its weight among those that may be used now, which is to be
 * asked for; NULL: none. */
const struct provider_key *call_choose_key(struct llm_call *call, struct key_refusal *ret_refusal);
bool call_has_usable_key(struct llm_call *call);

/** Whether it has room over all llm-proxies: as guard_enter(); `decided` may come. */
enum guard_verdict call_ask_key(struct llm_call *call,
                                void (*decided)(enum guard_verdict verdict, void *context));

/** It has none: it is not chosen until it has. */
void call_shut_key(struct llm_call *call);

/** The try begins to use the key that was asked for (returned; NULL: none), and is over. Without a
 * key nothing happens. */
const struct provider_key *call_enter_key(struct llm_call *call);
void call_leave_key(struct llm_call *call);

/* What was asked and said by the try, also by what was cut; of a refusal only what it says itself;
 * nothing of one that was not sent. */
int64_t call_tokens_of_try(const struct llm_call *call);

/* Whether the limits of its provider and its model let it pass that have not yet: `decided` comes
 * for one of them after QUOTA_WAIT. Why one did not: `text` is its. */
enum quota_answer call_ask_quotas(struct llm_call *call,
                                  void (*decided)(struct llm_call *call, bool may_go));
struct llm_error call_quota_refusal(const struct llm_call *call, char *text, size_t size);
void call_leave_quotas(struct llm_call *call);

/* How many tokens its question was is known now. */
void call_note_ratio(const struct llm_call *call);

/** The name of the key of the try; NULL: it has none. */
const char *call_key_name(const struct llm_call *call);

/** What a failure means for the key of the try. */
void call_punish_key(struct llm_call *call, const struct llm_error *error);

#endif
