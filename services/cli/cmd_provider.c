/* provider: the upstreams of models, whether they can be reached and take their keys, and other
 * keys for them. A key is never an argument: those of a process can be seen by others. */
#include "cli/api.h"
#include "cli/print.h"
#include "json/json_write.h"

#include <stdio.h>
#include <string.h>

enum { PATH_MAX_BYTES = 1'024, COLUMNS = 5, CELL_MAX = 1'024, KEY_MAX_BYTES = 16 << 10 };

/* In the order of provider_flags in commands.c. */
enum { FLAG_FILE, FLAG_SECRET };

static void add_provider(struct table *table, json one)
{
    CLEANUP(buf_done) struct buf keys = buf_init(CELL_MAX);
    json list                         = json_get_text(one, "keys");
    for (size_t i = 0; i < json_count(list); i++) {
        if (i > 0) (void)buf_put_text(&keys, ", ");
        (void)buf_put_str(&keys, member(json_at(list, i), "id", ""));
    }
    const str cells[COLUMNS] = {member(one, "id", ""), member(one, "type", ""), buf_str(&keys),
                                member(one, "breaker", ""), member(one, "base_url", "")};
    table_add(table, cells);
}

static void print_providers(json answer)
{
    static const char *const titles[COLUMNS] = {"PROVIDER", "TYPE", "KEYS", "BREAKER", "URL"};
    print_rows(answer, titles, COLUMNS, add_provider);
}

static void print_test(json answer)
{
    json checks = json_get_text(answer, "checks");
    for (size_t i = 0; i < json_count(checks); i++) {
        json check = json_at(checks, i);
        json error = json_get_text(check, "error");
        char number[NUMBER_SIZE];
        bool is_ok = json_is(json_get_text(check, "ok"), JSON_TRUE);
        str key    = member(check, "key", "without a key");
        (void)printf("%s  " STR_FMT, is_ok ? "ok    " : "failed", STR_ARG(key));
        (void)printf("  " STR_FMT " ms", STR_ARG(member_number(check, "duration_ms", number)));
        if (is_ok) {
            (void)printf("  " STR_FMT " models\n", STR_ARG(member_number(check, "models", number)));
            continue;
        }
        (void)printf("  " STR_FMT ": " STR_FMT "\n        " STR_FMT "\n",
                     STR_ARG(member(error, "class", "")), STR_ARG(member(error, "detail", "")),
                     STR_ARG(member(error, "hint", "")));
    }
}

/* --- key ---------------------------------------------------------------------------------------
 */

static void forget(struct buf *text)
{
    if (text->ptr) explicit_bzero(text->ptr, text->len);
    buf_done(text);
}

/* The file's, or what standard input has; without the end of its line. */
static status put_value(const struct cli *cli, struct json_writer *w, struct error *reterr)
{
    const char *path                = cli->values[FLAG_FILE] ? cli->values[FLAG_FILE] : "-";
    CLEANUP(forget) struct buf text = buf_init(KEY_MAX_BYTES);
    TRY(read_whole_file(path, &text, reterr));
    str value = buf_str(&text);
    while (value.len > 0 &&
           (value.ptr[value.len - 1] == '\n' || value.ptr[value.len - 1] == '\r')) {
        value.len--;
    }
    if (value.len == 0) return fail(reterr, STATUS_INVALID_ARGUMENT, "the key is empty");
    json_put_text(w, "value", value);
    return STATUS_OK;
}

static enum cli_exit set_key(const struct cli *cli, const char *path)
{
    CLEANUP(forget) struct buf body = buf_init(2 * KEY_MAX_BYTES);
    struct json_writer w            = json_writer_init(&body);
    struct error error              = {};
    status read                     = STATUS_OK;
    json_begin_object(&w);
    if (cli->values[FLAG_SECRET]) {
        json_put_text(&w, "secret", str_from(cli->values[FLAG_SECRET]));
    } else {
        read = put_value(cli, &w, &error);
    }
    json_end_object(&w);
    if (read == STATUS_OK) return api_do(cli, "PUT", path, buf_str(&body), "set");
    (void)fprintf(stderr, "tutti: %s\n", error.text);
    return CLI_USAGE;
}

static enum cli_exit usage(void)
{
    (void)fprintf(stderr, "tutti: provider [NAME [test | key set | key remove]]\n");
    return CLI_USAGE;
}

static bool argument_is(const struct cli *cli, int at, const char *text)
{
    return at < cli->argument_count && str_is(str_from(cli->arguments[at]), text);
}

static enum cli_exit change_key(const struct cli *cli)
{
    CLEANUP(buf_done) struct buf path = buf_init(PATH_MAX_BYTES);
    (void)buf_put_text(&path, "/v1/llm/providers/");
    api_put_segment(&path, cli->arguments[0]);
    (void)buf_put_text(&path, "/key");
    if (argument_is(cli, 2, "set")) return set_key(cli, path.ptr);
    if (argument_is(cli, 2, "remove")) return api_do(cli, "DELETE", path.ptr, (str){}, "removed");
    return usage();
}

enum cli_exit command_provider(struct cli *cli)
{
    CLEANUP(buf_done) struct buf path = buf_init(PATH_MAX_BYTES);
    bool is_test                      = argument_is(cli, 1, "test") && cli->argument_count == 2;
    if (argument_is(cli, 1, "key") && cli->argument_count == 3) return change_key(cli);
    if (cli->argument_count > 1 && !is_test) return usage();
    (void)buf_put_text(&path, "/v1/llm/providers");
    for (int i = 0; i < cli->argument_count; i++) {
        (void)buf_put_byte(&path, '/');
        api_put_segment(&path, cli->arguments[i]);
    }
    const struct api_call call = {.method = is_test ? "POST" : "GET", .path = path.ptr};
    return api_show(cli, &call, is_test ? print_test : print_providers);
}
