/* import: lines of `tutti export` become runs again. What is there already stays, so a command that
 * was interrupted is simply given again. */
#include "cli/api.h"
#include "cli/print.h"
#include "json/json_text.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum {
    LINE_MAX_BYTES = API_BODY_MAX, /* with a history, which is not sent */
    BODY_MAX       = 16 << 20,     /* as the contract */
    BODY_WANTED    = 4 << 20,      /* a body is sent when it has so many bytes, */
    LINES_WANTED   = 500,          /* or lines */
    TRIES_MAX      = 60,           /* while the server says that it is not there */
};

static const struct timespec try_pause = {.tv_sec = 1};

struct importing {
    const struct cli *cli;
    struct api *api;
    FILE *file;
    struct buf line; /* the one at hand; owned */
    struct buf body; /* those that are sent together; owned */
    size_t first;    /* number of its first line, from 1 */
    size_t count;    /* lines in it */
    int64_t created, present, refused;
};

/* --- reading -------------------------------------------------------------------------------------
 */

/* False: the file has ended. A line that is too long is cut; its rest is read over. */
static bool read_line(struct importing *importing)
{
    int c = getc(importing->file);
    buf_clear(&importing->line);
    if (c == EOF) return false;
    for (; c != EOF && c != '\n'; c = getc(importing->file)) {
        (void)buf_put_byte(&importing->line, (char)c);
    }
    return true;
}

/* Appends what counts of the line; one that is no JSON goes as it is, and the server says so. */
static bool put_line(struct importing *importing)
{
    CLEANUP(json_unrefp) json value = json_invalid();
    CLEANUP(json_unrefp) json brief = json_object_new(2);
    size_t before                   = importing->body.len;
    bool is_json = json_parse(buf_str(&importing->line), NULL, &value, NULL, NULL) == STATUS_OK;
    if (is_json && json_is(json_get_text(value, "kept"), JSON_OBJECT)) {
        json_object_put_text(&brief, "format", json_ref(json_get_text(value, "format")));
        json_object_put_text(&brief, "kept", json_ref(json_get_text(value, "kept")));
        (void)json_print(brief, JSON_COMPACT, &importing->body);
    } else {
        (void)buf_put_str(&importing->body, buf_str(&importing->line));
    }
    (void)buf_put_byte(&importing->body, '\n');
    if (!importing->body.is_full) return true;
    importing->body.len     = before;
    importing->body.is_full = false;
    return false;
}

/* --- sending -------------------------------------------------------------------------------------
 */

static int64_t number_of(json object, const char *name)
{
    int64_t value = 0;
    (void)json_to_int(json_get_text(object, name), &value);
    return value;
}

/* The server is not there for a moment: its whole answer says so, or a line's. */
static bool is_absent(const struct api_answer *answer)
{
    json results = json_get_text(answer->value, "results");
    if (answer->http_status == 503 || answer->http_status == 429) return true;
    for (size_t i = 0; i < json_count(results); i++) {
        if (number_of(json_at(results, i), "status") == 503) return true;
    }
    return answer->http_status == 0;
}

static void report_line(const struct importing *importing, json result)
{
    int64_t number = (int64_t)importing->first + number_of(result, "line") - 1;
    json problem   = json_get_text(result, "problem");
    if (!json_is(problem, JSON_OBJECT)) return;
    (void)fprintf(stderr, "tutti: line %" PRId64 ": " STR_FMT, number,
                  STR_ARG(member(result, "run", "")));
    print_clean(stderr, *member(result, "run", "").ptr ? ": " : "",
                member(problem, "detail", "it was refused"));
    (void)fputc('\n', stderr);
}

static void report(struct importing *importing, const struct api_answer *answer)
{
    json results = json_get_text(answer->value, "results");
    for (size_t i = 0; i < json_count(results); i++) report_line(importing, json_at(results, i));
    importing->created += number_of(answer->value, "created");
    importing->present += number_of(answer->value, "present");
    importing->refused += number_of(answer->value, "refused");
    if (isatty(STDERR_FILENO)) {
        (void)fprintf(stderr, "\r%zu lines", importing->first + importing->count - 1);
    }
}

