/* Models, through the llm-proxy: the gateway checks the caller and carries bytes. */
#include "assistant.pb-c.h"
#include "base/assert.h"
#include "base/clock.h"
#include "gateway/handlers/handlers.h"
#include "gateway/llm/llm_pull.h"
#include "gateway/llm/llm_resume.h"
#include "llm.pb-c.h"
#include "json/json_text.h"

#include <string.h>

enum {
    HEADERS_MAX     = 16,
    OPEN_TIMEOUT_MS = 10'000,
    TOTAL_MS        = 600'000,
    BODY_DEPTH_MAX  = 64, /* as the llm-proxy reads it */
    BODY_VALUES_MAX = 1'000'000,
};

/* What an upstream call may depend on; everything else stays here. */
static const char *const passed_headers[] = {
    "tutti-run",       "tutti-labels",  "tutti-strict",      "tutti-validate", "tutti-durable",
    "idempotency-key", "cache-control", "anthropic-version", "anthropic-beta",
};

struct opening {
    uint16_t replica;
    uint64_t number;
    Pb__LlmOperation operation;
    str key; /* Idempotency-Key */
};

static void attach(struct api_call *call)
{
    const struct opening *opening = call->state;
    llm_pull_add(call->api->llm_pull, call, opening->replica, opening->number);
}

void llm_send_final(struct api_call *call, const Pb__LlmAnswer *answer)
{
    struct httpd_field fields[HEADERS_MAX];
    size_t count = 0;
    for (size_t i = 0; i < answer->n_headers && count < HEADERS_MAX; i++) {
        fields[count++] = (struct httpd_field){str_from(answer->headers[i]->name),
                                               str_from(answer->headers[i]->value)};
    }
    if (answer->http_status < 200 || answer->http_status > 599) {
        api_fail_with(call, "upstream_error", (str){}, "the answer of the model is broken");
        return;
    }
    str body = {.ptr = (const char *)answer->body.data, .len = answer->body.len};
    api_respond(call, (int)answer->http_status, "application/json", body, fields, count);
}

static void on_opened(const struct rpc_answer *answer, void *context)
{
    struct api_call *call       = context;
    const Pb__LlmOpened *opened = answer->message;
    struct opening *opening     = call->state;
    if (answer->code != STATUS_OK) {
        api_fail_answer(call, answer);
    } else if (opened->call == 0 && opened->answer) {
        llm_send_final(call, opened->answer);
    } else if (opened->call == 0) {
        api_fail_with(call, "upstream_error", (str){},
                      "the llm-proxy gave neither answer nor call");
    } else {
        opening->number = opened->call;
        api_park(call, attach);
    }
    api_call_unref(call);
}

static void open_call(struct api_call *call, const Pb__LlmOpen *message)
{
    const struct opening *opening    = call->state;
    const struct rpc_request request = {.service     = &pb__llm__descriptor,
                                        .method      = "Open",
                                        .message     = message,
                                        .partition   = opening->replica,
                                        .timeout_ms  = OPEN_TIMEOUT_MS,
                                        .request_id  = str_from(call->rpc_id),
                                        .namespace   = str_from(message->namespace_),
                                        .key_id      = str_from(call->identity.key_id),
                                        .traceparent = str_from(call->traceparent),
                                        .done        = on_opened,
                                        .context     = api_call_ref(call)};
    struct error error               = {};
    status code                      = api_call_llm(call->api, &request, &error);
    if (code != STATUS_OK) {
        api_fail(call, code, &error);
        api_call_unref(call);
        return;
    }
    buf_done(&call->request->body); /* it is written; the call may last for minutes */
}

static void read_headers(struct api_call *call, Pb__LlmOpen *message)
{
    Pb__LlmHeader *items  = arena_alloc(call->arena, ARRAY_LEN(passed_headers) * sizeof *items);
    Pb__LlmHeader **array = arena_alloc(call->arena, ARRAY_LEN(passed_headers) * sizeof *array);
    ASSERT(items && array);
    message->headers = array;
    for (size_t i = 0; i < ARRAY_LEN(passed_headers); i++) {
        str value = httpd_request_field(call->request, passed_headers[i]);
        if (!value.ptr) continue;
        Pb__LlmHeader *header = &items[message->n_headers];
        pb__llm_header__init(header);
        header->name                           = passed_headers[i];
        header->value                          = api_text(call, value);
        message->headers[message->n_headers++] = header;
    }
}

