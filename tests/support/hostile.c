#include "support/hostile.h"

#include "base/assert.h"
#include "base/mem.h"
#include "base/str.h"

#include <arpa/inet.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { CONNECTIONS_MAX = 256, HEAD_MAX = 64 * 1024, BLOCK = 8 * 1024 };

struct connection {
    struct hostile *server;
    pthread_t thread;
    int fd;
    unsigned requests; /* on this connection */
    size_t len;        /* of what was read and not yet used */
    char data[HEAD_MAX + 1];
    const char *path, *body; /* of the current request */
    size_t body_len;
};

struct hostile {
    int fd;
    uint16_t port;
    pthread_t thread;
    atomic_uint requests, ended, count;
    atomic_uint sessions, farewells;
    atomic_bool is_stopping;
    struct connection *connections[CONNECTIONS_MAX];
};

/* --- Sending ---------------------------------------------------------------------------------- */

static bool send_all(const struct connection *c, const void *data, size_t size)
{
    const char *next = data;
    while (size > 0) {
        ssize_t sent = send(c->fd, next, size, MSG_NOSIGNAL);
        if (sent <= 0) return false;
        next += sent;
        size -= (size_t)sent;
    }
    return true;
}

static bool send_text(const struct connection *c, const char *text)
{
    return send_all(c, text, strlen(text));
}

static bool answer(const struct connection *c, const char *status, const char *headers,
                   const char *body, size_t size)
{
    char head[1024];
    (void)snprintf(head, sizeof head, "HTTP/1.1 %s\r\n%sContent-Length: %zu\r\n\r\n", status,
                   headers, size);
    return send_text(c, head) && send_all(c, body, size);
}

static bool answer_ok(struct connection *c)
{
    return answer(c, "200 OK", "", "ok", 2);
}

/* Until the client goes away. */
static bool send_for_ever(const struct connection *c, const char *piece)
{
    char block[BLOCK];
    size_t len = strlen(piece);
    for (size_t i = 0; i < sizeof block; i++) block[i] = piece[i % len];
    while (send_all(c, block, sizeof block - sizeof block % len)) continue;
    return false;
}

static bool wait_for_end(const struct connection *c)
{
    char ignored[64];
    while (recv(c->fd, ignored, sizeof ignored, 0) > 0) continue;
    return false;
}

/* --- Misbehaviour: each says whether the connection goes on ------------------------------------
 */

static bool do_status(struct connection *c)
{
    return answer(c, c->path + strlen("/status/"), "", "", 0);
}

static bool do_echo(struct connection *c)
{
    return answer(c, "200 OK", "X-Twice: first\r\nx-twice: second\r\n", c->data,
                  (size_t)(c->body - c->data));
}

static bool do_post(struct connection *c)
{
    return answer(c, "200 OK", "", c->body, c->body_len);
}

static bool do_headers(struct connection *c)
{
    return send_text(c, "HTTP/1.1 200 OK\r\n") && send_for_ever(c, "X-More: and more\r\n");
}

static bool do_line(struct connection *c)
{
    return send_text(c, "HTTP/1.1 200 OK\r\nX-More: ") && send_for_ever(c, "and more ");
}

static bool do_huge(struct connection *c)
{
    return send_text(c, "HTTP/1.1 200 OK\r\n\r\n") && send_for_ever(c, "x");
}

