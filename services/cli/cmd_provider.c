/* provider: the upstreams of models, and whether they can be reached and take their keys. */
#include "cli/api.h"
#include "cli/print.h"

#include <stdio.h>

enum { PATH_MAX_BYTES = 1'024, COLUMNS = 5, CELL_MAX = 1'024 };

static void add_provider(struct table *table, json one)
{
    CLEANUP(buf_done) struct buf keys = buf_init(CELL_MAX);
    json list                         = json_get_text(one, "keys");
    for (size_t i = 0; i < json_count(list); i++) {
        if (i > 0) (void)buf_put_text(&keys, ", ");
        (void)buf_put_str(&keys, member(json_at(list, i), "id", ""));
    }
    const str cells[COLUMNS] = {member(one, "id", ""), member(one, "type", ""), buf_str(&keys),
                                member(one, "breaker", ""), member(one, "base_url", "")};
    table_add(table, cells);
}

static void print_providers(json answer)
{
    static const char *const titles[COLUMNS] = {"PROVIDER", "TYPE", "KEYS", "BREAKER", "URL"};
    print_rows(answer, titles, COLUMNS, add_provider);
}

static void print_test(json answer)
{
    json checks = json_get_text(answer, "checks");
    for (size_t i = 0; i < json_count(checks); i++) {
        json check = json_at(checks, i);
        json error = json_get_text(check, "error");
        char number[NUMBER_SIZE];
        bool is_ok = json_is(json_get_text(check, "ok"), JSON_TRUE);
        str key    = member(check, "key", "without a key");
        (void)printf("%s  " STR_FMT, is_ok ? "ok    " : "failed", STR_ARG(key));
        (void)printf("  " STR_FMT " ms", STR_ARG(member_number(check, "duration_ms", number)));
        if (is_ok) {
            (void)printf("  " STR_FMT " models\n", STR_ARG(member_number(check, "models", number)));
            continue;
        }
        (void)printf("  " STR_FMT ": " STR_FMT "\n        " STR_FMT "\n",
                     STR_ARG(member(error, "class", "")), STR_ARG(member(error, "detail", "")),
                     STR_ARG(member(error, "hint", "")));
    }
}

enum cli_exit command_provider(struct cli *cli)
{
    CLEANUP(buf_done) struct buf path = buf_init(PATH_MAX_BYTES);
    bool is_test = cli->argument_count == 2 && str_is(str_from(cli->arguments[1]), "test");
    if (cli->argument_count == 2 && !is_test) {
        (void)fprintf(stderr, "tutti: provider [NAME [test]]\n");
        return CLI_USAGE;
    }
    (void)buf_put_text(&path, "/v1/llm/providers");
    for (int i = 0; i < cli->argument_count; i++) {
        (void)buf_put_byte(&path, '/');
        api_put_segment(&path, cli->arguments[i]);
    }
    const struct api_call call = {.method = is_test ? "POST" : "GET", .path = path.ptr};
    return api_show(cli, &call, is_test ? print_test : print_providers);
}
