/**
 * exchange: one exchange with a provider by HTTP, read as events while it comes.
 *
 * A request that asks for a stream gets the events of its decoder as the bytes arrive; an answer
 * that is no stream all the same (a refusal, a server that cannot) is read whole. The sink gets
 * LLM_END exactly once, then `over` is called. An answer that ends well without having said
 * anything is an error, and so is one of EXCHANGE_SILENCE_MAX bytes that mean nothing.
 *
 * Timeouts of a stream: connecting and the total as HTTP has them; the first event, from sending to
 * the first meaningful one, so that comments and pings do not count; idle, without a byte after
 * that, while it is not paused. Those of a whole answer are HTTP's.
 *
 * Threads: one loop.
 */
#ifndef LLM_PROXY_EXCHANGE_H
#define LLM_PROXY_EXCHANGE_H

#include "llm-proxy/catalog/provider.h"

enum {
    EXCHANGE_SILENCE_MAX   = 1 << 20,  /* bytes before the first meaningful event */
    EXCHANGE_WHOLE_MAX     = 64 << 20, /* bytes of an answer read whole */
    EXCHANGE_LINGER_MS     = 1'000,    /* a body that goes on after its end, until we close it */
    EXCHANGE_LINGER_MAX    = 16 << 10, /* bytes of it */
    EXCHANGE_LINGERING_MAX = 256,      /* exchanges at a time; more are closed at once */
};

struct exchange;

/** Exchanges that are over but for the rest of their bodies, which lets their connections be used
 * again. Zeroed: none. */
struct exchange_rests {
    struct exchange *first;
    uint32_t count;
};

struct exchange_options {
    struct loop *loop; /* borrowed, as all */
    struct http_client *client;
    const struct provider_kind *kind;
    struct exchange_rests *rests;
    bool is_stream;
    llm_sink *sink;              /* may not free the exchange */
    void (*over)(void *context); /* may */
    void *context;
};

/** Sends `http`, which is borrowed for the call only. Owned: exchange_free(). Fails as
 * http_call_start(), without a callback. */
status exchange_start(const struct exchange_options *options, const struct http_request *http,
                      struct exchange **ret_exchange, struct error *reterr);

/** No more events; if it is not over, its connection closes. Not from the sink. */
void exchange_free(struct exchange *exchange);

/** http_call_ahead(), for the sink. */
struct loop_ahead *exchange_ahead(struct exchange *exchange);

/** Nothing is read any more until exchange_resume(), of a stream; what has been read is not lost.
 * Both do nothing if it is so already. Resuming: not from the sink. */
void exchange_pause(struct exchange *exchange);
void exchange_resume(struct exchange *exchange);

/** Closes what is left. */
void exchange_rests_done(struct exchange_rests *rests);

#endif
