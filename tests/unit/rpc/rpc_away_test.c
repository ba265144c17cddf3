/* A peer that is away costs little: NNG's poll thread does not spin between an attempt to reach it
 * and the next one. Both are counted, by the functions of this program that stand before those of
 * the system. */
#include "cmocka.h"
#include "support/echo.h"

#include "base/clock.h"
#include "rpc/rpc_client.h"

#include <stdatomic.h>
#include <stdio.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

enum {
    ATTEMPTS   = 15,
    ROUNDS_MAX = 8 /* for each: its events, and those that close it */,
    STEP_NS    = 1'000'000
};

static atomic_uint waits, attempts;

#ifdef __has_feature
#define IS_THREAD_SANITIZED __has_feature(thread_sanitizer)
#else
#define IS_THREAD_SANITIZED 0
#endif

#if IS_THREAD_SANITIZED /* it orders what came before an event, as in common/rpc/epoll_ctl.c */
int __interceptor_epoll_wait(int epoll, struct epoll_event *events, int max, int timeout);
#define wait_for_real __interceptor_epoll_wait
#else
static int wait_for_real(int epoll, struct epoll_event *events, int max, int timeout)
{
    return (int)syscall(SYS_epoll_pwait, epoll, events, max, timeout, NULL, 0);
}
#endif

int epoll_wait(int epoll, struct epoll_event *events, int max, int timeout)
{
    atomic_fetch_add(&waits, 1);
    return wait_for_real(epoll, events, max, timeout);
}

int connect(int file, const struct sockaddr *address, socklen_t len)
{
    atomic_fetch_add(&attempts, 1);
    return (int)syscall(SYS_connect, file, address, len);
}

static void until_attempts(unsigned count)
{
    const struct timespec step = {.tv_nsec = STEP_NS};
    while (atomic_load(&attempts) < count) (void)nanosleep(&step, NULL);
}

static void does_not_spin(const char *endpoints)
{
    struct rpc_client *client                                 = NULL;
    struct error error                                        = {};
    static const ProtobufCServiceDescriptor *const services[] = {&test__echo__descriptor, NULL};
    const struct rpc_client_options options                   = {.endpoints = endpoints,
                                                                 .services  = services,
                                                                 .contract  = echo_contract,
                                                                 .identity  = {.service = str_from("gateway")}};
    if (rpc_client_open(&options, &client, &error) != STATUS_OK) fail_msg("%s", error.text);
    until_attempts(atomic_load(&attempts) + 2);
    unsigned waits_before    = atomic_load(&waits);
    unsigned attempts_before = atomic_load(&attempts);
    until_attempts(attempts_before + ATTEMPTS);
    unsigned rounds = atomic_load(&waits) - waits_before;
    unsigned tries  = atomic_load(&attempts) - attempts_before;
    rpc_client_closep(&client);
    print_message("%u rounds for %u attempts\n", rounds, tries);
    assert_in_range(rounds, 1, tries * ROUNDS_MAX);
}

static void a_name_that_nobody_listens_at(void **)
{
    char endpoint[64];
    (void)snprintf(endpoint, sizeof endpoint, "abstract://rpc-away-%d", (int)getpid());
    does_not_spin(endpoint);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_name_that_nobody_listens_at),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
