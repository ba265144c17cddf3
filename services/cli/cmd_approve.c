/* approvals, approve, reject, edit: what people are asked, and what they say. */
#include "base/id.h"
#include "cli/api.h"
#include "cli/print.h"
#include "json/json_text.h"
#include "json/json_write.h"

#include <stdio.h>

enum { BODY_MAX = 1 << 20, PATH_MAX_BYTES = 2048, ID_TEXT_MAX = 64 };

/* In the order of decide_flags in main.c. */
enum { DECIDE_COMMENT, DECIDE_DATA };

static enum cli_exit list_pending(struct api *api, const char *run, struct api_answer *answer)
{
    CLEANUP(buf_done) struct buf path = buf_init(PATH_MAX_BYTES);
    (void)buf_put_text(&path, "/v1/approvals?status=pending&page_size=500");
    if (run) {
        (void)buf_put_text(&path, "&run=");
        api_put_segment(&path, run);
    }
    const struct api_call call = {.method = "GET", .path = path.ptr};
    return api_call(api, &call, answer);
}

static void add_approval(struct table *table, json one)
{
    const str cells[] = {member(one, "id", ""), member(one, "due_at", "never"),
                         member(one, "run", ""), member(one, "title", "")};
    table_add(table, cells);
}

enum cli_exit command_approvals(struct cli *cli)
{
    CLEANUP(api_freep) struct api *api                = api_open(cli);
    CLEANUP(api_answer_done) struct api_answer answer = {};
    if (!api) return CLI_USAGE;
    enum cli_exit code = list_pending(api, NULL, &answer);
    if (code != CLI_OK) return code;
    if (cli->is_json) {
        print_json(answer.value);
        return CLI_OK;
    }
    static const char *const titles[] = {"APPROVAL", "DUE", "RUN", "TITLE"};
    print_rows(answer.value, titles, ARRAY_LEN(titles), add_approval);
    return CLI_OK;
}

/* People know the run; the id of its one open approval is found. */
static enum cli_exit find_approval(struct api *api, const char *given, char id[static ID_TEXT_MAX])
{
    CLEANUP(api_answer_done) struct api_answer answer = {};
    (void)snprintf(id, ID_TEXT_MAX, "%s", given);
    CLEANUP(api_answer_done) struct api_answer direct = {};
    CLEANUP(buf_done) struct buf path                 = buf_init(PATH_MAX_BYTES);
    (void)buf_put_text(&path, "/v1/approvals/");
    api_put_segment(&path, given);
    const struct api_call call = {.method = "GET", .path = path.ptr};
    if (id_is_valid(str_from(given)) && api_try(api, &call, &direct) == CLI_OK &&
        direct.http_status == 200) {
        return CLI_OK;
    }
    enum cli_exit code = list_pending(api, given, &answer);
    if (code != CLI_OK) return code;
    json items = json_get_text(answer.value, "items");
    if (json_count(items) != 1) {
        (void)fprintf(stderr, "tutti: %s has %zu open approvals; `tutti approvals` lists them\n",
                      given, json_count(items));
        return CLI_REFUSED;
    }
    (void)snprintf(id, ID_TEXT_MAX, STR_FMT, STR_ARG(member(json_at(items, 0), "id", "")));
    return CLI_OK;
}

typedef status put_body(const struct cli *cli, struct buf *body, struct error *reterr);

/* The body that the command line says, and the path of the approval that it means. */
static enum cli_exit approach(struct cli *cli, put_body *put, struct buf *body, struct buf *path,
                              char id[static ID_TEXT_MAX], struct api **ret_api)
{
    struct error error = {};
    status code        = put(cli, body, &error);
    if (code == STATUS_OK) code = api_new(cli, ret_api, &error);
    if (code != STATUS_OK) {
        (void)fprintf(stderr, "tutti: %s\n", error.text);
        return CLI_USAGE;
    }
    enum cli_exit found = find_approval(*ret_api, cli->arguments[0], id);
    if (found != CLI_OK) return found;
    (void)buf_put_text(path, "/v1/approvals/");
    api_put_segment(path, id);
    return CLI_OK;
}

static status put_decision(const struct cli *cli, struct buf *body, struct error *reterr)
{
    struct json_writer w = json_writer_init(body);
    json_begin_object(&w);
    if (cli->values[DECIDE_COMMENT]) {
        json_put_text(&w, "comment", str_from(cli->values[DECIDE_COMMENT]));
    }
    if (cli->values[DECIDE_DATA]) {
        CLEANUP(json_unrefp) json data = json_invalid();
        TRY(read_json_argument(cli->values[DECIDE_DATA], &data, reterr));
        json_member(&w, "data");
        json_write_value(&w, data);
    }
    json_end_object(&w);
    return STATUS_OK;
}

