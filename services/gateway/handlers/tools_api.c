/* Tools: the functions that workflows can call, as their workers described them. */
#include "function.pb-c.h"
#include "gateway/handlers/handlers.h"

static str text_of(ProtobufCBinaryData data)
{
    return (str){.ptr = (const char *)data.data, .len = data.len};
}

static void on_tools(struct api_call *call, const struct rpc_answer *answer)
{
    const Pb__FunctionList *list = answer->message;
    struct api_answer response;
    api_list_begin(&response, call);
    for (size_t i = 0; i < list->n_functions_json; i++) {
        json_write_raw(&response.json, text_of(list->functions_json[i]));
    }
    api_list_send(&response, "");
}

/* Versions come newest first. */
static void on_tool(struct api_call *call, const struct rpc_answer *answer)
{
    const Pb__FunctionList *list = answer->message;
    if (list->n_functions_json == 0) {
        api_fail_with(call, "not_found", (str){}, "there is no such function");
        return;
    }
    api_respond(call, 200, "application/json", text_of(list->functions_json[0]), NULL, 0);
}

static void ask(struct api_call *call, const char *name, const char *version, api_then *then)
{
    Pb__ListFunctions message    = PB__LIST_FUNCTIONS__INIT;
    message.name                 = name;
    message.version              = version;
    const struct api_ask request = {
        .service = &pb__functions__descriptor, .method = "List", .message = &message, .then = then};
    api_ask_scheduler(call, &request);
}

void tools_list(struct api_call *call)
{
    ask(call, "", "", on_tools);
}

/* "slack.send_message", "slack.send_message:1". */
void tools_get(struct api_call *call)
{
    str id            = call->params[0];
    const char *colon = memchr(id.ptr, ':', id.len);
    size_t at         = colon ? (size_t)(colon - id.ptr) : id.len;
    str version       = colon ? str_slice(id, at + 1, id.len) : (str){.ptr = "", .len = 0};
    ask(call, api_text(call, str_slice(id, 0, at)), api_text(call, version), on_tool);
}
