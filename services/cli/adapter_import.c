/* `adapter import-openapi` and `adapter new`: manifests to begin with. */
#include "adapter/arazzo.h"
#include "adapter/openapi.h"
#include "base/arena.h"
#include "cli/adapter_source.h"
#include "cli/findings.h"
#include "cli/print.h"
#include "yaml/yaml.h"
#include "json/json_text.h"

#include <stdio.h>
#include <string.h>

enum {
    DESCRIPTION_MAX = 64 << 20, /* bytes; GitHub's has 12 MiB */
    VALUES_MAX      = 8'000'000,
    NAME_MAX_LEN    = OPENAPI_NAME_MAX,
};

static bool is_name(const char *text)
{
    size_t len = 0;
    for (; text[len]; len++) {
        char c       = text[len];
        bool is_word = (c >= 'a' && c <= 'z') || (len > 0 && (c == '_' || (c >= '0' && c <= '9')));
        if (!is_word) return false;
    }
    return len > 0 && len <= NAME_MAX_LEN;
}

static bool check_name(const char *name)
{
    if (is_name(name)) return true;
    (void)fprintf(stderr,
                  "tutti: `%s` is no name of an adapter: small letters, digits and _, a letter "
                  "first, at most %d\n",
                  name, NAME_MAX_LEN);
    return false;
}

/* A description as it was read. */
struct document {
    const char *path;
    struct buf text;
    struct arena *arena;
    struct yaml_document *yaml; /* NULL: it is JSON */
    json root;                  /* owned */
};

static void document_done(struct document *document)
{
    json_unref(document->root);
    yaml_freep(&document->yaml);
    arena_free(document->arena);
    buf_done(&document->text);
}

/* Into one that is empty. JSON if it begins as JSON does, else YAML. False: that was said. */
static bool document_read(struct document *document, const char *path)
{
    const struct json_limits limits = {.values_max = VALUES_MAX, .allow_duplicate_keys = true};
    struct error error              = {};
    document->path                  = path;
    document->text                  = buf_init(DESCRIPTION_MAX);
    document->arena                 = arena_new(ADAPTER_ARENA_MAX);
    struct buf *text                = &document->text;
    struct diagnostics *list        = diagnostics_new(document->arena);
    status code                     = read_whole_file(path, text, &error);
    bool is_read                    = code == STATUS_OK; /* else the text names the file */
    if (code == STATUS_OK && text->len > 0 && text->ptr[0] == '{') {
        code = json_parse(buf_str(text), &limits, &document->root, NULL, &error);
    } else if (code == STATUS_OK) {
        code = yaml_parse(buf_str(text), list, &document->yaml, &error);
        if (code == STATUS_OK) document->root = json_ref(yaml_root(document->yaml));
        if (list->count > 0) findings_print(stderr, path, buf_str(text), list);
    }
    if (code == STATUS_OK) return true;
    (void)fprintf(stderr, "tutti: %s%s%s\n", is_read ? path : "", is_read ? ": " : "", error.text);
    return false;
}

/* --- Arazzo ----------------------------------------------------------------------------------- */

/* Where a finding stands; JSON is YAML, too. */
static void print_findings(struct document *document, struct diagnostics *list)
{
    if (list->count == 0) return;
    struct diagnostics *ignored = diagnostics_new(document->arena);
    if (!document->yaml) {
        (void)!yaml_parse(buf_str(&document->text), ignored, &document->yaml, NULL);
    }
    for (size_t i = 0; document->yaml && i < list->count; i++) {
        struct diagnostic *one  = &list->items[i];
        struct yaml_place place = yaml_place_of(document->yaml, str_from(one->pointer));
        one->line               = place.line;
        one->column             = place.column;
    }
    findings_print(stderr, document->path, buf_str(&document->text), list);
}

/* Beside the document, unless it says the whole path. */
static const char *path_beside(const struct document *document, str url)
{
    const char *slash = strrchr(document->path, '/');
    int folder        = slash && url.ptr[0] != '/' ? (int)(slash - document->path) + 1 : 0;
    return arena_printf(document->arena, "%.*s" STR_FMT, folder, document->path, STR_ARG(url));
}

