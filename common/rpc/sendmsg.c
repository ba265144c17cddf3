/*
 * NNG 1.5.2 stops listening for ever when a peer closes its connection during the handshake of the
 * protocol and our send of it fails with EPIPE: the error becomes NNG_ECLOSED, which the listener
 * takes for its own end (nanomsg/nng issue 1518, fixed only later). A port scan, a probe or
 * a client that is killed while it starts would be enough. So the program's sendmsg() reports the
 * same event as ECONNRESET, after which NNG accepts the next connection.
 *
 * A function of the executable is used by the libraries too; socket.c refers to this file so that
 * every program with RPC has it.
 */
#include "rpc/socket_internal.h"

#include <errno.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

const bool socket_sendmsg_is_replaced = true;

ssize_t sendmsg(int file, const struct msghdr *message, int flags)
{
    ssize_t sent = syscall(SYS_sendmsg, file, message, flags);
    if (sent < 0 && errno == EPIPE) errno = ECONNRESET;
    return sent;
}
