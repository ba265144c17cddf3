/* A worker: the listener of one loop, its table of connections, what other threads send to them. */
#include "base/assert.h"
#include "base/clock.h"
#include "base/mem.h"
#include "httpd/server_internal.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { SLOTS_MIN = 64, MESSAGES_MIN = 32, AHEAD = 4 /* messages */ };

static void lock(struct worker *worker)
{
    int failed = pthread_mutex_lock(&worker->mutex);
    ASSERT(failed == 0);
}

static void unlock(struct worker *worker)
{
    int failed = pthread_mutex_unlock(&worker->mutex);
    ASSERT(failed == 0);
}

/* --- the table of connections ----------------------------------------------------------------- */

static uint32_t slot_take(struct worker *worker)
{
    if (worker->free_count == 0) {
        size_t grown       = worker->slot_count ? worker->slot_count * 2 : SLOTS_MIN;
        worker->slots      = mem_resize(worker->slots, grown, sizeof(struct conn *));
        worker->free_slots = mem_resize(worker->free_slots, grown, sizeof *worker->free_slots);
        for (size_t i = grown; i > worker->slot_count; i--) {
            worker->slots[i - 1]                     = NULL;
            worker->free_slots[worker->free_count++] = (uint32_t)(i - 1);
        }
        worker->slot_count = grown;
    }
    return worker->free_slots[--worker->free_count];
}

void worker_forget(struct worker *worker, const struct conn *conn)
{
    ASSERT(worker->slots[conn->slot] == conn);
    worker->slots[conn->slot]                = NULL;
    worker->free_slots[worker->free_count++] = conn->slot;
    size_t before                            = atomic_fetch_sub(&worker->httpd->counters.open, 1);
    ASSERT(before > 0);
}

static struct conn *find(const struct worker *worker, struct httpd_handle handle)
{
    if (handle.generation == 0 || handle.slot >= worker->slot_count) return NULL;
    struct conn *conn = worker->slots[handle.slot];
    return conn && conn->generation == handle.generation ? conn : NULL;
}

static void each_conn(struct worker *worker, void (*visit)(struct conn *conn, int64_t now_ms))
{
    int64_t now_ms = loop_now_ms(worker->loop);
    for (size_t i = 0; i < worker->slot_count; i++) {
        if (worker->slots[i]) visit(worker->slots[i], now_ms);
    }
}

static void sweep(void *context)
{
    struct worker *worker = context;
    each_conn(worker, conn_sweep);
    if (worker->free_count == worker->slot_count) return; /* set again by the next connection */
    loop_timer_set(worker->loop, &worker->sweep, loop_now_ms(worker->loop) + HTTPD_SWEEP_MS);
}

/* --- accepting -------------------------------------------------------------------------------- */

static void peer_text(const struct sockaddr_storage *address, char text[static HTTPD_PEER_SIZE])
{
    const void *raw = address->ss_family == AF_INET6
                          ? (const void *)&((const struct sockaddr_in6 *)address)->sin6_addr
                          : (const void *)&((const struct sockaddr_in *)address)->sin_addr;
    if (!inet_ntop(address->ss_family, raw, text, HTTPD_PEER_SIZE)) text[0] = '\0';
}

/* Too many connections: says so without making one more. */
static void turn_away(int fd)
{
    static const char text[] = "HTTP/1.1 503 Service Unavailable\r\nRetry-After: 1\r\n"
                               "Content-Length: 0\r\nConnection: close\r\n\r\n";
    (void)send(fd, text, sizeof text - 1, MSG_NOSIGNAL | MSG_DONTWAIT);
    (void)shutdown(fd, SHUT_WR);
    (void)close(fd);
}

static void admit(struct worker *worker, int fd, const struct sockaddr_storage *address)
{
    struct httpd *httpd = worker->httpd;
    (void)atomic_fetch_add(&httpd->counters.connections, 1);
    if (atomic_fetch_add(&httpd->counters.open, 1) >= httpd->options.connections_max) {
        (void)atomic_fetch_sub(&httpd->counters.open, 1);
        (void)atomic_fetch_add(&httpd->counters.refused, 1);
        turn_away(fd);
        return;
    }
    char peer[HTTPD_PEER_SIZE];
    peer_text(address, peer);
    uint32_t slot       = slot_take(worker);
    struct conn *conn   = conn_new(worker, fd, slot, peer);
    worker->slots[slot] = conn;
    status added = loop_watch_add(worker->loop, fd, LOOP_READ | LOOP_HANGUP, conn_ready, conn,
                                  &conn->watch, NULL);
    if (added != STATUS_OK) { /* the kernel's limit of watches */
        conn_free(conn, HTTPD_STOPPED);
        return;
    }
    if (loop_timer_is_set(&worker->sweep)) return;
    loop_timer_set(worker->loop, &worker->sweep, loop_now_ms(worker->loop) + HTTPD_SWEEP_MS);
}

