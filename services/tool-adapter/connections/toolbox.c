#include "tool-adapter/connections/toolbox.h"

#include "adapter/builtin.h"
#include "base/assert.h"
#include "base/file.h"
#include "base/log.h"
#include "base/map.h"
#include "base/mem.h"
#include "tool-adapter/connections/config_entry.h"
#include "tool-adapter/connections/description.h"
#include "json/json_text.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    ARENA_MAX     = 64 << 20, /* bytes: the descriptions of 1,024 functions, and connections */
    FINDINGS_MAX  = 8,        /* of a faulty manifest, which are logged */
    FINDINGS_SIZE = 1 << 20,  /* bytes of all there are */
};

struct toolbox {
    uint32_t references;
    uint64_t generation;
    size_t faults; /* manifests that cannot be used */
    struct arena *arena;
    struct manifest *adapters[TOOLBOX_ADAPTERS_MAX]; /* owned */
    size_t adapter_count;
    struct connection *connections; /* in the heap, CONNECTIONS_MAX + TOOLBOX_ADAPTERS_MAX */
    size_t connection_count;
    struct map *by_name; /* struct connection */
    const char **functions;
    size_t function_count;
};

/* --- manifests -------------------------------------------------------------------------------- */

static struct manifest **adapter_slot(struct toolbox *toolbox, str name)
{
    for (size_t i = 0; i < toolbox->adapter_count; i++) {
        if (str_is(name, toolbox->adapters[i]->name)) return &toolbox->adapters[i];
    }
    return NULL;
}

static bool is_listed(json names, str name)
{
    for (size_t i = 0; i < json_count(names); i++) {
        if (str_equal(json_str(json_at(names, i)), name)) return true;
    }
    return false;
}

/* By its name, or by another one that no adapter has for a name; the first one that has it. */
static struct manifest *adapter_called(const struct toolbox *toolbox, str name)
{
    struct manifest *other = NULL;
    for (size_t i = 0; i < toolbox->adapter_count; i++) {
        struct manifest *one = toolbox->adapters[i];
        if (str_is(name, one->name)) return one;
        if (!other && is_listed(one->aliases, name)) other = one;
    }
    return other;
}

static void report_faults(const char *file, const struct diagnostics *list)
{
    for (size_t i = 0; i < list->count && i < FINDINGS_MAX; i++) {
        const struct diagnostic *one = &list->items[i];
        log_write(LOG_ERROR, "adapter.faulty", LOG_TEXT_OF("file", file),
                  LOG_INT("line", one->line), LOG_INT("column", one->column),
                  LOG_TEXT_OF("finding", one->detail));
    }
}

typedef status read_fn(str text, struct diagnostics *list, struct manifest **ret_manifest,
                       struct error *reterr);

static void add_manifest(struct toolbox *toolbox, const char *file, str text, read_fn *read)
{
    CLEANUP(arena_freep) struct arena *arena = arena_new(FINDINGS_SIZE);
    struct diagnostics *list                 = arena ? diagnostics_new(arena) : NULL;
    struct manifest *manifest                = NULL;
    struct error error                       = {};
    ASSERT(list);
    if (read(text, list, &manifest, &error) != STATUS_OK) {
        report_faults(file, list);
        toolbox->faults++;
        return;
    }
    struct manifest **old = adapter_slot(toolbox, str_from(manifest->name));
    if (!old && toolbox->adapter_count == TOOLBOX_ADAPTERS_MAX) {
        log_write(LOG_ERROR, "adapter.too_many", LOG_TEXT_OF("file", file));
        toolbox->faults++;
        manifest_free(manifest);
        return;
    }
    if (!old) old = &toolbox->adapters[toolbox->adapter_count++];
    manifest_free(*old);
    *old = manifest;
}

static void add_builtin(struct toolbox *toolbox)
{
    for (size_t i = 0; i < builtin_manifest_count(); i++) {
        const char *name = builtin_manifest_name(i);
        add_manifest(toolbox, name, builtin_manifest_text(str_from(name)), manifest_read_known);
    }
}

static bool is_manifest_name(const char *name)
{
    str text          = str_from(name);
    const char *point = strrchr(name, '.');
    bool is_hidden    = text.len == 0 || name[0] == '.';
    return !is_hidden && point && (strcmp(point, ".yaml") == 0 || strcmp(point, ".yml") == 0);
}

