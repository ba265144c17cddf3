/* schedule: runs that a clock starts. */
#include "cli/api.h"
#include "cli/print.h"
#include "json/json_text.h"
#include "json/json_write.h"

#include <stdio.h>
#include <string.h>

enum { BODY_MAX = 1 << 20, PATH_MAX_BYTES = 1'024, COLUMNS = 6 };

/* In the order of schedule_flags in main.c; the first ones are texts of the body. */
enum {
    FLAG_ID,
    FLAG_CRON,
    FLAG_EVERY,
    FLAG_AT,
    FLAG_TIME_ZONE,
    FLAG_OVERLAP,
    FLAG_CATCH_UP,
    FLAG_JITTER,
    FLAG_INPUT,
    FLAG_LABEL,
    FLAG_PAUSED,
    FLAG_COUNT,
};

/* --- create ------------------------------------------------------------------------------------
 */

static status put_body(const struct cli *cli, struct buf *body, struct error *reterr)
{
    static const char *const members[] = {"id",        "cron",    "every",    "at",
                                          "time_zone", "overlap", "catch_up", "jitter"};
    struct json_writer w               = json_writer_init(body);
    json_begin_object(&w);
    json_put_text(&w, "workflow", str_from(cli->arguments[1]));
    for (size_t i = 0; i < ARRAY_LEN(members); i++) {
        if (cli->values[i]) json_put_text(&w, members[i], str_from(cli->values[i]));
    }
    if (cli->values[FLAG_INPUT]) {
        CLEANUP(json_unrefp) json input = json_invalid();
        TRY(read_json_argument(cli->values[FLAG_INPUT], &input, reterr));
        json_member(&w, "input");
        json_write_value(&w, input);
    }
    if (cli->values[FLAG_LABEL]) {
        CLEANUP(json_unrefp) json labels = json_invalid();
        TRY(read_label_argument(cli->values[FLAG_LABEL], &labels, reterr));
        json_member(&w, "labels");
        json_write_value(&w, labels);
    }
    if (cli->values[FLAG_PAUSED]) json_put_bool(&w, "paused", true);
    json_end_object(&w);
    return STATUS_OK;
}

/* --- what is shown -----------------------------------------------------------------------------
 */

static void add_time(struct table *table, json time)
{
    const str cells[] = {member(time, "due_at", ""), member(time, "start_at", "")};
    table_add(table, cells);
}

static str when_of(json schedule)
{
    static const char *const members[] = {"cron", "every", "at"};
    for (size_t i = 0; i < ARRAY_LEN(members); i++) {
        str text = member(schedule, members[i], "");
        if (text.len > 0) return text;
    }
    return (str){.ptr = ""};
}

static void add_schedule(struct table *table, json item)
{
    const str cells[COLUMNS] = {member(item, "id", ""),      member(item, "workflow", ""),
                                member(item, "status", ""),  when_of(item),
                                member(item, "next_at", ""), member(item, "last_at", "")};
    table_add(table, cells);
}

static void print_list(json answer)
{
    static const char *const titles[COLUMNS] = {"SCHEDULE", "WORKFLOW", "STATUS",
                                                "WHEN",     "NEXT",     "LAST"};
    print_rows(answer, titles, COLUMNS, add_schedule);
    if (json_is(json_get_text(answer, "next_page_token"), JSON_TEXT)) {
        (void)printf("and more\n");
    }
}

static void print_create(json answer)
{
    (void)printf(STR_FMT " starts next at " STR_FMT "\n", STR_ARG(member(answer, "id", "")),
                 STR_ARG(member(answer, "next_at", "no time")));
}

static void print_trigger(json answer)
{
    (void)printf(STR_FMT " " STR_FMT "\n", STR_ARG(member(answer, "outcome", "")),
                 STR_ARG(member(answer, "client_id", "")));
}

static void print_upcoming(json answer)
{
    static const char *const titles[] = {"DUE", "STARTS"};
    print_rows(answer, titles, ARRAY_LEN(titles), add_time);
}

static void print_nothing(json)
{
}

/* --- the command -------------------------------------------------------------------------------
 */

static const struct action {
    const char *name;
    int arguments; /* with its own name */
    const char *method;
    const char *rest; /* of the path, behind the id; NULL: no id */
    void (*print)(json answer);
} actions[] = {
    {"create", 2, "POST", NULL, print_create},
    {"list", 1, "GET", NULL, print_list},
    {"show", 2, "GET", "", print_json},
    {"pause", 2, "POST", "/pause", print_nothing},
    {"resume", 2, "POST", "/resume", print_create},
    {"trigger", 2, "POST", "/trigger", print_trigger},
    {"upcoming", 2, "GET", "/upcoming", print_upcoming},
    {"backfill", 4, "POST", "/backfill", print_json},
    {"delete", 2, "DELETE", "", print_nothing},
};

static const struct action *find_action(const struct cli *cli)
{
    for (size_t i = 0; i < ARRAY_LEN(actions); i++) {
        if (strcmp(cli->arguments[0], actions[i].name) == 0) {
            return cli->argument_count == actions[i].arguments ? &actions[i] : NULL;
        }
    }
    return NULL;
}

static void put_span(const struct cli *cli, struct buf *body)
{
    struct json_writer w = json_writer_init(body);
    json_begin_object(&w);
    json_put_text(&w, "from", str_from(cli->arguments[2]));
    json_put_text(&w, "to", str_from(cli->arguments[3]));
    if (cli->values[FLAG_OVERLAP]) {
        json_put_text(&w, "overlap", str_from(cli->values[FLAG_OVERLAP]));
    }
    json_end_object(&w);
}

static status ask_of(const struct cli *cli, const struct action *action, struct buf *path,
                     struct buf *body, struct error *reterr)
{
    (void)buf_put_text(path, "/v1/schedules");
    if (action->rest) {
        (void)buf_put_byte(path, '/');
        api_put_segment(path, cli->arguments[1]);
        (void)buf_put_text(path, action->rest);
    }
    if (strcmp(action->name, "list") == 0) (void)buf_put_text(path, "?page_size=500");
    if (strcmp(action->name, "upcoming") == 0 && cli->values[FLAG_COUNT]) {
        (void)buf_put_text(path, "?count=");
        api_put_segment(path, cli->values[FLAG_COUNT]);
    }
    if (strcmp(action->name, "backfill") == 0) put_span(cli, body);
    return strcmp(action->name, "create") == 0 ? put_body(cli, body, reterr) : STATUS_OK;
}

enum cli_exit command_schedule(struct cli *cli)
{
    struct error error                = {};
    CLEANUP(buf_done) struct buf path = buf_init(PATH_MAX_BYTES);
    CLEANUP(buf_done) struct buf body = buf_init(BODY_MAX);
    const struct action *action       = find_action(cli);
    if (!action) {
        (void)fprintf(stderr, "tutti schedule: see `tutti schedule --help`\n");
        return CLI_USAGE;
    }
    if (ask_of(cli, action, &path, &body, &error) != STATUS_OK) {
        (void)fprintf(stderr, "tutti: %s\n", error.text);
        return CLI_USAGE;
    }
    const struct api_call call = {
        .method = action->method, .path = path.ptr, .body = buf_str(&body)};
    return api_show(cli, &call, action->print);
}
