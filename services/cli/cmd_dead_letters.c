/* retry, dead-letters: what was given up, and another go at it. */
#include "cli/api.h"
#include "cli/limit_flags.h"
#include "cli/print.h"
#include "json/json_text.h"

#include <stdio.h>

enum { PATH_MAX_BYTES = 1024, BODY_MAX = 1 << 20 };

enum { RETRY_TASK, RETRY_PATCH };

/* A body with what was given; false: the patch is no JSON, and that has been said. */
static bool put_body(const char *task, const char *patch, struct buf *out)
{
    CLEANUP(json_unrefp) json body  = json_object_new(2);
    CLEANUP(json_unrefp) json value = json_invalid();
    struct error error              = {};
    if (task) json_object_put_text(&body, "task", json_text_lossy(str_from(task)));
    if (patch && read_json_argument(patch, &value, &error) != STATUS_OK) {
        (void)fprintf(stderr, "tutti: --patch: %s\n", error.text);
        return false;
    }
    if (patch) json_object_put_text(&body, "input_patch", json_ref(value));
    return json_print(body, JSON_COMPACT, out);
}

enum cli_exit command_retry(struct cli *cli)
{
    CLEANUP(buf_done) struct buf path = buf_init(PATH_MAX_BYTES);
    CLEANUP(buf_done) struct buf body = buf_init(BODY_MAX);
    if (!put_body(cli->values[RETRY_TASK], cli->values[RETRY_PATCH], &body)) return CLI_USAGE;
    api_put_run(&path, cli->arguments[0], "/retry");
    return api_do(cli, "POST", path.ptr, buf_str(&body), "goes on");
}

enum cli_exit command_fail(struct cli *cli)
{
    CLEANUP(buf_done) struct buf path = buf_init(PATH_MAX_BYTES);
    CLEANUP(buf_done) struct buf body = buf_init(BODY_MAX);
    if (!put_body(cli->values[RETRY_TASK], NULL, &body)) return CLI_USAGE;
    api_put_run(&path, cli->arguments[0], "/fail");
    return api_do(cli, "POST", path.ptr, buf_str(&body), "has failed");
}

/* --- dead letters ------------------------------------------------------------------------------
 */

enum { LETTERS_PATCH, LETTERS_RATE, LETTERS_ERROR, LETTERS_FUNCTION };

static void put_queue(struct buf *path, const char *queue)
{
    (void)buf_put_text(path, "/v1/queues/");
    api_put_segment(path, queue);
    (void)buf_put_text(path, "/dead-letters");
}

static void add_letter(struct table *table, json one)
{
    char attempts[NUMBER_SIZE];
    json error        = json_get_text(one, "error");
    str title         = member(error, "title", "");
    const str cells[] = {member(one, "job", ""),
                         member(one, "time", ""),
                         member(one, "run", ""),
                         member(one, "task", ""),
                         member_number(one, "attempts", attempts),
                         title.len > 0 ? title : member(error, "type", "")};
    table_add(table, cells);
}

static void print_letters(json list)
{
    static const char *const titles[] = {"JOB", "TIME", "RUN", "TASK", "ATTEMPTS", "ERROR"};
    print_rows(list, titles, ARRAY_LEN(titles), add_letter);
}

static void print_causes(json list)
{
    static const char *const titles[] = {"ERROR", "FUNCTION", "COUNT", "FIRST", "LAST"};
    CLEANUP(table_done) struct table table;
    table_init(&table, titles, ARRAY_LEN(titles));
    json groups = json_get_text(list, "analysis");
    for (size_t i = 0; i < json_count(groups); i++) {
        json one = json_at(groups, i);
        char count[NUMBER_SIZE];
        const str cells[] = {member(one, "error_type", ""), member(one, "function", ""),
                             member_number(one, "count", count), member(one, "first_at", ""),
                             member(one, "last_at", "")};
        table_add(&table, cells);
    }
    table_print(&table);
}

static void put_filter(const struct cli *cli, struct buf *path)
{
    const char *const names[]  = {"error_type", "function"};
    const char *const values[] = {cli->values[LETTERS_ERROR], cli->values[LETTERS_FUNCTION]};
    char before                = '?';
    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        if (!values[i]) continue;
        (void)buf_printf(path, "%c%s=", before, names[i]);
        api_put_segment(path, values[i]);
        before = '&';
    }
}

static enum cli_exit list(const struct cli *cli, bool is_of_causes)
{
    CLEANUP(buf_done) struct buf path = buf_init(PATH_MAX_BYTES);
    put_queue(&path, cli->arguments[0]);
    put_filter(cli, &path);
    const struct api_call call = {.method = "GET", .path = path.ptr};
    return api_show(cli, &call, is_of_causes ? print_causes : print_letters);
}

static enum cli_exit redrive_all(const struct cli *cli, struct buf *path)
{
    CLEANUP(buf_done) struct buf body = buf_init(BODY_MAX);
    struct json_writer w              = json_writer_init(&body);
    const char *rate                  = cli->values[LETTERS_RATE];
    json_begin_object(&w);
    json_member(&w, "filter");
    json_begin_object(&w);
    if (cli->values[LETTERS_ERROR]) {
        json_put_text(&w, "error_type", str_from(cli->values[LETTERS_ERROR]));
    }
    if (cli->values[LETTERS_FUNCTION]) {
        json_put_text(&w, "function", str_from(cli->values[LETTERS_FUNCTION]));
    }
    json_end_object(&w);
    if (rate && !put_rate(rate, &w)) {
        (void)fprintf(stderr, "tutti: --rate: COUNT/TIME, such as 10/1m\n");
        return CLI_USAGE;
    }
    json_end_object(&w);
    (void)buf_put_text(path, "/redrive-all");
    return api_do(cli, "POST", path->ptr, buf_str(&body), "under way");
}

enum cli_exit command_dead_letters(struct cli *cli)
{
    CLEANUP(buf_done) struct buf path = buf_init(PATH_MAX_BYTES);
    CLEANUP(buf_done) struct buf body = buf_init(BODY_MAX);
    if (cli->argument_count == 1) return list(cli, false);
    str action = str_from(cli->arguments[1]);
    if (cli->argument_count == 2 && str_is(action, "causes")) return list(cli, true);
    bool is_all = cli->argument_count == 2 && str_is(action, "redrive-all");
    bool is_one = cli->argument_count == 3 && (str_is(action, "redrive") || str_is(action, "drop"));
    if (!is_all && !is_one) {
        (void)fprintf(
            stderr, "tutti: dead-letters QUEUE [redrive JOB | drop JOB | redrive-all | causes]\n");
        return CLI_USAGE;
    }
    put_queue(&path, cli->arguments[0]);
    if (is_all) return redrive_all(cli, &path);
    (void)buf_put_byte(&path, '/');
    api_put_segment(&path, cli->arguments[2]);
    if (str_is(action, "drop")) return api_do(cli, "DELETE", path.ptr, buf_str(&body), "dropped");
    (void)buf_put_text(&path, "/redrive");
    if (!put_body(NULL, cli->values[LETTERS_PATCH], &body)) return CLI_USAGE;
    return api_do(cli, "POST", path.ptr, buf_str(&body), "goes on");
}
