/* One address: two sockets, what is under way there, and whether it is connected. */
#include "base/clock.h"
#include "base/mem.h"
#include "rpc/client_internal.h"

#include <stdlib.h>

bool link_is_up(const struct link *link)
{
    return atomic_load(&link->pipes) > 0;
}

static void on_up(struct link *link)
{
    struct endpoint *endpoint = link->endpoint;
    struct rpc_client *client = endpoint->client;
    bool is_main              = link == &endpoint->main;
    bool is_first             = atomic_fetch_add(&link->pipes, 1) == 0;
    if (is_main) atomic_store(&endpoint->was_connected, true);
    if (is_main && is_first) { /* before the calls that waited: who has an answer sees it counted */
        atomic_fetch_add(&client->counters.connects, 1);
        atomic_fetch_add(&client->counters.connected, 1);
    }
    for (struct lane_set *set = atomic_load(&endpoint->sets); set; set = set->next) {
        if (set->link == link) lane_set_flush(set);
    }
    if (!is_main || !is_first) return;
    client_look_again(client);
    if (client->connected) client->connected(endpoint->address.url, true, client->context);
}

static void on_down(struct link *link)
{
    struct endpoint *endpoint = link->endpoint;
    struct rpc_client *client = endpoint->client;
    if (atomic_fetch_sub(&link->pipes, 1) != 1) return;
    for (struct lane_set *set = atomic_load(&endpoint->sets); set; set = set->next) {
        if (set->link == link) lane_set_lost(set);
    }
    if (link != &endpoint->main) return;
    atomic_fetch_add(&client->counters.disconnects, 1);
    atomic_fetch_sub(&client->counters.connected, 1);
    if (client->connected) client->connected(endpoint->address.url, false, client->context);
}

static void on_pipe(nng_pipe, nng_pipe_ev event, void *argument)
{
    if (event == NNG_PIPE_EV_ADD_POST) on_up(argument);
    if (event == NNG_PIPE_EV_REM_POST) on_down(argument);
}

static void link_init(struct link *link, struct endpoint *endpoint)
{
    link->endpoint = endpoint;
    gate_init(&link->gate);
}

static status link_open(struct link *link, const char *url, struct error *reterr)
{
    struct endpoint *endpoint = link->endpoint;
    TRY(socket_open(SOCKET_REQUEST, &link->socket, reterr));
    link->is_open = true;
    (void)nng_pipe_notify(link->socket, NNG_PIPE_EV_ADD_POST, on_pipe, link);
    (void)nng_pipe_notify(link->socket, NNG_PIPE_EV_REM_POST, on_pipe, link);
    return socket_dial(link->socket, url, endpoint->address.host, &endpoint->client->tls, reterr);
}

static bool link_close(struct link *link)
{
    gate_close(&link->gate);
    bool is_closed = !link->is_open || socket_close(link->socket, link->endpoint->address.url);
    link->is_open  = false;
    return is_closed;
}

bool endpoint_stop(struct endpoint *endpoint)
{
    (void)pthread_mutex_lock(&endpoint->mutex);
    endpoint->is_stopping = true; /* sets that are still made are closed from the start */
    (void)pthread_mutex_unlock(&endpoint->mutex);
    for (struct lane_set *set = atomic_load(&endpoint->sets); set; set = set->next) {
        lane_set_close(set);
    }
    /* Ends the operations of all lanes, and the callbacks of connections. */
    bool is_closed     = link_close(&endpoint->main);
    is_closed          = link_close(&endpoint->long_calls) && is_closed;
    endpoint->is_stuck = endpoint->is_stuck || !is_closed;
    for (struct lane_set *set = atomic_load(&endpoint->sets); set; set = set->next) {
        if (!endpoint->is_stuck) lane_set_stop(set);
        lane_set_answer_waiting(set);
    }
    return !endpoint->is_stuck;
}

void endpoint_free(struct endpoint *endpoint)
{
    if (!endpoint || !endpoint_stop(endpoint)) return; /* stuck: it stays, which is a leak */
    struct lane_set *set = atomic_load(&endpoint->sets);
    while (set) {
        struct lane_set *next = set->next;
        lane_set_free(set);
        set = next;
    }
    gate_done(&endpoint->main.gate);
    gate_done(&endpoint->long_calls.gate);
    (void)pthread_mutex_destroy(&endpoint->mutex);
    free(endpoint);
}

bool endpoint_is_quiet(struct endpoint *endpoint)
{
    bool is_quiet = true;
    for (struct lane_set *set = atomic_load(&endpoint->sets); set; set = set->next) {
        is_quiet = is_quiet && lane_set_is_quiet(set);
    }
    return is_quiet;
}

static void endpoint_freep(struct endpoint **endpoint)
{
    endpoint_free(*endpoint);
}

status endpoint_new(struct rpc_client *client, const struct address *address, int target,
                    struct endpoint **ret_endpoint, struct error *reterr)
{
    CLEANUP(endpoint_freep) struct endpoint *endpoint = mem_new(1, sizeof *endpoint);

    endpoint->client    = client;
    endpoint->address   = *address;
    endpoint->target    = target;
    endpoint->opened_ms = clock_mono_ms();
    (void)pthread_mutex_init(&endpoint->mutex, NULL);
    link_init(&endpoint->main, endpoint);
    link_init(&endpoint->long_calls, endpoint);
    if (!address->is_local && !identity_has_secret(client->identity)) {
        return fail(reterr, STATUS_FAILED_PRECONDITION,
                    "connect %s: rpc.secret is missing; without one use ipc://", address->url);
    }
    TRY(link_open(&endpoint->main, endpoint->address.url, reterr));
    TRY(link_open(&endpoint->long_calls, endpoint->address.long_url, reterr));
    *ret_endpoint = TAKE(endpoint);
    return STATUS_OK;
}

void endpoint_release(struct endpoint *endpoint)
{
    atomic_fetch_sub(&endpoint->open, 1);
}

void endpoint_let_go(struct endpoint *endpoint)
{
    atomic_fetch_sub(&endpoint->holds, 1);
}

static struct lane_set *find_set(struct endpoint *endpoint, enum rpc_class class,
                                 uint16_t partition)
{
    for (struct lane_set *set = atomic_load(&endpoint->sets); set; set = set->next) {
        if (set->class == class && set->partition == partition) return set;
    }
    return NULL;
}

struct lane_set *endpoint_set(struct endpoint *endpoint, enum rpc_class class, uint16_t partition)
{
    /* What travels alone shares its lanes between partitions. */
    if (class == RPC_LONG || class == RPC_BULK) partition = 0;
    struct lane_set *set = find_set(endpoint, class, partition);
    if (set) return set;

    (void)pthread_mutex_lock(&endpoint->mutex);
    set = find_set(endpoint, class, partition);
    if (!set) {
        set       = lane_set_new(endpoint, class, partition);
        set->next = atomic_load(&endpoint->sets);
        atomic_store(&endpoint->sets, set);
    }
    (void)pthread_mutex_unlock(&endpoint->mutex);
    return set;
}
