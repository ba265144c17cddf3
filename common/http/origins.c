/*
 * How many connections there are to each origin, and how many calls. libcurl finds a connection to
 * use again by looking at all it has to the same host, also at those in use: with thousands of
 * streams that costs more than all else of a start. Where every connection has its call it need not
 * look.
 *
 * Of plain HTTP only, where a connection has one call at a time. What is counted wrong costs a
 * look or a connection, nothing else.
 */
#include "base/mem.h"
#include "http/http_internal.h"

#include <stdlib.h>

enum { KEY_MAX = URL_HOST_MAX + 32 /* bytes */ };

struct origin {
    unsigned calls;
    unsigned connections;
    size_t key_len;
    char key[KEY_MAX];
};

static str key_of(const struct origin *origin)
{
    return (str){.ptr = origin->key, .len = origin->key_len};
}

/* NULL: too many have connections. */
static struct origin *find_or_make(struct http_client *client, str key)
{
    struct origin *origin = map_get(client->origins, key);
    if (origin) return origin;
    origin          = mem_new(1, sizeof *origin);
    origin->key_len = key.len;
    memcpy(origin->key, key.ptr, key.len);
    if (map_put(client->origins, key, origin)) return origin;
    free(origin);
    return NULL;
}

static void free_if_unused(struct http_client *client, struct origin *origin)
{
    if (origin->calls > 0 || origin->connections > 0) return;
    (void)map_remove(client->origins, key_of(origin));
    free(origin);
}

void origin_enter(struct http_call *call)
{
    CLEANUP(buf_done) struct buf key = buf_init(KEY_MAX);
    if (call->request.target.is_https || !url_put_origin(&key, &call->request.target)) return;
    call->transfer->origin = find_or_make(call->client, buf_str(&key));
    if (call->transfer->origin) call->transfer->origin->calls++;
}

void origin_leave(struct http_call *call)
{
    struct origin *origin = TAKE(call->transfer->origin);
    if (!origin) return;
    origin->calls--;
    free_if_unused(call->client, origin);
}

void origin_opened(const struct http_call *call, curl_socket_t fd)
{
    struct http_client *client = call->client;
    size_t index               = (size_t)fd;
    origin_closed(client, fd);
    if (!call->transfer->origin) return;
    if (index >= client->sockets_size) {
        size_t size     = 2 * index + 64;
        client->sockets = mem_resize(client->sockets, size, sizeof(struct origin *));
        memset(client->sockets + client->sockets_size, 0,
               (size - client->sockets_size) * sizeof(struct origin *));
        client->sockets_size = size;
    }
    client->sockets[index] = call->transfer->origin;
    call->transfer->origin->connections++;
}

void origin_closed(struct http_client *client, curl_socket_t fd)
{
    size_t index = (size_t)fd;
    if (index >= client->sockets_size || !client->sockets[index]) return;
    struct origin *origin = TAKE(client->sockets[index]);
    origin->connections--;
    free_if_unused(client, origin);
}

bool origin_is_busy(const struct http_call *call)
{
    const struct origin *origin = call->transfer->origin;
    return origin && origin->calls > origin->connections &&
           origin->calls <= call->client->host_connections_max;
}

void origins_done(struct http_client *client)
{
    size_t cursor = 0;
    str key       = {};
    void *origin  = NULL;
    while (client->origins && map_next(client->origins, &cursor, &key, &origin)) free(origin);
    map_free(client->origins);
    free(client->sockets);
}
