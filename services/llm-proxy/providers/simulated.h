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

#include "llm-proxy/catalog/provider.h"

/** The whole answer to the `number`-th call (from 1) of this provider, as events. */
void simulated_answer(const struct provider *provider, const struct chat_request *request,
                      str model, uint64_t number, llm_sink *sink, void *context);

/** How long a model like this one would have taken: first event, then the tokens. */
int64_t simulated_delay_ms(const struct provider *provider, const struct chat_request *request);

/** The first event alone. */
int64_t simulated_first_ms(const struct provider *provider, const struct chat_request *request);

/** The same answer as a stream: a token at a time, at the provider's pace. */
struct simulated_stream;

/** Borrows `request` for the call only. Owned: simulated_stream_free(). */
struct simulated_stream *simulated_stream_new(const struct provider *provider,
                                              const struct chat_request *request, str model,
                                              uint64_t number, int64_t now_ms);
void simulated_stream_free(struct simulated_stream *stream);

/** When its next event is due, on the clock of `now_ms`. */
int64_t simulated_stream_due_ms(const struct simulated_stream *stream);

/** Sends the next event; false: it was the last, LLM_END. */
bool simulated_stream_send(struct simulated_stream *stream, llm_sink *sink, void *context);

#endif