static bool is_elsewhere(str url)
{
    return str_starts_with(url, str_from("http://")) || str_starts_with(url, str_from("https://"));
}

/* The descriptions that it names; false: that was said. */
static bool read_sources(struct document *document, struct document *sources, size_t *ret_count,
                         struct diagnostics *list)
{
    str urls[ARAZZO_SOURCES_MAX];
    size_t count = arazzo_sources(document->root, urls);
    for (*ret_count = 0; *ret_count < count; (*ret_count)++) {
        size_t i = *ret_count;
        if (urls[i].len == 0) continue; /* of another kind */
        if (is_elsewhere(urls[i])) {
            CLEANUP(buf_done) struct buf pointer = buf_init(64);
            (void)buf_printf(&pointer, "/sourceDescriptions/%zu/url", i);
            struct diagnostic *finding =
                diagnostics_add(list, "", SEVERITY_ERROR, buf_str(&pointer), 0, 0,
                                "nothing is fetched: a description is a file here");
            diagnostic_hint(list, finding, "download it, and write its path");
            continue;
        }
        const char *path = path_beside(document, urls[i]);
        if (!path || !document_read(&sources[i], path)) {
            (*ret_count)++;
            return false;
        }
    }
    return list->errors == 0;
}

static bool import_arazzo(struct document *document, const struct arazzo_options *given,
                          struct buf *out)
{
    struct document sources[ARAZZO_SOURCES_MAX] = {};
    json roots[ARAZZO_SOURCES_MAX]              = {};
    struct arazzo_options options               = *given;
    struct diagnostics *list                    = diagnostics_new(document->arena);
    struct error error                          = {};
    bool is_fine = read_sources(document, sources, &options.source_count, list);
    for (size_t i = 0; i < options.source_count; i++) roots[i] = sources[i].root;
    options.sources = roots;
    status code =
        is_fine ? arazzo_skeleton(document->root, &options, out, list, &error) : STATUS_OK;
    print_findings(document, list);
    if (code != STATUS_OK) {
        (void)fprintf(stderr, "tutti: %s: %s\n", document->path, error.text);
    }
    for (size_t i = 0; i < options.source_count; i++) document_done(&sources[i]);
    return is_fine && code == STATUS_OK;
}

/* --- the command ------------------------------------------------------------------------------ */

enum cli_exit adapter_import(struct cli *cli)
{
    const char *given                               = cli->values[ADAPTER_FLAG_NAME];
    const char *name                                = given ? given : "imported";
    const char *wanted                              = cli->values[ADAPTER_FLAG_OPERATIONS];
    CLEANUP(document_done) struct document document = {};
    CLEANUP(buf_done) struct buf out                = buf_init(MANIFEST_SIZE_MAX);
    struct error error                              = {};
    if (!check_name(name)) return CLI_USAGE;
    if (!document_read(&document, cli->arguments[1])) return CLI_FAILED;
    if (arazzo_is(document.root)) {
        const struct arazzo_options options = {.name = name, .workflows = wanted};
        if (!import_arazzo(&document, &options, &out)) return CLI_FAILED;
    } else {
        const struct openapi_options options = {.name = name, .operations = wanted};
        if (openapi_skeleton(document.root, &options, &out, &error) != STATUS_OK) {
            (void)fprintf(stderr, "tutti: %s: %s\n", cli->arguments[1], error.text);
            return CLI_FAILED;
        }
    }
    (void)fwrite(out.ptr, 1, out.len, stdout);
    return CLI_OK;
}

/* --- new -------------------------------------------------------------------------------------- */

