/* `adapter render`: what actions would send, on their examples or on calls from elsewhere. */
#include "adapter/builtin.h"
#include "adapter/example.h"
#include "base/diagnostic.h"
#include "cli/adapter_source.h"
#include "cli/print.h"
#include "json/json_text.h"

#include <stdio.h>
#include <string.h>

enum { FUNCTION_MAX = 256 /* bytes of a name */ };

/* Appends a copy: what is played shares parts of its manifest. */
static status render_into(const struct manifest_action *action, json given, struct arena *arena,
                          json *all, struct error *reterr)
{
    CLEANUP(json_unrefp) json played = json_invalid();
    json copy                        = json_invalid();
    TRY(example_play(action, given, arena, &played, reterr));
    CLEANUP(json_unrefp) json text = json_to_text_new(played);
    TRY(json_parse(json_str(text), NULL, &copy, NULL, reterr));
    json_array_push(all, copy);
    return STATUS_OK;
}

static bool is_called(const struct manifest *manifest, str name)
{
    for (size_t i = 0; i < json_count(manifest->aliases); i++) {
        if (str_equal(json_str(json_at(manifest->aliases, i)), name)) return true;
    }
    return str_is(name, manifest->name);
}

static status no_action(const struct manifest *manifest, str name, struct error *reterr)
{
    const char *names[MANIFEST_ACTIONS_MAX];
    for (size_t i = 0; i < manifest->action_count; i++) names[i] = manifest->actions[i].name;
    const char *near = nearest_name(name, names, manifest->action_count);
    return fail(reterr, STATUS_NOT_FOUND, "`%s` has no action `" STR_FMT "`%s%s%s", manifest->name,
                STR_ARG(name), near ? "; did you mean `" : "; `tutti adapter list`",
                near ? near : "", near ? "`?" : "");
}

/* ADAPTER.ACTION[:MAJOR] */
static status find_action(const struct manifest *manifest, const char *function,
                          const struct manifest_action **ret_action, struct error *reterr)
{
    const char *dot   = strchr(function, '.');
    const char *colon = dot ? strchr(dot, ':') : NULL;
    char major[16];
    (void)snprintf(major, sizeof major, "%u", manifest->major);
    if (!dot || !is_called(manifest, (str){.ptr = function, .len = (size_t)(dot - function)})) {
        return fail(reterr, STATUS_NOT_FOUND, "`%s` is no function of `%s`: write `%s.ACTION`",
                    function, manifest->name, manifest->name);
    }
    str name    = {.ptr = dot + 1, .len = colon ? (size_t)(colon - dot) - 1 : strlen(dot + 1)};
    *ret_action = manifest_action(manifest, name);
    if (!*ret_action) return no_action(manifest, name, reterr);
    if (!colon || strcmp(colon + 1, major) == 0) return STATUS_OK;
    return fail(reterr, STATUS_NOT_FOUND, "`%s` is version %s: its functions end in `:%s`",
                manifest->name, manifest->version, major);
}

static enum cli_exit render_source(struct cli *cli, const struct adapter_source *source, json given,
                                   struct arena *arena, json *all)
{
    const char *function                 = cli->argument_count > 1 ? cli->arguments[1] : NULL;
    const struct manifest_action *action = NULL;
    const struct manifest *manifest      = source->manifest;
    struct error error                   = {};
    status code                          = STATUS_OK;
    if (function && find_action(manifest, function, &action, &error) != STATUS_OK) {
        (void)fprintf(stderr, "tutti: %s\n", error.text);
        return CLI_USAGE;
    }
    if (action) {
        code = render_into(action, given, arena, all, &error);
    }
    for (size_t i = 0; !action && code == STATUS_OK && i < manifest->action_count; i++) {
        code = render_into(&manifest->actions[i], given, arena, all, &error);
    }
    if (code == STATUS_OK) return CLI_OK;
    (void)fprintf(stderr, "tutti: %s\n", error.text);
    return CLI_FAILED;
}

static enum cli_exit render_builtin(struct cli *cli, json given, struct arena *arena, json *all)
{
    char name[FUNCTION_MAX] = "";
    for (size_t i = 0; i < builtin_manifest_count(); i++) {
        const char *wanted = cli->argument_count > 1 ? cli->arguments[1] : NULL;
        struct adapter_source source;
        (void)snprintf(name, sizeof name, "%s.", builtin_manifest_name(i));
        if (wanted && strncmp(wanted, name, strlen(name)) != 0) continue;
        bool is_read       = adapter_source_builtin(&source, builtin_manifest_name(i), arena);
        enum cli_exit code = is_read ? render_source(cli, &source, given, arena, all) : CLI_FAILED;
        adapter_source_done(&source);
        if (code != CLI_OK) return code;
    }
    if (json_count(*all) > 0) return CLI_OK;
    (void)fprintf(stderr,
                  "tutti: `%s` is a function of no built-in adapter; `tutti adapter list`\n",
                  cli->argument_count > 1 ? cli->arguments[1] : "");
    return CLI_USAGE;
}

