/* tools/list: operations of the API, functions of adapters, workflows. */
#include "base/log.h"
#include "gateway/mcp/functions.h"
#include "gateway/mcp/methods.h"
#include "gateway/mcp/tools.h"
#include "tool.pb-c.h"
#include "workflow.pb-c.h"
#include "json/json_text.h"

#include <string.h>

enum {
    FUNCTIONS_MS = 5'000, /* so long a tool-adapter may take to say what it can do */
    PAGE         = 100,   /* workflows of one page of tools */
};

/* A letter, digit, `_`, `-` or `.` is what names of tools may hold; workflows have fewer. */
static void put_tool_name(const struct api *api, const char *workflow, struct buf *out)
{
    (void)buf_put_text(out, api->mcp_prefix);
    for (; *workflow; workflow++) {
        (void)buf_put_byte(out, *workflow == '-' ? '_' : *workflow);
    }
}

/* The tools of the protocol take objects. */
static bool takes_object(ProtobufCBinaryData schema)
{
    str text                        = {(const char *)schema.data, schema.len};
    CLEANUP(json_unrefp) json tree  = json_invalid();
    const struct json_limits limits = {.depth_max = MCP_DEPTH_MAX, .values_max = MCP_VALUES_MAX};
    if (json_parse(text, &limits, &tree, NULL, NULL) != STATUS_OK) return false;
    json type = json_get_text(tree, "type");
    return json_is(type, JSON_TEXT) && str_is(json_str(type), "object");
}

/* As one, and room for the next. */
static void put_sentence(str text, struct buf *out)
{
    if (text.len == 0) return;
    bool is_whole = strchr(".!?:;", text.ptr[text.len - 1]) != NULL;
    (void)buf_put_str(out, text);
    (void)buf_put_text(out, is_whole ? " " : ". ");
}

static void print_workflow(const struct api *api, const Pb__WorkflowView *workflow,
                           struct json_writer *w)
{
    CLEANUP(buf_done) struct buf name        = buf_init(MCP_NAME_MAX);
    CLEANUP(buf_done) struct buf description = buf_init(MCP_TEXT_MAX);
    ProtobufCBinaryData schema               = workflow->input_schema_json;
    put_tool_name(api, workflow->name, &name);
    bool is_taken = mcp_tools_find(api->mcp_tools, buf_str(&name)) != NULL;
    if (name.is_full || is_taken) return; /* start_run starts it */
    put_sentence(str_from(workflow->summary), &description);
    (void)buf_printf(&description, "Runs the workflow %s and waits for its end.", workflow->name);
    const struct mcp_description row = {
        .name        = buf_str(&name),
        .title       = str_from(workflow->title),
        .description = buf_str(&description),
        .schema = takes_object(schema) ? (str){(const char *)schema.data, schema.len} : (str){},
        .hints  = str_from("{\"destructiveHint\":true,\"openWorldHint\":true}"),
    };
    mcp_description_print(&row, w);
}

static void on_workflows(struct api_call *call, const struct rpc_answer *answer)
{
    struct mcp_call *kept             = call->state;
    const struct mcp_message *message = &kept->message;
    const Pb__WorkflowList *list      = answer->message;
    struct api_answer response;
    mcp_result_begin(&response, call, message);
    json_member(&response.json, "tools");
    json_begin_array(&response.json);
    if (*kept->cursor == '\0') {
        mcp_tools_print(call->api->mcp_tools, call->api->mcp_prefix, &response.json);
    }
    if (kept->functions.len > 0) json_write_raw(&response.json, buf_str(&kept->functions));
    for (size_t i = 0; i < list->n_workflows; i++) {
        print_workflow(call->api, list->workflows[i], &response.json);
    }
    json_end_array(&response.json);
    if (*list->next_token) {
        json_put_text(&response.json, "nextCursor", str_from(list->next_token));
    }
    mcp_put_private(&response, message, MCP_LIST_TTL_MS);
    mcp_result_send(&response, message);
    buf_done(&kept->functions);
}

static void on_no_workflows(struct api_call *call, const struct rpc_answer *answer)
{
    struct mcp_call *kept = call->state;
    bool is_cursor        = answer->code == STATUS_INVALID_ARGUMENT;
    if (is_cursor) {
        mcp_fail(call, &kept->message, MCP_INVALID_PARAMS, "%s", answer->detail);
    } else { /* names of sockets say nothing to a client */
        log_write(LOG_WARN, "mcp.workflows_not_listed", LOG_TEXT_OF("error", answer->detail));
        mcp_fail(call, &kept->message, MCP_INTERNAL_ERROR,
                 "the scheduler cannot be asked at the moment; try again in a second");
    }
    buf_done(&kept->functions);
}

static void list_workflows(struct api_call *call)
{
    const struct mcp_call *kept = call->state;
    Pb__ListWorkflows listing   = PB__LIST_WORKFLOWS__INIT;
    Pb__Page page               = PB__PAGE__INIT;
    page.size                   = PAGE;
    page.token                  = kept->cursor;
    listing.namespace_          = api_namespace(call);
    listing.page                = &page;
    listing.inputs              = true;
    const struct api_ask ask    = {.service = &pb__workflows__descriptor,
                                   .method  = "List",
                                   .message = &listing,
                                   .then    = on_workflows,
                                   .failed  = on_no_workflows};
    api_ask_scheduler(call, &ask);
}

static void on_functions(const struct rpc_answer *answer, void *context)
{
    struct api_call *call = context;
    struct mcp_call *kept = call->state;
    if (answer->code == STATUS_OK) mcp_functions_print(answer->message, &kept->functions);
    list_workflows(call);
    api_call_unref(call);
}

/* Without them if there is no tool-adapter, or none that answers: the rest is not theirs. */
static bool ask_functions(struct api_call *call)
{
    Pb__ListTools message            = PB__LIST_TOOLS__INIT;
    const char *namespace            = api_namespace(call);
    message.namespace_               = str_is(str_from(namespace), "*") ? "" : namespace;
    const struct rpc_request request = {.service     = &pb__tools__descriptor,
                                        .method      = "List",
                                        .message     = &message,
                                        .timeout_ms  = FUNCTIONS_MS,
                                        .request_id  = str_from(call->rpc_id),
                                        .traceparent = str_from(call->traceparent),
                                        .done        = on_functions,
                                        .context     = api_call_ref(call)};
    if (call->api->tools && rpc_client_call(call->api->tools, &request, NULL, NULL) == STATUS_OK) {
        return true;
    }
    api_call_unref(call);
    return false;
}

void mcp_list_tools(struct api_call *call, const struct mcp_message *message)
{
    json cursor           = json_get_text(message->params, "cursor");
    struct mcp_call *kept = mcp_keep(call, message);
    kept->cursor          = json_is(cursor, JSON_TEXT) ? api_text(call, json_str(cursor)) : "";
    kept->functions       = buf_init(MCP_TEXT_MAX);
    if (*kept->cursor == '\0' && ask_functions(call)) return;
    list_workflows(call);
}
