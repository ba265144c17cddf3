/**
 * embed: texts to vectors, in batches.
 *
 * A request for embeddings is a chat_request with `inputs` (chat.h), so that it goes through the
 * same pipeline: route, targets, keys, tries. What is too long for one call of the provider goes
 * out in several, EMBED_PARALLEL_MAX at a time; the answer has all vectors in the order of the
 * inputs, and the usage of all calls. One batch that fails is the failure of all.
 *
 * What it does not do: token arrays as inputs, a cache, looking for equal inputs.
 * Threads: those of the pipeline's loop.
 */
#ifndef LLM_PROXY_EMBED_H
#define LLM_PROXY_EMBED_H

#include "llm-proxy/call.h"
#include "json/json_write.h"

enum {
    EMBED_INPUTS_MAX     = 2'048, /* of a request; OpenAI's limit */
    EMBED_BATCH          = 64,    /* inputs of one call of a provider */
    EMBED_BATCH_LOCAL    = 32,    /* of an openai-compatible one: smaller machines */
    EMBED_PARALLEL_MAX   = 4,
    EMBED_DIMENSIONS_MAX = 65'536,
};

/** Reads `model`, `input` (a text or texts), `dimensions`, `encoding_format`: the body of OpenAI's
 * embeddings, and the arguments of `llm.embed`. INVALID_ARGUMENT names the member. */
status embed_read(json source, struct arena *arena, struct chat_request **ret_request,
                  struct error *reterr);

/** The request as the body of OpenAI's embeddings. */
bool embed_print_request(const struct chat_request *request, str model, struct buf *out);

struct embed_call;

/** As llm_call_start(); the outcome's answer has `vectors`. `request` has at least one input. */
struct embed_call *embed_start(struct pipeline *pipeline, const struct chat_request *request,
                               const struct llm_route *route, int64_t deadline_ms,
                               llm_call_done *done, void *context);

/** As llm_call_is_job(); `target` is borrowed. */
void embed_is_job(struct embed_call *embed, const char *target);
void embed_cancel(struct embed_call *embed);

/** Writes one array per vector. */
void embed_print_vectors(const struct answer *answer, struct json_writer *w);

/** The answer as the body of OpenAI's embeddings. */
void embed_print_openai(const struct llm_outcome *outcome, const struct chat_request *request,
                        struct json_writer *w);

#endif
