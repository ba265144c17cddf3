/* adapter: manifests of adapters, without a server: check them, see what they would send. */
#include "adapter/builtin.h"
#include "cli/adapter_source.h"
#include "cli/findings.h"
#include "cli/print.h"

#include <stdio.h>
#include <string.h>

enum { FUNCTION_MAX = 256 /* bytes of a name */ };

/* --- list ------------------------------------------------------------------------------------- */

static json action_row(const struct manifest_action *action)
{
    json row = json_object_new(8);
    char function[FUNCTION_MAX];
    (void)snprintf(function, sizeof function, "%s.%s:%u", action->manifest->name, action->name,
                   action->manifest->major);
    json_object_put_text(&row, "function", json_text_from(function));
    json_object_put_text(&row, "effect", json_text_from(effect_name(action->effect)));
    json_object_put_text(&row, "undo", json_bool(manifest_undo_at(action, 0)));
    json_object_put_text(&row, "summary", json_text_from(action->summary));
    if (action->effect != EFFECT_READ) {
        const char *idempotency = idempotency_name(action->idempotency.kind);
        json_object_put_text(&row, "idempotency", json_text_from(idempotency));
    }
    json undone_by = json_array_new(2);
    for (size_t i = 0; manifest_undo_at(action, i); i++) {
        json_array_push(&undone_by, json_text_from(manifest_undo_at(action, i)->name));
    }
    json_object_put_text(&row, "undone_by", undone_by);
    if (action->irreversible) {
        json_object_put_text(&row, "irreversible", json_text_from(action->irreversible));
    }
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
    CLEANUP(arena_freep) struct arena *arena = arena_new(ADAPTER_ARENA_MAX);
    CLEANUP(json_unrefp) json rows           = json_array_new(64);
    for (size_t i = 0; i < builtin_manifest_count(); i++) {
        struct adapter_source source;
        bool is_read = adapter_source_builtin(&source, builtin_manifest_name(i), arena);
        for (size_t k = 0; is_read && k < source.manifest->action_count; k++) {
            json_array_push(&rows, action_row(&source.manifest->actions[k]));
        }
        adapter_source_done(&source);
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

static json linted_new(const struct adapter_source *source)
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
    CLEANUP(arena_freep) struct arena *arena = arena_new(ADAPTER_ARENA_MAX);
    CLEANUP(json_unrefp) json files          = json_array_new(4);
    enum cli_exit code                       = CLI_OK;
    for (int i = 1; i < cli->argument_count; i++) {
        struct adapter_source source;
        bool is_read = adapter_source_read(&source, cli->arguments[i], arena, cli->is_json);
        if (!is_read) code = CLI_FAILED;
        if (source.manifest && !cli->is_json) {
            findings_print(stderr, source.path, buf_str(&source.text), source.list); /* warnings */
            (void)printf("%s: %s %s, %zu actions: correct\n", source.path, source.manifest->name,
                         source.manifest->version, source.manifest->action_count);
        }
        json_array_push(&files, linted_new(&source));
        adapter_source_done(&source);
    }
    if (cli->is_json) print_json(files);
    return code;
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
        {"list", 1, 1, list},       {"lint", 2, CLI_ARGUMENTS_MAX, lint},
        {"show", 2, 2, show},       {"render", 1, 2, adapter_render},
        {"schema", 1, 1, schema},   {"test", 1, 2, adapter_test},
        {"new", 2, 2, adapter_new}, {"import-openapi", 2, 2, adapter_import},
    };
    for (size_t i = 0; i < ARRAY_LEN(actions); i++) {
        bool fits = cli->argument_count >= actions[i].argument_min &&
                    cli->argument_count <= actions[i].argument_max;
        if (fits && strcmp(cli->arguments[0], actions[i].name) == 0) return actions[i].run(cli);
    }
    (void)fprintf(stderr, "tutti: adapter: write `list`, `lint FILE...`, `show NAME`, "
                          "`render FUNCTION`, `test NAME`, `new NAME`, `import-openapi DOC` or "
                          "`schema`\n");
    return CLI_USAGE;
}
