#include "scheduler/tables/definitions.h"

#include "base/arena.h"
#include "base/assert.h"
#include "base/map.h"
#include "base/mem.h"
#include "scheduler/tables/record.h"
#include "workflow.pb-c.h"

#include <pthread.h>
#include <stdlib.h>

enum {
    COMPILE_ARENA_MAX = 64 << 20,
    ROW_ARENA_MAX     = 1 << 20,
    VERSIONS_MAX      = 10'000, /* of one name, looked at for the newest */
};

struct definitions {
    pthread_mutex_t mutex; /* guards what follows */
    struct map *by_digest; /* digest -> const struct workflow, a reference each */
    struct map *by_name;   /* reference text -> const struct workflow, a reference each */
    uint64_t generation;   /* of `by_name`: grows with every registration */
    bool forgets_names;    /* constant after the start */
};

struct definitions *definitions_new(void)
{
    struct definitions *definitions = mem_new(1, sizeof *definitions);
    int failed                      = pthread_mutex_init(&definitions->mutex, NULL);
    ASSERT(!failed);
    definitions->by_digest = map_new(DEFINITIONS_MAX);
    definitions->by_name   = map_new(DEFINITIONS_MAX);
    return definitions;
}

void definitions_forget_names(struct definitions *definitions)
{
    definitions->forgets_names = true;
}

static void map_unref(struct map *map)
{
    size_t cursor  = 0;
    void *workflow = NULL;
    while (map && map_next(map, &cursor, NULL, &workflow)) workflow_unref(workflow);
    map_free(map);
}

void definitions_free(struct definitions *definitions)
{
    if (!definitions) return;
    map_unref(definitions->by_digest);
    map_unref(definitions->by_name);
    (void)pthread_mutex_destroy(&definitions->mutex);
    free(definitions);
}

void definitions_freep(struct definitions **definitions)
{
    definitions_free(*definitions);
    *definitions = NULL;
}

static void lock(struct definitions *definitions)
{
    int failed = pthread_mutex_lock(&definitions->mutex);
    ASSERT(!failed);
}

static void unlock(struct definitions *definitions)
{
    int failed = pthread_mutex_unlock(&definitions->mutex);
    ASSERT(!failed);
}

static const struct workflow *find(struct definitions *definitions, struct map *const *map, str key)
{
    lock(definitions);
    const struct workflow *found = map_get(*map, key);
    if (found) found = workflow_ref(found);
    unlock(definitions);
    return found;
}

static str digest_key(bytes digest)
{
    return (str){.ptr = digest.ptr, .len = digest.len};
}

/* Under the lock: a full cache begins anew. */
static void remember(struct map **map, str key, const struct workflow *workflow)
{
    if (map_get(*map, key)) return;
    if (map_count(*map) == DEFINITIONS_MAX) {
        map_unref(*map);
        *map = map_new(DEFINITIONS_MAX);
    }
    void *shared = (void *)(uintptr_t)workflow_ref(workflow); /* maps hold non-const pointers */
    bool is_put  = map_put(*map, key, shared);
    ASSERT(is_put);
}

static status compile(str source, const struct workflow **ret_workflow, struct error *reterr)
{
    CLEANUP(arena_freep) struct arena *arena = arena_new(COMPILE_ARENA_MAX);
    struct diagnostics *findings             = diagnostics_new(arena);
    status read = workflow_read_stored(source, findings, ret_workflow, reterr);
    if (read == STATUS_INVALID_ARGUMENT) {
        return fail(reterr, STATUS_DATA_LOSS, "a stored definition does not compile: %s",
                    findings->count > 0 ? findings->items[0].detail : "no finding");
    }
    return read;
}

status definitions_get(struct definitions *definitions, struct txn *txn, bytes digest,
                       const struct workflow **ret_workflow, struct error *reterr)
{
    const struct workflow *found = find(definitions, &definitions->by_digest, digest_key(digest));
    if (found) {
        *ret_workflow = found;
        return STATUS_OK;
    }
    bytes source = {};
    status got   = txn_get(txn, TABLE_DEFINITIONS, digest, &source, NULL);
    if (got == STATUS_NOT_FOUND) return fail(reterr, STATUS_DATA_LOSS, "a definition is missing");
    if (got != STATUS_OK) return fail(reterr, got, "a definition cannot be read");

    CLEANUP(workflow_unrefp) const struct workflow *workflow = NULL;
    TRY(compile((str){.ptr = source.ptr, .len = source.len}, &workflow, reterr));

    lock(definitions);
    remember(&definitions->by_digest, digest_key(digest), workflow);
    unlock(definitions);
    *ret_workflow = TAKE(workflow);
    return STATUS_OK;
}

