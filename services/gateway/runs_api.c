/* Runs: start, get, result, follow. Commands to them: run_control_api.c. Lists: run_lists_api.c. */
#include "base/assert.h"
#include "base/clock.h"
#include "base/hash.h"
#include "base/id.h"
#include "base/money.h"
#include "base/random.h"
#include "gateway/followers.h"
#include "gateway/handlers.h"
#include "gateway/run_waits.h"
#include "gateway/view.h"
#include "json/json_text.h"

#include <stdio.h>

enum {
    LABELS_MAX    = 16,
    LOCATION_MAX  = 64,
    TEXT_MAX      = 1 << 20, /* bytes of an input or a signal */
    REFERENCE_MAX = 256,
};

/* A call that starts or reads a run and may wait for its end. */
struct run_call {
    int64_t wait_ms;
    int64_t until_ms; /* monotonic */
    bool is_basic;    /* view=basic */
    bool is_start;
    bool created;
    bool replayed;
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
    struct httpd_field fields[2];
    size_t count = 0;
    if (http_status == 201) {
        fields[count++] = (struct httpd_field){str_from("Location"), str_from(location)};
    }
    if (state && state->replayed) {
        fields[count++] = (struct httpd_field){str_from("Idempotent-Replayed"), str_from("true")};
    }
    api_answer_send_fields(&answer, http_status, fields, count);
}

/* --- result ------------------------------------------------------------------------------------
 */

static void send_not_yet(struct api_call *call)
{
    const struct httpd_field retry = {str_from("Retry-After"), str_from("1")};
    api_respond(call, 202, "application/json", str_from("{\"status\":\"running\"}"), &retry, 1);
}

static void send_failure(struct api_call *call, const Pb__RunView *run)
{
    str error = {.ptr = (const char *)run->error_json.data, .len = run->error_json.len};
    api_fail_run(call, error, "run %s is %s", run->id, run_status_name(run->status));
}

