/* key: who may call the API, and as what. */
#include "base/label.h"
#include "cli/api.h"
#include "cli/print.h"
#include "json/json_text.h"
#include "json/json_write.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

enum {
    BODY_MAX       = 32 << 10,
    PATH_MAX_BYTES = 1'024,
    COLUMNS        = 9,
    ROLES_MAX      = 200,
    LIMITS_MAX     = 200
};

/* In the order of key_flags in main.c. */
enum {
    FLAG_ROLES,
    FLAG_IN,
    FLAG_EXPIRES,
    FLAG_LABELS,
    FLAG_USD,
    FLAG_TOKENS,
    FLAG_PERIOD,
    FLAG_OVERLAP,
    FLAG_LIMITS,
};

static enum cli_exit wrong(const char *text)
{
    (void)fprintf(stderr, "tutti: %s\n", text);
    return CLI_USAGE;
}

/* --- create ------------------------------------------------------------------------------------
 */

/* The text before the first comma, which is taken off with it. */
static str take_word(str *rest)
{
    const char *comma = rest->len > 0 ? memchr(rest->ptr, ',', rest->len) : NULL;
    size_t at         = comma ? (size_t)(comma - rest->ptr) : rest->len;
    str word          = str_slice(*rest, 0, at);
    *rest             = str_slice(*rest, comma ? at + 1 : at, rest->len);
    return word;
}

static void put_roles(struct json_writer *w, const char *roles)
{
    str rest = str_from(roles);
    json_member(w, "roles");
    json_begin_array(w);
    while (rest.len > 0) json_write_text(w, take_word(&rest));
    json_end_array(w);
}

static status put_labels(struct json_writer *w, const char *labels, struct error *reterr)
{
    str rest = str_from(labels);
    json_member(w, "labels");
    json_begin_object(w);
    while (rest.len > 0) {
        str key   = {};
        str value = {};
        if (!label_read(take_word(&rest), &key, &value)) {
            return fail(reterr, STATUS_INVALID_ARGUMENT, "--label: KEY=VALUE, several by commas");
        }
        json_member_str(w, key);
        json_write_text(w, value);
    }
    json_end_object(w);
    return STATUS_OK;
}

/* "requests=600,parallel=4" */
static status put_limits(struct json_writer *w, const char *limits, struct error *reterr)
{
    static const struct {
        const char *word, *member;
    } known[] = {{"requests", "requests_per_minute"},
                 {"starts", "starts_per_minute"},
                 {"tokens", "tokens_per_minute"},
                 {"parallel", "parallel"}};
    str rest  = str_from(limits);
    json_member(w, "limits");
    json_begin_object(w);
    while (rest.len > 0) {
        CLEANUP(json_unrefp) json count = json_invalid();
        str word                        = {};
        str text                        = {};
        int64_t number                  = 0;
        size_t i                        = 0;
        bool is_pair                    = label_read(take_word(&rest), &word, &text);
        while (is_pair && i < ARRAY_LEN(known) && !str_is(word, known[i].word)) i++;
        if (!is_pair || i == ARRAY_LEN(known) ||
            json_parse(text, NULL, &count, NULL, NULL) != STATUS_OK ||
            !json_to_int(count, &number)) {
            return fail(reterr, STATUS_INVALID_ARGUMENT,
                        "--limit: requests=N, starts=N, tokens=N or parallel=N, several by commas");
        }
        json_put_int(w, known[i].member, number);
    }
    json_end_object(w);
    return STATUS_OK;
}

static status put_budget(struct json_writer *w, const struct cli *cli, struct error *reterr)
{
    const char *tokens              = cli->values[FLAG_TOKENS];
    CLEANUP(json_unrefp) json count = json_invalid();
    int64_t number                  = 0;
    json_member(w, "budget");
    json_begin_object(w);
    if (cli->values[FLAG_USD]) json_put_text(w, "usd", str_from(cli->values[FLAG_USD]));
    if (tokens) {
        status read = json_parse(str_from(tokens), NULL, &count, NULL, NULL);
        if (read != STATUS_OK || !json_to_int(count, &number)) {
            return fail(reterr, STATUS_INVALID_ARGUMENT, "--tokens: a whole number");
        }
        json_put_int(w, "tokens", number);
    }
    if (cli->values[FLAG_PERIOD]) json_put_text(w, "period", str_from(cli->values[FLAG_PERIOD]));
    json_end_object(w);
    return STATUS_OK;
}

static status put_body(const struct cli *cli, struct buf *body, struct error *reterr)
{
    struct json_writer w = json_writer_init(body);
    bool has_budget = cli->values[FLAG_USD] || cli->values[FLAG_TOKENS] || cli->values[FLAG_PERIOD];
    if (!cli->values[FLAG_ROLES]) {
        return fail(reterr, STATUS_INVALID_ARGUMENT,
                    "--role: viewer, developer, operator, approver, worker, model_client or admin");
    }
    json_begin_object(&w);
    json_put_text(&w, "name", str_from(cli->arguments[1]));
    put_roles(&w, cli->values[FLAG_ROLES]);
    if (cli->values[FLAG_IN]) json_put_text(&w, "namespace", str_from(cli->values[FLAG_IN]));
    if (cli->values[FLAG_EXPIRES]) {
        json_put_text(&w, "expires_in", str_from(cli->values[FLAG_EXPIRES]));
    }
    if (cli->values[FLAG_LABELS]) TRY(put_labels(&w, cli->values[FLAG_LABELS], reterr));
    if (cli->values[FLAG_LIMITS]) TRY(put_limits(&w, cli->values[FLAG_LIMITS], reterr));
    if (has_budget) TRY(put_budget(&w, cli, reterr));
    json_end_object(&w);
    return STATUS_OK;
}