/* Of Gemini's paths: "/v1beta/models/" MODEL ":" ACTION. The model alone; empty: it is none. */
static str model_of(str path)
{
    static const char prefix[] = "/models/";
    const char *found          = memmem(path.ptr, path.len, prefix, sizeof prefix - 1);
    size_t from                = found ? (size_t)(found - path.ptr) + sizeof prefix - 1 : path.len;
    size_t to                  = path.len;
    while (to > from && path.ptr[to - 1] != ':') to--;
    return to > from ? str_slice(path, from, to - 1) : (str){};
}

/* The same path with another model. NULL: no memory. */
static const char *path_with(struct api_call *call, const char *model)
{
    str path  = str_from(call->path);
    str named = model_of(path);
    size_t at = (size_t)(named.ptr - path.ptr);
    return arena_printf(call->arena, "%.*s%s%s", (int)at, path.ptr, model,
                        path.ptr + at + named.len);
}

/* `applied`: what an assistant has made of the body; NULL: it goes as it is. */
static void open_with(struct api_call *call, const Pb__AppliedAssistant *applied)
{
    const struct opening *opening = call->state;
    str body                      = buf_str(&call->request->body);
    Pb__LlmOpen message           = PB__LLM_OPEN__INIT;
    message.subscriber =
        (ProtobufCBinaryData){.data = call->api->subscriber, .len = sizeof call->api->subscriber};
    message.operation = opening->operation;
    message.path      = call->path;
    message.body = (ProtobufCBinaryData){.data = (uint8_t *)(uintptr_t)body.ptr, .len = body.len};
    message.namespace_  = api_namespace(call);
    message.key_id      = call->identity.key_id;
    message.request_id  = call->request_id;
    message.deadline_us = clock_unix_us() + (int64_t)TOTAL_MS * 1000;
    if (opening->key.len > 0) message.idempotency_key = api_text(call, opening->key);
    if (applied) {
        message.body        = applied->body_json;
        message.fallbacks   = applied->fallbacks;
        message.n_fallbacks = applied->n_fallbacks;
        bool is_in_path     = opening->operation == PB__LLM_OPERATION__LLM_OPERATION_GEMINI_CONTENT;
        const char *path    = is_in_path ? path_with(call, applied->model) : message.path;
        ASSERT(path);
        message.path = path;
    }
    read_headers(call, &message);
    str run = httpd_request_field(call->request, "tutti-run");
    if (run.len > 0) message.run_partition = api_partition_of(call, str_trim(run, STR_BLANKS));
    open_call(call, &message);
}

/* --- assistants --------------------------------------------------------------------------------
 */

static bool is_assistant(str model)
{
    return str_starts_with(model, str_from("assistant/"));
}

/* Says whether the model of a chat is "assistant/NAME". What is no JSON the llm-proxy refuses. */
static bool names_assistant(str body)
{
    static const char word[]        = "\"assistant";
    const struct json_limits limits = {.depth_max = BODY_DEPTH_MAX, .values_max = BODY_VALUES_MAX};
    CLEANUP(json_unrefp) json value = json_invalid();
    bool may_be                     = false;
    const char *end                 = body.ptr + body.len;
    for (const char *at = body.ptr; !may_be && at;) { /* the role has the word, too */
        at = memmem(at, (size_t)(end - at), word, sizeof word - 1);
        if (!at) break;
        at += sizeof word - 1;
        may_be = at < end && (*at == '/' || *at == '\\');
    }
    if (!may_be || json_parse(body, &limits, &value, NULL, NULL) != STATUS_OK) return false;
    json model = json_get_text(value, "model");
    return json_is(model, JSON_TEXT) && is_assistant(json_str(model));
}

static void on_applied(struct api_call *call, const struct rpc_answer *answer)
{
    open_with(call, answer->message);
}