status definitions_take(struct definitions *definitions, str source, bytes digest,
                        const struct workflow **ret_workflow, struct error *reterr)
{
    const struct workflow *found = find(definitions, &definitions->by_digest, digest_key(digest));
    if (found) {
        *ret_workflow = found;
        return STATUS_OK;
    }
    CLEANUP(workflow_unrefp) const struct workflow *workflow = NULL;
    struct error why                                         = {};
    status compiled                                          = compile(source, &workflow, &why);
    if (compiled == STATUS_RESOURCE_EXHAUSTED) return fail(reterr, compiled, "%s", why.text);
    if (compiled != STATUS_OK) return fail(reterr, STATUS_INVALID_ARGUMENT, "%s", why.text);
    if (digest.len != SHA256_SIZE || memcmp(workflow->digest, digest.ptr, SHA256_SIZE) != 0) {
        return fail(reterr, STATUS_INVALID_ARGUMENT, "it is not the one that the run is pinned to");
    }
    lock(definitions);
    remember(&definitions->by_digest, digest_key(digest), workflow);
    unlock(definitions);
    *ret_workflow = TAKE(workflow);
    return STATUS_OK;
}

status workflow_name_read(str text, str namespace, struct workflow_name *ret_name,
                          struct error *reterr)
{
    if (text.len == 0 || text.len > WORKFLOW_REFERENCE_MAX) {
        return fail_code(reterr, STATUS_INVALID_ARGUMENT, "invalid_request",
                         "workflow: write [namespace/]name[:version], at most %d bytes",
                         WORKFLOW_REFERENCE_MAX);
    }
    struct workflow_name name = {.name = text};
    const char *slash         = memchr(text.ptr, '/', text.len);
    if (slash) {
        size_t at      = (size_t)(slash - text.ptr);
        name.namespace = str_slice(text, 0, at);
        name.name      = str_slice(text, at + 1, text.len);
    }
    const char *colon = name.name.len > 0 ? memchr(name.name.ptr, ':', name.name.len) : NULL;
    if (colon) {
        size_t at    = (size_t)(colon - name.name.ptr);
        name.version = str_slice(name.name, at + 1, name.name.len);
        name.name    = str_slice(name.name, 0, at);
    }
    if (name.name.len == 0 || (slash && name.namespace.len == 0)) {
        return fail_code(reterr, STATUS_INVALID_ARGUMENT, "invalid_request",
                         "workflow " STR_FMT ": write [namespace/]name[:version]", STR_ARG(text));
    }
    bool is_any = namespace.len == 0 || str_is(namespace, "*");
    if (!is_any && slash && !str_equal(namespace, name.namespace)) {
        return fail_code(reterr, STATUS_INVALID_ARGUMENT, "namespace_mismatch",
                         "workflow " STR_FMT ": the request is for namespace " STR_FMT,
                         STR_ARG(text), STR_ARG(namespace));
    }
    if (!slash) name.namespace = is_any ? str_from("default") : namespace;
    if (str_is(name.version, "latest")) name.version = (str){};
    *ret_name = name;
    return STATUS_OK;
}

/* --- resolving ---------------------------------------------------------------------------------
 */

struct newest {
    struct arena *arena;
    Pb__WorkflowView *view; /* lives as long as `arena` */
};

static status take_newer(bytes, bytes row, struct error *reterr, void *context)
{
    struct newest *newest  = context;
    Pb__WorkflowView *view = NULL;
    TRY(record_read(row, &pb__workflow_view__descriptor, newest->arena, &view, reterr));
    if (strchr(view->version, '-')) return STATUS_OK; /* a pre-release is never meant */
    if (!newest->view ||
        version_compare(str_from(view->version), str_from(newest->view->version)) > 0) {
        newest->view = view;
    }
    return STATUS_OK;
}

