/*
 * The multi handle on the loop. Order of work in each turn, and why: tell libcurl what is ready,
 * take what has finished, then add what is new, then wait. Waiting before adding cost a factor of
 * thousands (10 requests/s).
 */
#include "base/assert.h"
#include "base/mem.h"
#include "http/http_internal.h"
#include "http/plain_internal.h"

#include <stdio.h>
#include <stdlib.h>

/*
 * A socket of libcurl's. One of a connection is ours from opening to closing: libcurl lets it go
 * after a request and asks for it with the next one, and we go on watching it in between, which
 * spares two system calls for each request. Others are of libcurl's resolver.
 */
struct watched {
    struct http_client *client;
    curl_socket_t fd;
    unsigned events;
    struct loop_watch *watch; /* NULL: it is not watched */
    bool is_own;
    bool is_wanted; /* libcurl asks for its events */
};

status http_init(struct error *reterr)
{
    CURLcode code = curl_global_init(CURL_GLOBAL_ALL);
    if (code == CURLE_OK) return STATUS_OK;
    return fail(reterr, STATUS_UNAVAILABLE, "http: %s", curl_easy_strerror(code));
}

/* --- Inside and outside of transports --------------------------------------------------------- */

void client_enter(struct http_client *client)
{
    client->depth++;
}

void client_leave(struct http_client *client)
{
    ASSERT(client->depth > 0);
    client->depth--;
}

static void ask_for_work(struct http_client *client)
{
    if (!client->is_working) loop_notify(client->loop, &client->notice);
}

/* --- What waits until we are outside ---------------------------------------------------------- */

void client_unsettle(struct http_call *call)
{
    struct http_client *client = call->client;
    if (call->is_unsettled) return;
    call->is_unsettled   = true;
    call->unsettled_prev = client->unsettled_last;
    call->unsettled_next = NULL;
    if (client->unsettled_last) {
        client->unsettled_last->unsettled_next = call;
    } else {
        client->unsettled = call;
    }
    client->unsettled_last = call;
    client->unsettled_count++;
    ask_for_work(client);
}

void client_forget_unsettled(struct http_call *call)
{
    struct http_client *client = call->client;
    if (!call->is_unsettled) return;
    call->is_unsettled = false;
    if (call->unsettled_prev) {
        call->unsettled_prev->unsettled_next = call->unsettled_next;
    } else {
        client->unsettled = call->unsettled_next;
    }
    if (call->unsettled_next) {
        call->unsettled_next->unsettled_prev = call->unsettled_prev;
    } else {
        client->unsettled_last = call->unsettled_prev;
    }
    client->unsettled_count--;
}

static void settle_one(struct http_call *call)
{
    client_forget_unsettled(call);
    if (call->is_cancelled) {
        call_free(call);
    } else if (call->phase == CALL_QUEUED) {
        call_begin_hop(call);
    } else if (call->phase == CALL_CONNECTING) {
        plain_go_on(call);
    } else {
        call_resume(call);
    }
}

static void finish_transfers(struct http_client *client)
{
    const CURLMsg *message = NULL;
    int left               = 0;
    while ((message = curl_multi_info_read(client->multi, &left))) {
        ASSERT(message->msg == CURLMSG_DONE);
        CURLcode curl_code     = message->data.result; /* the message dies with its handle */
        struct http_call *call = NULL;
        (void)curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, (char **)&call);
        ASSERT(call);
        transfer_ended(call, curl_code);
        call_finish(call);
    }
}

static void settle(struct http_client *client)
{
    for (unsigned count = client->unsettled_count; count > 0 && client->unsettled; count--) {
        settle_one(client->unsettled);
    }
}

static void act(struct http_client *client, curl_socket_t fd, int events)
{
    int running = 0;
    client_enter(client);
    CURLMcode code = curl_multi_socket_action(client->multi, fd, events, &running);
    client_leave(client);
    ASSERT(code == CURLM_OK);
}

/*
 * One pass, and never a second one in the same turn: with a fast server near by, answers are there
 * before we look away, and one connection would keep the loop from all others. So what callbacks
 * ask for waits. A timer of "now" means this turn's timers, or the next turn if they have run; but
 * set by a timer it means the next millisecond, so there a notice takes its place.
 */
static void work(struct http_client *client, bool is_timer)
{
    ASSERT(client->depth == 0);
    ASSERT(!client->is_working);
    client->is_working = true;
    finish_transfers(client);
    settle(client);
    if (client->is_curl_due) {
        client->is_curl_due = false;
        act(client, CURL_SOCKET_TIMEOUT, 0);
        finish_transfers(client);
    }
    client->is_working = false;

    if (!client->is_curl_due && !client->unsettled) return;
    if (is_timer) {
        ask_for_work(client);
    } else {
        loop_timer_set(client->loop, &client->work_timer, loop_now_ms(client->loop));
    }
}

/* --- Sockets and timer ------------------------------------------------------------------------ */

