/* audit: who did what. */
#include "cli/api.h"
#include "cli/print.h"
#include "json/json_text.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { PATH_MAX_BYTES = 2'048, COLUMNS = 8, HASH_LEN = 64, NUMBER_LEN_MAX = 18 };

/* In the order of audit_flags in commands.c. */
enum {
    FLAG_ACTOR,
    FLAG_ACTION,
    FLAG_RESOURCE,
    FLAG_RUN,
    FLAG_RESULT,
    FLAG_FROM,
    FLAG_TO,
    FLAG_LIMIT,
    FLAG_PAGE,
    FLAG_EXPECT,
};

static enum cli_exit wrong(const char *text)
{
    (void)fprintf(stderr, "tutti: %s\n", text);
    return CLI_USAGE;
}

/* --- list --------------------------------------------------------------------------------------
 */

/* What a write went to, else the resource. */
static void put_about(json one, struct buf *out)
{
    json write = json_get_text(one, "write");
    if (!json_is(write, JSON_OBJECT)) {
        (void)buf_put_str(out, member(one, "resource", ""));
        return;
    }
    (void)buf_printf(out, STR_FMT " " STR_FMT " " STR_FMT STR_FMT,
                     STR_ARG(member(write, "function", "")), STR_ARG(member(write, "method", "")),
                     STR_ARG(member(write, "host", "")), STR_ARG(member(write, "path", "")));
}

static void add_record(struct table *table, json one)
{
    CLEANUP(buf_done) struct buf about  = buf_init(PATH_MAX_BYTES);
    CLEANUP(buf_done) struct buf result = buf_init(TABLE_CELL_MAX);
    char number[NUMBER_SIZE];
    put_about(one, &about);
    (void)buf_printf(&result, STR_FMT "%s" STR_FMT, STR_ARG(member(one, "result", "")),
                     member(one, "code", "").len > 0 ? ": " : "", STR_ARG(member(one, "code", "")));
    if (member_int(one, "count") > 1) {
        (void)buf_printf(&result, " (%" PRId64 " times)", member_int(one, "count"));
    }
    const str cells[COLUMNS] = {member_number(one, "number", number),
                                member(one, "time", ""),
                                member(one, "namespace", ""),
                                member(one, "actor", ""),
                                member(one, "action", ""),
                                buf_str(&about),
                                buf_str(&result),
                                member(one, "address", "")};
    table_add(table, cells);
}

static void print_records(json answer)
{
    static const char *const titles[COLUMNS] = {"NUMBER", "TIME",  "NAMESPACE", "KEY",
                                                "ACTION", "ABOUT", "RESULT",    "ADDRESS"};
    print_rows(answer, titles, COLUMNS, add_record);
    str next = member(answer, "next_page_token", "");
    if (next.len > 0) (void)fprintf(stderr, "older ones: --page " STR_FMT "\n", STR_ARG(next));
}

static void put_query(struct buf *path, const char *name, const char *value)
{
    if (!value) return;
    (void)buf_printf(path, "%s%s=", strchr(path->ptr, '?') ? "&" : "?", name);
    api_put_segment(path, value);
}

static enum cli_exit list(const struct cli *cli)
{
    static const struct {
        int flag;
        const char *name;
    } filters[] = {
        {FLAG_ACTOR, "actor"}, {FLAG_ACTION, "action"},   {FLAG_RESOURCE, "resource"},
        {FLAG_RUN, "run"},     {FLAG_RESULT, "result"},   {FLAG_FROM, "from"},
        {FLAG_TO, "to"},       {FLAG_LIMIT, "page_size"}, {FLAG_PAGE, "page_token"},
    };
    CLEANUP(buf_done) struct buf path = buf_init(PATH_MAX_BYTES);
    (void)buf_put_text(&path, "/v1/audit-events");
    for (size_t i = 0; i < ARRAY_LEN(filters); i++) {
        put_query(&path, filters[i].name, cli->values[filters[i].flag]);
    }
    const struct api_call call = {.method = "GET", .path = path.ptr};
    return api_show(cli, &call, print_records);
}

/* --- verify ------------------------------------------------------------------------------------
 */

/* What was noted of the log before: the record `number` has `hash`. */
struct expected {
    uint64_t number; /* 0: nothing */
    const char *hash;
};