/* --- what is shown -----------------------------------------------------------------------------
 */

static void put_limit(json limits, const char *member, const char *word, struct buf *out)
{
    int64_t most = 0;
    if (!json_to_int(json_get_text(limits, member), &most)) return;
    (void)buf_printf(out, "%s%s=%" PRId64, out->len > 0 ? "," : "", word, most);
}

static void put_limits_of(json limits, struct buf *out)
{
    put_limit(limits, "requests_per_minute", "requests", out);
    put_limit(limits, "starts_per_minute", "starts", out);
    put_limit(limits, "tokens_per_minute", "tokens", out);
    put_limit(limits, "parallel", "parallel", out);
    if (out->len == 0) (void)buf_put_text(out, "none");
}

static void add_key(struct table *table, json one)
{
    CLEANUP(buf_done) struct buf limits = buf_init(LIMITS_MAX);
    CLEANUP(buf_done) struct buf roles  = buf_init(ROLES_MAX);
    json list                           = json_get_text(one, "roles");
    for (size_t i = 0; i < json_count(list); i++) {
        (void)buf_printf(&roles, "%s" STR_FMT, i > 0 ? "," : "",
                         STR_ARG(json_str(json_at(list, i))));
    }
    put_limits_of(json_get_text(one, "limits"), &limits);
    const str cells[COLUMNS] = {member(one, "id", ""),
                                member(one, "name", ""),
                                member(one, "namespace", ""),
                                buf_str(&roles),
                                member(one, "status", ""),
                                member(one, "created_at", ""),
                                member(one, "expires_at", "never"),
                                buf_str(&limits),
                                member(one, "last_used_at", "never")};
    table_add(table, cells);
}

static void print_keys(json answer)
{
    static const char *const titles[COLUMNS] = {
        "KEY", "NAME", "NAMESPACE", "ROLES", "STATUS", "CREATED", "EXPIRES", "LIMITS", "LAST USED"};
    print_rows(answer, titles, COLUMNS, add_key);
}

/* The secret alone on standard output, for scripts and pipes. */
static void print_secret(json answer)
{
    str secret = member(answer, "key", "");
    if (secret.len == 0) {
        (void)fprintf(stderr, "tutti: this was done before, and its secret was shown then\n");
        return;
    }
    (void)fprintf(stderr, "key " STR_FMT "; this is shown only now:\n",
                  STR_ARG(member(answer, "id", "")));
    (void)printf(STR_FMT "\n", STR_ARG(secret));
}

/* --- the command -------------------------------------------------------------------------------
 */

static enum cli_exit create(const struct cli *cli)
{
    struct error error                = {};
    CLEANUP(buf_done) struct buf body = buf_init(BODY_MAX);
    if (put_body(cli, &body, &error) != STATUS_OK) return wrong(error.text);
    const struct api_call call = {.method = "POST", .path = "/v1/api-keys", .body = buf_str(&body)};
    return api_show(cli, &call, print_secret);
}

static enum cli_exit rotate(const struct cli *cli, struct buf *path)
{
    CLEANUP(buf_done) struct buf body = buf_init(BODY_MAX);
    struct json_writer w              = json_writer_init(&body);
    json_begin_object(&w);
    if (cli->values[FLAG_OVERLAP]) {
        json_put_text(&w, "overlap", str_from(cli->values[FLAG_OVERLAP]));
    }
    json_end_object(&w);
    (void)buf_put_text(path, "/rotate");
    const struct api_call call = {.method = "POST", .path = path->ptr, .body = buf_str(&body)};
    return api_show(cli, &call, print_secret);
}

enum cli_exit command_key(struct cli *cli)
{
    static const char *const actions[] = {"list", "create", "show", "rotate", "revoke"};
    CLEANUP(buf_done) struct buf path  = buf_init(PATH_MAX_BYTES);
    size_t action                      = 0;
    const char *word                   = cli->argument_count > 0 ? cli->arguments[0] : "list";
    while (action < ARRAY_LEN(actions) && strcmp(word, actions[action]) != 0) action++;
    if (action == ARRAY_LEN(actions) || (cli->argument_count == 2) != (action > 0)) {
        return wrong("key [list | create NAME --role ROLE ... | show ID | rotate ID | revoke ID]");
    }
    if (strcmp(word, "create") == 0) return create(cli);
    (void)buf_put_text(&path, "/v1/api-keys");
    if (action > 0) {
        (void)buf_put_byte(&path, '/');
        api_put_segment(&path, cli->arguments[1]);
    }
    if (strcmp(word, "rotate") == 0) return rotate(cli, &path);
    if (strcmp(word, "revoke") == 0) return api_do(cli, "DELETE", path.ptr, (str){}, "revoked");
    const struct api_call call = {.method = "GET", .path = path.ptr};
    return api_show(cli, &call, print_keys);
}