static void send_result(struct api_call *call, const Pb__RunView *run)
{
    if (!run_status_is_final(run->status)) {
        send_not_yet(call);
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

static void read_labels(struct api_call *call, Pb__StartRun *message)
{
    json labels = json_get_text(call->body, "labels");
    if (!json_is(labels, JSON_OBJECT) || json_count(labels) == 0) return;
    size_t count      = json_count(labels); /* the schema allows LABELS_MAX */
    Pb__Label *items  = arena_alloc(call->arena, count * sizeof *items);
    Pb__Label **array = arena_alloc(call->arena, count * sizeof *array);
    ASSERT(items && array && count <= LABELS_MAX);
    for (size_t i = 0; i < count; i++) {
        pb__label__init(&items[i]);
        items[i].key   = api_text(call, json_key_at(labels, i));
        items[i].value = api_text(call, json_str(json_value_at(labels, i)));
        array[i]       = &items[i];
    }
    message->labels   = array;
    message->n_labels = count;
}

static status read_money(json value, int64_t *ret_nanos, struct error *reterr)
{
    if (json_is(value, JSON_INVALID)) return STATUS_OK;
    CLEANUP(buf_done) struct buf text = buf_init(64);
    if (json_is(value, JSON_TEXT)) {
        (void)buf_put_str(&text, json_str(value));
    } else {
        (void)json_print_number(value, &text);
    }
    if (money_parse(buf_str(&text), ret_nanos)) return STATUS_OK;
    return fail(reterr, STATUS_INVALID_ARGUMENT,
                "/budget/usd: a decimal number with at most 9 digits after the point");
}

static status read_options(struct api_call *call, Pb__StartRun *message, struct error *reterr)
{
    int64_t priority = 0;
    if (json_to_int(json_get_text(call->body, "priority"), &priority)) {
        message->priority = (uint32_t)priority + 1;
    }
    const char *deadline = api_member(call, call->body, "deadline");
    if (*deadline && !time_parse(str_from(deadline), &message->deadline_us)) {
        return fail(reterr, STATUS_INVALID_ARGUMENT,
                    "/deadline: a time such as "
                    "2026-11-22T10:00:00Z");
    }
    json budget = json_get_text(call->body, "budget");
    (void)json_to_int(json_get_text(budget, "tokens"), &message->budget_tokens);
    TRY(read_money(json_get_text(budget, "usd"), &message->budget_usd_nanos, reterr));
    const char *conflict = api_member(call, call->body, "on_conflict");
    message->on_conflict = PB__ON_CONFLICT__ON_CONFLICT_REJECT;
    if (str_is(str_from(conflict), "return")) {
        message->on_conflict = PB__ON_CONFLICT__ON_CONFLICT_RETURN;
    } else if (str_is(str_from(conflict), "terminate")) {
        message->on_conflict = PB__ON_CONFLICT__ON_CONFLICT_TERMINATE;
    }
    return STATUS_OK;
}

/* The key is bound to the body as it was sent: another body under the same key is refused. */
static status read_idempotency(struct api_call *call, Pb__StartRun *message,
                               uint8_t digest[static SHA256_SIZE], struct error *reterr)
{
    str key = {};
    TRY(api_idempotency_key(call, &key, reterr));
    if (key.len == 0) return STATUS_OK;
    sha256(bytes_from(buf_str(&call->request->body)), digest);
    message->idempotency_key    = api_text(call, key);
    message->idempotency_digest = (ProtobufCBinaryData){.data = digest, .len = SHA256_SIZE};
    return STATUS_OK;
}

static uint16_t partition_of_start(struct api_call *call, const Pb__StartRun *message)
{
    const char *namespace = api_namespace(call);
    if (*message->client_id) return api_partition_of(call, str_from(message->client_id));
    if (*message->idempotency_key) {
        CLEANUP(buf_done) struct buf text = buf_init(REFERENCE_MAX * 2);
        (void)buf_printf(&text, "%s\x1f%s", call->identity.key_id, message->idempotency_key);
        return api_partition_of_text(call->api, str_from(namespace), buf_str(&text));
    }
    unsigned partitions = atomic_load(&call->api->partitions);
    if (partitions <= 1) return 0;
    return (uint16_t)(random_u64() % partitions);
}

static void on_started(struct api_call *call, const struct rpc_answer *answer)
{
    struct run_call *state       = call->state;
    const Pb__StartedRun *result = answer->message;
    state->created               = result->created;
    state->replayed              = result->replayed;
    bool is_over                 = run_status_is_final(result->run->status);
    if (state->wait_ms > 0 && !is_over) {
        wait_for_end(call, result->run->id);
    } else {
        bool is_found = !result->created && !result->replayed;
        send_run(call, result->run, is_found || (state->wait_ms > 0 && is_over) ? 200 : 201);
    }
}

void runs_start(struct api_call *call)
{
    struct run_call *state = run_call_new(call);
    if (!state) return;
    state->is_start = true;

    CLEANUP(buf_done) struct buf input = buf_init(TEXT_MAX);
    if (!api_print(call, json_get_text(call->body, "input"), &input)) return;

    Pb__StartRun message  = PB__START_RUN__INIT;
    const char *namespace = api_namespace(call);
    message.namespace_    = namespace;
    message.workflow      = api_member(call, call->body, "workflow");
    message.client_id     = api_member(call, call->body, "client_id");
    message.input_json    = (ProtobufCBinaryData){.data = (uint8_t *)input.ptr, .len = input.len};
    message.created_by    = call->identity.key_id;
    message.traceparent   = call->traceparent;
    if (state->wait_ms > 0) {
        message.subscriber = (ProtobufCBinaryData){.data = call->api->subscriber,
                                                   .len  = sizeof call->api->subscriber};
    }
    read_labels(call, &message);
    uint8_t digest[SHA256_SIZE];
    struct error error = {};
    status code        = read_options(call, &message, &error);
    if (code == STATUS_OK) code = read_idempotency(call, &message, digest, &error);
    if (code != STATUS_OK) {
        api_fail(call, code, &error);
        return;
    }
    const struct api_ask ask = {.service   = &pb__runs__descriptor,
                                .method    = "Start",
                                .message   = &message,
                                .partition = partition_of_start(call, &message),
                                .then      = on_started};
    api_ask_scheduler(call, &ask);
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
    str view = {};
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
