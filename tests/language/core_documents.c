#include "language/core_documents.h"

#include "http/url.h"
#include "language/standin.h"

static struct document fetched(struct script *script, const struct document_need *need,
                               struct arena *arena)
{
    struct document document = {.url = str_from(arena_strdup(arena, str_from(need->url)))};
    struct url parts         = {};
    (void)url_parse(document.url, &parts);
    const struct standin_request request = {
        .method = str_from("GET"), .host = parts.host, .path = parts.path, .query = parts.query};
    const struct script_answer answer = standin_answer(script, &request);
    if (answer.http_status >= 200 && answer.http_status < 300) {
        document.text = str_from(answer.body ? answer.body : "");
    } else {
        document.failure =
            arena_printf(arena, "it was answered with status %d", answer.http_status);
    }
    return document;
}

status core_documents_read(str definition, const struct function_catalog *catalog,
                           struct script *script, struct arena *arena,
                           struct diagnostics **ret_findings, const struct workflow **ret_workflow,
                           struct error *reterr)
{
    struct document documents[DOCUMENTS_MAX];
    size_t count = 0;
    for (;;) {
        CLEANUP(workflow_unrefp) const struct workflow *workflow = NULL;
        const struct workflow_sources sources                    = {
                               .catalog = catalog, .documents = documents, .document_count = count, .may_need = true};
        *ret_findings = diagnostics_new(arena);
        TRY(workflow_read_with(definition, &sources, *ret_findings, &workflow, reterr));
        if (!workflow->needs) {
            *ret_workflow = TAKE(workflow);
            return STATUS_OK;
        }
        for (const struct document_need *n = workflow->needs; n && count < DOCUMENTS_MAX;
             n                             = n->next) {
            documents[count++] = fetched(script, n, arena);
        }
    }
}
