/**
 * provider_keys: keys of providers that admins have set by the API.
 *
 * The scheduler keeps them, sealed (key_seal.h) or by the name of a secret, and is asked for them
 * every second; so every llm-proxy has them soon. One stands in the place of all keys that the
 * configuration gives its provider. One that cannot be opened or read is logged and passed over:
 * those of the configuration hold.
 *
 * What it does not promise: calls that come after a start and before the scheduler was reached go
 * by the configuration alone.
 *
 * Threads: the loop's, but for making, stopping and freeing.
 */
#ifndef LLM_PROXY_PROVIDER_KEYS_H
#define LLM_PROXY_PROVIDER_KEYS_H

#include "llm-proxy/catalog/catalog.h"
#include "llm.pb-c.h"
#include "loop/loop.h"
#include "rpc/rpc_client.h"

enum { PROVIDER_KEYS_REFRESH_MS = 1'000 };

struct provider_keys;

/** All borrowed. */
struct provider_keys_options {
    struct loop *loop;
    const struct config *config;    /* whose secrets are named */
    const char *secrets;            /* how their names begin: no others are keys */
    str master;                     /* secret to seal with; empty: values are refused */
    void (*changed)(void *context); /* on the loop: apply them */
    void *context;
};

/** Owned. INVALID_ARGUMENT: as key_seal_check(). */
status provider_keys_new(const struct provider_keys_options *options,
                         struct provider_keys **ret_keys, struct error *reterr);

/** Before the loop runs. */
void provider_keys_start(struct provider_keys *keys, struct rpc_client *scheduler);

/** Nobody is asked any more. After the loop was joined; NULL is fine. */
void provider_keys_stop(struct provider_keys *keys);

/** When the client was closed. */
void provider_keys_freep(struct provider_keys **keys);

/** `base` with the keys that are known: a reference. RESOURCE_EXHAUSTED. */
status provider_keys_apply(struct provider_keys *keys, struct catalog *base,
                           struct catalog **ret_catalog, struct error *reterr);

/** What the scheduler is to keep of a key; nothing is set by this. NOT_FOUND: no such provider;
 * INVALID_ARGUMENT; FAILED_PRECONDITION: a value, and there is nothing to seal it with. */
status provider_keys_seal(struct provider_keys *keys, const struct catalog *catalog,
                          const Pb__LlmSealKey *request, Pb__ProviderKey *ret_row,
                          struct arena *arena, struct error *reterr);

#endif
