/* What the files of client_call.h share. */
#ifndef LLM_PROXY_CLIENT_CALL_INTERNAL_H
#define LLM_PROXY_CLIENT_CALL_INTERNAL_H

#include "llm-proxy/call/embed.h"
#include "llm-proxy/client/client_call.h"
#include "llm-proxy/dialects/dialect.h"
#include "llm-proxy/guard/purse.h"
#include "llm-proxy/money/usage_journal.h"

enum { BODY_DEPTH_MAX = 64, BODY_VALUES_MAX = 1'000'000 };

struct client_call {
    /* First what each event of a stream looks at: of thousands that wait, nothing is in a cache. */
    bool is_committed;
    bool is_finishing; /* it has said why it ends */
    bool is_broken;    /* an event that does not fit: what comes is not written */
    bool is_checked;   /* its answer is (client_check.c) */
    const struct dialect *dialect;
    void *writer;          /* of a stream: the dialect's; of the try under way */
    struct llm_call *call; /* of a chat */
    struct buf held;       /* of a stream: what it has written and nobody has got */
    struct recording *recording;
    struct llm_try try;
    struct purse purse;
    const char *charged_run; /* the id of the run that was charged; NULL: none, or not yet */

    struct client_calls *calls;
    struct pipeline *pipeline;     /* held */
    struct subscriber *subscriber; /* NULL: it is durable, and its client may leave */
    struct answers_claim claim;    /* until the recording has it */
    struct peers_search *search;   /* other llm-proxies are asked for its answer */
    uint64_t number;
    struct arena *arena;
    struct chat_request *request; /* of `arena`; what it points to is of the next three */
    /* A stream that has committed has none of these, unless it is checked; its request is stripped
     * then (chat.h). */
    json body; /* texts are views of it; of one that is only scanned: what chat_scan.h says */
    struct arena *asked; /* messages, tools */
    char *spelling; /* owned: the body as it came, of which `request->bytes` is a view; or NULL */
    struct token_estimate estimate; /* of the body */
    const struct llm_route *route;
    int64_t deadline_ms;
    int64_t created_us;
    struct usage_owner owner;
    const char *request_id;   /* of `arena` */
    bool is_reported;         /* by the caller: what was used is neither charged nor counted here */
    int64_t cache_age_ms;     /* of an answer that will do; -1: it has to be its own */
    struct embed_call *embed; /* of embeddings */

    /* Of one whose answer is checked. */
    uint32_t repairs;          /* asks after the first */
    uint32_t tries;            /* of the asks before */
    Pb__Usage spent;           /* by them, and settled */
    struct answer *bare;       /* owned: the answer without what stood around its JSON; or NULL */
    struct loop_timer comment; /* of a stream that is held back */

    struct client_call *previous, *next; /* of the subscriber */
};

/* Reads the body and finds the route, and what may serve it: the HTTP status that refuses it, or
 * 200. */
int client_request_read(struct client_call *client, const Pb__LlmOpen *open, struct error *reterr);

/* Lines of the log: what it asks, or what the rules about personal data have left of it, if that is
 * wanted; and how it has ended. */
void client_log_request(const struct client_call *client);
void client_log_end(const struct client_call *client, const struct llm_outcome *ended);

/* A call of a model has ended, or was refused: the answer goes out, or there is another ask. */
void client_call_end(struct client_call *client, const struct llm_outcome *outcome);

/* Asks its budgets, then the model; also once more. False: nobody can be asked. */
bool client_call_ask(struct client_call *client);

/* Whether its answer is checked; from then on a stream has comments, until client_check_done(). */
void client_check_begin(struct client_call *client);
void client_check_done(struct client_call *client);

/* An ask has ended: true, if the call goes on with another one. Else `ended` is what goes out: with
 * what all asks have used, and an error if the shape is wrong. */
bool client_check_answer(struct client_call *client, struct llm_outcome *ended);

/* Of a stream: who hears it; its last words, once it has committed; the error as its last words. */
extern const struct llm_stream client_stream;
void client_stream_end(struct client_call *client, const struct llm_outcome *outcome);
void client_stream_fail(struct client_call *client, const struct llm_error *failed);

/* The head goes out. A writer that has written nothing, and nothing is held. An event is written
 * and held (a sink: `context` is the client). */
void client_stream_commit(struct client_call *client);
void client_stream_renew(struct client_call *client);
void client_stream_write(const struct llm_event *event, void *context);

/* Its recording is not full any more, or there is more to spend. */
void client_stream_go_on(struct client_call *client);

/* There is more to spend, or there is not. */
void client_stream_drawn(bool is_granted, void *context);

#endif
