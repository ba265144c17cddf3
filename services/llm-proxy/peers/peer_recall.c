/* Conversations that another one has begun: what its vault keeps of them comes into ours. */
#include "llm-proxy/peers/peers_internal.h"

#include "base/buf.h"
#include "base/mem.h"
#include "llm-proxy/vault/recall.h"
#include "llm-proxy/vault/vault_row.h"

#include <stdlib.h>
#include <string.h>

enum { NAMESPACE_MAX = 1 << 10 /* bytes */ };

struct peers_recall {
    struct round round; /* first */
    struct buf namespace;
    void (*done)(void *context);
    void *context;
    char ids[PEERS_IDS_MAX][VAULT_ID_SIZE]; /* that are asked for */
};

static void on_said(struct round *round, struct peer *, const struct rpc_answer *answer)
{
    const struct peers_recall *recall = (const struct peers_recall *)round;
    const Pb__PeerVault *vault        = answer->message;
    if (!vault) return;
    for (size_t i = 0; i < vault->n_rows; i++) {
        vault_row_take(round->peers->vault, buf_str(&recall->namespace), vault->rows[i],
                       loop_now_ms(round->peers->loop));
    }
}

static void on_ended(struct round *round)
{
    struct peers_recall *recall = (struct peers_recall *)round;
    if (!round->is_dropped) recall->done(recall->context);
    buf_done(&recall->namespace);
    free(recall);
}

struct peers_recall *peers_recall(struct peers *peers, const struct chat_request *request,
                                  str namespace, void (*done)(void *context), void *context)
{
    const char *ids[PEERS_IDS_MAX];
    str missing[PEERS_IDS_MAX];
    if (!peers || !peers->client || !recall_is_needed(request)) return NULL;
    size_t count = recall_missing(peers->vault, namespace, request, loop_now_ms(peers->loop),
                                  missing, PEERS_IDS_MAX);
    if (count == 0) return NULL;
    struct peers_recall *recall = mem_new(1, sizeof *recall);
    recall->round     = (struct round){.peers = peers, .said = on_said, .ended = on_ended};
    recall->namespace = buf_init(NAMESPACE_MAX);
    recall->done      = done;
    recall->context   = context;
    for (size_t i = 0; i < count; i++) {
        memcpy(recall->ids[i], missing[i].ptr, missing[i].len); /* as vault_is_id() says, it fits */
        ids[i] = recall->ids[i];
    }
    Pb__PeerVaultGet message             = PB__PEER_VAULT_GET__INIT;
    const struct round_question question = {
        .method = "VaultGet", .message = &message, .answer_ms = PEERS_RECALL_MS, .last_holder = ""};
    bool is_named      = buf_put_str(&recall->namespace, namespace);
    message.namespace_ = is_named ? buf_str(&recall->namespace).ptr : "";
    message.ids        = ids;
    message.n_ids      = count;
    if (is_named && round_begin(&recall->round, &question)) return recall;
    buf_done(&recall->namespace);
    free(recall);
    return NULL;
}

void peers_recall_drop(struct peers_recall *recall)
{
    if (recall) recall->round.is_dropped = true;
}
