/*
 * Connections by origin. Each that is there, or is being opened, is counted, so that no origin has
 * more than the client allows; calls that find none wait in the order they came. Nor are more
 * opened at once than a server's queue of those that it has not accepted may hold: what does not
 * fit in is dropped and tried again by the kernel, seconds later.
 */
#include "base/assert.h"
#include "base/mem.h"
#include "http/plain_internal.h"

#include <stdlib.h>

/* --- Origins ---------------------------------------------------------------------------------- */

static str key_of(const struct plain_origin *origin)
{
    return (str){.ptr = origin->key, .len = origin->key_len};
}

static void free_if_unused(struct plain *plain, struct plain_origin *origin)
{
    if (origin->conn_count > 0 || origin->call_count > 0) return;
    (void)map_remove(plain->origins, key_of(origin));
    free(origin);
}

/* Host, in any case, and port, without printing them: this is asked for each call. */
static str write_key(const struct url *target, char key[static PLAIN_ORIGIN_KEY_MAX])
{
    size_t len = target->host.len;
    ASSERT(len <= URL_HOST_MAX);
    for (size_t i = 0; i < len; i++) {
        char c = target->host.ptr[i];
        key[i] = c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
    }
    key[len++] = (char)(target->port >> 8);
    key[len++] = (char)(target->port & 0xff);
    return (str){.ptr = key, .len = len};
}

void pool_enter(struct http_call *call)
{
    char text[PLAIN_ORIGIN_KEY_MAX];
    struct plain *plain         = call->client->plain;
    str key                     = write_key(&call->request.target, text);
    struct plain_origin *origin = map_get(plain->origins, key);
    if (!origin) {
        origin          = mem_new(1, sizeof *origin);
        origin->key_len = key.len;
        memcpy(origin->key, key.ptr, key.len);
        bool is_put = map_put(plain->origins, key, origin);
        ASSERT(is_put); /* each has a call or a connection, and both are limited */
    }
    origin->call_count++;
    call->plain->origin = origin;
}

/* --- Calls that wait -------------------------------------------------------------------------- */

static void wait_here(struct plain_origin *origin, struct http_call *call)
{
    struct plain_call *mine = call->plain;
    if (mine->is_waiting) return; /* where it is: it was woken too early */
    mine->is_waiting = true;
    mine->prev       = origin->last;
    mine->next       = NULL;
    if (origin->last) {
        origin->last->plain->next = call;
    } else {
        origin->first = call;
    }
    origin->last = call;
}

static void wait_no_more(struct plain_origin *origin, struct http_call *call)
{
    struct plain_call *mine = call->plain;
    if (!mine->is_waiting) return;
    mine->is_waiting = false;
    if (mine->prev) {
        mine->prev->plain->next = mine->next;
    } else {
        origin->first = mine->next;
    }
    if (mine->next) {
        mine->next->plain->prev = mine->prev;
    } else {
        origin->last = mine->prev;
    }
}

static unsigned room_of(const struct plain *plain, const struct plain_origin *origin)
{
    unsigned to_max  = plain->client->host_connections_max - origin->conn_count;
    unsigned to_open = PLAIN_OPENING_MAX - origin->opening_count;
    return origin->idle_count + (to_max < to_open ? to_max : to_open);
}

/* Not at once: we may be in the middle of another call. */
static void wake(const struct plain *plain, const struct plain_origin *origin)
{
    unsigned room = origin->first ? room_of(plain, origin) : 0;
    for (struct http_call *call = origin->first; call && room > 0; call = call->plain->next) {
        client_unsettle(call);
        room--;
    }
}

void pool_leave(struct http_call *call)
{
    struct plain *plain         = call->client->plain;
    struct plain_origin *origin = TAKE(call->plain->origin);
    wait_no_more(origin, call);
    wake(plain, origin); /* it may have been woken and not come to it */
    origin->call_count--;
    free_if_unused(plain, origin);
}

/* --- Idle connections ------------------------------------------------------------------------- */

void pool_take_out(struct plain_conn *conn)
{
    struct plain *plain = conn->plain;
    if (conn->younger) conn->younger->older = conn->older;
    if (!conn->younger) conn->origin->newest = conn->older;
    if (conn->older) conn->older->younger = conn->younger;
    if (conn->younger_idle) conn->younger_idle->older_idle = conn->older_idle;
    if (!conn->younger_idle) plain->newest = conn->older_idle;
    if (conn->older_idle) conn->older_idle->younger_idle = conn->younger_idle;
    if (!conn->older_idle) plain->oldest = conn->younger_idle;
    conn->origin->idle_count--;
    conn->older = conn->younger = NULL;
    conn->older_idle = conn->younger_idle = NULL;
}

