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
#include "llm-proxy/call/answer_cache.h"
#include "llm-proxy/call/attempts.h"
#include "llm-proxy/call/pulse.h"
#include "llm-proxy/catalog/catalog.h"
#include "llm-proxy/guard/guard.h"
#include "llm-proxy/measures.h"
#include "llm-proxy/peers/peers.h"
#include "llm-proxy/stream/answer.h"
#include "llm-proxy/vault/vault.h"
#include "loop/loop.h"

struct pipeline;
struct llm_call;
struct answer_key;

struct pipeline_options {
    struct loop *loop;             /* borrowed */
    const struct catalog *catalog; /* borrowed */
    struct http_client *http;      /* borrowed */
    struct measures *measures;     /* borrowed */
    struct pulse *pulse;           /* borrowed; NULL: nobody asks how fast providers are */
    struct guard *guard;           /* borrowed; NULL: every provider may be called */
    struct vault *vault;           /* borrowed; NULL: nothing is kept for the next turn */
    struct peers *peers;           /* borrowed; NULL: no other vault is asked */
    struct answer_keeper keeper;   /* of answers from before; zeroed: they are in memory only */
    uint64_t seed;                 /* of weights and jitter */
};

struct pipeline *pipeline_new(const struct pipeline_options *options); /* owned */
void pipeline_freep(struct pipeline **pipeline);

/** Whoever has a route, a catalog or a call of it for a while holds it. It is idle if nobody does,
 * and there are no calls: then it may be freed. */
struct pipeline *pipeline_hold(struct pipeline *pipeline); /* returns it */
void pipeline_release(struct pipeline *pipeline);
bool pipeline_is_idle(const struct pipeline *pipeline);

/** The loop that it belongs to. */
struct loop *pipeline_loop(const struct pipeline *pipeline);
struct measures *pipeline_measures(const struct pipeline *pipeline);
struct http_client *pipeline_http(const struct pipeline *pipeline);
const struct pulse *pipeline_pulse(const struct pipeline *pipeline);

/** Its catalog lives as long as it. */
const struct catalog *pipeline_catalog(const struct pipeline *pipeline);

/** Keys of the same providers and names that rest until a moment rest on. */
void pipeline_take_over(struct pipeline *pipeline, const struct pipeline *before);

/** Where an answer comes from, if one from before was asked for. */
enum llm_cached {
    CACHED_NO, /* it was not */
    CACHED_MISS,
    CACHED_HIT,
    CACHED_JOINED, /* of an equal call that was under way */
};

/** How a call ended. Valid during the callback. */
struct llm_outcome {
    bool is_ok;
    bool is_committed;           /* of a stream: something meaningful was said before the end */
    const struct answer *answer; /* is_ok; of a stream without its texts */
    struct llm_error error;      /* else; of the last try */
    bool is_simulated;
    bool is_estimated; /* of a question for tokens: nobody could be asked */
    uint32_t tries;
    const struct llm_attempt *attempts; /* NULL: the first one went well */
    const char *provider;               /* of the last try; "" if there was none */
    str model;                          /* likewise */
    const struct losses *losses;        /* what the last try could not carry to its upstream */
    struct llm_usage counters; /* of the answer, estimated where its upstream did not say */
    Pb__Usage usage;           /* of all tries that cost something */
    int64_t duration_ms;
    int64_t first_ms; /* is_committed: from the start to that */
    enum llm_cached cached;
    int64_t age_ms;  /* of an answer that is not its own */
    bool is_stopped; /* by its budget */
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
    str model;       /* of that provider */
    uint32_t number; /* of the call, from 1; 0: nobody is asked */
    bool is_simulated;
    const struct losses *losses;        /* fills while the request is translated */
    const struct llm_attempt *attempts; /* those before */
    enum llm_cached cached;
    int64_t age_ms; /* of an answer that is not its own */
};

struct llm_stream {
    void (*begun)(const struct llm_try *begun, void *context);
    bool is_collected; /* what is said is in the outcome's answer, too */
    llm_sink *event;   /* of the try; never LLM_ERROR or LLM_END, which `done` stands for */
    void *context;
};

/** An answer of the same key that is not older than that will do, or the one of a call under way;
 * and its own is kept for others, if it is whole. To be said right after the start. */
void llm_call_save(struct llm_call *call, const struct answer_key *key, int64_t max_age_ms);

/** Whoever reads the answer cannot use it: nobody is served by it any more, whether it was new or
 * from before. To be said inside `done`; nothing if no answer from before was asked for. */
void llm_call_forget(struct llm_call *call);

/** To be said right after the start. */
void llm_call_stream(struct llm_call *call, const struct llm_stream *stream);

/** http_call_ahead(), for its stream's `event`. */
struct loop_ahead *llm_call_ahead(struct llm_call *call);

/** Its upstream is not read any more, until it is resumed, but for a few KiB on their way. Pausing
 * may be done inside `event`, resuming not. */
void llm_call_pause(struct llm_call *call);
void llm_call_resume(struct llm_call *call);

/** A stream has said something that is meant: there is no other try, and its request is not sent
 * again. It may be stripped then (chat.h). */
bool llm_call_is_committed(const struct llm_call *call);

/** What a call under way is to be charged if it ends now: what was produced. */
void llm_call_used(const struct llm_call *call, Pb__Usage *ret_usage);

/** How many tokens a question may be, of the targets of that route: its texts by what their
 * upstreams have said of others; without that, and of tools, shapes and pictures, as `guessed`, but
 * no less than its texts and pictures are. */
int64_t llm_question_tokens(const struct guard *guard, const struct llm_route *route,
                            const struct chat_request *request, int64_t guessed);

/** How many tokens its question may be, with its tools and its shape, as token_estimate.h guesses:
 * limits of tokens go by it; without that, by its texts. To be said right after the start. */
void llm_call_guess(struct llm_call *call, int64_t tokens);

/** A deadline of the wall clock on the monotonic one; 0: none. */
int64_t llm_deadline_ms(int64_t deadline_us);

/** The call is a job's, which says itself what its last provider has met. `target`, as breakers
 * name it, was let pass by the scheduler ("": nobody was). To be said right after the start. */
void llm_call_is_job(struct llm_call *call, const char *target);

/** Whose call it is: nobody else finds what it puts into the vault. Borrowed until `done`. To be
 * said right after the start. */
void llm_call_is_of(struct llm_call *call, str namespace);

/** What a breaker counts: what the next call may meet as well. */
bool llm_error_is_failure(enum llm_error_class class);

/** Tokens of the answer of the try so far, as its upstream says or by their bytes. */
int64_t llm_call_output(const struct llm_call *call);

/** Its budget is spent: the upstream sees its connection close, the stream hears that the answer
 * has become too long, and `done` comes before this returns. Not to be said inside `event`. */
void llm_call_stop(struct llm_call *call);

/** Ends a call without `done`; the upstream sees its connection close. */
void llm_call_cancel(struct llm_call *call);

#endif
