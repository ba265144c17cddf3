/* A configuration of the scheduler from a text, as `tutti-scheduler --config FILE` reads it. */
#ifndef SCHEDULER_SETTINGS_FILE_H
#define SCHEDULER_SETTINGS_FILE_H

#include "cmocka.h"

#include "scheduler/config.h"
#include "support/folder.h"

#include <stdio.h>

enum { SETTINGS_ARENA_MAX = 4 << 20 };

struct settings_file {
    struct folder folder;
    struct options options;
    struct config *config;
    struct arena *arena;
    struct diagnostics *list; /* of whoever reads its trees */
};

static inline struct settings_file settings_read(const char *text)
{
    struct settings_file it = {.folder = folder_new(), .arena = arena_new(SETTINGS_ARENA_MAX)};
    struct folder path      = folder_join(&it.folder, "tutti.yaml");
    FILE *file              = fopen(path.path, "we");
    struct error error      = {};
    assert_non_null(file);
    assert_true(fputs(text, file) >= 0);
    assert_int_equal(fclose(file), 0);
    it.list                             = diagnostics_new(it.arena);
    const struct config_sources sources = {.file = path.path};
    status code =
        config_load(&scheduler_program, &sources, &it.options, &it.config, it.list, &error);
    if (code != STATUS_OK) fail_msg("%s\n%s", error.text, text);
    return it;
}

static inline void settings_done(struct settings_file *it)
{
    config_free(it->config);
    arena_free(it->arena);
    folder_remove(&it->folder);
}

/* One finding: where it is, and a part of what it says and of its hint. */
struct settings_finding {
    const char *pointer; /* NULL: none is expected */
    uint32_t line;
    const char *detail, *hint;
};

static inline void settings_expect(const struct settings_file *it,
                                   const struct settings_finding *expected)
{
    for (size_t i = 0; i < it->list->count; i++) {
        const struct diagnostic *found = &it->list->items[i];
        print_message("%s:%u %s; %s\n", found->pointer, found->line, found->detail, found->hint);
    }
    assert_int_equal(it->list->count, expected->pointer ? 1 : 0);
    if (!expected->pointer) return;
    const struct diagnostic *found = &it->list->items[0];
    assert_string_equal(found->pointer, expected->pointer);
    assert_int_equal(found->line, expected->line);
    assert_non_null(strstr(found->detail, expected->detail));
    assert_non_null(strstr(found->hint, expected->hint));
}

#endif
