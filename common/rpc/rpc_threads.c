#include "rpc/rpc_threads.h"

#include "base/clock.h"
#include "base/mem.h"

#include <nng/nng.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <unistd.h>

/* A task whose callback does not return while it rests. */
struct rest {
    struct rpc_threads *threads;
    nng_aio *aio;
};

struct rpc_threads {
    _Atomic int64_t awake_until_ms; /* all serve until then; also read without the mutex */
    pthread_mutex_t mutex;          /* guards the rest */
    pthread_cond_t changed;
    struct rpc_threads_stats stats;
    bool is_served;  /* while all of them rested, another thread served */
    bool is_probing; /* it is not known yet */
    nng_aio *probe;
    unsigned count;
    struct rest rests[RPC_THREADS_REST_MAX];
};

/* Under the mutex. Before it is known that others serve only for a moment. */
static void rest_a_while(struct rpc_threads *threads, int64_t since_ms)
{
    if (threads->is_served) {
        (void)pthread_cond_wait(&threads->changed, &threads->mutex);
        return;
    }
    int64_t until_ms      = since_ms + RPC_THREADS_PROBE_MS;
    struct timespec until = {
        .tv_sec  = (time_t)(until_ms / 1000),
        .tv_nsec = (long)(until_ms % 1000) * 1'000'000,
    };
    (void)pthread_cond_timedwait(&threads->changed, &threads->mutex, &until);
    int64_t now_ms = clock_mono_ms();
    if (threads->is_served || now_ms < until_ms) return;
    atomic_store(&threads->awake_until_ms, now_ms + RPC_THREADS_ALONE_MS);
}

static bool is_awake(const struct rpc_threads *threads, int64_t now_ms)
{
    return now_ms < atomic_load(&threads->awake_until_ms);
}

static void on_rest(void *argument)
{
    struct rest *rest           = argument;
    struct rpc_threads *threads = rest->threads;
    int64_t since_ms            = clock_mono_ms();
    (void)pthread_mutex_lock(&threads->mutex);
    threads->stats.resting++;
    /* The last one to rest asks whether anybody is left; the answer needs a thread that serves. */
    if (threads->stats.resting == threads->count && !threads->is_served && !threads->is_probing) {
        threads->is_probing = true;
        nng_sleep_aio(0, threads->probe);
    }
    while (!is_awake(threads, clock_mono_ms())) rest_a_while(threads, since_ms);
    threads->stats.resting--;
    int64_t pause_ms = atomic_load(&threads->awake_until_ms) - clock_mono_ms();
    (void)pthread_mutex_unlock(&threads->mutex);
    nng_sleep_aio(pause_ms > 0 ? (nng_duration)pause_ms : 0, rest->aio);
}

static void on_probe(void *argument)
{
    struct rpc_threads *threads = argument;
    (void)pthread_mutex_lock(&threads->mutex);
    threads->is_probing = false;
    /* One that was late says nothing: they had gone back. */
    if (threads->stats.resting == threads->count) threads->is_served = true;
    (void)pthread_cond_broadcast(&threads->changed);
    (void)pthread_mutex_unlock(&threads->mutex);
}

static void threads_free(struct rpc_threads *threads)
{
    for (unsigned i = 0; i < threads->count; i++) nng_aio_free(threads->rests[i].aio);
    nng_aio_free(threads->probe);
    (void)pthread_mutex_destroy(&threads->mutex);
    (void)pthread_cond_destroy(&threads->changed);
    free(threads);
}

static bool threads_fill(struct rpc_threads *threads, unsigned count)
{
    if (nng_aio_alloc(&threads->probe, on_probe, threads) != 0) return false;
    while (threads->count < count) {
        struct rest *rest = &threads->rests[threads->count];
        rest->threads     = threads;
        if (nng_aio_alloc(&rest->aio, on_rest, rest) != 0) return false;
        threads->count++;
    }
    return true;
}

struct rpc_threads *rpc_threads_rest(void)
{
    long cpus = sysconf(_SC_NPROCESSORS_ONLN); /* as NNG asks, which starts two for each */
    if (cpus < 1) return NULL;
    unsigned count = cpus < RPC_THREADS_REST_MAX ? (unsigned)cpus : RPC_THREADS_REST_MAX;

    struct rpc_threads *threads = mem_new(1, sizeof *threads);
    pthread_condattr_t attributes;
    (void)pthread_condattr_init(&attributes);
    (void)pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    (void)pthread_cond_init(&threads->changed, &attributes);
    (void)pthread_condattr_destroy(&attributes);
    (void)pthread_mutex_init(&threads->mutex, NULL);
    if (!threads_fill(threads, count)) {
        threads_free(threads);
        return NULL;
    }
    for (unsigned i = 0; i < count; i++) nng_sleep_aio(0, threads->rests[i].aio);
    return threads;
}

void rpc_threads_wake(struct rpc_threads *threads)
{
    if (!threads) return;
    int64_t now_ms = clock_mono_ms();
    /* Not for each of many slow ones. */
    if (atomic_load(&threads->awake_until_ms) > now_ms + RPC_THREADS_AWAKE_MS / 2) return;
    (void)pthread_mutex_lock(&threads->mutex);
    atomic_store(&threads->awake_until_ms, now_ms + RPC_THREADS_AWAKE_MS);
    threads->stats.wakes++;
    (void)pthread_cond_broadcast(&threads->changed);
    (void)pthread_mutex_unlock(&threads->mutex);
}

void rpc_threads_stats(struct rpc_threads *threads, struct rpc_threads_stats *ret_stats)
{
    (void)pthread_mutex_lock(&threads->mutex);
    *ret_stats = threads->stats;
    if (is_awake(threads, clock_mono_ms())) ret_stats->resting = 0; /* they are about to serve */
    (void)pthread_mutex_unlock(&threads->mutex);
}
