#include "cli/local_documents.h"

#include "base/assert.h"
#include "base/buf.h"
#include "cli/print.h"
#include "yaml/yaml.h"

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

enum { PATH_SIZE = 4096, FILE_MAX = YAML_SIZE_MAX + 1 /* bytes */ };

#define FILE_SCHEME "file://"

struct documents {
    struct document items[DOCUMENTS_MAX];
    size_t count;
};

bool local_is_folder(const char *path)
{
    struct stat about;
    return path && stat(path, &about) == 0 && S_ISDIR(about.st_mode);
}

/* The file of `url` in "URL=FILE,URL=FILE". */
static str resolved(const char *list, str url)
{
    for (const char *at = list; at && *at;) {
        size_t len        = strcspn(at, ",");
        str pair          = {.ptr = at, .len = len};
        const char *equal = memrchr(pair.ptr, '=', pair.len);
        size_t cut        = equal ? (size_t)(equal - pair.ptr) : 0;
        if (equal && str_equal(str_slice(pair, 0, cut), url)) {
            return str_slice(pair, cut + 1, pair.len);
        }
        at += len + (at[len] == ',');
    }
    return (str){};
}

/* Where a document may be; false: nowhere here. */
static bool find_path(const struct local_places *places, const char *url,
                      char path[static PATH_SIZE])
{
    static const char functions[] = "/functions/";
    str file                      = resolved(places->resolve, str_from(url));
    int length                    = 0;
    if (file.len > 0) {
        length = snprintf(path, PATH_SIZE, STR_FMT, STR_ARG(file));
        return length > 0 && length < PATH_SIZE;
    }
    if (strncmp(url, FILE_SCHEME, strlen(FILE_SCHEME)) == 0) {
        if (!places->reads_files) return false;
        length = snprintf(path, PATH_SIZE, "%s", url + strlen(FILE_SCHEME));
        return length > 0 && length < PATH_SIZE;
    }
    const char *inside = NULL; /* the last one: a catalog's own folder may be called so */
    for (const char *at = url; (at = strstr(at, functions)); at++) inside = at;
    if (!places->folder || !inside || strstr(inside, "..")) return false;
    length = snprintf(path, PATH_SIZE, "%s%s", places->folder, inside);
    struct stat about;
    return length > 0 && length < PATH_SIZE && stat(path, &about) == 0;
}

static void read_document(struct documents *documents, const char *url, const char *path,
                          struct arena *arena)
{
    struct document *document         = &documents->items[documents->count++];
    struct error why                  = {};
    CLEANUP(buf_done) struct buf text = buf_init(FILE_MAX);
    *document         = (struct document){.url = str_from(arena_strdup(arena, str_from(url)))};
    struct stat about = {};
    if (stat(path, &about) == 0 && !S_ISREG(about.st_mode)) {
        document->failure = "it is no regular file"; /* a pipe would be waited for */
    } else if (read_whole_file(path, &text, &why) == STATUS_OK) {
        char *copy     = arena_strdup(arena, buf_str(&text));
        document->text = (str){.ptr = copy, .len = text.len};
    } else {
        document->failure = arena_strdup(arena, str_from(why.text));
    }
}

/* Reads what can be found of what is needed. False: nothing new. */
static bool read_needs(struct documents *documents, const struct workflow *workflow,
                       const struct local_places *places, struct arena *arena)
{
    size_t before = documents->count;
    char path[PATH_SIZE];
    for (const struct document_need *need = workflow->needs; need; need = need->next) {
        if (documents->count == DOCUMENTS_MAX) break;
        if (find_path(places, need->url, path)) read_document(documents, need->url, path, arena);
    }
    return documents->count > before;
}

static void warn_of_needs(struct diagnostics *findings, const struct workflow *workflow)
{
    for (const struct document_need *need = workflow->needs; need; need = need->next) {
        struct diagnostic *finding =
            diagnostics_add(findings, "V14", SEVERITY_WARNING, str_from(need->pointer), need->line,
                            need->column, "`%.300s` was not looked at", need->url);
        diagnostic_hint(findings, finding,
                        "a server reads it; here: `--resolve URL=FILE`, or `--catalog FOLDER`");
    }
}

status local_workflow_read(str text, const struct workflow_sources *sources,
                           const struct local_places *places, struct arena *arena,
                           struct diagnostics **ret_findings, const struct workflow **ret_workflow,
                           struct error *reterr)
{
    struct documents documents    = {};
    struct workflow_sources given = *sources;
    given.documents               = documents.items;
    given.may_need                = true;
    for (;;) {
        CLEANUP(workflow_unrefp) const struct workflow *workflow = NULL;
        given.document_count                                     = documents.count;
        *ret_findings                                            = diagnostics_new(arena);
        ASSERT(*ret_findings);
        TRY(workflow_read_with(text, &given, *ret_findings, &workflow, reterr));
        if (workflow->needs && read_needs(&documents, workflow, places, arena)) continue;
        warn_of_needs(*ret_findings, workflow);
        *ret_workflow = TAKE(workflow);
        return STATUS_OK;
    }
}
