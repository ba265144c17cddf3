/* Look-ups and prices; catalog_read.c makes the catalog. */
#include "llm-proxy/catalog/catalog.h"
#include "llm-proxy/chat/repair.h"

#include "base/assert.h"
#include "base/clock.h"
#include "base/mem.h"

#include <stddef.h>
#include <stdlib.h>
#include <string.h>

void catalog_freep(struct catalog **ref)
{
    struct catalog *catalog = *ref;
    *ref                    = NULL;
    if (!catalog || --catalog->references > 0) return;
    if (!catalog->base) {
        price_table_free(catalog->own_prices);
        price_table_free(catalog->public_prices);
    }
    catalog_freep(&catalog->base);
    arena_free(catalog->arena);
    free(catalog);
}

struct catalog *catalog_ref(struct catalog *catalog)
{
    catalog->references++;
    return catalog;
}

static bool put_key(struct catalog *catalog, const struct catalog_key *given)
{
    str value = given->key.value;
    for (uint32_t i = 0; i < catalog->provider_count; i++) {
        struct provider *provider = &catalog->providers[i];
        struct provider_key *key  = &provider->keys[0];
        if (strcmp(provider->name, given->provider) != 0 || provider->kind->is_simulated) continue;
        *key = (struct provider_key){
            .name        = arena_strdup(catalog->arena, str_from(given->key.name)),
            .value       = {.ptr = arena_strdup(catalog->arena, value), .len = value.len},
            .weight      = 1,
            .is_set      = true,
            .fingerprint = arena_strdup(catalog->arena, str_from(given->key.fingerprint)),
        };
        provider->key_count = 1;
        if (!key->name || !key->value.ptr || !key->fingerprint) return false;
    }
    return true;
}

struct catalog *catalog_with_keys(struct catalog *base, const struct catalog_key *keys,
                                  size_t count)
{
    CLEANUP(catalog_freep) struct catalog *catalog = mem_new(1, sizeof *catalog);
    *catalog                                       = *base;
    catalog->references                            = 1;
    catalog->base                                  = catalog_ref(base);
    catalog->arena                                 = arena_new(CATALOG_KEYS_SIZE_MAX);
    for (uint32_t i = 0; i < catalog->route_count; i++) {
        struct llm_route *route = &catalog->routes[i];
        for (uint32_t t = 0; t < route->target_count; t++) {
            ptrdiff_t at               = route->targets[t].provider - base->providers;
            route->targets[t].provider = &catalog->providers[at];
        }
    }
    for (size_t i = 0; i < count; i++) {
        if (!put_key(catalog, &keys[i])) return NULL;
    }
    return TAKE(catalog);
}

const struct provider *catalog_provider(const struct catalog *catalog, str name)
{
    for (uint32_t i = 0; i < catalog->provider_count; i++) {
        if (str_is(name, catalog->providers[i].name)) return &catalog->providers[i];
    }
    return NULL;
}

/* A route made on the spot: one target, the defaults. */
static const struct llm_route *single(const struct provider *provider, str model,
                                      struct llm_route *scratch)
{
    *scratch = (struct llm_route){
        .name         = model,
        .targets      = {{.provider = provider, .model = model, .weight = 1}},
        .target_count = 1,
        .retry    = {.attempts = 2, .delay_ms = 250, .delay_ms_max = 8'000, .wait_ms_max = 20'000},
        .timeouts = {.connect_ms    = 5'000,
                     .first_byte_ms = 60'000,
                     .idle_ms       = 30'000,
                     .total_ms      = 600'000},
        .repairs  = REPAIRS_DEFAULT,
        .is_simulated = provider->kind->is_simulated,
    };
    return scratch;
}

const struct model_price *catalog_price(const struct catalog *catalog,
                                        const struct provider *provider, str model)
{
    const struct model_price *own =
        price_table_find(catalog->own_prices, str_from(provider->name), model);
    if (own || !provider->vendor) return own;
    return price_table_find(catalog->public_prices, str_from(provider->vendor), model);
}

/* The provider that has a price for the model, if there is no other. */
static const struct provider *only_provider_of(const struct catalog *catalog, str model)
{
    const struct provider *found = NULL;
    for (uint32_t i = 0; i < catalog->provider_count; i++) {
        const struct provider *provider = &catalog->providers[i];
        if (!catalog_price(catalog, provider, model)) continue;
        if (found) return NULL;
        found = provider;
    }
    return found;
}

const struct llm_route *catalog_find(const struct catalog *catalog, str model,
                                     struct llm_route *scratch, const char **ret_near)
{
    *ret_near = NULL;
    for (uint32_t i = 0; i < catalog->route_count; i++) {
        if (str_equal(catalog->routes[i].name, model)) return &catalog->routes[i];
    }
    const char *slash = model.len > 0 ? memchr(model.ptr, '/', model.len) : NULL;
    if (slash) {
        size_t at                       = (size_t)(slash - model.ptr);
        const struct provider *provider = catalog_provider(catalog, str_slice(model, 0, at));
        if (provider) return single(provider, str_slice(model, at + 1, model.len), scratch);
    }
    const struct provider *provider = only_provider_of(catalog, model);
    if (provider) return single(provider, model, scratch);

