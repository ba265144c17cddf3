#include "tool-adapter/peers/mcp_session.h"

#include "base/assert.h"
#include "base/buf.h"
#include "base/clock.h"
#include "base/hash.h"
#include "base/mem.h"
#include "json/json_text.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    KEY_TEXT_MAX = 1 << 20, /* bytes that a key is made of */
    KEY_SIZE     = SHA256_SIZE * 2 + 1,
    VERSION_SIZE = 16,
};

struct mcp_session {
    struct mcp_client *client;
    char key[KEY_SIZE];
    char id[MCP_SESSION_MAX + 1]; /* empty: the server gave none */
    char version[VERSION_SIZE];
    json endpoint, headers; /* owned; for the farewell */
    char *proxy;            /* owned; may be empty */
    bool keeps_private_out;
    bool is_open, is_lost;         /* lost: not found any more; gone with its last call */
    struct mcp_call *opener;       /* introduces itself; NULL: nobody */
    struct mcp_call *first, *last; /* wait for it */
    unsigned calls;                /* that use it, the opener and those that wait included */
    int64_t last_id;               /* of a request */
    struct loop_timer idle;
    struct mcp_session *next, *previous; /* all of the client */
};

/* --- one session ------------------------------------------------------------------------------ */

static void session_free(struct mcp_session *session)
{
    struct mcp_client *client = session->client;
    ASSERT(session->calls == 0);
    if (session->next) session->next->previous = session->previous;
    *(session->previous ? &session->previous->next : &client->sessions) = session->next;
    if (!session->is_lost) (void)map_remove(client->session_keys, str_from(session->key));
    loop_timer_clear(client->loop, &session->idle);
    json_unref(session->endpoint);
    json_unref(session->headers);
    free(session->proxy);
    free(session);
}

static void say_farewell(struct mcp_session *session)
{
    const struct mcp_outgoing outgoing = {.method      = "",
                                          .version     = session->version,
                                          .session     = session->id,
                                          .client_name = str_from("tutti"),
                                          .headers     = session->headers};
    const struct mcp_aside aside       = {.http_method       = "DELETE",
                                          .endpoint          = session->endpoint,
                                          .outgoing          = &outgoing,
                                          .proxy             = str_from(session->proxy),
                                          .keeps_private_out = session->keeps_private_out};
    if (session->is_open && !session->is_lost && *session->id) {
        mcp_aside_send(session->client, &aside);
    }
}

static void on_idle(void *context)
{
    say_farewell(context);
    session_free(context);
}

static struct mcp_session *session_new(struct mcp_call *call, const char *key)
{
    struct mcp_client *client      = call->client;
    const struct mcp_request *from = &call->request;
    struct mcp_session *session    = mem_new(1, sizeof *session);
    session->client                = client;
    session->endpoint              = json_ref(from->endpoint);
    session->headers               = json_ref(from->headers);
    session->proxy                 = mem_dup(from->proxy.ptr, from->proxy.len);
    session->keeps_private_out     = from->keeps_private_out;
    session->idle                  = (struct loop_timer){.fire = on_idle, .context = session};
    session->next                  = client->sessions;
    memcpy(session->key, key, KEY_SIZE);
    if (session->next) session->next->previous = session;
    client->sessions = session;
    bool is_put      = map_put(client->session_keys, str_from(key), session);
    ASSERT(is_put); /* MCP_SESSIONS_MAX is looked at before */
    return session;
}

/* Whose it is, where, and as whom: another token is another session. False: it is not shared. */
static bool make_key(const struct mcp_call *call, char ret_key[static KEY_SIZE])
{
    const struct mcp_request *request = &call->request;
    CLEANUP(buf_done) struct buf text = buf_init(KEY_TEXT_MAX);
    uint8_t hash[SHA256_SIZE];
    if (request->owner.len == 0 || request->answers) return false;
    bool is_whole = buf_put_str(&text, request->owner) && buf_put_byte(&text, '\n') &&
                    json_print(request->endpoint, JSON_SORTED, &text);
    if (is_whole && json_is(request->headers, JSON_OBJECT)) {
        is_whole = json_print(request->headers, JSON_SORTED, &text);
    }
    if (!is_whole || !buf_put_byte(&text, request->keeps_private_out ? '0' : '1') ||
        !buf_put_str(&text, request->proxy)) {
        return false;
    }
    sha256((bytes){text.ptr, text.len}, hash);
    hex_encode(hash, sizeof hash, ret_key);
    return true;
}

/* --- calls ------------------------------------------------------------------------------------ */

