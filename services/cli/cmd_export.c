/* export: runs as lines of JSON, each with its history: for other programs, and for keeping. */
#include "cli/api.h"
#include "cli/print.h"
#include "json/json_text.h"

#include <stdio.h>
#include <string.h>

enum { PATH_BYTES_MAX = 4096, PAGE_SIZE = 100, EVENTS_PAGE_SIZE = 500 };
enum { EXPORT_STATUS, EXPORT_WORKFLOW, EXPORT_LABEL };

struct exporting {
    struct api *api;
    size_t count, left_out; /* runs */
};

/* --- pages -------------------------------------------------------------------------------------
 */

static enum cli_exit get(struct api *api, const char *path, struct api_answer *answer)
{
    const struct api_call call = {.method = "GET", .path = path};
    api_answer_done(answer);
    *answer = (struct api_answer){};
    return api_call(api, &call, answer);
}

static void put_query(struct buf *path, const char *name, const char *value)
{
    if (!value || !*value) return;
    (void)buf_printf(path, "&%s=", name);
    api_put_segment(path, value);
}

/* Asks for page after page; all items of all of them go to `items`, a borrowed array. */
static enum cli_exit get_events(struct api *api, str run, json *items)
{
    CLEANUP(api_answer_done) struct api_answer answer = {};
    CLEANUP(buf_done) struct buf token                = buf_init(PATH_BYTES_MAX);
    CLEANUP(buf_done) struct buf id                   = buf_init(PATH_BYTES_MAX);
    (void)buf_put_str(&id, run);
    do {
        CLEANUP(buf_done) struct buf path = buf_init(PATH_BYTES_MAX);
        api_put_run(&path, id.ptr, "/history");
        (void)buf_printf(&path, "?page_size=%d", EVENTS_PAGE_SIZE);
        put_query(&path, "page_token", token.ptr);
        enum cli_exit code = get(api, path.ptr, &answer);
        if (code != CLI_OK) return code;
        json page = json_get_text(answer.value, "items");
        for (size_t i = 0; i < json_count(page); i++) {
            json_array_push(items, json_ref(json_at(page, i)));
        }
        buf_clear(&token);
        (void)buf_put_str(&token, member(answer.value, "next_page_token", ""));
    } while (token.len > 0);
    return CLI_OK;
}

/* --- a run -------------------------------------------------------------------------------------
 */

static enum cli_exit print_line(json run, json events, json kept)
{
    CLEANUP(json_unrefp) json line    = json_object_new(4);
    CLEANUP(buf_done) struct buf text = buf_init(4 * (size_t)API_BODY_MAX);
    json_object_put_text(&line, "format", json_ref(json_get_text(kept, "format")));
    json_object_put_text(&line, "run", json_ref(run));
    json_object_put_text(&line, "history", json_ref(events));
    json_object_put_text(&line, "kept", json_ref(json_get_text(kept, "kept")));
    if (!json_print(line, JSON_COMPACT, &text)) {
        (void)fprintf(stderr, "tutti: run " STR_FMT " is too large to export\n",
                      STR_ARG(member(run, "id", "")));
        return CLI_FAILED;
    }
    bool is_written = fwrite(text.ptr, 1, text.len, stdout) == text.len && putchar('\n') != EOF;
    if (is_written) return CLI_OK;
    (void)fprintf(stderr, "tutti: what is exported cannot be written: %m\n");
    return CLI_FAILED;
}