static void add_file(struct toolbox *toolbox, const char *path)
{
    CLEANUP(buf_done) struct buf text = buf_init(MANIFEST_SIZE_MAX);
    struct error error                = {};
    if (file_read(path, &text, &error) != STATUS_OK) {
        log_write(LOG_ERROR, "adapter.unreadable", LOG_TEXT_OF("file", path),
                  LOG_TEXT_OF("error", error.text));
        toolbox->faults++;
        return;
    }
    add_manifest(toolbox, path, buf_str(&text), manifest_read);
}

static status add_folder(struct toolbox *toolbox, const char *folder, struct error *reterr)
{
    DIR *dir = opendir(folder);
    if (!dir) return fail(reterr, STATUS_NOT_FOUND, "tools.adapters_dir: %s: %m", folder);
    for (struct dirent *entry; (entry = readdir(dir));) { // NOLINT: glibc's is safe enough
        if (!is_manifest_name(entry->d_name)) continue;
        const char *path = arena_printf(toolbox->arena, "%s/%s", folder, entry->d_name);
        if (path) add_file(toolbox, path);
    }
    (void)closedir(dir);
    return STATUS_OK;
}

/* --- connections ------------------------------------------------------------------------------ */

static struct connection *connection_of(const struct toolbox *toolbox, str name)
{
    return map_get(toolbox->by_name, name);
}

static struct connection *connection_slot(struct toolbox *toolbox)
{
    return &toolbox->connections[toolbox->connection_count++];
}

static void keep_connection(struct toolbox *toolbox, struct connection *connection)
{
    bool is_put = map_put(toolbox->by_name, str_from(connection->name), connection);
    ASSERT(is_put);
}

static void add_connection(struct toolbox *toolbox, const struct toolbox_options *options, str name,
                           json entry, struct diagnostics *list)
{
    json adapter                = json_get_text(entry, "adapter");
    const struct manifest *used = NULL;
    struct config_entry place   = {.config = options->config,
                                   .list   = list,
                                   .arena  = toolbox->arena,
                                   .map    = "/tools/connections"};
    place.name                  = config_entry_keep(&place, name);
    if (json_is(adapter, JSON_TEXT)) used = adapter_called(toolbox, json_str(adapter));
    if (name.len == 0 || name.len > CONNECTION_NAME_MAX || memchr(name.ptr, '\0', name.len)) {
        config_entry_found(&place, NULL, (str){}, "", "a name has 1 to %d bytes",
                           CONNECTION_NAME_MAX);
    } else if (toolbox->connection_count == CONNECTIONS_MAX) {
        config_entry_found(&place, NULL, (str){}, "", "there are more than %d", CONNECTIONS_MAX);
    } else if (!used) {
        config_entry_found(&place, NULL, (str){}, "{ adapter: github, ... }",
                           "`adapter` names no adapter that can be used");
    } else {
        struct connection *connection = connection_slot(toolbox);
        connection_read(options->config, name, entry, used, toolbox->arena, list, connection);
        keep_connection(toolbox, connection);
    }
}

static void add_connections(struct toolbox *toolbox, const struct toolbox_options *options,
                            struct diagnostics *list)
{
    for (size_t i = 0; i < json_count(options->connections); i++) {
        str name = json_key_at(options->connections, i);
        add_connection(toolbox, options, name, json_value_at(options->connections, i), list);
    }
    for (size_t i = 0; i < toolbox->adapter_count; i++) {
        const struct manifest *manifest = toolbox->adapters[i];
        if (connection_of(toolbox, str_from(manifest->name))) continue;
        struct connection *connection = connection_slot(toolbox);
        connection_default(manifest, connection);
        keep_connection(toolbox, connection);
    }
}

/* --- functions -------------------------------------------------------------------------------- */

/* The embedded memory has one owner, which leases a queue of its own. */
static const char *queue_of(const struct toolbox *toolbox, const struct manifest *manifest)
{
    bool is_memory = strcmp(manifest->name, "memory") == 0;
    if (!is_memory) return "tools";
    const struct connection *used = connection_of(toolbox, str_from(manifest->name));
    return used->manifest == manifest ? "tools.memory" : "tools";
}

