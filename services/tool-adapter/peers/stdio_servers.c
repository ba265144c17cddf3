#include "tool-adapter/peers/stdio_servers.h"

#include "base/arena.h"
#include "base/assert.h"
#include "base/attr.h"
#include "base/mem.h"
#include "tool-adapter/connections/config_entry.h"
#include "json/json_pointer.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { ARENA_MAX = 4 << 20, POINTER_MAX = 512, OWN_VARIABLES = 2 };

struct stdio_servers {
    struct arena *arena;
    struct stdio_server items[STDIO_SERVERS_MAX];
    size_t count;
};

/* One entry, while it is read. */
struct reading {
    struct config_entry place;
    struct stdio_server *server;
    json entry;
};

/* What stands in a process's arguments ends with NUL. */
static bool is_plain(json value)
{
    return json_is(value, JSON_TEXT) && strlen(json_str(value).ptr) == json_str(value).len;
}

static void check_members(const struct reading *reading, const char *of, json map,
                          const char *const *known, size_t count)
{
    for (size_t i = 0; json_is(map, JSON_OBJECT) && i < json_count(map); i++) {
        str key       = json_key_at(map, i);
        bool is_known = false;
        for (size_t k = 0; k < count; k++) is_known |= str_is(key, known[k]);
        if (is_known) continue;
        const char *near = nearest_name(key, known, count);
        config_entry_found(&reading->place, of ? of : config_entry_keep(&reading->place, key),
                           of ? key : (str){}, near ? near : "", "`%s` is not known here",
                           config_entry_keep(&reading->place, key));
    }
}

/* --- what is started -------------------------------------------------------------------------- */

static const char *read_path(const struct reading *reading, const char *member,
                             const char *fallback)
{
    json value = json_get_text(reading->entry, member);
    if (json_is(value, JSON_INVALID) && fallback) return fallback;
    if (is_plain(value) && json_str(value).ptr[0] == '/' && json_str(value).len < STDIO_PATH_MAX) {
        return config_entry_keep(&reading->place, json_str(value));
    }
    config_entry_found(&reading->place, member, (str){}, "",
                       "`%s` is an absolute path: nothing is looked for in PATH", member);
    return "";
}

/* `first` NULL: only the list's own. */
static const char *const *read_texts(const struct reading *reading, const char *member,
                                     const char *first)
{
    json list           = json_get_text(reading->entry, member);
    size_t count        = json_is(list, JSON_ARRAY) ? json_count(list) : 0;
    bool is_fine        = json_is(list, JSON_ARRAY) || json_is(list, JSON_INVALID);
    const char **result = arena_alloc(reading->place.arena, (count + 2) * sizeof *result);
    size_t at           = 0;
    ASSERT(result);
    if (first) result[at++] = first;
    for (size_t i = 0; i < count && count <= STDIO_ARGUMENTS_MAX; i++) {
        is_fine      = is_fine && is_plain(json_at(list, i));
        result[at++] = is_plain(json_at(list, i))
                           ? config_entry_keep(&reading->place, json_str(json_at(list, i)))
                           : "";
    }
    result[at] = NULL;
    if (is_fine && count <= STDIO_ARGUMENTS_MAX) return result;
    config_entry_found(&reading->place, member, (str){}, "", "`%s` is a list of at most %d texts",
                       member, STDIO_ARGUMENTS_MAX);
    return result;
}

static bool is_variable(str name)
{
    for (size_t i = 0; i < name.len; i++) {
        char c         = name.ptr[i];
        bool is_letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
        if (!is_letter && (i == 0 || c < '0' || c > '9')) return false;
    }
    return name.len > 0;
}

static str read_variable(const struct reading *reading, str name, json value)
{
    struct error error = {};
    str text           = {.ptr = ""};
    if (is_plain(value)) return json_str(value);
    if (!json_is(value, JSON_OBJECT)) {
        config_entry_found(&reading->place, "env", name, "{ secret: NAME }",
                           "is a text or a secret");
    } else if (config_secret_read(reading->place.config, value, reading->place.arena, &text,
                                  &error) != STATUS_OK) {
        config_entry_found(&reading->place, "env", name, "{ secret: NAME }", "%s", error.text);
        return (str){.ptr = ""};
    } else {
        json_mask_add(reading->server->mask, text);
    }
    return text;
}

