/**
 * llm_service: what gateways call: Open, Pull, Resume, Cancel, ListModels (proto/llm.proto).
 *
 * Open admits a call and answers at once; what the model says comes through Pull, one parked call
 * per gateway that carries the answers of all its calls. What was sent stays kept until a later
 * Pull acknowledges it, so a lost reply loses nothing.
 *
 * Threads: the methods come on RPC threads and are carried to the loop; the rest is there.
 */
#ifndef LLM_PROXY_LLM_SERVICE_H
#define LLM_PROXY_LLM_SERVICE_H

#include "llm-proxy/call.h"
#include "rpc/rpc.h"

struct llm_service;

/** `guard`: of the budgets that calls are charged to. All are borrowed; the service is owned. */
struct llm_service *llm_service_new(struct loop *loop, struct pipeline *pipeline,
                                    struct guard *guard, const struct catalog *catalog);
void llm_service_freep(struct llm_service **service);

/** Refuses new calls; answers those under way. On the loop. */
void llm_service_drain(struct llm_service *service);

/** Calls under way. On the loop. */
size_t llm_service_busy(const struct llm_service *service);

/** What is configured now. Any thread. */
const struct catalog *llm_service_catalog(const struct llm_service *service);

extern const struct rpc_method llm_service_methods[]; /* their context is a struct llm_service */

#endif
