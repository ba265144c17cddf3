/* Runs: start, get, result, follow. Commands to them: run_control_api.c. Lists: run_lists_api.c. */
#include "base/assert.h"
#include "base/clock.h"
#include "base/hash.h"
#include "base/id.h"
#include "gateway/api/view.h"
#include "gateway/events/followers.h"
#include "gateway/events/run_waits.h"
#include "gateway/handlers/handlers.h"
#include "gateway/runs/run_start.h"

#include <inttypes.h>
#include <stdio.h>

enum {
    LOCATION_MAX    = 64,
    STATUS_TEXT_MAX = 64,
    TEXT_MAX        = 1 << 20, /* bytes of an input or a signal */
};

/* A call that starts or reads a run and may wait for its end. */
struct run_call {
    int64_t wait_ms;
    int64_t until_ms; /* monotonic */
    bool is_basic;    /* view=basic */
    bool is_explained;
    bool is_start;
    bool created;
    bool is_result; /* GET …/result */
    char run_id[ID_LEN + 1];
};

static void send_run(struct api_call *call, const Pb__RunView *run, int http_status)
{
    const struct run_call *state = call->state;
    Pb__RunView shown = *run; /* the end of a run comes in full, whatever was asked for */
    if (state && state->is_basic) shown.input_json = shown.output_json = (ProtobufCBinaryData){};
    struct api_answer answer;
    api_answer_begin(&answer, call);
    view_run(&answer.json, &shown, clock_unix_us());
    char location[LOCATION_MAX];
    (void)snprintf(location, sizeof location, "/v1/runs/%s", run->id);
    char tag[LOCATION_MAX];
    (void)snprintf(tag, sizeof tag, "\"%" PRIu64 "\"", run->last_sequence);
    struct httpd_field fields[2];
    size_t count = 0;
    if (run->status == PB__RUN_STATUS__RUN_STATUS_DRAFT) {
        fields[count++] = (struct httpd_field){str_from("ETag"), str_from(tag)};
    }
    if (http_status == 201) {
        fields[count++] = (struct httpd_field){str_from("Location"), str_from(location)};
    }
    api_answer_send_fields(&answer, http_status, fields, count);
}

/* --- result ------------------------------------------------------------------------------------
 */

static void send_not_yet(struct api_call *call, const Pb__RunView *run)
{
    const struct httpd_field retry   = {str_from("Retry-After"), str_from("1")};
    CLEANUP(buf_done) struct buf out = buf_init(STATUS_TEXT_MAX);
    (void)buf_printf(&out, "{\"status\":\"%s\"}", run_status_name(run->status));
    api_respond(call, 202, "application/json", buf_str(&out), &retry, 1);
}

static void send_failure(struct api_call *call, const Pb__RunView *run)
{
    str error = {.ptr = (const char *)run->error_json.data, .len = run->error_json.len};
    api_fail_run(call, error, "run %s is %s", run->id, run_status_name(run->status));
}

static void send_result(struct api_call *call, const Pb__RunView *run)
{
    if (!run_status_is_final(run->status)) {
        send_not_yet(call, run);
    } else if (run->status != PB__RUN_STATUS__RUN_STATUS_COMPLETED) {
        send_failure(call, run);
    } else {
        str output = {.ptr = (const char *)run->output_json.data, .len = run->output_json.len};
        api_respond(call, 200, "application/json", output.len > 0 ? output : str_from("null"), NULL,
                    0);
    }
}

/* --- waiting -----------------------------------------------------------------------------------
 */

static void on_latest(struct api_call *call, const struct rpc_answer *answer)
{
    const struct run_call *state = call->state;
    const Pb__RunView *run       = answer->message;
    if (state->is_result) {
        send_result(call, run);
    } else {
        bool is_over = run_status_is_final(run->status);
        send_run(call, run, state->is_start && state->created && !is_over ? 201 : 200);
    }
}

static void ask_run(struct api_call *call, const char *id, api_then *then)
{
    const struct run_call *state = call->state;
    Pb__GetRun message           = PB__GET_RUN__INIT;
    message.id                   = id;
    message.namespace_           = api_namespace(call);
    message.full                 = !state->is_basic;
    message.explain              = state->is_explained;
    const struct api_ask ask     = {.service   = &pb__runs__descriptor,
                                    .method    = "Get",
                                    .message   = &message,
                                    .partition = api_partition_of(call, str_from(id)),
                                    .then      = then};
    api_ask_scheduler(call, &ask);
}

static void on_waited(struct api_call *call, const Pb__RunView *run)
{
    const struct run_call *state = call->state;
    /* Without its output if many ends were waiting: then it is asked for. */
    bool is_whole = run && (run->status != PB__RUN_STATUS__RUN_STATUS_COMPLETED ||
                            run->output_json.len > 0 || state->is_basic);
    if (!is_whole) {
        ask_run(call, state->run_id, on_latest);
    } else if (state->is_result) {
        send_result(call, run);
    } else {
        send_run(call, run, 200);
    }
}

