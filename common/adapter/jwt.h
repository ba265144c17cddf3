/**
 * jwt: signed tokens (RFC 7519) that prove who asks: HS256 and RS256 (RFC 7518).
 *
 * Pure but for the signature's own randomness, of which these two have none. Any thread.
 */
#ifndef ADAPTER_JWT_H
#define ADAPTER_JWT_H

#include "base/buf.h"
#include "base/status.h"
#include "json/json.h"

#include <stdbool.h>

enum { JWT_MAX = 8 << 10 /* bytes */ };

/** What is signed, and with what. All borrowed. */
struct jwt {
    bool is_rs256; /* else HS256 */
    bytes key;     /* RS256: a private key as PEM */
    json header;   /* more members than `alg` and `typ`, or JSON_INVALID */
    json claims;
};

/** Appends the token. INVALID_ARGUMENT: no usable key; RESOURCE_EXHAUSTED: it would be longer than
 * JWT_MAX. */
status jwt_put(const struct jwt *jwt, struct buf *out, struct error *reterr);

#endif
