/*
 * What the HTTP server serves: requests per second over loopback, with `clients` connections that
 * each wait for an answer before the next request. Client and server share the CPUs.
 *
 *   httpd_bench [clients] [requests]     64 and 200000 by default, one loop
 *   httpd_bench serve PORT [loops]       only serves, for wrk: wrk -t1 -c64 -d5
 * http://127.0.0.1:PORT/
 */
#include "base/assert.h"
#include "base/clock.h"
#include "base/mem.h"
#include "base/process.h"
#include "httpd/httpd.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

enum { CLIENTS_MAX = 8192, EVENTS = 256 };

static bool route(struct httpd_handle handle, const struct httpd_request *request,
                  struct httpd_route *ret_route, void *context)
{
    (void)handle;
    (void)request;
    (void)context;
    ret_route->body_max = 1 << 20;
    return true;
}

static void handle_request(struct httpd_handle handle, struct httpd_request *request, void *user,
                           void *context)
{
    (void)user;
    const struct httpd_field fields[] = {{str_from("Content-Type"), str_from("application/json")}};
    const struct httpd_response response = {
        .http_status = 200,
        .fields      = fields,
        .field_count = 1,
        .body        = str_from("{\"id\":\"01KAN3M5T8V0000000000000G5\",\"status\":\"running\"}\n"),
    };
    httpd_respond(*(struct httpd **)context, handle, &response);
    httpd_request_free(request);
}

struct server {
    struct loop *loops[HTTPD_LOOPS_MAX];
    size_t loop_count;
    struct httpd *httpd;
};

static void server_start(struct server *server, uint16_t port, size_t loop_count)
{
    server->loop_count = loop_count;
    for (size_t i = 0; i < loop_count; i++) {
        ASSERT(loop_new(NULL, &server->loops[i], NULL) == STATUS_OK);
    }
    const struct httpd_options options = {
        .host       = "127.0.0.1",
        .port       = port,
        .loops      = server->loops,
        .loop_count = loop_count,
        .handlers   = {.route = route, .handle = handle_request},
        .context    = &server->httpd,
    };
    struct error error = {};
    if (httpd_start(&options, &server->httpd, &error) != STATUS_OK) {
        (void)fprintf(stderr, "%s\n", error.text);
        exit(1);
    }
    for (size_t i = 0; i < loop_count; i++) {
        ASSERT(loop_start(server->loops[i], "http", NULL) == STATUS_OK);
    }
}

static void server_stop(struct server *server)
{
    for (size_t i = 0; i < server->loop_count; i++) {
        loop_stop(server->loops[i]);
        loop_join(server->loops[i]);
    }
    httpd_freep(&server->httpd);
    for (size_t i = 0; i < server->loop_count; i++) loop_freep(&server->loops[i]);
}

static int connect_to(uint16_t port)
{
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    ASSERT(fd >= 0);
    const int on               = 1;
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(port)};
    address.sin_addr.s_addr    = htonl(INADDR_LOOPBACK);
    ASSERT(connect(fd, (const struct sockaddr *)&address, sizeof address) == 0);
    ASSERT(setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on) == 0);
    return fd;
}

static void ask(int fd)
{
    static const char request[] = "GET /v1/runs/01KAN3M5T8V0000000000000G5 HTTP/1.1\r\n"
                                  "Host: localhost:8080\r\nUser-Agent: bench\r\n"
                                  "Accept: application/json\r\n\r\n";
    ssize_t sent                = send(fd, request, sizeof request - 1, MSG_NOSIGNAL);
    ASSERT(sent == sizeof request - 1);
}

static void run(uint16_t port, size_t clients, uint64_t requests)
{
    int epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    int *fds     = mem_new(clients, sizeof *fds);
    for (size_t i = 0; i < clients; i++) {
        fds[i]                   = connect_to(port);
        struct epoll_event event = {.events = EPOLLIN, .data.fd = fds[i]};
        ASSERT(epoll_ctl(epoll_fd, EPOLL_CTL_ADD, fds[i], &event) == 0);
    }
    int64_t start_us = clock_mono_us();
    for (size_t i = 0; i < clients; i++) ask(fds[i]);
    uint64_t done = 0;
    while (done < requests) {
        struct epoll_event events[EVENTS];
        int count = epoll_wait(epoll_fd, events, EVENTS, -1);
        for (int i = 0; i < count; i++) {
            char answer[1024]; /* one recv holds one answer: it is short and sent in one piece */
            ASSERT(recv(events[i].data.fd, answer, sizeof answer, 0) > 0);
            done++;
            ask(events[i].data.fd);
        }
    }
    double seconds = (double)(clock_mono_us() - start_us) / 1e6;
    struct rusage usage;
    ASSERT(getrusage(RUSAGE_SELF, &usage) == 0);
    double cpu_s = (double)usage.ru_utime.tv_sec + (double)usage.ru_stime.tv_sec +
                   (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6;
    (void)printf("%zu clients: %.0f requests/s, %.1f us CPU per request, client included\n",
                 clients, (double)done / seconds, cpu_s * 1e6 / (double)done);
    for (size_t i = 0; i < clients; i++) (void)close(fds[i]);
    (void)close(epoll_fd);
    free(fds);
}

static unsigned long argument(int argc, char **argv, int at, unsigned long otherwise)
{
    return argc > at ? strtoul(argv[at], NULL, 10) : otherwise;
}

int main(int argc, char **argv)
{
    struct server server = {};
    ASSERT(process_block_signals(NULL) == STATUS_OK);
    if (argc > 2 && strcmp(argv[1], "serve") == 0) {
        unsigned long loops = argument(argc, argv, 3, 1);
        server_start(&server, (uint16_t)argument(argc, argv, 2, 8080),
                     loops < HTTPD_LOOPS_MAX ? loops : HTTPD_LOOPS_MAX);
        (void)printf("port %u\n", (unsigned)httpd_port(server.httpd));
        (void)fflush(stdout);
        ASSERT(process_wait_for_stop(NULL) == STATUS_OK);
    } else {
        unsigned long clients = argument(argc, argv, 1, 64);
        server_start(&server, 0, 1);
        run(httpd_port(server.httpd), clients < CLIENTS_MAX ? clients : CLIENTS_MAX,
            argument(argc, argv, 2, 200000));
    }
    server_stop(&server);
    return 0;
}
