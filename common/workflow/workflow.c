/*
 * A definition becomes a workflow in four steps: YAML to values, values to a frozen tree of their
 * own, the tree to tasks and programs, and what only shows when everything has been read. Whatever
 * the workflow points to lives in its arena, in that tree, or in the list of its holdings.
 */
#include "workflow/workflow.h"

#include "base/assert.h"
#include "base/mem.h"
#include "expr/regex.h"
#include "schema/schema.h"
#include "workflow/catalog.h"
#include "workflow/document.h"
#include "workflow/extension.h"
#include "workflow/link.h"
#include "workflow/portability.h"
#include "workflow/task_read.h"
#include "workflow/use.h"
#include "json/json_text.h"

#include <stdlib.h>

/* With its aliases expanded a definition is larger, and so is what it pins. */
enum {
    STORED_MAX        = 8 << 20, /* bytes */
    STORED_VALUES_MAX = STORED_MAX / 2,
};

/* --- life ------------------------------------------------------------------------------------- */

/* The public pointer is const, since nobody may change a workflow; its count is ours. */
static struct compiled *compiled_of(const struct workflow *workflow)
{
    return (struct compiled *)(uintptr_t)workflow;
}

static void holding_release(struct holding *holding)
{
    switch (holding->kind) {
    case HOLDING_EXPR: expr_free(holding->expr); break;
    case HOLDING_REGEX: regex_free(holding->regex); break;
    case HOLDING_SCHEMA: schema_free(holding->schema); break;
    case HOLDING_JSON: json_thaw_and_free(holding->value); break;
    }
}

static void compiled_free(struct compiled *compiled)
{
    if (!compiled) return;
    /* Newest first: schemas and programs before the values that they look at. */
    for (struct holding *h = compiled->holdings; h; h = h->next) holding_release(h);
    arena_free(compiled->arena);
    free(compiled);
}

static void compiled_freep(struct compiled **compiled)
{
    compiled_free(*compiled);
}

const struct workflow *workflow_ref(const struct workflow *workflow)
{
    uint32_t before =
        atomic_fetch_add_explicit(&compiled_of(workflow)->references, 1, memory_order_relaxed);
    ASSERT(before > 0);
    return workflow;
}

void workflow_unref(const struct workflow *workflow)
{
    if (!workflow) return;
    struct compiled *compiled = compiled_of(workflow);
    uint32_t before = atomic_fetch_sub_explicit(&compiled->references, 1, memory_order_acq_rel);
    ASSERT(before > 0);
    if (before == 1) compiled_free(compiled);
}

void workflow_unrefp(const struct workflow **workflow)
{
    workflow_unref(*workflow);
}

static struct compiled *compiled_new(void)
{
    struct compiled *compiled = mem_new(1, sizeof *compiled);
    atomic_init(&compiled->references, 1);
    compiled->arena               = arena_new(ARENA_MAX);
    compiled->workflow.namespace_ = "";
    compiled->workflow.name       = "";
    compiled->workflow.version    = "";
    compiled->workflow.title      = "";
    compiled->workflow.priority   = PRIORITY_DEFAULT;
    return compiled;
}

/* --- the tree --------------------------------------------------------------------------------- */

/* Copies the values of the YAML document, aliases expanded, into a tree that is frozen and the
 * workflow's own; its canonical text gives the digest. */
static bool tree_make(struct reader *reader)
{
    CLEANUP(buf_done) struct buf text = buf_init(SOURCE_MAX);
    json root                         = yaml_root(reader->main.yaml);
    if (!json_print(root, JSON_SORTED, &text)) {
        refuse(reader, "V01", value_place(reader),
               "with its aliases expanded, this has more than "
               "%d bytes",
               SOURCE_MAX);
        return false;
    }
    struct bytes canonical = bytes_from(buf_str(&text));
    sha256(canonical, reader->workflow->source_digest);

    buf_clear(&text);
    bool is_printed = json_print(root, JSON_COMPACT, &text);
    ASSERT(is_printed); /* as long as the canonical text */
    json tree        = json_invalid();
    struct error why = {};
    if (json_parse(buf_str(&text), NULL, &tree, NULL, &why) != STATUS_OK) {
        refuse(reader, "V01", value_place(reader), "%s", why.text);
        return false;
    }
    reader->workflow->document               = json_freeze(tree);
    reader_hold(reader, HOLDING_JSON)->value = reader->workflow->document;
    return true;
}

