/**
 * config_entry: one entry of a map of the configuration while it is read: what is found there, by
 * the entry's name and place, and texts of it that are kept.
 *
 * Pure; the thread that reads the configuration.
 */
#ifndef TOOL_ADAPTER_CONNECTIONS_CONFIG_ENTRY_H
#define TOOL_ADAPTER_CONNECTIONS_CONFIG_ENTRY_H

#include "base/arena.h"
#include "base/attr.h"
#include "config/config.h"

/** All borrowed. */
struct config_entry {
    const struct config *config;
    struct diagnostics *list;
    struct arena *arena;
    const char *map;  /* pointer: "/tools/connections" */
    const char *name; /* its key there */
};

/** A finding of the entry itself (`member` NULL) or of a member, or `below` that (empty: of
 * itself). As config_found(). */
PRINTF_LIKE(5, 6)
void config_entry_found(const struct config_entry *entry, const char *member, str below,
                        const char *hint, const char *format, ...);

/** A copy in the arena, which has room for all texts of a configuration. */
const char *config_entry_keep(const struct config_entry *entry, str text);

#endif
