/**
 * generations: what each reading of the configuration has made, until nobody needs it any more.
 *
 * A generation is a catalog, the rules and connections to its upstreams, and a pipeline. New calls
 * go to the newest one; calls under way keep theirs (pipeline_hold()), also its routes, keys and
 * prices. Older generations are freed when they are idle.
 *
 * Keys of providers that rest until a moment rest on; those that were refused are tried again.
 * Answers from before (answer_cache.h) are those of the keeper from then on.
 *
 * Threads: the loop's, but for generations_new() and generations_freep(), which come before and
 * after it runs.
 */
#ifndef LLM_PROXY_GENERATIONS_H
#define LLM_PROXY_GENERATIONS_H

#include "llm-proxy/call/call.h"

struct generations;

/** All borrowed. */
struct generations_options {
    struct loop *loop;
    struct measures *measures;
    struct pulse *pulse;
    struct guard *guard;
    struct vault *vault;
    struct peers *peers;
    struct answer_keeper keeper; /* of answers from before; zeroed: none */
};

struct generations *generations_new(const struct generations_options *options); /* owned */
void generations_freep(struct generations **list);

/** Makes one of `catalog`, which is taken, also if this fails: RESOURCE_EXHAUSTED, over
 * GUARD_TARGETS_MAX providers since the start. */
status generations_add(struct generations *list, struct catalog *catalog, struct error *reterr);

/** That of the newest one; there is one. */
struct pipeline *generations_pipeline(const struct generations *list);

#endif
