/* Look-ups and prices; catalog_read.c makes the catalog. */
#include "llm-proxy/catalog.h"

#include "base/assert.h"

#include <stdlib.h>
#include <string.h>

void catalog_freep(struct catalog **ref)
{
    struct catalog *catalog = *ref;
    if (!catalog) return;
    arena_free(catalog->arena);
    free(catalog);
    *ref = NULL;
}

static const struct provider *find_provider(const struct catalog *catalog, str name)
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
        .is_simulated = provider->kind->is_simulated,
    };
    return scratch;
}

static const struct provider *only_provider_of(const struct catalog *catalog, str model)
{
    const struct provider *found = NULL;
    for (uint32_t i = 0; i < catalog->price_count; i++) {
        str name          = catalog->prices[i].model;
        const char *slash = memchr(name.ptr, '/', name.len);
        if (!slash) continue;
        size_t at = (size_t)(slash - name.ptr);
        if (!str_equal(str_slice(name, at + 1, name.len), model)) continue;
        const struct provider *provider = find_provider(catalog, str_slice(name, 0, at));
        if (found && provider && provider != found) return NULL;
        if (provider) found = provider;
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
        const struct provider *provider = find_provider(catalog, str_slice(model, 0, at));
        if (provider) return single(provider, str_slice(model, at + 1, model.len), scratch);
    }
    const struct provider *provider = only_provider_of(catalog, model);
    if (provider) return single(provider, model, scratch);

    const char *names[CATALOG_ROUTES_MAX];
    for (uint32_t i = 0; i < catalog->route_count; i++) names[i] = catalog->routes[i].name.ptr;
    *ret_near = nearest_name(model, names, catalog->route_count);
    return NULL;
}

/* --- money -------------------------------------------------------------------------------------
 */

static const struct price *find_price(const struct catalog *catalog,
                                      const struct route_target *target)
{
    size_t length = strlen(target->provider->name);
    for (uint32_t i = 0; i < catalog->price_count; i++) {
        str name = catalog->prices[i].model;
        if (name.len != length + 1 + target->model.len) continue;
        if (str_equal(str_slice(name, 0, length), str_from(target->provider->name)) &&
            str_equal(str_slice(name, length + 1, name.len), target->model)) {
            return &catalog->prices[i];
        }
    }
    return NULL;
}

enum { PICOS_PER_NANO = 1'000 };

int64_t catalog_cost(const struct catalog *catalog, const struct route_target *target,
                     const struct llm_usage *usage, enum cost_kind *ret_kind)
{
    *ret_kind = COST_KIND_SIMULATED;
    if (target->provider->kind->is_simulated) return 0;
    *ret_kind = COST_KIND_FREE;
    if (target->provider->is_free) return 0;
    *ret_kind                 = COST_KIND_UNKNOWN;
    const struct price *price = find_price(catalog, target);
    if (!price || usage->input_tokens < 0 || usage->output_tokens < 0) return 0;

    int64_t cached = usage->cached_tokens > 0 ? usage->cached_tokens : 0;
    if (cached > usage->input_tokens) cached = usage->input_tokens;
    int64_t per_cached = price->cached >= 0 ? price->cached : price->input;
    int64_t picos      = 0;
    int64_t part       = 0;
    /* Counters come from outside: a sum that does not fit is unknown, not wrapped. */
    if (__builtin_mul_overflow(usage->input_tokens - cached, price->input, &picos)) return 0;
    if (__builtin_mul_overflow(cached, per_cached, &part)) return 0;
    if (__builtin_add_overflow(picos, part, &picos)) return 0;
    if (__builtin_mul_overflow(usage->output_tokens, price->output, &part)) return 0;
    if (__builtin_add_overflow(picos, part, &picos)) return 0;
    *ret_kind = COST_KIND_REPORTED;
    return picos / PICOS_PER_NANO + (picos % PICOS_PER_NANO >= PICOS_PER_NANO / 2);
}

bool catalog_dearest(const struct catalog *catalog, const struct llm_route *route,
                     int64_t *ret_input_picos, int64_t *ret_output_picos)
{
    *ret_input_picos  = 0;
    *ret_output_picos = 0;
    for (uint32_t i = 0; i < route->target_count; i++) {
        const struct route_target *target = &route->targets[i];
        if (target->provider->kind->is_simulated || target->provider->is_free) continue;
        const struct price *price = find_price(catalog, target);
        if (!price) return false;
        if (price->input > *ret_input_picos) *ret_input_picos = price->input;
        if (price->cached > *ret_input_picos) *ret_input_picos = price->cached;
        if (price->output > *ret_output_picos) *ret_output_picos = price->output;
    }
    return true;
}