static void begin_wait(struct api_call *call)
{
    const struct run_call *state = call->state;
    int64_t left_ms              = state->until_ms - clock_mono_ms();
    run_waits_add(call->api->waits, call, state->run_id, state->is_start && state->created,
                  left_ms > 0 ? left_ms : 0, on_waited);
}

static void wait_for_end(struct api_call *call, const char *run_id)
{
    struct run_call *state = call->state;
    ASSERT(strlen(run_id) == ID_LEN);
    memcpy(state->run_id, run_id, ID_LEN + 1);
    api_park(call, begin_wait);
}

static struct run_call *run_call_new(struct api_call *call)
{
    struct run_call *state = arena_alloc(call->arena, sizeof *state);
    ASSERT(state);
    call->state        = state;
    struct error error = {};
    if (api_wait_ms(call, &state->wait_ms, &error) != STATUS_OK) {
        api_fail(call, STATUS_INVALID_ARGUMENT, &error);
        return NULL;
    }
    state->until_ms = clock_mono_ms() + state->wait_ms;
    return state;
}

/* --- start -------------------------------------------------------------------------------------
 */

static void on_started(struct api_call *call, const struct rpc_answer *answer)
{
    struct run_call *state       = call->state;
    const Pb__StartedRun *result = answer->message;
    state->created               = result->created;
    if (result->replayed) atomic_store(&call->is_replayed, true);
    bool is_over = run_status_is_final(result->run->status);
    if (state->wait_ms > 0 && !is_over) {
        wait_for_end(call, result->run->id);
    } else {
        bool is_found = !result->created && !result->replayed;
        send_run(call, result->run, is_found || (state->wait_ms > 0 && is_over) ? 200 : 201);
    }
}

/* What runs_start() and its kin have in common: reads and asks. */
static void start_run(struct api_call *call, json from, json signal)
{
    struct run_call *state = run_call_new(call);
    if (!state) return;
    state->is_start = true;

    CLEANUP(buf_done) struct buf input = buf_init(TEXT_MAX);
    CLEANUP(buf_done) struct buf data  = buf_init(TEXT_MAX);
    if (!api_print(call, json_get_text(from, "input"), &input)) return;
    if (!api_print(call, json_get_text(signal, "data"), &data)) return;

    Pb__StartRun message = PB__START_RUN__INIT;
    struct error error   = {};
    uint8_t digest[SHA256_SIZE];
    status code = run_start_read(call, from, &message, &error);
    if (code == STATUS_OK) code = run_start_read_key(call, &message, digest, &error);
    if (code != STATUS_OK) {
        api_fail(call, code, &error);
        return;
    }
    message.input_json  = (ProtobufCBinaryData){.data = (uint8_t *)input.ptr, .len = input.len};
    message.signal      = api_member(call, signal, "name");
    message.signal_json = (ProtobufCBinaryData){.data = (uint8_t *)data.ptr, .len = data.len};
    if (state->wait_ms > 0) {
        message.subscriber = (ProtobufCBinaryData){.data = call->api->subscriber,
                                                   .len  = sizeof call->api->subscriber};
    }
    const struct api_ask ask = {.service   = &pb__runs__descriptor,
                                .method    = "Start",
                                .message   = &message,
                                .partition = run_start_partition(call, &message),
                                .then      = on_started};
    api_ask_scheduler(call, &ask);
}

void runs_start(struct api_call *call)
{
    start_run(call, call->body, json_invalid());
}

void runs_signal_with_start(struct api_call *call)
{
    start_run(call, json_get_text(call->body, "start"), json_get_text(call->body, "signal"));
}

/* --- get ---------------------------------------------------------------------------------------
 */

static void on_got(struct api_call *call, const struct rpc_answer *answer)
{
    const struct run_call *state = call->state;
    const Pb__RunView *run       = answer->message;
    if (state->wait_ms > 0 && !run_status_is_final(run->status)) {
        wait_for_end(call, run->id);
    } else {
        on_latest(call, answer);
    }
}

static const char *run_param(struct api_call *call)
{
    return api_text(call, call->params[0]);
}

void runs_get(struct api_call *call)
{
    struct run_call *state = run_call_new(call);
    if (!state) return;
    str view            = {};
    str explain         = {};
    state->is_explained = api_query(call, "explain", &explain) && str_is(explain, "true");
    if (api_query(call, "view", &view)) {
        state->is_basic = str_is(view, "basic");
        if (!state->is_basic && !str_is(view, "full")) {
            api_fail_with(call, "invalid_request", (str){}, "view: basic or full");
            return;
        }
    }
    ask_run(call, run_param(call), on_got);
}

void runs_result(struct api_call *call)
{
    struct run_call *state = run_call_new(call);
    if (!state) return;
    state->is_result = true;
    ask_run(call, run_param(call), on_got);
}

void runs_follow(struct api_call *call)
{
    api_park(call, followers_add);
}