static void add_function(struct toolbox *toolbox, const struct manifest_action *action,
                         json description)
{
    CLEANUP(buf_done) struct buf text = buf_init(FUNCTION_SIZE_MAX);
    const char *copy                  = NULL;
    if (json_print(description, JSON_COMPACT, &text)) {
        copy = arena_strdup(toolbox->arena, buf_str(&text));
    }
    if (copy && toolbox->function_count < TOOLBOX_FUNCTIONS_MAX) {
        toolbox->functions[toolbox->function_count++] = copy;
        return;
    }
    log_write(LOG_ERROR, "adapter.function_left_out",
              LOG_TEXT_OF("adapter", action->manifest->name), LOG_TEXT_OF("action", action->name));
}

/* Under all its names in the family `family`; its own is not among them. */
static void add_aliases(struct toolbox *toolbox, const struct manifest_action *action, str family,
                        json description)
{
    for (size_t i = 0; i < json_count(action->aliases); i++) {
        CLEANUP(json_unrefp)
        json alias =
            description_alias_new(description, family, json_str(json_at(action->aliases, i)));
        add_function(toolbox, action, alias);
    }
}

static void add_action(struct toolbox *toolbox, const struct manifest_action *action)
{
    const struct manifest *manifest = action->manifest;
    CLEANUP(json_unrefp)
    json description = description_new(action, queue_of(toolbox, manifest));
    add_function(toolbox, action, description);
    add_aliases(toolbox, action, str_from(manifest->name), description);
    for (size_t i = 0; i < json_count(manifest->aliases); i++) {
        str family = json_str(json_at(manifest->aliases, i));
        if (adapter_called(toolbox, family) != manifest) continue; /* another one's name */
        CLEANUP(json_unrefp)
        json alias = description_alias_new(description, family, str_from(action->name));
        add_function(toolbox, action, alias);
        add_aliases(toolbox, action, family, description);
    }
}

static void add_functions(struct toolbox *toolbox)
{
    for (size_t i = 0; i < toolbox->adapter_count; i++) {
        const struct manifest *manifest = toolbox->adapters[i];
        for (size_t k = 0; k < manifest->action_count; k++) {
            add_action(toolbox, &manifest->actions[k]);
        }
    }
}

/* --- life ------------------------------------------------------------------------------------- */

status toolbox_new(const struct toolbox_options *options, struct diagnostics *list,
                   struct toolbox **ret_toolbox, struct error *reterr)
{
    CLEANUP(toolbox_unrefp) struct toolbox *toolbox = mem_new(1, sizeof *toolbox);
    toolbox->references                             = 1;
    toolbox->generation                             = options->generation;
    toolbox->arena                                  = arena_new(ARENA_MAX);
    toolbox->connections =
        mem_new(CONNECTIONS_MAX + TOOLBOX_ADAPTERS_MAX, sizeof *toolbox->connections);
    toolbox->by_name   = map_new(CONNECTIONS_MAX + TOOLBOX_ADAPTERS_MAX);
    toolbox->functions = mem_new(TOOLBOX_FUNCTIONS_MAX + 1, sizeof *toolbox->functions);
    add_builtin(toolbox);
    if (options->adapters_dir) TRY(add_folder(toolbox, options->adapters_dir, reterr));
    add_connections(toolbox, options, list);
    add_functions(toolbox);
    *ret_toolbox = TAKE(toolbox);
    return STATUS_OK;
}

struct toolbox *toolbox_ref(struct toolbox *toolbox)
{
    toolbox->references++;
    return toolbox;
}

void toolbox_unref(struct toolbox *toolbox)
{
    if (!toolbox || --toolbox->references > 0) return;
    for (size_t i = 0; i < toolbox->connection_count; i++) {
        connection_done(&toolbox->connections[i]);
    }
    for (size_t i = 0; i < toolbox->adapter_count; i++) manifest_free(toolbox->adapters[i]);
    map_free(toolbox->by_name);
    free(toolbox->connections);
    free(toolbox->functions);
    arena_free(toolbox->arena);
    free(toolbox);
}

void toolbox_unrefp(struct toolbox **toolbox)
{
    toolbox_unref(*toolbox);
    *toolbox = NULL;
}

bool toolbox_is_idle(const struct toolbox *toolbox)
{
    return toolbox->references == 1;
}

