#include "rpc/address.h"
#include "rpc/rpc_hint.h"
#include "rpc/socket_internal.h"

#include "base/assert.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"

#include <arpa/inet.h>
#include <nng/protocol/pubsub0/pub.h>
#include <nng/protocol/pubsub0/sub.h>
#include <nng/protocol/reqrep0/rep.h>
#include <nng/protocol/reqrep0/req.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

status socket_fail(struct error *reterr, int error, const char *what, const char *url)
{
    status code = STATUS_UNAVAILABLE;
    switch (error) { /* from outside: what is not listed is a network that does not work */
    case NNG_ENOMEM: code = STATUS_RESOURCE_EXHAUSTED; break;
    case NNG_EINVAL:
    case NNG_EADDRINVAL: code = STATUS_INVALID_ARGUMENT; break;
    case NNG_ENOTSUP: code = STATUS_UNIMPLEMENTED; break;
    case NNG_ETIMEDOUT: code = STATUS_DEADLINE_EXCEEDED; break;
    case NNG_ECANCELED: code = STATUS_CANCELLED; break;
    case NNG_EPERM: code = STATUS_PERMISSION_DENIED; break;
    case NNG_ENOENT:
    case NNG_ECRYPTO: code = STATUS_FAILED_PRECONDITION; break;
    default: break;
    }
    return fail(reterr, code, "%s %s: %s", what, url, nng_strerror(error));
}

static int open_kind(enum socket_kind kind, nng_socket *ret_socket)
{
    switch (kind) {
    case SOCKET_REQUEST: return nng_req0_open(ret_socket);
    case SOCKET_REPLY: return nng_rep0_open(ret_socket);
    case SOCKET_PUBLISH: return nng_pub0_open(ret_socket);
    case SOCKET_SUBSCRIBE: return nng_sub0_open(ret_socket);
    }
    return NNG_EINVAL;
}

static int set_rules(enum socket_kind kind, nng_socket socket)
{
    int error = nng_socket_set_size(socket, NNG_OPT_RECVMAXSZ, SOCKET_RECEIVE_MAX);
    if (!error) error = nng_socket_set_ms(socket, NNG_OPT_SENDTIMEO, SOCKET_TIMEOUT_MS);
    if (!error && kind != SOCKET_PUBLISH) {
        error = nng_socket_set_ms(socket, NNG_OPT_RECVTIMEO, SOCKET_TIMEOUT_MS);
    }
    if (!error) error = nng_socket_set_ms(socket, NNG_OPT_RECONNMINT, SOCKET_RECONNECT_MIN_MS);
    if (!error) error = nng_socket_set_ms(socket, NNG_OPT_RECONNMAXT, SOCKET_RECONNECT_MAX_MS);
    if (!error && kind == SOCKET_REQUEST) {
        /* 0 also makes a lost connection visible at once; else NNG resends to whoever is there. */
        error = nng_socket_set_ms(socket, NNG_OPT_REQ_RESENDTIME, 0);
    }
    if (!error && kind == SOCKET_PUBLISH) {
        error = nng_socket_set_int(socket, NNG_OPT_SENDBUF, RPC_HINT_QUEUE_MAX);
    }
    if (!error && kind == SOCKET_SUBSCRIBE) {
        error = nng_socket_set_int(socket, NNG_OPT_RECVBUF, RPC_HINT_QUEUE_MAX);
        if (!error) error = nng_socket_set(socket, NNG_OPT_SUB_SUBSCRIBE, "", 0);
    }
    return error;
}

status socket_open(enum socket_kind kind, nng_socket *ret_socket, struct error *reterr)
{
    ASSERT(socket_sendmsg_is_replaced && socket_epoll_ctl_is_replaced);
    nng_socket socket = NNG_SOCKET_INITIALIZER;
    int error         = open_kind(kind, &socket);
    if (error) return socket_fail(reterr, error, "open", "socket");
    error = set_rules(kind, socket);
    if (error) {
        (void)nng_close(socket);
        return socket_fail(reterr, error, "set up", "socket");
    }
    *ret_socket = socket;
    return STATUS_OK;
}

