/* apply, validate: definitions. */
#include "base/arena.h"
#include "base/diagnostic.h"
#include "cli/api.h"
#include "cli/catalog.h"
#include "cli/findings.h"
#include "cli/local_documents.h"
#include "cli/print.h"
#include "workflow/plan.h"
#include "yaml/yaml.h"
#include "json/json_pointer.h"
#include "json/json_text.h"

#include <stdio.h>
#include <string.h>

enum {
    ARENA_MAX      = 32 << 20, /* bytes */
    PATH_MAX_BYTES = 512,
    FILE_MAX       = YAML_SIZE_MAX + 1,
};

enum { FLAG_PORTABLE, FLAG_PLAN, FLAG_CATALOG, FLAG_RESOLVE, FLAG_SERVER };

/* By the defaults of a scheduler that nobody configured. */
static json plan_of(const struct workflow *workflow)
{
    static const struct plan_defaults defaults = {};
    return plan_new(workflow, &defaults);
}

static void print_valid_json(const char *file, const struct workflow *workflow,
                             const struct diagnostics *list)
{
    CLEANUP(json_unrefp) json object = json_object_new(4);
    json_object_put_text(&object, "file", json_text_lossy(str_from(file)));
    json_object_put_text(&object, "valid", json_bool(workflow != NULL));
    json_object_put_text(&object, "diagnostics", findings_json_new(list));
    if (workflow) json_object_put_text(&object, "plan", plan_of(workflow));
    print_json_line(object);
}

static str text_of(json value, const char *key, const char *otherwise)
{
    json text = json_get_text(value, key);
    return json_is(text, JSON_TEXT) ? json_str(text) : str_from(otherwise);
}

/* One line for each job: where it waits, how long an attempt takes, who repeats it. */
static void print_plan(const struct workflow *workflow)
{
    CLEANUP(json_unrefp) json plan = plan_of(workflow);
    json jobs                      = json_get_text(plan, "jobs");
    (void)printf("    %zu jobs; the run takes " STR_FMT "\n", json_count(jobs),
                 STR_ARG(text_of(plan, "timeout", "as long as it takes")));
    for (size_t i = 0; i < json_count(jobs); i++) {
        json job         = json_at(jobs, i);
        json retry       = json_get_text(job, "retry");
        int64_t attempts = 0;
        (void)json_to_int(json_get_text(retry, "attempts"), &attempts);
        (void)printf("    " STR_FMT ": " STR_FMT " in queue " STR_FMT ", each attempt " STR_FMT,
                     STR_ARG(text_of(job, "task", "")), STR_ARG(text_of(job, "function", "")),
                     STR_ARG(text_of(job, "queue", "")),
                     STR_ARG(text_of(job, "timeout", "computed")));
        if (attempts > 0) {
            (void)printf(", %lld attempt%s by " STR_FMT "\n", (long long)attempts,
                         attempts == 1 ? "" : "s", STR_ARG(text_of(retry, "by", "")));
        } else {
            (void)printf(", attempts without end by " STR_FMT "\n",
                         STR_ARG(text_of(retry, "by", "")));
        }
    }
    json timeouts = json_get_text(plan, "timeouts");
    for (size_t i = 0; i < json_count(timeouts); i++) {
        (void)printf("    " STR_FMT ": ends after " STR_FMT "\n",
                     STR_ARG(text_of(json_at(timeouts, i), "task", "")),
                     STR_ARG(text_of(json_at(timeouts, i), "after", "what it computes")));
    }
}

/* What the flags of `validate` ask for; `apply` asks for nothing. */
struct checking {
    const struct function_catalog *catalog; /* NULL: what is built in */
    struct local_places places;
    bool is_portable, has_plan;
    bool is_quiet; /* nothing is said of what is valid: a server has judged it */
};

static enum cli_exit validate_file(const struct cli *cli, const char *file,
                                   const struct checking *checking)
{
    struct error error                = {};
    CLEANUP(buf_done) struct buf text = buf_init(FILE_MAX);
    if (read_whole_file(file, &text, &error) != STATUS_OK) {
        (void)fprintf(stderr, "tutti: %s\n", error.text);
        return CLI_FAILED;
    }
    CLEANUP(arena_freep) struct arena *arena                 = arena_new(ARENA_MAX);
    CLEANUP(workflow_unrefp) const struct workflow *workflow = NULL;
    struct diagnostics *list                                 = NULL;
    struct workflow_sources sources                          = {.catalog = checking->catalog};
    sources.is_portable                                      = checking->is_portable;
    status code = local_workflow_read(buf_str(&text), &sources, &checking->places, arena, &list,
                                      &workflow, &error);
    if (code == STATUS_OK && checking->is_quiet) return CLI_OK;
    if (cli->is_json) {
        print_valid_json(file, workflow, list);
        return code == STATUS_OK ? CLI_OK : CLI_FAILED;
    }
    findings_print(stdout, file, buf_str(&text), list);
    if (code == STATUS_OK) {
        (void)printf("%s: %s/%s:%s is valid (%u tasks)\n", file, workflow->namespace_,
                     workflow->name, workflow->version, workflow->task_count);
        if (checking->has_plan) print_plan(workflow);
    } else if (list->errors == 0) {
        (void)printf("%s: error: %s\n", file, error.text);
    }
    return code == STATUS_OK ? CLI_OK : CLI_FAILED;
}

