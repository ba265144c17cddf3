/*
 * What the HTTP server serves: requests per second over loopback, with `clients` connections that
 * each wait for an answer before the next request. Client and server share the CPUs.
 *
 *   httpd_bench [clients] [requests]     64 and 200000 by default, one loop
 *   httpd_bench events [streams] [rounds] one event to all of 5000 streams, 20 times: CPU per event
 *   httpd_bench serve PORT [loops]       only serves, for wrk: wrk -t1 -c64 -d5
 * http://127.0.0.1:PORT/
 */
#include "base/assert.h"
#include "base/clock.h"
#include "base/mem.h"
#include "base/process.h"
#include "httpd/httpd.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
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

/* Streams that are open, in the order in which they came. Filled by the loop's thread. */
struct streams {
    struct httpd *httpd;
    struct httpd_handle handles[CLIENTS_MAX];
    atomic_size_t count;
};

static void handle_stream(struct httpd_handle handle, struct httpd_request *request, void *user,
                          void *context)
{
    (void)user;
    struct streams *streams           = context;
    const struct httpd_field fields[] = {{str_from("Content-Type"), str_from("text/event-stream")}};
    const struct httpd_response response = {.http_status = 200,
                                            .fields      = fields,
                                            .field_count = 1,
                                            .body        = str_from("retry: 2000\n\n")};
    httpd_stream_start(streams->httpd, handle, &response, true);
    streams->handles[atomic_load(&streams->count)] = handle;
    (void)atomic_fetch_add(&streams->count, 1);
    httpd_request_free(request);
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

static void server_start(struct server *server, uint16_t port, size_t loop_count,
                         struct streams *streams)
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
        .handlers   = {.route = route, .handle = streams ? handle_stream : handle_request},
        .context    = streams ? (void *)streams : (void *)&server->httpd,
    };
    struct error error = {};
    if (httpd_start(&options, &server->httpd, &error) != STATUS_OK) {
        (void)fprintf(stderr, "%s\n", error.text);
        exit(1);
    }
    if (streams) streams->httpd = server->httpd;
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

static double cpu_seconds(void)
{
    struct rusage usage;
    ASSERT(getrusage(RUSAGE_SELF, &usage) == 0);
    return (double)usage.ru_utime.tv_sec + (double)usage.ru_stime.tv_sec +
           (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6;
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
    (void)printf("%zu clients: %.0f requests/s, %.1f us CPU per request, client included\n",
                 clients, (double)done / seconds, cpu_seconds() * 1e6 / (double)done);
    for (size_t i = 0; i < clients; i++) (void)close(fds[i]);
    (void)close(epoll_fd);
    free(fds);
}

/* The subscribers: a process of its own, so that its CPU time does not count. Ends with its pipe.
 */
static void subscribe(uint16_t port, size_t count, int go_on_fd)
{
    int epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    for (size_t i = 0; i < count; i++) {
        int fd                   = connect_to(port);
        struct epoll_event event = {.events = EPOLLIN, .data.fd = fd};
        ASSERT(epoll_ctl(epoll_fd, EPOLL_CTL_ADD, fd, &event) == 0);
        ask(fd);
    }
    struct epoll_event end = {.events = EPOLLIN, .data.fd = go_on_fd};
    ASSERT(epoll_ctl(epoll_fd, EPOLL_CTL_ADD, go_on_fd, &end) == 0);
    for (;;) {
        struct epoll_event events[EVENTS];
        int ready = epoll_wait(epoll_fd, events, EVENTS, -1);
        for (int i = 0; i < ready; i++) {
            char text[4096];
            if (events[i].data.fd == go_on_fd) _exit(0);
            if (recv(events[i].data.fd, text, sizeof text, MSG_DONTWAIT) == 0) _exit(0);
        }
    }
}

/* One event, encoded once, to every stream. Ten rounds a second. */
static void run_events(struct streams *streams, size_t count, uint64_t rounds)
{
    while (atomic_load(&streams->count) < count) (void)usleep(1000);
    double before_s  = cpu_seconds();
    int64_t start_us = clock_mono_us();
    struct httpd_buffer *event =
        httpd_buffer_new(str_from("id: 1234\nevent: task.completed\ndata: "
                                  "{\"sequence\":1234,\"type\":\"task.completed\"}\n\n"));
    for (uint64_t round = 0; round < rounds; round++) {
        for (size_t i = 0; i < count; i++) {
            httpd_stream_send(streams->httpd, streams->handles[i], event, HTTPD_MAY_DROP);
        }
        (void)usleep(100000);
    }
    httpd_buffer_unref(event);
    double seconds = (double)(clock_mono_us() - start_us) / 1e6;
    double events  = (double)(count * rounds);
    (void)printf("%zu streams: %.0f events/s, %.1f us CPU per event, %llu dropped\n", count,
                 events / seconds, (cpu_seconds() - before_s) * 1e6 / events,
                 (unsigned long long)httpd_stats(streams->httpd).sends_dropped);
}

static unsigned long argument(int argc, char **argv, int at, unsigned long otherwise)
{
    return argc > at ? strtoul(argv[at], NULL, 10) : otherwise;
}

static unsigned long at_most(unsigned long value, unsigned long max)
{
    return value < max ? value : max;
}

static void bench_events(unsigned long count, unsigned long rounds)
{
    struct server server    = {};
    struct streams *streams = mem_new(1, sizeof *streams);
    int fds[2];
    ASSERT(pipe2(fds, O_CLOEXEC) == 0);
    int listening[2];
    ASSERT(pipe2(listening, O_CLOEXEC) == 0);
    pid_t child = fork(); /* before there are threads */
    ASSERT(child >= 0);
    if (child == 0) {
        uint16_t port;
        (void)close(fds[1]);
        ASSERT(read(listening[0], &port, sizeof port) == sizeof port);
        subscribe(port, count, fds[0]);
    }
    server_start(&server, 0, 1, streams);
    uint16_t port = httpd_port(server.httpd);
    ASSERT(write(listening[1], &port, sizeof port) == sizeof port);
    run_events(streams, count, rounds);
    (void)close(fds[1]);
    (void)waitpid(child, NULL, 0);
    server_stop(&server);
    free(streams);
}

int main(int argc, char **argv)
{
    struct server server = {};
    if (argc > 1 && strcmp(argv[1], "events") == 0) {
        bench_events(at_most(argument(argc, argv, 2, 5000), CLIENTS_MAX),
                     argument(argc, argv, 3, 20));
        return 0;
    }
    if (argc > 2 && strcmp(argv[1], "serve") == 0) {
        ASSERT(process_block_signals(NULL) == STATUS_OK);
        server_start(&server, (uint16_t)argument(argc, argv, 2, 8080),
                     at_most(argument(argc, argv, 3, 1), HTTPD_LOOPS_MAX), NULL);
        (void)printf("port %u\n", (unsigned)httpd_port(server.httpd));
        (void)fflush(stdout);
        ASSERT(process_wait_for_stop(NULL) == STATUS_OK);
    } else {
        server_start(&server, 0, 1, NULL);
        run(httpd_port(server.httpd), at_most(argument(argc, argv, 1, 64), CLIENTS_MAX),
            argument(argc, argv, 2, 200000));
    }
    server_stop(&server);
    return 0;
}
