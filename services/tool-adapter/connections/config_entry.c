#include "tool-adapter/connections/config_entry.h"

#include "base/assert.h"
#include "base/buf.h"
#include "json/json_pointer.h"

#include <stdarg.h>
#include <stdio.h>

enum { POINTER_MAX = 512 /* bytes */ };

void config_entry_found(const struct config_entry *entry, const char *member, str below,
                        const char *hint, const char *format, ...)
{
    char text[ERROR_TEXT_MAX];
    va_list args;
    va_start(args, format);
    (void)vsnprintf(text, sizeof text, format, args);
    va_end(args);
    CLEANUP(buf_done) struct buf pointer = buf_init(POINTER_MAX);
    (void)buf_put_text(&pointer, entry->map);
    (void)json_pointer_add(&pointer, str_from(entry->name));
    if (member) (void)json_pointer_add(&pointer, str_from(member));
    if (below.len > 0) (void)json_pointer_add(&pointer, below);
    config_found(entry->config, entry->list, buf_str(&pointer), hint, "%s", text);
}

const char *config_entry_keep(const struct config_entry *entry, str text)
{
    const char *copy = arena_strdup(entry->arena, text);
    ASSERT(copy); /* a configuration has at most 512 KiB */
    return copy;
}
