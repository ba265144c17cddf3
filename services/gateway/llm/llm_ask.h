/**
 * llm_ask: what a call asks one of the llm-proxies that is no call of a model.
 *
 * Threads: any.
 */
#ifndef GATEWAY_LLM_ASK_H
#define GATEWAY_LLM_ASK_H

#include "gateway/api/api.h"

/** Asks the least busy one, since all have the same configuration. The call lives until `then` has
 * returned, which is called only if the answer is OK; else the problem is sent. */
void llm_ask(struct api_call *call, const char *method, const void *message, api_then *then);

#endif
