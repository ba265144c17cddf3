/*
 * Bytes as a configuration: whatever they are, it is loaded, or refused with findings that say
 * where. The first byte says from which source: 0: the file; 1: variables of the environment, one
 * a line; 2: flags, one a line. What was loaded is printed, and what is printed can be loaded.
 *
 * No option of it is a secret: their files would be opened, whatever they are.
 */
#include "config/config.h"

#include "base/assert.h"
#include "base/mem.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

enum { LINES_MAX = CONFIG_FLAGS_MAX, ARENA_MAX = 8 << 20, OUT_MAX = 4 << 20 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct options {
    const char *path, *note, *url, *urls;
    uint64_t size;
    int64_t span_ms, number;
    bool is_strict;
    int mode;
    struct config_list list, names;
    json tree;
    struct config_common common;
};

static const char *const modes[]   = {"slow", "fast", NULL};
static const char *const schemes[] = {"tcp", "ipc", NULL};

#define AT(field) offsetof(struct options, field)

static const struct config_option table[] = {
    {"a.store.path", CONFIG_PATH, AT(path), .fallback = "/var/lib/a", .doc = "Path."},
    {"a.store.size_max", CONFIG_SIZE, AT(size), .fallback = "64MiB", .min = 1, .doc = "Size."},
    {"a.span", CONFIG_DURATION, AT(span_ms), .fallback = "30s", .max = 3'600'000, .doc = "Span."},
    {"a.number", CONFIG_INT, AT(number), .fallback = "4", .min = -5, .max = 64, .doc = "Number."},
    {"a.strict", CONFIG_BOOL, AT(is_strict), .fallback = "true", .doc = "Strict."},
    {"a.mode", CONFIG_ENUM, AT(mode), .fallback = "fast", .names = modes, .doc = "Mode."},
    {"a.url", CONFIG_URL, AT(url), .names = schemes, .doc = "URL."},
    {"a.urls", CONFIG_URLS, AT(urls), .names = schemes, .doc = "URLs."},
    {"a.list", CONFIG_LIST, AT(list), .fallback = "x,y", .doc = "List."},
    {"a.names", CONFIG_LIST, AT(names), .names = modes, .doc = "Some of the modes."},
    {"a.tree", CONFIG_TREE, AT(tree), .doc = "Tree."},
    {"a.note", CONFIG_TEXT, AT(note), .doc = "Note."},
};
static const struct config_set sets[] = {
    {table, ARRAY_LEN(table), 0},
    {config_common_options, CONFIG_COMMON_COUNT, AT(common)},
};
static const struct config_program program = {
    .name = "tutti-fuzz", .sets = sets, .set_count = ARRAY_LEN(sets)};

/* The lines of a text, which it cuts up. */
static size_t cut(char *text, char *lines[static LINES_MAX + 1])
{
    size_t count = 0;
    char *rest   = text;
    while (count < LINES_MAX && *rest) {
        char *end      = strchr(rest, '\n');
        lines[count++] = rest;
        if (!end) break;
        *end = '\0';
        rest = end + 1;
    }
    lines[count] = NULL;
    return count;
}

/* Loads, and prints what was loaded; false: it was refused. */
static bool load(const struct config_sources *sources, struct buf *out)
{
    CLEANUP(arena_freep) struct arena *arena    = arena_new(ARENA_MAX);
    struct diagnostics *list                    = diagnostics_new(arena);
    CLEANUP(config_freep) struct config *config = NULL;
    struct options options                      = {};
    struct error error                          = {};
    status code = config_load(&program, sources, &options, &config, list, &error);
    if (code != STATUS_OK) { /* NOT_FOUND: the file could not be opened, for want of memory */
        ASSERT(error.text[0] && (list->errors > 0 || code == STATUS_NOT_FOUND));
        return false;
    }
    ASSERT(list->errors == 0 && options.path && options.number >= -5 && options.number <= 64);
    ASSERT(options.size >= 1 && options.span_ms <= 3'600'000 && options.mode >= 0);
    ASSERT(options.list.count <= CONFIG_ITEMS_MAX);
    (void)config_print(config, out);
    return true;
}

static bool load_file(str text, struct buf *out)
{
    char path[64];
    int fd = memfd_create("config", MFD_CLOEXEC);
    ASSERT(fd >= 0 && write(fd, text.ptr, text.len) == (ssize_t)text.len);
    (void)snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    const struct config_sources sources = {.file = path};
    bool is_loaded                      = load(&sources, out);
    close(fd);
    return is_loaded;
}

static bool load_lines(str text, bool is_environment, struct buf *out)
{
    char *copy = mem_new(text.len + 1, 1);
    char *lines[LINES_MAX + 1];
    memcpy(copy, text.ptr, text.len);
    size_t count                        = cut(copy, lines);
    const struct config_sources sources = {
        .environment = is_environment ? lines : NULL,
        .flags       = is_environment ? NULL : (const char *const *)lines,
        .flag_count  = is_environment ? 0 : count,
    };
    bool is_loaded = load(&sources, out);
    free(copy);
    return is_loaded;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0 || size > CONFIG_SIZE_MAX) return 0;
    CLEANUP(buf_done) struct buf printed = buf_init(OUT_MAX);
    CLEANUP(buf_done) struct buf again   = buf_init(OUT_MAX);
    const str text                       = {.ptr = (const char *)data + 1, .len = size - 1};
    unsigned source                      = data[0] % 3;
    bool is_loaded =
        source == 0 ? load_file(text, &printed) : load_lines(text, source == 1, &printed);
    if (!is_loaded || printed.len == 0 || printed.len > CONFIG_SIZE_MAX) return 0;
    ASSERT(load_file(buf_str(&printed), &again));
    return 0;
}
