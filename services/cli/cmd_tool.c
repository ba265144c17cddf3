/* tool: the functions that workflows can call by name. */
#include "cli/api.h"
#include "cli/print.h"

#include <stdio.h>
#include <string.h>

enum { PATH_MAX_BYTES = 1'024, COLUMNS = 5 };

static void print_list(json items)
{
    static const char *const titles[COLUMNS] = {"FUNCTION", "VERSION", "EFFECT", "QUEUE",
                                                "SUMMARY"};
    CLEANUP(table_done) struct table table;
    table_init(&table, titles, COLUMNS);
    for (size_t i = 0; i < json_count(items); i++) {
        json item                = json_at(items, i);
        const str cells[COLUMNS] = {member(item, "name", ""), member(item, "version", ""),
                                    member(item, "effect", ""), member(item, "queue", ""),
                                    member(item, "summary", "")};
        table_add(&table, cells);
    }
    table_print(&table);
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
    (void)fprintf(stderr, "tutti: tool %s: write `tool list` or `tool show NAME[:VERSION]`\n",
                  what);
    return CLI_USAGE;
}

enum cli_exit command_tool(struct cli *cli)
{
    struct error error                                = {};
    CLEANUP(buf_done) struct buf path                 = buf_init(PATH_MAX_BYTES);
    CLEANUP(api_freep) struct api *api                = NULL;
    CLEANUP(api_answer_done) struct api_answer answer = {};
    const char *what                                  = cli->arguments[0];
    bool is_list = strcmp(what, "list") == 0 && cli->argument_count == 1;
    bool is_show = strcmp(what, "show") == 0 && cli->argument_count == 2;
    if (!is_list && !is_show) return usage(what);
    if (api_new(cli, &api, &error) != STATUS_OK) {
        (void)fprintf(stderr, "tutti: %s\n", error.text);
        return CLI_USAGE;
    }
    (void)buf_put_text(&path, "/v1/tools");
    if (is_show) {
        (void)buf_put_byte(&path, '/');
        api_put_segment(&path, cli->arguments[1]);
    }
    const struct api_call call = {.method = "GET", .path = path.ptr};
    enum cli_exit code         = api_call(api, &call, &answer);
    if (code != CLI_OK) return code;
    if (cli->is_json) {
        print_json(answer.value);
    } else if (is_list) {
        print_list(json_get_text(answer.value, "items"));
    } else {
        print_tool(answer.value);
    }
    return CLI_OK;
}
