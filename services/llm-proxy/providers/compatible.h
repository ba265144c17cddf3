/** compatible: OpenAI's wire format, as whole answers and streams of upstreams share it. */
#ifndef LLM_PROXY_PROVIDERS_COMPATIBLE_H
#define LLM_PROXY_PROVIDERS_COMPATIBLE_H

#include "llm-proxy/catalog/provider.h"

enum llm_finish compatible_finish(str reason);

/** What a member `usage` says; false: it is no object. */
bool compatible_usage(json usage, struct llm_usage *ret_usage);

/** Whether an `error` is of the kind that does not pass by waiting: the account is spent. */
bool compatible_is_quota(json error);

extern const struct decoder_kind compatible_stream;

#endif
