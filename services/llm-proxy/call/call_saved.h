/* What call.c and call_try.c ask of call_saved.c: calls with `saving`. */
#ifndef LLM_PROXY_CALL_SAVED_H
#define LLM_PROXY_CALL_SAVED_H

#include "llm-proxy/call/answer_cache.h"
#include "llm-proxy/call/call.h"

struct call_saving {
    struct answer_key key; /* of requests of any protocol that ask for the same */
    struct answer_key own; /* of answers that only this one's protocol has words for */
    int64_t max_age_ms;
    enum llm_cached said; /* CACHED_NO: not asked yet */
    struct passenger passenger;
    struct event_log log; /* of the try */
    bool has_finished;
    struct saved_answer *answer; /* it is served by; owned */
};

/** Before the first try. True: the call is answered, or waits for another one. */
bool call_ask_saved(struct llm_call *call);
int64_t call_saved_age_ms(const struct llm_call *call);

/** A try begins; says something; the call is over: what is worth it is kept, those that wait are
 * told, and of an answer from before the outcome says so. */
void call_saving_restart(struct llm_call *call);
void call_saving_take(struct llm_call *call, const struct llm_event *event);
void call_saving_finish(struct llm_call *call, struct llm_outcome *outcome);
void call_saving_free(struct llm_call *call);

#endif
