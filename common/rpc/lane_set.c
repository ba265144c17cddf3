/*
 * A set of lanes: calls of one class for one endpoint (and partition). What is called while all
 * lanes are under way is packed into the next batch, and leaves with the first lane that comes
 * back.
 */
#include "base/assert.h"
#include "base/clock.h"
#include "base/mem.h"
#include "base/random.h"
#include "rpc/client_internal.h"

#include <stdlib.h>

enum { CALLS_FIRST = 16, FRAMES_SIZE_MAX = SOCKET_RECEIVE_MAX /* bytes */ };

/* --- batches ---------------------------------------------------------------------------------- */

void outgoing_free(struct outgoing *batch)
{
    if (!batch) return;
    buf_done(&batch->frames);
    free(batch->calls);
    free(batch);
}

static struct outgoing *outgoing_new(struct lane_set *set, uint16_t partition)
{
    struct outgoing *batch = set->spare;
    if (batch) {
        set->spare = batch->next;
        set->spare_count--;
    } else {
        batch           = mem_new(1, sizeof *batch);
        batch->frames   = buf_init(FRAMES_SIZE_MAX);
        batch->capacity = set->frames_max == 1 ? 1 : CALLS_FIRST;
        batch->calls    = mem_new(batch->capacity, sizeof *batch->calls);
    }
    batch->next          = NULL;
    batch->count         = 0;
    batch->unanswered    = 0;
    batch->latest_ms     = 0;
    batch->first_wire_id = set->next_wire_id;
    batch->partition     = partition;
    return batch;
}

void lane_set_recycle(struct lane_set *set, struct outgoing *batch)
{
    if (set->spare_count == SPARE_BATCHES || batch->frames.capacity > 2 * BATCH_SIZE_MAX) {
        outgoing_free(batch);
        return;
    }
    buf_clear(&batch->frames);
    batch->next = set->spare;
    set->spare  = batch;
    set->spare_count++;
}

struct outgoing *lane_set_pop(struct lane_set *set)
{
    struct outgoing *batch = set->first;
    if (!batch) return NULL;
    set->first = batch->next;
    if (!set->first) set->last = NULL;
    batch->next = NULL;
    set->waiting_calls -= batch->count;
    set->waiting_size -= batch->frames.len;
    return batch;
}

static bool has_room(const struct lane_set *set, const struct outgoing *batch, uint16_t partition,
                     size_t size)
{
    unsigned frames_max = set->frames_max < set->window ? set->frames_max : set->window;
    return batch && batch->partition == partition && batch->count < frames_max &&
           batch->frames.len + size <= BATCH_SIZE_MAX;
}

/* The batch that the next call goes into. */
static struct outgoing *tail_for(struct lane_set *set, uint16_t partition, size_t size)
{
    if (has_room(set, set->last, partition, size)) return set->last;
    struct outgoing *batch = outgoing_new(set, partition);
    if (set->last) {
        set->last->next = batch;
    } else {
        set->first = batch;
    }
    set->last = batch;
    return batch;
}

static void write_frame(struct outgoing *batch, const struct frame_source *source,
                        const struct call *call, uint64_t wire_id)
{
    size_t size = FRAME_HEADER_SIZE + source->metadata.len + source->body.len;
    uint8_t *at = (uint8_t *)buf_reserve(&batch->frames, size);
    ASSERT(at); /* sizes were checked against a limit far below */
    frame_header_encode(
        &(struct frame){
            .method   = call->method->number,
            .call_id  = wire_id,
            .metadata = source->metadata,
            .body     = source->body,
        },
        at);
    at += FRAME_HEADER_SIZE;
    if (source->metadata.len > 0) memcpy(at, source->metadata.ptr, source->metadata.len);
    at += source->metadata.len;
    if (source->body.len > 0) memcpy(at, source->body.ptr, source->body.len);
    buf_commit(&batch->frames, size);
}

static void append_call(struct lane_set *set, const struct call *call,
                        const struct frame_source *source)
{
    size_t size            = FRAME_HEADER_SIZE + source->metadata.len + source->body.len;
    struct outgoing *batch = tail_for(set, call->partition, size);
    if (batch->count == batch->capacity) {
        batch->capacity *= 2;
        batch->calls = mem_resize(batch->calls, batch->capacity, sizeof *batch->calls);
    }
    struct call *added = &batch->calls[batch->count];
    *added             = *call;
    added->offset      = batch->frames.len;
    added->size        = size;
    write_frame(batch, source, call, set->next_wire_id);
    set->next_wire_id++;
    batch->count++;
    batch->unanswered++;
    set->waiting_calls++;
    set->waiting_size += size;

    if (call->deadline_ms > batch->latest_ms) batch->latest_ms = call->deadline_ms;
    int64_t next_ms = call->deadline_ms;
    if (!link_is_up(set->link) && call->connect_by_ms < next_ms) next_ms = call->connect_by_ms;
    if (next_ms < set->earliest_ms) set->earliest_ms = next_ms;
}

