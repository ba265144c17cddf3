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
    bool is_committed;           /* of a stream: something meaningful was said before the end */
    const struct answer *answer; /* is_ok; of a stream without its texts */
    struct llm_error error;      /* else; of the last try */
    bool is_simulated;
    uint32_t tries;
    const char *provider;        /* of the last try; "" if there was none */
    str model;                   /* likewise */
    const struct losses *losses; /* what the last try could not carry to its upstream */
    struct llm_usage counters;   /* of the answer, estimated where its upstream did not say */
    Pb__Usage usage;             /* of all tries that cost something */
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

/**
 * Who listens to a call whose request wants a stream. The commit rule: until the first meaningful
 * event (llm_event_is_meaningful()) a failure leads to another try, which `begun` tells of: what
 * came of the one before is void. After it a failure is the end.
 */
struct llm_try {
    const char *provider;
    uint32_t number; /* of the call, from 1 */
    bool is_simulated;
    const struct losses *losses; /* fills while the request is translated */
};

struct llm_stream {
    void (*begun)(const struct llm_try *begun, void *context);
    llm_sink *event; /* of the try; never LLM_ERROR or LLM_END, which `done` stands for */
    void *context;
};

/** To be said right after the start. */
void llm_call_stream(struct llm_call *call, const struct llm_stream *stream);

/** Its upstream is not read any more, until it is resumed, but for a few KiB on their way. Pausing
 * may be done inside `event`, resuming not. */
void llm_call_pause(struct llm_call *call);
void llm_call_resume(struct llm_call *call);

/** What a call under way is to be charged if it ends now: what was produced. */
void llm_call_used(const struct llm_call *call, Pb__Usage *ret_usage);

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