/* "NUMBER:HASH", as verify prints it. */
static bool read_expected(const char *text, struct expected *ret_expected)
{
    const char *colon = strchr(text, ':');
    uint64_t number   = 0;
    if (!colon || colon == text || colon - text > NUMBER_LEN_MAX) return false;
    for (const char *c = text; c < colon; c++) {
        if (*c < '0' || *c > '9') return false;
        number = number * 10 + (uint64_t)(*c - '0');
    }
    *ret_expected = (struct expected){.number = number, .hash = colon + 1};
    return number > 0 && strlen(colon + 1) == HASH_LEN;
}

struct checked {
    int64_t first, last, count;
    char hash[HASH_LEN + 1];
    bool is_anchored;
};

static enum cli_exit say_bad(json answer)
{
    (void)printf("record %" PRId64 " is wrong: " STR_FMT "\n", member_int(answer, "bad"),
                 STR_ARG(member(answer, "why", "")));
    return CLI_FAILED;
}

static void note_page(json answer, struct checked *checked)
{
    str hash       = member(answer, "hash", "");
    checked->first = member_int(answer, "first");
    checked->last  = member_int(answer, "last");
    checked->count += member_int(answer, "checked");
    checked->is_anchored = member(answer, "anchor", "").len > 0;
    (void)snprintf(checked->hash, sizeof checked->hash, STR_FMT, STR_ARG(hash));
}

/* Checks what is left up to `until` (0: the end), page by page. */
static enum cli_exit check(struct api *api, uint64_t until, struct checked *checked)
{
    for (bool has_more = true; has_more;) {
        CLEANUP(buf_done) struct buf path                 = buf_init(PATH_MAX_BYTES);
        CLEANUP(api_answer_done) struct api_answer answer = {};
        (void)buf_printf(&path, "/v1/audit-events/verify?after=%" PRId64 "&until=%" PRIu64,
                         checked->last, until);
        const struct api_call call = {.method = "GET", .path = path.ptr};
        enum cli_exit code         = api_call(api, &call, &answer);
        if (code != CLI_OK) return code;
        if (member_int(answer.value, "bad") > 0) return say_bad(answer.value);
        note_page(answer.value, checked);
        has_more = json_is(json_get_text(answer.value, "has_more"), JSON_TRUE);
    }
    return CLI_OK;
}

/* The log had that record, and has it still. */
static enum cli_exit check_expected(struct api *api, const struct expected *expected,
                                    struct checked *checked)
{
    enum cli_exit code = check(api, expected->number, checked);
    if (code != CLI_OK) return code;
    if (checked->last < (int64_t)expected->number) {
        (void)printf("record %" PRIu64 " is missing: the last one is %" PRId64 "\n",
                     expected->number, checked->last);
        return CLI_FAILED;
    }
    if (checked->last > (int64_t)expected->number) {
        (void)printf("record %" PRIu64 " was removed when its time was over: expect a later one\n",
                     expected->number);
        return CLI_FAILED;
    }
    if (strcmp(checked->hash, expected->hash) == 0) return CLI_OK;
    (void)printf("record %" PRIu64 " has another hash than expected: %s\n", expected->number,
                 checked->hash);
    return CLI_FAILED;
}

static enum cli_exit verify(const struct cli *cli)
{
    struct expected expected           = {};
    struct checked checked             = {};
    const char *text                   = cli->values[FLAG_EXPECT];
    CLEANUP(api_freep) struct api *api = NULL;
    if (text && !read_expected(text, &expected)) {
        return wrong("--expect: NUMBER:HASH, as `audit verify` has printed it before");
    }
    api = api_open(cli);
    if (!api) return CLI_USAGE;
    enum cli_exit code = expected.number > 0 ? check_expected(api, &expected, &checked) : CLI_OK;
    if (code == CLI_OK) code = check(api, 0, &checked);
    if (code != CLI_OK) return code;
    if (checked.count == 0) {
        (void)printf("the audit log has no records\n");
        return CLI_OK;
    }
    (void)printf("%" PRId64 " records, %" PRId64 " to %" PRId64 ", are intact%s\n", checked.count,
                 checked.first, checked.last,
                 checked.is_anchored ? "; older ones were removed when their time was over" : "");
    (void)printf("%" PRId64 ":%s\n", checked.last, checked.hash);
    return CLI_OK;
}

enum cli_exit command_audit(struct cli *cli)
{
    const char *word = cli->argument_count > 0 ? cli->arguments[0] : "list";
    if (strcmp(word, "list") == 0) return list(cli);
    if (strcmp(word, "verify") == 0) return verify(cli);
    return wrong("audit [list | verify]");
}