/* One action that reads, one that writes, one that undoes; {NAME} is the adapter's. */
static const char template[] =
    "# Manifest of the adapter `{NAME}`. Format: docs/reference/adapters.md. Check it with\n"
    "# `tutti adapter lint FILE`, see what it sends with `tutti adapter render --file FILE "
    "--all`.\n"
    "manifest: tutti/adapter/v1\n"
    "name: {NAME}\n"
    "version: \"1.0.0\"                        # its first number is that of the functions: "
    "{NAME}.create_item:1\n"
    "title: {NAME}\n"
    "docs: https://example.com/docs          # the page the facts come from\n"
    "# spec: {npm: \"package@1.2.3\", file: openapi.json}      # the official description, if "
    "there "
    "is one\n"
    "\n"
    "config:                                 # settings of a connection; JSON Schema\n"
    "  base_url: {type: string, format: uri, default: \"https://api.example.com\"}\n"
    "secrets:                                # named here, given in `tools.connections`, never "
    "seen "
    "by expressions\n"
    "  token: {description: an access token}\n"
    "auth: {type: bearer, secret: token}     # none, bearer, basic, header, query, path, jwt, "
    "oauth2, "
    "sigv4, hmac\n"
    "\n"
    "http: {base_url: \"=.config.base_url\", timeout: {connect: 5s, total: 30s}}\n"
    "error_message: \"=.response.body.message\"\n"
    "# ok_when: \"=.response.body.ok == true\"             # where 200 does not mean success\n"
    "# errors: [{when: \"=.response.status == 529\", class: throttled}]    # what differs from the "
    "usual\n"
    "rate_limit: {concurrency: 8, retry_after: {header: retry-after}}\n"
    "pagination:\n"
    "  cursor: {type: cursor, in: query, param: cursor, next: \"=.response.body.next\"}\n"
    "\n"
    "actions:\n"
    "  list_items:\n"
    "    summary: The items, newest first\n"
    "    effect: read                        # read, create, update, delete, send\n"
    "    params:                             # closed: what is not named here is refused\n"
    "      properties: {query: {type: string}, limit: {type: integer, default: 100}}\n"
    "    request: {method: GET, path: /items, query: {q: \"=.params.query\"}}\n"
    "    paginate: {use: cursor, max_items: \"=.params.limit\"}\n"
    "    output: {items: \"=[.response.body.items[] | {id, name}]\"}\n"
    "    example:                            # documentation, and what lint plays\n"
    "      params: {query: tea}\n"
    "      response: {status: 200, headers: {}, body: {items: [{id: i1, name: tea}], next: null}}\n"
    "\n"
    "  create_item:\n"
    "    summary: Make an item\n"
    "    effect: create\n"
    "    params:\n"
    "      properties: {name: {type: string, minLength: 1}, note: {type: string, pii: scrub}}\n"
    "      required: [name]\n"
    "    request: {method: POST, path: /items, body: {name: \"=.params.name\", note: "
    "\"=.params.note\"}}\n"
    "    output: {id: \"=.response.body.id\"}\n"
    "    idempotency: {header: Idempotency-Key}      # or natural, none, {lookup: [...]}, "
    "{skip_when: "
    "..., output: ...}\n"
    "    compensate:                         # what undoes it; or `irreversible: why`. Where an "
    "action has `steps`,\n"
    "                                        # each may have its own: it undoes one that stops "
    "half-way\n"
    "      - {action: delete_item, with: {id: \"=.output.id\"}}\n"
    "    example: {params: {name: tea}, output: {id: i1}}\n"
    "\n"
    "  delete_item:\n"
    "    summary: Delete an item\n"
    "    effect: delete\n"
    "    params: {properties: {id: {type: string}}, required: [id]}\n"
    "    request: {method: DELETE, path: \"/items/{id}\"}\n"
    "    ok_when: \"=.response.status == 204 or .response.status == 404\"     # gone is gone\n"
    "    output: {}\n"
    "    idempotency: natural\n"
    "    example: {params: {id: i1}}\n";

enum cli_exit adapter_new(struct cli *cli)
{
    static const char mark[] = "{NAME}";
    const char *name         = cli->arguments[1];
    if (!check_name(name)) return CLI_USAGE;
    for (const char *at = template; at;) {
        const char *next = strstr(at, mark);
        size_t len       = next ? (size_t)(next - at) : strlen(at);
        (void)fwrite(at, 1, len, stdout);
        if (next) (void)fputs(name, stdout);
        at = next ? next + strlen(mark) : NULL;
    }
    return CLI_OK;
}
