/* Any JSON as an assistant: findings with places in it, or one that is rendered, and whose tools a
 * workflow takes. */
#include "base/assert.h"
#include "scheduler/run/assistant.h"
#include "scheduler/services/assistant_tools.h"
#include "json/json_pointer.h"
#include "json/json_text.h"

#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { ARENA_MAX = 16 << 20 /* bytes */ };

static const char agent[] =
    "document: { dsl: '1.0.3', namespace: n, name: w, version: '1.0.0' }\n"
    "do: [ { a: { call: agent.run, with: { assistant: any, input: Go } } } ]\n";

static status find(str, str, json *ret_definition, uint32_t *ret_version, struct error *,
                   void *context)
{
    *ret_definition = json_ref(*(const json *)context);
    *ret_version    = 1;
    return STATUS_OK;
}

/* What was accepted alone is accepted by a workflow, and read back as it was. */
static void check_workflow(json definition, struct diagnostics *list)
{
    const struct workflow_assistants assistants = {find, &definition};
    const struct workflow_sources sources       = {.assistants = &assistants, .may_need = true};
    CLEANUP(workflow_unrefp) const struct workflow *workflow = NULL;
    CLEANUP(workflow_unrefp) const struct workflow *again    = NULL;
    ASSERT(workflow_read_with(str_from(agent), &sources, list, &workflow, NULL) == STATUS_OK);
    if (workflow->needs) return;
    CLEANUP(json_unrefp) json stored = workflow_source_new(workflow);
    ASSERT(workflow_read_stored(json_str(stored), list, &again, NULL) == STATUS_OK);
    ASSERT(again->task_count == workflow->task_count);
    ASSERT(memcmp(again->digest, workflow->digest, SHA256_SIZE) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    CLEANUP(arena_freep) struct arena *arena = arena_new(ARENA_MAX);
    CLEANUP(json_unrefp) json definition     = json_invalid();
    CLEANUP(json_unrefp) json system         = json_invalid();
    str text                                 = {.ptr = (const char *)data, .len = size};
    if (json_parse(text, NULL, &definition, NULL, NULL) != STATUS_OK) return 0;
    struct diagnostics *list = diagnostics_new(arena);
    assistant_check(definition, list);
    assistant_tools_check(definition, str_from("n"), NULL, list);
    for (size_t i = 0; i < list->count; i++) {
        const struct diagnostic *found = &list->items[i];
        ASSERT(found->detail[0]);
        ASSERT(found->pointer[0] == '\0' || found->pointer[0] == '/');
    }
    if (list->errors > 0) return 0;
    status rendered = assistant_render(definition, definition, arena, NULL, &system, NULL);
    ASSERT(rendered == STATUS_OK || rendered == STATUS_INVALID_ARGUMENT);
    check_workflow(definition, list);
    return 0;
}
