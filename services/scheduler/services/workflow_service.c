/* Workflows: definitions of the system partition. */
#include "base/buf.h"
#include "scheduler/services/assistant_tools.h"
#include "scheduler/services/call.h"
#include "scheduler/services/document_needs.h"
#include "scheduler/services/row_page.h"
#include "scheduler/services/services.h"
#include "scheduler/tables/function_registry.h"
#include "scheduler/tables/run_wire.h"
#include "schema/schema.h"
#include "workflow.pb-c.h"
#include "workflow/plan.h"
#include "json/json_text.h"

#include <stdlib.h>

enum {
    VERSIONS_MAX      = 1'000,     /* shown of one name */
    DEFINITION_MAX    = 512 << 10, /* bytes, as workflow.h */
    PLAN_MAX          = 8 << 20,   /* bytes: 4,096 jobs take half of it */
    LISTED_SCHEMA_MAX = 32 << 10,  /* bytes: a page of 500 of them stays below a message */
};

/* The system partition, or NULL. */
static struct shard *system_shard(const struct rpc_call *call)
{
    return scheduler_shard(call->context, 0);
}

static status check_size(ProtobufCBinaryData definition, struct error *reterr)
{
    if (definition.len > 0 && definition.len <= DEFINITION_MAX) return STATUS_OK;
    return fail_code(reterr, STATUS_INVALID_ARGUMENT, "workflow_invalid",
                     "a definition has 1 to %d bytes", DEFINITION_MAX);
}

/* What a request brings beside its definition. */
struct reading {
    const char *namespace;
    ProtobufCBinaryData definition;
    Pb__Document *const *documents;
    size_t document_count;
    bool is_portable;
};

static status documents_in(struct arena *arena, const struct reading *reading,
                           struct document **ret_documents, struct error *reterr)
{
    size_t count = reading->document_count;
    if (count > DOCUMENTS_MAX) {
        return fail(reterr, STATUS_INVALID_ARGUMENT, "documents: at most %d", DOCUMENTS_MAX);
    }
    struct document *documents = arena_alloc(arena, (count + 1) * sizeof *documents);
    if (!documents) return fail(reterr, STATUS_RESOURCE_EXHAUSTED, "no memory");
    for (size_t i = 0; i < count; i++) {
        const Pb__Document *given = reading->documents[i];
        documents[i]              = (struct document){
                         .url     = str_from(given->url),
                         .text    = str_of(given->text),
                         .failure = *given->failure ? given->failure : NULL,
        };
    }
    *ret_documents = documents;
    return STATUS_OK;
}

/* With the catalog of now: what it gives is pinned with the workflow. */
static status read_definition(const struct rpc_call *call, const struct reading *reading,
                              struct diagnostics *findings, const struct workflow **ret_workflow,
                              struct error *reterr)
{
    CLEANUP(function_catalog_unrefp)
    const struct function_catalog *catalog =
        function_registry_get(scheduler_functions(call->context));
    struct document *documents = NULL;
    TRY(documents_in(call->arena, reading, &documents, reterr));
    struct assistant_shelf shelf = {.tables    = {.store = system_shard(call)->partition->store},
                                    .namespace = call_namespace(call, reading->namespace)};
    const struct workflow_assistants assistants = assistant_shelf_source(&shelf);
    const struct workflow_sources sources       = {.catalog        = catalog,
                                                   .assistants     = &assistants,
                                                   .is_portable    = reading->is_portable,
                                                   .documents      = documents,
                                                   .document_count = reading->document_count,
                                                   .may_need       = true};
    return workflow_read_with(str_of(reading->definition), &sources, findings, ret_workflow,
                              reterr);
}

static status check_namespace(const struct rpc_call *call, const char *of_message,
                              const struct workflow *workflow, struct error *reterr)
{
    str namespace = call_namespace(call, of_message);
    if (str_is(namespace, "*") || str_is(namespace, workflow->namespace_)) return STATUS_OK;
    return fail_code(reterr, STATUS_INVALID_ARGUMENT, "namespace_mismatch",
                     "/document/namespace: is `%s`, the request is for `" STR_FMT "`",
                     workflow->namespace_, STR_ARG(namespace));
}

/* --- put ---------------------------------------------------------------------------------------
 */

