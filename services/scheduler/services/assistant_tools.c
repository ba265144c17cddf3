#include "scheduler/services/assistant_tools.h"

#include "base/buf.h"
#include "json/json_text.h"

#include <stdlib.h>

enum { TEXT_MAX = 2 * ASSISTANT_SIZE_MAX, POINTER_MAX = 512 };

/* --- checking -----------------------------------------------------------------------------------
 */

#define TOOLS_POINTER "/do/0/agent/with/tools"

/* An entry may be the name of a function alone. Owned. */
static json tools_new(json tools)
{
    json list = json_array_new(json_count(tools));
    for (size_t i = 0; i < json_count(tools); i++) {
        json tool  = json_at(tools, i);
        json entry = json_is(tool, JSON_TEXT) ? json_object_new(1) : json_ref(tool);
        if (json_is(tool, JSON_TEXT)) json_object_put_text(&entry, "function", json_ref(tool));
        json_array_push(&list, entry);
    }
    return list;
}

/* A workflow with one agent that has the tools. Owned. */
static json workflow_new(json tools, str namespace)
{
    json document = json_object_new(4);
    json with     = json_object_new(3);
    json call     = json_object_new(2);
    json task     = json_object_new(1);
    json tasks    = json_array_new(1);
    json root     = json_object_new(2);
    json_object_put_text(&document, "dsl", json_text_from("1.0.3"));
    json_object_put_text(&document, "namespace", json_text_new(namespace));
    json_object_put_text(&document, "name", json_text_from("assistant"));
    json_object_put_text(&document, "version", json_text_from("1.0.0"));
    json_object_put_text(&with, "model", json_text_from("model"));
    json_object_put_text(&with, "input", json_text_from(""));
    json_object_put_text(&with, "tools", tools_new(tools));
    json_object_put_text(&call, "call", json_text_from("agent.run"));
    json_object_put_text(&call, "with", with);
    json_object_put_text(&task, "agent", call);
    json_array_push(&tasks, task);
    json_object_put_text(&root, "document", document);
    json_object_put_text(&root, "do", tasks);
    return root;
}

/* "/do/0/agent/with/tools/1/function" is "/tools/1/function", or "/tools/1" if that is a text. */
static str place_in(json tools, const char *found, struct buf *out)
{
    size_t prefix    = strlen(TOOLS_POINTER);
    bool is_ours     = strncmp(found, TOOLS_POINTER, prefix) == 0;
    const char *rest = is_ours ? found + prefix : "";
    size_t index     = *rest == '/' ? (size_t)strtoul(rest + 1, NULL, 10) : SIZE_MAX;
    bool is_text     = index < json_count(tools) && json_is(json_at(tools, index), JSON_TEXT);
    size_t length    = is_text ? 1 + strcspn(rest + 1, "/") : strlen(rest);
    buf_clear(out);
    (void)buf_put_text(out, "/tools");
    (void)buf_put(out, rest, length);
    return buf_str(out);
}

static void relay(json tools, const struct diagnostics *found, struct diagnostics *findings)
{
    CLEANUP(buf_done) struct buf pointer = buf_init(POINTER_MAX);
    for (size_t i = 0; i < found->count; i++) {
        const struct diagnostic *item = &found->items[i];
        if (item->severity != SEVERITY_ERROR) continue;
        struct diagnostic *finding =
            diagnostics_add(findings, item->code, SEVERITY_ERROR,
                            place_in(tools, item->pointer, &pointer), 0, 0, "%s", item->detail);
        if (*item->hint) diagnostic_hint(findings, finding, "%s", item->hint);
    }
}

void assistant_tools_check(json definition, str namespace, const struct function_catalog *catalog,
                           struct diagnostics *findings)
{
    json tools = json_get_text(definition, "tools");
    if (!json_is(tools, JSON_ARRAY) || json_count(tools) == 0) return;
    CLEANUP(json_unrefp) json root                           = workflow_new(tools, namespace);
    CLEANUP(buf_done) struct buf text                        = buf_init(TEXT_MAX);
    CLEANUP(workflow_unrefp) const struct workflow *workflow = NULL;
    const struct workflow_sources sources = {.catalog = catalog, .may_need = true};
    struct diagnostics *found             = diagnostics_new(findings->arena);
    if (!found || !json_print(root, JSON_COMPACT, &text)) {
        (void)diagnostics_add(findings, "", SEVERITY_ERROR, str_from("/tools"), 0, 0,
                              "an assistant has at most %d bytes", ASSISTANT_SIZE_MAX);
        return;
    }
    struct error why = {};
    status read      = workflow_read_with(buf_str(&text), &sources, found, &workflow, &why);
    relay(tools, found, findings);
    if (read == STATUS_OK || found->errors > 0) return;
    (void)diagnostics_add(findings, "", SEVERITY_ERROR, str_from("/tools"), 0, 0, "%s", why.text);
}

/* --- finding ------------------------------------------------------------------------------------
 */

static status find(str namespace, str reference, json *ret_definition, uint32_t *ret_version,
                   struct error *reterr, void *context)
{
    struct assistant_shelf *shelf = context;
    struct assistant_name name    = {};
    if (!str_is(shelf->namespace, "*") && !str_equal(shelf->namespace, namespace)) {
        return fail(reterr, STATUS_NOT_FOUND, "the request may not see assistants of `" STR_FMT "`",
                    STR_ARG(namespace)); /* it is refused for its namespace */
    }
    if (!assistant_name_read(reference, &name)) {
        return fail(reterr, STATUS_INVALID_ARGUMENT,
                    "an assistant is named `name` or `name:version`, with lower-case letters, "
                    "digits and dashes");
    }
    const struct assistant_source source = assistant_source_of(&shelf->tables);
    return source.find(namespace, &name, ret_definition, ret_version, reterr, source.context);
}

struct workflow_assistants assistant_shelf_source(struct assistant_shelf *shelf)
{
    return (struct workflow_assistants){.find = find, .context = shelf};
}
