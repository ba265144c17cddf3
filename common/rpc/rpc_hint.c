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

enum { IDLE_MS = 3'600'000 };

/* --- publishing ------------------------------------------------------------------------------- */

struct rpc_publisher {
    nng_socket socket;
    bool is_open;
    char url[RPC_ENDPOINT_MAX];
    atomic_int pipes; /* connections; NNG may tell of an end before it tells of the start */
    uint64_t id;
    pthread_mutex_t mutex; /* numbers leave in their order */
    uint64_t sequence;
};

static void on_heard(nng_pipe, nng_pipe_ev event, void *argument)
{
    struct rpc_publisher *publisher = argument;
    atomic_fetch_add(&publisher->pipes, event == NNG_PIPE_EV_ADD_PRE ? 1 : -1);
}

status rpc_publisher_start(const char *url, const struct rpc_tls *tls,
                           struct rpc_publisher **ret_publisher, struct error *reterr)
{
    CLEANUP(rpc_publisher_stopp) struct rpc_publisher *publisher = mem_new(1, sizeof *publisher);

    publisher->id = random_u64();
    (void)pthread_mutex_init(&publisher->mutex, NULL);
    TRY(socket_open(SOCKET_PUBLISH, &publisher->socket, reterr));
    publisher->is_open = true;
    (void)nng_pipe_notify(publisher->socket, NNG_PIPE_EV_ADD_PRE, on_heard, publisher);
    (void)nng_pipe_notify(publisher->socket, NNG_PIPE_EV_REM_POST, on_heard, publisher);
    TRY(socket_listen(publisher->socket, url, tls, publisher->url, reterr));
    *ret_publisher = TAKE(publisher);
    return STATUS_OK;
}

void rpc_publisher_stopp(struct rpc_publisher **publisher)
{
    struct rpc_publisher *it = TAKE(*publisher);
    if (!it) return;
    if (it->is_open && !socket_close(it->socket, it->url)) {
        return; /* callbacks may still come: it stays, which is a leak */
    }
    (void)pthread_mutex_destroy(&it->mutex);
    free(it);
}

const char *rpc_publisher_url(const struct rpc_publisher *publisher)
{
    return publisher->url;
}

bool rpc_publisher_is_heard(const struct rpc_publisher *publisher)
{
    return atomic_load(&publisher->pipes) > 0;
}

