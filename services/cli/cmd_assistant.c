/* assistant: prompts with a model; put, list, show. */
#include "base/arena.h"
#include "cli/api.h"
#include "cli/print.h"
#include "yaml/yaml.h"
#include "json/json_text.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

enum {
    ARENA_MAX      = 32 << 20, /* bytes */
    PATH_MAX_BYTES = 4'096,
    FILE_MAX       = YAML_SIZE_MAX + 1,
    COLUMNS        = 4,
};

/* In the order of assistant_flags in main.c. */
enum { ASSISTANT_NAME, ASSISTANT_LABEL };

/* --- put ---------------------------------------------------------------------------------------
 */

/* Reads a file of YAML or JSON; `name` is no part of a definition, it goes into the path. */
static status read_assistant(const struct cli *cli, const char *file, struct buf *ret_name,
                             struct buf *ret_body, struct error *reterr)
{
    CLEANUP(buf_done) struct buf text                  = buf_init(FILE_MAX);
    CLEANUP(arena_freep) struct arena *arena           = arena_new(ARENA_MAX);
    CLEANUP(yaml_freep) struct yaml_document *document = NULL;
    struct diagnostics *list                           = diagnostics_new(arena);
    TRY(read_whole_file(file, &text, reterr));
    if (yaml_parse(buf_str(&text), list, &document, reterr) != STATUS_OK) {
        bool has_finding = list->count > 0;
        return fail(reterr, STATUS_INVALID_ARGUMENT, "%s:%u: %s", file,
                    has_finding ? list->items[0].line : 0,
                    has_finding ? list->items[0].detail : "is no YAML");
    }
    CLEANUP(json_unrefp) json value = json_ref(yaml_root(document));
    json name                       = json_get_text(value, "name");
    if (cli->values[ASSISTANT_NAME]) {
        (void)buf_put_text(ret_name, cli->values[ASSISTANT_NAME]);
    } else if (json_is(name, JSON_TEXT)) {
        (void)buf_put_str(ret_name, json_str(name));
    } else {
        return fail(reterr, STATUS_INVALID_ARGUMENT, "%s: `name` is missing; or give --name", file);
    }
    (void)json_object_remove(&value, str_from("name"));
    (void)json_print(value, JSON_COMPACT, ret_body);
    return STATUS_OK;
}

static void print_version(json assistant, const char *what)
{
    (void)printf(STR_FMT ":%" PRId64 " %s\n", STR_ARG(member(assistant, "name", "")),
                 member_int(assistant, "version"), what);
}

static enum cli_exit put_file(const struct cli *cli, struct api *api, const char *file)
{
    struct error error                = {};
    CLEANUP(buf_done) struct buf name = buf_init(PATH_MAX_BYTES);
    CLEANUP(buf_done) struct buf body = buf_init(FILE_MAX);
    CLEANUP(buf_done) struct buf path = buf_init(PATH_MAX_BYTES * 3);
    if (read_assistant(cli, file, &name, &body, &error) != STATUS_OK) {
        (void)fprintf(stderr, "tutti: %s\n", error.text);
        return CLI_FAILED;
    }
    (void)buf_put_text(&path, "/v1/assistants/");
    api_put_segment(&path, name.ptr ? name.ptr : "");
    CLEANUP(api_answer_done) struct api_answer answer = {};
    const struct api_call call = {.method = "PUT", .path = path.ptr, .body = buf_str(&body)};
    enum cli_exit code         = api_call(api, &call, &answer);
    if (code != CLI_OK) return code;
    if (cli->is_json) {
        print_json_line(answer.value);
    } else {
        print_version(answer.value,
                      answer.http_status == 201 ? "is new" : "has this content already");
    }
    return CLI_OK;
}

static enum cli_exit put(const struct cli *cli)
{
    return api_each(cli, put_file);
}

/* --- list and show -----------------------------------------------------------------------------
 */

static void add_row(struct table *table, json assistant)
{
    char version[NUMBER_SIZE];
    const str cells[COLUMNS] = {
        member(assistant, "name", ""), member_number(assistant, "version", version),
        member(assistant, "model", ""), member(assistant, "description", "")};
    table_add(table, cells);
}

static void print_list(json answer)
{
    static const char *const titles[COLUMNS] = {"ASSISTANT", "VERSION", "MODEL", "DESCRIPTION"};
    print_rows(answer, titles, COLUMNS, add_row);
    if (json_is(json_get_text(answer, "next_page_token"), JSON_TEXT)) {
        (void)printf("and more; --label KEY=VALUE shows fewer\n");
    }
}

static enum cli_exit list(const struct cli *cli)
{
    CLEANUP(buf_done) struct buf path = buf_init(PATH_MAX_BYTES);
    (void)buf_put_text(&path, "/v1/assistants?page_size=500");
    if (cli->values[ASSISTANT_LABEL]) {
        (void)buf_put_text(&path, "&label=");
        api_put_segment(&path, cli->values[ASSISTANT_LABEL]);
    }
    const struct api_call call = {.method = "GET", .path = path.ptr};
    return api_show(cli, &call, print_list);
}

static enum cli_exit show(const struct cli *cli)
{
    CLEANUP(buf_done) struct buf path = buf_init(PATH_MAX_BYTES);
    CLEANUP(buf_done) struct buf name = buf_init(PATH_MAX_BYTES);
    const char *given                 = cli->arguments[1];
    const char *colon                 = strchr(given, ':');
    size_t length                     = colon ? (size_t)(colon - given) : strlen(given);
    (void)buf_put_str(&name, (str){given, length});
    (void)buf_put_text(&path, "/v1/assistants/");
    api_put_segment(&path, name.ptr ? name.ptr : "");
    if (colon) {
        (void)buf_put_text(&path, "/versions/");
        api_put_segment(&path, colon + 1);
    }
    const struct api_call call = {.method = "GET", .path = path.ptr};
    return api_show(cli, &call, print_json);
}

/* --- the command -------------------------------------------------------------------------------
 */

enum cli_exit command_assistant(struct cli *cli)
{
    const char *action = cli->arguments[0];
    bool is_put        = strcmp(action, "put") == 0;
    bool is_list       = strcmp(action, "list") == 0;
    bool is_show       = strcmp(action, "show") == 0;
    bool is_complete   = (is_put && cli->argument_count > 1) ||
                       (is_list && cli->argument_count == 1) ||
                       (is_show && cli->argument_count == 2);
    if (!is_complete) {
        (void)fprintf(stderr, "tutti assistant: write `put FILE...`, `list` or `show NAME`\n");
        return CLI_USAGE;
    }
    if (is_put) return put(cli);
    return is_list ? list(cli) : show(cli);
}
