/*
 * The thread that looks up dns+ names: an address that appears gets an endpoint, one that is gone
 * is parked, so that it gets no new calls, and closed after a while without any.
 */
#include "base/assert.h"
#include "base/clock.h"
#include "rpc/client_internal.h"

#include <arpa/inet.h>
#include <netdb.h>
#include <sys/socket.h>

struct found {
    char ips[RPC_ENDPOINTS_MAX][INET6_ADDRSTRLEN];
    unsigned count;
};

static void add_ip(struct found *found, const char *ip)
{
    for (unsigned i = 0; i < found->count; i++) {
        if (strcmp(found->ips[i], ip) == 0) return;
    }
    if (found->count == RPC_ENDPOINTS_MAX) return;
    memcpy(found->ips[found->count++], ip, strlen(ip) + 1);
}

static bool look_up(const char *host, struct found *found)
{
    struct addrinfo *list  = NULL;
    struct addrinfo wanted = {.ai_socktype = SOCK_STREAM};
    if (getaddrinfo(host, NULL, &wanted, &list) != 0) return false;
    for (const struct addrinfo *at = list; at; at = at->ai_next) {
        char ip[INET6_ADDRSTRLEN];
        if (getnameinfo(at->ai_addr, at->ai_addrlen, ip, sizeof ip, NULL, 0, NI_NUMERICHOST) == 0) {
            add_ip(found, ip);
        }
    }
    freeaddrinfo(list);
    return found->count > 0;
}

/* Under the mutex. */
static struct endpoint *find(struct rpc_client *client, int target, const char *url)
{
    for (struct endpoint *at = client->endpoints; at; at = at->next) {
        if (at->target == target && strcmp(at->address.url, url) == 0) return at;
    }
    return NULL;
}

static void appear(struct rpc_client *client, int target, const char *ip)
{
    struct address address;
    address_resolve(&client->targets[target], ip, &address);
    (void)pthread_mutex_lock(&client->mutex);
    struct endpoint *known = find(client, target, address.url);
    if (known) known->parked_ms = 0;
    bool may_add = !known && client->endpoint_count < RPC_ENDPOINTS_MAX;
    (void)pthread_mutex_unlock(&client->mutex);

    struct endpoint *added = NULL;
    if (!may_add || endpoint_new(client, &address, target, &added, NULL) != STATUS_OK) return;
    client_add(client, added);
}

static bool is_among(const struct rpc_client *client, const struct endpoint *endpoint,
                     const struct found *found)
{
    for (unsigned i = 0; i < found->count; i++) {
        struct address address;
        address_resolve(&client->targets[endpoint->target], found->ips[i], &address);
        if (strcmp(address.url, endpoint->address.url) == 0) return true;
    }
    return false;
}

static void park_others(struct rpc_client *client, int target, const struct found *found,
                        int64_t now_ms)
{
    (void)pthread_mutex_lock(&client->mutex);
    for (struct endpoint *at = client->endpoints; at; at = at->next) {
        if (at->target != target || at->parked_ms > 0) continue;
        if (!is_among(client, at, found)) at->parked_ms = now_ms;
    }
    (void)pthread_mutex_unlock(&client->mutex);
}

/* Takes one endpoint off the list that was parked for long and that nobody holds. */
static struct endpoint *take_idle(struct rpc_client *client, int64_t now_ms)
{
    struct endpoint *idle = NULL;
    (void)pthread_mutex_lock(&client->mutex);
    for (struct endpoint **link = &client->endpoints; *link && !idle; link = &(*link)->next) {
        struct endpoint *at = *link;
        bool is_due         = at->parked_ms > 0 && now_ms - at->parked_ms >= PARKED_CLOSE_MS;
        if (!is_due || atomic_load(&at->open) > 0 || atomic_load(&at->holds) > 0) continue;
        *link = at->next;
        client->endpoint_count--;
        idle = at;
        break;
    }
    for (unsigned i = 0; idle && i < RPC_PARTITIONS_MAX; i++) {
        if (client->owners[i].endpoint == idle) client->owners[i].endpoint = NULL;
    }
    (void)pthread_mutex_unlock(&client->mutex);
    return idle;
}

static void resolve_all(struct rpc_client *client)
{
    for (unsigned i = 0; i < client->target_count; i++) {
        if (!client->targets[i].is_dns) continue;
        struct found found = {};
        /* A name server that does not answer takes nobody's endpoint away. */
        if (!look_up(client->targets[i].host, &found)) continue;
        for (unsigned j = 0; j < found.count; j++) appear(client, (int)i, found.ips[j]);
        park_others(client, (int)i, &found, clock_mono_ms());
    }
    struct endpoint *idle;
    while ((idle = take_idle(client, clock_mono_ms()))) endpoint_free(idle);
}

static void wait_ms(struct rpc_client *client, int64_t ms)
{
    int64_t until_ms      = clock_mono_ms() + ms;
    struct timespec until = {
        .tv_sec  = (time_t)(until_ms / 1000),
        .tv_nsec = (long)(until_ms % 1000) * 1'000'000,
    };
    (void)pthread_cond_timedwait(&client->clock_changed, &client->clock_mutex, &until);
}

static void *run(void *argument)
{
    struct rpc_client *client = argument;
    for (;;) {
        resolve_all(client);
        (void)pthread_mutex_lock(&client->clock_mutex);
        client->is_resolved = true;
        (void)pthread_cond_broadcast(&client->clock_changed);
        int64_t until_ms = clock_mono_ms() + RESOLVE_PERIOD_MS;
        while (!client->is_resolver_stopping && clock_mono_ms() < until_ms) {
            wait_ms(client, until_ms - clock_mono_ms());
        }
        bool is_stopping = client->is_resolver_stopping;
        (void)pthread_mutex_unlock(&client->clock_mutex);
        if (is_stopping) return NULL;
    }
}

void resolver_start(struct rpc_client *client)
{
    bool is_needed = false;
    for (unsigned i = 0; i < client->target_count; i++) is_needed |= client->targets[i].is_dns;
    if (!is_needed) return;
    int error = pthread_create(&client->resolver_thread, NULL, run, client);
    ASSERT(error == 0); /* out of threads at the start */
    client->has_resolver = true;

    int64_t until_ms = clock_mono_ms() + RESOLVE_FIRST_MS;
    (void)pthread_mutex_lock(&client->clock_mutex);
    while (!client->is_resolved && clock_mono_ms() < until_ms) {
        wait_ms(client, until_ms - clock_mono_ms());
    }
    (void)pthread_mutex_unlock(&client->clock_mutex);
}

void resolver_stop(struct rpc_client *client)
{
    if (!client->has_resolver) return;
    (void)pthread_mutex_lock(&client->clock_mutex);
    client->is_resolver_stopping = true;
    (void)pthread_cond_broadcast(&client->clock_changed);
    (void)pthread_mutex_unlock(&client->clock_mutex);
    (void)pthread_join(client->resolver_thread, NULL);
    client->has_resolver = false;
}
