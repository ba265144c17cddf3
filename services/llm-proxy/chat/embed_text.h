/**
 * embed_text: embeddings as OpenAI's API writes them (openai/openai-openapi, openapi.json 2.3.0),
 * which are also the arguments of `llm.embed`.
 *
 * Inputs are texts or arrays of tokens, all of one kind. Tokens mean something to the model they
 * are of alone; only providers that speak OpenAI's protocol take them.
 *
 * Threads: any; nothing is kept.
 */
#ifndef LLM_PROXY_EMBED_TEXT_H
#define LLM_PROXY_EMBED_TEXT_H

#include "llm-proxy/chat/chat.h"
#include "llm-proxy/stream/answer.h"
#include "json/json_write.h"

enum {
    EMBED_DIMENSIONS_MAX = 65'536,
    EMBED_INPUTS_MAX     = 2'048, /* of a request; OpenAI's limit */
};

/** Reads `model`, `input` (a text or tokens, or a list of either), `dimensions` and
 * `encoding_format`. INVALID_ARGUMENT names the member. */
status embed_read(json source, struct arena *arena, struct chat_request **ret_request,
                  struct error *reterr);

/** The request as a body; with `is_compact` vectors are asked for in base64, which not every server
 * that speaks the protocol knows. False: `out` is full. */
bool embed_print_request(const struct chat_request *request, str model, bool is_compact,
                         struct buf *out);

/** Writes one array per vector. */
void embed_print_vectors(const struct answer *answer, struct json_writer *w);

/** The answer as a body. `input_tokens` is what was paid for. */
void embed_print_answer(const struct answer *answer, const struct chat_request *request,
                        int64_t input_tokens, bool is_simulated, struct json_writer *w);

#endif