/* Shared by the one who waits and the thread that closes; the last one frees it. */
struct closing {
    nng_socket socket;
    pthread_mutex_t mutex;
    pthread_cond_t changed;
    bool is_closed;
    bool is_abandoned;
};

static void closing_free(struct closing *closing)
{
    (void)pthread_mutex_destroy(&closing->mutex);
    (void)pthread_cond_destroy(&closing->changed);
    free(closing);
}

static void *close_socket(void *argument)
{
    struct closing *closing = argument;
    (void)nng_close(closing->socket);
    (void)pthread_mutex_lock(&closing->mutex);
    bool is_abandoned  = closing->is_abandoned;
    closing->is_closed = true;
    (void)pthread_cond_signal(&closing->changed);
    (void)pthread_mutex_unlock(&closing->mutex);
    if (is_abandoned) closing_free(closing);
    return NULL;
}

bool socket_close(nng_socket socket, const char *url)
{
    struct closing *closing = mem_new(1, sizeof *closing);
    closing->socket         = socket;
    (void)pthread_mutex_init(&closing->mutex, NULL);
    pthread_condattr_t attributes;
    (void)pthread_condattr_init(&attributes);
    (void)pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    (void)pthread_cond_init(&closing->changed, &attributes);
    (void)pthread_condattr_destroy(&attributes);

    pthread_t thread;
    int error = pthread_create(&thread, NULL, close_socket, closing);
    ASSERT(error == 0); /* out of threads while threads end */
    (void)pthread_detach(thread);

    int64_t until_ms      = clock_mono_ms() + SOCKET_CLOSE_MS;
    struct timespec until = {
        .tv_sec  = (time_t)(until_ms / 1000),
        .tv_nsec = (long)(until_ms % 1000) * 1'000'000,
    };
    (void)pthread_mutex_lock(&closing->mutex);
    while (!closing->is_closed && clock_mono_ms() < until_ms) {
        (void)pthread_cond_timedwait(&closing->changed, &closing->mutex, &until);
    }
    bool is_closed        = closing->is_closed;
    closing->is_abandoned = !is_closed;
    (void)pthread_mutex_unlock(&closing->mutex);
    if (is_closed) {
        closing_free(closing);
    } else {
        log_write(LOG_WARN, "rpc.close_hangs", LOG_TEXT_OF("url", url));
    }
    return is_closed;
}

status socket_tls(const struct rpc_tls *tls, bool is_server, const char *host,
                  nng_tls_config **ret_config, struct error *reterr)
{
    if (!tls || !tls->ca_file || !tls->cert_key_file) {
        return fail(reterr, STATUS_FAILED_PRECONDITION,
                    "rpc.tls: tls+tcp:// wants ca_file and cert_key_file");
    }
    nng_tls_config *config = NULL;
    nng_tls_mode mode      = is_server ? NNG_TLS_MODE_SERVER : NNG_TLS_MODE_CLIENT;
    int error              = nng_tls_config_alloc(&config, mode);
    if (error) return socket_fail(reterr, error, "rpc.tls:", "set up");

    const char *file = tls->ca_file;
    error            = nng_tls_config_ca_file(config, file);
    if (!error) {
        file  = tls->cert_key_file;
        error = nng_tls_config_cert_key_file(config, file, NULL);
    }
    if (!error) error = nng_tls_config_auth_mode(config, NNG_TLS_AUTH_MODE_REQUIRED);
    if (!error && !is_server) {
        error = nng_tls_config_server_name(config, tls->server_name ? tls->server_name : host);
    }
    if (error) {
        nng_tls_config_free(config);
        return fail(reterr, STATUS_FAILED_PRECONDITION, "rpc.tls: %s: %s", file,
                    nng_strerror(error));
    }
    *ret_config = config;
    return STATUS_OK;
}

