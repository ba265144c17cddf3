/* bulk: one thing done to many runs. */
#include "cli/api.h"
#include "cli/print.h"
#include "json/json_text.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

enum { PATH_MAX_BYTES = 256, BODY_MAX = 1 << 20, ASK_AGAIN_MS = 100 };

enum {
    BULK_STATUS,
    BULK_WORKFLOW,
    BULK_LABEL,
    BULK_BEFORE,
    BULK_REASON,
    BULK_DRY,
    BULK_FORCE,
    BULK_AFTER
};
enum { ERASE_LABEL, ERASE_DRY };

static void put_text(json *object, const char *name, const char *value)
{
    if (value) json_object_put_text(object, name, json_text_lossy(str_from(value)));
}

/* False: a label is none, and that has been said. Takes nothing; the filter is owned. */
static bool filter_new(const struct cli *cli, json *ret_filter)
{
    struct error error = {};
    json labels        = json_invalid();
    const char *label  = cli->values[BULK_LABEL];
    *ret_filter        = json_object_new(4);
    if (label && read_label_argument(label, &labels, &error) != STATUS_OK) {
        (void)fprintf(stderr, "tutti: %s\n", error.text);
        return false;
    }
    if (cli->values[BULK_STATUS]) {
        json list = json_array_new(1);
        json_array_push(&list, json_text_lossy(str_from(cli->values[BULK_STATUS])));
        json_object_put_text(ret_filter, "status", list);
    }
    if (label) json_object_put_text(ret_filter, "labels", labels);
    put_text(ret_filter, "workflow", cli->values[BULK_WORKFLOW]);
    put_text(ret_filter, "created_before", cli->values[BULK_BEFORE]);
    put_text(ret_filter, "created_after", cli->values[BULK_AFTER]);
    return true;
}

static enum cli_exit report(const struct cli *cli, json operation, bool is_dry)
{
    json refusals = json_get_text(operation, "refusals");
    json reasons  = json_get_text(operation, "reasons");
    if (cli->is_json) {
        print_json(operation);
    } else {
        const char *what = is_dry ? "would be " : "";
        (void)printf("%" PRId64 " matched, %" PRId64 " %sdone, %" PRId64 " %srefused\n",
                     member_int(operation, "matched"), member_int(operation, "done"), what,
                     member_int(operation, "refused"), what);
        for (size_t i = 0; i < json_count(reasons); i++) {
            int64_t count = 0;
            (void)json_to_int(json_value_at(reasons, i), &count);
            (void)printf("  " STR_FMT ": %" PRId64 "\n", STR_ARG(json_key_at(reasons, i)), count);
        }
        for (size_t i = 0; i < json_count(refusals); i++) {
            json one = json_at(refusals, i);
            (void)printf("  " STR_FMT, STR_ARG(member(one, "run", "")));
            print_clean(stdout, ": ", member(one, "detail", ""));
            (void)putchar('\n');
        }
    }
    return member_int(operation, "refused") > 0 ? CLI_FAILED : CLI_OK;
}

static enum cli_exit follow(const struct cli *cli, struct api *api, json operation, bool is_dry)
{
    CLEANUP(buf_done) struct buf path = buf_init(PATH_MAX_BYTES);
    (void)buf_printf(&path, "/v1/operations/" STR_FMT, STR_ARG(member(operation, "id", "")));
    for (;;) {
        CLEANUP(api_answer_done) struct api_answer answer = {};
        const struct api_call call                        = {.method = "GET", .path = path.ptr};
        enum cli_exit code                                = api_call(api, &call, &answer);
        if (code != CLI_OK) {
            (void)fprintf(stderr, "tutti: it goes on without us: GET %s says how far it is\n",
                          path.ptr);
            return code;
        }
        if (str_is(member(answer.value, "status", ""), "done")) {
            return report(cli, answer.value, is_dry);
        }
        const struct timespec pause = {.tv_nsec = ASK_AGAIN_MS * 1'000'000L};
        (void)nanosleep(&pause, NULL);
    }
}

/* Asks for it and waits until it is done. */
static enum cli_exit carry_out(struct cli *cli, json body, bool is_dry)
{
    CLEANUP(api_answer_done) struct api_answer answer = {};
    CLEANUP(buf_done) struct buf text                 = buf_init(BODY_MAX);
    if (is_dry) json_object_put_text(&body, "dry_run", json_bool(true));
    (void)json_print(body, JSON_COMPACT, &text);
    CLEANUP(api_freep) struct api *api = api_open(cli);
    if (!api) return CLI_USAGE;
    const struct api_call call = {
        .method = "POST", .path = "/v1/runs/bulk", .body = buf_str(&text)};
    enum cli_exit code = api_call(api, &call, &answer);
    return code == CLI_OK ? follow(cli, api, answer.value, is_dry) : code;
}

enum cli_exit command_bulk(struct cli *cli)
{
    CLEANUP(json_unrefp) json body = json_object_new(4);
    json filter                    = json_invalid();
    bool is_good                   = filter_new(cli, &filter);
    json_object_put_text(&body, "filter", filter);
    if (!is_good) return CLI_USAGE;
    put_text(&body, "action", cli->arguments[0]);
    put_text(&body, "reason", cli->values[BULK_REASON]);
    if (cli->values[BULK_FORCE]) json_object_put_text(&body, "force", json_bool(true));
    return carry_out(cli, body, cli->values[BULK_DRY] != NULL);
}

enum cli_exit command_erase(struct cli *cli)
{
    const char *label  = cli->values[ERASE_LABEL];
    bool is_dry        = cli->values[ERASE_DRY] != NULL;
    struct error error = {};
    if (cli->argument_count == 1 && !label && !is_dry) {
        CLEANUP(buf_done) struct buf path = buf_init(PATH_MAX_BYTES);
        api_put_run(&path, cli->arguments[0], "/erase");
        return api_do(cli, "POST", path.ptr, str_from("{}"), "erased");
    }
    if (cli->argument_count == 1 || !label) {
        (void)fprintf(stderr, "tutti erase: either RUN, or --label KEY=VALUE [--dry-run]\n");
        return CLI_USAGE;
    }
    CLEANUP(json_unrefp) json body = json_object_new(4);
    json filter                    = json_object_new(1);
    json labels                    = json_invalid();
    bool is_label                  = read_label_argument(label, &labels, &error) == STATUS_OK;
    if (is_label) json_object_put_text(&filter, "labels", labels);
    json_object_put_text(&body, "filter", filter);
    put_text(&body, "action", "erase");
    if (is_label) return carry_out(cli, body, is_dry);
    (void)fprintf(stderr, "tutti: %s\n", error.text);
    return CLI_USAGE;
}
