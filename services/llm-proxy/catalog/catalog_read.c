/* The section `llm` of the configuration: every mistake with its place, all of them at once. */
#include "base/assert.h"
#include "base/mem.h"
#include "http/url.h"
#include "llm-proxy/catalog/catalog.h"
#include "llm-proxy/chat/embed_text.h"
#include "llm-proxy/chat/repair.h"
#include "json/json_pointer.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

enum { POINTER_MAX = 512, DECIMALS = 12 };

struct reader {
    const struct config *config;
    struct diagnostics *list;
    struct catalog *catalog;
};

/* Where we are: "/llm/providers/openai". Members are added and taken off again. */
struct place {
    struct buf pointer;
};

static struct place place_of(const char *section, str name)
{
    struct place place = {.pointer = buf_init(POINTER_MAX)};
    (void)buf_put_text(&place.pointer, section);
    (void)json_pointer_add(&place.pointer, name);
    return place;
}

static void place_done(struct place *place)
{
    buf_done(&place->pointer);
}

PRINTF_LIKE(5, 6)
static void found(struct reader *reader, const struct place *place, const char *member,
                  const char *hint, const char *format, ...)
{
    char text[ERROR_TEXT_MAX];
    va_list args;
    va_start(args, format);
    (void)vsnprintf(text, sizeof text, format, args);
    va_end(args);
    CLEANUP(buf_done) struct buf pointer = buf_init(POINTER_MAX);
    (void)buf_put_str(&pointer, buf_str(&place->pointer));
    if (member) (void)json_pointer_add(&pointer, str_from(member));
    config_found(reader->config, reader->list, buf_str(&pointer), hint, "%s", text);
}

static const char *keep(struct reader *reader, str text)
{
    const char *copy = arena_strdup(reader->catalog->arena, text);
    ASSERT(copy); /* a configuration has at most 512 KiB, the arena 8 MiB */
    return copy;
}

static void check_members(struct reader *reader, const struct place *place, json object,
                          const char *const *names, size_t count)
{
    if (json_is(object, JSON_ARRAY)) found(reader, place, NULL, "", "is a map, not a list");
    for (size_t i = 0; json_is(object, JSON_OBJECT) && i < json_count(object); i++) {
        str key       = json_key_at(object, i);
        bool is_known = false;
        for (size_t n = 0; n < count; n++) is_known = is_known || str_is(key, names[n]);
        if (is_known) continue;
        const char *near = nearest_name(key, names, count);
        const char *name = keep(reader, key);
        found(reader, place, name, near ? near : "", "`%s` is not known here", name);
    }
}

static const char *text_member(struct reader *reader, const struct place *place, json object,
                               const char *key)
{
    json value = json_get_text(object, key);
    if (json_is(value, JSON_INVALID)) return NULL;
    if (json_is(value, JSON_TEXT)) return keep(reader, json_str(value));
    found(reader, place, key, "", "`%s` is a text", key);
    return NULL;
}

static int64_t count_member(struct reader *reader, const struct place *place, json object,
                            const char *key, int64_t otherwise)
{
    json value     = json_get_text(object, key);
    int64_t result = otherwise;
    if (json_is(value, JSON_INVALID)) return otherwise;
    if (!json_to_int(value, &result) || result < 0) {
        found(reader, place, key, "", "`%s` is a whole number from 0", key);
        return otherwise;
    }
    return result;
}

/* 0: it is not there. */
static uint32_t limit_member(struct reader *reader, const struct place *place, json object,
                             const char *key)
{
    json value  = json_get_text(object, key);
    int64_t max = 0;
    if (json_is(value, JSON_INVALID)) return 0;
    if (json_to_int(value, &max) && max >= 1 && max <= PROVIDER_LIMIT_MAX) return (uint32_t)max;
    found(reader, place, key, "", "`%s` is a whole number from 1 to %d", key, PROVIDER_LIMIT_MAX);
    return 0;
}

static int64_t duration_member(struct reader *reader, const struct place *place, json object,
                               const char *key, int64_t otherwise)
{
    json value     = json_get_text(object, key);
    int64_t result = otherwise;
    if (json_is(value, JSON_INVALID)) return otherwise;
    if (!config_duration_from(value, &result)) {
        found(reader, place, key, "30s", "`%s` is a duration", key);
        return otherwise;
    }
    return result;
}

/* --- providers ---------------------------------------------------------------------------------
 */