/* --- lanes ------------------------------------------------------------------------------------ */

static void on_lane(void *argument);

static struct lane *lane_new(struct lane_set *set)
{
    struct lane *lane = mem_new(1, sizeof *lane);
    lane->set         = set;
    if (nng_ctx_open(&lane->ctx, set->link->socket) != 0) {
        free(lane);
        return NULL;
    }
    if (nng_aio_alloc(&lane->aio, on_lane, lane) != 0) {
        (void)nng_ctx_close(lane->ctx);
        free(lane);
        return NULL;
    }
    lane->next = set->lanes;
    set->lanes = lane;
    set->lane_count++;
    return lane;
}

/* What waits is worth a message pair of its own beside the fast calls that are under way: as many,
 * or half as many once there are many, so that two messages travel and either side works on one. */
static bool is_enough(const struct lane_set *set)
{
    bool is_half = 2 * set->waiting_calls >= set->under_way;
    return set->waiting_calls >= set->under_way ||
           (is_half && set->waiting_calls >= GATHER_PAIR_MIN);
}

/*
 * Under the mutex: says whether what waits may go beside what is under way. Commits may: a batch
 * travels while the one before it syncs. Fast calls are answered at once, so a message pair costs
 * more than they do, and they wait for the lane to come back unless they are enough for one of
 * their own. A lane that stays away longer than a fast call may take holds nobody up.
 */
static bool may_leave(struct lane_set *set, int64_t now_ms)
{
    if (set->class != RPC_FAST || set->first != set->last || is_enough(set)) return true;
    if (set->gather_until_ms == 0) {
        set->gather_until_ms = now_ms + GATHER_MS_MAX;
        if (set->gather_until_ms < set->earliest_ms) set->earliest_ms = set->gather_until_ms;
    }
    return now_ms >= set->gather_until_ms;
}

/* Under the mutex: gives the first waiting batch to a lane that is free, or returns NULL. Follow
 * with lane_send(), without the mutex: it leaves the gate. */
static struct lane *lane_start(struct lane_set *set, int64_t now_ms)
{
    if (!set->first || set->is_closed || !link_is_up(set->link)) return NULL;
    if (!may_leave(set, now_ms)) return NULL;
    if (!gate_enter(&set->link->gate)) return NULL;
    struct lane *lane = set->idle;
    if (lane) {
        set->idle = lane->next_idle;
    } else if (set->lane_count < set->lanes_max) {
        lane = lane_new(set);
    }
    if (!lane) {
        gate_leave(&set->link->gate);
        return NULL;
    }
    lane->state = LANE_SENDING;
    lane->batch = lane_set_pop(set);
    set->under_way += lane->batch->count;
    set->gather_until_ms = 0;
    return lane;
}

/* The message of a batch: header, token, frames with what is left of their deadlines. */
static nng_msg *lane_pack(const struct lane *lane, int64_t now_ms)
{
    const struct lane_set *set   = lane->set;
    struct rpc_client *client    = set->endpoint->client;
    const struct outgoing *batch = lane->batch;
    bool is_local                = set->endpoint->address.is_local;
    size_t auth_size             = is_local ? 0 : token_size(client->identity);
    size_t skip                  = BATCH_HEADER_SIZE + auth_size;
    nng_msg *message             = NULL;
    int error                    = nng_msg_alloc(&message, skip + batch->frames.len);
    ASSERT(error == 0 && "out of memory");

    uint8_t *start  = nng_msg_body(message);
    uint8_t *frames = start + skip;
    memcpy(frames, batch->frames.ptr, batch->frames.len);
    for (unsigned i = 0; i < batch->count; i++) {
        int64_t left_ms = batch->calls[i].deadline_ms - now_ms;
        uint32_t field  = left_ms <= 0 ? 0 : left_ms > INT32_MAX ? INT32_MAX : (uint32_t)left_ms;
        uint8_t *at     = frames + batch->calls[i].offset + FRAME_DEADLINE_OFFSET;
        for (unsigned j = 0; j < 4; j++) at[j] = (uint8_t)(field >> (24 - 8 * j));
    }
    batch_header_encode(
        &(struct batch_header){
            .class     = set->class,
            .count     = (uint16_t)batch->count,
            .sender    = client->sender,
            .partition = batch->partition,
            .auth_size = (uint16_t)auth_size,
        },
        start);
    if (auth_size > 0) {
        uint64_t sequence = atomic_fetch_add(&client->next_sequence, 1) + 1;
        token_write(client->identity, start, (bytes){frames, batch->frames.len}, sequence,
                    clock_unix_us() / 1000, start + BATCH_HEADER_SIZE);
    }
    return message;
}

