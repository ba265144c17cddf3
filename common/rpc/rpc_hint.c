#include "rpc/rpc_hint.h"

#include "base/assert.h"
#include "base/clock.h"
#include "base/mem.h"
#include "base/random.h"
#include "rpc/address.h"
#include "rpc/hint.h"
#include "rpc/socket_internal.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>

/* --- publishing ------------------------------------------------------------------------------- */

struct rpc_publisher {
    nng_socket socket;
    bool is_open;
    char url[RPC_ENDPOINT_MAX];
    uint64_t id;
    pthread_mutex_t mutex; /* numbers leave in their order */
    uint64_t sequence;
};

status rpc_publisher_start(const char *url, const struct rpc_tls *tls,
                           struct rpc_publisher **ret_publisher, struct error *reterr)
{
    CLEANUP(rpc_publisher_stopp) struct rpc_publisher *publisher = mem_new(1, sizeof *publisher);

    publisher->id = random_u64();
    (void)pthread_mutex_init(&publisher->mutex, NULL);
    TRY(socket_open(SOCKET_PUBLISH, &publisher->socket, reterr));
    publisher->is_open = true;
    TRY(socket_listen(publisher->socket, url, tls, publisher->url, reterr));
    *ret_publisher = TAKE(publisher);
    return STATUS_OK;
}

void rpc_publisher_stopp(struct rpc_publisher **publisher)
{
    struct rpc_publisher *it = TAKE(*publisher);
    if (!it) return;
    if (it->is_open) (void)socket_close(it->socket, it->url); /* no callbacks of ours */
    (void)pthread_mutex_destroy(&it->mutex);
    free(it);
}

const char *rpc_publisher_url(const struct rpc_publisher *publisher)
{
    return publisher->url;
}

void rpc_publish(struct rpc_publisher *publisher, uint16_t partition, bytes payload)
{
    bool fits        = payload.len <= RPC_HINT_SIZE_MAX;
    nng_msg *message = NULL;
    if (fits) {
        int error = nng_msg_alloc(&message, HINT_HEADER_SIZE + payload.len);
        ASSERT(error == 0); /* only out of memory */
        uint8_t *at = nng_msg_body(message);
        if (payload.len > 0) memcpy(at + HINT_HEADER_SIZE, payload.ptr, payload.len);
    }
    (void)pthread_mutex_lock(&publisher->mutex);
    publisher->sequence++;
    if (message) {
        hint_header_encode(
            &(struct hint){
                .partition = partition,
                .publisher = publisher->id,
                .sequence  = publisher->sequence,
            },
            nng_msg_body(message));
        /* Never waits: a subscriber that cannot keep up loses its oldest hint. */
        if (nng_sendmsg(publisher->socket, message, NNG_FLAG_NONBLOCK) != 0) nng_msg_free(message);
    }
    (void)pthread_mutex_unlock(&publisher->mutex);
}

/* --- subscribing ------------------------------------------------------------------------------ */

struct rpc_subscriber {
    struct rpc_subscriber_options options; /* tls is not used after the start; urls is owned */
    nng_socket socket;
    bool is_open;
    nng_aio *receive;
    atomic_bool is_connected_anew;
    atomic_bool is_stopping;
    struct hint_track track; /* of the thread */
    pthread_t thread;
    bool has_thread;
};

static void on_pipe(nng_pipe, nng_pipe_ev, void *argument)
{
    struct rpc_subscriber *subscriber = argument;
    atomic_store(&subscriber->is_connected_anew, true);
    nng_aio_cancel(subscriber->receive);
}

static bool must_look(struct rpc_subscriber *subscriber)
{
    return atomic_load(&subscriber->is_connected_anew) || atomic_load(&subscriber->is_stopping);
}

/* Returns a hint, or NULL when something else is to be done. */
static nng_msg *receive_until(struct rpc_subscriber *subscriber, int64_t until_ms)
{
    int64_t left_ms = until_ms - clock_mono_ms();
    if (left_ms <= 0 || must_look(subscriber)) return NULL;
    nng_aio_set_timeout(subscriber->receive, (nng_duration)left_ms);
    nng_recv_aio(subscriber->socket, subscriber->receive);
    /* Set meanwhile, and the receive was not yet there to be cancelled. */
    if (must_look(subscriber)) nng_aio_cancel(subscriber->receive);
    nng_aio_wait(subscriber->receive);
    if (nng_aio_result(subscriber->receive) != 0) return NULL;
    return nng_aio_get_msg(subscriber->receive);
}

