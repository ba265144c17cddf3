/**
 * security: how the two ends of a connection trust each other.
 *
 * TLS with certificates on both sides proves that the peer was signed by our CA, not which service
 * it is (NNG 1.5.2 cannot read the peer's name). Which service calls is proven by a token with
 * every batch of calls: an HMAC-SHA256 over the header, the time, a sequence number that is
 * accepted once, and the digest of the frames. Servers on tcp:// and tls+tcp:// demand it; on
 * ipc://, abstract:// and inproc:// the kernel already decides who may connect.
 *
 * Not covered: answers and hints carry no token; only TLS proves to a client whom it talks to.
 */
#ifndef RPC_SECURITY_H
#define RPC_SECURITY_H

#include "base/str.h"

#include <stdbool.h>
#include <stdint.h>

enum {
    RPC_SECRETS_MAX      = 2,      /* the current one and, during a rotation, the one before */
    RPC_SECRET_SIZE_MIN  = 32,     /* bytes; as long as the hash, RFC 2104 section 3 */
    RPC_SECRET_SIZE_MAX  = 256,    /* bytes */
    RPC_SERVICE_NAME_MAX = 32,     /* bytes */
    RPC_CLOCK_SKEW_MS    = 60'000, /* a token's time may differ from ours by this much */
};

struct rpc_secret {
    uint32_t id; /* says to the other side which of its secrets was used */
    bytes key;
};

/** Who we are. Everything is copied when a server or client starts. */
struct rpc_identity {
    str service;                                /* "gateway" */
    struct rpc_secret secrets[RPC_SECRETS_MAX]; /* the first one signs, all verify */
    size_t secret_count; /* 0: no token is sent; over TCP nothing is served */
};

/** The identity of `service` with its current secret and, during a rotation, the one before; empty
 * ones are left out. The id of a secret follows from its bytes, so that both ends agree on it in
 * whatever order they know their secrets. Views of the texts. */
struct rpc_identity rpc_identity_of(const char *service, str current, str previous);

/** Files of tls+tcp://, read when a server or client starts; NULL where another transport is used.
 */
struct rpc_tls {
    const char *ca_file;       /* PEM; who may have signed the peer's certificate */
    const char *cert_key_file; /* PEM; our certificate and its key, in this order, in one file */
    const char *server_name;   /* clients: the name in the server's certificate; NULL: the host of
                                * the endpoint */
};

#endif