static void read_key(struct reader *reader, const struct place *place, json value,
                     struct provider *provider)
{
    static const char *const members[] = {"secret", "weight", "requests_per_minute",
                                          "tokens_per_minute", "parallel"};
    if (provider->key_count == PROVIDER_KEYS_MAX) {
        found(reader, place, "keys", "", "over %d keys", PROVIDER_KEYS_MAX);
        return;
    }
    struct provider_key *key = &provider->keys[provider->key_count];
    struct error error       = {};
    json name                = json_get_text(value, "secret");
    /* The reference alone: the other members are ours. */
    CLEANUP(json_unrefp) json reference = json_object_new(1);
    check_members(reader, place, value, members, ARRAY_LEN(members));
    key->requests_per_minute = limit_member(reader, place, value, "requests_per_minute");
    key->tokens_per_minute   = limit_member(reader, place, value, "tokens_per_minute");
    key->parallel            = limit_member(reader, place, value, "parallel");
    if (json_is(name, JSON_TEXT)) json_object_put(&reference, str_from("secret"), json_ref(name));
    status code =
        config_secret_read(reader->config, reference, reader->catalog->arena, &key->value, &error);
    if (code != STATUS_OK) {
        found(reader, place, "keys", "{ secret: NAME }", "%s", error.text);
        return;
    }
    key->name   = keep(reader, json_str(name));
    key->weight = (uint32_t)count_member(reader, place, value, "weight", 1);
    provider->key_count++;
}

static void read_version(struct reader *reader, const struct place *place, json value,
                         struct provider *provider)
{
    const char *version = text_member(reader, place, value, "version");
    if (!version || strcmp(version, "auto") == 0) return;
    provider->version = version;
    if (provider->kind->protocol == PROTOCOL_ANTHROPIC) return;
    found(reader, place, "version", "", "only providers of type anthropic have a `version`");
}

static void read_flavor(struct reader *reader, const struct place *place, json value,
                        struct provider *provider)
{
    const char *name      = text_member(reader, place, value, "flavor");
    provider->api_version = text_member(reader, place, value, "api_version");
    if (provider->kind == &provider_compatible) {
        provider->flavor = provider_flavor_of(str_from(name ? name : "generic"));
    }
    if (name && !provider->flavor) {
        found(reader, place, "flavor", "generic, vllm, llamacpp, ollama, openrouter or azure",
              "`%s` is no flavor of type %s", name, provider->kind->name);
    }
    if (provider->api_version && !provider_takes_version(provider)) {
        found(reader, place, "api_version", "flavor: azure, api_version: \"2024-10-21\"",
              "`api_version` is a date, of flavor azure alone");
    }
}

static void read_real(struct reader *reader, const struct place *place, json value,
                      struct provider *provider)
{
    const char *url = text_member(reader, place, value, "base_url");
    if (!url) url = provider->kind->default_base_url;
    if (!url) {
        found(reader, place, NULL, "base_url: \"http://127.0.0.1:8000/v1\"",
              "an %s provider needs `base_url`", provider->kind->name);
        return;
    }
    size_t length = strlen(url);
    while (length > 0 && url[length - 1] == '/') length--;
    provider->base_url = keep(reader, (str){.ptr = url, .len = length});
    struct url parts   = {};
    if (!url_parse(str_from(provider->base_url), &parts)) {
        found(reader, place, "base_url", "\"http://127.0.0.1:8000/v1\"",
              "`base_url` is no http or https URL");
        return;
    }
    if (!parts.is_https) provider->plain_host = keep(reader, parts.host);
    provider->key_header = text_member(reader, place, value, "key_header");
    read_version(reader, place, value, provider);
    read_flavor(reader, place, value, provider);
    json keys = json_get_text(value, "keys");
    for (size_t i = 0; json_is(keys, JSON_ARRAY) && i < json_count(keys); i++) {
        read_key(reader, place, json_at(keys, i), provider);
    }
    json price        = json_get_text(value, "price");
    provider->is_free = json_is(price, JSON_TEXT) && str_is(json_str(price), "free");
    if (!json_is(price, JSON_INVALID) && !provider->is_free) {
        found(reader, place, "price", "free",
              "`price` is `free`; prices of models stand in "
              "llm.prices");
    }
}

