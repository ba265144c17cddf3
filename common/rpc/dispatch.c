/* From a received message to calls of handlers. Everything here comes from outside: what does not
 * fit is refused, per frame where the frames can be told apart. */
#include "base/assert.h"
#include "base/clock.h"
#include "rpc/server_internal.h"
#include "rpc/wire.h"

/* Why no frame of a batch is run; code STATUS_OK: they are. */
struct verdict {
    status code;
    const char *name;
    const char *detail;
    int64_t retry_after_ms;
    struct rpc_moved moved; /* with is_moved */
    bool is_moved;
};

static status refuse_call(struct error *reterr, status code, const struct method *method,
                          const char *why)
{
    return fail(reterr, code, "%s.%s: %s", method->service->name, method->contract->name, why);
}

static status check_method(const struct slot *slot, const struct method *method,
                           struct error *reterr)
{
    const struct batch *batch = slot->batch;
    enum rpc_class class      = batch->header.class;
    bool fits                 = class == method->contract->class ||
                (class == RPC_BULK && method->contract->class != RPC_LONG);
    if (!fits) {
        return refuse_call(reterr, STATUS_INVALID_ARGUMENT, method, "sent in another class");
    }
    if (*batch->caller && !(rpc_caller_kind(batch->caller) & method->contract->callers)) {
        return refuse_call(reterr, STATUS_PERMISSION_DENIED, method, "not for this service");
    }
    if (!method->handler) {
        return refuse_call(reterr, STATUS_UNIMPLEMENTED, method, "not implemented here");
    }
    return STATUS_OK;
}

static status read_metadata(struct slot *slot, bytes data, struct error *reterr)
{
    struct rpc_call *call = &slot->call;
    call->caller.service  = str_from(slot->batch->caller);
    str none              = {.ptr = ""};
    call->request_id = call->namespace = call->traceparent = call->moved_key = none;
    call->caller.key_id = call->caller.roles = none;
    call->deed                               = (struct rpc_deed){none, none, none, none};
    if (data.len == 0) return STATUS_OK;

    void *message;
    TRY(wire_unpack(&pb__call_metadata__descriptor, data, call->arena, &message, reterr));
    const Pb__CallMetadata *metadata = message;
    call->request_id                 = str_from(metadata->request_id);
    call->namespace                  = str_from(metadata->namespace_);
    call->traceparent                = str_from(metadata->traceparent);
    call->moved_key                  = str_from(metadata->moved_key);
    call->caller.key_id              = str_from(metadata->key_id);
    call->caller.roles               = str_from(metadata->roles);
    call->deed                       = (struct rpc_deed){.action   = str_from(metadata->action),
                                                         .resource = str_from(metadata->resource),
                                                         .address  = str_from(metadata->address),
                                                         .asked_as = str_from(metadata->asked_as)};
    return STATUS_OK;
}

static status read_call(struct slot *slot, const struct frame *frame, struct error *reterr)
{
    struct rpc_call *call       = &slot->call;
    const struct method *method = slot->method;
    void *request;
    TRY(read_metadata(slot, frame->metadata, reterr));
    TRY(wire_unpack(method->input, frame->body, call->arena, &request, reterr));
    void *response = arena_alloc(call->arena, method->output->sizeof_message);
    ASSERT(response); /* the limit of an arena is far above that of its message */
    protobuf_c_message_init(method->output, response);
    call->request  = request;
    call->response = response;
    call->context  = method->context;
    return STATUS_OK;
}

static bool recalled(struct slot *slot)
{
    const struct rpc_hooks *hooks = &slot->batch->server->hooks;
    if (!hooks->recall || slot->call.request_id.len == 0) return false;
    if (slot->method->contract->class != RPC_COMMIT) return false;

    struct rpc_kept_answer answer = {};
    if (!hooks->recall(&slot->call, &answer, hooks->context)) return false;
    slot_answer_kept(slot, &answer);
    return true;
}

static void run(struct slot *slot, int64_t *now_us)
{
    struct rpc_server *server = slot->batch->server;
    bool is_fast              = slot->method->contract->class == RPC_FAST;
    struct error error        = {};
    status code               = slot->method->handler->handle(&slot->call, &error);
    /* After an OK the call may be gone; the slot is there as long as the batch. */
    if (is_fast) {
        *now_us = clock_mono_us(); /* the next one begins when this one ends */
        if (*now_us - slot->started_us > SLOW_FAST_US) {
            atomic_fetch_add(&server->counters.slow_fast, 1);
        }
    }
    if (code != STATUS_OK) rpc_reply(&slot->call, code, &error);
}

