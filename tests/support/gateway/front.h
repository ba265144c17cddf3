/* A whole gateway before a scheduler that the test plays, and a small client of its HTTP API. */
#ifndef SUPPORT_GATEWAY_FRONT_H
#define SUPPORT_GATEWAY_FRONT_H

#include "cmocka.h"

#include "base/buf.h"
#include "base/mem.h"
#include "gateway/api/contract.h"
#include "gateway/gateway.h"
#include "gateway/server.h"
#include "support/gateway/fake_scheduler.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { ANSWER_MAX = 16 << 20, READ_S = 15 };

struct fixture {
    struct fake_scheduler fake;
    struct gateway *gateway;
    uint16_t port;
    int receive_size;  /* bytes that the kernel takes for a client; 0: as it likes */
    struct buf answer; /* of the last exchange() */
};

static inline int begin(void **state)
{
    struct fixture *it = calloc(1, sizeof *it);
    static unsigned number; /* cmocka runs one test after the other */
    char name[32];
    (void)snprintf(name, sizeof name, "gateway-test-%u", number++);
    fake_scheduler_start(&it->fake, name);
    const struct options options = {
        .host            = "127.0.0.1",
        .admin_host      = "127.0.0.1",
        .loops           = 2,
        .connections_max = 100,
        .scheduler       = it->fake.url,
        .scheduler_hints = it->fake.hint_url,
        .drain_ms        = 5'000,
    };
    struct error error = {};
    if (gateway_start(&options, &it->gateway, &error) != STATUS_OK) fail_msg("%s", error.text);
    it->port   = gateway_port(it->gateway);
    it->answer = buf_init(ANSWER_MAX);
    *state     = it;
    return 0;
}

static inline int end(void **state)
{
    struct fixture *it = *state;
    gateway_stopp(&it->gateway);
    fake_scheduler_stop(&it->fake);
    buf_done(&it->answer);
    free(it);
    return 0;
}

static inline int dial(const struct fixture *it)
{
    int fd                        = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    const struct sockaddr_in to   = {.sin_family      = AF_INET,
                                     .sin_port        = htons(it->port),
                                     .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    const struct timeval patience = {.tv_sec = READ_S};
    assert_true(fd >= 0);
    assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience), 0);
    if (it->receive_size > 0) {
        assert_int_equal(
            setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &it->receive_size, sizeof it->receive_size), 0);
    }
    assert_int_equal(connect(fd, (const struct sockaddr *)&to, sizeof to), 0);
    return fd;
}

static inline void say(int fd, str text)
{
    while (text.len > 0) {
        ssize_t sent = send(fd, text.ptr, text.len, MSG_NOSIGNAL);
        if (sent <= 0) return; /* refused before all of it was read: the answer tells */
        text = str_slice(text, (size_t)sent, text.len);
    }
}

struct wish {
    const char *method;
    const char *path;
    enum fake_key key; /* FAKE_KEY_COUNT: none */
    const char *headers;
    const char *body; /* NULL: none */
    const char *type; /* NULL: JSON */
};

static inline int ask(struct fixture *it, const struct wish *wish)
{
    CLEANUP(buf_done) struct buf text = buf_init(ANSWER_MAX);
    (void)buf_printf(&text, "%s %s HTTP/1.1\r\nHost: x\r\nConnection: close\r\n%s", wish->method,
                     wish->path, wish->headers ? wish->headers : "");
    if (wish->key < FAKE_KEY_COUNT) {
        (void)buf_printf(&text, "Authorization: Bearer %s\r\n", it->fake.keys[wish->key].text);
    }
    if (wish->body) {
        (void)buf_printf(&text, "Content-Type: %s\r\nContent-Length: %zu\r\n",
                         wish->type ? wish->type : "application/json", strlen(wish->body));
    }
    (void)buf_printf(&text, "\r\n%s", wish->body ? wish->body : "");
    int fd = dial(it);
    say(fd, buf_str(&text));
    return fd;
}

/* Reads until `needle` has come; NULL: until the end. */
static inline bool listen_for(struct fixture *it, int fd, const char *needle)
{
    char piece[4096];
    for (;;) {
        if (needle && it->answer.len > 0 &&
            memmem(it->answer.ptr, it->answer.len, needle, strlen(needle))) {
            return true;
        }
        ssize_t size = recv(fd, piece, sizeof piece, 0);
        if (size <= 0) return !needle && size == 0;
        (void)buf_put(&it->answer, piece, (size_t)size);
    }
}

static inline int finish(struct fixture *it, int fd)
{
    it->answer.len = 0;
    (void)listen_for(it, fd, NULL);
    (void)close(fd);
    (void)buf_put(&it->answer, "", 1);
    int http_status = 0;
    (void)sscanf(it->answer.ptr, "HTTP/1.1 %d", &http_status);
    return http_status;
}

static inline int exchange(struct fixture *it, const struct wish *wish)
{
    return finish(it, ask(it, wish));
}

static inline bool has(const struct fixture *it, const char *text)
{
    return strstr(it->answer.ptr, text) != NULL;
}

static const char run_path[] = "/v1/runs/01M80MMGJ40000000006EA9WX1";

static const char *path_of(const char *rest, char path[static 128])
{
    (void)snprintf(path, 128, "%s%s", run_path, rest);
    return path;
}

static inline int get(struct fixture *it, const char *path)
{
    return exchange(it, &(struct wish){.method = "GET", .path = path, .key = FAKE_DEVELOPER});
}

static inline int post(struct fixture *it, const char *path, const char *headers, const char *body)
{
    return exchange(it, &(struct wish){.method  = "POST",
                                       .path    = path,
                                       .key     = FAKE_DEVELOPER,
                                       .headers = headers,
                                       .body    = body});
}

/* What the scheduler noted; and what it is to say from now on. */
static inline bool noted(struct fixture *it, const char *text, const char *expected)
{
    (void)pthread_mutex_lock(&it->fake.mutex);
    bool is_same = strcmp(text, expected) == 0;
    (void)pthread_mutex_unlock(&it->fake.mutex);
    return is_same;
}

static inline void set_run(struct fixture *it, Pb__RunStatus run_status)
{
    (void)pthread_mutex_lock(&it->fake.mutex);
    it->fake.run_status = run_status;
    (void)pthread_mutex_unlock(&it->fake.mutex);
}

static inline int follow(struct fixture *it, const char *rest, const char *headers)
{
    char path[128];
    it->answer.len = 0;
    return ask(it, &(struct wish){.method  = "GET",
                                  .path    = path_of(rest, path),
                                  .key     = FAKE_VIEWER,
                                  .headers = headers});
}

#define FIXTURE_TEST(function) cmocka_unit_test_setup_teardown(function, begin, end)

#endif
