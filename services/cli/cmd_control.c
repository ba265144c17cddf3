/* signal, cancel, pause, restart, reset, draft, delete and others: what is done to a run. */
#include "cli/api.h"
#include "cli/print.h"
#include "json/json_text.h"
#include "json/json_write.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { PATH_MAX_BYTES = 2048, BODY_MAX = 32 << 20 /* bytes */ };

static void put_value_if(struct json_writer *w, const char *name, json value)
{
    if (json_is(value, JSON_INVALID)) return;
    json_member(w, name);
    json_write_value(w, value);
}

enum { SIGNAL_START, SIGNAL_INPUT };

/* One commit: a run that is there gets the event alone. */
static enum cli_exit signal_with_start(const struct cli *cli, json data, json input)
{
    CLEANUP(buf_done) struct buf body = buf_init(BODY_MAX);
    struct json_writer w              = json_writer_init(&body);
    json_begin_object(&w);
    json_member(&w, "start");
    json_begin_object(&w);
    json_put_text(&w, "workflow", str_from(cli->values[SIGNAL_START]));
    json_put_text(&w, "client_id", str_from(cli->arguments[0]));
    json_put_text(&w, "on_conflict", str_from("return"));
    put_value_if(&w, "input", input);
    json_end_object(&w);
    json_member(&w, "signal");
    json_begin_object(&w);
    json_put_text(&w, "name", str_from(cli->arguments[1]));
    put_value_if(&w, "data", data);
    json_end_object(&w);
    json_end_object(&w);
    return api_do(cli, "POST", "/v1/runs/signal-with-start", buf_str(&body), "sent");
}

enum cli_exit command_signal(struct cli *cli)
{
    struct error error                = {};
    CLEANUP(json_unrefp) json data    = json_invalid();
    CLEANUP(json_unrefp) json input   = json_invalid();
    CLEANUP(buf_done) struct buf path = buf_init(PATH_MAX_BYTES);
    CLEANUP(buf_done) struct buf body = buf_init(BODY_MAX);
    bool starts                       = cli->values[SIGNAL_START];
    if (cli->values[SIGNAL_INPUT] && !starts) {
        (void)fprintf(stderr, "tutti: signal: --input is that of a run to --start\n");
        return CLI_USAGE;
    }
    if ((cli->argument_count == 3 &&
         read_json_argument(cli->arguments[2], &data, &error) != STATUS_OK) ||
        (cli->values[SIGNAL_INPUT] &&
         read_json_argument(cli->values[SIGNAL_INPUT], &input, &error) != STATUS_OK)) {
        (void)fprintf(stderr, "tutti: signal: %s\n", error.text);
        return CLI_USAGE;
    }
    if (starts) return signal_with_start(cli, data, input);
    api_put_run(&path, cli->arguments[0], "/signals/");
    api_put_segment(&path, cli->arguments[1]);
    if (cli->argument_count == 3) (void)json_print(data, JSON_COMPACT, &body);
    return api_do(cli, "POST", path.ptr, buf_str(&body), "sent");
}

static enum cli_exit stop_run(struct cli *cli, const char *action, const char *said)
{
    CLEANUP(buf_done) struct buf path = buf_init(PATH_MAX_BYTES);
    CLEANUP(buf_done) struct buf body = buf_init(BODY_MAX);
    api_put_run(&path, cli->arguments[0], action);
    if (cli->values[0]) {
        struct json_writer w = json_writer_init(&body);
        json_begin_object(&w);
        json_put_text(&w, "reason", str_from(cli->values[0]));
        json_end_object(&w);
    }
    return api_do(cli, "POST", path.ptr, buf_str(&body), said);
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
    api_put_run(&path, cli->arguments[0], cli->values[DELETE_FORCE] ? "?force=true" : "");
    return api_do(cli, "DELETE", path.ptr, buf_str(&body), "deleted");
}

/* --- once more, drafts -------------------------------------------------------------------------
 */

enum cli_exit command_compensate(struct cli *cli)
{
    return stop_run(cli, "/compensate", "is being undone");
}

static void print_id(json run)
{
    (void)printf(STR_FMT "\n", STR_ARG(member(run, "id", "")));
}

/* The id of a new run. */
static enum cli_exit ask_new(const struct cli *cli, const struct buf *path, json body)
{
    CLEANUP(buf_done) struct buf text = buf_init(BODY_MAX);
    (void)json_print(body, JSON_COMPACT, &text);
    const struct api_call call = {.method = "POST", .path = path->ptr, .body = buf_str(&text)};
    return api_show(cli, &call, print_id);
}

static void put_text(json *object, const char *name, const char *value)
{
    if (value) json_object_put_text(object, name, json_text_lossy(str_from(value)));
}

enum { RESTART_ID, RESTART_VERSION };

enum cli_exit command_restart(struct cli *cli)
{
    CLEANUP(buf_done) struct buf path = buf_init(PATH_MAX_BYTES);
    CLEANUP(json_unrefp) json body    = json_object_new(2);
    put_text(&body, "id", cli->values[RESTART_ID]);
    put_text(&body, "version", cli->values[RESTART_VERSION]);
    api_put_run(&path, cli->arguments[0], "/restart");
    return ask_new(cli, &path, body);
}

