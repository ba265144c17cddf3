/* The section `llm`: routes found, money counted, and every mistake with its place. */
#include "llm-proxy/catalog/catalog.h"

#include "cmocka.h"

#include <stdlib.h>

enum { ARENA_MAX = 4 << 20 };

struct options {
    json providers, routes, prices, pii;
};

static const struct config_option table[] = {
    {.path = "llm.providers", .kind = CONFIG_TREE, .offset = offsetof(struct options, providers)},
    {.path = "llm.routes", .kind = CONFIG_TREE, .offset = offsetof(struct options, routes)},
    {.path = "llm.prices", .kind = CONFIG_TREE, .offset = offsetof(struct options, prices)},
    {.path = "llm.pii", .kind = CONFIG_TREE, .offset = offsetof(struct options, pii)},
};
static const struct config_set sets[]      = {{table, ARRAY_LEN(table), 0}};
static const struct config_program program = {.name = "test", .sets = sets, .set_count = 1};

struct world {
    struct arena *arena;
    struct diagnostics *list;
    struct config *config;
    struct options options;
    struct catalog *catalog;
    status code;
};

static void open_world(struct world *world, const char *const *flags, size_t count)
{
    *world                              = (struct world){.arena = arena_new(ARENA_MAX)};
    world->list                         = diagnostics_new(world->arena);
    const struct config_sources sources = {.flags = flags, .flag_count = count};
    struct error error                  = {};
    if (config_load(&program, &sources, &world->options, &world->config, world->list, &error) !=
        STATUS_OK) {
        fail_msg("%s", error.text);
    }
    const struct catalog_trees trees = {.providers = world->options.providers,
                                        .routes    = world->options.routes,
                                        .prices    = world->options.prices,
                                        .pii       = world->options.pii};
    world->code = catalog_read(world->config, &trees, world->list, &world->catalog, NULL);
}

static void close_world(struct world *world)
{
    catalog_freep(&world->catalog);
    config_free(world->config);
    arena_free(world->arena);
}

static const char *const good[] = {
    "llm.providers.local={type: openai-compatible, base_url: \"http://127.0.0.1:8000/v1/\"}",
    "llm.providers.home={type: openai-compatible, base_url: \"https://h/v1\", price: free}",
    "llm.providers.demo={type: simulated, first_event: 20ms}",
    ("llm.routes.writer={targets: [{model: local/big, weight: 3}], fallbacks: [{model: home/x}], "
     "retry: {attempts: 4, delay: 10ms}, timeouts: {total: 2s}}"),
    "llm.routes.toy={targets: [{model: demo/any}]}",
    "llm.prices={local/big: {input: \"0.25\", output: \"2\", cache_read: \"0.025\"}}",
};