/* Out of descriptors: the listener would stay ready and the loop would spin, so it rests. */
static void pause_accepting(struct worker *worker)
{
    loop_watch_set(worker->listener, 0);
    loop_timer_set(worker->loop, &worker->resume, loop_now_ms(worker->loop) + ACCEPT_PAUSE_MS);
}

static void resume_accepting(void *context)
{
    struct worker *worker = context;
    if (worker->listener) loop_watch_set(worker->listener, LOOP_READ);
}

/* Returns whether there may be more to accept. */
static bool accept_one(struct worker *worker)
{
    struct sockaddr_storage address;
    socklen_t size = sizeof address;
    int fd         = accept4(worker->listen_fd, (struct sockaddr *)&address, &size,
                             SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (fd >= 0) {
        admit(worker, fd, &address);
        return true;
    }
    if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM) {
        pause_accepting(worker);
        return false;
    }
    return errno != EAGAIN; /* anything else is about that one connection, which has gone */
}

static void accept_ready(unsigned events, void *context)
{
    (void)events;
    for (int i = 0; i < ACCEPT_BATCH && accept_one(context); i++) {
        /* the next */
    }
}

static void close_listener(struct worker *worker)
{
    if (worker->listen_fd < 0) return;
    loop_watch_remove(worker->listener);
    (void)close(worker->listen_fd);
    worker->listener  = NULL;
    worker->listen_fd = -1;
    loop_timer_clear(worker->loop, &worker->resume);
}

/* --- drain and stop --------------------------------------------------------------------------- */

static void drain(struct worker *worker)
{
    worker->is_draining = true;
    if (worker->listen_fd >= 0) {
        /* Whom the kernel has accepted would be reset by closing; a flood of them may. */
        for (int i = 0; i < LISTEN_BACKLOG && accept_one(worker); i++) {
            /* the next */
        }
    }
    close_listener(worker);
    each_conn(worker, conn_drain);
}

static void stop_conn(struct conn *conn, int64_t now_ms)
{
    (void)now_ms;
    conn_free(conn, HTTPD_STOPPED);
}

static void stop(struct worker *worker)
{
    worker->is_draining = true;
    close_listener(worker);
    each_conn(worker, stop_conn);
    loop_timer_clear(worker->loop, &worker->sweep);
}

/* --- messages --------------------------------------------------------------------------------- */

static size_t message_size(const struct message *message)
{
    return sizeof *message + (message->answer.buffer ? message->answer.buffer->size : 0);
}

static void put_message(struct mailbox *mailbox, const struct message *message)
{
    if (mailbox->count == mailbox->capacity) {
        mailbox->capacity = mailbox->capacity ? mailbox->capacity * 2 : MESSAGES_MIN;
        mailbox->items    = mem_resize(mailbox->items, mailbox->capacity, sizeof *mailbox->items);
    }
    mailbox->items[mailbox->count++] = *message;
}

void worker_post(struct worker *worker, const struct message *message)
{
    struct conn *current = loop_is_own_thread(worker->loop) ? worker->current : NULL;
    struct message copy  = *message;
    if (current && current->generation == message->handle.generation) {
        conn_apply(current, &copy); /* from inside its handler, which conn_run() called */
        return;
    }
    lock(worker);
    if (worker->message_bytes + message_size(&copy) > QUEUE_BYTES_MAX) {
        bool may_drop = copy.kind == MESSAGE_SEND && copy.how == HTTPD_MAY_DROP;
        copy.kind     = may_drop ? MESSAGE_DROPPED : MESSAGE_CLOSE;
        httpd_buffer_unrefp(&copy.answer.buffer);
    }
    bool is_first = worker->mailbox.count == 0; /* else somebody has told the loop of them */
    worker->message_bytes += message_size(&copy);
    put_message(&worker->mailbox, &copy);
    unlock(worker);
    if (is_first) loop_notify(worker->loop, &worker->notice);
}

static struct mailbox take_messages(struct worker *worker)
{
    lock(worker);
    struct mailbox taken  = worker->mailbox;
    worker->mailbox       = (struct mailbox){};
    worker->message_bytes = 0;
    unlock(worker);
    return taken;
}

static void drop_messages(struct mailbox *mailbox)
{
    for (size_t i = 0; i < mailbox->count; i++) httpd_buffer_unref(mailbox->items[i].answer.buffer);
    free(mailbox->items);
}

/* What is going to be looked at soon: of thousands of connections few lie in a cache. */
static void look_ahead(const struct worker *worker, const struct mailbox *mailbox, size_t at)
{
    if (at + 2 * AHEAD < mailbox->count) {
        uint32_t slot = mailbox->items[at + 2 * AHEAD].handle.slot;
        if (slot < worker->slot_count) __builtin_prefetch(&worker->slots[slot]);
    }
    if (at + AHEAD < mailbox->count) {
        uint32_t slot = mailbox->items[at + AHEAD].handle.slot;
        if (slot < worker->slot_count) conn_look_ahead(worker->slots[slot]);
    }
}

