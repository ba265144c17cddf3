/**
 * stdio_servers: `tools.mcp.stdio`: the programs that may be started as servers of the Model
 * Context Protocol over their standard input and output. Nothing else is; without the list,
 * nothing.
 *
 *     tools:
 *       mcp:
 *         stdio:
 *           files:
 *             command: /usr/bin/mcp-files
 *             args: [--read-only, /srv/files]
 *             env: { LOG: warn, API_KEY: { secret: FILES_KEY } }
 *             folder: /srv/files
 *             namespaces: [default]
 *             idle: 10m
 *             limits: { memory: 512MiB, file_size: 64MiB, descriptors: 256, message: 10MiB }
 *
 * Secrets are read when the configuration is, and known to the log from then on.
 *
 * Immutable once made: any thread may read it.
 */
#ifndef TOOL_ADAPTER_STDIO_SERVERS_H
#define TOOL_ADAPTER_STDIO_SERVERS_H

#include "config/config.h"
#include "json/json_mask.h"

enum {
    STDIO_SERVERS_MAX   = 100,
    STDIO_NAME_MAX      = 63,  /* bytes */
    STDIO_ARGUMENTS_MAX = 100, /* and of the environment */
    STDIO_PATH_MAX      = 1'024,
    STDIO_IDLE_MS       = 300'000,
    STDIO_MESSAGE_MAX   = 64 << 20, /* the most that `limits.message` may say */
};

struct stdio_server {
    const char *name;
    const char *const *arguments;   /* with the command first; NULL-terminated, as the next */
    const char *const *environment; /* NAME=VALUE */
    const char *folder;
    const char *const *namespaces; /* NULL-terminated; NULL: all */
    int64_t idle_ms;               /* without a call, until it is stopped */
    uint64_t memory_max, file_size_max, descriptors_max, message_max;
    struct json_mask *mask; /* hides its secrets in what it answers */
};

struct stdio_servers;

/** Reads the tree. What is wrong goes to `list`, at "/tools/mcp/stdio/NAME/...". Owned. */
struct stdio_servers *stdio_servers_new(const struct config *config, json tree,
                                        struct diagnostics *list);
void stdio_servers_freep(struct stdio_servers **servers);

size_t stdio_servers_count(const struct stdio_servers *servers);

/** The one of this name, or else of this command with these arguments (JSON_INVALID: any); NULL:
 * none. */
const struct stdio_server *stdio_servers_find(const struct stdio_servers *servers, str command,
                                              json arguments);

/** Connections of the adapter `mcp` name servers that are there: findings as above. */
void stdio_servers_check(const struct stdio_servers *servers, json connections,
                         const struct config *config, struct diagnostics *list);

/** Says whether runs of this namespace may use it. */
bool stdio_server_serves(const struct stdio_server *server, str namespace);

#endif
