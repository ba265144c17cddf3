/* file: files kept by the server, by id; put, list, get, delete. */
#include "cli/api.h"
#include "cli/print.h"
#include "json/json_text.h"

#include <stdio.h>
#include <string.h>

enum {
    PATH_MAX_BYTES = 8'192,
    FILE_SIZE_MAX  = 32 << 20, /* bytes; the server's limit */
    COLUMNS        = 6,
};

/* In the order of file_flags in commands.c. */
enum { FILE_NAME, FILE_TYPE, FILE_SUBJECT, FILE_EXPIRES, FILE_OUTPUT };

/* --- put ---------------------------------------------------------------------------------------
 */

/* What the bytes cannot tell. */
static const char *type_of(const struct cli *cli, const char *file)
{
    static const char *const rows[][2] = {{".md", "text/markdown"}, {".markdown", "text/markdown"},
                                          {".csv", "text/csv"},     {".json", "application/json"},
                                          {".html", "text/html"},   {".htm", "text/html"}};
    const char *dot                    = strrchr(file, '.');
    if (cli->values[FILE_TYPE]) return cli->values[FILE_TYPE];
    for (size_t i = 0; dot && i < ARRAY_LEN(rows); i++) {
        if (strcmp(dot, rows[i][0]) == 0) return rows[i][1];
    }
    return "application/octet-stream"; /* it is looked at */
}

static void put_query(struct buf *path, char before, const char *name, const char *value)
{
    if (!value) return;
    (void)buf_printf(path, "%c%s=", before, name);
    api_put_segment(path, value);
}

static enum cli_exit put_file(const struct cli *cli, struct api *api, const char *file)
{
    CLEANUP(buf_done) struct buf body = buf_init(FILE_SIZE_MAX);
    CLEANUP(buf_done) struct buf path = buf_init(PATH_MAX_BYTES);
    struct error error                = {};
    const char *slash                 = strrchr(file, '/');
    const char *name                  = slash ? slash + 1 : file;
    if (read_whole_file(file, &body, &error) != STATUS_OK) {
        (void)fprintf(stderr, "tutti: %s\n", error.text);
        return CLI_FAILED;
    }
    (void)buf_put_text(&path, "/v1/files");
    put_query(&path, '?', "name", cli->values[FILE_NAME] ? cli->values[FILE_NAME] : name);
    put_query(&path, '&', "subject", cli->values[FILE_SUBJECT]);
    put_query(&path, '&', "expires_in", cli->values[FILE_EXPIRES]);
    CLEANUP(api_answer_done) struct api_answer answer = {};
    const char *type                                  = type_of(cli, file);
    str content                                       = buf_str(&body);
    const struct api_call call                        = {
                               .method = "POST", .path = path.ptr, .body = content, .type = type};
    enum cli_exit code = api_call(api, &call, &answer);
    if (code != CLI_OK) return code;
    if (cli->is_json) {
        print_json_line(answer.value);
    } else {
        str id   = member(answer.value, "id", "");
        str kind = member(answer.value, "media_type", "");
        (void)printf(STR_FMT "  " STR_FMT "  ", STR_ARG(id), STR_ARG(kind));
        print_clean(stdout, "", member(answer.value, "name", ""));
        (void)putchar('\n');
    }
    return CLI_OK;
}

static enum cli_exit put(const struct cli *cli)
{
    return api_each(cli, put_file);
}

/* --- list --------------------------------------------------------------------------------------
 */

static void add_row(struct table *table, json file)
{
    char size[NUMBER_SIZE];
    const str cells[COLUMNS] = {member(file, "id", ""),         member(file, "name", ""),
                                member(file, "media_type", ""), member_number(file, "bytes", size),
                                member(file, "subject", ""),    member(file, "created_at", "")};
    table_add(table, cells);
}

static void print_list(json answer)
{
    static const char *const titles[COLUMNS] = {"FILE",  "NAME",    "TYPE",
                                                "BYTES", "SUBJECT", "CREATED"};
    print_rows(answer, titles, COLUMNS, add_row);
    if (json_is(json_get_text(answer, "next_page_token"), JSON_TEXT)) {
        (void)printf("and more; --subject shows fewer\n");
    }
}

