/**
 * embed_params: parameters that a manifest marks `embed: <sibling>` and that a call leaves out are
 * filled with the embedding of the sibling's text; also in the objects of a list.
 *
 * All texts of a call are one question to the embedder, which blocks and so is asked on a thread of
 * a pool of its own. Vectors are rounded to the ninth place behind the point: they travel as text.
 *
 * Threads: belongs to the loop.
 */
#ifndef TOOL_ADAPTER_EMBED_PARAMS_H
#define TOOL_ADAPTER_EMBED_PARAMS_H

#include "loop/work_pool.h"
#include "tool-adapter/embedding/embedder.h"

enum {
    EMBED_TEXTS_MAX = 1'024,     /* of one call */
    EMBED_ARENA_MAX = 128 << 20, /* bytes of one call */
    EMBED_CALLS_MAX = 1'000,     /* at once */
};

/** Who embeds; borrowed by all that is under way. */
struct embed_desk {
    struct embedder embedder;
    struct work_pool *pool;
    unsigned calls; /* under way */
};

struct embed_params;

/** Borrowed until start returns, but for the first two, `done` and its context. */
struct embed_params_request {
    const struct manifest_action *action; /* borrowed until `done` or cancel, as the next */
    json params;                          /* of the call, checked, with defaults */
    str model;                            /* a model or a route */
    str namespace, idempotency_key;
    struct engine_payer payer;
    int64_t until_ms; /* on clock_mono_ms() */
    /* Exactly once, unless cancelled, never from inside start. Of OK `params` are whole: a view, as
     * `usage`, which is NULL if nothing was bought. */
    void (*done)(status code, const struct error *error, json params, const Pb__Usage *usage,
                 void *context);
    void *context;
};

/** Says whether a vector is left out whose text is there. */
bool embed_params_are_due(const struct manifest_action *action, json params);

/** INVALID_ARGUMENT: more than EMBED_TEXTS_MAX texts; RESOURCE_EXHAUSTED. `done` does not come
 * then. What `done` is told otherwise is what embedder.h says. */
status embed_params_start(struct embed_desk *desk, const struct embed_params_request *request,
                          struct embed_params **ret_call, struct error *reterr);

/** Nobody is told. NULL is fine. */
void embed_params_cancel(struct embed_params *call);

#endif
