/* budget: what runs may spend together. */
#include "base/label.h"
#include "cli/api.h"
#include "cli/print.h"
#include "json/json_text.h"
#include "json/json_write.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

enum { BODY_MAX = 16 << 10, PATH_MAX_BYTES = 1'024, COLUMNS = 6, CELL_MAX = 96, SCOPE_MAX = 400 };

/* In the order of budget_flags in main.c; those behind the tokens are texts of the body. */
enum {
    FLAG_SCOPE,
    FLAG_USD,
    FLAG_TOKENS,
    FLAG_PERIOD,
    FLAG_TIME_ZONE,
    FLAG_ON_SPENT,
    FLAG_UNPRICED
};

/* --- set ---------------------------------------------------------------------------------------
 */

static bool put_scope(struct json_writer *w, const char *scope)
{
    const char *colon = strchr(scope, ':');
    str kind          = colon ? (str){.ptr = scope, .len = (size_t)(colon - scope)} : (str){};
    bool is_id        = str_is(kind, "key") || str_is(kind, "run");
    bool is_label     = str_is(kind, "label");
    str key           = {};
    str value         = {};
    json_member(w, "scope");
    if (strcmp(scope, "namespace") == 0) {
        json_write_text(w, str_from("namespace"));
        return true;
    }
    if (!is_id && !(is_label && label_read(str_from(colon + 1), &key, &value))) return false;
    json_begin_object(w);
    json_member_str(w, kind);
    if (is_id) {
        json_write_text(w, str_from(colon + 1));
    } else {
        json_begin_object(w);
        json_member_str(w, key);
        json_write_text(w, value);
        json_end_object(w);
    }
    json_end_object(w);
    return true;
}

static status put_body(const struct cli *cli, struct buf *body, struct error *reterr)
{
    static const char *const members[] = {"period", "time_zone", "on_spent", "unpriced"};
    const char *scope                  = cli->values[FLAG_SCOPE];
    const char *tokens                 = cli->values[FLAG_TOKENS];
    struct json_writer w               = json_writer_init(body);
    json_begin_object(&w);
    if (!scope || !put_scope(&w, scope)) {
        return fail(reterr, STATUS_INVALID_ARGUMENT,
                    "--scope: namespace, label:KEY=VALUE, key:ID or run:ID");
    }
    if (cli->values[FLAG_USD]) json_put_text(&w, "usd", str_from(cli->values[FLAG_USD]));
    if (tokens) {
        CLEANUP(json_unrefp) json count = json_invalid();
        int64_t number                  = 0;
        status read                     = json_parse(str_from(tokens), NULL, &count, NULL, NULL);
        if (read != STATUS_OK || !json_to_int(count, &number)) {
            return fail(reterr, STATUS_INVALID_ARGUMENT, "--tokens: a whole number");
        }
        json_put_int(&w, "tokens", number);
    }
    for (size_t i = 0; i < ARRAY_LEN(members); i++) {
        const char *value = cli->values[FLAG_PERIOD + i];
        if (value) json_put_text(&w, members[i], str_from(value));
    }
    json_end_object(&w);
    return STATUS_OK;
}

/* --- what is shown -----------------------------------------------------------------------------
 */

static void scope_text(json budget, char *text)
{
    json scope = json_get_text(budget, "scope");
    json label = json_get_text(scope, "label");
    if (json_is(scope, JSON_TEXT)) {
        (void)snprintf(text, SCOPE_MAX, STR_FMT, STR_ARG(json_str(scope)));
    } else if (json_count(label) == 1) {
        (void)snprintf(text, SCOPE_MAX, "label:" STR_FMT "=" STR_FMT,
                       STR_ARG(json_key_at(label, 0)), STR_ARG(json_str(json_value_at(label, 0))));
    } else if (json_count(scope) == 1) {
        (void)snprintf(text, SCOPE_MAX, STR_FMT ":" STR_FMT, STR_ARG(json_key_at(scope, 0)),
                       STR_ARG(json_str(json_value_at(scope, 0))));
    }
}

/* "$0.5 of $20, 300 of 1000 tokens": of what has a limit. */
static void of_limits(json budget, const char *name, char *text)
{
    json amount                        = json_get_text(budget, name);
    str usd                            = member(budget, "usd", "");
    int64_t limit                      = 0;
    int64_t tokens                     = 0;
    CLEANUP(buf_done) struct buf words = buf_init(CELL_MAX - 1);
    if (usd.len > 0) {
        (void)buf_printf(&words, "$" STR_FMT " of $" STR_FMT, STR_ARG(member(amount, "usd", "0")),
                         STR_ARG(usd));
    }
    if (json_to_int(json_get_text(budget, "tokens"), &limit)) {
        (void)json_to_int(json_get_text(amount, "tokens"), &tokens);
        (void)buf_printf(&words, "%s%" PRId64 " of %" PRId64 " tokens", usd.len > 0 ? ", " : "",
                         tokens, limit);
    }
    (void)snprintf(text, CELL_MAX, STR_FMT, STR_ARG(buf_str(&words)));
}

static void add_budget(struct table *table, json one)
{
    char scope[SCOPE_MAX]  = "";
    char spent[CELL_MAX]   = "";
    char waiting[CELL_MAX] = "";
    scope_text(one, scope);
    of_limits(one, "spent", spent);
    (void)snprintf(waiting, sizeof waiting, "%" PRId64,
                   member_int(one, "waiting") + member_int(one, "paused"));
    const str cells[COLUMNS] = {member(one, "name", ""),
                                str_from(scope),
                                str_from(spent),
                                str_from(waiting),
                                member(one, "on_spent", ""),
                                member(one, "resets_at", "")};
    table_add(table, cells);
}

static void print_budgets(json answer)
{
    static const char *const titles[COLUMNS] = {"BUDGET",  "SCOPE",    "SPENT",
                                                "WAITING", "ON SPENT", "RESETS"};
    print_rows(answer, titles, COLUMNS, add_budget);
}

/* --- the command -------------------------------------------------------------------------------
 */

static enum cli_exit wrong(const char *text)
{
    (void)fprintf(stderr, "tutti: %s\n", text);
    return CLI_USAGE;
}

enum cli_exit command_budget(struct cli *cli)
{
    static const char *const actions[] = {"list", "show", "set", "delete"};
    struct error error                 = {};
    CLEANUP(buf_done) struct buf path  = buf_init(PATH_MAX_BYTES);
    CLEANUP(buf_done) struct buf body  = buf_init(BODY_MAX);
    size_t action                      = 0;
    const char *word                   = cli->argument_count > 0 ? cli->arguments[0] : "list";
    while (action < ARRAY_LEN(actions) && strcmp(word, actions[action]) != 0) action++;
    if (action == ARRAY_LEN(actions) || (cli->argument_count == 2) != (action > 0)) {
        return wrong("budget [list | show NAME | set NAME --scope SCOPE ... | delete NAME]");
    }
    bool is_set = strcmp(word, "set") == 0;
    if (is_set && put_body(cli, &body, &error) != STATUS_OK) return wrong(error.text);
    (void)buf_put_text(&path, "/v1/budgets");
    if (action > 0) {
        (void)buf_put_byte(&path, '/');
        api_put_segment(&path, cli->arguments[1]);
    }
    if (strcmp(word, "delete") == 0) return api_do(cli, "DELETE", path.ptr, (str){}, "deleted");
    const struct api_call call = {
        .method = is_set ? "PUT" : "GET", .path = path.ptr, .body = buf_str(&body)};
    return api_show(cli, &call, print_budgets);
}
