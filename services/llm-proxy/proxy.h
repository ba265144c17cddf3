/** proxy: the parts of a running llm-proxy, started and stopped in order. */
#ifndef LLM_PROXY_PROXY_H
#define LLM_PROXY_PROXY_H

#include "llm-proxy/catalog/catalog.h"
#include "llm-proxy/config.h"

struct proxy;

/** Serves and works from now on. `config` (whose secrets keys name) and `options` are borrowed
 * until the stop, `catalog` is taken, also if this fails. Owned: proxy_stopp(). */
status proxy_start(const struct config *config, const struct options *options,
                   struct catalog *catalog, struct proxy **ret_proxy, struct error *reterr);

/** New calls go by this catalog, which is taken, in a moment; those under way keep theirs. What
 * came of it is logged. Any thread. */
void proxy_reload(struct proxy *proxy, struct catalog *catalog);

/** Another configuration cannot be used: that is logged, and health says so until one can. Any
 * thread. */
void proxy_refuse_reload(struct proxy *proxy, const char *text);

/** Leases no more, waits for what runs (options.drain_ms), frees. NULL is fine. */
void proxy_stopp(struct proxy **proxy);

#endif
