/* tasks, variables, retire: what is in a run, and versions that nobody needs. */
#include "cli/api.h"
#include "cli/print.h"
#include "json/json_text.h"
#include "json/json_write.h"

#include <inttypes.h>
#include <stdio.h>

enum { PATH_MAX_BYTES = 1024, BODY_MAX = 2 << 20, CELL_MAX = 24 };

static enum cli_exit ask(const struct cli *cli, const struct api_call *call,
                         struct api_answer *answer)
{
    struct error error                 = {};
    CLEANUP(api_freep) struct api *api = NULL;
    if (api_new(cli, &api, &error) != STATUS_OK) {
        (void)fprintf(stderr, "tutti: %s\n", error.text);
        return CLI_USAGE;
    }
    return api_call(api, call, answer);
}

static void put_run(struct buf *path, const struct cli *cli, const char *what)
{
    (void)buf_put_text(path, "/v1/runs/");
    api_put_segment(path, cli->arguments[0]);
    (void)buf_put_text(path, what);
}

/* --- tasks -------------------------------------------------------------------------------------
 */

enum { TASKS_TASK };

static void print_tasks(json list)
{
    static const char *const titles[] = {"TASK",    "ITERATION", "STATE", "ATTEMPTS",
                                         "STARTED", "ENDED",     "ERROR"};
    CLEANUP(table_done) struct table table;
    table_init(&table, titles, ARRAY_LEN(titles));
    json items = json_get_text(list, "items");
    for (size_t i = 0; i < json_count(items); i++) {
        json one       = json_at(items, i);
        json error     = json_get_text(one, "error");
        int64_t number = 0;
        char attempts[CELL_MAX];
        (void)json_to_int(json_get_text(one, "attempts"), &number);
        (void)snprintf(attempts, sizeof attempts, "%" PRId64, number);
        const str cells[] = {member(one, "task", ""),       member(one, "iteration", ""),
                             member(one, "state", ""),      str_from(attempts),
                             member(one, "started_at", ""), member(one, "ended_at", ""),
                             member(error, "title", "")};
        table_add(&table, cells);
    }
    table_print(&table);
}

enum cli_exit command_tasks(struct cli *cli)
{
    CLEANUP(buf_done) struct buf path                 = buf_init(PATH_MAX_BYTES);
    CLEANUP(api_answer_done) struct api_answer answer = {};
    put_run(&path, cli, "/tasks?page_size=500");
    if (cli->values[TASKS_TASK]) {
        (void)buf_put_text(&path, "&task=");
        api_put_segment(&path, cli->values[TASKS_TASK]);
    }
    const struct api_call call = {.method = "GET", .path = path.ptr};
    enum cli_exit code         = ask(cli, &call, &answer);
    if (code != CLI_OK) return code;
    if (cli->is_json) {
        print_json(answer.value);
    } else {
        print_tasks(answer.value);
    }
    return CLI_OK;
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

enum cli_exit command_variables(struct cli *cli)
{
    CLEANUP(buf_done) struct buf path                 = buf_init(PATH_MAX_BYTES);
    CLEANUP(buf_done) struct buf body                 = buf_init(BODY_MAX);
    CLEANUP(api_answer_done) struct api_answer answer = {};
    bool is_set                                       = cli->argument_count == 3;
    put_run(&path, cli, is_set ? "/variables/" : "/variables");
    if (is_set) api_put_segment(&path, cli->arguments[1]);
    if (cli->argument_count == 2 || (is_set && !put_value(cli->arguments[2], &body))) {
        if (!is_set) (void)fprintf(stderr, "tutti: variables RUN [NAME JSON|@FILE]\n");
        return CLI_USAGE;
    }
    const struct api_call call = {
        .method = is_set ? "PUT" : "GET", .path = path.ptr, .body = buf_str(&body)};
    enum cli_exit code = ask(cli, &call, &answer);
    if (code != CLI_OK) return code;
    print_json(cli->is_json ? answer.value : json_get_text(answer.value, "variables"));
    return CLI_OK;
}

/* --- retire ------------------------------------------------------------------------------------
 */

enum cli_exit command_retire(struct cli *cli)
{
    CLEANUP(buf_done) struct buf path                 = buf_init(PATH_MAX_BYTES);
    CLEANUP(buf_done) struct buf name                 = buf_init(PATH_MAX_BYTES);
    CLEANUP(api_answer_done) struct api_answer answer = {};
    const char *colon                                 = strchr(cli->arguments[0], ':');
    if (!colon || colon[1] == '\0') {
        (void)fprintf(stderr, "tutti: retire NAME:VERSION\n");
        return CLI_USAGE;
    }
    (void)buf_put_str(&name, (str){cli->arguments[0], (size_t)(colon - cli->arguments[0])});
    (void)buf_put_text(&path, "/v1/workflows/");
    api_put_segment(&path, name.ptr ? name.ptr : "");
    (void)buf_put_text(&path, "/versions/");
    api_put_segment(&path, colon + 1);
    const struct api_call call = {.method = "DELETE", .path = path.ptr};
    enum cli_exit code         = ask(cli, &call, &answer);
    if (code == CLI_OK && !cli->is_json) (void)printf("retired\n");
    return code;
}
