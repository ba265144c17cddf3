/* run, list, show, logs: runs. What is done to them: cmd_control.c. */
#include "base/clock.h"
#include "cli/api.h"
#include "cli/follow.h"
#include "cli/print.h"
#include "json/json_text.h"
#include "json/json_write.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    BODY_MAX       = 32 << 20, /* bytes */
    PATH_MAX_BYTES = 2048,
    DAY_MS         = 86'400'000,
    LIST_LIMIT     = 20,
    LIST_LIMIT_MAX = 500,
    LONG_WAIT_MS   = 70'000,
};

static enum cli_exit usage_error(const char *flag, const char *what)
{
    (void)fprintf(stderr, "tutti: %s: %s\n", flag, what);
    return CLI_USAGE;
}

/* --- the end of a run --------------------------------------------------------------------------
 */

static void print_run_error(json run)
{
    json error = json_get_text(run, "error");
    (void)fprintf(stderr, "run " STR_FMT " " STR_FMT, STR_ARG(member(run, "id", "")),
                  STR_ARG(member(run, "status", "")));
    str title = member(error, "title", "");
    if (title.len > 0) print_clean(stderr, ": ", title);
    str detail = member(error, "detail", "");
    if (detail.len > 0) print_clean(stderr, ": ", detail);
    str instance = member(error, "instance", "");
    if (instance.len > 0) (void)fprintf(stderr, "\n  at " STR_FMT, STR_ARG(instance));
    (void)fprintf(stderr, "\n");
}

static enum cli_exit report_end(const struct cli *cli, json run)
{
    bool is_good = str_is(member(run, "status", ""), "completed");
    if (cli->is_json) {
        print_json(run);
    } else if (is_good) {
        json output = json_get_text(run, "output");
        print_json(json_is(output, JSON_INVALID) ? json_null() : output);
    } else {
        print_run_error(run);
    }
    return is_good ? CLI_OK : CLI_FAILED;
}

static bool is_final(json run)
{
    static const char *const names[] = {"completed", "faulted", "cancelled", "terminated"};
    str state                        = member(run, "status", "");
    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        if (str_is(state, names[i])) return true;
    }
    return false;
}