static status check_names(const struct rpc_call *call, const struct workflow *workflow,
                          struct error *reterr)
{
    const Pb__PutWorkflow *request = call->request;
    TRY(check_namespace(call, request->namespace_, workflow, reterr));
    if (*request->name && strcmp(request->name, workflow->name) != 0) {
        return fail_code(reterr, STATUS_INVALID_ARGUMENT, "workflow_invalid",
                         "/document/name: is `%s`, the path says `%s`", workflow->name,
                         request->name);
    }
    return STATUS_OK;
}

static void on_put(struct command *command)
{
    struct rpc_call *call         = command->context;
    Pb__PutWorkflowAnswer *answer = command->response;
    if (command->code == STATUS_OK && answer->created) {
        definitions_changed(scheduler_definitions(call->context));
    }
    rpc_reply(call, command->code, command->code == STATUS_OK ? NULL : &command->error);
}

static status put(struct rpc_call *call, struct error *reterr)
{
    const Pb__PutWorkflow *request = call->request;
    Pb__PutWorkflowAnswer *answer  = call->response;
    if (!system_shard(call)) return call_moved(call, 0);
    TRY(check_size(request->definition, reterr));

    struct diagnostics *findings                             = diagnostics_new(call->arena);
    CLEANUP(workflow_unrefp) const struct workflow *workflow = NULL;
    if (!findings) return fail(reterr, STATUS_RESOURCE_EXHAUSTED, "no memory");
    const struct reading reading = {.namespace      = request->namespace_,
                                    .definition     = request->definition,
                                    .documents      = request->documents,
                                    .document_count = request->n_documents};
    status read                  = read_definition(call, &reading, findings, &workflow, reterr);
    if (read != STATUS_OK) call_set_findings(call, findings);
    TRY(read);
    TRY(check_names(call, workflow, reterr));
    if (workflow->needs) {
        status asked =
            document_needs_in(call, workflow, findings, &answer->needs, &answer->n_needs, reterr);
        if (asked != STATUS_OK) call_set_findings(call, findings);
        if (asked == STATUS_OK) rpc_reply(call, STATUS_OK, NULL);
        return asked;
    }

    answer->warnings = findings_in(call->arena, findings);
    if (answer->warnings) answer->n_warnings = findings->count;
    struct command *command = call_command(call, COMMAND_PUT_WORKFLOW, 0);
    if (!command) return fail(reterr, STATUS_RESOURCE_EXHAUSTED, "the request is too large");
    command->workflow = TAKE(workflow);
    command->done     = on_put;
    call_post(call, system_shard(call), command);
    return STATUS_OK;
}

/* --- validate ----------------------------------------------------------------------------------
 */

static status check_input(struct rpc_call *call, const struct workflow *workflow,
                          struct diagnostics *findings, struct error *reterr)
{
    const Pb__ValidateWorkflow *request = call->request;
    if (request->input_json.len == 0) return STATUS_OK;
    CLEANUP(json_unrefp) json input = json_invalid();
    TRY(json_out(request->input_json, "input", &input, reterr));
    if (!workflow->input_schema) return STATUS_OK;

    struct schema_errors errors = {};
    status ok = schema_check(workflow->input_schema, input, call->arena, &errors, reterr);
    if (ok != STATUS_OK && ok != STATUS_INVALID_ARGUMENT) return ok;
    for (size_t i = 0; i < errors.count; i++) {
        const char *pointer = arena_printf(call->arena, "/input%s", errors.items[i].pointer);
        (void)diagnostics_add(findings, "", SEVERITY_ERROR, str_from(pointer ? pointer : ""), 0, 0,
                              "%s", errors.items[i].sentence);
    }
    return STATUS_OK;
}

/* The plan by what this scheduler is configured to. */
static status add_plan(struct rpc_call *call, const struct workflow *workflow, struct error *reterr)
{
    Pb__ValidateWorkflowAnswer *answer  = call->response;
    const struct run_limits *limits     = scheduler_limits(call->context);
    const struct plan_defaults defaults = {
        .retry        = limits->job_retry,
        .timeout_us   = limits->attempt_timeout_us,
        .heartbeat_us = (int64_t)scheduler_lease_ms(call->context) * 1'000,
    };
    CLEANUP(json_unrefp) json plan    = plan_new(workflow, &defaults);
    CLEANUP(buf_done) struct buf text = buf_init(PLAN_MAX);
    if (!json_print(plan, JSON_COMPACT, &text)) {
        return fail(reterr, STATUS_RESOURCE_EXHAUSTED, "the plan has more than %d bytes", PLAN_MAX);
    }
    answer->plan_json = bytes_in(call->arena, buf_str(&text));
    return STATUS_OK;
}

