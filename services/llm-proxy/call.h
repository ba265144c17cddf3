/**
 * call: one request to a model, from the route to the answer: targets, keys, tries, waits.
 *
 * A call tries the targets of its route: one drawn by weight first, then the others, then the
 * fallbacks in order; each as often as the route says. What a failure means for the same target,
 * the next one and the key is one table (call.c). Nothing of a failed try is shown to anybody. A
 * target whose provider may not be called now (guard.h) is passed over.
 *
 * Threads: a pipeline and its calls belong to one loop.
 */
#ifndef LLM_PROXY_CALL_H
#define LLM_PROXY_CALL_H

#include "common.pb-c.h"
#include "http/http.h"
#include "llm-proxy/answer.h"
#include "llm-proxy/catalog.h"
#include "llm-proxy/guard.h"
#include "llm-proxy/measures.h"
#include "loop/loop.h"

struct pipeline;
struct llm_call;

struct pipeline_options {
    struct loop *loop;             /* borrowed */
    const struct catalog *catalog; /* borrowed */
    struct http_client *http;      /* borrowed */
    struct measures *measures;     /* borrowed */
    struct guard *guard;           /* borrowed; NULL: every provider may be called */
    uint64_t seed;                 /* of weights and jitter */
};

struct pipeline *pipeline_new(const struct pipeline_options *options); /* owned */
void pipeline_freep(struct pipeline **pipeline);

/** How a call ended. Valid during the callback. */
struct llm_outcome {
    bool is_ok;
    const struct answer *answer; /* is_ok */
    struct llm_error error;      /* else; of the last try */
    bool is_simulated;
    uint32_t tries;
    const char *provider;        /* of the last try; "" if there was none */
    str model;                   /* likewise */
    const struct losses *losses; /* what the last try could not carry to its upstream */
    Pb__Usage usage;             /* of the answer */
    int64_t duration_ms;
};

typedef void llm_call_done(const struct llm_outcome *outcome, void *context);

/**
 * Starts a call. `request` and `route` are borrowed until `done`, which comes exactly once, never
 * before this returns, unless the call is cancelled. `deadline_ms` on clock_mono_ms(); 0: none.
 */
struct llm_call *llm_call_start(struct pipeline *pipeline, const struct chat_request *request,
                                const struct llm_route *route, int64_t deadline_ms,
                                llm_call_done *done, void *context);

/** A deadline of the wall clock on the monotonic one; 0: none. */
int64_t llm_deadline_ms(int64_t deadline_us);

/** The call is a job's, which says itself what its last provider has met. `target`, as breakers
 * name it, was let pass by the scheduler ("": nobody was). To be said right after the start. */
void llm_call_is_job(struct llm_call *call, const char *target);

/** What a breaker counts: what the next call may meet as well. */
bool llm_error_is_failure(enum llm_error_class class);

/** Ends a call without `done`; the upstream sees its connection close. */
void llm_call_cancel(struct llm_call *call);

#endif
