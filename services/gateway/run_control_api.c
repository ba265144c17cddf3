/* Commands to runs that are there: cancel, terminate, pause, resume, retry, delete, signal. */
#include "base/clock.h"
#include "gateway/handlers.h"
#include "gateway/view.h"
#include "run.pb-c.h"

enum {
    SIGNAL_MAX = 1 << 20,   /* bytes */
    PATCH_MAX  = 256 << 10, /* likewise */
};

static const char *run_param(struct api_call *call)
{
    return api_text(call, call->params[0]);
}

static void ask(struct api_call *call, const char *method, const void *message, api_then *then)
{
    const struct api_ask request = {.service   = &pb__runs__descriptor,
                                    .method    = method,
                                    .message   = message,
                                    .partition = api_partition_of(call, call->params[0]),
                                    .then      = then};
    api_ask_scheduler(call, &request);
}

static void send_run(struct api_call *call, const Pb__RunView *run, int http_status)
{
    struct api_answer answer;
    api_answer_begin(&answer, call);
    view_run(&answer.json, run, clock_unix_us());
    api_answer_send(&answer, http_status, NULL);
}

/* --- cancel, signal ----------------------------------------------------------------------------
 */

static void on_accepted(struct api_call *call, const struct rpc_answer *answer)
{
    send_run(call, answer->message, 202);
}

void runs_cancel(struct api_call *call)
{
    if (!api_make_repeatable(call)) return;
    Pb__CancelRun message = PB__CANCEL_RUN__INIT;
    message.id            = run_param(call);
    message.namespace_    = api_namespace(call);
    message.reason        = api_member(call, call->body, "reason");
    message.by            = call->identity.name;
    ask(call, "Cancel", &message, on_accepted);
}

/* --- terminate, pause, resume ------------------------------------------------------------------
 */

static void on_stopped(struct api_call *call, const struct rpc_answer *answer)
{
    send_run(call, answer->message, 200);
}

static void stop_run(struct api_call *call, const char *method, api_then *then)
{
    if (!api_make_repeatable(call)) return;
    Pb__StopRun message = PB__STOP_RUN__INIT;
    message.id          = run_param(call);
    message.namespace_  = api_namespace(call);
    message.reason      = api_member(call, call->body, "reason");
    message.by          = call->identity.name;
    ask(call, method, &message, then);
}

void runs_terminate(struct api_call *call)
{
    stop_run(call, "Terminate", on_accepted);
}

void runs_pause(struct api_call *call)
{
    stop_run(call, "Suspend", on_stopped);
}

void runs_resume(struct api_call *call)
{
    stop_run(call, "Resume", on_stopped);
}

static void on_signalled(struct api_call *call, const struct rpc_answer *answer)
{
    const Pb__SignalledRun *result = answer->message;
    struct api_answer response;
    api_answer_begin(&response, call);
    json_begin_object(&response.json);
    json_put_text(&response.json, "event_id", str_from(result->event_id));
    json_end_object(&response.json);
    api_answer_send(&response, 202, NULL);
}

void runs_signal(struct api_call *call)
{
    CLEANUP(buf_done) struct buf data = buf_init(SIGNAL_MAX);
    if (!api_make_repeatable(call) || !api_print(call, call->body, &data)) return;
    Pb__SignalRun message = PB__SIGNAL_RUN__INIT;
    message.id            = run_param(call);
    message.namespace_    = api_namespace(call);
    message.name          = api_text(call, call->params[1]);
    message.data_json     = (ProtobufCBinaryData){.data = (uint8_t *)data.ptr, .len = data.len};
    message.by            = call->identity.name;
    ask(call, "Signal", &message, on_signalled);
}

/* --- retry, delete
 * -------------------------------------------------------------------------------------
 */

void runs_retry(struct api_call *call)
{
    CLEANUP(buf_done) struct buf patch = buf_init(PATCH_MAX);
    json input_patch                   = json_get_text(call->body, "input_patch");
    if (!api_make_repeatable(call) || !api_print(call, input_patch, &patch)) return;
    Pb__RetryRun message = PB__RETRY_RUN__INIT;
    message.id           = run_param(call);
    message.namespace_   = api_namespace(call);
    message.task         = api_member(call, call->body, "task");
    message.patch_json   = (ProtobufCBinaryData){.data = (uint8_t *)patch.ptr, .len = patch.len};
    message.by           = call->identity.name;
    ask(call, "Retry", &message, on_accepted);
}

static void on_deleted(struct api_call *call, const struct rpc_answer *)
{
    api_respond(call, 204, NULL, (str){}, NULL, 0);
}

void runs_delete(struct api_call *call)
{
    str force             = {};
    Pb__DeleteRun message = PB__DELETE_RUN__INIT;
    if (api_query(call, "force", &force)) {
        message.force = str_is(force, "true");
        if (!message.force && !str_is(force, "false")) {
            api_fail_with(call, "invalid_request", (str){}, "force: true or false");
            return;
        }
    }
    message.id         = run_param(call);
    message.namespace_ = api_namespace(call);
    message.by         = call->identity.name;
    ask(call, "Delete", &message, on_deleted);
}