/* {"definition", "pins"}: all that is pinned, or documents alone. Owned. */
static json stored_new(const struct workflow *workflow, bool has_functions)
{
    json pins = json_object_new(4);
    for (const struct workflow_pin *pin = workflow->pins; pin; pin = pin->next) {
        if (!has_functions && !pin_is_document(pin)) continue;
        json_object_put_text(&pins, pin->name, json_ref(pin->source));
    }
    json stored = json_object_new(2);
    json_object_put_text(&stored, "definition", json_ref(workflow->document));
    json_object_put_text(&stored, "pins", pins);
    return stored;
}

/* The canonical text of what the store keeps. */
static bool stored_print(const struct workflow *workflow, struct buf *out)
{
    if (!workflow->pins) return json_print(workflow->document, JSON_SORTED, out);
    CLEANUP(json_unrefp) json stored = stored_new(workflow, true);
    return json_print(stored, JSON_SORTED, out);
}

/* --- reading ---------------------------------------------------------------------------------- */

/* The drafts become the array that the engine walks. */
static void tasks_settle(struct reader *reader)
{
    struct workflow *workflow = reader->workflow;
    workflow->task_count      = reader->draft_count;
    workflow->tasks           = reader_alloc(reader, reader->draft_count, sizeof *workflow->tasks);
    for (uint32_t i = 0; i < reader->draft_count; i++) {
        const struct draft *draft         = reader->drafts[i];
        workflow->tasks[i]                = draft->task;
        workflow->tasks[i].is_output_kept = draft->entry->is_output_kept;
        /* The tasks of an agent go by what is said about the agent. */
        task_index parent = draft->task.parent;
        bool is_of_agent  = parent != TASK_NONE && workflow->tasks[parent].kind == TASK_AGENT;
        if (is_of_agent) workflow->tasks[i].priority = workflow->tasks[parent].priority;
    }
}

static void reader_run(struct reader *reader)
{
    reader->children_end = &reader->children;
    reader->drafts       = scratch_alloc(reader, WORKFLOW_TASKS_MAX, sizeof(struct draft *));
    document_read(reader, reader->workflow->document);
    tasks_read(reader);
    definitions_finish(reader);
    catalogs_finish(reader);
    extensions_finish(reader);
    undo_finish(reader);
    if (reader->list->errors == reader->errors_before) {
        flow_check(reader);
        exports_check(reader);
    }
    tasks_settle(reader);
    portability_check(reader);
}

static void reader_done(struct reader *reader)
{
    for (struct task_names *n = reader->names; n; n = n->next) map_free(n->by_name);
    links_done(reader);
    buf_done(&reader->pointer);
    arena_free(reader->scratch);
}

static bool is_after(const struct diagnostic *a, const struct diagnostic *b)
{
    return a->line != b->line ? a->line > b->line : a->column > b->column;
}

/* Findings come in the order of reading; people read from top to bottom. At most DIAGNOSTICS_MAX.
 */
static void findings_sort(struct diagnostics *list, size_t from)
{
    for (size_t i = from + 1; i < list->count; i++) {
        struct diagnostic finding = list->items[i];
        size_t at                 = i;
        for (; at > from && is_after(&list->items[at - 1], &finding); at--) {
            list->items[at] = list->items[at - 1];
        }
        list->items[at] = finding;
    }
}

static status refused(const struct diagnostics *list, size_t from, size_t errors,
                      struct error *reterr)
{
    for (size_t i = from; i < list->count; i++) {
        const struct diagnostic *first = &list->items[i];
        if (first->severity != SEVERITY_ERROR) continue;
        return fail_code(reterr, STATUS_INVALID_ARGUMENT, "workflow_invalid",
                         "%zu error%s, the first at %u:%u: %s: %s", errors, errors == 1 ? "" : "s",
                         first->line, first->column, first->code, first->detail);
    }
    return fail_code(reterr, STATUS_INVALID_ARGUMENT, "workflow_invalid", "%zu errors", errors);
}

static bool names_documents(const struct workflow *workflow)
{
    const struct workflow_pin *pin = workflow->pins;
    while (pin && !pin_is_document(pin)) pin = pin->next;
    return pin != NULL;
}

/* Documents are part of what somebody wrote: other documents are another source. */
static bool source_digest_make(struct reader *reader, struct buf *text)
{
    struct workflow *workflow = reader->workflow;
    if (!names_documents(workflow)) return true;
    CLEANUP(json_unrefp) json source = stored_new(workflow, false);
    if (!json_print(source, JSON_SORTED, text)) return false;
    sha256(bytes_from(buf_str(text)), workflow->source_digest);
    buf_clear(text);
    return true;
}

