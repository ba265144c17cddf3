/* Starts and stops a server, and keeps enough contexts waiting for messages. */
#include "base/assert.h"
#include "base/clock.h"
#include "base/mem.h"
#include "health.pb-c.h"
#include "rpc/address.h"
#include "rpc/server_internal.h"

#include <stdio.h>
#include <stdlib.h>

/* --- contexts --------------------------------------------------------------------------------- */

static void contexts_grow(struct listener *listener, unsigned count);

void context_receive(struct context *context)
{
    struct listener *listener = context->listener;
    if (!gate_enter(&listener->gate)) return;
    atomic_fetch_add(&listener->waiting, 1);
    nng_ctx_recv(context->ctx, context->receive);
    gate_leave(&listener->gate);
}

static void on_sent(void *argument)
{
    struct context *context = argument;
    if (replies_go_on(context)) return;
    int error = nng_aio_result(context->send);
    if (error) {
        /* The client is gone or does not read; its calls fail there. */
        nng_msg_free(nng_aio_get_msg(context->send));
        nng_aio_set_msg(context->send, NULL);
    }
    if (error != NNG_ECLOSED) context_receive(context);
}

static void on_received(void *argument)
{
    struct context *context   = argument;
    struct listener *listener = context->listener;
    int error                 = nng_aio_result(context->receive);
    unsigned waiting          = atomic_fetch_sub(&listener->waiting, 1) - 1;
    if (error == NNG_ECLOSED || error == NNG_ECANCELED) return;
    if (error) { /* nothing came for long */
        context_receive(context);
        return;
    }
    if (waiting < listener->spare) contexts_grow(listener, listener->spare - waiting);
    nng_msg *message = nng_aio_get_msg(context->receive);
    nng_aio_set_msg(context->receive, NULL);
    if (!dispatch(context, message)) context_receive(context);
}

static struct context *context_new(struct listener *listener)
{
    struct context *context = mem_new(1, sizeof *context);
    context->listener       = listener;
    bool is_open            = nng_ctx_open(&context->ctx, listener->socket) == 0;
    if (is_open && nng_aio_alloc(&context->receive, on_received, context) == 0 &&
        nng_aio_alloc(&context->send, on_sent, context) == 0) {
        nng_aio_set_timeout(context->receive, SOCKET_TIMEOUT_MS);
        nng_aio_set_timeout(context->send, SEND_TIMEOUT_MS);
        return context;
    }
    nng_aio_free(context->send);
    nng_aio_free(context->receive);
    if (is_open) (void)nng_ctx_close(context->ctx);
    free(context);
    return NULL;
}

/* Opens `count` more contexts, as far as there may be more. Under the mutex also while NNG opens
 * one: listener_stop() closes the socket after it has had the mutex (gate.h says why that matters).
 */
static void contexts_grow(struct listener *listener, unsigned count)
{
    for (unsigned i = 0; i < count; i++) {
        struct context *context = NULL;
        (void)pthread_mutex_lock(&listener->mutex);
        bool may_grow = !listener->is_closing && listener->count < listener->contexts_max;
        if (may_grow) context = context_new(listener);
        if (context) {
            context->next      = listener->contexts;
            listener->contexts = context;
            listener->count++;
            context_receive(context);
        }
        (void)pthread_mutex_unlock(&listener->mutex);
        if (!context) return; /* enough, or closed, or no memory: the others go on */
    }
}

/* --- listeners -------------------------------------------------------------------------------- */

static void on_pipe(nng_pipe pipe, nng_pipe_ev event, void *argument)
{
    struct listener *listener = argument;
    struct rpc_server *server = listener->server;
    uint32_t id               = (uint32_t)nng_pipe_id(pipe);
    if (event == NNG_PIPE_EV_ADD_PRE) {
        atomic_fetch_add(&server->counters.connects, 1);
        atomic_fetch_add(&server->counters.peers, 1);
        open_calls_add_pipe(server, id);
    } else if (event == NNG_PIPE_EV_REM_POST) {
        atomic_fetch_sub(&server->counters.peers, 1);
        open_calls_remove_pipe(server, id);
    }
}

static status listener_start(struct listener *listener, const char *url, const struct rpc_tls *tls,
                             struct error *reterr)
{
    TRY(socket_open(SOCKET_REPLY, &listener->socket, reterr));
    listener->is_open = true;
    (void)nng_pipe_notify(listener->socket, NNG_PIPE_EV_ADD_PRE, on_pipe, listener);
    (void)nng_pipe_notify(listener->socket, NNG_PIPE_EV_REM_POST, on_pipe, listener);
    contexts_grow(listener, listener->is_long ? LONG_SPARE : CONTEXTS_AT_START);
    return socket_listen(listener->socket, url, tls, listener->url, reterr);
}

/* Afterwards no callback runs and no context is left. False: NNG does not let go. */
static bool listener_stop(struct listener *listener)
{
    if (!listener->is_open) return true;
    (void)pthread_mutex_lock(&listener->mutex);
    listener->is_closing    = true;
    struct context *context = listener->contexts;
    (void)pthread_mutex_unlock(&listener->mutex);

    for (const struct context *at = context; at; at = at->next) nng_aio_wait(at->send);
    gate_close(&listener->gate);
    if (!socket_close(listener->socket, listener->url)) return false;
    while (context) {
        struct context *next = context->next;
        nng_aio_stop(context->receive);
        nng_aio_stop(context->send);
        nng_aio_free(context->receive);
        nng_aio_free(context->send);
        free(context);
        context = next;
    }
    listener->contexts = NULL;
    listener->is_open  = false;
    return true;
}