/* All that it gets, besides a PATH and a locale unless it is given others. */
static const char *const *read_environment(const struct reading *reading)
{
    static const char *const own[OWN_VARIABLES][2] = {{"PATH", "/usr/bin:/bin"},
                                                      {"LANG", "C.UTF-8"}};
    json map                                       = json_get_text(reading->entry, "env");
    size_t count = json_is(map, JSON_OBJECT) ? json_count(map) : 0;
    const char **result =
        arena_alloc(reading->place.arena, (count + OWN_VARIABLES + 1) * sizeof *result);
    size_t at = 0;
    ASSERT(result);
    if (!json_is(map, JSON_OBJECT) && !json_is(map, JSON_INVALID)) {
        config_entry_found(&reading->place, "env", (str){}, "",
                           "`env` is a map of texts and secrets");
    }
    for (size_t i = 0; i < OWN_VARIABLES; i++) {
        if (!json_is(json_get_text(map, own[i][0]), JSON_INVALID)) continue;
        result[at++] = arena_printf(reading->place.arena, "%s=%s", own[i][0], own[i][1]);
    }
    for (size_t i = 0; i < count; i++) {
        str name = json_key_at(map, i);
        if (!is_variable(name)) {
            config_entry_found(&reading->place, "env", name, "", "is no name of a variable");
            continue;
        }
        str value = read_variable(reading, name, json_value_at(map, i));
        result[at++] =
            arena_printf(reading->place.arena, STR_FMT "=" STR_FMT, STR_ARG(name), STR_ARG(value));
    }
    result[at] = NULL;
    return result;
}

/* --- limits ----------------------------------------------------------------------------------- */