/* `*ret_there` false: there is no such run any more, or it cannot be exported, which was said. */
static enum cli_exit get_of_run(struct exporting *exporting, str id, const char *what,
                                struct api_answer *answer, bool *ret_there)
{
    CLEANUP(buf_done) struct buf path = buf_init(PATH_BYTES_MAX);
    CLEANUP(buf_done) struct buf name = buf_init(PATH_BYTES_MAX);
    (void)buf_put_str(&name, id);
    api_put_run(&path, name.ptr, what);
    const struct api_call call = {.method = "GET", .path = path.ptr};
    enum cli_exit code         = api_try(exporting->api, &call, answer);
    *ret_there                 = answer->http_status == 200;
    if (code != CLI_OK || *ret_there || answer->http_status == 404) return code;
    (void)fprintf(stderr, "tutti: run " STR_FMT " is left out: ", STR_ARG(id));
    print_clean(stderr, "", member(answer->value, "detail", "it cannot be read"));
    (void)fputc('\n', stderr);
    exporting->left_out++;
    return answer->http_status == 409 || answer->http_status == 413 ? CLI_OK : api_explain(answer);
}

/* One that was deleted since it was listed is left out. */
static enum cli_exit export_run(struct exporting *exporting, str id)
{
    CLEANUP(api_answer_done) struct api_answer run  = {};
    CLEANUP(api_answer_done) struct api_answer kept = {};
    CLEANUP(json_unrefp) json events                = json_array_new(0);
    bool is_there                                   = false;
    enum cli_exit code = get_of_run(exporting, id, "/export", &kept, &is_there);
    if (code != CLI_OK || !is_there) return code;
    code = get_of_run(exporting, id, "", &run, &is_there);
    if (code != CLI_OK || !is_there) return code;
    code = get_events(exporting->api, id, &events);
    if (code == CLI_OK) code = print_line(run.value, events, kept.value);
    if (code == CLI_OK) exporting->count++;
    return code;
}

static bool has_ended(json run)
{
    static const char *const ends[] = {"completed", "faulted", "cancelled", "terminated"};
    for (size_t i = 0; i < ARRAY_LEN(ends); i++) {
        if (str_is(member(run, "status", ""), ends[i])) return true;
    }
    return false;
}

/* --- all of them -------------------------------------------------------------------------------
 */

static enum cli_exit export_page(struct exporting *exporting, json items)
{
    for (size_t i = 0; i < json_count(items); i++) {
        json run = json_at(items, i);
        if (!has_ended(run)) continue;
        enum cli_exit code = export_run(exporting, member(run, "id", ""));
        if (code != CLI_OK) return code;
    }
    return CLI_OK;
}

static enum cli_exit export_all(const struct cli *cli, struct exporting *exporting)
{
    CLEANUP(api_answer_done) struct api_answer answer = {};
    CLEANUP(buf_done) struct buf token                = buf_init(PATH_BYTES_MAX);
    do {
        CLEANUP(buf_done) struct buf path = buf_init(PATH_BYTES_MAX);
        (void)buf_printf(&path, "/v1/runs?page_size=%d", PAGE_SIZE);
        put_query(&path, "status", cli->values[EXPORT_STATUS]);
        put_query(&path, "workflow", cli->values[EXPORT_WORKFLOW]);
        put_query(&path, "label", cli->values[EXPORT_LABEL]);
        put_query(&path, "page_token", token.ptr);
        enum cli_exit code = get(exporting->api, path.ptr, &answer);
        if (code == CLI_OK) code = export_page(exporting, json_get_text(answer.value, "items"));
        if (code != CLI_OK) return code;
        buf_clear(&token);
        (void)buf_put_str(&token, member(answer.value, "next_page_token", ""));
    } while (token.len > 0);
    return CLI_OK;
}

enum cli_exit command_export(struct cli *cli)
{
    CLEANUP(api_freep) struct api *api = api_open(cli);
    if (!api) return CLI_USAGE;
    struct exporting exporting = {.api = api};
    enum cli_exit code         = export_all(cli, &exporting);
    if (code != CLI_OK) return code;
    if (fflush(stdout) != 0) {
        (void)fprintf(stderr, "tutti: what is exported cannot be written: %m\n");
        return CLI_FAILED;
    }
    (void)fprintf(stderr, "%zu runs\n", exporting.count);
    return exporting.left_out > 0 ? CLI_FAILED : CLI_OK;
}
