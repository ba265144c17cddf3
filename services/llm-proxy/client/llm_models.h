/** llm_models: what can be asked, and whom: ListModels and ListProviders of the service Llm. */
#ifndef LLM_PROXY_LLM_MODELS_H
#define LLM_PROXY_LLM_MODELS_H

#include "rpc/rpc.h"

enum { LLM_MODELS_MAX = 5'000 /* that one list names */ };

/* Their context is a struct llm_service. Any thread. */
status llm_models_handle(struct rpc_call *call, struct error *reterr);
status llm_providers_handle(struct rpc_call *call, struct error *reterr);

#endif
