/**
 * llm_pull: answers of the llm-proxy, brought by one parked Pull per replica.
 *
 * A call is opened at one replica; what it answers comes in items through that replica's Pull,
 * together with those of all other calls. Items may come before the answer to Open is here, so they
 * are kept until it is. An answer goes out to the client when it is whole.
 *
 * Threads: everything on the home loop, but new and free, llm_pull_choose() and
 * llm_pull_replicas(): any.
 */
#ifndef GATEWAY_LLM_PULL_H
#define GATEWAY_LLM_PULL_H

#include "gateway/api/api.h"

enum { LLM_REPLICAS_MAX = 64 };

/** `replicas`: how many endpoints the client of the llm-proxy has. Owned. */
struct llm_pull *llm_pull_new(struct api *api, uint32_t replicas);
void llm_pull_freep(struct llm_pull **pull);

uint16_t llm_pull_replicas(const struct llm_pull *pull);

/** Which replica a new call goes to: the one with the fewest open calls. */
uint16_t llm_pull_choose(struct llm_pull *pull);

/** The call that `api_call` waits for, by the number that Open at `replica` gave it. */
void llm_pull_add(struct llm_pull *pull, struct api_call *api_call, uint16_t replica,
                  uint64_t call);

/** What comes under a number that is no call's goes to `take`, until llm_pull_untap(). `lost`: the
 * replica was restarted; nothing comes any more, and the tap is free. On the home loop. */
struct llm_tap {
    void (*take)(str data, void *context);
    void (*lost)(void *context);
    void *context;
    struct llm_incoming *incoming; /* NULL: it is free */
};

/** `tap` stays where it is, and is free so far. False: too many calls are open. */
bool llm_pull_tap(struct llm_pull *pull, struct llm_tap *tap, uint16_t replica, uint64_t number);

/** Nothing if it is free. */
void llm_pull_untap(struct llm_tap *tap);

#endif
