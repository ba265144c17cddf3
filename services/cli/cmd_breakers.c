/* breakers: whom the suite may not call, and since when; opened and reset by hand. */
#include "cli/api.h"
#include "cli/print.h"

#include <inttypes.h>
#include <stdio.h>

enum { PATH_MAX_BYTES = 1'024, CELL_MAX = 32, COLUMNS = 6 };

static void add_breaker(struct table *table, json one)
{
    static const char *const members[] = {"failures", "held"};
    char numbers[ARRAY_LEN(members)][CELL_MAX];
    for (size_t i = 0; i < ARRAY_LEN(members); i++) {
        int64_t value = 0;
        (void)json_to_int(json_get_text(one, members[i]), &value);
        (void)snprintf(numbers[i], sizeof numbers[i], "%" PRId64, value);
    }
    bool is_forced    = json_is(json_get_text(one, "forced"), JSON_TRUE);
    const str cells[] = {
        member(one, "name", ""),  is_forced ? str_from("open (by hand)") : member(one, "state", ""),
        str_from(numbers[0]),     str_from(numbers[1]),
        member(one, "since", ""), member(one, "until", ""),
    };
    table_add(table, cells);
}

static void print_breakers(json answer)
{
    static const char *const titles[COLUMNS] = {"TARGET", "STATE", "FAILURES",
                                                "HELD",   "SINCE", "UNTIL"};
    CLEANUP(table_done) struct table table;
    json items = json_get_text(answer, "items");
    table_init(&table, titles, COLUMNS);
    if (json_is(items, JSON_INVALID)) {
        add_breaker(&table, answer);
    } else {
        for (size_t i = 0; i < json_count(items); i++) add_breaker(&table, json_at(items, i));
    }
    table_print(&table);
}

enum cli_exit command_breakers(struct cli *cli)
{
    struct error error                                = {};
    CLEANUP(buf_done) struct buf path                 = buf_init(PATH_MAX_BYTES);
    CLEANUP(api_freep) struct api *api                = NULL;
    CLEANUP(api_answer_done) struct api_answer answer = {};
    str action = str_from(cli->argument_count == 2 ? cli->arguments[1] : "");
    if (action.len > 0 && !str_is(action, "open") && !str_is(action, "reset")) {
        (void)fprintf(stderr, "tutti: breakers [TARGET [open|reset]]\n");
        return CLI_USAGE;
    }
    if (api_new(cli, &api, &error) != STATUS_OK) {
        (void)fprintf(stderr, "tutti: %s\n", error.text);
        return CLI_USAGE;
    }
    (void)buf_put_text(&path, "/v1/circuit-breakers");
    for (int i = 0; i < cli->argument_count; i++) {
        (void)buf_put_byte(&path, '/');
        api_put_segment(&path, cli->arguments[i]);
    }
    const struct api_call call = {.method = action.len > 0 ? "POST" : "GET", .path = path.ptr};
    enum cli_exit code         = api_call(api, &call, &answer);
    if (code != CLI_OK) return code;
    if (cli->is_json) {
        print_json(answer.value);
    } else {
        print_breakers(answer.value);
    }
    return CLI_OK;
}