static void dispatch_frame(struct slot *slot, const struct frame *frame, int64_t *now_us)
{
    struct batch *batch       = slot->batch;
    struct rpc_server *server = batch->server;
    struct error error        = {};
    slot->started_us          = *now_us;
    slot->request_size        = frame->body.len;
    slot->call.id             = atomic_fetch_add(&server->next_call_id, 1) + 1;
    slot->call.partition      = batch->header.partition;
    slot->call.deadline_ms    = slot->started_us / 1000 + (int64_t)frame->deadline_ms;
    slot->call.staged         = &batch->staged;
    slot->method              = methods_by_number(&server->methods, frame->method);
    if (!slot->method) {
        slot_refuse(slot, STATUS_UNIMPLEMENTED, "", "no such method here");
        return;
    }
    if (frame->deadline_ms == 0) {
        atomic_fetch_add(&server->counters.expired, 1);
        slot_refuse(slot, STATUS_DEADLINE_EXCEEDED, "", "deadline: over before the call was run");
        return;
    }
    slot->call.arena = arenas_take(&server->arenas);
    status code      = check_method(slot, slot->method, &error);
    if (code == STATUS_OK) code = read_call(slot, frame, &error);
    if (code != STATUS_OK) {
        if (code == STATUS_INVALID_ARGUMENT) atomic_fetch_add(&server->counters.refused, 1);
        slot_refuse(slot, code, "", error.text);
        return;
    }
    if (!recalled(slot)) run(slot, now_us);
}

