/* tutti graph: a workflow as a picture, without a server. */
#include "base/arena.h"
#include "base/diagnostic.h"
#include "cli/catalog.h"
#include "cli/cli.h"
#include "cli/findings.h"
#include "cli/local_documents.h"
#include "cli/print.h"
#include "workflow/graph.h"
#include "yaml/yaml.h"

#include <stdio.h>

enum {
    ARENA_MAX = 32 << 20, /* bytes */
    FILE_MAX  = YAML_SIZE_MAX + 1,
};

enum { FLAG_FORMAT, FLAG_CATALOG };

static bool choose_format(const struct cli *cli, enum graph_format *ret_format)
{
    const char *name = cli->values[FLAG_FORMAT];
    *ret_format      = cli->is_json ? GRAPH_JSON : GRAPH_MERMAID;
    if (!name || graph_format_find(str_from(name), ret_format)) return true;
    (void)fprintf(stderr, "tutti graph: `%s` is none of mermaid, svg, json\n", name);
    return false;
}

enum cli_exit command_graph(struct cli *cli)
{
    const char *file                  = cli->arguments[0];
    struct error error                = {};
    CLEANUP(buf_done) struct buf text = buf_init(FILE_MAX);
    enum graph_format format;
    if (!choose_format(cli, &format)) return CLI_USAGE;
    if (read_whole_file(file, &text, &error) != STATUS_OK) {
        (void)fprintf(stderr, "tutti: %s\n", error.text);
        return CLI_FAILED;
    }
    CLEANUP(function_catalog_unrefp) const struct function_catalog *catalog = NULL;
    const char *catalog_path         = cli->values[FLAG_CATALOG];
    const struct local_places places = {
        .reads_files = true, .folder = local_is_folder(catalog_path) ? catalog_path : NULL};
    if (catalog_path && !places.folder &&
        catalog_read_file(catalog_path, &catalog, &error) != STATUS_OK) {
        (void)fprintf(stderr, "tutti: %s\n", error.text);
        return CLI_USAGE;
    }
    CLEANUP(arena_freep) struct arena *arena                 = arena_new(ARENA_MAX);
    CLEANUP(workflow_unrefp) const struct workflow *workflow = NULL;
    const struct workflow_sources sources                    = {.catalog = catalog};
    struct diagnostics *list                                 = NULL;
    if (local_workflow_read(buf_str(&text), &sources, &places, arena, &list, &workflow, &error) !=
        STATUS_OK) {
        findings_print(stderr, file, buf_str(&text), list);
        if (list->errors == 0) (void)fprintf(stderr, "tutti: %s\n", error.text);
        return CLI_FAILED;
    }
    CLEANUP(buf_done) struct buf graph = buf_init(GRAPH_SIZE_MAX);
    if (graph_print(workflow, format, NULL, &graph, &error) != STATUS_OK) {
        (void)fprintf(stderr, "tutti: %s\n", error.text);
        return CLI_FAILED;
    }
    (void)fwrite(graph.ptr, 1, graph.len, stdout);
    if (format == GRAPH_JSON) (void)fputc('\n', stdout);
    return CLI_OK;
}