static void names_are_resolved(void **)
{
    struct world world;
    struct llm_route scratch;
    const char *near = NULL;
    open_world(&world, good, ARRAY_LEN(good));
    assert_int_equal(world.code, STATUS_OK);

    const struct llm_route *route =
        catalog_find(world.catalog, str_from("writer"), &scratch, &near);
    assert_int_equal(route->target_count, 2);
    assert_int_equal(route->retry.attempts, 4);
    assert_int_equal(route->timeouts.total_ms, 2'000);
    assert_string_equal(route->targets[0].provider->base_url, "http://127.0.0.1:8000/v1");
    assert_string_equal(route->targets[0].provider->plain_host, "127.0.0.1");
    assert_int_equal(route->targets[1].weight, 0);

    route = catalog_find(world.catalog, str_from("local/some/model"), &scratch, &near);
    assert_true(str_is(route->targets[0].model, "some/model"));
    route = catalog_find(world.catalog, str_from("big"), &scratch, &near);
    assert_string_equal(route->targets[0].provider->name, "local");
    assert_true(catalog_find(world.catalog, str_from("toy"), &scratch, &near)->is_simulated);
    assert_null(catalog_find(world.catalog, str_from("writr"), &scratch, &near));
    assert_string_equal(near, "writer");
    close_world(&world);
}

static void fallbacks_come_behind(void **)
{
    struct world world;
    struct llm_route scratch;
    struct llm_route route;
    const char *near = NULL;
    open_world(&world, good, ARRAY_LEN(good));
    route = *catalog_find(world.catalog, str_from("local/a"), &scratch, &near);
    assert_true(catalog_add_fallback(world.catalog, str_from("writer"), &route));
    assert_true(catalog_add_fallback(world.catalog, str_from("toy"), &route)); /* simulated */
    assert_false(catalog_add_fallback(world.catalog, str_from("nobody/knows"), &route));
    assert_int_equal(route.target_count, 3);
    assert_true(str_is(route.targets[1].model, "big"));
    assert_int_equal(route.targets[1].weight, 0);
    assert_true(str_is(route.targets[2].model, "x"));
    for (int i = 0; i < CATALOG_TARGETS_MAX; i++) {
        assert_true(catalog_add_fallback(world.catalog, str_from("local/b"), &route));
    }
    assert_int_equal(route.target_count, CATALOG_TARGETS_MAX);
    close_world(&world);
}

struct cost {
    const char *name;
    const char *model;
    struct llm_usage usage;
    int64_t nanos;
    enum cost_kind kind;
};

#define USED(input, output, cached)                                                                \
    {                                                                                              \
        input, output, cached, -1, -1, -1, -1, -1, -1, -1                                          \
    }

/* clang-format off */
static const struct cost costs[] = {
    {"a million in and out",    "local/big", USED(1'000'000, 1'000'000, -1), 2'250'000'000, COST_KIND_REPORTED},
    {"one token, half up",      "local/big", USED(1, 0, -1), 250, COST_KIND_REPORTED},
    {"cached ones are cheaper", "local/big", USED(100, 0, 40), 60 * 250 + 40 * 25, COST_KIND_REPORTED},
    {"more cached than sent",   "local/big", USED(10, 0, 99), 250, COST_KIND_REPORTED},
    {"no counters",             "local/big", USED(-1, -1, -1), 0, COST_KIND_UNKNOWN},
    {"no price",                "local/other", USED(5, 5, -1), 0, COST_KIND_UNKNOWN},
    {"a sum that overflows",    "local/big", USED(INT64_MAX, INT64_MAX, -1), 0, COST_KIND_UNKNOWN},
    {"free",                    "home/x", USED(5, 5, -1), 0, COST_KIND_FREE},
    {"simulated",               "demo/any", USED(5, 5, -1), 0, COST_KIND_SIMULATED},
};
/* clang-format on */

static void costs_are_exact(void **state)
{
    const struct cost *row = *state;
    struct world world;
    struct llm_route scratch;
    const char *near    = NULL;
    enum cost_kind kind = COST_KIND_ESTIMATED;
    open_world(&world, good, ARRAY_LEN(good));
    const struct llm_route *route =
        catalog_find(world.catalog, str_from(row->model), &scratch, &near);
    assert_int_equal(catalog_cost(world.catalog, &route->targets[0], &row->usage, &kind),
                     row->nanos);
    assert_int_equal(kind, row->kind);
    close_world(&world);
}

struct mistake {
    const char *name;
    const char *flag;
    const char *pointer, *detail;
};

/* clang-format off */
static const struct mistake mistakes[] = {
    {"unknown type",      "llm.providers.a={type: magic}", "/llm/providers/a/type", "magic"},
    {"no base_url",       "llm.providers.a={type: openai-compatible}", "/llm/providers/a", "base_url"},
    {"bad base_url",      "llm.providers.a={type: openai-compatible, base_url: \"ftp://x\"}", "/llm/providers/a/base_url", "http"},
    {"unknown member",    "llm.providers.a={type: simulated, sead: 1}", "/llm/providers/a/sead", "sead"},
    {"literal key",       "llm.providers.a={type: openai-compatible, base_url: \"https://h\", keys: [sk-123]}", "/llm/providers/a/keys", "secret"},
    {"limit of a key",    "llm.providers.a={type: openai-compatible, base_url: \"https://h\", keys: [{secret: X, parallel: 0}]}", "/llm/providers/a/parallel", "from 1 to"},
    {"unknown flavor",    "llm.providers.a={type: openai-compatible, base_url: \"https://h\", flavor: azur}", "/llm/providers/a/flavor", "azur"},
    {"flavor of another", "llm.providers.a={type: gemini, flavor: azure}", "/llm/providers/a/flavor", "type gemini"},
    {"version of nobody", "llm.providers.a={type: openai-compatible, base_url: \"https://h\", api_version: \"2024-10-21\"}", "/llm/providers/a/api_version", "azure"},
    {"a version that is none", "llm.providers.a={type: openai-compatible, base_url: \"https://h\", flavor: azure, api_version: \"1&x=2\"}", "/llm/providers/a/api_version", "a date"},
    {"unknown provider",  "llm.routes.r={targets: [{model: nobody/x}]}", "/llm/routes/r/targets", "nobody"},
    {"no target",         "llm.routes.r={fallbacks: []}", "/llm/routes/r", "target"},
    {"hot default",       "llm.routes.r={defaults: {temperature: 3}}", "/llm/routes/r/temperature", "from 0 to 2"},
    {"text as default",   "llm.routes.r={defaults: {top_p: much}}", "/llm/routes/r/top_p", "from 0 to 1"},
    {"unknown default",   "llm.routes.r={defaults: {seed: 3}}", "/llm/routes/r/seed", "not known"},
    {"strict as a text",  "llm.routes.r={strict: very}", "/llm/routes/r/strict", "true or false"},
    {"price as a number", "llm.prices={a/b: {input: 1, output: 2}}", "/llm/prices/a~1b", "decimal"},
    {"a list",            "llm.providers.a=[b]", "/llm/providers/a", "is a map"},
    {"no mode of pii",    "llm.pii={mode: hide}", "/llm/pii", "one of allow, mask"},
    {"pii of a route",    "llm.pii={routes: {a/b: {mode: mask, kinds: [name]}}}", "/llm/pii/routes/a~1b", "list of: email"},
    {"pii without key",   "llm.pii={namespaces: {a: {mode: hash}}}", "/llm/pii/namespaces/a", "belongs to `mode: hash`"},
    {"pii of nobody",     "llm.pii={routes: [a]}", "/llm/pii/routes", "map of names"},
    {"bad duration",      "llm.providers.a={type: simulated, first_event: soon}", "/llm/providers/a/first_event", "duration"},
};
/* clang-format on */

static void is_found(void **state)
{
    const struct mistake *row = *state;
    struct world world;
    open_world(&world, &row->flag, 1);
    assert_int_equal(world.code, STATUS_INVALID_ARGUMENT);
    assert_true(world.list->count >= 1);
    assert_string_equal(world.list->items[0].pointer, row->pointer);
    assert_non_null(strstr(world.list->items[0].detail, row->detail));
    close_world(&world);
}

static void what_a_route_does_not_know_is_found(void **)
{
    static const struct {
        const char *flag, *pointer;
    } rows[] = {
        {"llm.routes.r={targets: [{model: local/a}], retry: {attemps: 2}}",
         "/llm/routes/r/attemps"},
        {"llm.routes.r={targets: [{model: local/a}], timeouts: {first: 2s}}",
         "/llm/routes/r/first"},
        {"llm.routes.r={targets: [{model: local/a, order: 2}]}", "/llm/routes/r/order"},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        const char *flags[] = {good[0], rows[i].flag};
        struct world world;
        open_world(&world, flags, ARRAY_LEN(flags));
        assert_int_equal(world.code, STATUS_INVALID_ARGUMENT);
        assert_int_equal(world.list->count, 1);
        assert_string_equal(world.list->items[0].pointer, rows[i].pointer);
        assert_non_null(strstr(world.list->items[0].detail, "not known"));
        close_world(&world);
    }
}

static void simulated_and_real_are_not_mixed(void **)
{
    const char *flags[] = {good[0], good[2],
                           "llm.routes.mix={targets: [{model: local/a}, {model: demo/b}]}"};
    struct world world;
    open_world(&world, flags, ARRAY_LEN(flags));
    assert_int_equal(world.code, STATUS_INVALID_ARGUMENT);
    assert_string_equal(world.list->items[0].pointer, "/llm/routes/mix");
    close_world(&world);
}

/* Who goes by the first goes on, and the second outlives it. */
static void other_keys_are_another_catalog(void **)
{
    const struct provider_key key = {
        .name = "api-1", .value = str_from("sk-1"), .fingerprint = "1"};
    const struct catalog_key keys[] = {{"local", key}, {"demo", key}, {"nobody", key}};
    struct world world;
    struct llm_route scratch;
    const char *near = NULL;
    open_world(&world, good, ARRAY_LEN(good));
    struct catalog *other = catalog_with_keys(world.catalog, keys, ARRAY_LEN(keys));
    assert_non_null(other);
    assert_int_equal(catalog_provider(world.catalog, str_from("local"))->key_count, 0);
    assert_int_equal(catalog_provider(other, str_from("demo"))->key_count, 0);
    close_world(&world);

    const struct llm_route *route = catalog_find(other, str_from("writer"), &scratch, &near);
    const struct provider *local  = catalog_provider(other, str_from("local"));
    assert_ptr_equal(route->targets[0].provider, local);
    assert_int_equal(local->key_count, 1);
    assert_true(str_is(local->keys[0].value, "sk-1") && local->keys[0].is_set);
    assert_non_null(catalog_price(other, local, str_from("big")));
    catalog_freep(&other);
}

int main(void)
{
    struct CMUnitTest tests[ARRAY_LEN(costs) + ARRAY_LEN(mistakes) + 5];
    size_t count = 0;
    for (size_t i = 0; i < ARRAY_LEN(costs); i++) {
        tests[count++] = row_test(costs[i].name, costs_are_exact, &costs[i]);
    }
    for (size_t i = 0; i < ARRAY_LEN(mistakes); i++) {
        tests[count++] = row_test(mistakes[i].name, is_found, &mistakes[i]);
    }
    tests[count++] = (struct CMUnitTest)cmocka_unit_test(names_are_resolved);
    tests[count++] = (struct CMUnitTest)cmocka_unit_test(fallbacks_come_behind);
    tests[count++] = (struct CMUnitTest)cmocka_unit_test(what_a_route_does_not_know_is_found);
    tests[count++] = (struct CMUnitTest)cmocka_unit_test(simulated_and_real_are_not_mixed);
    tests[count++] = (struct CMUnitTest)cmocka_unit_test(other_keys_are_another_catalog);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
