/* tool: the functions that workflows can call by name. */
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
    (void)fprintf(stderr, "tutti: tool %s: write `tool list` or `tool show NAME[:VERSION]`\n",
                  what);
    return CLI_USAGE;
}

enum cli_exit command_tool(struct cli *cli)
{
    CLEANUP(buf_done) struct buf path = buf_init(PATH_MAX_BYTES);
    const char *what                  = cli->arguments[0];
    bool is_list                      = strcmp(what, "list") == 0 && cli->argument_count == 1;
    bool is_show                      = strcmp(what, "show") == 0 && cli->argument_count == 2;
    if (!is_list && !is_show) return usage(what);
    (void)buf_put_text(&path, "/v1/tools");
    if (is_show) {
        (void)buf_put_byte(&path, '/');
        api_put_segment(&path, cli->arguments[1]);
    }
    const struct api_call call = {.method = "GET", .path = path.ptr};
    return api_show(cli, &call, is_list ? print_list : print_tool);
}
