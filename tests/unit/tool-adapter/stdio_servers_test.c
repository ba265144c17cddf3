/* The list of programs that may be started as MCP servers. */
#include "tool-adapter/peers/stdio_servers.h"

#include "cmocka.h"

#include "base/attr.h"
#include "json/json_text.h"

#include <string.h>

enum { ARENA_MAX = 8 << 20 };

struct world {
    struct arena *arena;
    struct diagnostics *list;
    struct config *config;
    json tree;
    struct stdio_servers *servers;
};

static void open_world(struct world *world, const char *tree)
{
    static const struct config_program program = {.name = "test"};
    const struct config_sources sources        = {};
    struct error error                         = {};
    *world                                     = (struct world){.arena = arena_new(ARENA_MAX)};
    world->list                                = diagnostics_new(world->arena);
    if (config_load(&program, &sources, NULL, &world->config, world->list, &error) != STATUS_OK) {
        fail_msg("%s", error.text);
    }
    assert_int_equal(json_parse(str_from(tree), NULL, &world->tree, NULL, NULL), STATUS_OK);
    world->servers = stdio_servers_new(world->config, world->tree, world->list);
}

static void close_world(struct world *world)
{
    stdio_servers_freep(&world->servers);
    json_unref(world->tree);
    config_free(world->config);
    arena_free(world->arena);
}

static void expect_fault(const char *tree, const char *pointer, const char *detail)
{
    struct world world;
    open_world(&world, tree);
    assert_int_equal(world.list->errors, 1);
    assert_string_equal(world.list->items[0].pointer, pointer);
    if (!strstr(world.list->items[0].detail, detail)) fail_msg("%s", world.list->items[0].detail);
    close_world(&world);
}

