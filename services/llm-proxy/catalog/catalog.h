/**
 * catalog: providers, routes and prices as they are configured (section `llm`).
 *
 * Immutable once read; calls under way keep the catalog they began with. One with other keys shares
 * what it can with the one it was made of; references are counted on the loop.
 */
#ifndef LLM_PROXY_CATALOG_H
#define LLM_PROXY_CATALOG_H

#include "base/arena.h"
#include "base/diagnostic.h"
#include "config/config.h"
#include "llm-proxy/catalog/pii_policy.h"
#include "llm-proxy/catalog/provider.h"
#include "llm-proxy/catalog/route_defaults.h"
#include "llm-proxy/money/price_table.h"

enum {
    CATALOG_PROVIDERS_MAX = 64,
    CATALOG_ROUTES_MAX    = 256,
    CATALOG_TARGETS_MAX   = 16,      /* of a route, fallbacks included */
    CATALOG_ARENA_MAX     = 8 << 20, /* bytes */
    CATALOG_KEYS_SIZE_MAX = 1 << 20, /* bytes, of keys that are not of the configuration */
};

struct route_target {
    const struct provider *provider;
    str model;       /* as the provider calls it */
    uint32_t weight; /* 0: a fallback */
};

struct route_retry {
    uint32_t attempts;    /* tries per target; 2 */
    int64_t delay_ms;     /* 250; doubles, with full jitter */
    int64_t delay_ms_max; /* 8 s */
    int64_t wait_ms_max;  /* a retry-after above this is not waited for; 20 s */
};

struct llm_route {
    str name;
    struct route_target targets[CATALOG_TARGETS_MAX]; /* weighted ones first, then fallbacks */
    uint32_t target_count;
    struct route_retry retry;
    struct http_timeouts timeouts;
    int64_t cache_age_ms; /* answers from before may be as old; 0: none */
    struct route_defaults defaults;
    uint32_t repairs;        /* how often an answer of the wrong shape is asked for again */
    bool is_strict;          /* what a translation would lose is refused */
    bool waits_for_cooldown; /* who finds no target usable waits for the first that comes back */
    bool is_simulated;
};

struct catalog {
    unsigned references;
    struct catalog *base; /* a reference: it has the prices and most texts; NULL: this has them */
    struct arena *arena;  /* owned */
    struct provider providers[CATALOG_PROVIDERS_MAX];
    uint32_t provider_count;
    struct llm_route routes[CATALOG_ROUTES_MAX];
    uint32_t route_count;
    const struct pii_policies *pii;    /* in the arena */
    bool logs_content;                 /* of calls (content_log.h) */
    struct price_table *own_prices;    /* of `llm.prices`, by names of providers */
    struct price_table *public_prices; /* by vendors */
};

/** The trees of the section, by their names. */
struct catalog_trees {
    json providers, routes, prices, pii;
    bool logs_content;
};

/** Reads them. Findings go to `list`. INVALID_ARGUMENT if there is an error among them. Owned:
 * catalog_freep(). */
status catalog_read(const struct config *config, const struct catalog_trees *trees,
                    struct diagnostics *list, struct catalog **ret_catalog, struct error *reterr);
struct catalog *catalog_ref(struct catalog *catalog);
void catalog_freep(struct catalog **catalog); /* gives a reference back */

/** A key that stands in the place of all keys that the configuration gives a provider. */
struct catalog_key {
    const char *provider;
    struct provider_key key;
};

/** `base` with these keys. Those of providers that it does not have, and of simulated ones, are
 * passed over. NULL: out of memory. */
struct catalog *catalog_with_keys(struct catalog *base, const struct catalog_key *keys,
                                  size_t count);

/** NULL: there is none of that name. */
const struct provider *catalog_provider(const struct catalog *catalog, str name);

/**
 * What `model` stands for: a route; "provider/model"; a bare name that exactly one provider is
 * priced for. `scratch` is filled in and returned where there is no route of that name. NULL: there
 * is no such model; `ret_near` gets a near name or NULL.
 */
const struct llm_route *catalog_find(const struct catalog *catalog, str model,
                                     struct llm_route *scratch, const char **ret_near);

/** The same for who wants no other model: NOT_FOUND says so, and names a near one. */
status catalog_route(const struct catalog *catalog, str model, struct llm_route *scratch,
                     const struct llm_route **ret_route, struct error *reterr);

/** Adds the targets of that model behind those of `route`, which is the caller's own; those that do
 * not fit, or are simulated where the others are not, are left out. `model` lives as long as the
 * route. False: there is no such model. */
bool catalog_add_fallback(const struct catalog *catalog, str model, struct llm_route *route);

/** What a model costs there: by `llm.prices`, else by the public prices of the provider's vendor.
 * NULL: nobody knows. */
const struct model_price *catalog_price(const struct catalog *catalog,
                                        const struct provider *provider, str model);

/** The cost of `usage` at that target now, in nano-dollars, rounded half up. */
enum cost_kind {
    COST_KIND_REPORTED,
    COST_KIND_ESTIMATED,
    COST_KIND_SIMULATED,
    COST_KIND_FREE,
    COST_KIND_UNKNOWN
};
int64_t catalog_cost(const struct catalog *catalog, const struct route_target *target,
                     const struct llm_usage *usage, enum cost_kind *ret_kind);

/** What a token costs at most of those that a route may ask, in pico-dollars; nothing of providers
 * that are free or simulated. False: one of them has no price. */
bool catalog_dearest(const struct catalog *catalog, const struct llm_route *route,
                     int64_t *ret_input_picos, int64_t *ret_output_picos);

#endif
