#include "llm-proxy/client/llm_models.h"

#include "base/map.h"
#include "llm-proxy/client/llm_service.h"
#include "llm.pb-c.h"

#include <stdlib.h>
#include <string.h>

enum { LAST_SHOWN = 4, SHOWN_FROM = 16 /* characters that a key has at least */ };

/* --- models ------------------------------------------------------------------------------------
 */

struct listing {
    struct arena *arena;
    const struct provider *provider;
    Pb__LlmModel **list;
    size_t count;
    struct map *seen; /* names */
    bool is_full;
};

static void add(struct listing *listing, const char *id, const Pb__LlmModel *what)
{
    if (!id || map_get(listing->seen, str_from(id))) return;
    Pb__LlmModel *item = arena_alloc(listing->arena, sizeof *item);
    listing->is_full |= listing->count == LLM_MODELS_MAX || !item;
    if (listing->is_full || !map_put(listing->seen, str_from(id), item)) return;
    *item                           = *what;
    item->id                        = id;
    listing->list[listing->count++] = item;
}

static void add_model(struct listing *listing, const struct provider *provider, str model,
                      int64_t context)
{
    Pb__LlmModel what   = PB__LLM_MODEL__INIT;
    what.provider       = provider->name;
    what.simulated      = provider->kind->is_simulated;
    what.context_tokens = context;
    add(listing, arena_printf(listing->arena, "%s/" STR_FMT, provider->name, STR_ARG(model)),
        &what);
}

static void add_priced(const struct model_price *model, void *context)
{
    struct listing *listing = context;
    add_model(listing, listing->provider, str_from(model->id), model->context);
}

static void add_routes(struct listing *listing, const struct catalog *catalog)
{
    for (uint32_t i = 0; i < catalog->route_count; i++) {
        const struct llm_route *route = &catalog->routes[i];
        Pb__LlmModel what             = PB__LLM_MODEL__INIT;
        what.provider                 = route->targets[0].provider->name;
        what.simulated                = route->is_simulated;
        what.is_route                 = true;
        add(listing, arena_strdup(listing->arena, route->name), &what);
    }
    for (uint32_t i = 0; i < catalog->route_count; i++) {
        const struct llm_route *route = &catalog->routes[i];
        for (uint32_t t = 0; t < route->target_count; t++) {
            const struct route_target *target = &route->targets[t];
            const struct model_price *price =
                catalog_price(catalog, target->provider, target->model);
            add_model(listing, target->provider, target->model, price ? price->context : 0);
        }
    }
}

static void add_prices(struct listing *listing, const struct catalog *catalog)
{
    for (uint32_t i = 0; i < catalog->provider_count; i++) {
        listing->provider = &catalog->providers[i];
        price_table_each(catalog->own_prices, str_from(listing->provider->name), add_priced,
                         listing);
        if (!listing->provider->vendor) continue;
        price_table_each(catalog->public_prices, str_from(listing->provider->vendor), add_priced,
                         listing);
    }
}

status llm_models_handle(struct rpc_call *call, struct error *reterr)
{
    const struct catalog *catalog = llm_service_catalog(call->context);
    Pb__LlmModels *models         = call->response;
    struct listing listing        = {.arena = call->arena, .seen = map_new(LLM_MODELS_MAX)};
    listing.list                  = arena_alloc(call->arena, LLM_MODELS_MAX * sizeof(void *));
    listing.is_full               = !listing.list;
    if (listing.list) {
        add_routes(&listing, catalog);
        add_prices(&listing, catalog);
    }
    map_free(listing.seen);
    if (!listing.list) return fail(reterr, STATUS_RESOURCE_EXHAUSTED, "too many models");
    models->models   = listing.list;
    models->n_models = listing.count;
    rpc_reply(call, STATUS_OK, NULL);
    return STATUS_OK;
}

/* --- providers ---------------------------------------------------------------------------------
 */

static const char *last_of(str key, struct arena *arena)
{
    if (key.len < SHOWN_FROM) return "";
    const char *text = arena_strdup(arena, str_slice(key, key.len - LAST_SHOWN, key.len));
    return text ? text : "";
}

