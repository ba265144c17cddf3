/**
 * counting: how upstreams say how many tokens a request has, where they can.
 *
 * The question is the body of the request itself, sent to another path; the answer is one number,
 * as the usage of an answer that says nothing. Each is a kind of provider of its own (`counter` of
 * the kind that it belongs to), of which only `encode` and `decode` are used.
 *
 * Shapes: the type files of @anthropic-ai/sdk, and the REST API that @google/genai calls.
 */
#ifndef LLM_PROXY_PROVIDERS_COUNTING_H
#define LLM_PROXY_PROVIDERS_COUNTING_H

#include "llm-proxy/catalog/provider.h"

/** `POST /v1/messages/count_tokens`. Between two protocols only the members that it knows are sent;
 * a body that is Anthropic's already goes as it came. */
extern const struct provider_kind provider_anthropic_counter;

/** `:countTokens`: `contents` alone as they are, all else within `generateContentRequest`. */
extern const struct provider_kind provider_gemini_counter;

/** What a request may have where nobody can be asked: a quarter of the bytes of its texts and
 * tools, and four tokens for each message; nothing of pictures, sounds and files. */
int64_t counting_estimate(const struct chat_request *request);

#endif
