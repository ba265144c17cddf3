/**
 * socket: the only place where NNG sockets are opened, and so the one where its defaults end:
 * no size limit, no timeouts, no keepalive, silent resends (docs/internals/rpc-frames.md).
 */
#ifndef RPC_SOCKET_INTERNAL_H
#define RPC_SOCKET_INTERNAL_H

#include "base/status.h"
#include "rpc/rpc.h"

#include <nng/nng.h>
#include <nng/supplemental/tls/tls.h>
#include <stdbool.h>

enum {
    SOCKET_RECEIVE_MAX            = 20 << 20, /* bytes; senders stop at RPC_MESSAGE_SIZE_MAX */
    SOCKET_TIMEOUT_MS             = 30'000,
    SOCKET_CLOSE_MS               = 3'000,
    SOCKET_RECONNECT_MIN_MS       = 100,
    SOCKET_RECONNECT_MAX_MS       = 1'000,
    SOCKET_RECONNECT_LOCAL_MIN_MS = 10, /* a failed connect on this machine costs little */
};

/** Of sendmsg.c, which mends a listener of NNG. */
extern const bool socket_sendmsg_is_replaced;

/** Of epoll_ctl.c, which lets NNG's poll thread rest while a peer is away. */
extern const bool socket_epoll_ctl_is_replaced;

enum socket_kind { SOCKET_REQUEST, SOCKET_REPLY, SOCKET_PUBLISH, SOCKET_SUBSCRIBE };

/** NNG's numbers become statuses here and nowhere else. `error` is not 0. */
status socket_fail(struct error *reterr, int error, const char *what, const char *url);

/** Opens a socket and sets every rule. Close with socket_close(). */
status socket_open(enum socket_kind kind, nng_socket *ret_socket, struct error *reterr);

/**
 * Closes a socket, and gives up after SOCKET_CLOSE_MS: false. In NNG 1.5.2 nng_close() never
 * returns if the connection is cut between the length and the body of a message that arrives (the
 * next read is refused without its callback, and the reaper waits for that). So close when nothing
 * is on its way; after a false, whatever callbacks may still touch must stay where it is.
 */
bool socket_close(nng_socket socket, const char *url);

/** Reads the files of `tls` (NULL members: FAILED_PRECONDITION). Owned: nng_tls_config_free(). */
status socket_tls(const struct rpc_tls *tls, bool is_server, const char *host,
                  nng_tls_config **ret_config, struct error *reterr);

/** Listens on `url` and writes where that really is. `tls` (only for tls+tcp://) stays ours. */
status socket_listen(nng_socket socket, const char *url, const struct rpc_tls *tls,
                     char ret_url[static RPC_ENDPOINT_MAX], struct error *reterr);

/** Connects and reconnects to `url` in the background. `host` is the name in its certificate. */
status socket_dial(nng_socket socket, const char *url, const char *host, const struct rpc_tls *tls,
                   struct error *reterr);

/** Room for `size` more bytes at the end of `message`, grown by doubling; NULL without memory or
 * above `size_max` in all. */
void *message_extend(nng_msg *message, size_t size, size_t size_max);

#endif