static void curl_timer_fired(void *context)
{
    struct http_client *client = context;
    client->is_curl_due        = true;
    work(client, true);
}

static void work_timer_fired(void *context)
{
    work(context, true);
}

static void notified(void *context)
{
    work(context, false);
}

static void unwatch(struct watched *watched)
{
    loop_watch_forget(watched->watch);
    watched->watch = NULL;
}

static void socket_ready(unsigned events, void *context)
{
    struct watched *watched    = context; /* may be gone when act() returns */
    struct http_client *client = watched->client;
    if (!watched->is_wanted) { /* its server closes it: libcurl sees that before it uses it */
        unwatch(watched);
        return;
    }
    int curl_events = 0;
    if (events & (LOOP_READ | LOOP_HANGUP)) curl_events |= CURL_CSELECT_IN;
    if (events & LOOP_WRITE) curl_events |= CURL_CSELECT_OUT;
    if (events & LOOP_FAILED) curl_events |= CURL_CSELECT_ERR;
    client->is_working = true;
    act(client, watched->fd, curl_events);
    finish_transfers(client);
    client->is_working = false;
    if (client->is_curl_due || client->unsettled) { /* once, after all that are ready */
        loop_timer_set(client->loop, &client->work_timer, loop_now_ms(client->loop));
    }
}

static struct watched **slot_of(struct http_client *client, curl_socket_t fd)
{
    size_t index = (size_t)fd;
    if (index >= client->watched_size) {
        size_t size     = 2 * index + 64;
        client->watched = mem_resize(client->watched, size, sizeof client->watched[0]);
        memset(client->watched + client->watched_size, 0,
               (size - client->watched_size) * sizeof client->watched[0]);
        client->watched_size = size;
    }
    return &client->watched[index];
}

static struct watched *watched_of(struct http_client *client, curl_socket_t fd)
{
    struct watched **slot = slot_of(client, fd);
    if (*slot) return *slot;
    *slot  = mem_new(1, sizeof **slot);
    **slot = (struct watched){.client = client, .fd = fd};
    return *slot;
}

static void forget_socket(struct http_client *client, curl_socket_t fd)
{
    struct watched **slot = slot_of(client, fd);
    if (!*slot) return;
    unwatch(*slot);
    free(*slot);
    *slot = NULL;
}

static bool watch(struct watched *watched)
{
    if (watched->watch) {
        loop_watch_set(watched->watch, watched->events);
        return true;
    }
    return loop_watch_add(watched->client->loop, watched->fd, watched->events, socket_ready,
                          watched, &watched->watch, NULL) == STATUS_OK;
}

/*
 * 7.88 closes a socket whose connecting failed without a word to its multi handle and opens the
 * next, which often gets the same number. It takes the two for one, so it does not ask again to
 * have it watched; but epoll has forgotten the old one. Without this, a name with a dead first
 * address hangs.
 */
void client_opened(struct http_client *client, curl_socket_t fd)
{
    struct watched *watched = watched_of(client, fd);
    watched->is_own         = true;
    unwatch(watched);
    if (watched->is_wanted && !watch(watched)) forget_socket(client, fd); /* its timeout ends it */
}

void client_closing(struct http_client *client, curl_socket_t fd)
{
    struct watched *watched = watched_of(client, fd);
    watched->is_own         = false;
    unwatch(watched);
    if (!watched->is_wanted) forget_socket(client, fd); /* else: see client_opened() */
}

/* libcurl wants a socket watched, differently or no longer. -1 fails the transfer. */
static int watch_socket(CURL *, curl_socket_t fd, int what, void *context, void *)
{
    struct http_client *client = context;
    struct watched *watched    = watched_of(client, fd);
    if (what == CURL_POLL_REMOVE) {
        watched->is_wanted = false;
        if (!watched->is_own) forget_socket(client, fd);
        return 0;
    }
    watched->is_wanted = true;
    watched->events    = 0;
    if (what == CURL_POLL_IN || what == CURL_POLL_INOUT) watched->events |= LOOP_READ;
    if (what == CURL_POLL_OUT || what == CURL_POLL_INOUT) watched->events |= LOOP_WRITE;
    if (watch(watched)) return 0;
    forget_socket(client, fd);
    return -1;
}

/* Never acts at once: libcurl calls this from inside itself. */
static int set_curl_timer(CURLM *, long timeout_ms, void *context)
{
    struct http_client *client = context;
    client->is_curl_due        = timeout_ms == 0;
    if (client->is_curl_due) ask_for_work(client);
    if (timeout_ms <= 0) {
        loop_timer_clear(client->loop, &client->curl_timer);
    } else {
        int64_t due_ms = loop_now_ms(client->loop) + timeout_ms;
        loop_timer_set(client->loop, &client->curl_timer, due_ms);
    }
    return 0;
}

/* --- Life ------------------------------------------------------------------------------------- */

static bool set(bool so_far, CURLMcode code)
{
    return so_far && code == CURLM_OK;
}

