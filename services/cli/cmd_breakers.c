/* breakers: whom the suite may not call, and since when; opened and reset by hand. */
#include "cli/api.h"
#include "cli/print.h"

#include <stdio.h>

enum { PATH_MAX_BYTES = 1'024, COLUMNS = 6 };

static void add_breaker(struct table *table, json one)
{
    char failures[NUMBER_SIZE];
    char held[NUMBER_SIZE];
    bool is_forced    = json_is(json_get_text(one, "forced"), JSON_TRUE);
    const str cells[] = {
        member(one, "name", ""),
        is_forced ? str_from("open (by hand)") : member(one, "state", ""),
        member_number(one, "failures", failures),
        member_number(one, "held", held),
        member(one, "since", ""),
        member(one, "until", ""),
    };
    table_add(table, cells);
}

static void print_breakers(json answer)
{
    static const char *const titles[COLUMNS] = {"TARGET", "STATE", "FAILURES",
                                                "HELD",   "SINCE", "UNTIL"};
    print_rows(answer, titles, COLUMNS, add_breaker);
}

enum cli_exit command_breakers(struct cli *cli)
{
    CLEANUP(buf_done) struct buf path = buf_init(PATH_MAX_BYTES);
    str action                        = str_from(cli->argument_count == 2 ? cli->arguments[1] : "");
    if (action.len > 0 && !str_is(action, "open") && !str_is(action, "reset")) {
        (void)fprintf(stderr, "tutti: breakers [TARGET [open|reset]]\n");
        return CLI_USAGE;
    }
    (void)buf_put_text(&path, "/v1/circuit-breakers");
    for (int i = 0; i < cli->argument_count; i++) {
        (void)buf_put_byte(&path, '/');
        api_put_segment(&path, cli->arguments[i]);
    }
    const struct api_call call = {.method = action.len > 0 ? "POST" : "GET", .path = path.ptr};
    return api_show(cli, &call, print_breakers);
}
