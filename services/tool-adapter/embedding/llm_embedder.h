/**
 * llm_embedder: an embedder that asks the llm-proxies by RPC (Llm of proto/llm.proto): one call per
 * question, whose answer is pulled from the replica where it was opened.
 *
 * What the embedding of a job costs goes into the job's report, and with it to its run and budgets,
 * once: the llm-proxy is told not to count it, and an answer that it gives again counts only if the
 * attempt that bought it was lost. What a direct call costs the llm-proxy counts, for the namespace
 * and API key of that call.
 *
 * Threads: any, which may block; many at once.
 */
#ifndef TOOL_ADAPTER_LLM_EMBEDDER_H
#define TOOL_ADAPTER_LLM_EMBEDDER_H

#include "rpc/rpc_client.h"
#include "tool-adapter/embedding/embedder.h"

enum {
    LLM_EMBEDDER_ANSWER_MAX = 32 << 20, /* bytes: 256 vectors of 16,384 dimensions as base64 */
    LLM_EMBEDDER_PULL_MS    = 2'000,    /* how long one pull waits, and how late a cancel is seen */
};

struct llm_embedder;

/** `endpoints` of the llm-proxies; empty: every question fails with FAILED_PRECONDITION. Owned:
 * llm_embedder_closep(), once nobody asks. As rpc_client_open(). */
status llm_embedder_open(const char *endpoints, const struct rpc_identity *identity,
                         const struct rpc_tls *tls, struct llm_embedder **ret_embedder,
                         struct error *reterr);
void llm_embedder_closep(struct llm_embedder **embedder);

/** A view of it. */
struct embedder llm_embedder_of(struct llm_embedder *embedder);

/** Reads the body of an answer of OpenAI's embeddings, with vectors in base64 or as numbers, of
 * `count` texts. UNAVAILABLE: it is none. */
status llm_embedder_read(str body, size_t count, struct arena *arena,
                         struct embed_answer *ret_answer, struct error *reterr);

#endif
