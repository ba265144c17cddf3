/* queue, version: small ones. */
#include "cli/api.h"
#include "cli/print.h"

#include <inttypes.h>
#include <stdio.h>

enum { PATH_MAX_BYTES = 512, CELL_MAX = 32, COLUMNS = 7 };

static void add_queue(struct table *table, json queue)
{
    static const char *const members[] = {"depth", "running", "delayed", "dead_letters", "workers"};
    char numbers[ARRAY_LEN(members)][CELL_MAX];
    str cells[COLUMNS] = {member(queue, "name", "")};
    for (size_t i = 0; i < ARRAY_LEN(members); i++) {
        int64_t value = 0;
        (void)json_to_int(json_get_text(queue, members[i]), &value);
        (void)snprintf(numbers[i], sizeof numbers[i], "%" PRId64, value);
        cells[i + 1] = str_from(numbers[i]);
    }
    json age                          = json_get_text(queue, "oldest_age_seconds");
    CLEANUP(buf_done) struct buf time = buf_init(CELL_MAX * 2);
    print_duration(json_is_number(age) ? (int64_t)(json_number(age) * 1000) : 0, &time);
    cells[COLUMNS - 1] = buf_str(&time);
    table_add(table, cells);
}

enum cli_exit command_queue(struct cli *cli)
{
    struct error error                                = {};
    CLEANUP(buf_done) struct buf path                 = buf_init(PATH_MAX_BYTES);
    CLEANUP(api_freep) struct api *api                = NULL;
    CLEANUP(api_answer_done) struct api_answer answer = {};
    if (api_new(cli, &api, &error) != STATUS_OK) {
        (void)fprintf(stderr, "tutti: %s\n", error.text);
        return CLI_USAGE;
    }
    (void)buf_put_text(&path, "/v1/queues");
    if (cli->argument_count == 1) {
        (void)buf_put_byte(&path, '/');
        api_put_segment(&path, cli->arguments[0]);
    }
    const struct api_call call = {.method = "GET", .path = path.ptr};
    enum cli_exit code         = api_call(api, &call, &answer);
    if (code != CLI_OK) return code;
    if (cli->is_json) {
        print_json(answer.value);
        return CLI_OK;
    }
    static const char *const titles[COLUMNS] = {"QUEUE", "READY",   "RUNNING", "DELAYED",
                                                "DEAD",  "WORKERS", "OLDEST"};
    CLEANUP(table_done) struct table table;
    table_init(&table, titles, COLUMNS);
    json items = json_get_text(answer.value, "items");
    if (json_is(items, JSON_INVALID)) {
        add_queue(&table, answer.value);
    } else {
        for (size_t i = 0; i < json_count(items); i++) add_queue(&table, json_at(items, i));
    }
    table_print(&table);
    return CLI_OK;
}

enum cli_exit command_version(struct cli *cli)
{
    if (cli->is_json) {
        (void)printf("{\"version\":\"%s\"}\n", TUTTI_VERSION);
    } else {
        (void)printf("tutti %s\n", TUTTI_VERSION);
    }
    return CLI_OK;
}
