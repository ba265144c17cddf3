/**
 * recall: a request with that put back which the vault keeps of its calls.
 *
 * Calls under ids of ours get the upstream's own ids again, their signatures, the thoughts that
 * stood before them, and cache markers they once had. Only of what the asked model of the asked
 * provider has said: state of another one is not sent. What is not there, or another's, is a loss
 * ("vault_miss"), and the id stays as it is.
 */
#ifndef LLM_PROXY_VAULT_RECALL_H
#define LLM_PROXY_VAULT_RECALL_H

#include "llm-proxy/chat/chat.h"
#include "llm-proxy/vault/vault.h"

enum { RECALL_MARKS_MAX = 4 /* cache markers that Anthropic takes in a request */ };

struct recall {
    struct vault *vault;
    str namespace, provider, model;
    int64_t now_ms;
    struct arena *arena; /* of the copy */
};

/** Says whether the request has a call under an id of the vault's form. */
bool recall_is_needed(const struct chat_request *request);

/** Ids of the request that were minted elsewhere and are not known here; each once, `max` at most.
 * Returns how many; views of the request. */
size_t recall_missing(struct vault *vault, str namespace, const struct chat_request *request,
                      int64_t now_ms, str *ret_ids, size_t max);

/** Puts it back into `request`, a copy (chat_copy()) that is ours to change: parts are inserted.
 * False: out of memory. */
[[nodiscard]] bool recall_fill(const struct recall *recall, struct chat_request *request,
                               struct losses *losses);

#endif