/* Only the one who started the lane comes here; the batch is its own until the lane is over. */
static void lane_send(struct lane *lane)
{
    int64_t now_ms   = clock_mono_ms();
    nng_msg *message = lane_pack(lane, now_ms);
    atomic_fetch_add(&lane->set->endpoint->client->counters.messages, 1);
    int64_t left_ms = lane->batch->latest_ms - now_ms + LANE_SLACK_MS;
    nng_aio_set_timeout(lane->aio, (nng_duration)(left_ms < LANE_SLACK_MS ? LANE_SLACK_MS
                                                  : left_ms > INT32_MAX   ? INT32_MAX
                                                                          : left_ms));
    nng_aio_set_msg(lane->aio, message);
    nng_ctx_send(lane->ctx, lane->aio);
    /* Lost just now: lane_set_lost() may have come before there was anything to cancel. */
    if (!link_is_up(lane->set->link)) nng_aio_cancel(lane->aio);
    gate_leave(&lane->set->link->gate);
}

/* The lane has carried its batch. It stays busy while the answers are delivered, so that the calls
 * which the callbacks make leave together and not the first of them alone. */
static void lane_over(struct lane *lane, nng_msg *reply, int error)
{
    struct lane_set *set = lane->set;
    struct batch_header header;
    bytes data      = {reply ? nng_msg_body(reply) : NULL, reply ? nng_msg_len(reply) : 0};
    bool has_header = reply && batch_header_decode(data, &header, NULL) == STATUS_OK;

    (void)pthread_mutex_lock(&set->mutex);
    struct outgoing *batch = TAKE(lane->batch);
    lane->state            = LANE_IDLE;
    if (has_header) set->window = header.window > 0 ? header.window : 1; /* one asks again */
    (void)pthread_mutex_unlock(&set->mutex);

    deliver(set, batch, reply, error);

    (void)pthread_mutex_lock(&set->mutex);
    set->under_way -= batch->count;
    lane_set_recycle(set, batch);
    lane->next_idle   = set->idle;
    set->idle         = lane;
    struct lane *next = lane_start(set, clock_mono_ms());
    int64_t wake_ms   = set->earliest_ms;
    (void)pthread_mutex_unlock(&set->mutex);
    if (next) lane_send(next);
    client_clock_wake(set->endpoint->client, wake_ms);
}

static void on_lane(void *argument)
{
    struct lane *lane    = argument;
    struct lane_set *set = lane->set;
    int error            = nng_aio_result(lane->aio);

    (void)pthread_mutex_lock(&set->mutex);
    bool was_sending = lane->state == LANE_SENDING;
    bool goes_on     = was_sending && !error && gate_enter(&set->link->gate);
    if (goes_on) lane->state = LANE_RECEIVING;
    (void)pthread_mutex_unlock(&set->mutex);

    if (goes_on) {
        /* Only now: a receive that is posted before the send is through crashes when it times out
         * (nanomsg/nng issue 1702). */
        nng_ctx_recv(lane->ctx, lane->aio);
        gate_leave(&set->link->gate);
        return;
    }
    if (was_sending && !error) error = NNG_ECLOSED;
    nng_msg *message = NULL;
    if (was_sending || !error) {
        message = nng_aio_get_msg(lane->aio);
        nng_aio_set_msg(lane->aio, NULL);
    }
    if (error) {
        nng_msg_free(message); /* what could not be sent is ours again */
        message = NULL;
    }
    lane_over(lane, message, error);
}

/* --- the set ---------------------------------------------------------------------------------- */

void lane_set_flush(struct lane_set *set)
{
    for (;;) {
        (void)pthread_mutex_lock(&set->mutex);
        struct lane *lane = lane_start(set, clock_mono_ms());
        int64_t wake_ms   = set->earliest_ms;
        (void)pthread_mutex_unlock(&set->mutex);
        client_clock_wake(set->endpoint->client, wake_ms);
        if (!lane) return;
        lane_send(lane);
    }
}