static status validate(struct rpc_call *call, struct error *reterr)
{
    const Pb__ValidateWorkflow *request = call->request;
    Pb__ValidateWorkflowAnswer *answer  = call->response;
    if (!system_shard(call)) return call_moved(call, 0); /* it has the catalog */
    TRY(check_size(request->definition, reterr));
    struct diagnostics *findings                             = diagnostics_new(call->arena);
    CLEANUP(workflow_unrefp) const struct workflow *workflow = NULL;
    if (!findings) return fail(reterr, STATUS_RESOURCE_EXHAUSTED, "no memory");
    struct error why             = {};
    const struct reading reading = {.namespace      = request->namespace_,
                                    .definition     = request->definition,
                                    .documents      = request->documents,
                                    .document_count = request->n_documents,
                                    .is_portable    = request->portable};
    status read                  = read_definition(call, &reading, findings, &workflow, &why);
    if (read != STATUS_OK && read != STATUS_INVALID_ARGUMENT) {
        return fail(reterr, read, "%s", why.text);
    }
    if (workflow && workflow->needs) {
        /* Their credentials are secrets of a namespace that the caller may not be of. */
        TRY(check_namespace(call, request->namespace_, workflow, reterr));
        if (document_needs_in(call, workflow, findings, &answer->needs, &answer->n_needs, NULL) ==
            STATUS_OK) {
            rpc_reply(call, STATUS_OK, NULL);
            return STATUS_OK;
        }
        workflow_unref(workflow);
        workflow = NULL;
    }
    if (workflow) TRY(check_input(call, workflow, findings, reterr));
    answer->valid    = findings->errors == 0;
    answer->findings = findings_in(call->arena, findings);
    if (answer->findings) answer->n_findings = findings->count;
    if (workflow) TRY(add_plan(call, workflow, reterr));
    rpc_reply(call, STATUS_OK, NULL);
    return STATUS_OK;
}

/* --- get ---------------------------------------------------------------------------------------
 */

struct versions {
    struct arena *arena;
    Pb__WorkflowView **items; /* VERSIONS_MAX of them */
    size_t count;
};

static status take_version(bytes, bytes row, struct error *reterr, void *context)
{
    struct versions *versions = context;
    TRY(record_read(row, &pb__workflow_view__descriptor, versions->arena,
                    &versions->items[versions->count], reterr));
    versions->count++;
    return STATUS_OK;
}

static int compare_newest_first(const void *a, const void *b)
{
    const Pb__WorkflowView *const *one = a;
    const Pb__WorkflowView *const *two = b;
    return version_compare(str_from((*two)->version), str_from((*one)->version));
}

/* All versions of a name, newest first. */
static status read_versions(struct txn *txn, str namespace, str name, struct arena *arena,
                            struct versions *ret_versions, struct error *reterr)
{
    struct versions versions = {.arena = arena};
    versions.items           = arena_alloc(arena, VERSIONS_MAX * sizeof *versions.items);
    if (!versions.items) return fail(reterr, STATUS_RESOURCE_EXHAUSTED, "no memory");
    struct key prefix;
    workflow_key(&prefix, namespace, name, (str){});
    const struct scan scan = {.prefix = key_bytes(&prefix)};
    struct page page       = {};
    TRY(txn_page(txn, TABLE_WORKFLOWS, &scan, VERSIONS_MAX, &page, take_version, &versions,
                 reterr));
    qsort(versions.items, versions.count, sizeof *versions.items, compare_newest_first);
    *ret_versions = versions;
    return STATUS_OK;
}

/* The one that is meant: the version, or the newest release; NULL if there is none. */
static Pb__WorkflowView *choose(const struct versions *versions, const char *version)
{
    bool is_newest = !*version || strcmp(version, "latest") == 0;
    for (size_t i = 0; i < versions->count; i++) {
        Pb__WorkflowView *item = versions->items[i];
        if (is_newest ? !strchr(item->version, '-') : strcmp(item->version, version) == 0) {
            return item;
        }
    }
    return NULL;
}