static void listener_init(struct listener *listener, struct rpc_server *server, bool is_long)
{
    listener->server       = server;
    listener->is_long      = is_long;
    listener->spare        = is_long ? LONG_SPARE : CONTEXTS_SPARE;
    listener->contexts_max = is_long ? LONG_CONTEXTS_MAX : CONTEXTS_MAX;
    gate_init(&listener->gate);
    (void)pthread_mutex_init(&listener->mutex, NULL);
}

/* --- the server ------------------------------------------------------------------------------- */

void server_unref(struct rpc_server *server)
{
    if (atomic_fetch_sub(&server->references, 1) != 1) return;
    methods_done(&server->methods);
    identity_free(server->identity);
    token_guard_free(server->guard);
    arenas_done(&server->arenas);
    gate_done(&server->main.gate);
    gate_done(&server->long_calls.gate);
    (void)pthread_mutex_destroy(&server->main.mutex);
    (void)pthread_mutex_destroy(&server->long_calls.mutex);
    open_calls_done(server);
    free(server);
}

static struct rpc_server *server_new(const struct rpc_server_options *options)
{
    struct rpc_server *server = mem_new(1, sizeof *server);
    atomic_init(&server->references, 1);
    server->hooks    = options->hooks;
    server->threads  = options->threads;
    server->drain_ms = options->drain_ms > 0 ? options->drain_ms : RPC_DRAIN_MS_DEFAULT;
    server->guard    = token_guard_new();
    arenas_init(&server->arenas);
    listener_init(&server->main, server, false);
    listener_init(&server->long_calls, server, true);
    open_calls_start(server);
    return server;
}

static status add_services(struct rpc_server *server, const struct rpc_server_options *options,
                           struct error *reterr)
{
    const struct rpc_contract_service *contract =
        options->contract ? options->contract : rpc_contract;
    /* These two are in every contract, so also in one that does not name them. */
    TRY(methods_add(&server->methods, rpc_contract, &pb__health__descriptor, health_handlers,
                    server, reterr));
    TRY(methods_add(&server->methods, rpc_contract, &pb__transport__descriptor, transport_handlers,
                    server, reterr));
    for (const struct rpc_service *service = options->services; service && service->descriptor;
         service++) {
        TRY(methods_add(&server->methods, contract, service->descriptor, service->methods,
                        service->context, reterr));
    }
    return STATUS_OK;
}

static status check_token_rule(struct listener *listener, const char *url, struct error *reterr)
{
    struct address address;
    TRY(address_parse(str_from(url), &address, reterr));
    if (address.is_dns) {
        return fail(reterr, STATUS_INVALID_ARGUMENT, "listen %s: dns+ is for clients", url);
    }
    listener->wants_token = !address.is_local;
    if (listener->wants_token && !identity_has_secret(listener->server->identity)) {
        return fail(reterr, STATUS_FAILED_PRECONDITION,
                    "listen %s: rpc.secret is missing; without one use ipc://", url);
    }
    return STATUS_OK;
}

static status server_listen(struct rpc_server *server, const struct rpc_server_options *options,
                            struct error *reterr)
{
    char derived[RPC_ENDPOINT_MAX];
    const char *long_url = options->long_url;
    if (!long_url) {
        TRY(rpc_long_url(options->url, derived, reterr));
        long_url = derived;
    }
    TRY(identity_new(&options->identity, &server->identity, reterr));
    TRY(check_token_rule(&server->main, options->url, reterr));
    TRY(check_token_rule(&server->long_calls, long_url, reterr));
    TRY(add_services(server, options, reterr));
    TRY(listener_start(&server->main, options->url, &options->tls, reterr));
    return listener_start(&server->long_calls, long_url, &options->tls, reterr);
}

status rpc_server_start(const struct rpc_server_options *options, struct rpc_server **ret_server,
                        struct error *reterr)
{
    if (!options->url) return fail(reterr, STATUS_INVALID_ARGUMENT, "rpc: no address to listen on");
    CLEANUP(rpc_server_stopp) struct rpc_server *server = server_new(options);
    TRY(server_listen(server, options, reterr));
    *ret_server = TAKE(server);
    return STATUS_OK;
}

void rpc_server_drain(struct rpc_server *server)
{
    atomic_store(&server->is_draining, true);
    open_calls_cancel_long(server);
}

void rpc_server_stopp(struct rpc_server **server)
{
    struct rpc_server *it = TAKE(*server);
    if (!it) return;
    rpc_server_drain(it);
    open_calls_wait(it, clock_mono_ms() + it->drain_ms);
    open_calls_give_up_all(it);
    open_calls_stop(it);
    bool is_stopped = listener_stop(&it->main);
    is_stopped      = listener_stop(&it->long_calls) && is_stopped;
    if (is_stopped) server_unref(it); /* else callbacks may still come: it stays, which is a leak */
}

const char *rpc_server_url(const struct rpc_server *server)
{
    return server->main.url;
}

const char *rpc_server_long_url(const struct rpc_server *server)
{
    return server->long_calls.url;
}

void rpc_server_stats(const struct rpc_server *server, struct rpc_server_stats *ret_stats)
{
    const struct server_counters *counters = &server->counters;
    *ret_stats                             = (struct rpc_server_stats){
                                    .messages    = atomic_load(&counters->messages),
                                    .calls       = atomic_load(&counters->calls),
                                    .refused     = atomic_load(&counters->refused),
                                    .unauthentic = atomic_load(&counters->unauthentic),
                                    .expired     = atomic_load(&counters->expired),
                                    .slow_fast   = atomic_load(&counters->slow_fast),
                                    .cancelled   = atomic_load(&counters->cancelled),
                                    .connects    = atomic_load(&counters->connects),
                                    .peers       = atomic_load(&counters->peers),
                                    .open        = atomic_load(&counters->open),
    };
}
