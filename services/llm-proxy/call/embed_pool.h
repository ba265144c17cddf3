/**
 * embed_pool: the texts that wait for their vectors, of all requests, and the calls that bring
 * them.
 *
 * A text, or what stands for one in tokens, is known by its route (or target), dimensions and
 * content. One whose vector is in memory is not asked for again, nor is one that is on its way. The
 * rest waits in a queue and goes out in batches, as large and as many at a time as its provider's
 * settings say: while those are busy, what comes from anybody queues, and leaves together.
 *
 * What a batch has cost is divided among the texts that somebody waits for, by their bytes; the
 * parts add up exactly. A batch that is refused with 400 is halved, until the text that is the
 * reason is alone: only those who wait for it hear of it. Any other failure is that of all who wait
 * for the batch. A batch that nobody waits for is cancelled.
 *
 * Threads: all on the pipeline's loop.
 */
#ifndef LLM_PROXY_EMBED_POOL_H
#define LLM_PROXY_EMBED_POOL_H

#include "llm-proxy/call/answer_cache.h"
#include "llm-proxy/call/call.h"

enum { VECTORS_SIZE_MAX = 64 << 20 /* bytes of all vectors in memory */ };

struct embed_pools;
struct embed_text;

struct embed_pools *embed_pools_new(struct pipeline *pipeline); /* owned */
void embed_pools_freep(struct embed_pools **pools);

/** What comes of a text. Valid during the callback. */
struct embed_end {
    const struct saved_answer *vector; /* NULL: it failed */
    const struct llm_error *error;     /* else */
    const struct llm_outcome *batch;   /* provider, model, tries */
    uint64_t number;                   /* of the batch: several of its texts may be one request's */
    Pb__Usage paid;                    /* this one's part; calls 0: another one pays */
};

/** Somebody who waits for a text. `ended` comes once, never from within embed_pools_want(). */
struct embed_seat {
    struct embed_text *text;
    struct embed_seat *next;
    void (*ended)(struct embed_seat *seat, const struct embed_end *end);
    void *context;
};

/** Whose texts go out together. */
struct embed_kind {
    const struct llm_route *route;
    int64_t dimensions;
    bool has_tokens;      /* of chat.h: their texts are tokens */
    const char *let_pass; /* as of llm_call_is_job(); NULL: no job's */
};

/** The vector, with a reference for the caller; or NULL, and the seat waits for it. */
struct saved_answer *embed_pools_want(struct embed_pools *pools, const struct embed_kind *kind,
                                      str text, struct embed_seat *seat);

/** What was wanted may go out now. */
void embed_pools_go(struct embed_pools *pools, const struct embed_kind *kind);

/** Does not wait any more. One that does not wait may leave as well. */
void embed_pools_leave(struct embed_seat *seat);

#endif