static void read_simulated(struct reader *reader, const struct place *place, json value,
                           struct provider *provider)
{
    struct simulation *simulation = &provider->simulation;
    simulation->seed              = (uint64_t)count_member(reader, place, value, "seed", 0);
    simulation->first_event_ms    = duration_member(reader, place, value, "first_event", 0);
    simulation->jitter_ms         = duration_member(reader, place, value, "jitter", 0);
    simulation->tokens_per_second = count_member(reader, place, value, "tokens_per_second", 0);
    simulation->fail_every        = count_member(reader, place, value, "fail_every", 0);
    simulation->cut_after         = count_member(reader, place, value, "cut_after", 0);
}

/* Whose prices hold: the vendor of the protocol; else of the host, if it is one. */
static void find_vendor(const struct catalog *catalog, struct provider *provider)
{
    static const char *const vendors[] = {"openai", "anthropic", "gemini"};
    struct url parts                   = {};
    for (size_t i = 0; i < ARRAY_LEN(vendors); i++) {
        if (strcmp(provider->kind->name, vendors[i]) == 0) provider->vendor = vendors[i];
    }
    if (provider->vendor || !provider->base_url) return;
    if (!url_parse(str_from(provider->base_url), &parts)) return;
    provider->vendor = price_table_vendor_at(catalog->public_prices, parts.host);
}

static uint32_t bounded_member(struct reader *reader, const struct place *place, json value,
                               const char *key, uint32_t otherwise, uint32_t max)
{
    int64_t count = count_member(reader, place, value, key, otherwise);
    if (count <= max) return (uint32_t)count;
    found(reader, place, key, "", "`%s` is at most %u", key, max);
    return otherwise;
}

static void read_embed(struct reader *reader, const struct place *place, json value,
                       struct provider *provider)
{
    static const char *const members[] = {"batch", "concurrency", "rate"};
    struct embed_limits *limits        = &provider->embed;
    bool is_small                      = provider->kind == &provider_compatible;
    if (!json_is(value, JSON_INVALID)) {
        check_members(reader, place, value, members, ARRAY_LEN(members));
    }
    limits->batch = bounded_member(reader, place, value, "batch",
                                   is_small ? EMBED_BATCH_LOCAL : EMBED_BATCH, EMBED_INPUTS_MAX);
    limits->concurrency =
        bounded_member(reader, place, value, "concurrency", EMBED_PARALLEL, EMBED_PARALLEL_MAX);
    limits->rate = bounded_member(reader, place, value, "rate", 0, EMBED_RATE_MAX);
    if (limits->batch == 0) limits->batch = 1;
    if (limits->concurrency == 0) limits->concurrency = 1;
}

static void read_provider(struct reader *reader, str name, json value)
{
    static const char *const members[] = {
        "type",       "base_url",  "key_header", "keys",        "price",
        "flavor",     "seed",      "jitter",     "first_event", "tokens_per_second",
        "fail_every", "cut_after", "version",    "embed",       "api_version"};
    CLEANUP(place_done) struct place place = place_of("/llm/providers", name);
    struct catalog *catalog                = reader->catalog;
    if (catalog->provider_count == CATALOG_PROVIDERS_MAX || name.len > PROVIDER_NAME_MAX) {
        found(reader, &place, NULL, "", "too many providers, or a name over %d characters",
              PROVIDER_NAME_MAX);
        return;
    }
    check_members(reader, &place, value, members, ARRAY_LEN(members));
    const char *type                 = text_member(reader, &place, value, "type");
    const struct provider_kind *kind = provider_kind_of(str_from(type ? type : ""));
    if (!kind) {
        found(reader, &place, "type", "openai, anthropic, gemini, openai-compatible or simulated",
              "`%s` is no type of provider that is there yet", type ? type : "");
        return;
    }
    struct provider *provider = &catalog->providers[catalog->provider_count++];
    *provider                 = (struct provider){.name = keep(reader, name), .kind = kind};
    read_embed(reader, &place, json_get_text(value, "embed"), provider);
    if (kind->is_simulated) {
        read_simulated(reader, &place, value, provider);
    } else {
        read_real(reader, &place, value, provider);
        find_vendor(catalog, provider);
    }
}

/* --- routes ------------------------------------------------------------------------------------
 */

