/* Assistants: prompts with a model, by name and version. They live in the system partition. */
#include "assistant.pb-c.h"
#include "base/assert.h"
#include "gateway/api/labels.h"
#include "gateway/api/view.h"
#include "gateway/handlers/handlers.h"

enum { VERSION_DIGITS = 10, VARIABLES_MAX = 4 << 20 /* bytes */ };

static void ask(struct api_call *call, const char *method, const void *message, api_then *then)
{
    const struct api_ask request = {
        .service = &pb__assistants__descriptor, .method = method, .message = message, .then = then};
    api_ask_scheduler(call, &request);
}

static ProtobufCBinaryData body_of(const struct api_call *call)
{
    str body = buf_str(&call->request->body);
    return (ProtobufCBinaryData){.data = (uint8_t *)(uintptr_t)body.ptr, .len = body.len};
}

/* A version of the path. False: it is no number, and the call has been answered. */
static bool read_version(struct api_call *call, str text, uint32_t *ret_version)
{
    uint64_t version = 0;
    bool is_number   = text.len > 0 && text.len <= VERSION_DIGITS;
    for (size_t i = 0; i < text.len && is_number; i++) {
        is_number = text.ptr[i] >= '0' && text.ptr[i] <= '9';
        version   = version * 10 + (uint64_t)(text.ptr[i] - '0');
    }
    if (is_number && version > 0 && version <= UINT32_MAX) {
        *ret_version = (uint32_t)version;
        return true;
    }
    api_fail_with(call, "not_found", (str){}, "versions of assistants are numbers from 1");
    return false;
}

/* --- views -------------------------------------------------------------------------------------
 */

static void on_put(struct api_call *call, const struct rpc_answer *answer)
{
    const Pb__PutAssistantAnswer *result = answer->message;
    struct api_answer response;
    api_answer_begin(&response, call);
    view_assistant(&response.json, result->assistant);
    api_answer_send(&response, result->created ? 201 : 200, NULL);
}

static void on_got(struct api_call *call, const struct rpc_answer *answer)
{
    struct api_answer response;
    api_answer_begin(&response, call);
    view_assistant(&response.json, answer->message);
    api_answer_send(&response, 200, NULL);
}

static void on_rendered(struct api_call *call, const struct rpc_answer *answer)
{
    const Pb__RenderedAssistant *result = answer->message;
    str messages = {(const char *)result->messages_json.data, result->messages_json.len};
    struct api_answer response;
    api_answer_begin(&response, call);
    json_begin_object(&response.json);
    json_put_text(&response.json, "name", str_from(result->name));
    json_put_int(&response.json, "version", result->version);
    json_put_text(&response.json, "model", str_from(result->model));
    json_put_raw(&response.json, "messages", messages);
    json_end_object(&response.json);
    api_answer_send(&response, 200, NULL);
}

static void on_listed(struct api_call *call, const struct rpc_answer *answer)
{
    const Pb__AssistantList *list = answer->message;
    struct api_answer response;
    api_list_begin(&response, call);
    for (size_t i = 0; i < list->n_assistants; i++) {
        view_assistant(&response.json, list->assistants[i]);
    }
    api_list_send(&response, list->next_token);
}

/* --- operations --------------------------------------------------------------------------------
 */

void assistants_put(struct api_call *call)
{
    Pb__PutAssistant message = PB__PUT_ASSISTANT__INIT;
    message.namespace_       = api_namespace(call);
    message.name             = api_text(call, call->params[0]);
    message.definition_json  = body_of(call);
    message.by               = call->identity.name;
    ask(call, "Put", &message, on_put);
}

static void get(struct api_call *call, const char *method, uint32_t version, api_then *then)
{
    Pb__GetAssistant message = PB__GET_ASSISTANT__INIT;
    message.namespace_       = api_namespace(call);
    message.name             = api_text(call, call->params[0]);
    message.version          = version;
    ask(call, method, &message, then);
}

void assistants_get(struct api_call *call)
{
    get(call, "Get", 0, on_got);
}

void assistants_versions(struct api_call *call)
{
    get(call, "Versions", 0, on_listed);
}

void assistants_get_version(struct api_call *call)
{
    uint32_t version = 0;
    if (read_version(call, call->params[1], &version)) get(call, "Get", version, on_got);
}

void assistants_delete_version(struct api_call *call)
{
    Pb__DeleteAssistantVersion message = PB__DELETE_ASSISTANT_VERSION__INIT;
    message.namespace_                 = api_namespace(call);
    message.name                       = api_text(call, call->params[0]);
    if (!read_version(call, call->params[1], &message.version)) return;
    ask(call, "DeleteVersion", &message, api_send_nothing);
}

void assistants_render(struct api_call *call)
{
    Pb__RenderAssistant message        = PB__RENDER_ASSISTANT__INIT;
    json version                       = json_get_text(call->body, "version");
    json variables                     = json_get_text(call->body, "variables");
    int64_t number                     = 0;
    CLEANUP(buf_done) struct buf given = buf_init(VARIABLES_MAX);
    if (!json_is(variables, JSON_INVALID) && !api_print(call, variables, &given)) return;
    if (json_to_int(version, &number)) message.version = (uint32_t)number; /* checked by schema */
    message.namespace_     = api_namespace(call);
    message.name           = api_text(call, call->params[0]);
    message.variables_json = (ProtobufCBinaryData){.data = (uint8_t *)given.ptr, .len = given.len};
    ask(call, "Render", &message, on_rendered);
}

void assistants_list(struct api_call *call)
{
    Pb__ListAssistants message = PB__LIST_ASSISTANTS__INIT;
    Pb__Page page              = PB__PAGE__INIT;
    struct error error         = {};
    struct labels labels       = {};
    const char *token          = "";
    if (!api_read_page(call, &page.size, &token)) return;
    status code = labels_of_query(call, &labels, &error);
    if (code != STATUS_OK) {
        api_fail(call, code, &error);
        return;
    }
    message.labels     = labels.items;
    message.n_labels   = labels.count;
    page.token         = token;
    message.namespace_ = api_namespace(call);
    message.page       = &page;
    ask(call, "List", &message, on_listed);
}
