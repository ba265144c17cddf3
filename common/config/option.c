/* Options by their path. */
#include "config/config_internal.h"

enum { NAMES_MAX = 256 }; /* that are compared for "did you mean" */

/* Sections of the one file that serves all programs. */
static const char *const sections[] = {
    "gateway", "scheduler", "tools",     "llm", "rpc",       "auth", "files",     "secrets",
    "limits",  "defaults",  "retention", "log", "telemetry", "cli",  "approvals",
};

struct config_value *config_value_at(struct config *config, str path)
{
    for (size_t i = 0; i < config->count; i++) {
        if (str_is(path, config->values[i].option->path)) return &config->values[i];
    }
    return NULL;
}

/* Says whether `path` lies below `above`; `*ret_rest` is what follows. */
static bool is_below(str path, str above, str *ret_rest)
{
    if (above.len == 0) {
        *ret_rest = path;
        return true;
    }
    if (!str_starts_with(path, above) || path.len <= above.len + 1) return false;
    if (path.ptr[above.len] != '.') return false;
    *ret_rest = str_slice(path, above.len + 1, path.len);
    return true;
}

struct config_value *config_value_around(struct config *config, str path, str *ret_rest)
{
    for (size_t i = 0; i < config->count; i++) {
        struct config_value *value = &config->values[i];
        if (!is_below(path, str_from(value->option->path), ret_rest)) continue;
        if (value->option->kind == CONFIG_TREE) return value;
        if (value->option->kind == CONFIG_SECRET && str_is(*ret_rest, "secret")) return value;
    }
    return NULL;
}

bool config_has_below(const struct config *config, str path)
{
    str rest = {};
    for (size_t i = 0; i < config->count; i++) {
        if (is_below(str_from(config->values[i].option->path), path, &rest)) return true;
    }
    return false;
}

bool config_is_foreign_section(const struct config *config, str section)
{
    if (config_has_below(config, section)) return false;
    for (size_t i = 0; i < config->count; i++) {
        if (str_is(section, config->values[i].option->path)) return false; /* a tree */
    }
    for (size_t i = 0; i < ARRAY_LEN(sections); i++) {
        if (str_is(section, sections[i])) return true;
    }
    return false;
}

/* The first part of a path. */
static str first_part(str path)
{
    size_t len = 0;
    while (len < path.len && path.ptr[len] != '.') len++;
    return str_slice(path, 0, len);
}

const char *config_nearest(const struct config *config, str path)
{
    size_t dot = path.len;
    while (dot > 0 && path.ptr[dot - 1] != '.') dot--;
    str above = str_slice(path, 0, dot > 0 ? dot - 1 : 0);
    str word  = str_slice(path, dot, path.len);

    const char *names[NAMES_MAX];
    size_t count = 0;
    for (size_t i = 0; i < config->count && count < NAMES_MAX; i++) {
        str rest = {};
        if (!is_below(str_from(config->values[i].option->path), above, &rest)) continue;
        names[count] = arena_strdup(config->arena, first_part(rest));
        if (names[count]) count++;
    }
    for (size_t i = 0; above.len == 0 && i < ARRAY_LEN(sections) && count < NAMES_MAX; i++) {
        names[count++] = sections[i];
    }
    return nearest_name(word, names, count);
}
