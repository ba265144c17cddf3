/* queue, version: what waits, and the hand of an operator; and a small one. */
#include "cli/api.h"
#include "cli/limit_flags.h"
#include "cli/print.h"
#include "json/json_write.h"

#include <stdio.h>

enum { PATH_MAX_BYTES = 512, CELL_MAX = 32, RULE_MAX = 8 << 10 /* bytes */, COLUMNS = 11 };

/* "3 times, 10m after, 30/1m, of communication, timeout". */
static void redrive_text_put(json rule, struct buf *out)
{
    char times[NUMBER_SIZE];
    json errors = json_get_text(rule, "errors");
    if (!json_is(rule, JSON_OBJECT)) return;
    (void)buf_printf(out, STR_FMT " times, " STR_FMT " after",
                     STR_ARG(member_number(rule, "times", times)),
                     STR_ARG(member(rule, "after", "")));
    if (json_is(json_get_text(rule, "rate"), JSON_OBJECT)) {
        (void)buf_put_text(out, ", ");
        limit_text_put(rule, out);
    }
    for (size_t i = 0; json_is(errors, JSON_ARRAY) && i < json_count(errors); i++) {
        (void)buf_put_text(out, i == 0 ? ", of " : ", ");
        (void)buf_put_str(out, json_str(json_at(errors, i)));
    }
}

static void add_queue(struct table *table, json queue)
{
    static const char *const members[] = {"depth",        "running", "delayed",
                                          "dead_letters", "workers", "slots"};
    char numbers[ARRAY_LEN(members)][NUMBER_SIZE];
    bool is_paused     = json_is(json_get_text(queue, "paused"), JSON_TRUE);
    str cells[COLUMNS] = {member(queue, "name", ""), str_from(is_paused ? "paused" : "open")};
    for (size_t i = 0; i < ARRAY_LEN(members); i++) {
        cells[i + 2] = member_number(queue, members[i], numbers[i]);
    }
    json age                             = json_get_text(queue, "oldest_age_seconds");
    CLEANUP(buf_done) struct buf time    = buf_init(CELL_MAX * 2);
    CLEANUP(buf_done) struct buf limits  = buf_init(CELL_MAX * 4);
    CLEANUP(buf_done) struct buf redrive = buf_init(RULE_MAX);
    print_duration(json_is_number(age) ? (int64_t)(json_number(age) * 1000) : 0, &time);
    limit_text_put(queue, &limits);
    json of_keys = json_get_text(queue, "per_key");
    if (json_is(of_keys, JSON_OBJECT)) {
        (void)buf_put_text(&limits, limits.len > 0 ? "; per key " : "per key ");
        limit_text_put(of_keys, &limits);
    }
    redrive_text_put(json_get_text(queue, "redrive"), &redrive);
    cells[COLUMNS - 3] = buf_str(&time);
    cells[COLUMNS - 2] = buf_str(&limits);
    cells[COLUMNS - 1] = buf_str(&redrive);
    table_add(table, cells);
}

static void print_queues(json answer)
{
    static const char *const titles[COLUMNS] = {"QUEUE",   "STATE",  "READY",   "RUNNING",
                                                "DELAYED", "DEAD",   "WORKERS", "SLOTS",
                                                "OLDEST",  "LIMITS", "REDRIVE"};
    print_rows(answer, titles, COLUMNS, add_queue);
}

/* --- pause, resume, purge, set -----------------------------------------------------------------
 */

enum { FLAG_CONCURRENCY, FLAG_RATE, FLAG_REDRIVE, FLAG_KEY_CONCURRENCY, FLAG_KEY_RATE };

/* As the API takes it, or `none`. */
static bool put_redrive(const char *text, struct json_writer *w)
{
    CLEANUP(json_unrefp) json rule = json_null();
    struct error error             = {};
    if (!limit_is_none(text) && read_json_argument(text, &rule, &error) != STATUS_OK) {
        (void)fprintf(stderr, "tutti: --redrive: %s\n", error.text);
        return false;
    }
    json_member(w, "redrive");
    json_write_value(w, rule);
    return true;
}

static bool put_limits(const struct cli *cli, struct buf *body)
{
    struct json_writer w = json_writer_init(body);
    size_t count         = 0;
    size_t key_count     = 0;
    bool takes_keys_off =
        cli->values[FLAG_KEY_CONCURRENCY] && limit_is_none(cli->values[FLAG_KEY_CONCURRENCY]);
    json_begin_object(&w);
    bool is_fine = limit_put(cli->values[FLAG_CONCURRENCY], cli->values[FLAG_RATE], &w, &count);
    if (takes_keys_off) {
        json_member(&w, "per_key");
        json_write_value(&w, json_null());
        key_count = 1;
    } else if (cli->values[FLAG_KEY_CONCURRENCY] || cli->values[FLAG_KEY_RATE]) {
        json_member(&w, "per_key");
        json_begin_object(&w);
        is_fine &= limit_put(cli->values[FLAG_KEY_CONCURRENCY], cli->values[FLAG_KEY_RATE], &w,
                             &key_count);
        json_end_object(&w);
    }
    const char *redrive = cli->values[FLAG_REDRIVE];
    if (redrive && !put_redrive(redrive, &w)) return false;
    json_end_object(&w);
    return is_fine && (count + key_count > 0 || redrive);
}

static enum cli_exit change_queue(const struct cli *cli)
{
    static const struct {
        const char *name, *said;
    } actions[] = {
        {"pause", "paused"}, {"resume", "resumed"}, {"purge", "under way"}, {"set", "set"}};
    CLEANUP(buf_done) struct buf path = buf_init(PATH_MAX_BYTES);
    CLEANUP(buf_done) struct buf body = buf_init(PATH_MAX_BYTES);
    str action                        = str_from(cli->arguments[0]);
    bool is_set                       = str_is(action, "set");
    const char *said                  = NULL;
    for (size_t i = 0; i < ARRAY_LEN(actions); i++) {
        if (str_is(action, actions[i].name)) said = actions[i].said;
    }
    if (!said || (is_set && !put_limits(cli, &body))) {
        (void)fprintf(stderr,
                      "tutti: queue pause|resume|purge NAME, or queue set NAME "
                      "[--concurrency N|none] [--rate COUNT/TIME|none] [--redrive JSON|none] "
                      "[--key-concurrency N|none] [--key-rate COUNT/TIME]\n");
        return CLI_USAGE;
    }
    (void)buf_put_text(&path, "/v1/queues/");
    api_put_segment(&path, cli->arguments[1]);
    if (!is_set) {
        (void)buf_put_byte(&path, '/');
        (void)buf_put_str(&path, action);
    }
    return api_do(cli, is_set ? "PATCH" : "POST", path.ptr, buf_str(&body), said);
}

enum cli_exit command_queue(struct cli *cli)
{
    CLEANUP(buf_done) struct buf path = buf_init(PATH_MAX_BYTES);
    if (cli->argument_count == 2) return change_queue(cli);
    (void)buf_put_text(&path, "/v1/queues");
    if (cli->argument_count == 1) {
        (void)buf_put_byte(&path, '/');
        api_put_segment(&path, cli->arguments[0]);
    }
    const struct api_call call = {.method = "GET", .path = path.ptr};
    return api_show(cli, &call, print_queues);
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