/* --- looking ---------------------------------------------------------------------------------- */

size_t toolbox_faults(const struct toolbox *toolbox)
{
    return toolbox->faults;
}

const char *const *toolbox_functions(const struct toolbox *toolbox)
{
    return toolbox->functions;
}

const struct connection *toolbox_connection(const struct toolbox *toolbox, size_t index)
{
    return index < toolbox->connection_count ? &toolbox->connections[index] : NULL;
}

/* Those of the same interface answer for each other. */
static bool takes_over(const struct manifest *manifest, const struct manifest *asked)
{
    if (manifest == asked) return true;
    return manifest->implements && asked->implements &&
           strcmp(manifest->implements, asked->implements) == 0;
}

static status check_secrets(const struct connection *one, struct error *reterr)
{
    if (!one->lacks) return STATUS_OK;
    return fail(reterr, STATUS_FAILED_PRECONDITION,
                "the connection `%s` lacks the secret `%s`: tools.connections.%s.secrets",
                one->name, one->lacks, one->name);
}

static status find_named(const struct toolbox *toolbox, str name, str namespace,
                         const struct connection **ret_one, struct error *reterr)
{
    const struct connection *one = connection_of(toolbox, name);
    if (!one) {
        return fail(reterr, STATUS_NOT_FOUND,
                    "there is no connection `" STR_FMT "`: see tools.connections",
                    STR_ARG(str_slice(name, 0, name.len < 64 ? name.len : 64)));
    }
    *ret_one = one;
    if (connection_serves(one, namespace)) return STATUS_OK;
    return fail(reterr, STATUS_PERMISSION_DENIED, "the connection `%s` is not for this namespace",
                one->name);
}

status toolbox_connect(const struct toolbox *toolbox, str name, str namespace,
                       const struct connection **ret_connection, struct error *reterr)
{
    const struct connection *one = NULL;
    TRY(find_named(toolbox, name, namespace, &one, reterr));
    TRY(check_secrets(one, reterr));
    *ret_connection = one;
    return STATUS_OK;
}

/* A function that is there but whose connection is not is no matter of another replica. */
static status find_connection(const struct toolbox *toolbox, const struct tool_question *question,
                              const struct manifest *asked, const struct connection **ret_one,
                              struct error *reterr)
{
    str name = question->connection.len > 0 ? question->connection : str_from(asked->name);
    const struct connection *one = NULL;
    status found                 = find_named(toolbox, name, question->namespace, &one, reterr);
    if (found != STATUS_OK) return found == STATUS_NOT_FOUND ? STATUS_FAILED_PRECONDITION : found;
    if (!takes_over(one->manifest, asked)) {
        return fail(reterr, STATUS_FAILED_PRECONDITION,
                    "the connection `%s` is one of `%s`, not of `%s`", one->name,
                    one->manifest->name, asked->name);
    }
    TRY(check_secrets(one, reterr));
    *ret_one = one;
    return STATUS_OK;
}

status toolbox_find(const struct toolbox *toolbox, const struct tool_question *question,
                    struct tool *ret_tool, struct error *reterr)
{
    str function      = question->function;
    const char *point = function.len > 0 ? memchr(function.ptr, '.', function.len) : NULL;
    size_t at         = point ? (size_t)(point - function.ptr) : 0;
    str action        = point ? str_slice(function, at + 1, function.len) : (str){};

    const struct manifest *asked =
        point ? adapter_called(toolbox, str_slice(function, 0, at)) : NULL;
    bool is_known = asked && (question->major == 0 || question->major == asked->major);
    if (!is_known || !manifest_action(asked, action)) {
        return fail(reterr, STATUS_NOT_FOUND, "this tool-adapter has no function `" STR_FMT "`",
                    STR_ARG(str_slice(function, 0, function.len < 128 ? function.len : 128)));
    }
    struct tool tool = {.generation = toolbox->generation};
    TRY(find_connection(toolbox, question, asked, &tool.connection, reterr));
    tool.action = manifest_action(tool.connection->manifest, action);
    if (!tool.action) {
        return fail(reterr, STATUS_FAILED_PRECONDITION, "`%s` has no action `" STR_FMT "`",
                    tool.connection->manifest->name, STR_ARG(action));
    }
    *ret_tool = tool;
    return STATUS_OK;
}