static void use(struct mcp_call *call, const struct mcp_session *session)
{
    (void)snprintf(call->session, sizeof call->session, "%s", session->id);
    call->version = arena_strdup(call->arena, str_from(session->version));
}

static void wait_for(struct mcp_call *call, struct mcp_session *session)
{
    mcp_call_send_soon(call, MCP_STEP_ASK, call->request.until_ms - clock_mono_ms());
    call->is_waiting   = true; /* so that is its end */
    call->next_waiting = NULL;
    *(session->last ? &session->last->next_waiting : &session->first) = call;
    session->last                                                     = call;
}

static struct mcp_call *take_waiting(struct mcp_session *session)
{
    struct mcp_call *call = session->first;
    if (!call) return NULL;
    session->first = call->next_waiting;
    if (!session->first) session->last = NULL;
    call->is_waiting = false;
    return call;
}

static void unwait(struct mcp_call *call)
{
    struct mcp_session *session = call->shared;
    struct mcp_call *before     = NULL;
    struct mcp_call *at         = session->first;
    while (at != call) {
        before = at;
        at     = at->next_waiting;
    }
    *(before ? &before->next_waiting : &session->first) = call->next_waiting;
    if (session->last == call) session->last = before;
    call->is_waiting = false;
}

int64_t mcp_call_next_id(struct mcp_call *call)
{
    return call->shared ? ++call->shared->last_id : call->id + 1;
}

enum mcp_joining mcp_session_join(struct mcp_call *call)
{
    struct mcp_client *client = call->client;
    char key[KEY_SIZE];
    ASSERT(!call->shared);
    if (!make_key(call, key)) return MCP_JOINING_OPENS;
    struct mcp_session *session = map_get(client->session_keys, str_from(key));
    if (!session && map_count(client->session_keys) == MCP_SESSIONS_MAX) return MCP_JOINING_OPENS;
    if (!session) session = session_new(call, key);
    loop_timer_clear(client->loop, &session->idle);
    session->calls++;
    call->shared = session;
    if (session->is_open) {
        use(call, session);
        return MCP_JOINING_HAS;
    }
    if (session->opener) {
        wait_for(call, session);
        return MCP_JOINING_WAITS;
    }
    session->opener = call;
    return MCP_JOINING_OPENS;
}

void mcp_session_open(struct mcp_call *call)
{
    struct mcp_session *session = call->shared;
    struct mcp_call *waiting    = NULL;
    if (!session || session->opener != call) return;
    (void)snprintf(session->id, sizeof session->id, "%s", call->session);
    (void)snprintf(session->version, sizeof session->version, "%s", call->version);
    session->opener      = NULL;
    session->is_open     = true;
    call->has_introduced = true;
    while ((waiting = take_waiting(session))) {
        use(waiting, session);
        mcp_call_send_soon(waiting, MCP_STEP_ASK, 0);
    }
}

bool mcp_session_is_own(const struct mcp_call *call)
{
    return !call->shared || call->shared->opener == call;
}

bool mcp_session_is_shared(const struct mcp_call *call)
{
    return call->shared && !call->has_introduced;
}

void mcp_session_lose(struct mcp_call *call)
{
    struct mcp_session *session = call->shared;
    if (session && !session->is_lost && session->opener != call) {
        session->is_lost = true;
        (void)map_remove(session->client->session_keys, str_from(session->key));
    }
    call->session[0] = '\0';
    mcp_session_leave(call);
}

/* The next of those that wait introduces itself in place of one that did not get there. */
static void pass_on(struct mcp_session *session)
{
    struct mcp_call *next = take_waiting(session);
    session->opener       = next;
    if (next) mcp_call_send_soon(next, MCP_STEP_INITIALIZE, 0);
}

void mcp_session_leave(struct mcp_call *call)
{
    struct mcp_session *session = call->shared;
    if (!session) return;
    struct loop *loop = session->client->loop;
    if (call->is_waiting) unwait(call);
    if (session->opener == call) pass_on(session);
    call->shared = NULL;
    if (--session->calls > 0) return;
    if (session->is_lost || !session->is_open) {
        session_free(session);
    } else if (session->client->is_ending) {
        on_idle(session);
    } else {
        loop_timer_set(loop, &session->idle, loop_now_ms(loop) + MCP_SESSION_IDLE_MS);
    }
}

/* --- all -------------------------------------------------------------------------------------- */

void mcp_sessions_end(struct mcp_client *client)
{
    struct mcp_session *next = NULL;
    for (struct mcp_session *one = client->sessions; one; one = next) {
        next = one->next;
        if (one->calls == 0) on_idle(one);
    }
}

void mcp_sessions_forget(struct mcp_client *client)
{
    while (client->sessions) session_free(client->sessions);
}