static enum cli_exit decide(struct cli *cli, const char *action)
{
    CLEANUP(buf_done) struct buf body  = buf_init(BODY_MAX);
    CLEANUP(buf_done) struct buf path  = buf_init(PATH_MAX_BYTES);
    CLEANUP(api_freep) struct api *api = NULL;
    char id[ID_TEXT_MAX];
    enum cli_exit found = approach(cli, put_decision, &body, &path, id, &api);
    if (found != CLI_OK) return found;
    (void)buf_printf(&path, "/%s", action);

    CLEANUP(api_answer_done) struct api_answer answer = {};
    const struct api_call call = {.method = "POST", .path = path.ptr, .body = buf_str(&body)};
    enum cli_exit result       = api_call(api, &call, &answer);
    if (result != CLI_OK) return result;
    if (cli->is_json) {
        print_json(answer.value);
    } else {
        print_clean(stdout, "", member(answer.value, "title", id));
        (void)printf(": " STR_FMT "\n", STR_ARG(member(answer.value, "status", "")));
    }
    return CLI_OK;
}

enum cli_exit command_approve(struct cli *cli)
{
    return decide(cli, "approve");
}

enum cli_exit command_reject(struct cli *cli)
{
    return decide(cli, "reject");
}

/* --- editing -----------------------------------------------------------------------------------
 */

/* In the order of edit_flags in main.c. */
enum { EDIT_PAYLOAD, EDIT_APPROVERS, EDIT_DUE };

static void put_approvers(struct json_writer *w, str list)
{
    json_member(w, "approvers");
    json_begin_array(w);
    while (list.len > 0) {
        const char *comma = memchr(list.ptr, ',', list.len);
        size_t len        = comma ? (size_t)(comma - list.ptr) : list.len;
        if (len > 0) json_write_text(w, str_slice(list, 0, len));
        list = str_slice(list, comma ? len + 1 : len, list.len);
    }
    json_end_array(w);
}

static status put_patch(const struct cli *cli, struct buf *body, struct error *reterr)
{
    struct json_writer w  = json_writer_init(body);
    const char *payload   = cli->values[EDIT_PAYLOAD];
    const char *approvers = cli->values[EDIT_APPROVERS];
    const char *due       = cli->values[EDIT_DUE];
    if (!payload && !approvers && !due) {
        return fail(reterr, STATUS_INVALID_ARGUMENT, "one of --payload, --approvers, --due");
    }
    json_begin_object(&w);
    if (payload) {
        CLEANUP(json_unrefp) json value = json_invalid();
        TRY(read_json_argument(payload, &value, reterr));
        json_member(&w, "payload");
        json_write_value(&w, value);
    }
    if (approvers) put_approvers(&w, str_from(approvers));
    if (due && strcmp(due, "never") == 0) {
        json_member(&w, "due_at");
        json_write_null(&w);
    } else if (due) {
        json_put_text(&w, "due_at", str_from(due));
    }
    json_end_object(&w);
    return STATUS_OK;
}

enum cli_exit command_edit(struct cli *cli)
{
    CLEANUP(buf_done) struct buf body  = buf_init(BODY_MAX);
    CLEANUP(buf_done) struct buf path  = buf_init(PATH_MAX_BYTES);
    CLEANUP(api_freep) struct api *api = NULL;
    char id[ID_TEXT_MAX];
    enum cli_exit found = approach(cli, put_patch, &body, &path, id, &api);
    if (found != CLI_OK) return found;

    CLEANUP(api_answer_done) struct api_answer before = {};
    const struct api_call get                         = {.method = "GET", .path = path.ptr};
    enum cli_exit result                              = api_call(api, &get, &before);
    if (result != CLI_OK) return result;
    CLEANUP(api_answer_done) struct api_answer answer = {};
    const struct api_call patch                       = {.method = "PATCH",
                                                         .path   = path.ptr,
                                                         .body   = buf_str(&body),
                                                         .type   = "application/merge-patch+json",
                                                         .match  = before.tag};
    result                                            = api_call(api, &patch, &answer);
    if (result != CLI_OK) return result;
    if (cli->is_json) {
        print_json(answer.value);
    } else {
        print_clean(stdout, "", member(answer.value, "title", id));
        (void)printf(": edited\n");
    }
    return CLI_OK;
}
