/* What the life of a call asks of this transport. */
#include "base/assert.h"
#include "base/mem.h"
#include "http/plain_internal.h"

#include <stdio.h>
#include <stdlib.h>

enum { HEAD_SENT_MAX = HTTP_URL_MAX + 2 * HTTP_HEADERS_MAX }; /* bytes; with the ends of lines */

struct plain *plain_new(struct http_client *client)
{
    struct plain *plain = mem_new(1, sizeof *plain);
    plain->client       = client;
    plain->loop         = client->loop;
    plain->input        = mem_alloc(PLAIN_INPUT_SIZE);
    plain->output       = buf_init(HEAD_SENT_MAX);
    plain->origins      = map_new(2 * (size_t)client->calls_max);
    plain->sweep        = (struct loop_timer){.fire = pool_sweep, .context = plain};
    return plain;
}

void plain_freep(struct plain **plain)
{
    struct plain *gone = TAKE(*plain);
    if (!gone) return;
    pool_done(gone);
    buf_done(&gone->output);
    free(gone->input);
    free(gone);
}

bool plain_takes(const struct http_call *call)
{
    const struct request *request = &call->request;
    bool may_pause = request->is_compressed && call->handlers.on_data; /* in the middle of gzip */
    return call->client->plain && !call->client->rewrites && !request->proxy &&
           !request->target.is_https && !may_pause;
}

bool plain_fail(struct http_call *call, enum http_failure failure, const char *reason)
{
    call->failure = failure;
    if (reason) (void)snprintf(call->reason, sizeof call->reason, "%s", reason);
    return false;
}

/* A pooled connection may have been opened by a call with other rights, so its address is checked
 * again. */
static bool begin(struct http_call *call, struct plain_conn *conn)
{
    conn->call = call;
    if (!request_allows(call, &conn->address)) return plain_fail(call, HTTP_REFUSED, NULL);
    plain_conn_begin(conn);
    return true;
}

static bool find(struct http_call *call)
{
    switch (pool_find(call)) {
    case POOL_WAITS: return true;
    case POOL_MAY_OPEN: return dial_start(call);
    case POOL_GIVES: break;
    }
    call->is_reused = true;
    return begin(call, call->plain->conn);
}

bool plain_start(struct http_call *call)
{
    call->plain = mem_new(1, sizeof *call->plain);
    pool_enter(call);
    return find(call);
}

void plain_go_on(struct http_call *call)
{
    ASSERT(!call->plain->conn && !call->plain->dial);
    if (!find(call)) call_finish(call);
}

bool plain_dialled(struct http_call *call, struct plain_conn *conn)
{
    call->plain->conn = conn;
    conn->origin      = call->plain->origin; /* where it is counted */
    call->is_reused   = false;
    pool_opened(call->client->plain, conn->origin);
    return begin(call, conn);
}

struct loop_ahead *http_call_ahead(struct http_call *call)
{
    return call->plain && call->plain->conn ? &call->plain->conn->ahead : NULL;
}

bool plain_resume(struct http_call *call)
{
    return plain_conn_resume(call->plain->conn);
}

/* Gives up the connection, for others or for good. */
static void release(struct http_call *call, bool is_fine)
{
    struct plain_conn *conn = TAKE(call->plain->conn);
    inflation_freep(&conn->inflation);
    if (is_fine && plain_conn_is_reusable(conn)) {
        pool_put(conn);
    } else {
        plain_conn_close(conn);
    }
}

void plain_cut(struct http_call *call)
{
    if (call->redirect_url) { /* where to go is known, whatever else it would have said */
        call_finish(call);
        return;
    }
    bool is_dead = call->phase == CALL_SENDING && call->is_reused; /* when it was taken, perhaps */
    if (!is_dead || !call->sent || !request_is_repeatable(&call->request)) {
        (void)plain_fail(call, HTTP_CUT, NULL);
        call_finish(call);
        return;
    }
    release(call, false);
    call->plain->is_repeated = true;
    call->is_reused          = false;
    call->phase              = CALL_CONNECTING;
    call->hop_ms             = loop_now_ms(call->client->loop);
    call_arm(call);
    client_unsettle(call);
}

void plain_stop(struct http_call *call)
{
    struct plain_call *mine = call->plain;
    if (!mine) return;
    struct plain *plain = call->client->plain;
    if (mine->dial) {
        dial_free(TAKE(mine->dial));
        pool_opened(plain, mine->origin);
        pool_uncount(plain, mine->origin);
    }
    if (mine->conn) release(call, !call->is_cancelled && call->failure == HTTP_NO_FAILURE);
    pool_leave(call);
    free(TAKE(call->plain));
}