static enum cli_exit find_catalog(const struct cli *cli,
                                  const struct function_catalog **ret_catalog)
{
    struct error error = {};
    if (cli->values[FLAG_SERVER]) {
        CLEANUP(api_freep) struct api *api = NULL;
        if (api_new(cli, &api, &error) == STATUS_OK) return catalog_ask(api, ret_catalog);
    } else if (!cli->values[FLAG_CATALOG] || local_is_folder(cli->values[FLAG_CATALOG]) ||
               catalog_read_file(cli->values[FLAG_CATALOG], ret_catalog, &error) == STATUS_OK) {
        return CLI_OK;
    }
    (void)fprintf(stderr, "tutti: %s\n", error.text);
    return CLI_USAGE;
}

enum cli_exit command_validate(struct cli *cli)
{
    CLEANUP(function_catalog_unrefp) const struct function_catalog *catalog = NULL;
    enum cli_exit worst = find_catalog(cli, &catalog);
    if (worst != CLI_OK) return worst;
    struct local_places places = {.reads_files = true, .resolve = cli->values[FLAG_RESOLVE]};
    if (local_is_folder(cli->values[FLAG_CATALOG])) places.folder = cli->values[FLAG_CATALOG];
    const struct checking checking = {.catalog     = catalog,
                                      .places      = places,
                                      .is_portable = cli->values[FLAG_PORTABLE] != NULL,
                                      .has_plan    = cli->values[FLAG_PLAN] != NULL};
    for (int i = 0; i < cli->argument_count; i++) {
        enum cli_exit code = validate_file(cli, cli->arguments[i], &checking);
        if (code > worst) worst = code;
    }
    return worst;
}

/* --- apply -------------------------------------------------------------------------------------
 */

/* The name stands in the document; everything else about it is the server's to judge. */
static bool find_name(str text, struct buf *ret_name)
{
    CLEANUP(arena_freep) struct arena *arena           = arena_new(ARENA_MAX);
    CLEANUP(yaml_freep) struct yaml_document *document = NULL;
    struct diagnostics *list                           = diagnostics_new(arena);
    if (yaml_parse(text, list, &document, NULL) != STATUS_OK) return false;
    json name = json_pointer_get(yaml_root(document), str_from("/document/name"));
    return json_is(name, JSON_TEXT) && buf_put_str(ret_name, json_str(name));
}

static enum cli_exit apply_file(const struct cli *cli, struct api *api, const char *file)
{
    struct error error                = {};
    CLEANUP(buf_done) struct buf text = buf_init(FILE_MAX);
    CLEANUP(buf_done) struct buf name = buf_init(PATH_MAX_BYTES);
    CLEANUP(buf_done) struct buf path = buf_init(PATH_MAX_BYTES * 3);
    if (read_whole_file(file, &text, &error) != STATUS_OK) {
        (void)fprintf(stderr, "tutti: %s\n", error.text);
        return CLI_FAILED;
    }
    const struct checking plain = {};
    if (!find_name(buf_str(&text), &name)) return validate_file(cli, file, &plain) | CLI_FAILED;

    (void)buf_put_text(&path, "/v1/workflows/");
    api_put_segment(&path, name.ptr);
    CLEANUP(api_answer_done) struct api_answer answer = {};
    const struct api_call call                        = {
                               .method = "PUT",
                               .path   = path.ptr,
                               .body   = buf_str(&text),
                               .type   = "application/yaml",
    };
    enum cli_exit code = api_call(api, &call, &answer);
    if (code == CLI_REFUSED && answer.http_status == 422 && !cli->is_json) {
        CLEANUP(function_catalog_unrefp) const struct function_catalog *catalog = NULL;
        (void)catalog_ask(api, &catalog);
        /* The same findings, with the lines of the file. What it names is not read here. */
        const struct checking checking = {.catalog = catalog, .is_quiet = true};
        (void)validate_file(cli, file, &checking);
    }
    if (code != CLI_OK) return code;
    if (cli->is_json) {
        print_json_line(answer.value);
        return CLI_OK;
    }
    (void)printf("%s: " STR_FMT "/" STR_FMT ":" STR_FMT " %s\n", file,
                 STR_ARG(member(answer.value, "namespace", "")),
                 STR_ARG(member(answer.value, "name", "")),
                 STR_ARG(member(answer.value, "version", "")),
                 answer.http_status == 201 ? "registered" : "was registered already");
    return CLI_OK;
}

enum cli_exit command_apply(struct cli *cli)
{
    CLEANUP(api_freep) struct api *api = api_open(cli);
    if (!api) return CLI_USAGE;
    enum cli_exit worst = CLI_OK;
    for (int i = 0; i < cli->argument_count; i++) {
        enum cli_exit code = apply_file(cli, api, cli->arguments[i]);
        if (code > worst) worst = code;
    }
    return worst;
}
