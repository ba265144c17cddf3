/**
 * route_defaults: what a route says where its callers do not: `defaults` in the configuration.
 *
 * They are for chats only. A body that is passed on as it came gets them as members of its own
 * protocol.
 */
#ifndef LLM_PROXY_ROUTE_DEFAULTS_H
#define LLM_PROXY_ROUTE_DEFAULTS_H

#include "llm-proxy/chat/chat.h"

/** Zeroed: none. */
struct route_defaults {
    bool has_temperature, has_top_p;
    double temperature, top_p;
    int64_t max_tokens; /* 0: none */
};

/** Says whether the request leaves one of them open. */
bool route_defaults_are_needed(const struct route_defaults *defaults,
                               const struct chat_request *request);

/** Fills `request`, a copy (chat_copy()) that is ours to change. If its body is passed on, it has
 * another one afterwards, which `ret_source` owns; `flavor` says which words OpenAI's has. */
void route_defaults_fill(const struct route_defaults *defaults, enum chat_flavor flavor,
                         struct chat_request *request, json *ret_source);

#endif
