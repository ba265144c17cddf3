/* Which endpoint a call goes to. */
#include "base/assert.h"
#include "base/clock.h"
#include "rpc/client_internal.h"

#include <limits.h>

/* Under the mutex: connected before not connected, then the fewest open calls. */
static struct endpoint *least_busy(struct rpc_client *client, const struct endpoint *avoid)
{
    struct endpoint *best = NULL;
    unsigned best_open    = UINT_MAX;
    bool best_up          = false;
    for (struct endpoint *at = client->endpoints; at; at = at->next) {
        if (at->parked_ms > 0 || at->target < 0) continue;
        bool is_up    = at != avoid && link_is_up(&at->main);
        unsigned open = atomic_load(&at->open);
        if (best && (best_up > is_up || (best_up == is_up && best_open <= open))) continue;
        best      = at;
        best_open = open;
        best_up   = is_up;
    }
    return best;
}

/* Under the mutex: partition p belongs to part p mod count of the list. */
static struct endpoint *listed_owner(struct rpc_client *client, uint16_t partition)
{
    struct endpoint *found = NULL;
    int target             = (int)(partition % client->target_count);
    for (struct endpoint *at = client->endpoints; at; at = at->next) {
        if (at->parked_ms > 0 || at->target != target) continue;
        if (!found || link_is_up(&at->main)) found = at;
    }
    return found;
}

void client_add(struct rpc_client *client, struct endpoint *endpoint)
{
    (void)pthread_mutex_lock(&client->mutex);
    endpoint->next    = client->endpoints;
    client->endpoints = endpoint;
    client->endpoint_count++;
    (void)pthread_mutex_unlock(&client->mutex);
}

unsigned client_hold_all(struct rpc_client *client,
                         struct endpoint *ret_held[static RPC_ENDPOINTS_MAX])
{
    unsigned count = 0;
    (void)pthread_mutex_lock(&client->mutex);
    for (struct endpoint *at = client->endpoints; at && count < RPC_ENDPOINTS_MAX; at = at->next) {
        atomic_fetch_add(&at->holds, 1);
        ret_held[count++] = at;
    }
    (void)pthread_mutex_unlock(&client->mutex);
    return count;
}

struct endpoint *client_choose(struct rpc_client *client, uint16_t partition,
                               const struct endpoint *avoid)
{
    (void)pthread_mutex_lock(&client->mutex);
    struct endpoint *found = NULL;
    if (client->choice == RPC_LEAST_BUSY) {
        found = least_busy(client, avoid);
    } else if (partition < RPC_PARTITIONS_MAX) {
        found = client->owners[partition].endpoint;
        if (!found) found = listed_owner(client, partition);
    }
    if (found) {
        atomic_fetch_add(&found->open, 1);
        atomic_fetch_add(&found->holds, 1);
    }
    (void)pthread_mutex_unlock(&client->mutex);
    return found;
}

bool client_has_better(struct rpc_client *client, const struct endpoint *endpoint)
{
    if (client->choice != RPC_LEAST_BUSY) return false; /* an owner cannot be replaced */
    (void)pthread_mutex_lock(&client->mutex);
    const struct endpoint *best = least_busy(client, endpoint);
    bool is_better              = best && best != endpoint && link_is_up(&best->main);
    (void)pthread_mutex_unlock(&client->mutex);
    return is_better;
}

void client_look_again(struct rpc_client *client)
{
    struct endpoint *held[RPC_ENDPOINTS_MAX];
    unsigned count = client_hold_all(client, held);
    for (unsigned i = 0; i < count; i++) {
        for (struct lane_set *set = atomic_load(&held[i]->sets); set; set = set->next) {
            lane_set_look_again(set);
        }
        endpoint_let_go(held[i]);
    }
    client_clock_wake(client, 0);
}

/* Under the mutex. */
static struct endpoint *find_url(struct rpc_client *client, const char *url)
{
    for (struct endpoint *at = client->endpoints; at; at = at->next) {
        if (at->parked_ms == 0 && strcmp(at->address.url, url) == 0) return at;
    }
    return NULL;
}

/* An owner that no list names: it gets an endpoint of its own. */
static struct endpoint *endpoint_of(struct rpc_client *client, const char *owner)
{
    struct address address;
    if (address_parse(str_from(owner), &address, NULL) != STATUS_OK || address.is_dns) return NULL;

    (void)pthread_mutex_lock(&client->mutex);
    struct endpoint *found = find_url(client, address.url);
    bool may_add           = client->endpoint_count < RPC_ENDPOINTS_MAX;
    (void)pthread_mutex_unlock(&client->mutex);
    if (found || !may_add) return found;

    struct endpoint *added = NULL;
    if (endpoint_new(client, &address, -1, &added, NULL) != STATUS_OK) return NULL;
    (void)pthread_mutex_lock(&client->mutex);
    found = find_url(client, address.url); /* another answer may have been quicker */
    /* Then ours stays unused: to close it waits for callbacks, and this is one. */
    if (found) added->parked_ms = clock_mono_ms();
    added->next       = client->endpoints;
    client->endpoints = added;
    client->endpoint_count++;
    (void)pthread_mutex_unlock(&client->mutex);
    return found ? found : added;
}

void client_moved(struct rpc_client *client, const Pb__Moved *moved)
{
    ASSERT(moved->partition < RPC_PARTITIONS_MAX);
    struct endpoint *endpoint = *moved->owner ? endpoint_of(client, moved->owner) : NULL;
    if (*moved->owner && !endpoint) return;
    (void)pthread_mutex_lock(&client->mutex);
    struct owner *owner = &client->owners[moved->partition];
    if (moved->epoch >= owner->epoch) *owner = (struct owner){endpoint, moved->epoch};
    (void)pthread_mutex_unlock(&client->mutex);
}
