/**
 * llm_service: what gateways call: Open, Pull, Resume, Attach, Cancel, lists (proto/llm.proto).
 *
 * Open admits a call and answers at once; what the model says comes through Pull, one parked call
 * per gateway that carries the answers of all its calls. What was sent stays kept until a later
 * Pull acknowledges it, so a lost reply loses nothing. Attach makes a subscriber the reader of a
 * durable stream.
 *
 * Threads: the methods come on RPC threads and are carried to the loop; the rest is there.
 */
#ifndef LLM_PROXY_LLM_SERVICE_H
#define LLM_PROXY_LLM_SERVICE_H

#include "llm-proxy/answers/answers.h"
#include "llm-proxy/call/call.h"
#include "rpc/rpc.h"

struct llm_service;

/** What it works with. */
struct llm_service_options {
    struct loop *loop;
    struct pipeline *pipeline;
    struct guard *guard;           /* of the budgets that calls are charged to */
    struct usage_journal *journal; /* of what they have used */
    struct answers *answers;
    struct peers *peers;         /* NULL: nobody else is asked for answers */
    struct job_outputs *outputs; /* NULL: jobs are not streamed */
    struct provider_keys *provider_keys;
    int64_t grace_ms; /* how long a durable stream goes on without a reader */
};

/** All are borrowed; `answers` outlives the service. Owned. */
struct llm_service *llm_service_new(const struct llm_service_options *options);

/** Ends what is under way; durable streams get an end. After the loop was joined, and before
 * answers_stop(). */
void llm_service_stop(struct llm_service *service);

/** After answers_stop(). */
void llm_service_freep(struct llm_service **service);

/** Refuses new calls; answers those under way. On the loop. */
void llm_service_drain(struct llm_service *service);

/** Those under way are cut: their clients hear it, and what came is charged. On the loop. */
void llm_service_cut(struct llm_service *service);

/** Calls under way. On the loop. */
size_t llm_service_busy(const struct llm_service *service);

/** New calls go through this one from now on. On the loop. */
void llm_service_use(struct llm_service *service, struct pipeline *pipeline);

/** What is configured now. On the loop. */
const struct catalog *llm_service_catalog(const struct llm_service *service);
const struct pulse *llm_service_pulse(const struct llm_service *service);

extern const struct rpc_method llm_service_methods[]; /* their context is a struct llm_service */

#endif
