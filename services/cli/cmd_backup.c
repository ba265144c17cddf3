/* backup: hot copies, through the gateway; looking at one and restoring it, on this machine. */
#include "base/clock.h"
#include "cli/api.h"
#include "cli/beside.h"
#include "cli/print.h"
#include "json/json_text.h"

#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { PATH_BYTES_MAX = 4096, COLUMNS = 5, WORDS_MAX = 14 };
enum { BACKUP_TO, BACKUP_ARCHIVE, BACKUP_UNTIL, BACKUP_ERASURES, BACKUP_FLAGS };

/* --- through the gateway -----------------------------------------------------------------------
 */

static void add_row(struct table *table, json backup)
{
    char partitions[NUMBER_SIZE];
    char size[NUMBER_SIZE];
    const str cells[COLUMNS] = {
        member(backup, "name", ""), member(backup, "status", ""), member(backup, "created_at", ""),
        member_number(backup, "partitions", partitions), member_number(backup, "size_bytes", size)};
    table_add(table, cells);
}

static void print_backups(json answer)
{
    static const char *const titles[COLUMNS] = {"NAME", "STATUS", "CREATED", "PARTITIONS", "BYTES"};
    print_rows(answer, titles, COLUMNS, add_row);
}

static enum cli_exit list(const struct cli *cli)
{
    const struct api_call call = {.method = "GET", .path = "/v1/system/backups"};
    return api_show(cli, &call, print_backups);
}

/* Asks until it is not running any more. */
static enum cli_exit wait_for(const struct cli *cli, const char *name, struct api_answer *answer)
{
    CLEANUP(buf_done) struct buf path = buf_init(PATH_BYTES_MAX);
    (void)buf_put_text(&path, "/v1/system/backups/");
    api_put_segment(&path, name);
    const struct api_call call  = {.method = "GET", .path = path.ptr};
    const struct timespec pause = {.tv_nsec = 100'000'000};
    for (;;) {
        api_answer_done(answer);
        *answer            = (struct api_answer){};
        enum cli_exit code = api_ask(cli, &call, answer);
        if (code != CLI_OK) return code;
        if (!str_is(member(answer->value, "status", ""), "running")) return CLI_OK;
        (void)nanosleep(&pause, NULL);
    }
}

static enum cli_exit create(const struct cli *cli)
{
    CLEANUP(json_unrefp) json body                    = json_object_new(1);
    CLEANUP(buf_done) struct buf text                 = buf_init(PATH_BYTES_MAX);
    CLEANUP(api_answer_done) struct api_answer begun  = {};
    CLEANUP(api_answer_done) struct api_answer answer = {};
    if (cli->argument_count == 2) {
        json_object_put_text(&body, "name", json_text_lossy(str_from(cli->arguments[1])));
    }
    if (!json_print(body, JSON_COMPACT, &text)) return CLI_USAGE;
    const struct api_call call = {
        .method = "POST", .path = "/v1/system/backups", .body = buf_str(&text)};
    enum cli_exit code = api_ask(cli, &call, &begun);
    if (code != CLI_OK) return code;
    CLEANUP(buf_done) struct buf name = buf_init(PATH_BYTES_MAX);
    if (!buf_put_str(&name, member(begun.value, "name", ""))) return CLI_UNREACHABLE;
    code = wait_for(cli, name.ptr, &answer);
    if (code != CLI_OK) return code;
    bool is_whole = str_is(member(answer.value, "status", ""), "completed");
    if (cli->is_json) {
        print_json(answer.value);
    } else if (is_whole) {
        print_backups(answer.value);
    } else {
        str why = member(answer.value, "error", "it failed");
        (void)fprintf(stderr, "tutti: " STR_FMT "\n", STR_ARG(why));
    }
    return is_whole ? CLI_OK : CLI_FAILED;
}

/* --- on this machine ---------------------------------------------------------------------------
 */

/* The scheduler's own program knows its data; it takes this process over. */
static enum cli_exit hand_over(const struct cli *cli, const char *verb)
{
    char path[PATH_BYTES_MAX];
    struct error error               = {};
    const char *words[WORDS_MAX]     = {path, verb, cli->arguments[1]};
    size_t count                     = 3;
    static const char *const flags[] = {"--to", "--archive", "--until", "--erasures"};
    for (int i = 0; i < BACKUP_FLAGS; i++) {
        if (!cli->values[i]) continue;
        words[count++] = flags[i];
        words[count++] = cli->values[i];
    }
    if (cli->is_json) words[count++] = "--json";
    if (program_beside("tutti-scheduler", path, sizeof path, &error) == STATUS_OK) {
        (void)execv(path, (char *const *)(uintptr_t)words);
        (void)fail(&error, STATUS_UNAVAILABLE, "%s: %m", path);
    }
    (void)fprintf(stderr, "tutti: %s\n", error.text);
    return CLI_UNREACHABLE;
}

enum cli_exit command_backup(struct cli *cli)
{
    str action    = str_from(cli->arguments[0]);
    bool has_to   = cli->values[BACKUP_TO];
    bool has_flag = false;
    for (int i = 0; i < BACKUP_FLAGS; i++) has_flag |= cli->values[i] != NULL;
    int count = cli->argument_count;
    if (str_is(action, "create") && !has_flag) return create(cli);
    if (str_is(action, "list") && count == 1 && !has_flag) return list(cli);
    if (str_is(action, "verify") && count == 2 && !has_flag) return hand_over(cli, "verify");
    if (str_is(action, "restore") && count == 2 && has_to) return hand_over(cli, "restore");
    (void)fprintf(stderr, "tutti backup: create [NAME], list, verify FOLDER, or restore FOLDER "
                          "--to DATA [--archive FOLDER [--until TIME]] [--erasures FOLDER]\n");
    return CLI_USAGE;
}
