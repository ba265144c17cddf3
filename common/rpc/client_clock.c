/* The thread that answers calls at their deadlines. */
#include "base/assert.h"
#include "base/clock.h"
#include "rpc/client_internal.h"

void client_clock_wake(struct rpc_client *client, int64_t at_ms)
{
    /* Nearly every call: its deadline is later than what the clock waits for anyway. */
    if (at_ms >= atomic_load(&client->wake_ms)) return;
    (void)pthread_mutex_lock(&client->clock_mutex);
    if (at_ms < atomic_load(&client->wake_ms)) {
        atomic_store(&client->wake_ms, at_ms);
        (void)pthread_cond_broadcast(&client->clock_changed);
    }
    (void)pthread_mutex_unlock(&client->clock_mutex);
}

/* Goes through the endpoints one by one, each held while it is looked at, so that the client's
 * mutex is not. The resolver frees only what nobody holds. */
static struct endpoint *next_endpoint(struct rpc_client *client, struct endpoint *endpoint)
{
    (void)pthread_mutex_lock(&client->mutex);
    struct endpoint *next = endpoint ? endpoint->next : client->endpoints;
    if (next) atomic_fetch_add(&next->holds, 1);
    (void)pthread_mutex_unlock(&client->mutex);
    if (endpoint) endpoint_let_go(endpoint);
    return next;
}

static int64_t watch_all(struct rpc_client *client, int64_t now_ms)
{
    int64_t wake_ms = now_ms + CLOCK_IDLE_MS;
    for (struct endpoint *at = next_endpoint(client, NULL); at; at = next_endpoint(client, at)) {
        for (struct lane_set *set = atomic_load(&at->sets); set; set = set->next) {
            int64_t next_ms = lane_set_watch(set, now_ms);
            if (next_ms < wake_ms) wake_ms = next_ms;
        }
    }
    return wake_ms;
}

static bool wait_until(struct rpc_client *client)
{
    (void)pthread_mutex_lock(&client->clock_mutex);
    for (;;) {
        int64_t wake_ms = atomic_load(&client->wake_ms);
        if (client->is_stopping || wake_ms <= clock_mono_ms()) break;
        struct timespec until = {
            .tv_sec  = (time_t)(wake_ms / 1000),
            .tv_nsec = (long)(wake_ms % 1000) * 1'000'000,
        };
        (void)pthread_cond_timedwait(&client->clock_changed, &client->clock_mutex, &until);
    }
    bool is_stopping = client->is_stopping;
    /* Whoever comes from now on with something earlier than this wakes us again. */
    atomic_store(&client->wake_ms, INT64_MAX);
    (void)pthread_mutex_unlock(&client->clock_mutex);
    return !is_stopping;
}

static void *run(void *argument)
{
    struct rpc_client *client = argument;
    while (wait_until(client)) {
        int64_t wake_ms = watch_all(client, clock_mono_ms());
        client_clock_wake(client, wake_ms);
    }
    return NULL;
}

void client_clock_pause(struct rpc_client *client, int64_t ms)
{
    int64_t until_ms      = clock_mono_ms() + ms;
    struct timespec until = {
        .tv_sec  = (time_t)(until_ms / 1000),
        .tv_nsec = (long)(until_ms % 1000) * 1'000'000,
    };
    (void)pthread_mutex_lock(&client->clock_mutex);
    (void)pthread_cond_timedwait(&client->clock_changed, &client->clock_mutex, &until);
    (void)pthread_mutex_unlock(&client->clock_mutex);
}

void client_clock_start(struct rpc_client *client)
{
    pthread_condattr_t attributes;
    (void)pthread_mutex_init(&client->clock_mutex, NULL);
    (void)pthread_condattr_init(&attributes);
    (void)pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    (void)pthread_cond_init(&client->clock_changed, &attributes);
    (void)pthread_condattr_destroy(&attributes);
    atomic_store(&client->wake_ms, 0);
    int error = pthread_create(&client->clock_thread, NULL, run, client);
    ASSERT(error == 0); /* out of threads at the start */
    client->has_clock = true;
}

void client_clock_stop(struct rpc_client *client)
{
    if (!client->has_clock) return;
    (void)pthread_mutex_lock(&client->clock_mutex);
    client->is_stopping = true;
    (void)pthread_cond_broadcast(&client->clock_changed);
    (void)pthread_mutex_unlock(&client->clock_mutex);
    (void)pthread_join(client->clock_thread, NULL);
    client->has_clock = false;
}
