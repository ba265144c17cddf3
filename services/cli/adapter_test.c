/* `adapter test`: every action of a manifest on its example, and everything that it calls. */
#include "adapter/builtin.h"
#include "adapter/example.h"
#include "cli/adapter_source.h"
#include "cli/print.h"
#include "json/json_text.h"

#include <stdio.h>
#include <string.h>

/* What is played, and how many of it went well. */
struct trial {
    const struct manifest *manifest;
    struct arena *arena;
    json rows; /* owned */
    size_t played, failed;
};

static void note(struct trial *trial, const char *action, const char *what, const char *error)
{
    json row = json_object_new(4);
    json_object_put_text(&row, "action", json_text_from(action));
    json_object_put_text(&row, "what", json_text_from(what));
    json_object_put_text(&row, "ok", json_bool(!error));
    if (error) json_object_put_text(&row, "error", json_text_lossy(str_from(error)));
    json_array_push(&trial->rows, row);
    trial->played++;
    if (error) trial->failed++;
}

/* Members of an output that the example's answer has nothing for. */
static const char *gap_of(json output)
{
    for (size_t i = 0; json_is(output, JSON_OBJECT) && i < json_count(output); i++) {
        if (json_is(json_value_at(output, i), JSON_NULL)) return json_key_at(output, i).ptr;
    }
    return NULL;
}

/* Another action, with what it would be given. */
static void try_call(struct trial *trial, const char *action, const char *what, json call)
{
    str name                             = member(call, "action", "");
    const struct manifest_action *target = manifest_action(trial->manifest, name);
    CLEANUP(json_unrefp) json played     = json_invalid();
    CLEANUP(json_unrefp) json given      = json_object_new(1);
    struct error error                   = {};
    json_object_put_text(&given, "params", json_ref(json_get_text(call, "with")));
    status code = target ? example_play(target, given, trial->arena, &played, &error)
                         : fail(&error, STATUS_NOT_FOUND, "there is no such action");
    note(trial, action, what, code == STATUS_OK ? NULL : error.text);
}

static void try_action(struct trial *trial, const struct manifest_action *action)
{
    CLEANUP(json_unrefp) json played = json_invalid();
    struct error error               = {};
    char text[ERROR_TEXT_MAX + 64];
    if (example_play(action, json_invalid(), trial->arena, &played, &error) != STATUS_OK) {
        note(trial, action->name, "example", error.text);
        return;
    }
    bool has_answer = !json_is(json_get_text(action->example, "response"), JSON_INVALID);
    const char *gap = has_answer ? gap_of(json_get_text(played, "output")) : NULL;
    (void)snprintf(text, sizeof text, "the example's answer has nothing for `%s` of the output",
                   gap ? gap : "");
    note(trial, action->name, "example", gap ? text : NULL);

    json before     = json_get_text(played, "before");
    json lookups    = json_get_text(played, "lookup");
    json compensate = json_get_text(played, "compensate");
    json back       = json_get_text(played, "compensate_steps");
    if (!json_is(before, JSON_INVALID)) try_call(trial, action->name, "before", before);
    for (size_t i = 0; i < json_count(lookups); i++) {
        try_call(trial, action->name, "lookup", json_at(lookups, i));
    }
    for (size_t i = 0; i < json_count(compensate); i++) {
        try_call(trial, action->name, "compensate", json_at(compensate, i));
    }
    for (size_t i = 0; i < json_count(back); i++) {
        try_call(trial, action->name, "compensate of a step", json_at(back, i));
    }
}

static void print_trial(const struct trial *trial)
{
    for (size_t i = 0; i < json_count(trial->rows); i++) {
        json row = json_at(trial->rows, i);
        if (json_is_truthy(json_get_text(row, "ok"))) continue;
        str action = member(row, "action", "");
        str what   = member(row, "what", "");
        str error  = member(row, "error", "");
        (void)printf("%s.%.*s, %.*s: %.*s\n", trial->manifest->name, STR_ARG(action), STR_ARG(what),
                     STR_ARG(error));
    }
    (void)printf("%s %s: %zu actions, %zu played, %zu failed\n", trial->manifest->name,
                 trial->manifest->version, trial->manifest->action_count, trial->played,
                 trial->failed);
}

enum cli_exit adapter_test(struct cli *cli)
{
    const char *file                         = cli->values[ADAPTER_FLAG_FILE];
    const char *name                         = cli->argument_count > 1 ? cli->arguments[1] : NULL;
    CLEANUP(arena_freep) struct arena *arena = arena_new(ADAPTER_ARENA_MAX);
    struct adapter_source source;
    if (!file == !name) {
        (void)fprintf(stderr, "tutti: adapter test: name an adapter, or a --file\n");
        return CLI_USAGE;
    }
    bool has_text = file || builtin_manifest_text(str_from(name)).len > 0;
    bool is_live  = cli->values[ADAPTER_FLAG_CONNECTION] != NULL;
    if (is_live && !has_text) return adapter_try(cli); /* only the server has its manifest */
    bool is_read       = file ? adapter_source_read(&source, file, arena, false)
                              : adapter_source_builtin(&source, name, arena);
    struct trial trial = {.manifest = source.manifest, .arena = arena, .rows = json_array_new(16)};
    for (size_t i = 0; is_read && i < source.manifest->action_count; i++) {
        try_action(&trial, &source.manifest->actions[i]);
    }
    if (is_read && cli->is_json && !is_live) print_json(trial.rows);
    if (is_read && (!cli->is_json || (is_live && trial.failed > 0))) print_trial(&trial);
    json_unref(trial.rows);
    adapter_source_done(&source);
    enum cli_exit tried = is_live ? adapter_try(cli) : CLI_OK;
    return is_read && trial.failed == 0 ? tried : CLI_FAILED;
}
