/* From a reply to callbacks. What was lost is repeated where that does no harm. */
#include "base/clock.h"
#include "rpc/client_internal.h"
#include "rpc/wire.h"

static void observe(const struct rpc_client *client, const struct call *call,
                    const struct rpc_answer *answer, size_t response_size)
{
    if (!client->observe) return;
    client->observe(
        &(struct rpc_observation){
            .service       = call->method->service->name,
            .method        = call->method->contract->name,
            .code          = answer->code,
            .duration_us   = clock_mono_us() - call->started_us,
            .traceparent   = {.ptr = ""},
            .request_size  = call->size,
            .response_size = response_size,
        },
        client->context);
}

/* Hands the answer over. Its arena is NULL afterwards if the callback kept it. */
static void call_complete(struct endpoint *endpoint, const struct call *call,
                          struct rpc_answer *answer, size_t response_size)
{
    struct rpc_client *client = endpoint->client;
    observe(client, call, answer, response_size);
    atomic_fetch_sub(&client->counters.open, 1);
    call->done(answer, call->context);
}

void call_fail(struct endpoint *endpoint, const struct call *call, status code, const char *name,
               const char *detail)
{
    struct arena *arena      = arenas_take(&endpoint->client->arenas);
    const char *service      = call->method->service->name;
    const char *method       = call->method->contract->name;
    const char *url          = endpoint->address.url;
    const char *text         = arena_printf(arena, "%s.%s at %s: %s", service, method, url, detail);
    struct rpc_answer answer = {
        .code       = code,
        .detail     = text ? text : "",
        .error_code = name,
        .arena      = arena,
    };
    struct rpc_client *client = endpoint->client;
    call_complete(endpoint, call, &answer, 0);
    arenas_give(&client->arenas, answer.arena);
    endpoint_release(endpoint);
}

/* The parts of a frame that lies in its batch. */
static void source_of(const struct outgoing *batch, const struct call *call,
                      struct frame_source *ret_source)
{
    const uint8_t *at    = (const uint8_t *)batch->frames.ptr + call->offset;
    size_t metadata_size = u16_from(at + 4);
    size_t skip          = FRAME_HEADER_SIZE + metadata_size;
    *ret_source          = (struct frame_source){
                 .metadata = {at + FRAME_HEADER_SIZE, metadata_size},
                 .body     = {at + skip, call->size - skip},
    };
}

/* Puts the call into a batch again, if possible not of `avoid` (may be NULL). False: that cannot
 * be; the call is still at `endpoint`. */
static bool resubmit(struct endpoint *endpoint, const struct call *call,
                     const struct frame_source *source, const struct endpoint *avoid)
{
    struct rpc_client *client = endpoint->client;
    int64_t now_ms            = clock_mono_ms();
    if (atomic_load(&client->is_closing) || call->deadline_ms <= now_ms) return false;
    struct endpoint *next = client_choose(client, call->partition, avoid);
    if (!next) return false;

    struct call again    = *call;
    again.connect_by_ms  = now_ms + CONNECT_WAIT_MS;
    again.is_held        = false;
    enum rpc_class class = call->method->contract->class;
    bool is_bulk = class != RPC_LONG && (call->is_alone || source->body.len > BULK_BODY_SIZE_MIN);
    struct lane_set *set = endpoint_set(next, is_bulk ? RPC_BULK : class, call->partition);
    bool is_added        = lane_set_add(set, &again, source, NULL) == STATUS_OK;
    endpoint_release(is_added ? endpoint : next); /* it is counted at one of them */
    endpoint_let_go(next);
    return is_added;
}

static bool repeat(struct endpoint *endpoint, const struct outgoing *batch, const struct call *call,
                   const struct endpoint *avoid)
{
    if (!call->is_repeatable || call->repeats_left == 0) return false;
    struct rpc_client *client = endpoint->client; /* the endpoint may be gone with its last call */
    struct call again         = *call;
    again.repeats_left--;
    struct frame_source source;
    source_of(batch, call, &source);
    /* Counted first: whoever reads the counters in `done` sees the repetition that led there. */
    atomic_fetch_add(&client->counters.repeated, 1);
    if (resubmit(endpoint, &again, &source, avoid)) return true;
    atomic_fetch_sub(&client->counters.repeated, 1);
    return false;
}

/* Sends the call to the new owner, with the key that came with the answer. */
static bool follow(struct endpoint *endpoint, const struct outgoing *batch, const struct call *call,
                   const Pb__Moved *moved, struct arena *arena)
{
    if (!moved || moved->partition >= RPC_PARTITIONS_MAX || call->moves_left == 0) return false;
    struct rpc_client *client = endpoint->client;
    client_moved(client, moved);

    struct frame_source source;
    source_of(batch, call, &source);
    struct call again = *call;
    again.partition   = (uint16_t)moved->partition;
    again.moves_left--;
    if (*moved->key) {
        void *message;
        if (wire_unpack(&pb__call_metadata__descriptor, source.metadata, arena, &message, NULL) !=
            STATUS_OK) {
            return false;
        }
        Pb__CallMetadata *metadata = message;
        metadata->moved_key        = moved->key;
        size_t size                = protobuf_c_message_get_packed_size(&metadata->base);
        uint8_t *packed            = arena_alloc(arena, size);
        if (!packed || size > FRAME_METADATA_MAX) return false;
        (void)protobuf_c_message_pack(&metadata->base, packed);
        source.metadata = (bytes){packed, size};
        again.size      = FRAME_HEADER_SIZE + size + source.body.len;
    }
    atomic_fetch_add(&client->counters.moved, 1); /* first, as in repeat() */
    if (resubmit(endpoint, &again, &source, NULL)) return true;
    atomic_fetch_sub(&client->counters.moved, 1);
    return false;
}

