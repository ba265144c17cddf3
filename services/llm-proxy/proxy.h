/** proxy: the parts of a running llm-proxy, started and stopped in order. */
#ifndef LLM_PROXY_PROXY_H
#define LLM_PROXY_PROXY_H

#include "llm-proxy/catalog.h"
#include "llm-proxy/config.h"

struct proxy;

/** Serves and works from now on. `catalog` and `options` are borrowed until the stop. Owned:
 * proxy_stopp(). */
status proxy_start(const struct options *options, const struct catalog *catalog,
                   struct proxy **ret_proxy, struct error *reterr);

/** Leases no more, waits for what runs (options.drain_ms), frees. NULL is fine. */
void proxy_stopp(struct proxy **proxy);

#endif