static enum cli_exit list(const struct cli *cli)
{
    CLEANUP(buf_done) struct buf path = buf_init(PATH_MAX_BYTES);
    (void)buf_put_text(&path, "/v1/files?page_size=500");
    put_query(&path, '&', "subject", cli->values[FILE_SUBJECT]);
    const struct api_call call = {.method = "GET", .path = path.ptr};
    return api_show(cli, &call, print_list);
}

/* --- get ---------------------------------------------------------------------------------------
 */

static enum cli_exit write_out(const char *to, str content)
{
    FILE *out    = to ? fopen(to, "wbe") : stdout;
    bool is_done = out && fwrite(content.ptr, 1, content.len, out) == content.len;
    if (out) is_done = fflush(out) == 0 && is_done;
    if (out && to) is_done = fclose(out) == 0 && is_done;
    if (is_done) return CLI_OK;
    (void)fprintf(stderr, "tutti: %s: %m\n", to ? to : "standard output");
    return CLI_FAILED;
}

static enum cli_exit get(const struct cli *cli)
{
    CLEANUP(buf_done) struct buf path = buf_init(PATH_MAX_BYTES);
    (void)buf_put_text(&path, "/v1/files/");
    api_put_segment(&path, cli->arguments[1]);
    (void)buf_put_text(&path, "/content");
    CLEANUP(api_answer_done) struct api_answer answer = {};
    const struct api_call call                        = {.method = "GET", .path = path.ptr};
    enum cli_exit code                                = api_ask(cli, &call, &answer);
    return code == CLI_OK ? write_out(cli->values[FILE_OUTPUT], buf_str(&answer.body)) : code;
}

/* --- delete ------------------------------------------------------------------------------------
 */

static enum cli_exit delete_one(const struct cli *, struct api *api, const char *id)
{
    CLEANUP(buf_done) struct buf path                 = buf_init(PATH_MAX_BYTES);
    CLEANUP(api_answer_done) struct api_answer answer = {};
    (void)buf_put_text(&path, "/v1/files/");
    api_put_segment(&path, id);
    const struct api_call call = {.method = "DELETE", .path = path.ptr};
    enum cli_exit code         = api_call(api, &call, &answer);
    if (code == CLI_OK) (void)printf("%s is deleted\n", id);
    return code;
}

/* A page of them at a time, until none is left: those that are deleted are in no list. */
static enum cli_exit delete_subject(const struct cli *cli)
{
    CLEANUP(api_freep) struct api *api = api_open(cli);
    CLEANUP(buf_done) struct buf path  = buf_init(PATH_MAX_BYTES);
    if (!api) return CLI_USAGE;
    (void)buf_put_text(&path, "/v1/files?page_size=500");
    put_query(&path, '&', "subject", cli->values[FILE_SUBJECT]);
    for (;;) {
        CLEANUP(api_answer_done) struct api_answer answer = {};
        const struct api_call call                        = {.method = "GET", .path = path.ptr};
        enum cli_exit code                                = api_call(api, &call, &answer);
        json items                                        = json_get_text(answer.value, "items");
        if (code != CLI_OK || json_count(items) == 0) return code;
        for (size_t i = 0; i < json_count(items); i++) {
            CLEANUP(buf_done) struct buf id = buf_init(PATH_MAX_BYTES);
            (void)buf_put_str(&id, member(json_at(items, i), "id", ""));
            code = delete_one(cli, api, id.ptr ? id.ptr : "");
            if (code != CLI_OK) return code;
        }
    }
}

static enum cli_exit remove_files(const struct cli *cli)
{
    return cli->values[FILE_SUBJECT] ? delete_subject(cli) : api_each(cli, delete_one);
}

/* --- the command -------------------------------------------------------------------------------
 */

enum cli_exit command_file(struct cli *cli)
{
    const char *action = cli->arguments[0];
    int count          = cli->argument_count - 1;
    if (strcmp(action, "put") == 0 && count > 0) return put(cli);
    if (strcmp(action, "list") == 0 && count == 0) return list(cli);
    if (strcmp(action, "get") == 0 && count == 1) return get(cli);
    bool is_delete = strcmp(action, "delete") == 0;
    if (is_delete && (count > 0) != (cli->values[FILE_SUBJECT] != NULL)) return remove_files(cli);
    (void)fprintf(stderr, "tutti file: write `put FILE...`, `list`, `get ID`, `delete ID...` or "
                          "`delete --subject WHO`\n");
    return CLI_USAGE;
}
