/**
 * anthropic: what the files of Anthropic's Messages API share. Shapes: the type files of
 * @anthropic-ai/sdk, and its documentation of versions and errors.
 */
#ifndef LLM_PROXY_PROVIDERS_ANTHROPIC_H
#define LLM_PROXY_PROVIDERS_ANTHROPIC_H

#include "llm-proxy/catalog/provider.h"

enum { ANTHROPIC_TOKENS_DEFAULT = 4'096 }; /* of an answer nobody bounded: the API wants a bound */

/** From this version on the API refuses temperature, top_p and top_k. */
#define ANTHROPIC_VERSION_OLD "2023-06-01"
#define ANTHROPIC_VERSION_NEW "2026-10-21"

/** The version a request is sent with: the configured one; else the client's own if it speaks this
 * protocol; else the old one if the request has what the new one refuses. */
str anthropic_version(const struct provider *provider, const struct chat_request *request);

/** The request as the body of `POST /v1/messages`. Losses are added as by chat_print_openai().
 * False: `out` is full. */
bool anthropic_print(const struct chat_request *request, str model, str version,
                     struct losses *losses, struct buf *out);

/** Counters as the API counts them: input without what was read from or written to the cache. */
struct anthropic_usage {
    bool is_known; /* something was said */
    int64_t input, cache_write, cache_write_1h, cache_read, output, reasoning, searches;
};

struct anthropic_usage anthropic_usage_unknown(void);

/** Takes over what a `usage` says; what it does not say stays. */
void anthropic_usage_merge(struct anthropic_usage *usage, json said);

/** As everybody else counts. */
struct llm_usage anthropic_usage_of(const struct anthropic_usage *usage);

enum llm_finish anthropic_finish_of(str stop_reason);

/** What {"type": "error", ...} means; `http_status` is 200 inside a stream. Views of `body`. */
struct llm_error anthropic_error_of(json body, uint32_t http_status);

extern const struct decoder_kind anthropic_stream;

#endif
