/* tutti test: cases beside a workflow, played in milliseconds, without a server. */
#include "base/arena.h"
#include "base/log.h"
#include "base/mem.h"
#include "cli/catalog.h"
#include "cli/cli.h"
#include "cli/findings.h"
#include "cli/print.h"
#include "cli/test/play_case.h"
#include "cli/test/report.h"
#include "yaml/yaml.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum {
    ARENA_MAX     = 64 << 20, /* bytes */
    FILE_MAX      = YAML_SIZE_MAX + 1,
    PATH_LEN_MAX  = 4'096,
    REPORT_MAX    = 64 << 20,
    REFERENCE_MAX = 256,
};

enum { FLAG_ONLY, FLAG_CATALOG, FLAG_JUNIT };

#define SUFFIX ".test.yaml"

/* What the command knows while it goes through its files. */
struct run_all {
    const struct cli *cli;
    struct buf junit;
    size_t passed, failed;
    enum cli_exit worst;
};

/* One file of cases with all it needs. */
struct bench {
    struct arena *arena; /* owned, as all that follows */
    struct buf text;
    struct case_file file;
    const struct function_catalog *catalog;
    const struct workflow *workflow;
    const struct workflow *others[WORKFLOWS_MAX];
    size_t other_count;
};

static void bench_done(struct bench *bench)
{
    for (size_t i = 0; i < bench->other_count; i++) workflow_unref(bench->others[i]);
    workflow_unref(bench->workflow);
    function_catalog_unrefp(&bench->catalog);
    case_file_done(&bench->file);
    buf_done(&bench->text);
    arena_free(bench->arena);
}

static bool str_ends_with(str text, str suffix)
{
    return text.len >= suffix.len &&
           str_equal(str_slice(text, text.len - suffix.len, text.len), suffix);
}

/* --- paths --------------------------------------------------------------------------------------
 */

/* `name` beside the file of cases, unless it is a path from the root. */
static void path_beside(const char *path, const char *name, struct buf *out)
{
    const char *slash = strrchr(path, '/');
    if (slash && *name != '/') {
        (void)buf_put(out, path, (size_t)(slash - path) + 1);
    }
    (void)buf_put_text(out, name);
}

/* "a/b.test.yaml" is of "a/b.yaml"; a workflow is tested by the file beside it. */
static void path_of_cases(const char *argument, struct buf *out)
{
    size_t len = strlen(argument);
    if (str_ends_with(str_from(argument), str_from(SUFFIX)) || access(argument, F_OK) != 0) {
        (void)buf_put_text(out, argument);
        return;
    }
    if (str_ends_with(str_from(argument), str_from(".yaml"))) len -= strlen(".yaml");
    (void)buf_put(out, argument, len);
    (void)buf_put_text(out, SUFFIX);
}

/* --- reading ------------------------------------------------------------------------------------
 */

/* What a description leaves out is what is least in the way: of a test nobody wants to hear about
 * queues. */
static json completed_new(json described)
{
    static const char *const defaults[][2] = {
        {"version", "1.0.0"}, {"queue", "tools"}, {"effect", "update"}, {"idempotency", "key"}};
    json function = json_ref(described);
    for (size_t i = 0; json_is(function, JSON_OBJECT) && i < ARRAY_LEN(defaults); i++) {
        if (!json_is(json_get_text(function, defaults[i][0]), JSON_INVALID)) continue;
        json_object_put_text(&function, defaults[i][0], json_text_from(defaults[i][1]));
    }
    return function;
}

static status add_described(json described, const struct function_catalog **catalog,
                            struct error *reterr)
{
    if (!json_is(described, JSON_ARRAY)) return STATUS_OK;
    CLEANUP(json_unrefp) json own       = catalog_without_builtin(described);
    CLEANUP(json_unrefp) json functions = json_array_new(json_count(own));
    for (size_t i = 0; i < json_count(own); i++) {
        json_array_push(&functions, completed_new(json_at(own, i)));
    }
    const struct function_catalog *wider = NULL;
    TRY(function_catalog_new(*catalog, functions, &wider, reterr));
    function_catalog_unrefp(catalog);
    *catalog = wider;
    return STATUS_OK;
}

