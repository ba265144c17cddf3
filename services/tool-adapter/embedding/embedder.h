/**
 * embedder: texts to vectors, by a model somewhere else. What a memory and parameters with `embed`
 * ask; llm_embedder.h answers it, and tests do.
 */
#ifndef TOOL_ADAPTER_EMBEDDER_H
#define TOOL_ADAPTER_EMBEDDER_H

#include "base/arena.h"
#include "base/status.h"
#include "base/str.h"
#include "common.pb-c.h"
#include "tool-adapter/connections/engine.h"

#include <stdatomic.h>

enum {
    EMBED_DIMENSIONS_MAX = 16'384,
    EMBED_MODEL_MAX      = 200, /* bytes */
};

struct embed_ask {
    str model;                 /* a model or a route */
    str tenant;                /* namespace of who asks */
    struct engine_payer payer; /* `is_owed`: also what an answer cost that was bought before */
    const str *texts;
    size_t count;
    str idempotency_key; /* of the call: questions of one call may differ */
    struct arena *arena;
    const atomic_bool *is_cancelled;
    int64_t deadline_ms; /* clock_mono_ms() */
};

struct embed_answer {
    str model; /* that has made them; in the arena */
    uint32_t dimensions;
    float *vectors; /* count x dimensions, in the arena; of any length */
};

struct embedder {
    /**
     * Blocks. `usage` grows by what it cost, also if it fails; its texts are in the arena.
     * UNAVAILABLE, DEADLINE_EXCEEDED, CANCELLED; INVALID_ARGUMENT: the model is not known, or wants
     * no such texts; FAILED_PRECONDITION: a budget is spent.
     */
    status (*embed)(void *self, const struct embed_ask *ask, struct embed_answer *ret_answer,
                    Pb__Usage *usage, struct error *reterr);
    void *self;
};

#endif
