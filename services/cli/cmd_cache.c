/* cache: what is kept of answers of calls. */
#include "cli/api.h"
#include "cli/print.h"

#include <inttypes.h>
#include <stdio.h>

enum { PATH_MAX_BYTES = 2048, CELL_MAX = 64, COLUMNS = 3, ROUNDS_MAX = 10'000 };

enum { CACHE_PREFIX, CACHE_FUNCTION, CACHE_WORKFLOW, CACHE_FLAGS };

static void add_row(struct table *table, const char *name, int64_t value, int64_t limit)
{
    char shown[CELL_MAX];
    char most[CELL_MAX] = "";
    (void)snprintf(shown, sizeof shown, "%" PRId64, value);
    if (limit > 0) (void)snprintf(most, sizeof most, "%" PRId64, limit);
    const str cells[] = {str_from(name), str_from(shown), str_from(most)};
    table_add(table, cells);
}

static void print_stats(json stats)
{
    static const char *const titles[COLUMNS] = {"CACHE", "NOW", "LIMIT"};
    CLEANUP(table_done) struct table table;
    table_init(&table, titles, COLUMNS);
    json limits = json_get_text(stats, "limits");
    add_row(&table, "hits", member_int(stats, "hits"), 0);
    add_row(&table, "misses", member_int(stats, "misses"), 0);
    add_row(&table, "entries", member_int(stats, "entries"), member_int(limits, "entries"));
    add_row(&table, "bytes", member_int(stats, "bytes"), member_int(limits, "bytes"));
    table_print(&table);
}

static enum cli_exit show(const struct cli *cli)
{
    const struct api_call call = {.method = "GET", .path = "/v1/cache"};
    return api_show(cli, &call, print_stats);
}

static void put_filters(const struct cli *cli, struct buf *path)
{
    static const char *const names[CACHE_FLAGS] = {"prefix", "function", "workflow"};
    char separator                              = '?';
    (void)buf_put_text(path, "/v1/cache");
    for (size_t i = 0; i < CACHE_FLAGS; i++) {
        if (!cli->values[i]) continue;
        (void)buf_printf(path, "%c%s=", separator, names[i]);
        api_put_segment(path, cli->values[i]);
        separator = '&';
    }
}

/* The server deletes a limited number at a time. */
static enum cli_exit clear(const struct cli *cli)
{
    CLEANUP(buf_done) struct buf path  = buf_init(PATH_MAX_BYTES);
    CLEANUP(api_freep) struct api *api = api_open(cli);
    int64_t deleted                    = 0;
    int64_t bytes_freed                = 0;
    bool has_more                      = true;
    if (!api) return CLI_USAGE;
    put_filters(cli, &path);
    for (int i = 0; i < ROUNDS_MAX && has_more; i++) {
        CLEANUP(api_answer_done) struct api_answer answer = {};
        const struct api_call call                        = {.method = "DELETE", .path = path.ptr};
        enum cli_exit code                                = api_call(api, &call, &answer);
        if (code != CLI_OK) return code;
        deleted += member_int(answer.value, "deleted");
        bytes_freed += member_int(answer.value, "bytes");
        has_more = json_is(json_get_text(answer.value, "has_more"), JSON_TRUE);
    }
    if (cli->is_json) {
        (void)printf("{\"deleted\":%" PRId64 ",\"bytes\":%" PRId64 "}\n", deleted, bytes_freed);
    } else {
        (void)printf("deleted %" PRId64 " answers, %" PRId64 " bytes\n", deleted, bytes_freed);
    }
    return CLI_OK;
}

enum cli_exit command_cache(struct cli *cli)
{
    str action   = str_from(cli->argument_count > 0 ? cli->arguments[0] : "show");
    bool is_show = str_is(action, "show");
    if (!is_show && !str_is(action, "clear")) {
        (void)fprintf(stderr, "tutti: cache [show | clear]\n");
        return CLI_USAGE;
    }
    return is_show ? show(cli) : clear(cli);
}