static bool fill_keys(const struct provider *provider, struct arena *arena, Pb__LlmProvider *item)
{
    Pb__LlmProviderKey *keys = arena_alloc(arena, (provider->key_count + 1) * sizeof *keys);
    item->keys               = arena_alloc(arena, (provider->key_count + 1) * sizeof *item->keys);
    if (!keys || !item->keys) return false;
    for (uint32_t i = 0; i < provider->key_count; i++) {
        pb__llm_provider_key__init(&keys[i]);
        keys[i].id                  = provider->keys[i].name;
        keys[i].last4               = last_of(provider->keys[i].value, arena);
        keys[i].weight              = provider->keys[i].weight;
        keys[i].requests_per_minute = provider->keys[i].requests_per_minute;
        keys[i].tokens_per_minute   = provider->keys[i].tokens_per_minute;
        keys[i].parallel            = provider->keys[i].parallel;
        keys[i].is_set              = provider->keys[i].is_set;
        if (provider->keys[i].fingerprint) keys[i].fingerprint = provider->keys[i].fingerprint;
        item->keys[item->n_keys++] = &keys[i];
    }
    return true;
}

struct naming {
    struct arena *arena;
    Pb__LlmProvider *item;
};

static void name_model(struct naming *naming, const char *model)
{
    Pb__LlmProvider *item = naming->item;
    for (size_t i = 0; i < item->n_models; i++) {
        if (strcmp(item->models[i], model) == 0) return;
    }
    if (item->n_models < LLM_MODELS_MAX) item->models[item->n_models++] = model;
}

static void name_priced(const struct model_price *model, void *context)
{
    name_model(context, model->id);
}

static bool fill_models(const struct catalog *catalog, const struct provider *provider,
                        struct arena *arena, Pb__LlmProvider *item)
{
    struct naming naming = {.arena = arena, .item = item};
    item->models         = arena_alloc(arena, LLM_MODELS_MAX * sizeof *item->models);
    if (!item->models) return false;
    for (uint32_t i = 0; i < catalog->route_count; i++) {
        const struct llm_route *route = &catalog->routes[i];
        for (uint32_t t = 0; t < route->target_count; t++) {
            if (route->targets[t].provider != provider) continue;
            const char *model = arena_strdup(arena, route->targets[t].model);
            if (!model) return false;
            name_model(&naming, model);
        }
    }
    price_table_each(catalog->own_prices, str_from(provider->name), name_priced, &naming);
    return true;
}

static void fill_pulse(const struct pulse *pulse, Pb__LlmProvider *item)
{
    const struct pulse_of seen = pulse_look(pulse, item->id);
    item->answered             = seen.calls;
    item->answer_ms            = seen.answer_ms;
    item->first_event_ms       = seen.first_event_ms;
}

status llm_providers_handle(struct rpc_call *call, struct error *reterr)
{
    const struct catalog *catalog = llm_service_catalog(call->context);
    const struct pulse *pulse     = llm_service_pulse(call->context);
    Pb__LlmProviders *answer      = call->response;
    size_t count                  = catalog->provider_count;
    Pb__LlmProvider *items        = arena_alloc(call->arena, (count + 1) * sizeof *items);
    answer->providers = arena_alloc(call->arena, (count + 1) * sizeof *answer->providers);
    if (!items || !answer->providers) {
        return fail(reterr, STATUS_RESOURCE_EXHAUSTED, "too many providers");
    }
    for (size_t i = 0; i < count; i++) {
        const struct provider *provider = &catalog->providers[i];
        pb__llm_provider__init(&items[i]);
        items[i].id        = provider->name;
        items[i].type      = provider->kind->name;
        items[i].base_url  = provider->base_url ? provider->base_url : "";
        items[i].simulated = provider->kind->is_simulated;
        items[i].free      = provider->is_free;
        items[i].vendor    = provider->vendor ? provider->vendor : "";
        fill_pulse(pulse, &items[i]);
        if (!fill_keys(provider, call->arena, &items[i]) ||
            !fill_models(catalog, provider, call->arena, &items[i])) {
            return fail(reterr, STATUS_RESOURCE_EXHAUSTED, "too many models");
        }
        answer->providers[answer->n_providers++] = &items[i];
    }
    answer->prices_as_of = price_table_as_of(catalog->public_prices);
    rpc_reply(call, STATUS_OK, NULL);
    return STATUS_OK;
}
