/* `adapter test --connection`: a connection of the server is tried out by its reads. */
#include "cli/adapter_source.h"
#include "cli/api.h"
#include "cli/print.h"
#include "json/json_text.h"

#include <inttypes.h>
#include <stdio.h>

enum { PATH_SIZE = 1'024, TRY_MS = 70'000 };

static void print_check(json check)
{
    bool is_skipped = json_is_truthy(json_get_text(check, "skipped"));
    bool is_fine    = json_is_truthy(json_get_text(check, "ok"));
    int64_t ms      = 0;
    (void)json_to_int(json_get_text(check, "duration_ms"), &ms);
    (void)printf("%-4s " STR_FMT "  %" PRId64 " ms",
                 is_skipped ? "-"
                 : is_fine  ? "ok"
                            : "BAD",
                 STR_ARG(member(check, "function", "")), ms);
    if (is_skipped) {
        (void)printf("  it needs arguments");
    } else if (!is_fine) {
        (void)printf("  " STR_FMT, STR_ARG(member(check, "class", "")));
        print_clean(stdout, ": ", member(json_get_text(check, "error"), "detail", ""));
    }
    (void)printf("\n");
}

static void print_tried(json tried)
{
    json checks = json_get_text(tried, "checks");
    (void)printf(STR_FMT " (" STR_FMT ")", STR_ARG(member(tried, "connection", "")),
                 STR_ARG(member(tried, "adapter", "")));
    print_clean(stdout, json_is(json_get_text(tried, "account"), JSON_TEXT) ? " as " : "",
                member(tried, "account", ""));
    (void)printf("\n");
    for (size_t i = 0; i < json_count(checks); i++) print_check(json_at(checks, i));
    if (json_count(checks) == 0) (void)printf("it has no read that needs no arguments\n");
}

enum cli_exit adapter_try(struct cli *cli)
{
    CLEANUP(api_answer_done) struct api_answer answer = {};
    CLEANUP(buf_done) struct buf path                 = buf_init(PATH_SIZE);
    const char *name = cli->argument_count > 1 ? cli->arguments[1] : NULL;
    (void)buf_put_text(&path, "/v1/connectors/");
    api_put_segment(&path, cli->values[ADAPTER_FLAG_CONNECTION]);
    (void)buf_put_text(&path, "/test");
    const struct api_call call = {.method = "POST", .path = path.ptr, .timeout_ms = TRY_MS};
    enum cli_exit code         = api_ask(cli, &call, &answer);
    if (code != CLI_OK) return code;
    str adapter = member(answer.value, "adapter", "");
    if (name && !str_is(adapter, name)) {
        (void)fprintf(stderr, "tutti: the connection `%s` is one of `" STR_FMT "`, not of `%s`\n",
                      cli->values[ADAPTER_FLAG_CONNECTION], STR_ARG(adapter), name);
        return CLI_FAILED;
    }
    if (cli->is_json) {
        print_json(answer.value);
    } else {
        print_tried(answer.value);
    }
    return json_is_truthy(json_get_text(answer.value, "ok")) ? CLI_OK : CLI_FAILED;
}