/* What is sent again is there already, so a body is sent until its answer is one. */
static enum cli_exit send_body(struct importing *importing)
{
    const struct api_call call = {.method = "POST",
                                  .path   = "/v1/runs/import",
                                  .body   = buf_str(&importing->body),
                                  .type   = "application/x-ndjson"};
    if (importing->count == 0) return CLI_OK;
    for (int i = 0;; i++) {
        CLEANUP(api_answer_done) struct api_answer answer = {};
        enum cli_exit code                                = api_try(importing->api, &call, &answer);
        bool is_last                                      = i == TRIES_MAX;
        if (is_absent(&answer) && !is_last) {
            (void)nanosleep(&try_pause, NULL);
            continue;
        }
        if (code != CLI_OK) return code;
        if (answer.http_status != 200) return api_explain(&answer);
        report(importing, &answer);
        break;
    }
    importing->first += importing->count;
    importing->count = 0;
    buf_clear(&importing->body);
    return CLI_OK;
}

/* --- all of it -----------------------------------------------------------------------------------
 */

static enum cli_exit add_line(struct importing *importing)
{
    bool is_cut = importing->line.is_full;
    if (!is_cut && !put_line(importing)) {
        enum cli_exit code = send_body(importing);
        if (code != CLI_OK) return code;
        is_cut = !put_line(importing);
    }
    if (is_cut) {
        (void)fprintf(stderr, "tutti: line %zu is over %d MiB; a backup holds such a run\n",
                      importing->first + importing->count, BODY_MAX >> 20);
        (void)buf_put_byte(&importing->body, '\n'); /* for the numbers of the others */
        importing->refused++;
    }
    importing->count++;
    bool is_enough = importing->body.len >= BODY_WANTED || importing->count == LINES_WANTED;
    return is_enough ? send_body(importing) : CLI_OK;
}

static enum cli_exit import_all(struct importing *importing)
{
    while (read_line(importing)) {
        enum cli_exit code = add_line(importing);
        if (code != CLI_OK) {
            (void)fprintf(stderr, "tutti: import it again: what is there already stays\n");
            return code;
        }
    }
    if (ferror(importing->file)) {
        (void)fprintf(stderr, "tutti: the file cannot be read: %m\n");
        return CLI_USAGE;
    }
    enum cli_exit code = send_body(importing);
    if (code != CLI_OK) {
        (void)fprintf(stderr, "tutti: import it again: what is there already stays\n");
    }
    return code;
}

static void print_sum(const struct importing *importing)
{
    if (isatty(STDERR_FILENO)) (void)fputc('\r', stderr);
    if (importing->cli->is_json) {
        (void)printf("{\"created\": %" PRId64 ", \"present\": %" PRId64 ", \"refused\": %" PRId64
                     "}\n",
                     importing->created, importing->present, importing->refused);
    } else {
        (void)printf("%" PRId64 " imported, %" PRId64 " here already, %" PRId64 " refused\n",
                     importing->created, importing->present, importing->refused);
    }
}

enum cli_exit command_import(struct cli *cli)
{
    CLEANUP(api_freep) struct api *api = api_open(cli);
    const char *path                   = cli->argument_count > 0 ? cli->arguments[0] : "-";
    bool is_stdin                      = strcmp(path, "-") == 0;
    if (!api) return CLI_USAGE;
    FILE *file = is_stdin ? stdin : fopen(path, "re");
    if (!file) {
        (void)fprintf(stderr, "tutti: %s: %m\n", path);
        return CLI_USAGE;
    }
    struct importing importing = {
        .cli   = cli,
        .api   = api,
        .file  = file,
        .line  = buf_init(LINE_MAX_BYTES),
        .body  = buf_init(BODY_MAX),
        .first = 1,
    };
    enum cli_exit code = import_all(&importing);
    print_sum(&importing);
    if (!is_stdin) (void)fclose(file);
    buf_done(&importing.line);
    buf_done(&importing.body);
    return code == CLI_OK && importing.refused > 0 ? CLI_FAILED : code;
}