static status add_definition(struct txn *txn, struct arena *arena, Pb__WorkflowView *view,
                             struct error *reterr)
{
    bytes source = {};
    bytes digest = {view->digest.data, view->digest.len};
    status got   = txn_get(txn, TABLE_DEFINITIONS, digest, &source, NULL);
    if (got != STATUS_OK) return fail(reterr, STATUS_DATA_LOSS, "a definition is missing");
    str stored = {source.ptr, source.len};
    if (view->source_digest.len == 0) {
        view->definition_json = bytes_in(arena, stored);
        return STATUS_OK;
    }
    CLEANUP(json_unrefp) json value = json_invalid(); /* with what it pins */
    TRY(json_parse(stored, &(struct json_limits){.values_max = UINT32_MAX}, &value, NULL, reterr));
    CLEANUP(buf_done) struct buf text = buf_init(stored.len + 1);
    if (!json_print(workflow_definition_of(value), JSON_SORTED, &text)) {
        return fail(reterr, STATUS_RESOURCE_EXHAUSTED, "no memory");
    }
    view->definition_json = bytes_in(arena, buf_str(&text));
    return STATUS_OK;
}

/* A schedule belongs to the name, whichever version is looked at. */
static status add_schedule(struct txn *txn, struct arena *arena, Pb__WorkflowView *view,
                           struct error *reterr)
{
    struct key key;
    schedule_key(&key, str_from(view->namespace_), str_from(view->name));
    status got = record_get(txn, TABLE_SCHEDULES, key_bytes(&key), &pb__schedule_view__descriptor,
                            arena, &view->schedule, reterr);
    return got == STATUS_NOT_FOUND ? STATUS_OK : got;
}

static status get(struct rpc_call *call, struct error *reterr)
{
    const Pb__GetWorkflow *request = call->request;
    struct shard *shard            = system_shard(call);
    if (!shard) return call_moved(call, 0);
    str namespace = namespace_of_keys(call_namespace(call, request->namespace_));

    CLEANUP(txn_abortp) struct txn *txn = NULL;
    struct versions versions            = {};
    TRY(txn_begin_read(shard->partition->store, &txn, reterr));
    TRY(read_versions(txn, namespace, str_from(request->name), call->arena, &versions, reterr));
    Pb__WorkflowView *view = choose(&versions, request->version);
    if (!view) {
        return fail_code(reterr, STATUS_NOT_FOUND, "not_found",
                         "workflow " STR_FMT "/%s%s%s is not registered", STR_ARG(namespace),
                         request->name, *request->version ? ":" : "", request->version);
    }
    const char **names = arena_alloc(call->arena, (versions.count + 1) * sizeof *names);
    if (!names) return fail(reterr, STATUS_RESOURCE_EXHAUSTED, "no memory");
    for (size_t i = 0; i < versions.count; i++) names[i] = versions.items[i]->version;
    view->versions   = names;
    view->n_versions = versions.count;
    TRY(add_schedule(txn, call->arena, view, reterr));
    if (request->definition) TRY(add_definition(txn, call->arena, view, reterr));
    *(Pb__WorkflowView *)call->response = *view;
    rpc_reply(call, STATUS_OK, NULL);
    return STATUS_OK;
}

/* --- list --------------------------------------------------------------------------------------
 */

/* Versions of one name, or the newest version of each name; in the order of the keys. */
struct listing {
    const Pb__ListWorkflows *request;
    str namespace; /* "*": all */
    struct arena *arena;
    Pb__WorkflowList *answer;
    struct row_page page;
};

static bool is_same_name(const Pb__WorkflowView *a, const Pb__WorkflowView *b)
{
    return strcmp(a->name, b->name) == 0 && strcmp(a->namespace_, b->namespace_) == 0;
}

/* A release is newer than any pre-release: a name is shown by what a start would take. */
static bool is_newer(const Pb__WorkflowView *a, const Pb__WorkflowView *b)
{
    bool is_release_a = !strchr(a->version, '-');
    bool is_release_b = !strchr(b->version, '-');
    if (is_release_a != is_release_b) return is_release_a;
    return version_compare(str_from(a->version), str_from(b->version)) > 0;
}

