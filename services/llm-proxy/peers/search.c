/* Has another one bought the answer under this key? */
#include "llm-proxy/peers/peers_internal.h"

#include "base/log.h"
#include "base/mem.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct peers_search {
    struct round round; /* first */
    uint8_t name[SHA256_SIZE];
    enum answers_verdict verdict; /* so far */
    peers_found *found;
    void *context;
};

/* Once; whoever asked may drop the search within. */
static void tell(struct peers_search *search, enum answers_verdict verdict,
                 const Pb__KeptAnswer *kept)
{
    bool stands              = answers_end_asking(search->round.peers->answers, search->name);
    search->round.is_dropped = true;
    if (verdict == ANSWERS_CLAIMED && !stands) verdict = ANSWERS_RUNNING;
    search->found(verdict, kept, search->context);
}

static void on_said(struct round *round, struct peer *peer, const struct rpc_answer *answer)
{
    struct peers_search *search = (struct peers_search *)round;
    const Pb__PeerFound *found  = answer->message;
    if (!found) return;
    (void)snprintf(peer->worker, sizeof peer->worker, "%s", found->worker);
    switch (found->verdict) {
    case PB__PEER_VERDICT__PEER_VERDICT_KEPT:
        if (found->kept) tell(search, ANSWERS_KEPT, found->kept);
        break;
    case PB__PEER_VERDICT__PEER_VERDICT_OTHER: tell(search, ANSWERS_OTHER, NULL); break;
    case PB__PEER_VERDICT__PEER_VERDICT_RUNNING: search->verdict = ANSWERS_RUNNING; break;
    case PB__PEER_VERDICT__PEER_VERDICT_TOO_LARGE: search->verdict = ANSWERS_UNKNOWN; break;
    default: break; /* it has none */
    }
}

static void on_ended(struct round *round)
{
    struct peers_search *search = (struct peers_search *)round;
    if (!round->is_dropped) tell(search, search->verdict, NULL);
    free(search);
}

struct peers_search *peers_seek(struct peers *peers, const struct answers_claim *claim,
                                const char *last_holder, peers_found *found, void *context)
{
    if (!peers || !peers->client) return NULL;
    struct peers_search *search = mem_new(1, sizeof *search);
    *search                     = (struct peers_search){
                            .round   = {.peers = peers, .said = on_said, .ended = on_ended},
                            .verdict = ANSWERS_CLAIMED,
                            .found   = found,
                            .context = context,
    };
    memcpy(search->name, claim->name, SHA256_SIZE);
    Pb__PeerLookup message = PB__PEER_LOOKUP__INIT;
    message.replica        = answers_replica(peers->answers);
    message.name           = (ProtobufCBinaryData){.data = search->name, .len = SHA256_SIZE};
    message.request =
        (ProtobufCBinaryData){.data = (uint8_t *)(uintptr_t)claim->request, .len = SHA256_SIZE};
    const struct round_question question = {.method      = "Lookup",
                                            .message     = &message,
                                            .answer_ms   = PEERS_ANSWER_MS,
                                            .waits       = true,
                                            .last_holder = last_holder};
    answers_begin_asking(peers->answers, search->name);
    if (round_begin(&search->round, &question)) return search;
    (void)answers_end_asking(peers->answers, search->name);
    free(search);
    return NULL;
}

void peers_search_drop(struct peers_search *search)
{
    if (search) search->round.is_dropped = true;
}
