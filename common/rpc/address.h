/** address: the text forms of endpoints, taken apart and derived. Pure. */
#ifndef RPC_ADDRESS_H
#define RPC_ADDRESS_H

#include "base/status.h"
#include "base/str.h"
#include "rpc/rpc.h"

#include <stdbool.h>

enum { ADDRESS_HOST_MAX = 255 /* bytes; RFC 1035 section 2.3.4 */ };

struct address {
    char url[RPC_ENDPOINT_MAX];      /* without "dns+" */
    char long_url[RPC_ENDPOINT_MAX]; /* of long calls */
    char host[ADDRESS_HOST_MAX + 1]; /* of TCP; "" elsewhere. IPv6 without brackets */
    uint16_t port;
    uint16_t long_port;
    bool is_tls;
    bool is_local; /* ipc, abstract, inproc: the kernel says who may connect */
    bool is_dns;   /* "dns+": `host` stands for all of its addresses */
};

/** Reads "URL" or "URL LONG_URL". INVALID_ARGUMENT: an unknown scheme, a port missing or out of
 * range, too long. */
status address_parse(str text, struct address *ret_address, struct error *reterr);

/** Writes the two URLs of one resolved IP address ("10.0.0.7", "fd00::7") of a dns+ address. */
void address_resolve(const struct address *name, const char *ip, struct address *ret_address);

/** Takes the next part of a comma-separated list, without the spaces around it; false at the end.
 * Moves `*list` past it. */
bool address_next(str *list, str *ret_part);

#endif
