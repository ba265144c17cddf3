/*
 * NNG 1.5.2 puts a socket into its epoll with no events asked for before it connects, and takes it
 * out on another thread when that has failed. Meanwhile the kernel reports EPOLLHUP, which nobody
 * can ask not to get, level-triggered: each attempt to reach a peer that is away kept the poll
 * thread spinning until the other one had its turn, some fifty rounds. So what is added with no
 * events is reported once, until it is asked for: as NNG itself does with everything it asks for
 * (EPOLLONESHOT in each EPOLL_CTL_MOD), after which the kernel looks anew.
 *
 * A function of the executable, as sendmsg.c. Our own loops never wait for nothing, and ask with
 * EPOLL_CTL_MOD if they did.
 */
#include "rpc/socket_internal.h"

#include <sys/epoll.h>
#include <sys/syscall.h>
#include <unistd.h>

const bool socket_epoll_ctl_is_replaced = true;

#ifdef __has_feature
#define IS_THREAD_SANITIZED __has_feature(thread_sanitizer)
#else
#define IS_THREAD_SANITIZED 0
#endif

#if IS_THREAD_SANITIZED
/* It takes what is added for told to the thread that waits, which orders what came before. */
int __interceptor_epoll_ctl(int epoll, int operation, int file, struct epoll_event *event);
#define pass_on __interceptor_epoll_ctl
#else
static int pass_on(int epoll, int operation, int file, struct epoll_event *event)
{
    return (int)syscall(SYS_epoll_ctl, epoll, operation, file, event);
}
#endif

int epoll_ctl(int epoll, int operation, int file, struct epoll_event *event)
{
    struct epoll_event once;
    if (operation == EPOLL_CTL_ADD && event && event->events == 0) {
        once        = *event;
        once.events = EPOLLONESHOT;
        event       = &once;
    }
    return pass_on(epoll, operation, file, event);
}
