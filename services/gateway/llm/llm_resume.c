#include "gateway/llm/llm_resume.h"

#include "base/assert.h"
#include "gateway/llm/llm_pull.h"

enum { ATTACH_TIMEOUT_MS = 10'000, STREAM_LEN_MAX = 64, DIGITS_MAX = 19 };

struct resuming {
    Pb__LlmAttach message;
    uint16_t replica; /* that is asked now */
    bool was_away;    /* one could not be asked */
    uint64_t number;
};

static void ask_next(struct api_call *call);

bool llm_resume_read_id(str text, str *ret_stream, uint64_t *ret_sequence)
{
    size_t colon = 0;
    while (colon < text.len && text.ptr[colon] != ':') colon++;
    str digits     = str_slice(text, colon + 1, text.len);
    uint64_t value = 0;
    if (colon == 0 || colon > STREAM_LEN_MAX || digits.len == 0 || digits.len > DIGITS_MAX) {
        return false;
    }
    for (size_t i = 0; i < digits.len; i++) {
        if (digits.ptr[i] < '0' || digits.ptr[i] > '9') return false;
        value = value * 10 + (uint64_t)(digits.ptr[i] - '0');
    }
    *ret_stream   = str_slice(text, 0, colon);
    *ret_sequence = value;
    return true;
}

static void pull(struct api_call *call)
{
    const struct resuming *resuming = call->state;
    llm_pull_add(call->api->llm_pull, call, resuming->replica, resuming->number);
}

static void on_attached(const struct rpc_answer *answer, void *context)
{
    struct api_call *call           = context;
    struct resuming *resuming       = call->state;
    const Pb__LlmAttached *attached = answer->message;
    if (answer->code != STATUS_OK || attached->elsewhere) {
        resuming->was_away = resuming->was_away || answer->code != STATUS_OK;
        resuming->replica++;
        ask_next(call);
    } else if (attached->call > 0) {
        resuming->number = attached->call;
        api_park(call, pull);
    } else if (attached->answer) {
        llm_send_final(call, attached->answer);
    } else {
        api_fail_with(call, "upstream_error", (str){}, "the llm-proxy gave no answer");
    }
    api_call_unref(call);
}

static void fail_all(struct api_call *call)
{
    const struct resuming *resuming = call->state;
    if (resuming->was_away) {
        api_fail_with(call, "unavailable", (str){},
                      "Last-Event-ID: the llm-proxy that has the stream may be away; try again");
    } else {
        api_fail_with(call, "stream_expired", (str){},
                      "Last-Event-ID: there is no such stream, or its time is over; ask anew "
                      "without it");
    }
}

static void ask_next(struct api_call *call)
{
    struct resuming *resuming = call->state;
    while (resuming->replica < llm_pull_replicas(call->api->llm_pull)) {
        const struct rpc_request request = {.service     = &pb__llm__descriptor,
                                            .method      = "Attach",
                                            .message     = &resuming->message,
                                            .partition   = resuming->replica,
                                            .timeout_ms  = ATTACH_TIMEOUT_MS,
                                            .request_id  = str_from(call->rpc_id),
                                            .namespace   = str_from(resuming->message.namespace_),
                                            .key_id      = str_from(call->identity.key_id),
                                            .traceparent = str_from(call->traceparent),
                                            .done        = on_attached,
                                            .context     = api_call_ref(call)};
        if (api_call_llm(call->api, &request, NULL) == STATUS_OK) return;
        api_call_unref(call);
        resuming->was_away = true;
        resuming->replica++;
    }
    fail_all(call);
}

void llm_resume(struct api_call *call, Pb__LlmOperation operation)
{
    str stream        = {};
    uint64_t sequence = 0;
    if (!llm_resume_read_id(httpd_request_field(call->request, "last-event-id"), &stream,
                            &sequence)) {
        api_fail_with(call, "invalid_request", (str){},
                      "Last-Event-ID: the id of a frame is <stream>:<number>");
        return;
    }
    struct resuming *resuming = arena_alloc(call->arena, sizeof *resuming);
    ASSERT(resuming);
    *resuming = (struct resuming){.message = PB__LLM_ATTACH__INIT};
    resuming->message.subscriber =
        (ProtobufCBinaryData){.data = call->api->subscriber, .len = sizeof call->api->subscriber};
    resuming->message.namespace_ = api_namespace(call);
    resuming->message.stream     = api_text(call, stream);
    resuming->message.sequence   = sequence;
    resuming->message.operation  = operation;
    call->state                  = resuming;
    ask_next(call);
}