/* What holds for the whole batch. */
static struct verdict judge(struct batch *batch)
{
    struct rpc_server *server     = batch->server;
    const struct rpc_hooks *hooks = &server->hooks;
    if (atomic_load(&server->is_draining)) {
        return (struct verdict){STATUS_UNAVAILABLE, "draining", "the service is stopping",
                                .retry_after_ms = 1'000};
    }
    if (batch->header.class == RPC_LONG && atomic_load(&server->counters.parked) > RPC_PARKED_MAX) {
        return (struct verdict){STATUS_RESOURCE_EXHAUSTED, "overloaded",
                                "too many calls are parked here", .retry_after_ms = 1'000};
    }
    if (hooks->owns) {
        struct rpc_moved owner = {.partition = batch->header.partition};
        bool is_ours           = hooks->owns(batch->header.partition, &owner, hooks->context);
        batch->header.epoch    = owner.epoch;
        if (!is_ours) return (struct verdict){.is_moved = true, .moved = owner};
    }
    return (struct verdict){.code = STATUS_OK};
}

/* How many frames the mailbox takes; what is over is refused one by one. */
static uint32_t room_for(const struct batch *batch)
{
    const struct rpc_hooks *hooks = &batch->server->hooks;
    bool is_commit = batch->header.class == RPC_COMMIT || batch->header.class == RPC_BULK;
    if (!hooks->window || !is_commit) return BATCH_FRAMES_MAX;
    return hooks->window(batch->header.partition, hooks->context);
}

static void apply_verdict(struct slot *slot, const struct verdict *verdict)
{
    if (verdict->is_moved) {
        slot->call.arena = arenas_take(&slot->batch->server->arenas);
        rpc_reply_moved(&slot->call, &verdict->moved);
        return;
    }
    Pb__CallError error  = PB__CALL_ERROR__INIT;
    error.code           = verdict->name;
    error.detail         = verdict->detail;
    error.retry_after_ms = (uint64_t)verdict->retry_after_ms;
    slot_answer(slot, (uint16_t)verdict->code, &error, NULL);
}

static const struct verdict full = {
    .code           = STATUS_RESOURCE_EXHAUSTED,
    .name           = "overloaded",
    .detail         = "the mailbox is full",
    .retry_after_ms = 100,
};

/* Whether handlers held up what came behind them. One who lost its CPU to others for a while, as on
 * a busy machine, did not: another thread would have been as late. */
static bool took_long(int64_t begun_us, int64_t begun_cpu_us)
{
    int64_t passed_us = clock_mono_us() - begun_us;
    if (passed_us <= RPC_THREADS_SLOW_US) return false;
    return passed_us > RPC_THREADS_STUCK_US ||
           clock_thread_cpu_us() - begun_cpu_us > RPC_THREADS_SLOW_US;
}

static void dispatch_frames(struct batch *batch, bytes data, const struct verdict *refusal)
{
    struct verdict verdict     = refusal ? *refusal : judge(batch);
    bool is_run                = verdict.code == STATUS_OK && !verdict.is_moved;
    uint32_t room              = is_run ? room_for(batch) : 0;
    int64_t now_us             = clock_mono_us();
    int64_t begun_us           = now_us;
    int64_t begun_cpu_us       = clock_thread_cpu_us();
    struct frame_reader reader = frame_reader_init(data, &batch->header);

    for (unsigned i = 0; i < batch->count; i++) {
        struct frame frame;
        status code = frame_next(&reader, &frame, NULL);
        ASSERT(code == STATUS_OK); /* checked before */
        struct slot *slot = &batch->slots[i];
        if (!is_run) {
            apply_verdict(slot, &verdict);
        } else if (i >= room) {
            apply_verdict(slot, &full);
        } else {
            dispatch_frame(slot, &frame, &now_us);
        }
    }
    const struct rpc_hooks *hooks = &batch->server->hooks;
    if (batch->staged && hooks->batch_end) {
        hooks->batch_end(batch->header.partition, batch->staged, hooks->context);
    }
    if (took_long(begun_us, begun_cpu_us)) rpc_threads_wake(batch->server->threads);
}

/* All lengths, before anything is run: a batch is handled as a whole or not at all. */
static status check_frames(bytes data, const struct batch_header *header, int64_t *ret_left_ms,
                           struct error *reterr)
{
    struct frame_reader reader = frame_reader_init(data, header);
    *ret_left_ms               = 0;
    while (reader.left > 0) {
        struct frame frame;
        TRY(frame_next(&reader, &frame, reterr));
        if (frame.deadline_ms > *ret_left_ms) *ret_left_ms = frame.deadline_ms;
    }
    return STATUS_OK;
}

static status authenticate(const struct listener *listener, bytes data,
                           const struct batch_header *header, str *ret_service,
                           struct error *reterr)
{
    struct rpc_server *server = listener->server;
    *ret_service              = (str){.ptr = ""};
    bool can_check            = identity_has_secret(server->identity);
    if (!listener->wants_token && (header->auth_size == 0 || !can_check)) return STATUS_OK;
    return token_check(server->guard, server->identity, data, header, clock_unix_us() / 1000,
                       ret_service, reterr);
}

bool dispatch(struct context *context, nng_msg *message)
{
    struct listener *listener = context->listener;
    struct rpc_server *server = listener->server;
    bytes data                = {nng_msg_body(message), nng_msg_len(message)};
    struct batch_header header;
    int64_t left_ms = 0;
    atomic_fetch_add(&server->counters.messages, 1);

    bool is_batch = batch_header_decode(data, &header, NULL) == STATUS_OK &&
                    (header.class == RPC_LONG) == listener->is_long &&
                    check_frames(data, &header, &left_ms, NULL) == STATUS_OK;
    if (!is_batch) {
        atomic_fetch_add(&server->counters.refused, 1);
        nng_msg_free(message);
        return false;
    }
    atomic_fetch_add(&server->counters.calls, header.count);

    struct error error = {};
    str service;
    status code         = authenticate(listener, data, &header, &service, &error);
    struct batch *batch = batch_new(context, &header);
    batch->deadline_ms  = clock_mono_ms() + left_ms;
    batch->pipe         = (uint32_t)nng_pipe_id(nng_msg_get_pipe(message));
    if (header.class == RPC_LONG) atomic_fetch_add(&server->counters.parked, 1);

    struct frame_reader reader = frame_reader_init(data, &header);
    for (unsigned i = 0; i < batch->count; i++) {
        struct frame frame;
        (void)frame_next(&reader, &frame, NULL); /* checked above */
        batch->slots[i].wire_id = frame.call_id; /* all of them, before one can be answered */
    }
    if (code == STATUS_OK) {
        ASSERT(service.len <= RPC_SERVICE_NAME_MAX);
        memcpy(batch->caller, service.ptr, service.len);
        dispatch_frames(batch, data, NULL);
    } else {
        atomic_fetch_add(&server->counters.unauthentic, 1);
        /* Without a name: what one service thinks of another is no problem of their users. */
        const struct verdict refusal = {.code = code, .name = "", .detail = error.text};
        dispatch_frames(batch, data, &refusal);
    }
    nng_msg_free(message); /* requests were copied into their arenas */
    batch_dispatched(batch);
    return true;
}
