/* MCP servers over stdio: whose processes there are. What they say to whom is in
 * mcp_stdio.test.mjs. */
#include "tool-adapter/peers/mcp_stdio.h"

#include "cmocka.h"

#include "base/clock.h"
#include "json/json_text.h"

#include <stdio.h>

enum { ARENA_MAX = 8 << 20, CALL_MS = 60'000 };

/* A server of the older era that answers each request. */
static const char tree[] =
    "{\"small\":{\"command\":\"/bin/sh\",\"args\":[\"-c\",\""
    "while read -r line; do case $line in *'\\\"id\\\":'*) "
    "id=${line#*'\\\"id\\\":'}; id=${id%%,*}; id=${id%%\\\\}*}; "
    "case $line in "
    "*initialize*) said='{\\\"protocolVersion\\\":\\\"2025-11-25\\\",\\\"capabilities\\\":{},"
    "\\\"serverInfo\\\":{\\\"name\\\":\\\"s\\\",\\\"version\\\":\\\"1\\\"}}';; "
    "*) said='{\\\"content\\\":[]}';; esac; "
    "echo '{\\\"jsonrpc\\\":\\\"2.0\\\",\\\"id\\\":'$id',\\\"result\\\":'$said'}';; esac; "
    "done\"]}}";

struct world {
    struct arena *arena;
    struct config *config;
    json tree;
    struct stdio_servers *servers;
    struct loop *loop;
    struct mcp_stdio *stdio;
    unsigned ended, answered;
};

static void open_world(struct world *world)
{
    static const struct config_program program = {.name = "test"};
    const struct config_sources sources        = {};
    const struct loop_options options          = {};
    struct error error                         = {};
    *world                                     = (struct world){.arena = arena_new(ARENA_MAX)};
    struct diagnostics *list                   = diagnostics_new(world->arena);
    assert_int_equal(config_load(&program, &sources, NULL, &world->config, list, &error),
                     STATUS_OK);
    assert_int_equal(json_parse(str_from(tree), NULL, &world->tree, NULL, NULL), STATUS_OK);
    world->servers = stdio_servers_new(world->config, world->tree, list);
    assert_int_equal(list->errors, 0);
    assert_int_equal(loop_new(&options, &world->loop, NULL), STATUS_OK);
    world->stdio = mcp_stdio_new(world->servers, world->loop);
}

static void close_world(struct world *world)
{
    mcp_stdio_freep(&world->stdio);
    loop_freep(&world->loop);
    stdio_servers_freep(&world->servers);
    json_unref(world->tree);
    config_free(world->config);
    arena_free(world->arena);
}

static void on_done(const struct mcp_result *result, void *context)
{
    struct world *world = context;
    world->ended++;
    if (result->code == STATUS_OK) world->answered++;
}

/* A call of client `number`, which has a process of its own. */
static status call(struct world *world, unsigned number)
{
    char name[16];
    struct mcp_stdio_call *started     = NULL;
    struct error error                 = {};
    const struct mcp_handlers handlers = {.done = on_done, .context = world};
    (void)snprintf(name, sizeof name, "client-%u", number);
    const struct mcp_stdio_request request = {.server    = str_from("small"),
                                              .namespace = str_from("default"),
                                              .call      = {.version  = str_from("2025-11-25"),
                                                            .name     = str_from(name),
                                                            .method   = "tools/call",
                                                            .until_ms = clock_mono_ms() + CALL_MS}};
    unsigned ended                         = world->ended;
    status code = mcp_stdio_start(world->stdio, &request, &handlers, &started, &error);
    while (code == STATUS_OK && world->ended == ended) loop_turn(world->loop, CALL_MS);
    return code;
}

static void one_that_nobody_uses_makes_room(void **)
{
    struct world world;
    open_world(&world);
    for (unsigned i = 0; i < STDIO_PROCESSES_MAX; i++) assert_int_equal(call(&world, i), STATUS_OK);
    assert_int_equal(world.answered, STDIO_PROCESSES_MAX);
    assert_int_equal(call(&world, STDIO_PROCESSES_MAX), STATUS_RESOURCE_EXHAUSTED);
    int64_t until_ms = clock_mono_ms() + CALL_MS;
    status code      = STATUS_RESOURCE_EXHAUSTED;
    while (code == STATUS_RESOURCE_EXHAUSTED && clock_mono_ms() < until_ms) {
        loop_turn(world.loop, 100);
        code = call(&world, STDIO_PROCESSES_MAX);
    }
    assert_int_equal(code, STATUS_OK);
    assert_int_equal(world.answered, STDIO_PROCESSES_MAX + 1);
    close_world(&world);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_that_nobody_uses_makes_room),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