static status take_row(struct txn *, bytes row, void *context, bool *ret_is_full,
                       struct error *reterr)
{
    struct listing *list     = context;
    Pb__WorkflowList *answer = list->answer;
    Pb__WorkflowView *view   = NULL;
    TRY(record_read(row, &pb__workflow_view__descriptor, list->arena, &view, reterr));
    bool is_wanted = !*list->request->name || strcmp(list->request->name, view->name) == 0;
    if (!str_is(list->namespace, "*") && !str_is(list->namespace, view->namespace_)) {
        is_wanted = false;
    }
    if (!is_wanted) return STATUS_OK;
    if (!*list->request->name && answer->n_workflows > 0) {
        Pb__WorkflowView **last = &answer->workflows[answer->n_workflows - 1];
        if (is_same_name(*last, view)) {
            if (is_newer(view, *last)) *last = view;
            return STATUS_OK;
        }
    }
    *ret_is_full = answer->n_workflows == list->page.size;
    if (!*ret_is_full) answer->workflows[answer->n_workflows++] = view;
    return STATUS_OK;
}

/* What is said of its input; a schema that would fill the answer is left out. */
static status add_input(struct txn *txn, struct arena *arena, Pb__WorkflowView *view,
                        struct error *reterr)
{
    CLEANUP(json_unrefp) json value   = json_invalid();
    CLEANUP(buf_done) struct buf text = buf_init(LISTED_SCHEMA_MAX);
    const struct json_limits limits   = {.values_max = UINT32_MAX};
    TRY(add_definition(txn, arena, view, reterr));
    str definition = {(const char *)view->definition_json.data, view->definition_json.len};
    TRY(json_parse(definition, &limits, &value, NULL, reterr));
    view->definition_json = (ProtobufCBinaryData){};
    json schema = json_get_text(json_get_text(json_get_text(value, "input"), "schema"), "document");
    json summary = json_get_text(json_get_text(value, "document"), "summary");
    if (json_is(summary, JSON_TEXT)) view->summary = arena_strdup(arena, json_str(summary));
    if (!view->summary) return fail(reterr, STATUS_RESOURCE_EXHAUSTED, "no memory");
    if (json_is(schema, JSON_OBJECT) && json_print(schema, JSON_COMPACT, &text)) {
        view->input_schema_json = bytes_in(arena, buf_str(&text));
    }
    return STATUS_OK;
}

static status list(struct rpc_call *call, struct error *reterr)
{
    const Pb__ListWorkflows *request = call->request;
    struct shard *shard              = system_shard(call);
    if (!shard) return call_moved(call, 0);
    struct listing listing = {.request   = request,
                              .namespace = call_namespace(call, request->namespace_),
                              .arena     = call->arena,
                              .answer    = call->response};
    const char *filters =
        arena_printf(call->arena, STR_FMT "\x1f%s", STR_ARG(listing.namespace), request->name);
    if (!filters) return fail(reterr, STATUS_RESOURCE_EXHAUSTED, "no memory");
    TRY(row_page_begin(request->page, str_from(filters), call->arena, &listing.page, reterr));
    listing.answer->workflows = arena_alloc(call->arena, listing.page.size * sizeof(void *));
    if (!listing.answer->workflows) return fail(reterr, STATUS_RESOURCE_EXHAUSTED, "no memory");
    struct key prefix;
    struct scan scan = {};
    if (!str_is(listing.namespace, "*")) {
        workflow_key(&prefix, listing.namespace, str_from(request->name), (str){});
        scan.prefix = key_bytes(&prefix);
    }
    CLEANUP(txn_abortp) struct txn *txn = NULL;
    TRY(txn_begin_read(shard->partition->store, &txn, reterr));
    TRY(row_page_walk(&listing.page, txn, TABLE_WORKFLOWS, scan, take_row, &listing, reterr));
    for (size_t i = 0; request->inputs && i < listing.answer->n_workflows; i++) {
        TRY(add_input(txn, call->arena, listing.answer->workflows[i], reterr));
    }
    listing.answer->next_token = row_page_next(&listing.page, call->arena);
    rpc_reply(call, STATUS_OK, NULL);
    return STATUS_OK;
}

const struct rpc_method workflow_service_methods[] = {
    {.name = "Put", .handle = put},
    {.name = "Validate", .handle = validate},
    {.name = "Get", .handle = get},
    {.name = "List", .handle = list},
    {.name = "Graph", .handle = graph_handle},
    {.name = "InUse", .handle = workflow_in_use_handle},
    {.name = "Delete", .handle = workflow_delete_handle},
    {},
};
