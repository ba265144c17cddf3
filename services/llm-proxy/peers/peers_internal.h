/* What the files of peers.h share. */
#ifndef LLM_PROXY_PEERS_PEERS_INTERNAL_H
#define LLM_PROXY_PEERS_PEERS_INTERNAL_H

#include "llm-proxy/peers/peers.h"
#include "peer.pb-c.h"
#include "worker/worker.h"

struct peer {
    bool is_given_up;                 /* it was away for too long */
    char worker[WORKER_NAME_MAX + 1]; /* as it has said itself; "": it has not */
};

struct peers {
    struct loop *loop;
    struct answers *answers;
    struct vault *vault;
    int64_t wait_ms;
    struct rpc_client *client; /* NULL: there are none, or it is closed */
    char worker[WORKER_NAME_MAX + 1];
    uint32_t count;
    struct peer list[PEERS_MAX];
    struct question *questions; /* under way */
};

/* The same question to all of them; a part of what asks. */
struct round {
    struct peers *peers;
    uint32_t open;   /* questions */
    bool is_dropped; /* whoever asked does not want to know */

    /* `answer` has another code than OK, or a message. */
    void (*said)(struct round *round, struct peer *peer, const struct rpc_answer *answer);
    void (*ended)(struct round *round); /* all have answered; frees it */
};

struct round_question {
    const char *method;
    const void *message;
    int64_t answer_ms;       /* how long one may take that is there */
    bool waits;              /* for those that are away and not given up */
    const char *last_holder; /* who has to be waited for all the same; "": nobody */
};

/* Asks all; false: nobody could be asked, and the round is not begun. */
bool round_begin(struct round *round, const struct round_question *question);

#endif
