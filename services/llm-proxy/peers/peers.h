/**
 * peers: the other llm-proxies, which are asked for what they have kept.
 *
 * Who is about to buy an answer under an idempotency key asks all others first. One has it: it is
 * given out. One buys it now: it is not bought here. Of two that ask each other for the same key
 * the one whose name comes first goes on. A peer that is away is waited for, `wait_ms`, and once;
 * after that it is asked only if it is back, or for a job that it may have held.
 *
 * A call of a tool under an id of another one's vault is brought here, into ours, before its model
 * is asked; nobody is waited for.
 *
 * What is not promised: of two llm-proxies that cannot reach each other both may buy.
 *
 * Limits: PEERS_MAX; an answer above PEERS_ANSWER_MAX is not brought over, nor bought again: who
 * asks gets ANSWERS_UNKNOWN. PEERS_IDS_MAX ids a request, and PEERS_ANSWER_MAX of what is known of
 * them.
 *
 * Threads: the loop's, but for opening and closing.
 */
#ifndef LLM_PROXY_PEERS_PEERS_H
#define LLM_PROXY_PEERS_PEERS_H

#include "llm-proxy/answers/answers.h"
#include "llm-proxy/chat/chat.h"
#include "llm-proxy/vault/vault.h"
#include "rpc/rpc_client.h"

enum {
    PEERS_MAX        = 64,
    PEERS_ANSWER_MS  = 10'000,   /* one that is there answers before */
    PEERS_RECALL_MS  = 2'000,    /* likewise */
    PEERS_ANSWER_MAX = 16 << 20, /* bytes: RPC_MESSAGE_SIZE_MAX, and room for the frame */
    PEERS_IDS_MAX    = 256,
};

struct peers;

struct peers_options {
    const char *endpoints; /* one for each; our own may be among them; NULL: there are none */
    int64_t wait_ms;       /* for one that is away */
    struct rpc_identity identity;
    struct rpc_tls tls;
    struct loop *loop;       /* borrowed */
    struct answers *answers; /* borrowed */
    struct vault *vault;     /* borrowed */
};

/** Starts to connect. Owned: peers_freep(). Fails as rpc_client_open() does, and with
 * INVALID_ARGUMENT: over PEERS_MAX. */
status peers_open(const struct peers_options *options, struct peers **ret_peers,
                  struct error *reterr);

/** The name under which we hold jobs. Before the loop runs. */
void peers_set_worker(struct peers *peers, const char *name);

/** Nobody is called any more. After the loop was joined. NULL is fine. */
void peers_close(struct peers *peers);

/** When all searches and recalls were dropped. */
void peers_freep(struct peers **peers);

/* --- answers -----------------------------------------------------------------------------------
 */

struct peers_search;

/** ANSWERS_CLAIMED: nobody has it, it is to be bought. `kept` is lent for the call. The search is
 * over. */
typedef void peers_found(enum answers_verdict verdict, const Pb__KeptAnswer *kept, void *context);

/** Asks for a key that is claimed here. `last_holder`: the worker that may have bought it, or "".
 * NULL: there is nobody to ask, and `found` will not be called; else that comes later, unless the
 * search is dropped. */
struct peers_search *peers_seek(struct peers *peers, const struct answers_claim *claim,
                                const char *last_holder, peers_found *found, void *context);

/** Nobody wants to know any more. NULL is fine. */
void peers_search_drop(struct peers_search *search);

/* --- conversations -----------------------------------------------------------------------------
 */

struct peers_recall;

/** Brings what the request needs of other vaults into ours; then calls `done`. NULL: it needs
 * nothing that anybody could be asked for. */
struct peers_recall *peers_recall(struct peers *peers, const struct chat_request *request,
                                  str namespace, void (*done)(void *context), void *context);

/** NULL is fine. */
void peers_recall_drop(struct peers_recall *recall);

/** What others ask of us; their context is a struct peers. */
extern const struct rpc_method peers_methods[];

#endif
