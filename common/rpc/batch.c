/* A received batch: collects the answers of its calls, and sends them when the last is there. */
#include "base/assert.h"
#include "base/clock.h"
#include "base/mem.h"
#include "rpc/server_internal.h"
#include "rpc/wire.h"

#include <stdlib.h>

enum { REPLY_FRAME_GUESS = 160 /* bytes: room that most answers need */ };

struct batch *batch_new(struct context *context, const struct batch_header *header)
{
    size_t size         = sizeof(struct batch) + header->count * sizeof(struct slot);
    struct batch *batch = mem_new(1, size);
    batch->server       = context->listener->server;
    batch->context      = context;
    batch->header       = *header;
    batch->count        = header->count;
    batch->unanswered   = header->count + 1U; /* the dispatcher's */
    (void)pthread_mutex_init(&batch->mutex, NULL);
    atomic_init(&batch->references, header->count + 1U);
    for (unsigned i = 0; i < batch->count; i++) {
        batch->slots[i].batch = batch;
        atomic_init(&batch->slots[i].references, 1);
    }
    int error = nng_msg_alloc(&batch->reply, 0);
    if (error == 0) {
        error = nng_msg_reserve(batch->reply, BATCH_HEADER_SIZE + batch->count * REPLY_FRAME_GUESS);
    }
    ASSERT(error == 0 && "out of memory");
    void *room = message_extend(batch->reply, BATCH_HEADER_SIZE, SOCKET_RECEIVE_MAX);
    ASSERT(room);
    atomic_fetch_add(&batch->server->references, 1);
    atomic_fetch_add(&batch->server->counters.open, batch->count);
    return batch;
}

void batch_ref(struct batch *batch)
{
    atomic_fetch_add(&batch->references, 1);
}

void batch_unref(struct batch *batch)
{
    if (atomic_fetch_sub(&batch->references, 1) != 1) return;
    struct rpc_server *server = batch->server;
    nng_msg_free(batch->reply); /* NULL once it was sent */
    (void)pthread_mutex_destroy(&batch->mutex);
    free(batch);
    server_unref(server);
}

void slot_unref(struct slot *slot)
{
    if (atomic_fetch_sub(&slot->references, 1) != 1) return;
    arenas_give(&slot->batch->server->arenas, slot->call.arena);
    slot->call.arena = NULL;
    batch_unref(slot->batch);
}

/* How many frames the client may send next. */
static uint16_t window_now(const struct batch *batch)
{
    const struct rpc_hooks *hooks = &batch->server->hooks;
    if (!hooks->window || batch->header.class == RPC_FAST) return BATCH_FRAMES_MAX;
    uint32_t room = hooks->window(batch->header.partition, hooks->context);
    return (uint16_t)(room < BATCH_FRAMES_MAX ? room : BATCH_FRAMES_MAX);
}

/* Only the one who set is_sent comes here, without the mutex. */
static void send(struct batch *batch)
{
    struct rpc_server *server  = batch->server;
    struct context *context    = batch->context;
    nng_msg *reply             = TAKE(batch->reply);
    struct batch_header header = batch->header;
    batch->context             = NULL;

    open_calls_remove(batch);
    if (header.class == RPC_LONG) atomic_fetch_sub(&server->counters.parked, 1);
    header.window    = window_now(batch);
    header.auth_size = 0;
    batch_header_encode(&header, nng_msg_body(reply));
    reply_leave(context, reply, batch->count);
}

static size_t packed_size(const ProtobufCMessage *message)
{
    return message ? protobuf_c_message_get_packed_size(message) : 0;
}

/* Under the mutex. False: it does not fit beside the others. */
static bool append(struct batch *batch, uint64_t wire_id, uint16_t code, uint16_t flags,
                   const ProtobufCMessage *metadata, bytes body)
{
    size_t metadata_size = packed_size(metadata);
    size_t size          = FRAME_HEADER_SIZE + metadata_size + body.len;
    uint8_t *at          = message_extend(batch->reply, size, RPC_MESSAGE_SIZE_MAX);
    if (!at) return false;

    frame_header_encode(
        &(struct frame){
            .code     = code,
            .flags    = flags,
            .call_id  = wire_id,
            .metadata = {NULL, metadata_size},
            .body     = body,
        },
        at);
    at += FRAME_HEADER_SIZE;
    if (metadata) at += protobuf_c_message_pack(metadata, at);
    if (body.len > 0) memcpy(at, body.ptr, body.len);
    return true;
}

static bool append_kept(struct batch *batch, uint64_t wire_id, uint16_t flags,
                        const struct rpc_kept_answer *answer)
{
    size_t size = FRAME_HEADER_SIZE + answer->metadata.len + answer->body.len;
    uint8_t *at = message_extend(batch->reply, size, RPC_MESSAGE_SIZE_MAX);
    if (!at) return false;
    frame_header_encode(
        &(struct frame){
            .code     = (uint16_t)answer->code,
            .flags    = flags,
            .call_id  = wire_id,
            .metadata = answer->metadata,
            .body     = answer->body,
        },
        at);
    at += FRAME_HEADER_SIZE;
    if (answer->metadata.len > 0) memcpy(at, answer->metadata.ptr, answer->metadata.len);
    at += answer->metadata.len;
    if (answer->body.len > 0) memcpy(at, answer->body.ptr, answer->body.len);
    return true;
}