/* The port that the system chose stands in the listener's address. */
static void write_url(nng_listener listener, const char *url, char ret_url[static RPC_ENDPOINT_MAX])
{
    struct address address;
    nng_sockaddr bound;
    (void)snprintf(ret_url, RPC_ENDPOINT_MAX, "%s", url);
    if (address_parse(str_from(url), &address, NULL) != STATUS_OK || address.is_local) return;
    if (address.port != 0 || nng_listener_get_addr(listener, NNG_OPT_LOCADDR, &bound) != 0) return;

    /* NNG keeps ports in network order, at the same place for both families. */
    unsigned port =
        ntohs(bound.s_family == NNG_AF_INET6 ? bound.s_in6.sa_port : bound.s_in.sa_port);
    bool is_v6 = strchr(address.host, ':') != NULL;
    (void)snprintf(ret_url, RPC_ENDPOINT_MAX, "%s%s%s%s:%u",
                   address.is_tls ? "tls+tcp://" : "tcp://", is_v6 ? "[" : "", address.host,
                   is_v6 ? "]" : "", port);
}

/* Only TCP knows these; others answer NNG_ENOTSUP. */
static void set_listener_rules(nng_listener listener)
{
    (void)nng_listener_set_bool(listener, NNG_OPT_TCP_NODELAY, true);
    (void)nng_listener_set_bool(listener, NNG_OPT_TCP_KEEPALIVE, true);
}

status socket_listen(nng_socket socket, const char *url, const struct rpc_tls *tls,
                     char ret_url[static RPC_ENDPOINT_MAX], struct error *reterr)
{
    struct address address;
    TRY(address_parse(str_from(url), &address, reterr));

    nng_listener listener = NNG_LISTENER_INITIALIZER;
    int error             = nng_listener_create(&listener, socket, url);
    if (error) return socket_fail(reterr, error, "listen", url);
    set_listener_rules(listener);
    if (address.is_tls) {
        nng_tls_config *config = NULL;
        TRY(socket_tls(tls, true, NULL, &config, reterr));
        error = nng_listener_set_ptr(listener, NNG_OPT_TLS_CONFIG, config);
        nng_tls_config_free(config); /* the listener holds its own reference */
        if (error) return socket_fail(reterr, error, "listen", url);
    }
    error = nng_listener_start(listener, 0);
    if (error) return socket_fail(reterr, error, "listen", url);
    write_url(listener, url, ret_url);
    return STATUS_OK;
}

status socket_dial(nng_socket socket, const char *url, const char *host, const struct rpc_tls *tls,
                   struct error *reterr)
{
    struct address address;
    TRY(address_parse(str_from(url), &address, reterr));

    nng_dialer dialer = NNG_DIALER_INITIALIZER;
    int error         = nng_dialer_create(&dialer, socket, url);
    if (error) return socket_fail(reterr, error, "connect", url);
    (void)nng_dialer_set_bool(dialer, NNG_OPT_TCP_NODELAY, true);
    (void)nng_dialer_set_bool(dialer, NNG_OPT_TCP_KEEPALIVE, true);
    if (address.is_local) {
        (void)nng_dialer_set_ms(dialer, NNG_OPT_RECONNMINT, SOCKET_RECONNECT_LOCAL_MIN_MS);
    }
    if (address.is_tls) {
        nng_tls_config *config = NULL;
        TRY(socket_tls(tls, false, host, &config, reterr));
        error = nng_dialer_set_ptr(dialer, NNG_OPT_TLS_CONFIG, config);
        nng_tls_config_free(config);
        if (error) return socket_fail(reterr, error, "connect", url);
    }
    error = nng_dialer_start(dialer, NNG_FLAG_NONBLOCK);
    if (error) return socket_fail(reterr, error, "connect", url);
    return STATUS_OK;
}

void *message_extend(nng_msg *message, size_t size, size_t size_max)
{
    size_t used = nng_msg_len(message);
    if (size > size_max || used > size_max - size) return NULL;
    size_t wanted = used + size;
    if (nng_msg_capacity(message) < wanted) {
        size_t capacity = wanted < size_max / 2 ? wanted * 2 : size_max;
        if (nng_msg_reserve(message, capacity) != 0) return NULL;
    }
    if (nng_msg_realloc(message, wanted) != 0) return NULL;
    return (char *)nng_msg_body(message) + used;
}
