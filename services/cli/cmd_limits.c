/* limits: how many calls of a target, or with one key, may be under way at once or start in a time.
 */
#include "cli/api.h"
#include "cli/limit_flags.h"
#include "cli/print.h"

#include <stdio.h>

enum {
    PATH_MAX_BYTES   = 1'024,
    CELL_MAX         = 128,
    COLUMNS          = 6,
    FLAG_CONCURRENCY = 0,
    FLAG_RATE        = 1,
    FLAG_TOKENS      = 2
};

static void add_limit(struct table *table, json one)
{
    char running[NUMBER_SIZE];
    char waiting[NUMBER_SIZE];
    CLEANUP(buf_done) struct buf limits = buf_init(CELL_MAX * 2);
    limit_text_put(one, &limits);
    const str cells[COLUMNS] = {member(one, "name", ""),
                                buf_str(&limits),
                                member_number(one, "running", running),
                                member_number(one, "waiting", waiting),
                                member(one, "opens", ""),
                                member(one, "source", "")};
    table_add(table, cells);
}

static void print_limits(json answer)
{
    static const char *const titles[COLUMNS] = {"LIMIT",   "OF",    "RUNNING",
                                                "WAITING", "OPENS", "SOURCE"};
    print_rows(answer, titles, COLUMNS, add_limit);
}

/* The body of `set`; false: nothing was given, or it is no limit. */
static bool put_body(const struct cli *cli, struct buf *body)
{
    const char *concurrency = cli->values[FLAG_CONCURRENCY];
    const char *rate        = cli->values[FLAG_RATE];
    struct json_writer w    = json_writer_init(body);
    size_t count            = 0;
    const char *tokens      = cli->values[FLAG_TOKENS];
    bool takes_off = (concurrency && limit_is_none(concurrency)) || (rate && limit_is_none(rate)) ||
                     (tokens && limit_is_none(tokens));
    json_begin_object(&w);
    bool is_put = limit_put(concurrency, rate, &w, &count);
    if (tokens) is_put &= put_count_per("tokens", tokens, &w);
    if (tokens) count++;
    json_end_object(&w);
    return is_put && !takes_off && count > 0;
}

enum cli_exit command_limits(struct cli *cli)
{
    CLEANUP(buf_done) struct buf path = buf_init(PATH_MAX_BYTES);
    CLEANUP(buf_done) struct buf body = buf_init(PATH_MAX_BYTES);
    str action                        = str_from(cli->argument_count == 2 ? cli->arguments[1] : "");
    bool is_set                       = str_is(action, "set");
    bool is_fine                      = action.len == 0 || is_set || str_is(action, "drop");
    if (!is_fine || (is_set && !put_body(cli, &body))) {
        (void)fprintf(stderr, "tutti: limits [TARGET [drop]], or limits TARGET set "
                              "[--concurrency N] [--rate COUNT/TIME] [--tokens COUNT/TIME]\n");
        return CLI_USAGE;
    }
    (void)buf_put_text(&path, "/v1/limits");
    if (cli->argument_count > 0) {
        (void)buf_put_byte(&path, '/');
        api_put_segment(&path, cli->arguments[0]);
    }
    if (action.len > 0 && !is_set) return api_do(cli, "DELETE", path.ptr, (str){}, "dropped");
    const struct api_call call = {
        .method = is_set ? "PUT" : "GET", .path = path.ptr, .body = buf_str(&body)};
    return api_show(cli, &call, print_limits);
}