static void answer_ok(const struct call *call, const struct frame *frame, struct rpc_answer *answer)
{
    struct error error = {};
    void *message;
    answer->detail     = "";
    answer->error_code = "";
    answer->code = wire_unpack(call->method->output, frame->body, answer->arena, &message, &error);
    if (answer->code == STATUS_OK) {
        answer->message = message;
        return;
    }
    answer->code     = STATUS_INTERNAL; /* the server's fault, not the caller's */
    const char *text = arena_printf(answer->arena, "answer: %s", error.text);
    answer->detail   = text ? text : "answer: malformed";
}

static void answer_error(const struct frame *frame, const Pb__CallError *error,
                         struct rpc_answer *answer)
{
    /* A newer peer may know more statuses; MOVED that could not be followed is no owner. */
    answer->code       = frame->code < STATUS_COUNT        ? (status)frame->code
                         : frame->code == FRAME_CODE_MOVED ? STATUS_UNAVAILABLE
                                                           : STATUS_UNKNOWN;
    answer->error_code = error ? error->code : "";
    answer->detail     = error ? error->detail : "";
    if (frame->code == FRAME_CODE_MOVED) answer->error_code = "unavailable";
    if (!error) return;
    answer->retry_after_ms =
        error->retry_after_ms > INT64_MAX ? INT64_MAX : (int64_t)error->retry_after_ms;
    answer->details_json = (bytes){error->details_json.data, error->details_json.len};
}

/* `*arena` serves one frame after the other, until a callback keeps it. */
static void deliver_frame(struct endpoint *endpoint, const struct outgoing *batch,
                          const struct call *call, const struct frame *frame, struct arena **arena)
{
    if (!*arena) *arena = arenas_take(&endpoint->client->arenas);
    struct rpc_answer answer = {.arena       = *arena,
                                .is_replayed = (frame->flags & FRAME_FLAG_REPLAYED) != 0};
    if (frame->code == STATUS_OK) {
        answer_ok(call, frame, &answer);
        call_complete(endpoint, call, &answer, frame->body.len);
        *arena = answer.arena;
        endpoint_release(endpoint);
        return;
    }
    void *message        = NULL;
    bool is_readable     = wire_unpack(&pb__call_error__descriptor, frame->metadata, answer.arena,
                                       &message, NULL) == STATUS_OK;
    Pb__CallError *error = is_readable ? message : NULL;
    bool is_followed     = frame->code == FRAME_CODE_MOVED && error &&
                       follow(endpoint, batch, call, error->moved, answer.arena);
    if (!is_followed && (frame->flags & FRAME_FLAG_ALONE) && !call->is_alone) {
        struct call alone = *call;
        alone.is_alone    = true;
        is_followed       = repeat(endpoint, batch, &alone, NULL);
    }
    if (is_followed) return;
    answer_error(frame, error, &answer);
    call_complete(endpoint, call, &answer, 0);
    *arena = answer.arena;
    endpoint_release(endpoint);
}

static void deliver_reply(struct lane_set *set, struct outgoing *batch, bytes data)
{
    struct batch_header header;
    if (batch_header_decode(data, &header, NULL) != STATUS_OK) return;
    struct arenas *arenas      = &set->endpoint->client->arenas;
    struct arena *arena        = NULL;
    struct frame_reader reader = frame_reader_init(data, &header);
    struct frame frame;
    while (reader.left > 0 && frame_next(&reader, &frame, NULL) == STATUS_OK) {
        uint64_t index = frame.call_id - batch->first_wire_id;
        if (index >= batch->count || !batch->calls[index].done) continue; /* late */
        struct call call         = batch->calls[index];
        batch->calls[index].done = NULL;
        if (arena) arena_clear(arena);
        deliver_frame(set->endpoint, batch, &call, &frame, &arena);
    }
    arenas_give(arenas, arena);
}

static void deliver_loss(struct lane_set *set, struct outgoing *batch, const struct call *call,
                         int error)
{
    struct endpoint *endpoint = set->endpoint;
    if (atomic_load(&endpoint->client->is_closing)) {
        call_fail(endpoint, call, STATUS_CANCELLED, "", "the client was closed");
    } else if (error == 0) {
        call_fail(endpoint, call, STATUS_INTERNAL, "", "the reply has no answer to it");
    } else if (error == NNG_ETIMEDOUT) {
        call_fail(endpoint, call, STATUS_DEADLINE_EXCEEDED, "", "no answer before the deadline");
    } else if (!repeat(endpoint, batch, call, endpoint)) {
        call_fail(endpoint, call, STATUS_UNAVAILABLE, RPC_ANSWER_LOST, "connection lost");
    }
}

void deliver(struct lane_set *set, struct outgoing *batch, nng_msg *reply, int error)
{
    if (reply) {
        deliver_reply(set, batch, (bytes){nng_msg_body(reply), nng_msg_len(reply)});
        nng_msg_free(reply);
    }
    for (unsigned i = 0; i < batch->count; i++) {
        struct call call = batch->calls[i];
        if (!call.done) continue;
        batch->calls[i].done = NULL;
        deliver_loss(set, batch, &call, error);
    }
}

void deliver_elsewhere(struct lane_set *set, struct outgoing *batch)
{
    struct endpoint *endpoint = set->endpoint;
    for (unsigned i = 0; i < batch->count; i++) {
        struct call call = batch->calls[i];
        if (!call.done) continue;
        struct frame_source source;
        source_of(batch, &call, &source);
        if (!resubmit(endpoint, &call, &source, endpoint)) {
            call_fail(endpoint, &call, STATUS_UNAVAILABLE, RPC_NOT_SENT, "not connected");
        }
    }
}