/* Asks until the run has ended; each question is parked at the gateway. */
static enum cli_exit wait_for_end(const struct cli *cli, struct api *api, const char *run,
                                  int64_t until_ms)
{
    for (;;) {
        int64_t left_ms = until_ms - clock_mono_ms();
        if (left_ms < 0) left_ms = 0;
        if (left_ms > 30'000) left_ms = 30'000;
        CLEANUP(buf_done) struct buf path = buf_init(PATH_MAX_BYTES);
        api_put_run(&path, run, "");
        (void)buf_printf(&path, "?wait=%" PRId64 "ms", left_ms);
        CLEANUP(api_answer_done) struct api_answer answer = {};
        const struct api_call call                        = {
                                   .method = "GET", .path = path.ptr, .timeout_ms = LONG_WAIT_MS};
        enum cli_exit code = api_call(api, &call, &answer);
        if (code != CLI_OK) return code;
        if (is_final(answer.value)) return report_end(cli, answer.value);
        if (clock_mono_ms() < until_ms) continue;
        (void)fprintf(stderr, "tutti: run %s is still " STR_FMT "; it goes on without us\n", run,
                      STR_ARG(member(answer.value, "status", "running")));
        return CLI_TIMEOUT;
    }
}

/* --- run ---------------------------------------------------------------------------------------
 */

/* In the order of run_flags in main.c. */
enum {
    RUN_INPUT,
    RUN_ID,
    RUN_WAIT,
    RUN_FOLLOW,
    RUN_TIMEOUT,
    RUN_LABEL,
    RUN_PRIORITY,
    RUN_DRAFT,
    RUN_DEADLINE,
    RUN_ON_CONFLICT
};

/* The server says what is wrong with them. */
static void put_if(struct json_writer *w, const char *name, const char *value)
{
    if (value) json_put_text(w, name, str_from(value));
}

static status put_start(const struct cli *cli, struct buf *body, struct error *reterr)
{
    struct json_writer w = json_writer_init(body);
    json_begin_object(&w);
    json_put_text(&w, "workflow", str_from(cli->arguments[0]));
    if (cli->values[RUN_INPUT]) {
        CLEANUP(json_unrefp) json input = json_invalid();
        TRY(read_json_argument(cli->values[RUN_INPUT], &input, reterr));
        json_member(&w, "input");
        json_write_value(&w, input);
    }
    put_if(&w, "client_id", cli->values[RUN_ID]);
    put_if(&w, "deadline", cli->values[RUN_DEADLINE]);
    put_if(&w, "on_conflict", cli->values[RUN_ON_CONFLICT]);
    if (cli->values[RUN_LABEL]) {
        CLEANUP(json_unrefp) json labels = json_invalid();
        TRY(read_label_argument(cli->values[RUN_LABEL], &labels, reterr));
        json_member(&w, "labels");
        json_write_value(&w, labels);
    }
    const char *priority = cli->values[RUN_PRIORITY];
    if (priority) {
        if (priority[0] < '0' || priority[0] > '9' || priority[1]) {
            return fail(reterr, STATUS_INVALID_ARGUMENT, "--priority: 0 to 9");
        }
        json_put_int(&w, "priority", priority[0] - '0');
    }
    if (cli->values[RUN_DRAFT]) json_put_bool(&w, "draft", true);
    json_end_object(&w);
    if (body->is_full) return fail(reterr, STATUS_RESOURCE_EXHAUSTED, "the input is too large");
    return STATUS_OK;
}

static enum cli_exit after_start(const struct cli *cli, struct api *api, json run, int64_t until_ms)
{
    char id[64];
    (void)snprintf(id, sizeof id, STR_FMT, STR_ARG(member(run, "id", "")));
    if (!cli->values[RUN_WAIT] && !cli->values[RUN_FOLLOW]) {
        if (cli->is_json) {
            print_json(run);
        } else {
            (void)printf("%s\n", id);
        }
        return CLI_OK;
    }
    if (cli->values[RUN_FOLLOW]) {
        enum follow_style style = cli->is_json ? FOLLOW_JSON : FOLLOW_PROGRESS;
        if (!cli->is_json) (void)printf("run %s\n", id);
        enum cli_exit code = follow_run(api, cli, id, 0, style, until_ms);
        if (code != CLI_OK && code != CLI_TIMEOUT) return code;
    }
    return wait_for_end(cli, api, id, until_ms);
}

enum cli_exit command_run(struct cli *cli)
{
    struct error error = {};
    int64_t timeout_us = (int64_t)DAY_MS * 1000;
    if (cli->values[RUN_TIMEOUT] &&
        !duration_parse(str_from(cli->values[RUN_TIMEOUT]), &timeout_us)) {
        return usage_error("--timeout", "a duration such as 30s or 2h");
    }
    CLEANUP(buf_done) struct buf body = buf_init(BODY_MAX);
    if (put_start(cli, &body, &error) != STATUS_OK) return usage_error("run", error.text);
    CLEANUP(api_freep) struct api *api = api_open(cli);
    if (!api) return CLI_USAGE;
    int64_t until_ms = clock_mono_ms() + timeout_us / 1000;

    CLEANUP(api_answer_done) struct api_answer answer = {};
    const struct api_call call = {.method = "POST", .path = "/v1/runs", .body = buf_str(&body)};
    enum cli_exit code         = api_call(api, &call, &answer);
    return code == CLI_OK ? after_start(cli, api, answer.value, until_ms) : code;
}

/* --- list --------------------------------------------------------------------------------------
 */

enum { LIST_STATUS, LIST_WORKFLOW, LIST_LABEL, LIST_COUNT, LIST_AFTER, LIST_BEFORE };

static void add_filter(struct buf *path, const char *name, const char *value)
{
    if (!value) return;
    (void)buf_printf(path, "&%s=", name);
    api_put_segment(path, value);
}

static void add_run_row(struct table *table, json run)
{
    CLEANUP(buf_done) struct buf name     = buf_init(256);
    CLEANUP(buf_done) struct buf progress = buf_init(64);
    json workflow                         = json_get_text(run, "workflow");
    json percent = json_get_text(json_get_text(run, "progress"), "percent");
    (void)buf_printf(&name, STR_FMT "/" STR_FMT ":" STR_FMT, STR_ARG(member(run, "namespace", "")),
                     STR_ARG(member(workflow, "name", "")),
                     STR_ARG(member(workflow, "version", "")));
    (void)buf_printf(&progress, "%.0f %%", json_is_number(percent) ? json_number(percent) : 0);
    const str cells[] = {member(run, "id", ""), member(run, "status", ""), buf_str(&progress),
                         buf_str(&name), member(run, "created_at", "")};
    table_add(table, cells);
}

static void print_runs(json list)
{
    static const char *const titles[] = {"RUN", "STATUS", "DONE", "WORKFLOW", "STARTED"};
    print_rows(list, titles, ARRAY_LEN(titles), add_run_row);
}

enum cli_exit command_list(struct cli *cli)
{
    int limit = LIST_LIMIT;
    if (cli->values[LIST_COUNT]) {
        char *end  = NULL;
        long value = strtol(cli->values[LIST_COUNT], &end, 10);
        if (*end || value < 1 || value > LIST_LIMIT_MAX) {
            return usage_error("--limit", "1 to 500");
        }
        limit = (int)value;
    }
    CLEANUP(buf_done) struct buf path = buf_init(PATH_MAX_BYTES);
    (void)buf_printf(&path, "/v1/runs?page_size=%d", limit);
    add_filter(&path, "status", cli->values[LIST_STATUS]);
    add_filter(&path, "workflow", cli->values[LIST_WORKFLOW]);
    add_filter(&path, "label", cli->values[LIST_LABEL]);
    add_filter(&path, "created_after", cli->values[LIST_AFTER]);
    add_filter(&path, "created_before", cli->values[LIST_BEFORE]);

    const struct api_call call = {.method = "GET", .path = path.ptr};
    return api_show(cli, &call, print_runs);
}

/* --- show --------------------------------------------------------------------------------------
 */

static void print_line(const char *name, str value)
{
    if (value.len > 0) (void)printf("%-12s " STR_FMT "\n", name, STR_ARG(value));
}

static void print_waiting(json run)
{
    json waiting = json_get_text(run, "waiting_for");
    for (size_t i = 0; json_is(waiting, JSON_ARRAY) && i < json_count(waiting); i++) {
        json one = json_at(waiting, i);
        (void)printf("%-12s " STR_FMT " at " STR_FMT " since " STR_FMT, i == 0 ? "waits for" : "",
                     STR_ARG(member(one, "kind", "")), STR_ARG(member(one, "task", "")),
                     STR_ARG(member(one, "since", "")));
        print_clean(stdout, " ", member(one, "detail", ""));
        (void)putchar('\n');
    }
}

static void print_totals(json run)
{
    json progress                     = json_get_text(run, "progress");
    json usage                        = json_get_text(run, "usage");
    json percent                      = json_get_text(progress, "percent");
    json elapsed                      = json_get_text(progress, "elapsed_seconds");
    int64_t input                     = member_int(usage, "input_tokens");
    int64_t output                    = member_int(usage, "output_tokens");
    CLEANUP(buf_done) struct buf time = buf_init(64);
    print_duration(json_is_number(elapsed) ? (int64_t)(json_number(elapsed) * 1000) : 0, &time);
    (void)printf("%-12s %.0f %% in %s\n", "progress",
                 json_is_number(percent) ? json_number(percent) : 0, time.ptr);
    if (input + output == 0) return;
    str cost          = member(usage, "cost_usd", "unknown");
    bool is_simulated = json_is_truthy(json_get_text(usage, "simulated"));
    (void)printf("%-12s %" PRId64 " in, %" PRId64 " out, $" STR_FMT "%s\n", "tokens", input, output,
                 STR_ARG(cost), is_simulated ? " (simulated)" : "");
}

static void print_document(const char *name, json value)
{
    if (json_is(value, JSON_INVALID)) return;
    (void)printf("\n%s\n", name);
    print_json(value);
}

enum cli_exit command_show(struct cli *cli)
{
    CLEANUP(buf_done) struct buf path = buf_init(PATH_MAX_BYTES);
    api_put_run(&path, cli->arguments[0], "");
    CLEANUP(api_freep) struct api *api                = api_open(cli);
    CLEANUP(api_answer_done) struct api_answer answer = {};
    if (!api) return CLI_USAGE;
    const struct api_call call = {.method = "GET", .path = path.ptr};
    enum cli_exit code         = api_call(api, &call, &answer);
    if (code != CLI_OK) return code;
    json run = answer.value;
    if (cli->is_json) {
        print_json(run);
        return CLI_OK;
    }
    json workflow                     = json_get_text(run, "workflow");
    CLEANUP(buf_done) struct buf name = buf_init(256);
    (void)buf_printf(&name, STR_FMT "/" STR_FMT ":" STR_FMT, STR_ARG(member(run, "namespace", "")),
                     STR_ARG(member(workflow, "name", "")),
                     STR_ARG(member(workflow, "version", "")));
    print_line("run", member(run, "id", ""));
    print_line("client id", member(run, "client_id", ""));
    print_line("workflow", buf_str(&name));
    print_line("status", member(run, "status", ""));
    print_line("parent", member(json_get_text(run, "parent"), "run", ""));
    print_line("started", member(run, "started_at", ""));
    print_line("ended", member(run, "ended_at", ""));
    print_totals(run);
    print_waiting(run);
    print_document("input", json_get_text(run, "input"));
    print_document("output", json_get_text(run, "output"));
    print_document("error", json_get_text(run, "error"));
    return CLI_OK;
}

/* --- why ---------------------------------------------------------------------------------------
 */

static void print_why(json run)
{
    json waiting  = json_get_text(run, "waiting_for");
    str state     = member(run, "status", "");
    str ended     = member(run, "ended_at", "");
    bool is_draft = str_is(state, "draft");
    (void)printf("run " STR_FMT " is %s" STR_FMT, STR_ARG(member(run, "id", "")),
                 is_draft ? "a " : "", STR_ARG(state));
    if (ended.len > 0) (void)printf(" since " STR_FMT, STR_ARG(ended));
    (void)printf("\n");
    for (size_t i = 0; json_is(waiting, JSON_ARRAY) && i < json_count(waiting); i++) {
        json one = json_at(waiting, i);
        print_clean(stdout, "  ", member(one, "reason", "something keeps it busy"));
        print_clean(stdout, "\n    -> ", member(one, "advice", "wait"));
        (void)putchar('\n');
    }
    if (json_count(waiting) > 0 || ended.len > 0) return;
    (void)printf("  it is at work; `tutti logs --follow` shows it\n");
}

enum cli_exit command_why(struct cli *cli)
{
    CLEANUP(buf_done) struct buf path = buf_init(PATH_MAX_BYTES);
    api_put_run(&path, cli->arguments[0], "?view=basic&explain=true");
    const struct api_call call = {.method = "GET", .path = path.ptr};
    return api_show(cli, &call, print_why);
}

/* --- logs --------------------------------------------------------------------------------------
 */

enum { LOGS_FOLLOW, LOGS_AFTER };

static enum cli_exit print_history(const struct cli *cli, struct api *api, uint64_t *after)
{
    for (;;) {
        CLEANUP(buf_done) struct buf path                 = buf_init(PATH_MAX_BYTES);
        CLEANUP(api_answer_done) struct api_answer answer = {};
        api_put_run(&path, cli->arguments[0], "/history?page_size=500");
        (void)buf_printf(&path, "&after=%" PRIu64, *after);
        const struct api_call call = {.method = "GET", .path = path.ptr};
        enum cli_exit code         = api_call(api, &call, &answer);
        if (code != CLI_OK) return code;
        json items = json_get_text(answer.value, "items");
        for (size_t i = 0; i < json_count(items); i++) {
            json event = json_at(items, i);
            *after     = (uint64_t)member_int(event, "sequence");
            if (cli->is_json) {
                print_json_line(event);
            } else {
                follow_print_event(event);
            }
        }
        if (json_is(json_get_text(answer.value, "next_page_token"), JSON_INVALID)) return CLI_OK;
    }
}

enum cli_exit command_logs(struct cli *cli)
{
    uint64_t after = 0;
    if (cli->values[LOGS_AFTER]) {
        char *end = NULL;
        after     = strtoull(cli->values[LOGS_AFTER], &end, 10);
        if (*end) return usage_error("--after", "the number of an event");
    }
    CLEANUP(api_freep) struct api *api = api_open(cli);
    if (!api) return CLI_USAGE;
    if (!cli->values[LOGS_FOLLOW]) return print_history(cli, api, &after);
    return follow_run(api, cli, cli->arguments[0], after,
                      cli->is_json ? FOLLOW_JSON : FOLLOW_EVENTS, 0);
}
