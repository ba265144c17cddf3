/**
 * gate: lets many threads pass, until it is closed; who closes it waits until nobody is inside.
 *
 * Keeps the operations of contexts and nng_close() apart. In NNG 1.5.2 a thread that leaves a
 * context while its socket is being closed may destroy the context after the socket, which stops
 * the process ("pthread_mutex_lock: Invalid argument"); a context that is opened in that moment
 * keeps nng_close() waiting for ever. So each nng_ctx_...() of a socket is called inside the gate
 * of that socket, and the gate is closed before the socket.
 *
 * Threads: any. Never close it from inside, and call nothing inside that waits for the one who
 * closes.
 */
#ifndef RPC_GATE_H
#define RPC_GATE_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>

struct gate {
    atomic_uint inside; /* threads, and GATE_CLOSED */
    pthread_mutex_t mutex;
    pthread_cond_t left;
};

void gate_init(struct gate *gate);
void gate_done(struct gate *gate);

/** False: it is closed. True: gate_leave() must follow. */
[[nodiscard]] bool gate_enter(struct gate *gate);
void gate_leave(struct gate *gate);

/** Nobody enters from now on; returns when nobody is inside. May be called again. */
void gate_close(struct gate *gate);

#endif