static status check_room(const struct lane_set *set, size_t size, struct error *reterr)
{
    if (set->is_closed) {
        return fail(reterr, STATUS_UNAVAILABLE, "%s: closed", set->endpoint->address.url);
    }
    if (set->waiting_calls == 0) return STATUS_OK; /* one alone may be larger than the limit */
    if (set->waiting_calls >= RPC_WAITING_CALLS_MAX ||
        set->waiting_size + size > RPC_WAITING_SIZE_MAX) {
        return fail_code(reterr, STATUS_RESOURCE_EXHAUSTED, "overloaded",
                         "%s: %u calls with %zu bytes wait already", set->endpoint->address.url,
                         set->waiting_calls, set->waiting_size);
    }
    return STATUS_OK;
}

status lane_set_add(struct lane_set *set, const struct call *call,
                    const struct frame_source *source, struct error *reterr)
{
    size_t size = FRAME_HEADER_SIZE + source->metadata.len + source->body.len;
    (void)pthread_mutex_lock(&set->mutex);
    status code = check_room(set, size, reterr);
    if (code != STATUS_OK) {
        (void)pthread_mutex_unlock(&set->mutex);
        return code;
    }
    append_call(set, call, source);
    /* What is full gains nothing by waiting. */
    bool is_held      = call->is_held && set->first == set->last && set->frames_max > 1;
    struct lane *lane = is_held ? NULL : lane_start(set, call->started_us / 1000);
    int64_t wake_ms   = set->earliest_ms; /* it may have to be sent later */
    (void)pthread_mutex_unlock(&set->mutex);

    if (is_held) atomic_store(&set->endpoint->client->has_held, true);
    if (lane) lane_send(lane);
    client_clock_wake(set->endpoint->client, wake_ms);
    return STATUS_OK;
}

struct lane_set *lane_set_new(struct endpoint *endpoint, enum rpc_class class, uint16_t partition)
{
    bool is_batched      = class == RPC_FAST || class == RPC_COMMIT;
    struct lane_set *set = mem_new(1, sizeof *set);
    set->endpoint        = endpoint;
    set->link            = class == RPC_LONG ? &endpoint->long_calls : &endpoint->main;
    set->class           = class;
    set->partition       = partition;
    set->lanes_max       = is_batched ? LANES_BATCHED : class == RPC_LONG ? LANES_LONG : LANES_BULK;
    set->frames_max      = is_batched ? BATCH_FRAMES_MAX : 1;
    set->window          = BATCH_FRAMES_MAX;
    set->next_wire_id = (uint64_t) class << 56 | (uint64_t)partition << 40 | (random_u64() >> 32);
    set->earliest_ms  = INT64_MAX;
    (void)pthread_mutex_init(&set->mutex, NULL);
    return set;
}

void lane_set_close(struct lane_set *set)
{
    (void)pthread_mutex_lock(&set->mutex);
    set->is_closed = true;
    (void)pthread_mutex_unlock(&set->mutex);
}

void lane_set_stop(struct lane_set *set)
{
    (void)pthread_mutex_lock(&set->mutex);
    ASSERT(set->is_closed);
    struct lane *lane = set->lanes; /* none is added from now on */
    (void)pthread_mutex_unlock(&set->mutex);
    for (; lane; lane = lane->next) nng_aio_stop(lane->aio);
}

void lane_set_answer_waiting(struct lane_set *set)
{
    for (;;) {
        (void)pthread_mutex_lock(&set->mutex);
        struct outgoing *batch = lane_set_pop(set);
        (void)pthread_mutex_unlock(&set->mutex);
        if (!batch) return;
        deliver(set, batch, NULL, NNG_ECLOSED);
        outgoing_free(batch);
    }
}

bool lane_set_is_quiet(struct lane_set *set)
{
    bool is_quiet = true;
    (void)pthread_mutex_lock(&set->mutex);
    for (struct lane *lane = set->lanes; lane; lane = lane->next) {
        is_quiet = is_quiet && lane->state == LANE_IDLE;
    }
    (void)pthread_mutex_unlock(&set->mutex);
    return is_quiet;
}

void lane_set_free(struct lane_set *set)
{
    ASSERT(set->is_closed);
    while (set->lanes) {
        struct lane *lane = set->lanes;
        set->lanes        = lane->next;
        nng_aio_free(lane->aio);
        free(lane);
    }
    while (set->spare) {
        struct outgoing *batch = set->spare;
        set->spare             = batch->next;
        outgoing_free(batch);
    }
    (void)pthread_mutex_destroy(&set->mutex);
    free(set);
}