/* What was read becomes what is stored, and that has the digest. */
static void digest_make(struct reader *reader)
{
    struct workflow *workflow         = reader->workflow;
    CLEANUP(buf_done) struct buf text = buf_init(STORED_MAX);
    memcpy(workflow->digest, workflow->source_digest, SHA256_SIZE);
    if (!workflow->pins) return;
    if (!source_digest_make(reader, &text) || !stored_print(workflow, &text)) {
        buf_clear(&reader->pointer);
        refuse(reader, "V01", value_place(reader),
               "with the functions and documents that it names, this has more than %d bytes",
               STORED_MAX);
        return;
    }
    sha256(bytes_from(buf_str(&text)), workflow->digest);
}

static status read_all(str text, const struct workflow_sources *sources, json pins,
                       struct diagnostics *list, const struct workflow **ret_workflow,
                       struct error *reterr)
{
    size_t count_before  = list->count;
    size_t errors_before = list->errors;
    struct error why     = {};

    struct document_need *needs                    = NULL;
    CLEANUP(yaml_freep) struct yaml_document *yaml = NULL;
    status code                                    = yaml_parse(text, list, &yaml, &why);
    if (code == STATUS_INVALID_ARGUMENT && list->errors > errors_before) {
        return refused(list, count_before, list->errors - errors_before, reterr);
    }
    if (code != STATUS_OK) return fail_code(reterr, code, "workflow_invalid", "%s", why.text);

    CLEANUP(compiled_freep) struct compiled *compiled = compiled_new();
    struct reader reader                              = {
                                     .compiled      = compiled,
                                     .workflow      = &compiled->workflow,
                                     .arena         = compiled->arena,
                                     .scratch       = arena_new(ARENA_MAX),
                                     .main          = {.yaml = yaml},
                                     .list          = list,
                                     .errors_before = errors_before,
                                     .pointer       = buf_init(POINTER_MAX),
                                     .catalog       = sources ? sources->catalog : NULL,
                                     .assistants    = sources ? sources->assistants : NULL,
                                     .pins          = pins,
    };
    ASSERT(reader.scratch != NULL);
    reader.source    = &reader.main;
    reader.needs_end = &needs;
    if (sources) {
        reader.documents      = sources->documents;
        reader.document_count = sources->document_count;
        reader.may_need       = sources->may_need;
    }
    if (sources && sources->is_portable) reader.notes = diagnostics_new(list->arena);
    if (tree_make(&reader)) reader_run(&reader);
    digest_make(&reader);
    compiled->workflow.needs = needs;
    reader_done(&reader);

    findings_sort(list, count_before);
    if (list->errors > errors_before) {
        return refused(list, count_before, list->errors - errors_before, reterr);
    }
    *ret_workflow = &TAKE(compiled)->workflow;
    return STATUS_OK;
}

status workflow_read_with(str text, const struct workflow_sources *sources,
                          struct diagnostics *list, const struct workflow **ret_workflow,
                          struct error *reterr)
{
    return read_all(text, sources, json_invalid(), list, ret_workflow, reterr);
}

status workflow_read(str text, struct diagnostics *list, const struct workflow **ret_workflow,
                     struct error *reterr)
{
    return read_all(text, NULL, json_invalid(), list, ret_workflow, reterr);
}

json workflow_definition_of(json stored)
{
    json definition = json_get_text(stored, "definition");
    return json_is(definition, JSON_INVALID) ? stored : definition;
}

status workflow_read_stored(str stored, struct diagnostics *list,
                            const struct workflow **ret_workflow, struct error *reterr)
{
    const struct json_limits limits = {.values_max = STORED_VALUES_MAX};
    CLEANUP(json_unrefp) json value = json_invalid();
    TRY(json_parse(stored, &limits, &value, NULL, reterr));
    json pins = json_get_text(value, "pins");
    if (json_is(pins, JSON_INVALID)) return workflow_read(stored, list, ret_workflow, reterr);

    CLEANUP(json_unrefp) json text = json_to_text_new(workflow_definition_of(value));
    return read_all(json_str(text), NULL, pins, list, ret_workflow, reterr);
}

/* --- asking ----------------------------------------------------------------------------------- */

json workflow_source_new(const struct workflow *workflow)
{
    CLEANUP(buf_done) struct buf text = buf_init(STORED_MAX);
    bool is_printed                   = stored_print(workflow, &text);
    ASSERT(is_printed); /* it was printed when it was read */
    return json_text_new(buf_str(&text));
}

const struct task *workflow_task_at(const struct workflow *workflow, str reference)
{
    for (uint32_t i = 0; i < workflow->task_count; i++) {
        if (str_is(reference, workflow->tasks[i].reference)) return &workflow->tasks[i];
    }
    return NULL;
}