/* Whatever a stand-in answers exists, if nobody has described it: it takes anything. */
static json undescribed_new(const struct stand_ins *list, const struct function_catalog *catalog)
{
    json functions = json_array_new(list->count);
    for (size_t i = 0; i < list->count; i++) {
        str name        = str_from(list->items[i].function);
        bool has_place  = memchr(name.ptr, '.', name.len) != NULL;
        bool is_foreign = has_place && !function_is_builtin(name) &&
                          !str_starts_with(name, str_from("worker.")) &&
                          !function_catalog_find(catalog, name, (str){.ptr = ""});
        if (!is_foreign) continue;
        json function = json_object_new(1);
        json_object_put_text(&function, "name", json_text_new(name));
        json_array_push(&functions, function);
    }
    return functions;
}

static status make_catalog(const struct cli *cli, const char *path, struct bench *bench,
                           struct error *reterr)
{
    const struct case_file *file      = &bench->file;
    CLEANUP(buf_done) struct buf text = buf_init(PATH_LEN_MAX);
    if (file->catalog) path_beside(path, file->catalog, &text);
    const char *source = cli->values[FLAG_CATALOG] ? cli->values[FLAG_CATALOG] : text.ptr;
    CLEANUP(json_unrefp) json items = json_invalid();
    if (source) TRY(catalog_items_read(source, &items, reterr));
    TRY(add_described(items, &bench->catalog, reterr));
    TRY(add_described(file->functions_described, &bench->catalog, reterr));
    for (size_t i = 0; i <= file->count; i++) {
        const struct stand_ins *list =
            i < file->count ? &file->cases[i].stand_ins : &file->stand_ins;
        CLEANUP(json_unrefp) json functions = undescribed_new(list, bench->catalog);
        if (json_count(functions) > 0) TRY(add_described(functions, &bench->catalog, reterr));
    }
    return STATUS_OK;
}

/* Each assistant of the file has one version. */
static status find_assistant(str, str reference, json *ret_definition, uint32_t *ret_version,
                             struct error *reterr, void *context)
{
    const struct case_file *file = context;
    const char *colon            = memchr(reference.ptr, ':', reference.len);
    size_t length                = colon ? (size_t)(colon - reference.ptr) : reference.len;
    str version                  = str_slice(reference, length, reference.len);
    bool is_there   = version.len == 0 || str_is(version, ":1") || str_is(version, ":latest");
    json definition = json_get(file->assistants, str_slice(reference, 0, length));
    if (!is_there || !json_is(definition, JSON_OBJECT)) {
        return fail(reterr, STATUS_NOT_FOUND, "there is no assistant `" STR_FMT "`",
                    STR_ARG(reference));
    }
    *ret_definition = json_ref(definition);
    (void)json_object_remove(ret_definition, str_from("labels"));
    *ret_version = 1;
    return STATUS_OK;
}

/* Findings of a definition are shown as `validate` shows them. */
static bool read_definition(struct bench *bench, const char *path,
                            const struct workflow **ret_workflow)
{
    CLEANUP(buf_done) struct buf text           = buf_init(FILE_MAX);
    struct diagnostics *list                    = diagnostics_new(bench->arena);
    const struct workflow_assistants assistants = {find_assistant, &bench->file};
    const struct workflow_sources sources = {.catalog = bench->catalog, .assistants = &assistants};
    struct error error                    = {};
    status read                           = read_whole_file(path, &text, &error);
    if (read == STATUS_OK) {
        read = workflow_read_with(buf_str(&text), &sources, list, ret_workflow, &error);
        if (read != STATUS_OK) findings_print(stderr, path, buf_str(&text), list);
    }
    if (read != STATUS_OK && list->errors == 0) {
        (void)fprintf(stderr, "tutti: %s: %s\n", path, error.text);
    }
    return read == STATUS_OK;
}

static bool read_definitions(const char *path, struct bench *bench)
{
    const struct case_file *file      = &bench->file;
    CLEANUP(buf_done) struct buf text = buf_init(PATH_LEN_MAX);
    if (file->workflow) {
        path_beside(path, file->workflow, &text);
    } else {
        size_t len =
            strlen(path) - (str_ends_with(str_from(path), str_from(SUFFIX)) ? strlen(SUFFIX) : 0);
        (void)buf_put(&text, path, len);
        (void)buf_put_text(&text, ".yaml");
    }
    if (!read_definition(bench, text.ptr, &bench->workflow)) return false;
    for (size_t i = 0; i < file->with_count; i++) {
        buf_clear(&text);
        path_beside(path, file->with[i], &text);
        if (!read_definition(bench, text.ptr, &bench->others[bench->other_count])) return false;
        bench->other_count++;
    }
    return true;
}

