/* What has arrived of an answer, whichever transport brought it: limits, redirects, handlers. */
#include "base/assert.h"
#include "http/http_internal.h"

void intake_note(struct http_call *call)
{
    int64_t now_ms  = loop_now_ms(call->client->loop);
    call->active_ms = now_ms; /* the timer looks at it when it fires */
    if (call->phase == CALL_RECEIVING) return;
    call->phase = CALL_RECEIVING;
    if (call->first_byte_ms < 0) call->first_byte_ms = now_ms;
    call_arm(call);
}

/* Runs a handler's answer through the rules; says whether to go on. */
static bool obey(struct http_call *call, enum http_flow flow)
{
    if (flow == HTTP_STOP) call->failure = HTTP_STOPPED;
    return flow != HTTP_STOP && !call->is_cancelled;
}

static bool headers_complete(struct http_call *call)
{
    request_follow(call);
    if (call->failure != HTTP_NO_FAILURE) return false;
    if (call->redirect_url || !call->handlers.on_headers) return true;
    struct http_answer answer = answer_view(call);
    call->in_handler          = true;
    enum http_flow flow       = call->handlers.on_headers(&answer, call->handlers.context);
    call->in_handler          = false;
    ASSERT(flow != HTTP_PAUSE);
    return obey(call, flow);
}

bool intake_line(struct http_call *call, str line)
{
    bool was_complete = call->answer.is_complete;
    if (!answer_line(&call->answer, line)) {
        call->failure = HTTP_TOO_LARGE;
        return false;
    }
    return !call->answer.is_complete || was_complete || headers_complete(call);
}

enum intake intake_body(struct http_call *call, str data)
{
    if (call->redirect_url) { /* read, so that the connection can be used again; but not for ever */
        call->body_bytes += data.len;
        return call->body_bytes > ANSWER_REDIRECT_BODY_MAX ? INTAKE_ENDS : INTAKE_TAKEN;
    }
    if (data.len > call->request.body_max - call->body_bytes) {
        call->failure = HTTP_TOO_LARGE;
        return INTAKE_ENDS;
    }
    if (!call->handlers.on_data) {
        call->body_bytes += data.len;
        if (buf_put_str(&call->body, data)) return INTAKE_TAKEN;
        call->failure = HTTP_TOO_LARGE;
        return INTAKE_ENDS;
    }
    call->in_handler    = true;
    enum http_flow flow = call->handlers.on_data(data, call->handlers.context);
    call->in_handler    = false;
    if (!obey(call, flow)) return INTAKE_ENDS;
    if (flow == HTTP_PAUSE) {
        call->is_paused = true;
        return INTAKE_PAUSED;
    }
    call->body_bytes += data.len;
    return INTAKE_TAKEN;
}
