/* usage: what calls of models have cost. */
#include "cli/api.h"
#include "cli/print.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

enum { PATH_MAX_BYTES = 1'024, COLUMNS = 6 };

/* In the order of usage_flags in main.c. */
enum { FLAG_BY, FLAG_FROM, FLAG_TO };

static void add_sum(struct table *table, json one)
{
    char calls[NUMBER_SIZE];
    char input[NUMBER_SIZE];
    char output[NUMBER_SIZE];
    char unpriced[NUMBER_SIZE];
    const str cells[COLUMNS] = {member(one, "value", "total"),
                                member_number(one, "calls", calls),
                                member_number(one, "input_tokens", input),
                                member_number(one, "output_tokens", output),
                                member(one, "cost_usd", "0"),
                                member_number(one, "unpriced_calls", unpriced)};
    table_add(table, cells);
}

static void print_usage(json answer)
{
    static const char *const titles[COLUMNS] = {"",       "CALLS", "INPUT",
                                                "OUTPUT", "USD",   "WITHOUT PRICE"};
    CLEANUP(table_done) struct table table;
    table_init(&table, titles, COLUMNS);
    json items = json_get_text(answer, "items");
    for (size_t i = 0; i < json_count(items); i++) add_sum(&table, json_at(items, i));
    add_sum(&table, json_get_text(answer, "total"));
    table_print(&table);
}

static void put_query(struct buf *path, const char *name, const char *value)
{
    if (!value) return;
    (void)buf_printf(path, "%s%s=", strchr(path->ptr, '?') ? "&" : "?", name);
    api_put_segment(path, value);
}

enum cli_exit command_usage(struct cli *cli)
{
    CLEANUP(buf_done) struct buf path = buf_init(PATH_MAX_BYTES);
    (void)buf_put_text(&path, "/v1/usage");
    put_query(&path, "group_by", cli->values[FLAG_BY]);
    put_query(&path, "from", cli->values[FLAG_FROM]);
    put_query(&path, "to", cli->values[FLAG_TO]);
    const struct api_call call = {.method = "GET", .path = path.ptr};
    return api_show(cli, &call, print_usage);
}
