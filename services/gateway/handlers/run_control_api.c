/* Commands to runs that are there. */
#include "base/assert.h"
#include "base/clock.h"
#include "gateway/api/view.h"
#include "gateway/handlers/handlers.h"
#include "gateway/runs/run_start.h"

#include <stdio.h>

enum {
    LOCATION_MAX = 64,
    INPUT_MAX    = 1 << 20,   /* bytes */
    SIGNAL_MAX   = 1 << 20,   /* bytes */
    PATCH_MAX    = 256 << 10, /* likewise */
};

static const char *run_param(struct api_call *call)
{
    return api_text(call, call->params[0]);
}

static void ask(struct api_call *call, const char *method, const void *message, api_then *then)
{
    api_ask_owner(call, &pb__runs__descriptor, method, message, then);
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

void runs_compensate(struct api_call *call)
{
    stop_run(call, "Compensate", on_accepted);
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

void runs_fail(struct api_call *call)
{
    if (!api_make_repeatable(call)) return;
    Pb__FailRun message = PB__FAIL_RUN__INIT;
    message.id          = run_param(call);
    message.namespace_  = api_namespace(call);
    message.task        = api_member(call, call->body, "task");
    message.by          = call->identity.name;
    ask(call, "Fail", &message, on_accepted);
}

/* One that is gone, of which there were dead letters, cannot be shown. */
static void on_erased(struct api_call *call, const struct rpc_answer *answer)
{
    const Pb__RunView *run = answer->message;
    if (*run->id) {
        send_run(call, run, 202);
    } else {
        api_send_nothing(call, answer);
    }
}

void runs_erase(struct api_call *call)
{
    Pb__EraseRun message = PB__ERASE_RUN__INIT;
    message.id           = run_param(call);
    message.namespace_   = api_namespace(call);
    ask(call, "Erase", &message, on_erased);
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
    ask(call, "Delete", &message, api_send_nothing);
}

/* --- drafts ------------------------------------------------------------------------------------
 */

static void on_draft(struct api_call *call, const struct rpc_answer *answer)
{
    const Pb__RunView *run = answer->message;
    struct api_answer response;
    api_answer_begin(&response, call);
    view_run(&response.json, run, clock_unix_us());
    api_answer_send_tagged(&response, 200, run->last_sequence);
}

void runs_edit_input(struct api_call *call)
{
    CLEANUP(buf_done) struct buf patch = buf_init(INPUT_MAX);
    Pb__EditRun message                = PB__EDIT_RUN__INIT;
    if (!api_match(call, "run", &message.last_sequence) || !api_print(call, call->body, &patch)) {
        return;
    }
    message.id         = run_param(call);
    message.namespace_ = api_namespace(call);
    message.by         = call->identity.name;
    message.patch_json = (ProtobufCBinaryData){.data = (uint8_t *)patch.ptr, .len = patch.len};
    ask(call, "Edit", &message, on_draft);
}

void runs_approve(struct api_call *call)
{
    if (!api_make_repeatable(call)) return;
    Pb__ApproveRun message = PB__APPROVE_RUN__INIT;
    message.id             = run_param(call);
    message.namespace_     = api_namespace(call);
    message.comment        = api_member(call, call->body, "comment");
    message.by             = call->identity.name;
    message.by_id          = call->identity.key_id;
    ask(call, "Approve", &message, on_stopped);
}

/* --- once more ---------------------------------------------------------------------------------
 */

static void send_new(struct api_call *call, const Pb__StartedRun *started)
{
    struct api_answer answer;
    char location[LOCATION_MAX];
    (void)snprintf(location, sizeof location, "/v1/runs/%s", started->run->id);
    const struct httpd_field where = {str_from("Location"), str_from(location)};
    if (started->replayed) atomic_store(&call->is_replayed, true);
    api_answer_begin(&answer, call);
    view_run(&answer.json, started->run, clock_unix_us());
    api_answer_send(&answer, 201, &where);
}

static void on_new(struct api_call *call, const struct rpc_answer *answer)
{
    send_new(call, answer->message);
}

void runs_reset(struct api_call *call)
{
    int64_t sequence     = 0;
    Pb__ResetRun message = PB__RESET_RUN__INIT;
    if (!api_make_repeatable(call)) return;
    (void)json_to_int(json_get_text(call->body, "to_sequence"), &sequence);
    message.id          = run_param(call);
    message.namespace_  = api_namespace(call);
    message.to_sequence = sequence > 0 ? (uint64_t)sequence : 0;
    message.reason      = api_member(call, call->body, "reason");
    message.by          = call->identity.name;
    message.by_id       = call->identity.key_id;
    ask(call, "Reset", &message, on_new);
}

/* A restart is a start with what the other run was started with. */
struct restart {
    const char *id, *version;
    const char *key; /* Idempotency-Key; "": none */
    uint8_t digest[SHA256_SIZE];
};

static void on_original(struct api_call *call, const struct rpc_answer *answer)
{
    struct restart *restart = call->state;
    const Pb__RunView *run  = answer->message;
    Pb__StartRun message    = PB__START_RUN__INIT;
    char *workflow          = arena_printf(call->arena, "%s/%s:%s", run->namespace_, run->workflow,
                                  *restart->version ? restart->version : run->version);
    if (!workflow || run->status == PB__RUN_STATUS__RUN_STATUS_DRAFT) {
        api_fail_with(call, "conflict", (str){}, "a draft has not started; approve it");
        return;
    }
    if (run->erased_us > 0) {
        api_fail_with(call, "run_erased", (str){}, "its input is erased; start a new run");
        return;
    }
    message.namespace_       = api_namespace(call);
    message.workflow         = workflow;
    message.client_id        = restart->id;
    message.input_json       = run->input_json;
    message.labels           = run->labels;
    message.n_labels         = run->n_labels;
    message.priority         = run->priority + 1;
    message.budget_usd_nanos = run->budget_usd_nanos;
    message.budget_tokens    = run->budget_tokens;
    message.created_by       = call->identity.key_id;
    message.traceparent      = call->traceparent;
    message.forked_run       = run->id;
    if (*restart->key) {
        message.idempotency_key = restart->key;
        message.idempotency_digest =
            (ProtobufCBinaryData){.data = restart->digest, .len = SHA256_SIZE};
    }
    const struct api_ask asked = {.service   = &pb__runs__descriptor,
                                  .method    = "Start",
                                  .message   = &message,
                                  .partition = run_start_partition(call, &message),
                                  .then      = on_new};
    api_ask_scheduler(call, &asked);
}

void runs_restart(struct api_call *call)
{
    struct restart *restart = arena_alloc(call->arena, sizeof *restart);
    Pb__StartRun key        = PB__START_RUN__INIT;
    struct error error      = {};
    ASSERT(restart);
    if (run_start_read_key(call, &key, restart->digest, &error) != STATUS_OK) {
        api_fail(call, STATUS_INVALID_ARGUMENT, &error);
        return;
    }
    restart->id        = api_member(call, call->body, "id");
    restart->version   = api_member(call, call->body, "version");
    restart->key       = key.idempotency_key;
    call->state        = restart;
    Pb__GetRun message = PB__GET_RUN__INIT;
    message.id         = run_param(call);
    message.namespace_ = api_namespace(call);
    message.full       = true;
    ask(call, "Get", &message, on_original);
}
