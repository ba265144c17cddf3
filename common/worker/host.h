/**
 * host: what stands around a worker in its process: its name, its client to the schedulers, and its
 * end. The service brings the loop and the work.
 *
 * The end, in this order: worker_host_drain() while the loop's thread runs; loop_stop() and
 * loop_join(); worker_host_close(); worker_host_freep().
 *
 * Threads: start, drain, close and free belong to the thread that started it; `run`, `cancel`,
 * `ready`, and the functions of a drain are called on the loop.
 */
#ifndef WORKER_HOST_H
#define WORKER_HOST_H

#include "config/rpc_options.h"
#include "worker/worker.h"

struct worker_host;

struct worker_host_options {
    const char *service;          /* "tool-adapter": signs its calls */
    const char *kind;             /* "tools" */
    const char *const *queues;    /* NULL-terminated; lives as long as the host */
    const char *namespace;        /* of those that are not tutti's own; NULL: "default" */
    const char *scheduler;        /* endpoints, in the order of their partitions */
    const char *name;             /* NULL: "<service>@<name of the host>" */
    const struct config_rpc *rpc; /* borrowed for the call */
    int64_t slots, lease_ms;
    uint64_t instance; /* as in worker.h; the next one, too */
    const uint64_t *dead;
    const char *const *functions; /* as in worker.h; NULL: none */
    struct loop *loop;            /* borrowed; outlives the host */

    void (*run)(struct worker_job *job, void *context); /* as in worker.h, and the next two */
    void (*cancel)(struct worker_job *job, void *context);
    void (*ready)(void *context);
    void *context;
};

/** Leases from the next turn of the loop on. Owned: worker_host_freep(). Fails as
 * rpc_client_open() does. */
status worker_host_start(const struct worker_host_options *options, struct worker_host **ret_host,
                         struct error *reterr);

/** The name it leases under; lives as long as the host. */
const char *worker_host_name(const struct worker_host *host);

/** On the loop: worker_use_functions() of its worker. */
void worker_host_use_functions(struct worker_host *host, const char *const *functions);

/** Its client, also for breakers and limits; lives until worker_host_close(). */
struct rpc_client *worker_host_client(const struct worker_host *host);

/** What else than the worker's jobs is waited for. Both may be NULL. */
struct worker_host_drain {
    int64_t limit_ms;
    void (*begin)(void *context); /* once: takes nothing new from here on */
    size_t (*busy)(void *context);
    void *context;
};

/** Leases no more, and waits until nothing is busy or `limit_ms` are over. True: nothing is. The
 * loop must be running on another thread. */
bool worker_host_drain(struct worker_host *host, const struct worker_host_drain *drain);

/** Closes the client and runs what that leaves on the loop, which must have been joined (or never
 * started). NULL is fine. */
void worker_host_close(struct worker_host *host);

/** After worker_host_close(), and before what `run` uses is freed. NULL is fine. */
void worker_host_freep(struct worker_host **host);

#endif
