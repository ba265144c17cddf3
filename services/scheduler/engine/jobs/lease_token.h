/**
 * lease_token: proof that somebody holds a job.
 *
 * 16 bytes job id, 4 bytes lease number, 8 bytes expiry (microseconds of Unix time), all
 * big-endian, and the first 16 bytes of HMAC-SHA256 over them by the partition's key. A token is
 * good as long as its job is not leased anew, also beyond its expiry and across restarts: the lease
 * number in the job's row decides (docs/internals/lease-tokens.md). Pure; any thread.
 */
#ifndef SCHEDULER_LEASE_TOKEN_H
#define SCHEDULER_LEASE_TOKEN_H

#include "base/id.h"
#include "base/str.h"

#include <stdbool.h>
#include <stdint.h>

enum {
    LEASE_KEY_SIZE   = 32, /* bytes: as long as the hash */
    LEASE_MAC_SIZE   = 16, /* bytes: half a SHA-256, RFC 2104 section 5 */
    LEASE_TOKEN_SIZE = ID_BYTES + 4 + 8 + LEASE_MAC_SIZE,
};

struct lease_key {
    uint8_t data[LEASE_KEY_SIZE];
};

struct lease {
    struct id job;
    uint32_t number;    /* from 1; a job's leases are counted through */
    int64_t expires_us; /* when it was given out or last extended: informative */
};

struct lease_token {
    uint8_t data[LEASE_TOKEN_SIZE];
};

struct lease_token lease_sign(const struct lease *lease, const struct lease_key *key);

/** Says whether `given` is this token, signed here before, of the lease `number`: no hash needed.
 */
bool lease_is_signed(const struct lease_token *token, uint32_t number, bytes given);

/** False if `token` was not made by lease_sign() with this key. */
bool lease_verify(bytes token, const struct lease_key *key, struct lease *ret_lease);

#endif
