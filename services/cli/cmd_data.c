/* tasks, variables, retire: what is in a run, and versions that nobody needs. */
#include "cli/api.h"
#include "cli/print.h"
#include "json/json_text.h"
#include "json/json_write.h"

#include <stdio.h>

enum { PATH_MAX_BYTES = 1024, BODY_MAX = 2 << 20 };

/* --- tasks -------------------------------------------------------------------------------------
 */

enum { TASKS_TASK };

static void add_task(struct table *table, json one)
{
    char attempts[NUMBER_SIZE];
    const str cells[] = {member(one, "task", ""),
                         member(one, "iteration", ""),
                         member(one, "state", ""),
                         member_number(one, "attempts", attempts),
                         member(one, "started_at", ""),
                         member(one, "ended_at", ""),
                         member(json_get_text(one, "error"), "title", "")};
    table_add(table, cells);
}

static void print_tasks(json list)
{
    static const char *const titles[] = {"TASK",    "ITERATION", "STATE", "ATTEMPTS",
                                         "STARTED", "ENDED",     "ERROR"};
    print_rows(list, titles, ARRAY_LEN(titles), add_task);
}

enum cli_exit command_tasks(struct cli *cli)
{
    CLEANUP(buf_done) struct buf path = buf_init(PATH_MAX_BYTES);
    api_put_run(&path, cli->arguments[0], "/tasks?page_size=500");
    if (cli->values[TASKS_TASK]) {
        (void)buf_put_text(&path, "&task=");
        api_put_segment(&path, cli->values[TASKS_TASK]);
    }
    const struct api_call call = {.method = "GET", .path = path.ptr};
    return api_show(cli, &call, print_tasks);
}

/* --- variables ---------------------------------------------------------------------------------
 */

static bool put_value(const char *text, struct buf *body)
{
    CLEANUP(json_unrefp) json value = json_invalid();
    struct error error              = {};
    struct json_writer w            = json_writer_init(body);
    if (read_json_argument(text, &value, &error) != STATUS_OK) {
        (void)fprintf(stderr, "tutti: the value: %s\n", error.text);
        return false;
    }
    json_begin_object(&w);
    json_member(&w, "value");
    json_write_value(&w, value);
    json_end_object(&w);
    return true;
}

static void print_variables(json answer)
{
    print_json(json_get_text(answer, "variables"));
}

enum cli_exit command_variables(struct cli *cli)
{
    CLEANUP(buf_done) struct buf path = buf_init(PATH_MAX_BYTES);
    CLEANUP(buf_done) struct buf body = buf_init(BODY_MAX);
    bool is_set                       = cli->argument_count == 3;
    api_put_run(&path, cli->arguments[0], is_set ? "/variables/" : "/variables");
    if (is_set) api_put_segment(&path, cli->arguments[1]);
    if (cli->argument_count == 2 || (is_set && !put_value(cli->arguments[2], &body))) {
        if (!is_set) (void)fprintf(stderr, "tutti: variables RUN [NAME JSON|@FILE]\n");
        return CLI_USAGE;
    }
    const struct api_call call = {
        .method = is_set ? "PUT" : "GET", .path = path.ptr, .body = buf_str(&body)};
    return api_show(cli, &call, print_variables);
}

/* --- retire ------------------------------------------------------------------------------------
 */

enum cli_exit command_retire(struct cli *cli)
{
    CLEANUP(buf_done) struct buf path = buf_init(PATH_MAX_BYTES);
    CLEANUP(buf_done) struct buf name = buf_init(PATH_MAX_BYTES);
    const char *colon                 = strchr(cli->arguments[0], ':');
    if (!colon || colon[1] == '\0') {
        (void)fprintf(stderr, "tutti: retire NAME:VERSION\n");
        return CLI_USAGE;
    }
    (void)buf_put_str(&name, (str){cli->arguments[0], (size_t)(colon - cli->arguments[0])});
    (void)buf_put_text(&path, "/v1/workflows/");
    api_put_segment(&path, name.ptr ? name.ptr : "");
    (void)buf_put_text(&path, "/versions/");
    api_put_segment(&path, colon + 1);
    return api_do(cli, "DELETE", path.ptr, (str){}, "retired");
}
