/**
 * simulated: a model that is none, for demonstrations and tests without network.
 *
 * Deterministic: everything follows from the request and the provider's seed. Text begins with
 * "[simulated] "; a request with a schema gets a valid instance of it; `tool_choice` that asks for
 * a call gets one with valid arguments. It never passes for real: everything that carries its
 * answers on is marked (docs/guide/llm.md).
 */
#ifndef LLM_PROXY_PROVIDERS_SIMULATED_H
#define LLM_PROXY_PROVIDERS_SIMULATED_H

#include "llm-proxy/provider.h"

/** The whole answer to the `number`-th call (from 1) of this provider, as events. */
void simulated_answer(const struct provider *provider, const struct chat_request *request,
                      str model, uint64_t number, llm_sink *sink, void *context);

/** How long a model like this one would have taken: first event, then the tokens. */
int64_t simulated_delay_ms(const struct provider *provider, const struct chat_request *request);

#endif