    const char *names[CATALOG_ROUTES_MAX];
    for (uint32_t i = 0; i < catalog->route_count; i++) names[i] = catalog->routes[i].name.ptr;
    *ret_near = nearest_name(model, names, catalog->route_count);
    return NULL;
}

bool catalog_add_fallback(const struct catalog *catalog, str model, struct llm_route *route)
{
    struct llm_route scratch;
    const char *near              = NULL;
    const struct llm_route *found = catalog_find(catalog, model, &scratch, &near);
    if (!found) return false;
    for (uint32_t i = 0; i < found->target_count; i++) {
        bool fits = route->target_count < CATALOG_TARGETS_MAX &&
                    found->targets[i].provider->kind->is_simulated == route->is_simulated;
        if (!fits) continue;
        route->targets[route->target_count]          = found->targets[i];
        route->targets[route->target_count++].weight = 0;
    }
    return true;
}

status catalog_route(const struct catalog *catalog, str model, struct llm_route *scratch,
                     const struct llm_route **ret_route, struct error *reterr)
{
    const char *near = NULL;
    *ret_route       = catalog_find(catalog, model, scratch, &near);
    if (*ret_route) return STATUS_OK;
    return fail(reterr, STATUS_NOT_FOUND, "there is no model `" STR_FMT "`%s%s%s", STR_ARG(model),
                near ? "; did you mean `" : "", near ? near : "", near ? "`?" : "");
}

/* --- money -------------------------------------------------------------------------------------
 */

int64_t catalog_cost(const struct catalog *catalog, const struct route_target *target,
                     const struct llm_usage *usage, enum cost_kind *ret_kind)
{
    int64_t nanos = 0;
    *ret_kind     = COST_KIND_SIMULATED;
    if (target->provider->kind->is_simulated) return 0;
    *ret_kind = COST_KIND_FREE;
    if (target->provider->is_free) return 0;
    *ret_kind                       = COST_KIND_UNKNOWN;
    const struct model_price *price = catalog_price(catalog, target->provider, target->model);
    if (!price || !price_cost(price, usage, clock_unix_us(), &nanos)) return 0;
    *ret_kind = COST_KIND_REPORTED;
    return nanos;
}

bool catalog_dearest(const struct catalog *catalog, const struct llm_route *route,
                     int64_t *ret_input_picos, int64_t *ret_output_picos)
{
    int64_t now_us    = clock_unix_us();
    *ret_input_picos  = 0;
    *ret_output_picos = 0;
    for (uint32_t i = 0; i < route->target_count; i++) {
        const struct route_target *target = &route->targets[i];
        int64_t input                     = 0;
        int64_t output                    = 0;
        if (target->provider->kind->is_simulated || target->provider->is_free) continue;
        const struct model_price *price = catalog_price(catalog, target->provider, target->model);
        if (!price || !price_dearest(price, now_us, &input, &output)) return false;
        if (input > *ret_input_picos) *ret_input_picos = input;
        if (output > *ret_output_picos) *ret_output_picos = output;
    }
    return true;
}