static void an_entry_says_what_is_started(void **)
{
    struct world world;
    open_world(&world,
               "{\"files\":{\"command\":\"/bin/f\",\"args\":[\"-r\",\"/srv\"],"
               "\"env\":{\"PATH\":\"/opt\",\"A\":\"b=c\"},\"folder\":\"/srv\","
               "\"namespaces\":[\"x\"],\"idle\":\"2s\","
               "\"limits\":{\"memory\":\"64MiB\",\"descriptors\":32,\"message\":\"1MiB\"}}}");
    assert_int_equal(world.list->errors, 0);
    assert_int_equal(stdio_servers_count(world.servers), 1);
    const struct stdio_server *files =
        stdio_servers_find(world.servers, str_from("files"), json_invalid());
    assert_non_null(files);
    assert_string_equal(files->arguments[0], "/bin/f");
    assert_string_equal(files->arguments[2], "/srv");
    assert_null(files->arguments[3]);
    assert_string_equal(files->environment[0], "LANG=C.UTF-8");
    assert_string_equal(files->environment[1], "PATH=/opt");
    assert_string_equal(files->environment[2], "A=b=c");
    assert_null(files->environment[3]);
    assert_int_equal(files->idle_ms, 2'000);
    assert_int_equal(files->memory_max, 64 << 20);
    assert_int_equal(files->message_max, 1 << 20);
    assert_int_equal(files->descriptors_max, 32);
    assert_true(stdio_server_serves(files, str_from("x")));
    assert_false(stdio_server_serves(files, str_from("default")));
    close_world(&world);
}

static bool finds(const struct world *world, const char *command, const char *arguments)
{
    CLEANUP(json_unrefp) json given = json_invalid();
    if (arguments) {
        assert_int_equal(json_parse(str_from(arguments), NULL, &given, NULL, NULL), STATUS_OK);
    }
    return stdio_servers_find(world->servers, str_from(command), given) != NULL;
}

static void nothing_else_is_found(void **)
{
    struct world world;
    open_world(&world, "{\"sh\":{\"command\":\"/bin/sh\",\"args\":[\"-c\",\"serve\"]}}");
    assert_true(finds(&world, "sh", NULL));
    assert_true(finds(&world, "/bin/sh", "[\"-c\",\"serve\"]"));
    assert_true(finds(&world, "sh", "[\"-c\",\"serve\"]"));
    assert_false(finds(&world, "/bin/sh", "[\"-c\",\"rm\"]"));
    assert_false(finds(&world, "sh", "[]"));
    assert_false(finds(&world, "sh", "[\"-c\"]"));
    assert_false(finds(&world, "sh", "[\"-c\",1]"));
    assert_false(finds(&world, "/bin/bash", NULL));
    close_world(&world);
}

static void what_is_wrong_is_said_where_it_stands(void **)
{
    expect_fault("{\"a\":{}}", "/tools/mcp/stdio/a/command", "an absolute path");
    expect_fault("{\"a\":{\"command\":\"npx\"}}", "/tools/mcp/stdio/a/command", "PATH");
    expect_fault("{\"a\":{\"command\":\"/b\",\"arg\":[]}}", "/tools/mcp/stdio/a/arg", "not known");
    expect_fault("{\"a\":{\"command\":\"/b\",\"args\":[1]}}", "/tools/mcp/stdio/a/args", "texts");
    expect_fault("{\"a\":{\"command\":\"/b\",\"args\":\"x\"}}", "/tools/mcp/stdio/a/args", "list");
    expect_fault("{\"a\":{\"command\":\"/b\",\"env\":{\"1\":\"x\"}}}", "/tools/mcp/stdio/a/env/1",
                 "name of a variable");
    expect_fault("{\"a\":{\"command\":\"/b\",\"env\":{\"X\":1}}}", "/tools/mcp/stdio/a/env/X",
                 "a secret");
    expect_fault("{\"a\":{\"command\":\"/b\",\"env\":{\"X\":{\"secret\":\"none\"}}}}",
                 "/tools/mcp/stdio/a/env/X", "");
    expect_fault("{\"a\":{\"command\":\"/b\",\"idle\":5}}", "/tools/mcp/stdio/a/idle", "duration");
    expect_fault("{\"a\":{\"command\":\"/b\",\"limits\":{\"memory\":\"1B\"}}}",
                 "/tools/mcp/stdio/a/limits/memory", "size");
    expect_fault("{\"a\":{\"command\":\"/b\",\"limits\":{\"descriptors\":1}}}",
                 "/tools/mcp/stdio/a/limits/descriptors", "number");
    expect_fault("{\"a\":{\"command\":\"/b\",\"limits\":{\"cpu\":1}}}",
                 "/tools/mcp/stdio/a/limits/cpu", "not known");
    expect_fault("{\"A b\":{\"command\":\"/b\"}}", "/tools/mcp/stdio/A b", "small letters");
    expect_fault("{\"a\":\"/b\"}", "/tools/mcp/stdio/a", "a map");
}

static void connections_name_what_is_there(void **)
{
    struct world world;
    CLEANUP(json_unrefp) json connections = json_invalid();
    open_world(&world, "{\"files\":{\"command\":\"/bin/f\"}}");
    assert_int_equal(
        json_parse(str_from("{\"one\":{\"adapter\":\"mcp\",\"config\":{\"server\":\"files\"}},"
                            "\"two\":{\"adapter\":\"mcp\",\"config\":{\"server\":\"filse\"}},"
                            "\"three\":{\"adapter\":\"http\",\"config\":{\"server\":\"x\"}}}"),
                   NULL, &connections, NULL, NULL),
        STATUS_OK);
    stdio_servers_check(world.servers, connections, world.config, world.list);
    assert_int_equal(world.list->errors, 1);
    assert_string_equal(world.list->items[0].pointer, "/tools/connections/two/config/server");
    assert_string_equal(world.list->items[0].hint, "files");
    close_world(&world);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_entry_says_what_is_started),
        cmocka_unit_test(nothing_else_is_found),
        cmocka_unit_test(what_is_wrong_is_said_where_it_stands),
        cmocka_unit_test(connections_name_what_is_there),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
