/* Workflows: register, check, read. Definitions live in the system partition. */
#include "gateway/api/documents.h"
#include "gateway/api/paging.h"
#include "gateway/api/view.h"
#include "gateway/fleet.h"
#include "gateway/handlers/handlers.h"
#include "workflow.pb-c.h"

static ProtobufCBinaryData body_of(const struct api_call *call)
{
    str body = buf_str(&call->request->body);
    return (ProtobufCBinaryData){.data = (uint8_t *)(uintptr_t)body.ptr, .len = body.len};
}

static void ask(struct api_call *call, const char *method, const void *message, api_then *then)
{
    const struct api_ask request = {
        .service = &pb__workflows__descriptor, .method = method, .message = message, .then = then};
    api_ask_scheduler(call, &request);
}

static void on_put(struct api_call *call, const struct rpc_answer *answer)
{
    const Pb__PutWorkflowAnswer *result = answer->message;
    if (result->n_needs > 0) {
        documents_fetch(call, result->needs, result->n_needs, workflows_put);
        return;
    }
    struct api_answer response;
    api_answer_begin(&response, call);
    view_workflow(&response.json, result->workflow, result->warnings, result->n_warnings);
    api_answer_send(&response, result->created ? 201 : 200, NULL);
}

void workflows_put(struct api_call *call)
{
    Pb__PutWorkflow message = PB__PUT_WORKFLOW__INIT;
    message.namespace_      = api_namespace(call);
    message.name            = api_text(call, call->params[0]);
    message.definition      = body_of(call);
    message.by              = call->identity.name;
    message.documents       = documents_of(call, &message.n_documents);
    ask(call, "Put", &message, on_put);
}

static void on_validated(struct api_call *call, const struct rpc_answer *answer)
{
    const Pb__ValidateWorkflowAnswer *result = answer->message;
    if (result->n_needs > 0) {
        documents_fetch(call, result->needs, result->n_needs, workflows_validate);
        return;
    }
    struct api_answer response;
    api_answer_begin(&response, call);
    json_begin_object(&response.json);
    json_put_bool(&response.json, "valid", result->valid);
    json_member(&response.json, "diagnostics");
    json_begin_array(&response.json);
    for (size_t i = 0; i < result->n_findings; i++) {
        view_finding(&response.json, result->findings[i]);
    }
    json_end_array(&response.json);
    if (result->plan_json.len > 0) {
        str plan = {.ptr = (const char *)result->plan_json.data, .len = result->plan_json.len};
        json_put_raw(&response.json, "plan", plan);
    }
    json_end_object(&response.json);
    api_answer_send(&response, 200, NULL);
}

void workflows_validate(struct api_call *call)
{
    str portable                 = {};
    Pb__ValidateWorkflow message = PB__VALIDATE_WORKFLOW__INIT;
    message.namespace_           = api_namespace(call);
    message.definition           = body_of(call);
    message.documents            = documents_of(call, &message.n_documents);
    message.portable = api_query(call, "portable", &portable) && str_is(portable, "true");
    ask(call, "Validate", &message, on_validated);
}

static void on_got(struct api_call *call, const struct rpc_answer *answer)
{
    struct api_answer response;
    api_answer_begin(&response, call);
    view_workflow(&response.json, answer->message, NULL, 0);
    api_answer_send(&response, 200, NULL);
}

static void get(struct api_call *call, str version)
{
    Pb__GetWorkflow message = PB__GET_WORKFLOW__INIT;
    message.namespace_      = api_namespace(call);
    message.name            = api_text(call, call->params[0]);
    message.version         = api_text(call, version);
    message.definition      = true;
    ask(call, "Get", &message, on_got);
}

void workflows_get(struct api_call *call)
{
    get(call, (str){.ptr = "", .len = 0});
}

void workflows_get_version(struct api_call *call)
{
    get(call, call->params[1]);
}

