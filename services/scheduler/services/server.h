/**
 * server: the scheduler on the wire: its RPC services over a struct scheduler.
 *
 * Threads: started and stopped by main.
 */
#ifndef SCHEDULER_SERVER_H
#define SCHEDULER_SERVER_H

#include "rpc/rpc.h"
#include "scheduler/scheduler.h"

struct server_options {
    const char *url;
    const char *long_url; /* NULL: follows from `url` */
    const char *hint_url; /* NULL: no hints */
    struct rpc_identity identity;
    struct rpc_tls tls;
    struct rpc_threads *threads; /* borrowed; may be NULL */
    int64_t drain_ms;            /* 0: RPC_DRAIN_MS_DEFAULT */
};

struct server;

/** Serves. Borrows `scheduler`. Owned: server_stop(). Fails as rpc_server_start(). */
status server_start(const struct server_options *options, struct scheduler *scheduler,
                    struct server **ret_server, struct error *reterr);

/** Refuses new calls, ends parked ones, waits for the rest, frees. NULL is fine. */
void server_stop(struct server *server);
void server_stopp(struct server **server);

/** Where it listens, with real ports; live as long as the server. The last one is NULL if there are
 * no hints. */
const char *server_url(const struct server *server);
const char *server_long_url(const struct server *server);
const char *server_hint_url(const struct server *server);

#endif
