/* limits: how many calls of a target, or with one key, may be under way at once or start in a time.
 */
#include "cli/api.h"
#include "cli/limit_flags.h"
#include "cli/print.h"

#include <inttypes.h>
#include <stdio.h>

enum { PATH_MAX_BYTES = 1'024, CELL_MAX = 64, COLUMNS = 6, FLAG_CONCURRENCY = 0, FLAG_RATE = 1 };

static void add_limit(struct table *table, json one)
{
    static const char *const members[] = {"running", "waiting"};
    char numbers[ARRAY_LEN(members)][CELL_MAX];
    CLEANUP(buf_done) struct buf limits = buf_init(CELL_MAX * 2);
    for (size_t i = 0; i < ARRAY_LEN(members); i++) {
        int64_t value = 0;
        (void)json_to_int(json_get_text(one, members[i]), &value);
        (void)snprintf(numbers[i], sizeof numbers[i], "%" PRId64, value);
    }
    limit_text_put(one, &limits);
    const str cells[COLUMNS] = {member(one, "name", ""),  buf_str(&limits),
                                str_from(numbers[0]),     str_from(numbers[1]),
                                member(one, "opens", ""), member(one, "source", "")};
    table_add(table, cells);
}

static void print_limits(json answer)
{
    static const char *const titles[COLUMNS] = {"LIMIT",   "OF",    "RUNNING",
                                                "WAITING", "OPENS", "SOURCE"};
    CLEANUP(table_done) struct table table;
    json items = json_get_text(answer, "items");
    table_init(&table, titles, COLUMNS);
    if (json_is(items, JSON_INVALID)) {
        add_limit(&table, answer);
    } else {
        for (size_t i = 0; i < json_count(items); i++) add_limit(&table, json_at(items, i));
    }
    table_print(&table);
}

/* The body of `set`; false: nothing was given, or it is no limit. */
static bool put_body(const struct cli *cli, struct buf *body)
{
    const char *concurrency = cli->values[FLAG_CONCURRENCY];
    const char *rate        = cli->values[FLAG_RATE];
    struct json_writer w    = json_writer_init(body);
    size_t count            = 0;
    bool takes_off = (concurrency && limit_is_none(concurrency)) || (rate && limit_is_none(rate));
    json_begin_object(&w);
    bool is_put = limit_put(concurrency, rate, &w, &count);
    json_end_object(&w);
    return is_put && !takes_off && count > 0;
}

enum cli_exit command_limits(struct cli *cli)
{
    struct error error                                = {};
    CLEANUP(buf_done) struct buf path                 = buf_init(PATH_MAX_BYTES);
    CLEANUP(buf_done) struct buf body                 = buf_init(PATH_MAX_BYTES);
    CLEANUP(api_freep) struct api *api                = NULL;
    CLEANUP(api_answer_done) struct api_answer answer = {};
    str action   = str_from(cli->argument_count == 2 ? cli->arguments[1] : "");
    bool is_set  = str_is(action, "set");
    bool is_fine = action.len == 0 || is_set || str_is(action, "drop");
    if (!is_fine || (is_set && !put_body(cli, &body))) {
        (void)fprintf(stderr, "tutti: limits [TARGET [drop]], or limits TARGET set "
                              "[--concurrency N] [--rate COUNT/TIME]\n");
        return CLI_USAGE;
    }
    if (api_new(cli, &api, &error) != STATUS_OK) {
        (void)fprintf(stderr, "tutti: %s\n", error.text);
        return CLI_USAGE;
    }
    (void)buf_put_text(&path, "/v1/limits");
    if (cli->argument_count > 0) {
        (void)buf_put_byte(&path, '/');
        api_put_segment(&path, cli->arguments[0]);
    }
    const char *method         = action.len == 0 ? "GET" : is_set ? "PUT" : "DELETE";
    const struct api_call call = {.method = method, .path = path.ptr, .body = buf_str(&body)};
    enum cli_exit code         = api_call(api, &call, &answer);
    if (code != CLI_OK) return code;
    if (action.len > 0 && !is_set) {
        if (!cli->is_json) (void)printf("dropped\n");
    } else if (cli->is_json) {
        print_json(answer.value);
    } else {
        print_limits(answer.value);
    }
    return CLI_OK;
}