/* {params}: what `--params` gives. `*ret_given` is owned. */
static status given_of(const struct cli *cli, json *ret_given, struct error *reterr)
{
    json params = json_invalid();
    if (!cli->values[ADAPTER_FLAG_PARAMS]) return STATUS_OK;
    TRY(read_json_argument(cli->values[ADAPTER_FLAG_PARAMS], &params, reterr));
    *ret_given = json_object_new(1);
    json_object_put_text(ret_given, "params", params);
    return STATUS_OK;
}

/* --- calls from elsewhere --------------------------------------------------------------------- */

/* One of `--calls`; what is wrong with it is its answer. */
static void render_call(const struct adapter_source *source, json call, size_t index,
                        struct arena *arena, json *all)
{
    str function                         = member(call, "function", "");
    CLEANUP(json_unrefp) json played     = json_array_new(1);
    CLEANUP(json_unrefp) json answer     = json_object_new(2);
    struct error error                   = {};
    const struct manifest_action *action = NULL;
    if (find_action(source->manifest, function.ptr, &action, &error) == STATUS_OK &&
        render_into(action, call, arena, &played, &error) == STATUS_OK) {
        json_unref(answer);
        answer = json_ref(json_at(played, 0));
    }
    json_object_put_text(&answer, "call", json_int((int64_t)index));
    if (error.text[0]) json_object_put_text(&answer, "error", json_text_from(error.text));
    json_array_push(all, json_take(&answer));
}

static void render_calls_of(const struct adapter_source *source, json calls, struct arena *arena,
                            json *all)
{
    char prefix[FUNCTION_MAX];
    (void)snprintf(prefix, sizeof prefix, "%s.", source->manifest->name);
    for (size_t i = 0; i < json_count(calls); i++) {
        str function = member(json_at(calls, i), "function", "");
        if (!str_starts_with(function, str_from(prefix))) continue;
        arena_clear(arena);
        render_call(source, json_at(calls, i), i, arena, all);
    }
}

/* One reading of each manifest, however many calls there are. */
static enum cli_exit render_calls(struct cli *cli, struct arena *arena, json *all)
{
    CLEANUP(json_unrefp) json calls          = json_invalid();
    CLEANUP(arena_freep) struct arena *other = arena_new(ADAPTER_ARENA_MAX);
    struct error error                       = {};
    const char *file                         = cli->values[ADAPTER_FLAG_FILE];
    if (read_json_argument(cli->values[ADAPTER_FLAG_CALLS], &calls, &error) != STATUS_OK) {
        (void)fprintf(stderr, "tutti: %s\n", error.text);
        return CLI_USAGE;
    }
    for (size_t i = 0; i < (file ? 1 : builtin_manifest_count()); i++) {
        struct adapter_source source;
        bool is_read = file ? adapter_source_read(&source, file, arena, false)
                            : adapter_source_builtin(&source, builtin_manifest_name(i), arena);
        if (is_read) render_calls_of(&source, calls, other, all);
        adapter_source_done(&source);
        if (!is_read) return CLI_FAILED;
    }
    return CLI_OK;
}

/* --- the command ------------------------------------------------------------------------------ */

static enum cli_exit render_file(struct cli *cli, const char *file, json given, struct arena *arena,
                                 json *all)
{
    struct adapter_source source;
    bool is_read       = adapter_source_read(&source, file, arena, false);
    enum cli_exit code = is_read ? render_source(cli, &source, given, arena, all) : CLI_FAILED;
    adapter_source_done(&source);
    return code;
}

enum cli_exit adapter_render(struct cli *cli)
{
    const char *file = cli->values[ADAPTER_FLAG_FILE];
    bool has_calls   = cli->values[ADAPTER_FLAG_CALLS] != NULL;
    int asked = (cli->values[ADAPTER_FLAG_ALL] != NULL) + has_calls + (cli->argument_count > 1);
    if (asked != 1) {
        (void)fprintf(stderr,
                      "tutti: adapter render: name a function, or write --all or --calls\n");
        return CLI_USAGE;
    }
    struct error error              = {};
    CLEANUP(json_unrefp) json given = json_invalid();
    if (given_of(cli, &given, &error) != STATUS_OK) {
        (void)fprintf(stderr, "tutti: --params: %s\n", error.text);
        return CLI_USAGE;
    }
    CLEANUP(arena_freep) struct arena *arena = arena_new(ADAPTER_ARENA_MAX);
    CLEANUP(json_unrefp) json all            = json_array_new(16);
    enum cli_exit code                       = has_calls ? render_calls(cli, arena, &all)
                                               : file ? render_file(cli, file, given, arena, &all)
                                                      : render_builtin(cli, given, arena, &all);
    if (code != CLI_OK) return code;
    print_json(cli->argument_count > 1 ? json_at(all, 0) : all);
    return CLI_OK;
}
