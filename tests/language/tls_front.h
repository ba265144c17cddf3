/** tls_front: https for the stand-in, with a certificate made for all names that features have. */
#ifndef LANGUAGE_TLS_FRONT_H
#define LANGUAGE_TLS_FRONT_H

#include "base/status.h"

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

enum { TLS_FRONT_PATH_SIZE = 512 };

struct tls_front {
    pid_t pid; /* 0: there is none */
    int input; /* the process lives as long as this is open */
    uint16_t port;
    char certificate[TLS_FRONT_PATH_SIZE]; /* which is its own authority */
};

/** Makes certificate and key in `folder`, and listens on loopback for what goes on to `port`.
 * Needs `openssl` and `node`. UNAVAILABLE. */
status tls_front_start(struct tls_front *front, const char *folder, const char *const *hosts,
                       size_t host_count, uint16_t port, struct error *reterr);
void tls_front_stop(struct tls_front *front);

#endif