static bool set_up(struct http_client *client)
{
    CURLM *multi     = client->multi;
    long connections = (long)client->calls_max + 8; /* fewer would close what is in use */
    long per_host    = (long)client->host_connections_max;
    bool is_set      = set(true, curl_multi_setopt(multi, CURLMOPT_SOCKETFUNCTION, watch_socket));
    is_set           = set(is_set, curl_multi_setopt(multi, CURLMOPT_SOCKETDATA, client));
    is_set = set(is_set, curl_multi_setopt(multi, CURLMOPT_TIMERFUNCTION, set_curl_timer));
    is_set = set(is_set, curl_multi_setopt(multi, CURLMOPT_TIMERDATA, client));
    is_set = set(is_set, curl_multi_setopt(multi, CURLMOPT_MAXCONNECTS, connections));
    is_set = set(is_set, curl_multi_setopt(multi, CURLMOPT_MAX_HOST_CONNECTIONS, per_host));
    is_set = set(is_set, curl_multi_setopt(multi, CURLMOPT_MAX_CONCURRENT_STREAMS, 128L));
    return set(is_set, curl_multi_setopt(multi, CURLMOPT_PIPELINING, CURLPIPE_MULTIPLEX));
}

static char *copy_or(const char *text, const char *otherwise)
{
    if (!text) text = otherwise;
    return text ? mem_dup(text, strlen(text)) : NULL;
}

/* "host:port=host:port", of which libcurl wants the colon. */
static status add_rewrites(struct http_client *client, const char *const *rewrites,
                           struct error *reterr)
{
    for (; rewrites && *rewrites; rewrites++) {
        const char *equals = strchr(*rewrites, '=');
        const char *colon  = strchr(*rewrites, ':');
        char text[REWRITE_SIZE];
        if (!equals || !colon || colon > equals || !strchr(equals, ':') ||
            strlen(*rewrites) >= sizeof text) {
            return fail(reterr, STATUS_INVALID_ARGUMENT,
                        "egress: %.80s is no rewrite; write shop.test:443=127.0.0.1:9443",
                        *rewrites);
        }
        (void)snprintf(text, sizeof text, "%.*s:%s", (int)(equals - *rewrites), *rewrites,
                       equals + 1);
        struct curl_slist *longer = curl_slist_append(client->rewrites, text);
        if (!longer) return fail(reterr, STATUS_UNAVAILABLE, "http: no memory for a rewrite");
        client->rewrites = longer;
    }
    return STATUS_OK;
}

status http_client_new(const struct http_client_options *options, struct http_client **ret_client,
                       struct error *reterr)
{
    ASSERT(options->loop);
    ASSERT(ret_client);
    CLEANUP(http_client_freep) struct http_client *client = mem_new(1, sizeof *client);
    unsigned per_host                                     = options->host_connections_max;
    client->loop                                          = options->loop;
    client->egress                                        = options->egress;
    client->calls_max            = options->calls_max ? options->calls_max : HTTP_CALLS_MAX;
    client->host_connections_max = per_host ? per_host : HTTP_HOST_CONNECTIONS_MAX;
    client->origins              = map_new(HTTP_ORIGINS_MAX);
    client->user_agent           = copy_or(options->user_agent, "tutti/" TUTTI_VERSION);
    client->ca_file              = copy_or(options->ca_file, NULL);
    TRY(add_rewrites(client, options->rewrites, reterr));
    client->curl_timer = (struct loop_timer){.fire = curl_timer_fired, .context = client};
    client->work_timer = (struct loop_timer){.fire = work_timer_fired, .context = client};
    client->notice     = (struct loop_notice){.run = notified, .context = client};
    client->multi      = curl_multi_init();
    client->names      = names_new(client->loop);
    client->plain      = plain_new(client);
    if (!client->multi || !set_up(client)) {
        return fail(reterr, STATUS_UNAVAILABLE, "http: the client cannot be set up");
    }
    *ret_client = TAKE(client);
    return STATUS_OK;
}

void http_client_free(struct http_client *client)
{
    if (!client) return;
    ASSERT(client->depth == 0);
    while (client->calls) call_free(client->calls);
    plain_freep(&client->plain);
    names_free(client->names);
    client_enter(client);
    transfer_free_spares(client);
    if (client->multi) (void)curl_multi_cleanup(client->multi);
    client_leave(client);
    loop_timer_clear(client->loop, &client->curl_timer);
    loop_timer_clear(client->loop, &client->work_timer);
    loop_notice_clear(client->loop, &client->notice);
    for (size_t i = 0; i < client->watched_size; i++) forget_socket(client, (curl_socket_t)i);
    free(client->watched);
    origins_done(client);
    free(client->user_agent);
    free(client->ca_file);
    curl_slist_free_all(client->rewrites);
    free(client);
}

void http_client_freep(struct http_client **client)
{
    http_client_free(*client);
}

void http_client_use_curl(struct http_client *client)
{
    ASSERT(!client->calls);
    plain_freep(&client->plain);
}

unsigned http_client_calls(const struct http_client *client)
{
    return client->call_count;
}
