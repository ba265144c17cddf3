/* job: one call that is queued, at work or over; and cancelling it. */
#include "cli/api.h"
#include "cli/print.h"
#include "json/json_text.h"
#include "json/json_write.h"

#include <stdio.h>

enum { PATH_MAX_BYTES = 256, BODY_MAX = 8 << 10, VALUE_MAX = 64 << 10, COLUMNS = 10 };
enum { JOB_REASON };

static void add_job(struct table *table, json job)
{
    char attempt[NUMBER_SIZE];
    CLEANUP(buf_done) struct buf progress = buf_init(VALUE_MAX);
    json said                             = json_get_text(job, "progress");
    if (!json_is(said, JSON_INVALID)) (void)json_print(said, JSON_COMPACT, &progress);
    const str cells[COLUMNS] = {
        member(job, "id", ""),
        member(job, "state", ""),
        member(job, "function", ""),
        member(job, "queue", ""),
        member(job, "run", ""),
        member(job, "task", ""),
        member_number(job, "attempt", attempt),
        member(job, "worker", ""),
        buf_str(&progress),
        member(json_get_text(job, "error"), "detail", ""),
    };
    table_add(table, cells);
}

static void print_job(json answer)
{
    static const char *const titles[COLUMNS] = {"JOB",  "STATE",   "FUNCTION", "QUEUE",    "RUN",
                                                "TASK", "ATTEMPT", "WORKER",   "PROGRESS", "ERROR"};
    print_rows(answer, titles, COLUMNS, add_job);
}

static enum cli_exit cancel(const struct cli *cli, const char *path)
{
    CLEANUP(buf_done) struct buf body = buf_init(BODY_MAX);
    struct json_writer w              = json_writer_init(&body);
    json_begin_object(&w);
    if (cli->values[JOB_REASON]) json_put_text(&w, "reason", str_from(cli->values[JOB_REASON]));
    json_end_object(&w);
    return api_do(cli, "POST", path, buf_str(&body), "cancelled");
}

enum cli_exit command_job(struct cli *cli)
{
    CLEANUP(buf_done) struct buf path = buf_init(PATH_MAX_BYTES);
    str action                        = str_from(cli->arguments[0]);
    bool cancels                      = str_is(action, "cancel");
    if (!cancels && (!str_is(action, "show") || cli->values[JOB_REASON])) {
        (void)fprintf(stderr, "tutti: job show JOB, or job cancel JOB [--reason TEXT]\n");
        return CLI_USAGE;
    }
    (void)buf_put_text(&path, "/v1/jobs/");
    api_put_segment(&path, cli->arguments[1]);
    if (cancels) (void)buf_put_text(&path, "/cancel");
    const struct api_call call = {.method = "GET", .path = path.ptr};
    return cancels ? cancel(cli, path.ptr) : api_show(cli, &call, print_job);
}