enum { RESET_REASON };

enum cli_exit command_reset(struct cli *cli)
{
    CLEANUP(buf_done) struct buf path = buf_init(PATH_MAX_BYTES);
    CLEANUP(json_unrefp) json body    = json_object_new(2);
    char *end                         = NULL;
    long long sequence                = strtoll(cli->arguments[1], &end, 10);
    if (*end || sequence < 1) {
        (void)fprintf(stderr, "tutti: reset: the number of an event, as `tutti logs` shows it\n");
        return CLI_USAGE;
    }
    json_object_put_text(&body, "to_sequence", json_int(sequence));
    put_text(&body, "reason", cli->values[RESET_REASON]);
    api_put_run(&path, cli->arguments[0], "/reset");
    return ask_new(cli, &path, body);
}

enum { DRAFT_PATCH, DRAFT_APPROVE, DRAFT_COMMENT };

enum cli_exit command_draft(struct cli *cli)
{
    struct error error = {};
    if (!cli->values[DRAFT_PATCH] && !cli->values[DRAFT_APPROVE]) {
        (void)fprintf(stderr, "tutti: draft: --patch, --approve or both\n");
        return CLI_USAGE;
    }
    if (cli->values[DRAFT_PATCH]) {
        CLEANUP(buf_done) struct buf path = buf_init(PATH_MAX_BYTES);
        CLEANUP(buf_done) struct buf body = buf_init(BODY_MAX);
        CLEANUP(json_unrefp) json patch   = json_invalid();
        if (read_json_argument(cli->values[DRAFT_PATCH], &patch, &error) != STATUS_OK) {
            (void)fprintf(stderr, "tutti: --patch: %s\n", error.text);
            return CLI_USAGE;
        }
        (void)json_print(patch, JSON_COMPACT, &body);
        api_put_run(&path, cli->arguments[0], "/input");
        enum cli_exit code = api_do(cli, "PATCH", path.ptr, buf_str(&body), "changed");
        if (code != CLI_OK || !cli->values[DRAFT_APPROVE]) return code;
    }
    CLEANUP(buf_done) struct buf path = buf_init(PATH_MAX_BYTES);
    CLEANUP(buf_done) struct buf text = buf_init(BODY_MAX);
    CLEANUP(json_unrefp) json body    = json_object_new(1);
    put_text(&body, "comment", cli->values[DRAFT_COMMENT]);
    (void)json_print(body, JSON_COMPACT, &text);
    api_put_run(&path, cli->arguments[0], "/approve");
    return api_do(cli, "POST", path.ptr, buf_str(&text), "started");
}

/* --- batch -------------------------------------------------------------------------------------
 */

enum { BATCH_MAX, BATCH_LABEL };

static enum cli_exit print_results(const struct cli *cli, json answer)
{
    json results         = json_get_text(answer, "results");
    enum cli_exit result = CLI_OK;
    if (cli->is_json) print_json(answer);
    for (size_t i = 0; i < json_count(results); i++) {
        json one     = json_at(results, i);
        json run     = json_get_text(one, "run");
        json problem = json_get_text(one, "problem");
        if (json_is(problem, JSON_OBJECT)) result = CLI_FAILED;
        if (cli->is_json) continue;
        if (json_is(problem, JSON_OBJECT)) {
            print_clean(stdout, "refused: ", member(problem, "detail", ""));
            (void)putchar('\n');
        } else {
            (void)printf(STR_FMT " " STR_FMT "\n", STR_ARG(member(run, "id", "")),
                         STR_ARG(member(run, "status", "")));
        }
    }
    return result;
}

enum cli_exit command_batch(struct cli *cli)
{
    CLEANUP(api_answer_done) struct api_answer answer = {};
    CLEANUP(buf_done) struct buf text                 = buf_init(BODY_MAX);
    CLEANUP(json_unrefp) json items                   = json_invalid();
    CLEANUP(json_unrefp) json body                    = json_object_new(3);
    struct error error                                = {};
    if (read_json_argument(cli->arguments[0], &items, &error) != STATUS_OK ||
        !json_is(items, JSON_ARRAY)) {
        (void)fprintf(stderr, "tutti: batch: %s\n",
                      *error.text ? error.text : "a list of starts: [{\"workflow\": ...}, ...]");
        return CLI_USAGE;
    }
    json_object_put_text(&body, "items", json_ref(items));
    if (cli->values[BATCH_LABEL]) {
        json labels = json_invalid();
        if (read_label_argument(cli->values[BATCH_LABEL], &labels, &error) != STATUS_OK) {
            (void)fprintf(stderr, "tutti: %s\n", error.text);
            return CLI_USAGE;
        }
        json_object_put_text(&body, "labels", labels);
    }
    if (cli->values[BATCH_MAX]) {
        json_object_put_text(&body, "max_concurrent",
                             json_int(strtol(cli->values[BATCH_MAX], NULL, 10)));
    }
    (void)json_print(body, JSON_COMPACT, &text);
    const struct api_call call = {
        .method = "POST", .path = "/v1/runs/batch", .body = buf_str(&text)};
    enum cli_exit code = api_ask(cli, &call, &answer);
    return code == CLI_OK ? print_results(cli, answer.value) : code;
}
