/**
 * rpc_threads: how many threads carry the messages of a process.
 *
 * NNG 1.5.2 has one queue of tasks for all sockets, at least two threads that serve it, and wakes
 * one of them for each of the three or four steps of a message. Nearly always the thread that ended
 * the step before takes the next one itself, and the other one was woken in vain: on two CPUs a
 * third of the time of a lone call between processes went into that (docs/performance.md). So half
 * of these threads rest, and all of them serve for a while after a callback that took long, so that
 * those behind it need not wait for the next one too.
 *
 * Threads: any. Handlers and callbacks never wait for another message (rpc.h): with one thread
 * serving, that would be for ever.
 */
#ifndef RPC_RPC_THREADS_H
#define RPC_RPC_THREADS_H

#include <stdint.h>

enum {
    RPC_THREADS_AWAKE_MS = 1'000,  /* how long all of them serve after a wake */
    RPC_THREADS_SLOW_US  = 1'000,  /* a server wakes them if its handlers take more of a CPU */
    RPC_THREADS_STUCK_US = 20'000, /* or so long by the clock: they wait for a disk */
    RPC_THREADS_REST_MAX = 16,
    RPC_THREADS_PROBE_MS = 1'000,  /* those that rest go back if nobody else serves */
    RPC_THREADS_ALONE_MS = 60'000, /* then they try again */
};

struct rpc_threads;

/**
 * Lets half of NNG's task threads rest, as soon as it is seen that others serve. Once per process,
 * in main(), after process_block_signals(), whose sysconf() says how many there are. What it
 * returns lives as long as the process. NULL: out of memory, and all serve.
 */
struct rpc_threads *rpc_threads_rest(void);

/** All serve for RPC_THREADS_AWAKE_MS. NULL is fine. */
void rpc_threads_wake(struct rpc_threads *threads);

struct rpc_threads_stats {
    uint32_t resting; /* now */
    uint32_t wakes;   /* so far */
};

void rpc_threads_stats(struct rpc_threads *threads, struct rpc_threads_stats *ret_stats);

#endif