static status find_row(struct txn *txn, const struct workflow_name *name, struct arena *arena,
                       Pb__WorkflowView **ret_view, struct error *reterr)
{
    struct key key;
    workflow_key(&key, name->namespace, name->name, name->version);
    if (name->version.len > 0) {
        status got = record_get(txn, TABLE_WORKFLOWS, key_bytes(&key),
                                &pb__workflow_view__descriptor, arena, ret_view, NULL);
        if (got != STATUS_NOT_FOUND) return got;
    } else {
        struct newest newest   = {.arena = arena};
        struct page page       = {};
        const struct scan scan = {.prefix = key_bytes(&key)};
        TRY(txn_page(txn, TABLE_WORKFLOWS, &scan, VERSIONS_MAX, &page, take_newer, &newest,
                     reterr));
        *ret_view = newest.view;
        if (newest.view) return STATUS_OK;
    }
    bool has_version = name->version.len > 0;
    return fail_code(reterr, STATUS_NOT_FOUND, "not_found",
                     "workflow " STR_FMT "/" STR_FMT "%s" STR_FMT " is not registered%s",
                     STR_ARG(name->namespace), STR_ARG(name->name), has_version ? ":" : "",
                     STR_ARG(name->version), has_version ? "" : ", or has pre-releases only");
}

status definitions_resolve_within(struct definitions *definitions, struct txn *txn,
                                  const struct workflow_name *name,
                                  const struct workflow **ret_workflow, struct error *reterr)
{
    CLEANUP(arena_freep) struct arena *arena = arena_new(ROW_ARENA_MAX);

    Pb__WorkflowView *view = NULL;
    TRY(find_row(txn, name, arena, &view, reterr));
    bytes digest = {view->digest.data, view->digest.len};
    return definitions_get(definitions, txn, digest, ret_workflow, reterr);
}

static status resolve(struct definitions *definitions, struct store *store,
                      const struct workflow_name *name, const struct workflow **ret_workflow,
                      struct error *reterr)
{
    CLEANUP(txn_abortp) struct txn *txn = NULL;
    TRY(txn_begin_read(store, &txn, reterr));
    return definitions_resolve_within(definitions, txn, name, ret_workflow, reterr);
}

status definitions_resolve(struct definitions *definitions, struct store *system_store,
                           const struct workflow_name *name, const struct workflow **ret_workflow,
                           struct error *reterr)
{
    if (definitions->forgets_names) {
        return resolve(definitions, system_store, name, ret_workflow, reterr);
    }
    struct key key;
    workflow_key(&key, name->namespace, name->name, name->version);
    bytes raw                    = key_bytes(&key);
    str key_text                 = {.ptr = raw.ptr, .len = raw.len};
    const struct workflow *found = find(definitions, &definitions->by_name, key_text);
    if (found) {
        *ret_workflow = found;
        return STATUS_OK;
    }
    lock(definitions);
    uint64_t generation = definitions->generation;
    unlock(definitions);

    TRY(resolve(definitions, system_store, name, ret_workflow, reterr));

    lock(definitions); /* what was read before a registration is not remembered after it */
    if (generation == definitions->generation) {
        remember(&definitions->by_name, key_text, *ret_workflow);
    }
    unlock(definitions);
    return STATUS_OK;
}

void definitions_changed(struct definitions *definitions)
{
    lock(definitions);
    struct map *outdated = definitions->by_name;
    definitions->by_name = map_new(DEFINITIONS_MAX);
    definitions->generation++;
    unlock(definitions);
    map_unref(outdated);
}

status definition_keep(struct txn *txn, const struct workflow *workflow, struct error *reterr)
{
    bytes digest = {workflow->digest, SHA256_SIZE};
    bytes kept   = {};
    status got   = txn_get(txn, TABLE_DEFINITIONS, digest, &kept, NULL);
    if (got != STATUS_NOT_FOUND) return got;

    CLEANUP(json_unrefp) json source = workflow_source_new(workflow);
    return txn_put(txn, TABLE_DEFINITIONS, digest, bytes_from(json_str(source)), reterr);
}
