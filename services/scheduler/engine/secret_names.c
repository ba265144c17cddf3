/* Names of secrets: the checks of the configuration, and the list that people may see. */
#include "scheduler/engine/secrets.h"
#include "workflow/workflow.h"

#include <dirent.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { POINTER_SIZE = 512, PATH_SIZE = 4096 };

/* --- the configuration -------------------------------------------------------------------------
 */

PRINTF_LIKE(4, 5)
static void found(const struct config *config, struct diagnostics *list, const char *hint,
                  const char *format, ...)
{
    char pointer[POINTER_SIZE];
    va_list arguments;
    va_start(arguments, format);
    (void)vsnprintf(pointer, sizeof pointer, format, arguments);
    va_end(arguments);
    config_found(config, list, str_from(pointer), hint, "is no secret of a workflow");
}

static bool is_reference(json value)
{
    json file     = json_get_text(value, "file");
    json variable = json_get_text(value, "env");
    return json_count(value) == 1 && (json_is(file, JSON_TEXT) || json_is(variable, JSON_TEXT));
}

static void check_namespace(const struct config *config, str namespace, json names,
                            struct diagnostics *list)
{
    if (!json_is(names, JSON_OBJECT)) {
        found(config, list, "name: { file: PATH } or { env: NAME }", "/scheduler/secrets/" STR_FMT,
              STR_ARG(namespace));
        return;
    }
    for (size_t i = 0; i < json_count(names); i++) {
        str name = json_key_at(names, i);
        if (secret_name_is_valid(name) && is_reference(json_value_at(names, i))) continue;
        found(config, list, "{ file: PATH } or { env: NAME }",
              "/scheduler/secrets/" STR_FMT "/" STR_FMT, STR_ARG(namespace), STR_ARG(name));
    }
}

void secrets_check(const struct config *config, json configured, struct diagnostics *list)
{
    for (size_t i = 0; json_is(configured, JSON_OBJECT) && i < json_count(configured); i++) {
        check_namespace(config, json_key_at(configured, i), json_value_at(configured, i), list);
    }
    if (json_is(configured, JSON_ARRAY)) {
        found(config, list, "a map of namespaces", "/scheduler/secrets");
    }
}

/* --- the list ----------------------------------------------------------------------------------
 */

struct listing {
    struct arena *arena;
    struct secret_name *items;
    size_t count;
    bool is_full;
};

static void list_name(struct listing *listing, str namespace, str name)
{
    const char *where = arena_strdup(listing->arena, namespace);
    const char *what  = arena_strdup(listing->arena, name);
    listing->is_full  = listing->is_full || listing->count == SECRETS_LISTED_MAX || !where || !what;
    if (listing->is_full) return;
    listing->items[listing->count++] = (struct secret_name){.namespace = where, .name = what};
}

static bool is_wanted(str asked, str namespace)
{
    return str_is(asked, "*") || str_is(namespace, "*") || str_equal(asked, namespace);
}

static void list_configured(struct listing *listing, json configured, str asked)
{
    for (size_t i = 0; json_is(configured, JSON_OBJECT) && i < json_count(configured); i++) {
        str namespace = json_key_at(configured, i);
        json names    = json_value_at(configured, i);
        if (!is_wanted(asked, namespace)) continue;
        for (size_t k = 0; k < json_count(names); k++) {
            list_name(listing, namespace, json_key_at(names, k));
        }
    }
}

static void list_folder(struct listing *listing, const char *root, str namespace)
{
    char path[PATH_SIZE];
    (void)snprintf(path, sizeof path, "%s/" STR_FMT, root, STR_ARG(namespace));
    DIR *folder = opendir(path);
    if (!folder) return;
    /* NOLINTNEXTLINE(concurrency-mt-unsafe): the stream is this function\'s own */
    for (struct dirent *entry = readdir(folder); entry; entry = readdir(folder)) {
        str name = str_from(entry->d_name);
        if (secret_name_is_valid(name)) list_name(listing, namespace, name);
    }
    (void)closedir(folder);
}

static void list_folders(struct listing *listing, const char *root, str asked)
{
    if (!str_is(asked, "*")) {
        if (secret_name_is_valid(asked)) list_folder(listing, root, asked);
        return;
    }
    DIR *folder = opendir(root);
    if (!folder) return;
    /* NOLINTNEXTLINE(concurrency-mt-unsafe): the stream is this function\'s own */
    for (struct dirent *entry = readdir(folder); entry; entry = readdir(folder)) {
        str namespace = str_from(entry->d_name);
        if (secret_name_is_valid(namespace)) list_folder(listing, root, namespace);
    }
    (void)closedir(folder);
}

static int compare(const void *a, const void *b)
{
    const struct secret_name *one   = a;
    const struct secret_name *other = b;
    int order                       = strcmp(one->namespace, other->namespace);
    return order != 0 ? order : strcmp(one->name, other->name);
}

/* The same name of the same namespace, in the configuration and in the folder, is one secret. */
static size_t drop_doubles(struct secret_name *items, size_t count)
{
    size_t kept = 0;
    for (size_t i = 0; i < count; i++) {
        if (kept > 0 && compare(&items[kept - 1], &items[i]) == 0) continue;
        items[kept++] = items[i];
    }
    return kept;
}

status secrets_list(const struct secrets_place *place, str namespace, struct arena *arena,
                    struct secret_name **ret_names, size_t *ret_count, struct error *reterr)
{
    struct listing listing = {.arena = arena};
    listing.items          = arena_alloc(arena, SECRETS_LISTED_MAX * sizeof *listing.items);
    if (!listing.items) return fail(reterr, STATUS_RESOURCE_EXHAUSTED, "no memory");
    list_configured(&listing, place->configured, namespace);
    if (place->folder) list_folders(&listing, place->folder, namespace);
    if (listing.is_full) {
        return fail(reterr, STATUS_RESOURCE_EXHAUSTED, "there are more than %d secrets",
                    SECRETS_LISTED_MAX);
    }
    qsort(listing.items, listing.count, sizeof *listing.items, compare);
    *ret_names = listing.items;
    *ret_count = drop_doubles(listing.items, listing.count);
    return STATUS_OK;
}