void rpc_publish(struct rpc_publisher *publisher, uint16_t partition, bytes payload)
{
    bool fits        = payload.len <= RPC_HINT_SIZE_MAX;
    nng_msg *message = NULL;
    if (fits) {
        int error = nng_msg_alloc(&message, HINT_HEADER_SIZE + payload.len);
        ASSERT(error == 0 && "out of memory");
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
    struct rpc_subscriber_options options; /* texts are owned */
    nng_aio *receive;
    atomic_bool is_connected_anew;
    atomic_bool is_stopping;
    pthread_t thread;
    bool has_thread;

    /* Of the thread. */
    nng_socket socket;
    bool is_open;
    bool is_stuck; /* NNG did not let go of a socket: the next one stays open */
    bool is_idle;  /* nobody wants hints */
    int64_t refresh_ms;
    struct hint_track track;

    pthread_mutex_t mutex; /* guards the rest */
    pthread_cond_t changed;
    bool is_woken;
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
static nng_msg *receive(struct rpc_subscriber *subscriber)
{
    int64_t left_ms = subscriber->refresh_ms - clock_mono_ms();
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

static bool is_wanted(const struct rpc_subscriber *subscriber)
{
    const struct rpc_subscriber_options *options = &subscriber->options;
    return subscriber->is_stuck || !options->is_wanted || options->is_wanted(options->context);
}

static void turn(struct rpc_subscriber *subscriber)
{
    const struct rpc_subscriber_options *options = &subscriber->options;
    nng_msg *message                             = receive(subscriber);
    int64_t now_ms                               = clock_mono_ms();
    if (message) handle(subscriber, message);
    if (atomic_exchange(&subscriber->is_connected_anew, false)) {
        options->refresh(RPC_REFRESH_CONNECTED, 0, options->context);
        subscriber->refresh_ms = now_ms + RPC_HINT_SETTLE_MS;
    } else if (now_ms >= subscriber->refresh_ms) {
        subscriber->refresh_ms = now_ms + RPC_HINT_REFRESH_MS;
        subscriber->is_idle    = !is_wanted(subscriber);
        if (!subscriber->is_idle) options->refresh(RPC_REFRESH_PERIOD, 0, options->context);
    }
}

/* --- connecting ------------------------------------------------------------------------------- */

static status check_addresses(const char *urls, struct error *reterr)
{
    str list = str_from(urls);
    str part;
    while (address_next(&list, &part)) {
        struct address address;
        TRY(address_parse(part, &address, reterr));
        if (address.is_dns) {
            return fail(reterr, STATUS_INVALID_ARGUMENT, "hints: dns+ is not for publishers");
        }
    }
    return STATUS_OK;
}

static status connect_all(struct rpc_subscriber *subscriber, struct error *reterr)
{
    TRY(socket_open(SOCKET_SUBSCRIBE, &subscriber->socket, reterr));
    subscriber->is_open = true;
    (void)nng_pipe_notify(subscriber->socket, NNG_PIPE_EV_ADD_POST, on_pipe, subscriber);
    const struct rpc_subscriber_options *options = &subscriber->options;
    str list                                     = str_from(options->urls);
    str part;
    while (address_next(&list, &part)) {
        struct address address;
        TRY(address_parse(part, &address, reterr));
        TRY(socket_dial(subscriber->socket, address.url, address.host, &options->tls, reterr));
    }
    return STATUS_OK;
}

static void hang_up(struct rpc_subscriber *subscriber)
{
    if (!subscriber->is_open) return;
    if (!socket_close(subscriber->socket, subscriber->options.urls)) subscriber->is_stuck = true;
    subscriber->is_open = false;
}

/* While nobody wants hints, and while there is no socket to be had. */
static void wait_for_wake(struct rpc_subscriber *subscriber, int64_t wait_ms)
{
    int64_t until_ms      = clock_mono_ms() + wait_ms;
    struct timespec until = {
        .tv_sec  = (time_t)(until_ms / 1000),
        .tv_nsec = (long)(until_ms % 1000) * 1'000'000,
    };
    (void)pthread_mutex_lock(&subscriber->mutex);
    if (!subscriber->is_woken) {
        (void)pthread_cond_timedwait(&subscriber->changed, &subscriber->mutex, &until);
    }
    subscriber->is_woken = false;
    (void)pthread_mutex_unlock(&subscriber->mutex);
}

static void *run(void *argument)
{
    struct rpc_subscriber *subscriber = argument;
    while (!atomic_load(&subscriber->is_stopping)) {
        if (subscriber->is_idle) {
            hang_up(subscriber);
            wait_for_wake(subscriber, IDLE_MS);
            subscriber->is_idle = !is_wanted(subscriber);
        } else if (subscriber->is_open || connect_all(subscriber, NULL) == STATUS_OK) {
            turn(subscriber);
        } else {
            hang_up(subscriber);
            wait_for_wake(subscriber, RPC_HINT_REFRESH_MS);
        }
    }
    return NULL;
}

static char *copy_text(const char *text)
{
    return text ? mem_dup(text, strlen(text)) : NULL;
}

static void copy_options(struct rpc_subscriber *subscriber,
                         const struct rpc_subscriber_options *options)
{
    struct rpc_subscriber_options *copy = &subscriber->options;
    *copy                               = *options;
    copy->urls                          = copy_text(options->urls);
    copy->tls.ca_file                   = copy_text(options->tls.ca_file);
    copy->tls.cert_key_file             = copy_text(options->tls.cert_key_file);
    copy->tls.server_name               = copy_text(options->tls.server_name);
}

status rpc_subscriber_start(const struct rpc_subscriber_options *options,
                            struct rpc_subscriber **ret_subscriber, struct error *reterr)
{
    ASSERT(options->hint);
    ASSERT(options->refresh);
    CLEANUP(rpc_subscriber_stopp)
    struct rpc_subscriber *subscriber = mem_new(1, sizeof *subscriber);
    copy_options(subscriber, options);
    (void)pthread_mutex_init(&subscriber->mutex, NULL);
    pthread_condattr_t attributes;
    (void)pthread_condattr_init(&attributes);
    (void)pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    (void)pthread_cond_init(&subscriber->changed, &attributes);
    (void)pthread_condattr_destroy(&attributes);
    subscriber->refresh_ms = clock_mono_ms() + RPC_HINT_REFRESH_MS;
    int error              = nng_aio_alloc(&subscriber->receive, NULL, NULL);
    ASSERT(error == 0 && "out of memory");
    TRY(check_addresses(options->urls, reterr));
    subscriber->is_idle = !is_wanted(subscriber);
    if (!subscriber->is_idle) TRY(connect_all(subscriber, reterr));
    error = pthread_create(&subscriber->thread, NULL, run, subscriber);
    ASSERT(error == 0); /* out of threads at the start */
    subscriber->has_thread = true;
    *ret_subscriber        = TAKE(subscriber);
    return STATUS_OK;
}

void rpc_subscriber_wake(struct rpc_subscriber *subscriber)
{
    (void)pthread_mutex_lock(&subscriber->mutex);
    subscriber->is_woken = true;
    (void)pthread_cond_signal(&subscriber->changed);
    (void)pthread_mutex_unlock(&subscriber->mutex);
}

static void free_text(const char *text)
{
    free((void *)(uintptr_t)text);
}

void rpc_subscriber_stopp(struct rpc_subscriber **subscriber)
{
    struct rpc_subscriber *it = TAKE(*subscriber);
    if (!it) return;
    atomic_store(&it->is_stopping, true);
    rpc_subscriber_wake(it);
    nng_aio_cancel(it->receive);
    if (it->has_thread) (void)pthread_join(it->thread, NULL);
    hang_up(it);
    if (it->is_stuck) return; /* callbacks may still come: it stays, which is a leak */
    nng_aio_stop(it->receive);
    nng_aio_free(it->receive);
    (void)pthread_mutex_destroy(&it->mutex);
    (void)pthread_cond_destroy(&it->changed);
    free_text(it->options.urls);
    free_text(it->options.tls.ca_file);
    free_text(it->options.tls.cert_key_file);
    free_text(it->options.tls.server_name);
    free(it);
}