/* What takes the place of an answer that is too large. */
static void append_too_large(struct batch *batch, uint64_t wire_id)
{
    bool is_alone       = batch->count == 1;
    Pb__CallError error = PB__CALL_ERROR__INIT;
    error.code          = is_alone ? "" : "overloaded";
    error.detail        = is_alone ? "answer: over 18 MiB" : "answer: too large beside others";
    uint16_t flags      = is_alone ? 0 : FRAME_FLAG_ALONE;
    /* Answers stop at 18 MiB and receivers at 20, so 1,024 of these find room in between. */
    size_t size = protobuf_c_message_get_packed_size(&error.base);
    uint8_t *at = message_extend(batch->reply, FRAME_HEADER_SIZE + size, SOCKET_RECEIVE_MAX);
    ASSERT(at);
    frame_header_encode(
        &(struct frame){
            .code     = STATUS_RESOURCE_EXHAUSTED,
            .flags    = flags,
            .call_id  = wire_id,
            .metadata = {NULL, size},
        },
        at);
    (void)protobuf_c_message_pack(&error.base, at + FRAME_HEADER_SIZE);
}

static void observe(const struct slot *slot, uint16_t code, size_t body_size)
{
    const struct rpc_hooks *hooks = &slot->batch->server->hooks;
    if (!hooks->observe || !slot->method) return;
    hooks->observe(
        &(struct rpc_observation){
            .service       = slot->method->service->name,
            .method        = slot->method->contract->name,
            .code          = code < STATUS_COUNT ? (status)code : STATUS_UNAVAILABLE,
            .duration_us   = clock_mono_us() - slot->started_us,
            .traceparent   = slot->call.traceparent,
            .request_size  = slot->request_size,
            .response_size = body_size,
        },
        hooks->context);
}

/* Ends the slot: notes that it is answered, sends if it was the last. */
static void finish(struct slot *slot, bool is_last)
{
    if (is_last) send(slot->batch);
    slot_unref(slot);
}

static void answer_with(struct slot *slot, uint16_t code, const Pb__CallError *error,
                        const ProtobufCMessage *message, const struct rpc_kept_answer *kept)
{
    struct wire_body body;
    struct batch *batch = slot->batch;
    bool is_last        = false;
    bool fits           = true;
    uint16_t flags      = slot->call.is_replayed ? FRAME_FLAG_REPLAYED : 0;
    wire_body_begin(&body, kept ? NULL : message);
    (void)pthread_mutex_lock(&batch->mutex);
    ASSERT(!slot->is_answered); /* one reply per call */
    slot->is_answered = true;
    if (!batch->is_sent) {
        const ProtobufCMessage *metadata = error ? &error->base : NULL;
        if (kept) {
            fits = append_kept(batch, slot->wire_id, flags, kept);
        } else {
            fits = append(batch, slot->wire_id, code, flags, metadata, body.packed);
        }
        if (!fits) append_too_large(batch, slot->wire_id);
        is_last        = --batch->unanswered == 0;
        batch->is_sent = is_last;
    }
    (void)pthread_mutex_unlock(&batch->mutex);
    observe(slot, kept ? (uint16_t)kept->code : code, kept ? kept->body.len : body.packed.len);
    wire_body_done(&body);
    finish(slot, is_last);
}

/* Packs the answer once, for the hook and for the wire. False: there is nobody to remember it. */
static bool answer_remembered(struct slot *slot, uint16_t code, const Pb__CallError *error,
                              const ProtobufCMessage *message)
{
    struct wire_body body;
    const struct rpc_hooks *hooks = &slot->batch->server->hooks;
    if (!hooks->remember || !slot->method || slot->method->contract->class != RPC_COMMIT) {
        return false;
    }
    if (slot->call.request_id.len == 0 || code == FRAME_CODE_MOVED) return false;

    size_t metadata_size = packed_size(error ? &error->base : NULL);
    wire_body_begin(&body, message);
    uint8_t *metadata = arena_alloc(slot->call.arena, metadata_size);
    if (metadata && error) (void)protobuf_c_message_pack(&error->base, metadata);
    const struct rpc_kept_answer kept = {
        .code     = code,
        .metadata = {metadata, metadata_size},
        .body     = body.packed,
    };
    if (metadata) {
        hooks->remember(&slot->call, &kept, hooks->context);
        answer_with(slot, code, NULL, NULL, &kept);
    }
    wire_body_done(&body);
    return metadata != NULL;
}

void slot_answer(struct slot *slot, uint16_t code, const Pb__CallError *error,
                 const ProtobufCMessage *body)
{
    if (answer_remembered(slot, code, error, body)) return;
    answer_with(slot, code, error, body, NULL);
}

