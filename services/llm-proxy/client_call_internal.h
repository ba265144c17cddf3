/* What the files of client_call.h share. */
#ifndef LLM_PROXY_CLIENT_CALL_INTERNAL_H
#define LLM_PROXY_CLIENT_CALL_INTERNAL_H

#include "llm-proxy/client_call.h"
#include "llm-proxy/dialect.h"
#include "llm-proxy/embed.h"
#include "llm-proxy/purse.h"
#include "llm-proxy/usage_journal.h"

struct client_call {
    struct client_calls *calls;
    struct pipeline *pipeline;     /* held */
    struct subscriber *subscriber; /* NULL: it is durable, and its client may leave */
    struct answers_claim claim;    /* until the recording has it */
    struct recording *recording;
    uint64_t number;
    struct arena *arena;
    json body; /* the request's texts are views of it */
    struct chat_request *request;
    struct llm_route scratch;
    const struct llm_route *route;
    int64_t deadline_ms;
    int64_t created_us;
    struct purse purse;
    struct usage_owner owner;
    bool is_reported;     /* by the caller: what was used is neither charged nor counted here */
    int64_t cache_age_ms; /* of an answer that will do; -1: it has to be its own */
    const struct dialect *dialect;
    struct llm_call *call;    /* of a chat */
    struct embed_call *embed; /* of embeddings */

    /* Of a stream. */
    void *writer;    /* the dialect's; of the try under way */
    struct buf held; /* what it has written and nobody has got */
    struct llm_try try;
    bool is_committed;
    bool is_finishing; /* it has said why it ends */
    bool is_broken;    /* an event that does not fit: what comes is not written */

    struct client_call *next; /* of the subscriber */
};

/* Reads the body and finds the route: the HTTP status that refuses it, or 200. */
int client_request_read(struct client_call *client, const Pb__LlmOpen *open, struct error *reterr);

/* Of a stream: who hears it; its last words, once it has committed; the error as its last words. */
extern const struct llm_stream client_stream;
void client_stream_end(struct client_call *client, const struct llm_outcome *outcome);
void client_stream_fail(struct client_call *client, const struct llm_error *failed);

/* Its recording is not full any more, or there is more to spend. */
void client_stream_go_on(struct client_call *client);

/* There is more to spend, or there is not. */
void client_stream_drawn(bool is_granted, void *context);

#endif