static uint64_t read_size(const struct reading *reading, json limits, const char *member,
                          uint64_t fallback, uint64_t max)
{
    json value    = json_get_text(limits, member);
    uint64_t size = 0;
    if (json_is(value, JSON_INVALID)) return fallback;
    if (config_size_from(value, &size) && size >= 1'024 && (max == 0 || size <= max)) return size;
    config_entry_found(&reading->place, "limits", str_from(member), "10MiB",
                       "is a size of at least 1KiB");
    return fallback;
}

static void read_limits(const struct reading *reading)
{
    static const char *const known[] = {"memory", "file_size", "descriptors", "message"};
    struct stdio_server *server      = reading->server;
    json limits                      = json_get_text(reading->entry, "limits");
    json descriptors                 = json_get_text(limits, "descriptors");
    int64_t count                    = 1'024;
    if (!json_is(limits, JSON_OBJECT) && !json_is(limits, JSON_INVALID)) {
        config_entry_found(&reading->place, "limits", (str){}, "", "`limits` is a map");
    }
    check_members(reading, "limits", limits, known, ARRAY_LEN(known));
    server->memory_max    = read_size(reading, limits, "memory", (uint64_t)1 << 30, 0);
    server->file_size_max = read_size(reading, limits, "file_size", 64 << 20, 0);
    server->message_max   = read_size(reading, limits, "message", 10 << 20, STDIO_MESSAGE_MAX);
    bool is_given         = !json_is(descriptors, JSON_INVALID);
    if (is_given && (!json_to_int(descriptors, &count) || count < 16 || count > 1'000'000)) {
        config_entry_found(&reading->place, "limits", str_from("descriptors"), "256",
                           "is a number from 16");
    }
    server->descriptors_max = (uint64_t)count;
}

static void read_idle(const struct reading *reading)
{
    json value               = json_get_text(reading->entry, "idle");
    reading->server->idle_ms = STDIO_IDLE_MS;
    if (json_is(value, JSON_INVALID)) return;
    if (config_duration_from(value, &reading->server->idle_ms)) return;
    config_entry_found(&reading->place, "idle", (str){}, "10m", "is a duration");
}

/* --- the whole -------------------------------------------------------------------------------- */

static bool is_name(str name)
{
    for (size_t i = 0; i < name.len; i++) {
        char c        = name.ptr[i];
        bool is_plain = (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
        if (!is_plain && (i == 0 || (c != '-' && c != '_'))) return false;
    }
    return name.len > 0 && name.len <= STDIO_NAME_MAX;
}

static void read_server(struct reading *reading)
{
    static const char *const known[] = {"command",    "args", "env",   "folder",
                                        "namespaces", "idle", "limits"};
    struct stdio_server *server      = reading->server;
    if (!json_is(reading->entry, JSON_OBJECT)) {
        config_entry_found(&reading->place, NULL, (str){}, "", "is a map with a `command`");
        return;
    }
    check_members(reading, NULL, reading->entry, known, ARRAY_LEN(known));
    server->arguments   = read_texts(reading, "args", read_path(reading, "command", NULL));
    server->environment = read_environment(reading);
    server->folder      = read_path(reading, "folder", "/");
    bool has_namespaces = !json_is(json_get_text(reading->entry, "namespaces"), JSON_INVALID);
    if (has_namespaces) server->namespaces = read_texts(reading, "namespaces", NULL);
    read_idle(reading);
    read_limits(reading);
}

struct stdio_servers *stdio_servers_new(const struct config *config, json tree,
                                        struct diagnostics *list)
{
    struct stdio_servers *servers = mem_new(1, sizeof *servers);
    servers->arena                = arena_new(ARENA_MAX);
    for (size_t i = 0; json_is(tree, JSON_OBJECT) && i < json_count(tree); i++) {
        struct stdio_server spare = {};
        bool fits                 = servers->count < STDIO_SERVERS_MAX;
        struct reading reading    = {.place  = {.config = config,
                                                .list   = list,
                                                .arena  = servers->arena,
                                                .map    = "/tools/mcp/stdio"},
                                     .server = fits ? &servers->items[servers->count] : &spare,
                                     .entry  = json_value_at(tree, i)};
        reading.place.name        = config_entry_keep(&reading.place, json_key_at(tree, i));
        reading.server->name      = reading.place.name;
        if (!fits) {
            config_entry_found(&reading.place, NULL, (str){}, "", "there are at most %d servers",
                               STDIO_SERVERS_MAX);
            break;
        }
        if (!is_name(json_key_at(tree, i))) {
            config_entry_found(&reading.place, NULL, (str){}, "",
                               "a name has small letters, digits, `-` and `_`");
        }
        reading.server->mask = json_mask_new();
        servers->count++;
        read_server(&reading);
    }
    return servers;
}

void stdio_servers_freep(struct stdio_servers **ref)
{
    struct stdio_servers *servers = *ref;
    if (!servers) return;
    for (size_t i = 0; i < servers->count; i++) json_mask_freep(&servers->items[i].mask);
    arena_free(servers->arena);
    free(servers);
    *ref = NULL;
}

/* --- looking up ------------------------------------------------------------------------------- */

size_t stdio_servers_count(const struct stdio_servers *servers)
{
    return servers->count;
}

static bool has_arguments(const struct stdio_server *server, json arguments)
{
    size_t count = 0;
    if (!json_is(arguments, JSON_ARRAY)) return true;
    while (server->arguments[count + 1]) count++;
    if (json_count(arguments) != count) return false;
    for (size_t i = 0; i < count; i++) {
        json one = json_at(arguments, i);
        if (!json_is(one, JSON_TEXT) || !str_is(json_str(one), server->arguments[i + 1])) {
            return false;
        }
    }
    return true;
}

const struct stdio_server *stdio_servers_find(const struct stdio_servers *servers, str command,
                                              json arguments)
{
    for (size_t i = 0; i < servers->count; i++) {
        const struct stdio_server *one = &servers->items[i];
        bool is_meant = str_is(command, one->name) || str_is(command, one->arguments[0]);
        if (is_meant && has_arguments(one, arguments)) return one;
    }
    return NULL;
}

void stdio_servers_check(const struct stdio_servers *servers, json connections,
                         const struct config *config, struct diagnostics *list)
{
    const char *names[STDIO_SERVERS_MAX];
    for (size_t i = 0; i < servers->count; i++) names[i] = servers->items[i].name;
    for (size_t i = 0; json_is(connections, JSON_OBJECT) && i < json_count(connections); i++) {
        json entry   = json_value_at(connections, i);
        json adapter = json_get_text(entry, "adapter");
        json server  = json_get_text(json_get_text(entry, "config"), "server");
        bool is_mcp  = json_is(adapter, JSON_TEXT) && str_is(json_str(adapter), "mcp");
        if (!is_mcp || !json_is(server, JSON_TEXT)) continue;
        bool is_there = false;
        for (size_t k = 0; k < servers->count; k++) {
            is_there |= str_is(json_str(server), names[k]);
        }
        if (is_there) continue;
        CLEANUP(buf_done) struct buf pointer = buf_init(POINTER_MAX);
        const char *near = nearest_name(json_str(server), names, servers->count);
        (void)buf_put_text(&pointer, "/tools/connections");
        (void)json_pointer_add(&pointer, json_key_at(connections, i));
        (void)buf_put_text(&pointer, "/config/server");
        config_found(config, list, buf_str(&pointer), near ? near : "",
                     "tools.mcp.stdio has no server of this name");
    }
}

bool stdio_server_serves(const struct stdio_server *server, str namespace)
{
    if (!server->namespaces) return true;
    for (const char *const *one = server->namespaces; *one; one++) {
        if (str_is(namespace, *one)) return true;
    }
    return false;
}
