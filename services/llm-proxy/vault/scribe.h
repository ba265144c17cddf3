/**
 * scribe: puts into the vault what an upstream will want back, while it says it.
 *
 * It stands between the events of one try and who hears them, wherever client and upstream do not
 * speak the same protocol: a call of a tool that has such state goes on under an id of ours. Calls
 * without state keep the upstream's own ids.
 *
 * Threads: one loop.
 */
#ifndef LLM_PROXY_VAULT_SCRIBE_H
#define LLM_PROXY_VAULT_SCRIBE_H

#include "llm-proxy/stream/event.h"
#include "llm-proxy/vault/vault.h"

struct scribe;

/** Borrows the vault; the texts are copied. Owned: scribe_free(). */
struct scribe *scribe_new(struct vault *vault, str namespace, str provider, str model);
void scribe_free(struct scribe *scribe); /* NULL is fine */

/** The event as it is to go on; valid until the next one. */
struct llm_event scribe_take(struct scribe *scribe, const struct llm_event *event, int64_t now_ms);

#endif
