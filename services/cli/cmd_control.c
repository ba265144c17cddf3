/* signal, cancel, terminate, pause, resume, delete: what is done to a run. */
#include "cli/api.h"
#include "cli/print.h"
#include "json/json_text.h"
#include "json/json_write.h"

#include <stdio.h>

enum { PATH_MAX_BYTES = 2048, BODY_MAX = 32 << 20 /* bytes */ };

static void put_run_path(struct buf *path, const char *run, const char *rest)
{
    (void)buf_put_text(path, "/v1/runs/");
    api_put_segment(path, run);
    (void)buf_put_text(path, rest);
}

static enum cli_exit ask(const struct cli *cli, const char *method, const struct buf *path,
                         const struct buf *body, const char *said)
{
    CLEANUP(api_freep) struct api *api                = NULL;
    CLEANUP(api_answer_done) struct api_answer answer = {};
    struct error error                                = {};
    if (api_new(cli, &api, &error) != STATUS_OK) {
        (void)fprintf(stderr, "tutti: %s\n", error.text);
        return CLI_USAGE;
    }
    const struct api_call call = {.method = method, .path = path->ptr, .body = buf_str(body)};
    enum cli_exit code         = api_call(api, &call, &answer);
    if (code != CLI_OK) return code;
    if (cli->is_json && !json_is(answer.value, JSON_INVALID)) {
        print_json(answer.value);
    } else {
        (void)printf("%s\n", said);
    }
    return CLI_OK;
}

enum cli_exit command_signal(struct cli *cli)
{
    struct error error                = {};
    CLEANUP(buf_done) struct buf path = buf_init(PATH_MAX_BYTES);
    CLEANUP(buf_done) struct buf body = buf_init(BODY_MAX);
    put_run_path(&path, cli->arguments[0], "/signals/");
    api_put_segment(&path, cli->arguments[1]);
    if (cli->argument_count == 3) {
        CLEANUP(json_unrefp) json data = json_invalid();
        if (read_json_argument(cli->arguments[2], &data, &error) != STATUS_OK) {
            (void)fprintf(stderr, "tutti: signal: %s\n", error.text);
            return CLI_USAGE;
        }
        (void)json_print(data, JSON_COMPACT, &body);
    }
    return ask(cli, "POST", &path, &body, "sent");
}

static enum cli_exit stop_run(struct cli *cli, const char *action, const char *said)
{
    CLEANUP(buf_done) struct buf path = buf_init(PATH_MAX_BYTES);
    CLEANUP(buf_done) struct buf body = buf_init(BODY_MAX);
    put_run_path(&path, cli->arguments[0], action);
    if (cli->values[0]) {
        struct json_writer w = json_writer_init(&body);
        json_begin_object(&w);
        json_put_text(&w, "reason", str_from(cli->values[0]));
        json_end_object(&w);
    }
    return ask(cli, "POST", &path, &body, said);
}

enum cli_exit command_cancel(struct cli *cli)
{
    return stop_run(cli, "/cancel", "cancelled");
}

enum cli_exit command_terminate(struct cli *cli)
{
    return stop_run(cli, "/terminate", "terminated");
}

enum cli_exit command_pause(struct cli *cli)
{
    return stop_run(cli, "/pause", "suspended");
}

enum cli_exit command_resume(struct cli *cli)
{
    return stop_run(cli, "/resume", "resumed");
}

enum { DELETE_FORCE };

enum cli_exit command_delete(struct cli *cli)
{
    CLEANUP(buf_done) struct buf path = buf_init(PATH_MAX_BYTES);
    CLEANUP(buf_done) struct buf body = buf_init(BODY_MAX);
    put_run_path(&path, cli->arguments[0], cli->values[DELETE_FORCE] ? "?force=true" : "");
    return ask(cli, "DELETE", &path, &body, "deleted");
}
