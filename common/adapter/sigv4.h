/**
 * sigv4: AWS Signature Version 4, which S3 and what speaks like it ask for.
 *
 * Always with `x-amz-content-sha256`: libcurl's own signer leaves it out, and servers refuse that.
 * The path is encoded once for S3 and twice for every other service, as AWS has it. All headers of
 * the request are signed but those that a client or proxy may change on the way.
 *
 * Pure: the time is a parameter. Any thread.
 */
#ifndef ADAPTER_SIGV4_H
#define ADAPTER_SIGV4_H

#include "adapter/outgoing.h"

enum {
    SIGV4_PAIRS_MAX     = 128,     /* of a query */
    SIGV4_SECRET_MAX    = 1'024,   /* bytes */
    SIGV4_EXPIRES_MAX_S = 604'800, /* of an address that is signed: seven days */
};

/** Who signs, and for what. All borrowed. */
struct sigv4_key {
    str access_key, secret_key;
    str session_token; /* empty: none */
    str service, region;
    bool is_hidden; /* a dry run: the signature is shown as *** */
};

/**
 * Adds `x-amz-date`, `x-amz-content-sha256`, `x-amz-security-token` and `Authorization`. `body` is
 * what will be sent. INVALID_ARGUMENT: an address that is none, or whose path has a `.` or `..`
 * segment, which clients take out and servers do not; RESOURCE_EXHAUSTED.
 */
status sigv4_sign(const struct sigv4_key *key, bytes body, int64_t now_us, struct arena *arena,
                  struct outgoing *outgoing, struct error *reterr);

/** What anybody may do with an address that is signed. */
struct sigv4_grant {
    str method, url;
    int64_t expires_s;
};

/** The address with a signature in it, which needs no headers. Lives as long as the arena. Statuses
 * as above, and INVALID_ARGUMENT beyond SIGV4_EXPIRES_MAX_S. */
status sigv4_presign(const struct sigv4_key *key, const struct sigv4_grant *grant, int64_t now_us,
                     struct arena *arena, str *ret_url, struct error *reterr);

#endif
