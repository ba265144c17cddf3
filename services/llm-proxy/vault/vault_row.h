/**
 * vault_row: an entry of the vault as a message: for other llm-proxies, and for the disk.
 *
 * Pure functions: any thread.
 */
#ifndef LLM_PROXY_VAULT_VAULT_ROW_H
#define LLM_PROXY_VAULT_VAULT_ROW_H

#include "base/arena.h"
#include "llm-proxy/vault/vault.h"
#include "peer.pb-c.h"

/** The row of `arena` is a view of `entry` and `id`, which ends with a NUL. NULL: no memory. */
Pb__VaultRow *vault_row_of(const struct vault_entry *entry, str id, int64_t now_ms,
                           struct arena *arena);

/** Puts it into the vault, as old as it says, unless the vault has it, or it is none. */
void vault_row_take(struct vault *vault, str namespace, const Pb__VaultRow *row, int64_t now_ms);

#endif