void slot_answer_kept(struct slot *slot, const struct rpc_kept_answer *answer)
{
    slot->call.is_replayed = true;
    answer_with(slot, (uint16_t)answer->code, NULL, NULL, answer);
}

void slot_refuse(struct slot *slot, status code, const char *name, const char *detail)
{
    Pb__CallError error = PB__CALL_ERROR__INIT;
    error.code          = name;
    error.detail        = detail;
    answer_with(slot, (uint16_t)code, &error, NULL, NULL);
}

void batch_dispatched(struct batch *batch)
{
    (void)pthread_mutex_lock(&batch->mutex);
    bool is_open = batch->unanswered > 1;
    (void)pthread_mutex_unlock(&batch->mutex);
    /* Before the dispatcher lets go: what is listed cannot have been sent. */
    if (is_open) {
        bool is_long    = batch->header.class == RPC_LONG;
        bool is_awaited = open_calls_add(batch);
        /* Who looked for what to cancel before it was listed did not see it. */
        bool is_late = is_long && atomic_load(&batch->server->is_draining);
        if (!is_awaited || is_late) batch_cancel(batch);
    }

    bool is_last = false;
    (void)pthread_mutex_lock(&batch->mutex);
    if (!batch->is_sent) {
        is_last        = --batch->unanswered == 0;
        batch->is_sent = is_last;
    }
    (void)pthread_mutex_unlock(&batch->mutex);
    if (is_last) send(batch);
    batch_unref(batch);
}

/* Says whether the slot's handler is still at it; if so it stays readable until slot_unref(). */
static bool slot_hold(struct slot *slot)
{
    (void)pthread_mutex_lock(&slot->batch->mutex);
    bool is_open = !slot->is_answered;
    if (is_open) atomic_fetch_add(&slot->references, 1);
    (void)pthread_mutex_unlock(&slot->batch->mutex);
    return is_open;
}

void batch_cancel(struct batch *batch)
{
    for (unsigned i = 0; i < batch->count; i++) {
        struct slot *slot = &batch->slots[i];
        if (!slot_hold(slot)) continue;
        bool was_cancelled = atomic_exchange(&slot->is_cancelled, true);
        if (!was_cancelled) {
            atomic_fetch_add(&batch->server->counters.cancelled, 1);
            const struct rpc_method *handler = slot->method ? slot->method->handler : NULL;
            if (handler && handler->cancel) handler->cancel(&slot->call);
        }
        slot_unref(slot);
    }
}

void batch_give_up(struct batch *batch, status code, const char *name, const char *detail)
{
    Pb__CallError error = PB__CALL_ERROR__INIT;
    error.code          = name;
    error.detail        = detail;
    (void)pthread_mutex_lock(&batch->mutex);
    bool is_ours = !batch->is_sent;
    for (unsigned i = 0; is_ours && i < batch->count; i++) {
        struct slot *slot = &batch->slots[i];
        if (slot->is_answered) continue;
        if (!append(batch, slot->wire_id, (uint16_t)code, 0, &error.base, (bytes){})) {
            append_too_large(batch, slot->wire_id);
        }
        if (code == STATUS_DEADLINE_EXCEEDED) {
            atomic_fetch_add(&batch->server->counters.expired, 1);
        }
    }
    batch->is_sent = true;
    (void)pthread_mutex_unlock(&batch->mutex);
    if (!is_ours) return;
    send(batch);
    batch_cancel(batch);
}

/* --- the public side -------------------------------------------------------------------------- */

void rpc_reply(struct rpc_call *call, status code, const struct error *error)
{
    struct slot *slot = slot_of(call);
    if (code == STATUS_OK) {
        slot_answer(slot, STATUS_OK, NULL, call->response);
        return;
    }
    Pb__CallError detail  = PB__CALL_ERROR__INIT;
    detail.code           = error && error->code ? error->code : "";
    detail.detail         = error ? error->text : "";
    detail.retry_after_ms = call->retry_after_ms > 0 ? (uint64_t)call->retry_after_ms : 0;
    if (call->details_json.len > 0 && call->details_json.len < FRAME_METADATA_MAX / 2) {
        detail.details_json.len  = call->details_json.len;
        detail.details_json.data = (uint8_t *)(uintptr_t)call->details_json.ptr; /* only read */
    }
    slot_answer(slot, (uint16_t)code, &detail, NULL);
}

void rpc_reply_moved(struct rpc_call *call, const struct rpc_moved *moved)
{
    Pb__Moved place  = PB__MOVED__INIT;
    place.partition  = moved->partition;
    place.epoch      = moved->epoch;
    const char *text = arena_strdup(call->arena, moved->owner);
    place.owner      = text ? text : "";
    text             = arena_strdup(call->arena, moved->key);
    place.key        = text ? text : "";

    Pb__CallError error = PB__CALL_ERROR__INIT;
    error.moved         = &place;
    slot_answer(slot_of(call), FRAME_CODE_MOVED, &error, NULL);
}