static bool do_bytes(struct connection *c)
{
    static const char block[BLOCK];
    char size[32];
    size_t left  = strtoul(c->path + strlen("/bytes/"), NULL, 10);
    bool is_sent = send_text(c, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n");
    while (left > 0 && is_sent) {
        size_t part = left < sizeof block ? left : sizeof block;
        (void)snprintf(size, sizeof size, "%zx\r\n", part);
        is_sent = send_text(c, size) && send_all(c, block, part) && send_text(c, "\r\n");
        left -= part;
    }
    return is_sent && send_text(c, "0\r\n\r\n");
}

/* RFC 1951: a block of fixed codes: the byte 0, then for ever "258 bytes like the one before", in
 * 13 bits each. Codes go in from their highest bit, bits fill bytes from the lowest. */
static bool do_bomb(struct connection *c)
{
    static const char gzip_head[] = "\x1f\x8b\x08\0\0\0\0\0\0\x03";
    static const char once[]      = "01000110000";   /* not last, fixed codes; literal 0 */
    static const char again[]     = "1100010100000"; /* length 258; distance 1 */
    char block[BLOCK]             = {};
    size_t bits                   = 0;
    const char *code              = once;
    if (!send_text(c, "HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\n\r\n")) return false;
    if (!send_all(c, gzip_head, sizeof gzip_head - 1)) return false;
    for (;;) {
        for (; *code; code++, bits++) {
            if (bits == 8 * sizeof block) {
                if (!send_all(c, block, sizeof block)) return false;
                memset(block, 0, sizeof block);
                bits = 0;
            }
            if (*code == '1') block[bits / 8] = (char)(block[bits / 8] | 1 << bits % 8);
        }
        code = again;
    }
}

/* RFC 1951: stored blocks of no bytes, for ever. */
static bool do_hollow(struct connection *c)
{
    static const char gzip_head[] = "\x1f\x8b\x08\0\0\0\0\0\0\x03";
    static const char empty[]     = {0, 0, 0, '\xff', '\xff'}; /* not last, stored; length 0 */
    char block[BLOCK / sizeof empty * sizeof empty];
    for (size_t i = 0; i < sizeof block; i++) block[i] = empty[i % sizeof empty];
    if (!send_text(c, "HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\n\r\n")) return false;
    if (!send_all(c, gzip_head, sizeof gzip_head - 1)) return false;
    while (send_all(c, block, sizeof block)) {
    }
    return false;
}

static bool do_gzip(struct connection *c)
{
    /* The NUL that C appends is the last byte of the length. */
    static const char zip[] =
        "\x1f\x8b\x08\0\0\0\0\0\0\x03\xab\xca\x2c\0\0\x46\x95\x1d\x42\x03\0\0";
    return answer(c, "200 OK", "Content-Encoding: gzip\r\n", zip, sizeof zip);
}

static bool do_stall(struct connection *c)
{
    return send_text(c, "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nx") && wait_for_end(c);
}

static bool do_cut(struct connection *c)
{
    return send_text(c, "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhello") && false;
}

static bool do_empty(struct connection *)
{
    return false;
}

static bool do_garbage(struct connection *c)
{
    return send_text(c, "SSH-2.0-OpenSSH_9.2p1\r\n") && false;
}

static bool do_interim(struct connection *c)
{
    return send_text(c, "HTTP/1.1 103 Early Hints\r\nX-Early: yes\r\n\r\n") && answer_ok(c);
}

static bool do_silent(struct connection *c)
{
    return wait_for_end(c);
}

static bool do_last(struct connection *c)
{
    (void)answer_ok(c);
    return false;
}

static bool do_once(struct connection *c)
{
    return c->requests == 1 && answer_ok(c);
}

static bool redirect(struct connection *c, const char *status)
{
    char headers[900];
    (void)snprintf(headers, sizeof headers, "Location: %s\r\n", strchr(c->path, '?') + 1);
    return answer(c, status, headers, "moved", 5);
}

static bool do_to(struct connection *c)
{
    return redirect(c, "307 Temporary Redirect");
}

static bool do_see(struct connection *c)
{
    return redirect(c, "303 See Other");
}

/* What stands behind the question mark, up to a `&`, with %XX decoded. */
static bool do_say(struct connection *c)
{
    char text[2048];
    size_t len = 0;
    for (const char *at = strchr(c->path, '?') + 1; *at && *at != '&'; at++) {
        unsigned code = 0;
        bool is_code  = *at == '%' && sscanf(at + 1, "%2x", &code) == 1;
        text[len++]   = is_code ? (char)code : *at;
        if (is_code) at += 2;
    }
    return answer(c, "200 OK", "Content-Type: application/json\r\n", text, len);
}

static bool do_events(struct connection *c)
{
    static const char events[] = ": hello\n\nevent: a\ndata: 1\n\ndata: 2\r\n\r\n";
    return answer(c, "200 OK", "Content-Type: text/event-stream\r\n", events, sizeof events - 1);
}

/* One result that serves for an introduction and for a list of tools. */
static bool do_session(struct connection *c)
{
    char text[512];
    const char *id  = strstr(c->body, "\"id\":");
    bool is_its_own = strcasestr(c->data, "\r\nMcp-Session-Id: s-1\r\n") != NULL;
    if (str_starts_with(str_from(c->data), str_from("DELETE "))) {
        atomic_fetch_add(&c->server->farewells, is_its_own ? 1 : 0);
        return answer(c, is_its_own ? "200 OK" : "404 Not Found", "", "", 0);
    }
    bool is_introduction = strstr(c->body, "\"initialize\"") != NULL;
    if (is_introduction) atomic_fetch_add(&c->server->sessions, 1);
    if (!is_introduction && !is_its_own) return answer(c, "404 Not Found", "", "", 0);
    if (!id) return answer(c, "202 Accepted", "", "", 0);
    int len = snprintf(
        text, sizeof text,
        "{\"jsonrpc\":\"2.0\",\"id\":%ld,\"result\":{\"tools\":[],\"capabilities\":{},"
        "\"protocolVersion\":\"2025-11-25\",\"serverInfo\":{\"name\":\"x\",\"version\":\"1\"}}}",
        strtol(id + strlen("\"id\":"), NULL, 10));
    return answer(c, "200 OK", "Content-Type: application/json\r\nMcp-Session-Id: s-1\r\n", text,
                  (size_t)len);
}

static const struct {
    const char *prefix;
    bool (*act)(struct connection *c);
} paths[] = {
    {"/ok", answer_ok},       {"/status/", do_status},  {"/echo", do_echo},
    {"/post", do_post},       {"/headers", do_headers}, {"/line", do_line},
    {"/huge", do_huge},       {"/bytes/", do_bytes},    {"/bomb", do_bomb},
    {"/hollow", do_hollow},   {"/gzip", do_gzip},       {"/silent", do_silent},
    {"/stall", do_stall},     {"/cut", do_cut},         {"/empty", do_empty},
    {"/garbage", do_garbage}, {"/interim", do_interim}, {"/once", do_once},
    {"/to?", do_to},          {"/last", do_last},       {"/see?", do_see},
    {"/events", do_events},   {"/say?", do_say},        {"/.well-known/", do_silent},
    {"/session", do_session},
};

/* --- Requests --------------------------------------------------------------------------------- */

static bool read_more(struct connection *c)
{
    if (c->len == HEAD_MAX) return false;
    ssize_t got = recv(c->fd, c->data + c->len, HEAD_MAX - c->len, 0);
    if (got <= 0) return false;
    c->len += (size_t)got;
    c->data[c->len] = '\0';
    return true;
}

/* Reads head and body; the body is what Content-Length says. */
static bool read_request(struct connection *c)
{
    const char *end = NULL;
    while (!(end = strstr(c->data, "\r\n\r\n"))) {
        if (!read_more(c)) return false;
        if (c->data[0] == 0x16) return send_text(c, "no TLS here") && false; /* a ClientHello */
    }
    const char *length = strcasestr(c->data, "\r\nContent-Length:");
    c->body            = end + 4;
    c->body_len        = length && length < end ? strtoul(length + 17, NULL, 10) : 0;
    size_t whole       = (size_t)(c->body - c->data) + c->body_len;
    while (c->len < whole) {
        if (!read_more(c)) return false;
    }
    return true;
}

static bool serve_one(struct connection *c)
{
    if (!read_request(c)) return false;
    char path[2048] = "";
    (void)sscanf(c->data, "%*31s %2047s", path);
    c->path = path;
    c->requests++;
    atomic_fetch_add(&c->server->requests, 1);
    for (size_t i = 0; i < sizeof paths / sizeof paths[0]; i++) {
        if (strncmp(path, paths[i].prefix, strlen(paths[i].prefix)) != 0) continue;
        if (!paths[i].act(c)) return false;
        size_t used = (size_t)(c->body - c->data) + c->body_len;
        memmove(c->data, c->data + used, c->len - used + 1);
        c->len -= used;
        return true;
    }
    return answer(c, "404 Not Found", "", "", 0);
}

static void *serve(void *context)
{
    struct connection *c = context;
    while (serve_one(c)) continue;
    (void)shutdown(c->fd, SHUT_RDWR); /* closed by hostile_stop() */
    atomic_fetch_add(&c->server->ended, 1);
    return NULL;
}

/* --- Life ------------------------------------------------------------------------------------- */

static void *accept_all(void *context)
{
    struct hostile *server = context;
    for (;;) {
        int fd = accept4(server->fd, NULL, NULL, SOCK_CLOEXEC);
        if (fd < 0 || atomic_load(&server->is_stopping)) {
            if (fd >= 0) close(fd);
            return NULL;
        }
        unsigned index = atomic_load(&server->count);
        ASSERT(index < CONNECTIONS_MAX);
        struct connection *c       = mem_new(1, sizeof *c);
        c->server                  = server;
        c->fd                      = fd;
        server->connections[index] = c;
        atomic_fetch_add(&server->count, 1); /* before anybody can have been answered */
        int rc = pthread_create(&c->thread, NULL, serve, c);
        ASSERT(rc == 0);
    }
}

struct hostile *hostile_start(void)
{
    struct hostile *server     = mem_new(1, sizeof *server);
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
    socklen_t size             = sizeof address;
    server->fd                 = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    ASSERT(server->fd >= 0);
    int rc = bind(server->fd, (struct sockaddr *)&address, size);
    ASSERT(rc == 0);
    rc = listen(server->fd, CONNECTIONS_MAX);
    ASSERT(rc == 0);
    rc = getsockname(server->fd, (struct sockaddr *)&address, &size);
    ASSERT(rc == 0);
    server->port = ntohs(address.sin_port);
    rc           = pthread_create(&server->thread, NULL, accept_all, server);
    ASSERT(rc == 0);
    return server;
}

void hostile_stop(struct hostile *server)
{
    if (!server) return;
    atomic_store(&server->is_stopping, true);
    (void)shutdown(server->fd, SHUT_RDWR); /* wakes accept() */
    pthread_join(server->thread, NULL);
    unsigned count = atomic_load(&server->count);
    for (unsigned i = 0; i < count; i++) {
        struct connection *c = server->connections[i];
        (void)shutdown(c->fd, SHUT_RDWR);
        pthread_join(c->thread, NULL);
        close(c->fd);
        free(c);
    }
    close(server->fd);
    free(server);
}

uint16_t hostile_port(const struct hostile *server)
{
    return server->port;
}

unsigned hostile_requests(const struct hostile *server)
{
    return atomic_load(&server->requests);
}

unsigned hostile_connections(const struct hostile *server)
{
    return atomic_load(&server->count);
}

unsigned hostile_ended(const struct hostile *server)
{
    return atomic_load(&server->ended);
}

unsigned hostile_sessions(const struct hostile *server)
{
    return atomic_load(&server->sessions);
}

unsigned hostile_farewells(const struct hostile *server)
{
    return atomic_load(&server->farewells);
}