void pool_put(struct plain_conn *conn)
{
    struct plain *plain = conn->plain;
    conn->call          = NULL;
    conn->idle_ms       = loop_now_ms(plain->loop);
    conn->older         = conn->origin->newest;
    conn->older_idle    = plain->newest;
    if (conn->older) conn->older->younger = conn;
    if (conn->older_idle) conn->older_idle->younger_idle = conn;
    if (!conn->older_idle) plain->oldest = conn;
    conn->origin->newest = conn;
    conn->origin->idle_count++;
    plain->newest = conn;
    if (!loop_timer_is_set(&plain->sweep)) {
        loop_timer_set(plain->loop, &plain->sweep, conn->idle_ms + PLAIN_IDLE_MS);
    }
    wake(plain, conn->origin);
}

void pool_opened(struct plain *plain, struct plain_origin *origin)
{
    ASSERT(origin->opening_count > 0);
    origin->opening_count--;
    wake(plain, origin);
}

void pool_uncount(struct plain *plain, struct plain_origin *origin)
{
    ASSERT(origin->conn_count > 0);
    origin->conn_count--;
    plain->conn_count--;
    wake(plain, origin);
    free_if_unused(plain, origin);
}

/* One that was idle for long may be closed by its server while a request is on its way. The loop
 * has looked at those of an earlier turn, but not at what came since: enough for what may be sent
 * twice. */
static bool is_fresh_enough(const struct plain_conn *conn, const struct http_call *call)
{
    int64_t idle_ms = loop_now_ms(conn->plain->loop) - conn->idle_ms;
    if (idle_ms > 0 && request_is_repeatable(&call->request)) return true;
    return idle_ms <= (int64_t)HTTP_POOLED_IDLE_S * 1000 && plain_conn_is_alive(conn);
}

static struct plain_conn *take_idle(struct plain_origin *origin, const struct http_call *call)
{
    struct plain_conn *conn = NULL;
    while ((conn = origin->newest)) {
        if (is_fresh_enough(conn, call)) {
            pool_take_out(conn);
            return conn;
        }
        plain_conn_close(conn); /* the older ones are no better */
    }
    return NULL;
}

/* Counts one that is about to be opened. */
static bool count_one(struct plain *plain, struct plain_origin *origin)
{
    if (origin->conn_count >= plain->client->host_connections_max) return false;
    if (origin->opening_count == PLAIN_OPENING_MAX) return false;
    bool is_full = plain->conn_count >= plain->client->calls_max;
    if (is_full && plain->oldest) plain_conn_close(plain->oldest);
    origin->opening_count++;
    origin->conn_count++;
    plain->conn_count++;
    return true;
}

enum pool_find pool_find(struct http_call *call)
{
    struct plain *plain         = call->client->plain;
    struct plain_call *mine     = call->plain;
    struct plain_origin *origin = mine->origin;
    enum pool_find found        = POOL_WAITS;
    if (!origin->first || origin->first == call) {
        bool is_full = origin->conn_count >= plain->client->host_connections_max;
        if (mine->is_repeated && is_full && origin->newest) plain_conn_close(origin->newest);
        mine->conn = mine->is_repeated ? NULL : take_idle(origin, call);
        if (mine->conn) {
            found = POOL_GIVES;
        } else if (count_one(plain, origin)) {
            found = POOL_MAY_OPEN;
        }
    }
    if (found == POOL_WAITS) {
        wait_here(origin, call);
        return POOL_WAITS;
    }
    wait_no_more(origin, call);
    client_forget_unsettled(call); /* it was woken itself by what was closed here */
    wake(plain, origin);
    return found;
}

/* --- Life ------------------------------------------------------------------------------------- */

void pool_sweep(void *context)
{
    struct plain *plain = context;
    int64_t old_ms      = loop_now_ms(plain->loop) - PLAIN_IDLE_MS;
    while (plain->oldest && plain->oldest->idle_ms <= old_ms) plain_conn_close(plain->oldest);
    if (!plain->oldest) return;
    loop_timer_set(plain->loop, &plain->sweep, plain->oldest->idle_ms + PLAIN_IDLE_MS);
}

void pool_done(struct plain *plain)
{
    while (plain->oldest) plain_conn_close(plain->oldest);
    loop_timer_clear(plain->loop, &plain->sweep);
    ASSERT(plain->conn_count == 0 && map_count(plain->origins) == 0);
    map_free(plain->origins);
}
