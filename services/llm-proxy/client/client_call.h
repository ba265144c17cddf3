/**
 * client_call: one call of a gateway's client, from its request to the last byte of its answer.
 *
 * It reads the request in the client's dialect, has its budgets asked, runs it (call.h, embed.h),
 * and puts what comes into its outbox: a whole answer when it is there; a stream event by event,
 * once it has committed, that is with the first meaningful event. Until then what its dialect has
 * written is held back, and dropped with a try that fails. A full outbox stops the upstream, until
 * the gateway has taken half of it.
 *
 * Whatever its end, its budgets are told what was produced.
 *
 * With an Idempotency-Key its answer is kept (answers.h), and given again without asking a model;
 * other llm-proxies are asked for one before it is bought (peers.h).
 * A stream with `Tutti-Durable: true` goes on when its client leaves (recording.h).
 *
 * Threads: the loop's.
 */
#ifndef LLM_PROXY_CLIENT_CALL_H
#define LLM_PROXY_CLIENT_CALL_H

#include "llm-proxy/answers/recording.h"
#include "llm-proxy/answers/subscriber.h"
#include "llm-proxy/call/call.h"

enum { CLIENT_CALL_BODY_MAX = 64 << 20 /* bytes of an answer */ };

struct client_call;

/** What client calls share; borrowed. */
struct client_calls {
    struct pipeline *pipeline;
    struct guard *guard;
    struct answers *answers;
    struct peers *peers; /* NULL: nobody else is asked */
    struct recordings *recordings;
    size_t count; /* under way */
};

/**
 * Starts one, and adds it to its subscriber's. `*ret_number` is its number. Another HTTP status
 * than 200 refuses it, and then there is none; `reterr` says why. `open` is borrowed: its texts are
 * copied by client_call as far as they are needed.
 */
int client_call_start(struct client_calls *calls, struct subscriber *subscriber,
                      const Pb__LlmOpen *open, uint64_t *ret_number, struct error *reterr);

/** The call of that number, or NULL. */
struct client_call *client_call_of(struct subscriber *subscriber, uint64_t number);

/** Nobody waits for it any more: its upstream sees the connection close. */
void client_call_cancel(struct client_call *call);

/** The process does not wait for it any more: likewise, and whoever waits hears it. */
void client_call_cut(struct client_call *call);

#endif
