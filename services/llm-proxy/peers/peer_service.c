/* What others ask of us. */
#include "llm-proxy/peers/peers_internal.h"

#include "base/mem.h"
#include "llm-proxy/vault/vault_row.h"

#include <stdlib.h>
#include <string.h>

/* A method carried to the loop. */
struct arrived {
    struct peers *peers;
    struct rpc_call *call;
};

static status carry(struct rpc_call *call, loop_post_fn *run, struct error *reterr)
{
    struct peers *peers     = call->context;
    struct arrived *arrived = mem_new(1, sizeof *arrived);
    *arrived                = (struct arrived){.peers = peers, .call = call};
    if (loop_post(peers->loop, run, arrived) == STATUS_OK) return STATUS_OK;
    free(arrived);
    return fail_code(reterr, STATUS_RESOURCE_EXHAUSTED, "overloaded", "too many calls wait");
}

/* --- Lookup ------------------------------------------------------------------------------------
 */

static void fill_kept(struct rpc_call *call, Pb__KeptAnswer *kept)
{
    Pb__PeerFound *found = call->response;
    bool fits            = pb__kept_answer__get_packed_size(kept) <= PEERS_ANSWER_MAX;
    found->verdict =
        fits ? PB__PEER_VERDICT__PEER_VERDICT_KEPT : PB__PEER_VERDICT__PEER_VERDICT_TOO_LARGE;
    if (fits) found->kept = kept;
    rpc_reply(call, STATUS_OK, NULL);
    pb__kept_answer__free_unpacked(kept, NULL);
}

static void on_lookup(void *context)
{
    struct arrived *arrived      = context;
    const struct peers *peers    = arrived->peers;
    struct rpc_call *call        = arrived->call;
    const Pb__PeerLookup *lookup = call->request;
    Pb__PeerFound *found         = call->response;
    Pb__KeptAnswer *kept         = NULL;
    free(arrived);
    enum answers_verdict verdict = answers_tell(peers->answers, lookup->replica, lookup->name.data,
                                                lookup->request.data, &kept);
    found->worker                = peers->worker;
    switch (verdict) {
    case ANSWERS_KEPT: fill_kept(call, kept); return;
    case ANSWERS_RUNNING: found->verdict = PB__PEER_VERDICT__PEER_VERDICT_RUNNING; break;
    case ANSWERS_OTHER: found->verdict = PB__PEER_VERDICT__PEER_VERDICT_OTHER; break;
    case ANSWERS_CLAIMED:
    case ANSWERS_UNKNOWN: found->verdict = PB__PEER_VERDICT__PEER_VERDICT_ABSENT; break;
    }
    rpc_reply(call, STATUS_OK, NULL);
}

static status handle_lookup(struct rpc_call *call, struct error *reterr)
{
    const Pb__PeerLookup *lookup = call->request;
    if (lookup->name.len != SHA256_SIZE || lookup->request.len != SHA256_SIZE) {
        return fail(reterr, STATUS_INVALID_ARGUMENT, "name, request: %d bytes", SHA256_SIZE);
    }
    return carry(call, on_lookup, reterr);
}

/* --- VaultGet ----------------------------------------------------------------------------------
 */

/* What does not fit stays away: for who asks it is as if it were gone. */
static void on_vault_get(void *context)
{
    struct arrived *arrived     = context;
    struct vault *vault         = arrived->peers->vault;
    struct rpc_call *call       = arrived->call;
    const Pb__PeerVaultGet *get = call->request;
    Pb__PeerVault *found        = call->response;
    int64_t now_ms              = loop_now_ms(arrived->peers->loop);
    size_t size                 = 0;
    free(arrived);
    found->rows = arena_alloc(call->arena, (get->n_ids + 1) * sizeof *found->rows);
    for (size_t i = 0; found->rows && i < get->n_ids; i++) {
        str id                          = str_from(get->ids[i]);
        const struct vault_entry *entry = vault_get(vault, str_from(get->namespace_), id, now_ms);
        Pb__VaultRow *row = entry ? vault_row_of(entry, id, now_ms, call->arena) : NULL;
        if (row) size += pb__vault_row__get_packed_size(row);
        if (row && size <= PEERS_ANSWER_MAX) found->rows[found->n_rows++] = row;
    }
    rpc_reply(call, STATUS_OK, NULL);
}

static status handle_vault_get(struct rpc_call *call, struct error *reterr)
{
    const Pb__PeerVaultGet *get = call->request;
    if (get->n_ids > PEERS_IDS_MAX) {
        return fail(reterr, STATUS_INVALID_ARGUMENT, "ids: at most %d", PEERS_IDS_MAX);
    }
    return carry(call, on_vault_get, reterr);
}

const struct rpc_method peers_methods[] = {
    {.name = "Lookup", .handle = handle_lookup},
    {.name = "VaultGet", .handle = handle_vault_get},
    {},
};
