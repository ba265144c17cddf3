/* Entries of `tools.connections`: the finer limits that they bring along. */
#include "tool-adapter/connections/connection.h"

#include "cmocka.h"

#include "base/attr.h"
#include "json/json_text.h"

enum { ARENA_MAX = 8 << 20 };

static const char manifest_text[] =
    "manifest: tutti/adapter/v1\n"
    "name: box\n"
    "version: \"1.0.0\"\n"
    "title: Box\n"
    "docs: https://box.test/docs\n"
    "spec: {npm: \"box@1.0.0\", file: box.json}\n"
    "http: {base_url: \"https://box.test\"}\n"
    "rate_limit: {budgets: [{actions: [look], rate: 1/s}, {actions: [look], rate: 2/s}]}\n"
    "actions:\n"
    "  look:\n"
    "    summary: Looks\n"
    "    aliases: [see]\n"
    "    effect: read\n"
    "    params: {properties: {}}\n"
    "    request: {method: GET, path: /look}\n"
    "    output: {}\n"
    "    example: {params: {}}\n";

struct world {
    struct arena *arena;
    struct diagnostics *list;
    struct config *config;
    struct manifest *manifest;
    struct connection connection;
};

static void open_world(struct world *world, const char *entry)
{
    static const struct config_program program = {.name = "test"};
    const struct config_sources sources        = {};
    CLEANUP(json_unrefp) json value            = json_invalid();
    struct error error                         = {};
    *world                                     = (struct world){.arena = arena_new(ARENA_MAX)};
    world->list                                = diagnostics_new(world->arena);
    if (config_load(&program, &sources, NULL, &world->config, world->list, &error) != STATUS_OK ||
        manifest_read(str_from(manifest_text), world->list, &world->manifest, &error) !=
            STATUS_OK) {
        fail_msg("%s %s", error.text, world->list->count > 0 ? world->list->items[0].detail : "");
    }
    assert_int_equal(json_parse(str_from(entry), NULL, &value, NULL, NULL), STATUS_OK);
    connection_read(world->config, str_from("it"), value, world->manifest, world->arena,
                    world->list, &world->connection);
}

static void close_world(struct world *world)
{
    connection_done(&world->connection);
    manifest_free(world->manifest);
    config_free(world->config);
    arena_free(world->arena);
}

static void test_budgets(void **)
{
    static const struct {
        const char *entry, *wrong; /* NULL: nothing */
        size_t count;
    } rows[] = {
        {"{}", NULL, 2},
        {"{\"budgets\":[]}", NULL, 0},
        {"{\"budgets\":[{\"actions\":[\"look\"],\"rate\":\"5/h\",\"burst\":2}]}", NULL, 1},
        {"{\"budgets\":[{\"actions\":[\"look\"],\"concurrency\":1,\"key\":\"=.params.a\"}]}", NULL,
         1},
        {"{\"budgets\":[{\"actions\":[\"see\"],\"rate\":\"5/h\"}]}",
         "the adapter `box` has no action `see`", 1}, /* another name of it: no call has that */
        {"{\"budgets\":[{\"actions\":[7],\"rate\":\"5/h\"}]}",
         "the adapter `box` has no action `?`", 1},
        {"{\"budgets\":[{\"actions\":[],\"rate\":\"5/h\"}]}",
         "`actions` of a budget are names of actions", 1},
        {"{\"budgets\":[{\"actions\":[\"look\"],\"rate\":\"5/h\",\"more\":1}]}",
         "`more` of a budget is not known here", 1},
        {"{\"budgets\":[{\"actions\":[\"look\"]}]}", "a budget has a `rate` or a `concurrency`", 1},
        {"{\"budgets\":[{\"actions\":[\"look\"],\"rate\":\"0/h\",\"concurrency\":1}]}",
         "`rate` is a number per s, min, h or day", 1},
        {"{\"budgets\":[0,0,0,0,0,0,0,0,0]}", "`budgets` is a list of at most 8", 2},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct world world;
        open_world(&world, rows[i].entry);
        const char *said = world.list->count > 0 ? world.list->items[0].detail : "nothing";
        assert_int_equal(world.connection.budget_count, rows[i].count);
        assert_int_equal(world.list->count, rows[i].wrong ? 1 : 0);
        assert_string_equal(said, rows[i].wrong ? rows[i].wrong : "nothing");
        close_world(&world);
    }
}

static void test_whom_a_budget_counts(void **)
{
    struct world world;
    open_world(&world, "{\"budgets\":[{\"actions\":[\"look\"],\"rate\":\"5/h\",\"burst\":2}]}");
    const struct rate_budget *budget = &world.connection.budgets[0];
    assert_true(rate_budget_covers(budget, "look"));
    assert_false(rate_budget_covers(budget, "loo"));
    assert_int_equal(budget->rate_count, 5);
    assert_int_equal(budget->rate_per_ms, 3'600'000);
    assert_int_equal(budget->burst, 2);
    close_world(&world);
}

static void test_proxies(void **)
{
    static const struct {
        const char *entry, *wrong; /* NULL: nothing */
    } rows[] = {
        {"{}", NULL},
        {"{\"proxy\":\"http://proxy:3128\"}", NULL},
        {"{\"proxy\":\"http://u:p@proxy:3128\"}", "a URL with a password is a secret"},
        {"{\"proxy\":\"proxy:3128\"}",
         "proxy: no http URL; write http://[user:password@]host[:port]"},
        {"{\"proxy\":7}", "a secret is given as {secret: NAME}"},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct world world;
        open_world(&world, rows[i].entry);
        const char *said = world.list->count > 0 ? world.list->items[0].detail : "nothing";
        assert_string_equal(said, rows[i].wrong ? rows[i].wrong : "nothing");
        assert_int_equal(world.connection.proxy.len > 0, i == 1);
        close_world(&world);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_budgets),
        cmocka_unit_test(test_whom_a_budget_counts),
        cmocka_unit_test(test_proxies),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