static void noticed(void *context)
{
    struct worker *worker   = context;
    struct mailbox messages = take_messages(worker);
    for (size_t i = 0; i < messages.count; i++) {
        struct message *message = &messages.items[i];
        look_ahead(worker, &messages, i);
        struct conn *conn = find(worker, message->handle);
        if (conn) {
            conn_apply(conn, message);
            conn_resume(conn);
        }
        httpd_buffer_unrefp(&message->answer.buffer);
    }
    drop_messages(&messages);
    if (atomic_load(&worker->httpd->is_draining) && !worker->is_draining) drain(worker);
    if (atomic_load(&worker->httpd->is_stopped) && !worker->is_stopped) {
        worker->is_stopped = true;
        stop(worker);
    }
}

/* --- start and end ---------------------------------------------------------------------------- */

static status make_address(const struct httpd *httpd, struct sockaddr_storage *ret_address,
                           socklen_t *ret_size, struct error *reterr)
{
    const char *host        = httpd->options.host;
    struct sockaddr_in *v4  = (struct sockaddr_in *)ret_address;
    struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)ret_address;
    *ret_address            = (struct sockaddr_storage){};
    if (inet_pton(AF_INET, host, &v4->sin_addr) == 1) {
        v4->sin_family = AF_INET;
        v4->sin_port   = htons(httpd->port);
        *ret_size      = sizeof *v4;
        return STATUS_OK;
    }
    if (inet_pton(AF_INET6, host, &v6->sin6_addr) == 1) {
        v6->sin6_family = AF_INET6;
        v6->sin6_port   = htons(httpd->port);
        *ret_size       = sizeof *v6;
        return STATUS_OK;
    }
    return fail(reterr, STATUS_INVALID_ARGUMENT,
                "cannot listen on %s: give a numeric address such as 127.0.0.1", host);
}

static status socket_open(struct worker *worker, struct error *reterr)
{
    struct httpd *httpd = worker->httpd;
    struct sockaddr_storage address;
    socklen_t size;
    TRY(make_address(httpd, &address, &size, reterr));
    int fd = socket(address.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0) return fail(reterr, STATUS_RESOURCE_EXHAUSTED, "cannot make a socket: %m");
    worker->listen_fd = fd;

    const int on = 1;
    int failed   = setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    /* Connections inherit this from the listener. */
    failed |= setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    /* Only where it is needed: with it a second process on the same port would go unnoticed. */
    if (httpd->worker_count > 1) {
        failed |= setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &on, sizeof on);
    }
    ASSERT(failed == 0);
    if (bind(fd, (const struct sockaddr *)&address, size) != 0 || listen(fd, LISTEN_BACKLOG) != 0) {
        return fail(reterr, STATUS_UNAVAILABLE, "cannot listen on %s port %u: %m",
                    httpd->options.host, (unsigned)httpd->port);
    }
    if (httpd->port != 0) return STATUS_OK;
    failed = getsockname(fd, (struct sockaddr *)&address, &size);
    ASSERT(failed == 0);
    httpd->port =
        ntohs(address.ss_family == AF_INET6 ? ((const struct sockaddr_in6 *)&address)->sin6_port
                                            : ((const struct sockaddr_in *)&address)->sin_port);
    return STATUS_OK;
}

status worker_listen(struct worker *worker, struct httpd *httpd, uint32_t index,
                     struct error *reterr)
{
    worker->httpd     = httpd;
    worker->loop      = httpd->options.loops[index];
    worker->index     = index;
    worker->listen_fd = -1;
    worker->mutex     = (pthread_mutex_t)PTHREAD_MUTEX_INITIALIZER;
    worker->sweep     = (struct loop_timer){.fire = sweep, .context = worker};
    worker->resume    = (struct loop_timer){.fire = resume_accepting, .context = worker};
    worker->notice    = (struct loop_notice){.run = noticed, .context = worker};
    TRY(socket_open(worker, reterr));
    return loop_watch_add(worker->loop, worker->listen_fd, LOOP_READ, accept_ready, worker,
                          &worker->listener, reterr);
}

void worker_done(struct worker *worker)
{
    if (!worker->httpd) return;
    stop(worker);
    loop_notice_clear(worker->loop, &worker->notice);
    struct mailbox left = take_messages(worker);
    drop_messages(&left);
    free(worker->slots);
    free(worker->free_slots);
}

str worker_date(struct worker *worker)
{
    static const char *const days[]   = {"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};
    static const char *const months[] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                         "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
    int64_t second                    = loop_now_ms(worker->loop) / 1000;
    if (second != worker->date_second || worker->date[0] == '\0') {
        worker->date_second = second;
        time_t now          = (time_t)(clock_unix_us() / 1000000);
        struct tm utc;
        (void)gmtime_r(&now, &utc); /* fails after the year 2147483647 */
        (void)snprintf(worker->date, sizeof worker->date,
                       "Date: %s, %02d %s %04d %02d:%02d:%02d GMT\r\n", days[utc.tm_wday % 7],
                       utc.tm_mday % 32, months[utc.tm_mon % 12], (utc.tm_year + 1900) % 10000,
                       utc.tm_hour % 24, utc.tm_min % 60, utc.tm_sec % 61);
    }
    return str_from(worker->date);
}
