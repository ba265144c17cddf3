/* adapter: manifests of adapters, without a server: check them, see what they would send. */
#include "adapter/builtin.h"
#include "adapter/example.h"
#include "cli/cli.h"
#include "cli/findings.h"
#include "cli/print.h"
#include "json/json_text.h"

#include <stdio.h>
#include <string.h>

enum {
    ARENA_MAX    = 64 << 20, /* bytes */
    FUNCTION_MAX = 256,      /* bytes of a name */
};

enum { FLAG_PARAMS, FLAG_ALL, FLAG_FILE };

/* A manifest with its text, from a file or built in. */
struct source {
    const char *path; /* of a file, or the name of the built-in one */
    struct buf text;
    struct diagnostics *list;
    struct manifest *manifest;
};

static void source_done(struct source *source)
{
    manifest_free(source->manifest);
    buf_done(&source->text);
}

/* False: it is no manifest, and that has been said. */
static bool read_text(struct source *source, struct arena *arena, bool is_json)
{
    struct error error = {};
    source->list       = diagnostics_new(arena);
    if (manifest_read(buf_str(&source->text), source->list, &source->manifest, &error) ==
        STATUS_OK) {
        return true;
    }
    if (!is_json) findings_print(stderr, source->path, buf_str(&source->text), source->list);
    if (source->list->errors == 0) (void)fprintf(stderr, "tutti: %s\n", error.text);
    return false;
}

static bool read_file(struct source *source, const char *path, struct arena *arena, bool is_json)
{
    struct error error = {};
    *source            = (struct source){.path = path, .text = buf_init(MANIFEST_SIZE_MAX)};
    if (read_whole_file(path, &source->text, &error) != STATUS_OK) {
        (void)fprintf(stderr, "tutti: %s\n", error.text);
        return false;
    }
    return read_text(source, arena, is_json);
}

static bool read_builtin(struct source *source, const char *name, struct arena *arena)
{
    str text = builtin_manifest_text(str_from(name));
    *source  = (struct source){.path = name, .text = buf_init(MANIFEST_SIZE_MAX)};
    if (text.len == 0) {
        (void)fprintf(stderr, "tutti: there is no adapter `%s`; `tutti adapter list`\n", name);
        return false;
    }
    (void)buf_put_str(&source->text, text);
    return read_text(source, arena, false);
}

/* --- list ------------------------------------------------------------------------------------- */

static json action_row(const struct manifest_action *action)
{
    json row = json_object_new(5);
    char function[FUNCTION_MAX];
    (void)snprintf(function, sizeof function, "%s.%s:%u", action->manifest->name, action->name,
                   action->manifest->major);
    json_object_put_text(&row, "function", json_text_from(function));
    json_object_put_text(&row, "effect", json_text_from(effect_name(action->effect)));
    json_object_put_text(&row, "undo", json_bool(action->compensate.count > 0));
    json_object_put_text(&row, "summary", json_text_from(action->summary));
    return row;
}

static void add_row(struct table *table, json row)
{
    bool is_undone    = json_is_truthy(json_get_text(row, "undo"));
    const str cells[] = {member(row, "function", ""), member(row, "effect", ""),
                         str_from(is_undone ? "yes" : ""), member(row, "summary", "")};
    table_add(table, cells);
}

static enum cli_exit list(struct cli *cli)
{
    static const char *const titles[]        = {"FUNCTION", "EFFECT", "UNDO", "SUMMARY"};
    CLEANUP(arena_freep) struct arena *arena = arena_new(ARENA_MAX);
    CLEANUP(json_unrefp) json rows           = json_array_new(64);
    for (size_t i = 0; i < builtin_manifest_count(); i++) {
        struct source source;
        bool is_read = read_builtin(&source, builtin_manifest_name(i), arena);
        for (size_t k = 0; is_read && k < source.manifest->action_count; k++) {
            json_array_push(&rows, action_row(&source.manifest->actions[k]));
        }
        source_done(&source);
        if (!is_read) return CLI_FAILED;
    }
    CLEANUP(json_unrefp) json answer = json_object_new(1);
    json_object_put_text(&answer, "items", json_ref(rows));
    if (cli->is_json) {
        print_json(answer);
    } else {
        print_rows(answer, titles, ARRAY_LEN(titles), add_row);
    }
    return CLI_OK;
}

/* --- lint ------------------------------------------------------------------------------------- */

static json linted_new(const struct source *source)
{
    json one = json_object_new(3);
    json_object_put_text(&one, "file", json_text_lossy(str_from(source->path)));
    json_object_put_text(&one, "ok", json_bool(source->manifest != NULL));
    json_object_put_text(&one, "findings",
                         source->list ? findings_json_new(source->list) : json_array_new(0));
    return one;
}

static enum cli_exit lint(struct cli *cli)
{
    CLEANUP(arena_freep) struct arena *arena = arena_new(ARENA_MAX);
    CLEANUP(json_unrefp) json files          = json_array_new(4);
    enum cli_exit code                       = CLI_OK;
    for (int i = 1; i < cli->argument_count; i++) {
        struct source source;
        if (!read_file(&source, cli->arguments[i], arena, cli->is_json)) code = CLI_FAILED;
        if (source.manifest && !cli->is_json) {
            (void)printf("%s: %s %s, %zu actions: correct\n", source.path, source.manifest->name,
                         source.manifest->version, source.manifest->action_count);
        }
        json_array_push(&files, linted_new(&source));
        source_done(&source);
    }
    if (cli->is_json) print_json(files);
    return code;
}

/* --- render ----------------------------------------------------------------------------------- */