static void on_listed(struct api_call *call, const struct rpc_answer *answer)
{
    const Pb__WorkflowList *list = answer->message;
    struct api_answer response;
    api_list_begin(&response, call);
    for (size_t i = 0; i < list->n_workflows; i++) {
        view_workflow(&response.json, list->workflows[i], NULL, 0);
    }
    api_list_send(&response, list->next_token);
}

/* --- graph ------------------------------------------------------------------------------------ */

static void on_graph(struct api_call *call, const struct rpc_answer *answer)
{
    const Pb__WorkflowGraph *graph = answer->message;
    str text = {.ptr = (const char *)graph->text.data, .len = graph->text.len};
    /* An SVG that somebody opens by itself must not be able to do anything. */
    static const struct httpd_field extra[] = {
        {{"Content-Security-Policy", 23}, {"default-src 'none'; style-src 'unsafe-inline'", 45}},
    };
    api_respond(call, 200, graph->content_type, text, extra, ARRAY_LEN(extra));
}

/* What a client accepts, where it does not say `format`: the first that is ours. */
static const char *format_accepted(const struct api_call *call)
{
    static const struct {
        const char *type, *format;
    } types[]  = {{"image/svg+xml", "svg"},
                  {"text/vnd.mermaid", "mermaid"},
                  {"application/json", "json"},
                  {"*/*", "json"}};
    str accept = httpd_request_field(call->request, "accept");
    if (accept.len == 0) return "json";
    for (size_t i = 0; i < ARRAY_LEN(types); i++) {
        if (memmem(accept.ptr, accept.len, types[i].type, strlen(types[i].type))) {
            return types[i].format;
        }
    }
    return "";
}

void workflows_graph(struct api_call *call)
{
    str version          = {};
    str run              = {};
    str format           = {};
    bool has_run         = api_query(call, "run", &run);
    Pb__GetGraph message = PB__GET_GRAPH__INIT;
    message.namespace_   = api_namespace(call);
    message.name         = api_text(call, call->params[0]);
    if (api_query(call, "version", &version)) message.version = api_text(call, version);
    if (has_run) message.run = api_text(call, run);
    message.format =
        api_query(call, "format", &format) ? api_text(call, format) : format_accepted(call);
    const struct api_ask request = {
        .service   = &pb__workflows__descriptor,
        .method    = "Graph",
        .message   = &message,
        .partition = has_run ? api_partition_of(call, run) : 0,
        .then      = on_graph,
    };
    api_ask_scheduler(call, &request);
}

/* --- lists ------------------------------------------------------------------------------------ */

static void list(struct api_call *call, const char *name)
{
    Pb__ListWorkflows message = PB__LIST_WORKFLOWS__INIT;
    Pb__Page page             = PB__PAGE__INIT;
    const char *token         = "";
    if (!api_read_page(call, &page.size, &token)) return;
    page.token         = token;
    message.namespace_ = api_namespace(call);
    message.name       = name;
    message.page       = &page;
    ask(call, "List", &message, on_listed);
}

void workflows_list(struct api_call *call)
{
    list(call, "");
}

void workflows_versions(struct api_call *call)
{
    list(call, api_text(call, call->params[0]));
}

/* --- delete ------------------------------------------------------------------------------------
 */

static Pb__WorkflowVersion version_of(struct api_call *call)
{
    Pb__WorkflowVersion message = PB__WORKFLOW_VERSION__INIT;
    message.namespace_          = api_namespace(call);
    message.name                = api_text(call, call->params[0]);
    message.version             = api_text(call, call->params[1]);
    return message;
}

/* A run that is started between the two questions goes on all the same: it has its definition. */
static void on_use(struct api_call *call, const char *run)
{
    const Pb__WorkflowVersion message = version_of(call);
    if (*run) {
        api_fail_with(call, "in_use", (str){}, "run %s has not ended and needs it", run);
        return;
    }
    ask(call, "Delete", &message, api_send_nothing);
}

void workflows_delete_version(struct api_call *call)
{
    const Pb__WorkflowVersion message = version_of(call);
    fleet_ask_use(call, &message, on_use);
}