static bool bench_read(const struct cli *cli, const char *path, struct bench *bench)
{
    struct error error = {};
    bench->arena       = arena_new(ARENA_MAX);
    bench->text        = buf_init(FILE_MAX);
    if (read_whole_file(path, &bench->text, &error) != STATUS_OK) {
        (void)fprintf(stderr, "tutti: %s\n", error.text);
        return false;
    }
    struct diagnostics *list = diagnostics_new(bench->arena);
    if (case_file_read(buf_str(&bench->text), bench->arena, list, &bench->file, &error) !=
        STATUS_OK) {
        findings_print(stderr, path, buf_str(&bench->text), list);
        if (list->errors == 0) (void)fprintf(stderr, "tutti: %s: %s\n", path, error.text);
        return false;
    }
    if (make_catalog(cli, path, bench, &error) != STATUS_OK) {
        (void)fprintf(stderr, "tutti: %s: %s\n", path, error.text);
        return false;
    }
    return read_definitions(path, bench);
}

/* --- playing ------------------------------------------------------------------------------------
 */

static bool is_chosen(const struct cli *cli, const struct test_case *test)
{
    const char *only = cli->values[FLAG_ONLY];
    return !only || strstr(test->name, only);
}

static void play_cases(struct run_all *all, const char *path, const struct bench *bench)
{
    const struct case_file *file = &bench->file;
    struct outcome *outcomes     = mem_new(file->count + 1, sizeof *outcomes);
    char reference[REFERENCE_MAX];
    (void)snprintf(reference, sizeof reference, "%s/%s:%s", bench->workflow->namespace_,
                   bench->workflow->name, bench->workflow->version);
    struct suite suite = {
        .path = path, .workflow = reference, .yaml = file->yaml, .outcomes = outcomes};
    const struct scenery scenery = {.file        = file,
                                    .workflow    = bench->workflow,
                                    .others      = bench->others,
                                    .other_count = bench->other_count};
    for (size_t i = 0; i < file->count; i++) {
        if (!is_chosen(all->cli, &file->cases[i])) continue;
        struct outcome *outcome = &outcomes[suite.count++];
        case_play(&scenery, &file->cases[i], outcome);
        suite.failed += outcome->failure_count > 0;
    }
    if (all->cli->is_json) {
        report_json(&suite);
    } else {
        report_print(&suite);
    }
    report_junit(&suite, &all->junit);
    all->passed += suite.count - suite.failed;
    all->failed += suite.failed;
    for (size_t i = 0; i < suite.count; i++) outcome_done(&outcomes[i]);
    free(outcomes);
}

static void test_file(struct run_all *all, const char *argument)
{
    CLEANUP(bench_done) struct bench bench = {};
    CLEANUP(buf_done) struct buf path      = buf_init(PATH_LEN_MAX);
    path_of_cases(argument, &path);
    if (!bench_read(all->cli, path.ptr, &bench)) {
        all->worst = CLI_FAILED;
        return;
    }
    play_cases(all, path.ptr, &bench);
}

static enum cli_exit write_junit(const struct run_all *all, const char *path)
{
    FILE *file = fopen(path, "w");
    if (!file) {
        (void)fprintf(stderr, "tutti: %s: %m\n", path);
        return CLI_USAGE;
    }
    (void)fprintf(file,
                  "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n"
                  "<testsuites tests=\"%zu\" failures=\"%zu\">\n%s</testsuites>\n",
                  all->passed + all->failed, all->failed, all->junit.ptr ? all->junit.ptr : "");
    if (fclose(file) == 0) return CLI_OK;
    (void)fprintf(stderr, "tutti: %s: %m\n", path);
    return CLI_FAILED;
}

enum cli_exit command_test(struct cli *cli)
{
    struct run_all all = {.cli = cli, .junit = buf_init(REPORT_MAX)};
    log_set_level(LOG_ERROR);
    for (int i = 0; i < cli->argument_count; i++) test_file(&all, cli->arguments[i]);
    if (all.failed > 0) all.worst = CLI_FAILED;
    if (!cli->is_json) {
        (void)printf("%zu passed, %zu failed\n", all.passed, all.failed);
        if (all.passed + all.failed == 0) (void)printf("no case was played\n");
    }
    if (all.passed + all.failed == 0) all.worst = CLI_FAILED;
    if (cli->values[FLAG_JUNIT]) {
        enum cli_exit written = write_junit(&all, cli->values[FLAG_JUNIT]);
        if (written > all.worst) all.worst = written;
    }
    buf_done(&all.junit);
    return all.worst;
}