/* Appends a copy: what is played shares parts of its manifest. */
static status render_into(const struct manifest_action *action, json params, struct arena *arena,
                          json *all, struct error *reterr)
{
    CLEANUP(json_unrefp) json played = json_invalid();
    json copy                        = json_invalid();
    TRY(example_play(action, params, arena, &played, reterr));
    CLEANUP(json_unrefp) json text = json_to_text_new(played);
    TRY(json_parse(json_str(text), NULL, &copy, NULL, reterr));
    json_array_push(all, copy);
    return STATUS_OK;
}

/* ADAPTER.ACTION[:MAJOR] */
static const struct manifest_action *find_action(const struct source *source, const char *function)
{
    const char *dot = strchr(function, '.');
    const char *end = dot ? strchr(dot, ':') : NULL;
    if (!dot) return NULL;
    str name = {.ptr = dot + 1, .len = end ? (size_t)(end - dot) - 1 : strlen(dot + 1)};
    return manifest_action(source->manifest, name);
}

static enum cli_exit render_source(struct cli *cli, const struct source *source, json params,
                                   struct arena *arena, json *all)
{
    const char *function                 = cli->argument_count > 1 ? cli->arguments[1] : NULL;
    const struct manifest_action *action = function ? find_action(source, function) : NULL;
    const struct manifest *manifest      = source->manifest;
    struct error error                   = {};
    status code                          = STATUS_OK;
    if (function && !action) {
        (void)fprintf(stderr, "tutti: `%s` has no such action; `tutti adapter list`\n",
                      manifest->name);
        return CLI_USAGE;
    }
    if (action) {
        code = render_into(action, params, arena, all, &error);
    }
    for (size_t i = 0; !action && code == STATUS_OK && i < manifest->action_count; i++) {
        code = render_into(&manifest->actions[i], params, arena, all, &error);
    }
    if (code == STATUS_OK) return CLI_OK;
    (void)fprintf(stderr, "tutti: %s\n", error.text);
    return CLI_FAILED;
}

static enum cli_exit render_builtin(struct cli *cli, json params, struct arena *arena, json *all)
{
    char name[FUNCTION_MAX] = "";
    for (size_t i = 0; i < builtin_manifest_count(); i++) {
        const char *given = cli->argument_count > 1 ? cli->arguments[1] : NULL;
        struct source source;
        (void)snprintf(name, sizeof name, "%s.", builtin_manifest_name(i));
        if (given && strncmp(given, name, strlen(name)) != 0) continue;
        bool is_read       = read_builtin(&source, builtin_manifest_name(i), arena);
        enum cli_exit code = is_read ? render_source(cli, &source, params, arena, all) : CLI_FAILED;
        source_done(&source);
        if (code != CLI_OK) return code;
    }
    if (json_count(*all) > 0) return CLI_OK;
    (void)fprintf(stderr, "tutti: there is no such adapter; `tutti adapter list`\n");
    return CLI_USAGE;
}

static enum cli_exit render(struct cli *cli)
{
    const char *file = cli->values[FLAG_FILE];
    if (!cli->values[FLAG_ALL] == (cli->argument_count < 2)) {
        (void)fprintf(stderr, "tutti: adapter render: name a function, or write --all\n");
        return CLI_USAGE;
    }
    struct error error               = {};
    CLEANUP(json_unrefp) json params = json_invalid();
    if (cli->values[FLAG_PARAMS] &&
        read_json_argument(cli->values[FLAG_PARAMS], &params, &error) != STATUS_OK) {
        (void)fprintf(stderr, "tutti: %s\n", error.text);
        return CLI_USAGE;
    }
    CLEANUP(arena_freep) struct arena *arena = arena_new(ARENA_MAX);
    CLEANUP(json_unrefp) json all            = json_array_new(16);
    enum cli_exit code;
    if (file) {
        struct source source;
        bool is_read = read_file(&source, file, arena, false);
        code         = is_read ? render_source(cli, &source, params, arena, &all) : CLI_FAILED;
        source_done(&source);
    } else {
        code = render_builtin(cli, params, arena, &all);
    }
    if (code != CLI_OK) return code;
    print_json(cli->values[FLAG_ALL] ? all : json_at(all, 0));
    return CLI_OK;
}

/* --- the command ------------------------------------------------------------------------------ */

static enum cli_exit schema(struct cli *)
{
    str text = manifest_schema_text();
    (void)fwrite(text.ptr, 1, text.len, stdout);
    return CLI_OK;
}

static enum cli_exit show(struct cli *cli)
{
    str text = builtin_manifest_text(str_from(cli->arguments[1]));
    if (text.len == 0) {
        (void)fprintf(stderr, "tutti: there is no adapter `%s`; `tutti adapter list`\n",
                      cli->arguments[1]);
        return CLI_USAGE;
    }
    (void)fwrite(text.ptr, 1, text.len, stdout);
    return CLI_OK;
}

enum cli_exit command_adapter(struct cli *cli)
{
    static const struct {
        const char *name;
        int argument_min, argument_max;
        enum cli_exit (*run)(struct cli *cli);
    } actions[] = {
        {"list", 1, 1, list},     {"lint", 2, CLI_ARGUMENTS_MAX, lint},
        {"show", 2, 2, show},     {"render", 1, 2, render},
        {"schema", 1, 1, schema},
    };
    for (size_t i = 0; i < ARRAY_LEN(actions); i++) {
        bool fits = cli->argument_count >= actions[i].argument_min &&
                    cli->argument_count <= actions[i].argument_max;
        if (fits && strcmp(cli->arguments[0], actions[i].name) == 0) return actions[i].run(cli);
    }
    (void)fprintf(stderr, "tutti: adapter: write `list`, `lint FILE...`, `show NAME`, "
                          "`render FUNCTION` or `schema`\n");
    return CLI_USAGE;
}
