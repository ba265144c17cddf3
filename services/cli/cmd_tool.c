/* tool: the functions that workflows can call by name; those of adapters can be called from here.
 */
#include "cli/api.h"
#include "cli/print.h"

#include <stdio.h>
#include <string.h>

enum { PATH_MAX_BYTES = 1'024, COLUMNS = 5 };

static void add_tool(struct table *table, json tool)
{
    const str cells[COLUMNS] = {member(tool, "name", ""), member(tool, "version", ""),
                                member(tool, "effect", ""), member(tool, "queue", ""),
                                member(tool, "summary", "")};
    table_add(table, cells);
}

static void print_list(json list)
{
    static const char *const titles[COLUMNS] = {"FUNCTION", "VERSION", "EFFECT", "QUEUE",
                                                "SUMMARY"};
    print_rows(list, titles, COLUMNS, add_tool);
}

static void print_tool(json tool)
{
    static const char *const schemas[] = {"input_schema", "output_schema", "compensation"};
    (void)printf(STR_FMT ":" STR_FMT "  (" STR_FMT ", queue " STR_FMT ")\n",
                 STR_ARG(member(tool, "name", "")), STR_ARG(member(tool, "version", "")),
                 STR_ARG(member(tool, "effect", "")), STR_ARG(member(tool, "queue", "")));
    print_clean(stdout, "", member(tool, "summary", ""));
    (void)printf("\n");
    for (size_t i = 0; i < ARRAY_LEN(schemas); i++) {
        json part = json_get_text(tool, schemas[i]);
        if (json_is(part, JSON_INVALID)) continue;
        (void)printf("\n%s:\n", schemas[i]);
        print_json(part);
    }
}

static enum cli_exit usage(const char *what)
{
    (void)fprintf(stderr,
                  "tutti: tool %s: write `tool list`, `tool show NAME[:VERSION]` or `tool invoke "
                  "NAME[:VERSION]`\n",
                  what);
    return CLI_USAGE;
}

/* --- calling ------------------------------------------------------------------------------------
 */

enum { FLAG_ARGUMENTS, FLAG_CONNECTION, FLAG_DRY_RUN }; /* as main.c has them */

static status put_call(const struct cli *cli, struct buf *body, struct error *reterr)
{
    struct json_writer w = json_writer_init(body);
    json_begin_object(&w);
    if (cli->values[FLAG_ARGUMENTS]) {
        CLEANUP(json_unrefp) json arguments = json_invalid();
        TRY(read_json_argument(cli->values[FLAG_ARGUMENTS], &arguments, reterr));
        json_member(&w, "arguments");
        json_write_value(&w, arguments);
    }
    if (cli->values[FLAG_CONNECTION]) {
        json_put_text(&w, "connection", str_from(cli->values[FLAG_CONNECTION]));
    }
    if (cli->values[FLAG_DRY_RUN]) json_put_bool(&w, "dry_run", true);
    json_end_object(&w);
    return STATUS_OK;
}

/* The output alone, so that it can be piped; what would undo it stands beside it. */
static void print_called(json answer)
{
    json requests = json_get_text(answer, "requests");
    json undo     = json_get_text(answer, "undo");
    if (!json_is(requests, JSON_INVALID)) {
        print_json(requests);
        return;
    }
    print_json(json_get_text(answer, "output"));
    for (size_t i = 0; json_is(undo, JSON_ARRAY) && i < json_count(undo); i++) {
        (void)fprintf(stderr, "undone by " STR_FMT "\n",
                      STR_ARG(member(json_at(undo, i), "function", "")));
    }
}

static enum cli_exit invoke(struct cli *cli)
{
    CLEANUP(buf_done) struct buf path = buf_init(PATH_MAX_BYTES);
    CLEANUP(buf_done) struct buf body = buf_init(API_BODY_MAX);
    struct error error                = {};
    if (put_call(cli, &body, &error) != STATUS_OK) {
        (void)fprintf(stderr, "tutti: --arguments: %s\n", error.text);
        return CLI_USAGE;
    }
    (void)buf_put_text(&path, "/v1/tools/");
    api_put_segment(&path, cli->arguments[1]);
    (void)buf_put_text(&path, "/invoke");
    const struct api_call call = {.method = "POST", .path = path.ptr, .body = buf_str(&body)};
    return api_show(cli, &call, print_called);
}

enum cli_exit command_tool(struct cli *cli)
{
    CLEANUP(buf_done) struct buf path = buf_init(PATH_MAX_BYTES);
    const char *what                  = cli->arguments[0];
    bool is_list                      = strcmp(what, "list") == 0 && cli->argument_count == 1;
    bool is_show                      = strcmp(what, "show") == 0 && cli->argument_count == 2;
    if (strcmp(what, "invoke") == 0 && cli->argument_count == 2) return invoke(cli);
    if (!is_list && !is_show) return usage(what);
    (void)buf_put_text(&path, "/v1/tools");
    if (is_show) {
        (void)buf_put_byte(&path, '/');
        api_put_segment(&path, cli->arguments[1]);
    }
    const struct api_call call = {.method = "GET", .path = path.ptr};
    return api_show(cli, &call, is_list ? print_list : print_tool);
}
