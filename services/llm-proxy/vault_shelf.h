/**
 * vault_shelf: the vault over restarts: what is put in is kept beside the answers (shelf.h).
 *
 * Threads: those of the vault.
 */
#ifndef LLM_PROXY_VAULT_SHELF_H
#define LLM_PROXY_VAULT_SHELF_H

#include "llm-proxy/answers/answers.h"
#include "llm-proxy/vault/vault.h"
#include "loop/loop.h"

/** A vault under the replica's name, with what it kept before; from now on it is kept. All is
 * borrowed and outlives it, which is owned: vault_freep(). Before the loop runs. */
status vault_shelf_open(struct answers *answers, struct loop *loop, struct vault **ret_vault,
                        struct error *reterr);

#endif
