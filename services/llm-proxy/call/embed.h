/**
 * embed: texts to vectors, in batches.
 *
 * A request for embeddings is a chat_request with `inputs` (chat.h), so that it goes through the
 * same pipeline: route, targets, keys, tries. Equal texts are one; those whose vectors are known or
 * on their way are not asked for again, the others go out with those of other requests
 * (embed_pool.h). The answer has all vectors in the order of the inputs, and this request's part of
 * what they have cost. One text that fails is the failure of all.
 *
 * Threads: those of the pipeline's loop.
 */
#ifndef LLM_PROXY_EMBED_H
#define LLM_PROXY_EMBED_H

#include "llm-proxy/call/call.h"

struct embed_call;

/** As llm_call_start(); the outcome's answer has `vectors`. `request` has at least one input.
 * `let_pass` as of llm_call_is_job(); NULL: it is no job's. */
struct embed_call *embed_start(struct pipeline *pipeline, const struct chat_request *request,
                               const struct llm_route *route, const char *let_pass,
                               int64_t deadline_ms, llm_call_done *done, void *context);

/** What it is to be charged if it ends now. */
void embed_used(const struct embed_call *embed, Pb__Usage *ret_usage);

/** Ends it without `done`. */
void embed_cancel(struct embed_call *embed);

#endif
