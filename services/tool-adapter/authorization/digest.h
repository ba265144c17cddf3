/**
 * digest: HTTP Digest authentication (RFC 7616), the client's half: from a challenge to the header
 * that answers it. MD5, SHA-256 and their `-sess` forms; qop `auth` or none (RFC 2069).
 *
 * Why not libcurl's: it answers a challenge inside of a transfer, where a request that writes would
 * leave twice without our knowing.
 *
 * Pure: the client's nonce is a parameter.
 */
#ifndef TOOL_ADAPTER_DIGEST_H
#define TOOL_ADAPTER_DIGEST_H

#include "base/buf.h"
#include "base/str.h"

#include <stdbool.h>

enum {
    DIGEST_TEXT_MAX   = 1'024, /* bytes of a realm, nonce or opaque */
    DIGEST_PARTS_MAX  = 32,    /* name = value of one challenge, as of challenge.h */
    DIGEST_HEADER_MAX = 8'192, /* bytes of the answer */
};

enum digest_algorithm { DIGEST_MD5, DIGEST_SHA256 };

/** A challenge; texts are views of the header, quotes taken off, escapes still in. */
struct digest_challenge {
    str realm, nonce, opaque;
    enum digest_algorithm algorithm;
    bool is_session; /* "-sess" */
    bool has_qop;    /* `auth` is among them; without any, the old form is used */
    bool has_opaque;
    bool is_stale; /* the nonce was old, the credentials may be right */
};

/** Finds the strongest challenge that can be answered in the value of a WWW-Authenticate header,
 * which may hold several, of other schemes too. False: there is none. */
bool digest_challenge_read(str header, struct digest_challenge *ret_challenge);

struct digest_request {
    str method;
    str uri; /* path and query, as they are sent */
    str username, password;
    str cnonce; /* hexadecimal, random */
};

/** Appends the value of Authorization. False: it does not fit. */
bool digest_answer(const struct digest_challenge *challenge, const struct digest_request *request,
                   struct buf *out);

#endif