static void handle(struct rpc_subscriber *subscriber, nng_msg *message)
{
    const struct rpc_subscriber_options *options = &subscriber->options;
    bytes data                                   = {nng_msg_body(message), nng_msg_len(message)};
    struct hint hint;
    if (hint_decode(data, &hint, NULL) == STATUS_OK) {
        uint64_t lost = hint_track_note(&subscriber->track, &hint);
        if (lost > 0) options->refresh(RPC_REFRESH_GAP, lost, options->context);
        options->hint(hint.partition, hint.payload, options->context);
    }
    nng_msg_free(message);
}

static void *run(void *argument)
{
    struct rpc_subscriber *subscriber            = argument;
    const struct rpc_subscriber_options *options = &subscriber->options;
    int64_t refresh_ms                           = clock_mono_ms() + RPC_HINT_REFRESH_MS;
    while (!atomic_load(&subscriber->is_stopping)) {
        nng_msg *message = receive_until(subscriber, refresh_ms);
        if (message) handle(subscriber, message);
        if (atomic_exchange(&subscriber->is_connected_anew, false)) {
            options->refresh(RPC_REFRESH_CONNECTED, 0, options->context);
        }
        int64_t now_ms = clock_mono_ms();
        if (now_ms >= refresh_ms) {
            options->refresh(RPC_REFRESH_PERIOD, 0, options->context);
            refresh_ms = now_ms + RPC_HINT_REFRESH_MS;
        }
    }
    return NULL;
}

static status dial_all(struct rpc_subscriber *subscriber,
                       const struct rpc_subscriber_options *options, struct error *reterr)
{
    str list = str_from(options->urls);
    str part;
    while (address_next(&list, &part)) {
        struct address address;
        TRY(address_parse(part, &address, reterr));
        if (address.is_dns) {
            return fail(reterr, STATUS_INVALID_ARGUMENT, "hints: dns+ is not for publishers");
        }
        TRY(socket_dial(subscriber->socket, address.url, address.host, &options->tls, reterr));
    }
    return STATUS_OK;
}

status rpc_subscriber_start(const struct rpc_subscriber_options *options,
                            struct rpc_subscriber **ret_subscriber, struct error *reterr)
{
    ASSERT(options->hint);
    ASSERT(options->refresh);
    CLEANUP(rpc_subscriber_stopp)
    struct rpc_subscriber *subscriber = mem_new(1, sizeof *subscriber);
    subscriber->options               = *options;
    subscriber->options.urls          = mem_dup(options->urls, strlen(options->urls));
    TRY(socket_open(SOCKET_SUBSCRIBE, &subscriber->socket, reterr));
    subscriber->is_open = true;
    int error           = nng_aio_alloc(&subscriber->receive, NULL, NULL);
    ASSERT(error == 0); /* only out of memory */
    (void)nng_pipe_notify(subscriber->socket, NNG_PIPE_EV_ADD_POST, on_pipe, subscriber);
    TRY(dial_all(subscriber, options, reterr));
    error = pthread_create(&subscriber->thread, NULL, run, subscriber);
    ASSERT(error == 0); /* out of threads at the start */
    subscriber->has_thread = true;
    *ret_subscriber        = TAKE(subscriber);
    return STATUS_OK;
}

void rpc_subscriber_stopp(struct rpc_subscriber **subscriber)
{
    struct rpc_subscriber *it = TAKE(*subscriber);
    if (!it) return;
    atomic_store(&it->is_stopping, true);
    if (it->receive) nng_aio_cancel(it->receive);
    if (it->has_thread) (void)pthread_join(it->thread, NULL);
    if (it->is_open && !socket_close(it->socket, it->options.urls)) {
        return; /* callbacks may still come: it stays, which is a leak */
    }
    if (it->receive) {
        nng_aio_stop(it->receive);
        nng_aio_free(it->receive);
    }
    free((void *)(uintptr_t)it->options.urls);
    free(it);
}
