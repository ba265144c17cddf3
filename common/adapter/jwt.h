/**
 * jwt: signed tokens (RFC 7519) that prove who asks: HS256, RS256 and ES256 (RFC 7518).
 *
 * Pure but for the randomness that a signature of ES256 has. Any thread.
 */
#ifndef ADAPTER_JWT_H
#define ADAPTER_JWT_H

#include "base/buf.h"
#include "base/status.h"
#include "json/json.h"

#include <stdbool.h>

enum { JWT_MAX = 8 << 10 /* bytes */ };

enum jwt_algorithm { JWT_HS256, JWT_RS256, JWT_ES256 };

/** What is signed, and with what. All borrowed. */
struct jwt {
    enum jwt_algorithm algorithm;
    bytes key;   /* RS256, ES256: a private key as PEM */
    json header; /* more members than `alg` and `typ`, or JSON_INVALID */
    json claims;
};

/** Appends the token. INVALID_ARGUMENT: no usable key; RESOURCE_EXHAUSTED: it would be longer than
 * JWT_MAX. */
status jwt_put(const struct jwt *jwt, struct buf *out, struct error *reterr);

#endif
