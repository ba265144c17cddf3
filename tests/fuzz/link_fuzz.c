/* Any bytes as the documents that a definition names by URL: a workflow that reads back without
 * them, or findings at the lines of the definition. Input: a function, a NUL, a schema. */
#include "base/arena.h"
#include "base/assert.h"
#include "workflow/workflow.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { ARENA_MAX = 16 << 20 /* bytes */ };

static const char definition[] =
    "document: { dsl: '1.0.3', namespace: n, name: w, version: '1.0.0' }\n"
    "use: { catalogs: { c: { endpoint: 'https://c.test' } }, secrets: [ key ] }\n"
    "input: { schema: { resource: { endpoint: 'https://s.test/schema' } } }\n"
    "do:\n"
    "  - one: { call: 'f:1@c', with: { a: 1, b: '${ .x }' } }\n"
    "  - two: { call: 'https://c.test/functions/f/1/function.yaml' }\n"
    "  - hidden: { set: { key: '${ $secrets.key | length }' } }\n";

static void check_findings(const struct diagnostics *list)
{
    for (size_t i = 0; i < list->count; i++) {
        ASSERT(list->items[i].line >= 1 && list->items[i].line <= 7);
        ASSERT(list->items[i].column >= 1);
        ASSERT(list->items[i].detail[0] != '\0');
    }
}

static void check_reads_back(struct arena *arena, const struct workflow *workflow)
{
    CLEANUP(json_unrefp) json stored                      = workflow_source_new(workflow);
    CLEANUP(workflow_unrefp) const struct workflow *again = NULL;
    struct diagnostics *list                              = diagnostics_new(arena);
    status code = workflow_read_stored(json_str(stored), list, &again, NULL);
    ASSERT(code == STATUS_OK);
    ASSERT(memcmp(again->digest, workflow->digest, SHA256_SIZE) == 0);
    ASSERT(again->task_count == workflow->task_count);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    str all                           = {.ptr = (const char *)data, .len = size};
    const char *nul                   = size ? memchr(data, '\0', size) : NULL;
    size_t cut                        = nul ? (size_t)(nul - all.ptr) : size;
    const struct document documents[] = {
        {.url  = str_from("https://c.test/functions/f/1/function.yaml"),
         .text = str_slice(all, 0, cut)},
        {.url  = str_from("https://s.test/schema"),
         .text = str_slice(all, cut < size ? cut + 1 : size, size)},
    };
    CLEANUP(arena_freep) struct arena *arena = arena_new(ARENA_MAX);
    struct workflow_sources sources          = {.documents = documents, .document_count = 2};
    sources.may_need                         = size % 2 == 0; /* both answers to what they name */
    CLEANUP(workflow_unrefp) const struct workflow *workflow = NULL;
    struct diagnostics *list                                 = diagnostics_new(arena);
    status code = workflow_read_with(str_from(definition), &sources, list, &workflow, NULL);
    ASSERT((code == STATUS_OK) == (workflow != NULL));
    ASSERT(workflow || list->errors > 0);
    check_findings(list);
    if (workflow && !workflow->needs) check_reads_back(arena, workflow);
    return 0;
}