static void read_target(struct reader *reader, const struct place *place, json value,
                        bool is_fallback, struct llm_route *route)
{
    static const char *const members[] = {"model", "weight"};
    check_members(reader, place, value, members, ARRAY_LEN(members));
    const char *model = text_member(reader, place, value, "model");
    const char *slash = model ? strchr(model, '/') : NULL;
    const struct provider *provider =
        slash
            ? catalog_provider(reader->catalog, (str){.ptr = model, .len = (size_t)(slash - model)})
            : NULL;
    if (!provider || route->target_count == CATALOG_TARGETS_MAX) {
        found(reader, place, is_fallback ? "fallbacks" : "targets", "model: provider/model",
              "`%s` names no provider of llm.providers", model ? model : "");
        return;
    }
    route->targets[route->target_count++] = (struct route_target){
        .provider = provider,
        .model    = str_from(slash + 1),
        .weight   = is_fallback ? 0 : (uint32_t)count_member(reader, place, value, "weight", 1),
    };
}

static void read_retry(struct reader *reader, const struct place *place, json value,
                       struct route_retry *retry)
{
    static const char *const members[] = {"attempts", "delay", "max_delay", "max_wait"};
    check_members(reader, place, value, members, ARRAY_LEN(members));
    retry->attempts     = (uint32_t)count_member(reader, place, value, "attempts", 2);
    retry->delay_ms     = duration_member(reader, place, value, "delay", 250);
    retry->delay_ms_max = duration_member(reader, place, value, "max_delay", 8'000);
    retry->wait_ms_max  = duration_member(reader, place, value, "max_wait", 20'000);
    if (retry->attempts == 0) retry->attempts = 1;
}

static void read_timeouts(struct reader *reader, const struct place *place, json value,
                          struct http_timeouts *timeouts)
{
    static const char *const members[] = {"connect", "first_event", "idle", "total"};
    check_members(reader, place, value, members, ARRAY_LEN(members));
    timeouts->connect_ms    = duration_member(reader, place, value, "connect", 5'000);
    timeouts->first_byte_ms = duration_member(reader, place, value, "first_event", 60'000);
    timeouts->idle_ms       = duration_member(reader, place, value, "idle", 30'000);
    timeouts->total_ms      = duration_member(reader, place, value, "total", 600'000);
}

static void read_cache(struct reader *reader, const struct place *place, json value,
                       struct llm_route *route)
{
    static const char *const members[] = {"max_age"};
    if (json_is(value, JSON_INVALID)) return;
    check_members(reader, place, value, members, ARRAY_LEN(members));
    route->cache_age_ms = duration_member(reader, place, value, "max_age", 0);
}

/* A route that may answer with made-up text now and real text then would pass off one for the
 * other. */
static void check_simulated(struct reader *reader, const struct place *place,
                            struct llm_route *route)
{
    uint32_t simulated = 0;
    for (uint32_t i = 0; i < route->target_count; i++) {
        simulated += route->targets[i].provider->kind->is_simulated;
    }
    route->is_simulated = simulated > 0;
    if (simulated > 0 && simulated < route->target_count) {
        found(reader, place, NULL, "use two routes",
              "a route must not mix simulated and real "
              "targets");
    }
}

static bool fraction_member(struct reader *reader, const struct place *place, json object,
                            const char *key, double most, double *ret_value)
{
    json value = json_get_text(object, key);
    if (json_is(value, JSON_INVALID)) return false;
    *ret_value    = json_is_number(value) ? json_number(value) : -1;
    bool is_sound = *ret_value >= 0 && *ret_value <= most;
    if (!is_sound) found(reader, place, key, "0.2", "`%s` is a number from 0 to %g", key, most);
    return is_sound;
}

static void read_defaults(struct reader *reader, const struct place *place, json value,
                          struct route_defaults *defaults)
{
    static const char *const members[] = {"temperature", "top_p", "max_tokens"};
    check_members(reader, place, value, members, ARRAY_LEN(members));
    defaults->has_temperature =
        fraction_member(reader, place, value, "temperature", 2, &defaults->temperature);
    defaults->has_top_p  = fraction_member(reader, place, value, "top_p", 1, &defaults->top_p);
    defaults->max_tokens = count_member(reader, place, value, "max_tokens", 0);
}

static bool switch_member(struct reader *reader, const struct place *place, json object,
                          const char *key)
{
    json value = json_get_text(object, key);
    if (json_is(value, JSON_INVALID)) return false;
    if (!json_is_bool(value)) found(reader, place, key, "true", "`%s` is true or false", key);
    return json_is(value, JSON_TRUE);
}

static void read_route(struct reader *reader, str name, json value)
{
    static const char *const members[] = {
        "targets", "fallbacks",         "retry",           "timeouts", "cache", "defaults",
        "strict",  "wait_for_cooldown", "repair_attempts",
    };
    CLEANUP(place_done) struct place place = place_of("/llm/routes", name);
    struct catalog *catalog                = reader->catalog;
    if (catalog->route_count == CATALOG_ROUTES_MAX) {
        found(reader, &place, NULL, "", "over %d routes", CATALOG_ROUTES_MAX);
        return;
    }
    check_members(reader, &place, value, members, ARRAY_LEN(members));
    struct llm_route *route = &catalog->routes[catalog->route_count++];
    *route                  = (struct llm_route){.name = str_from(keep(reader, name))};
    read_defaults(reader, &place, json_get_text(value, "defaults"), &route->defaults);
    route->is_strict          = switch_member(reader, &place, value, "strict");
    route->waits_for_cooldown = switch_member(reader, &place, value, "wait_for_cooldown");
    route->repairs =
        bounded_member(reader, &place, value, "repair_attempts", REPAIRS_DEFAULT, CHAT_REPAIRS_MAX);
    json targets   = json_get_text(value, "targets");
    json fallbacks = json_get_text(value, "fallbacks");
    for (size_t i = 0; json_is(targets, JSON_ARRAY) && i < json_count(targets); i++) {
        read_target(reader, &place, json_at(targets, i), false, route);
    }
    if (route->target_count == 0) {
        found(reader, &place, NULL, "targets: [ { model: provider/model } ]",
              "a route needs a target");
    }
    for (size_t i = 0; json_is(fallbacks, JSON_ARRAY) && i < json_count(fallbacks); i++) {
        read_target(reader, &place, json_at(fallbacks, i), true, route);
    }
    read_retry(reader, &place, json_get_text(value, "retry"), &route->retry);
    read_timeouts(reader, &place, json_get_text(value, "timeouts"), &route->timeouts);
    read_cache(reader, &place, json_get_text(value, "cache"), route);
    check_simulated(reader, &place, route);
}

/* --- prices ------------------------------------------------------------------------------------
 */

static void read_price(struct reader *reader, str name, json value)
{
    CLEANUP(place_done) struct place place = place_of("/llm/prices", name);
    const char *slash                      = memchr(name.ptr, '/', name.len);
    size_t at                              = slash ? (size_t)(slash - name.ptr) : name.len;
    struct error error                     = {};
    if (!slash) {
        found(reader, &place, NULL, "provider/model", "a price has the name of a provider's model");
        return;
    }
    status added = price_table_add(reader->catalog->own_prices, str_slice(name, 0, at),
                                   str_slice(name, at + 1, name.len), value, &error);
    if (added != STATUS_OK) {
        found(reader, &place, NULL, "{ input: \"0.25\", output: \"2\" }", "%s", error.text);
    }
}

status catalog_read(const struct config *config, const struct catalog_trees *trees,
                    struct diagnostics *list, struct catalog **ret_catalog, struct error *reterr)
{
    CLEANUP(catalog_freep) struct catalog *catalog = mem_new(1, sizeof *catalog);
    catalog->references                            = 1;
    catalog->arena                                 = arena_new(CATALOG_ARENA_MAX);
    catalog->own_prices                            = price_table_new();
    catalog->public_prices                         = price_table_new();
    TRY(price_table_add_public(catalog->public_prices, reterr));
    struct reader reader = {.config = config, .list = list, .catalog = catalog};
    size_t errors        = list->errors;
    for (size_t i = 0; i < json_count(trees->providers); i++) {
        read_provider(&reader, json_key_at(trees->providers, i),
                      json_value_at(trees->providers, i));
    }
    for (size_t i = 0; i < json_count(trees->routes); i++) {
        read_route(&reader, json_key_at(trees->routes, i), json_value_at(trees->routes, i));
    }
    for (size_t i = 0; i < json_count(trees->prices); i++) {
        read_price(&reader, json_key_at(trees->prices, i), json_value_at(trees->prices, i));
    }
    catalog->pii          = pii_policies_read(config, trees->pii, catalog->arena, list);
    catalog->logs_content = trees->logs_content;
    if (list->errors > errors) {
        return fail(reterr, STATUS_INVALID_ARGUMENT, "section `llm`: %zu errors",
                    list->errors - errors);
    }
    *ret_catalog = TAKE(catalog);
    return STATUS_OK;
}