static Pb__AssistantProtocol protocol_of(Pb__LlmOperation operation)
{
    switch (operation) {
    case PB__LLM_OPERATION__LLM_OPERATION_ANTHROPIC_MESSAGES:
        return PB__ASSISTANT_PROTOCOL__ASSISTANT_PROTOCOL_ANTHROPIC;
    case PB__LLM_OPERATION__LLM_OPERATION_ANTHROPIC_COUNT:
        return PB__ASSISTANT_PROTOCOL__ASSISTANT_PROTOCOL_COUNT;
    case PB__LLM_OPERATION__LLM_OPERATION_GEMINI_CONTENT:
        return PB__ASSISTANT_PROTOCOL__ASSISTANT_PROTOCOL_GEMINI;
    default: return PB__ASSISTANT_PROTOCOL__ASSISTANT_PROTOCOL_OPENAI;
    }
}

/* Says whether an assistant is asked; embeddings have none. */
static bool asks_assistant(const struct api_call *call, Pb__LlmOperation operation)
{
    if (operation == PB__LLM_OPERATION__LLM_OPERATION_OPENAI_EMBEDDINGS) return false;
    if (operation == PB__LLM_OPERATION__LLM_OPERATION_GEMINI_CONTENT) {
        return is_assistant(model_of(str_from(call->path)));
    }
    return names_assistant(buf_str(&call->request->body));
}

static void apply_assistant(struct api_call *call, Pb__LlmOperation operation)
{
    str body                     = buf_str(&call->request->body);
    bool is_in_path              = operation == PB__LLM_OPERATION__LLM_OPERATION_GEMINI_CONTENT;
    Pb__ApplyAssistant message   = PB__APPLY_ASSISTANT__INIT;
    const struct api_ask request = {.service = &pb__assistants__descriptor,
                                    .method  = "Apply",
                                    .message = &message,
                                    .then    = on_applied};
    message.namespace_           = api_namespace(call);
    message.protocol             = protocol_of(operation);
    if (is_in_path) message.model = api_text(call, model_of(str_from(call->path)));
    message.body_json =
        (ProtobufCBinaryData){.data = (uint8_t *)(uintptr_t)body.ptr, .len = body.len};
    api_ask_scheduler(call, &request);
}

/* --- operations --------------------------------------------------------------------------------
 */

static void ask(struct api_call *call, Pb__LlmOperation operation)
{
    struct api *api    = call->api;
    struct error error = {};
    str key            = {};
    if (!api->llm) {
        api_fail_with(call, "unavailable", (str){},
                      "this gateway has no llm-proxy: set gateway.llm");
        return;
    }
    if (httpd_request_field(call->request, "last-event-id").ptr) {
        llm_resume(call, operation);
        return;
    }
    if (api_idempotency_key(call, &key, &error) != STATUS_OK) {
        api_fail(call, STATUS_INVALID_ARGUMENT, &error);
        return;
    }
    struct opening *opening = arena_alloc(call->arena, sizeof *opening);
    ASSERT(opening);
    *opening = (struct opening){
        .replica = llm_pull_choose(api->llm_pull), .operation = operation, .key = key};
    call->state = opening;
    if (asks_assistant(call, operation)) {
        apply_assistant(call, operation);
    } else {
        open_with(call, NULL);
    }
}

void llm_chat(struct api_call *call)
{
    ask(call, PB__LLM_OPERATION__LLM_OPERATION_OPENAI_CHAT);
}

void llm_embeddings(struct api_call *call)
{
    ask(call, PB__LLM_OPERATION__LLM_OPERATION_OPENAI_EMBEDDINGS);
}

void llm_message(struct api_call *call)
{
    ask(call, PB__LLM_OPERATION__LLM_OPERATION_ANTHROPIC_MESSAGES);
}

void llm_count_tokens(struct api_call *call)
{
    ask(call, PB__LLM_OPERATION__LLM_OPERATION_ANTHROPIC_COUNT);
}

/* Without alt=sse Google answers with one growing list, which no SDK asks for. */
void llm_content(struct api_call *call)
{
    str path       = str_from(call->path);
    str stream     = str_from(":streamGenerateContent");
    bool is_stream = path.len > stream.len &&
                     str_equal(str_slice(path, path.len - stream.len, path.len), stream);
    str alt = {};
    (void)api_query(call, "alt", &alt);
    if (is_stream && !str_is(alt, "sse")) {
        api_fail_with(call, "invalid_request", (str){}, "alt: a stream needs ?alt=sse");
        return;
    }
    ask(call, PB__LLM_OPERATION__LLM_OPERATION_GEMINI_CONTENT);
}
