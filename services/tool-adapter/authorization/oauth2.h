/**
 * oauth2: OAuth 2 and OpenID Connect policies of the language (C5): what to ask a token endpoint,
 * and what its answer means.
 *
 *   grants      client_credentials, password, refresh_token (the token is `subject.token`), token
 *               exchange (RFC 8693). authorization_code needs a person and is refused
 *   clients     client_secret_post (the default), client_secret_basic, client_secret_jwt (RFC 7523,
 *               HS256), private_key_jwt (`assertion` is the ready JWT; or `key`, a private key in
 *               PEM, makes one by RS256 or ES256, with `key_id` and for `audience` if they are
 *               given: not of the language), none
 *   endpoints   `oauth2`: the authority with `endpoints.token` (/oauth2/token) behind it, or that
 *               alone if it is a URL; `oidc`, and an authority that is a discovery document: the
 *               token_endpoint found there
 *   resource    what the token is for (RFC 8707); not of the language
 *   issuers     if there are some, a token that is a JWT must be of one of them, and so must the
 *               discovery document
 *
 * A token's signature is not checked: it came from the endpoint itself, and the service that gets
 * it does that. Pure functions.
 */
#ifndef TOOL_ADAPTER_OAUTH2_H
#define TOOL_ADAPTER_OAUTH2_H

#include "base/buf.h"
#include "base/hash.h"
#include "base/status.h"
#include "json/json.h"

enum {
    OAUTH2_TOKEN_MAX    = 32 << 10, /* bytes of an access token */
    OAUTH2_REQUEST_MAX  = 128 << 10,
    OAUTH2_ANSWER_MAX   = 256 << 10,
    OAUTH2_KEY_SIZE     = SHA256_SIZE * 2 + 1,
    OAUTH2_MARGIN_S     = 60,  /* a token is renewed that long before it ends */
    OAUTH2_UNKNOWN_S    = 300, /* how long one is used that does not say when it ends */
    OAUTH2_ASSERTION_S  = 60,  /* of a client's own JWT */
    OAUTH2_DISCOVERY_MS = 3'600'000,
};

/* Members of a policy that no definition has: how its tokens are fetched. */
#define OAUTH2_KEEPS_PRIVATE_OUT "keeps_private_out" /* true: no private addresses */
#define OAUTH2_PROXY             "proxy"             /* as of http.h */

struct oauth2_policy {
    bool is_oidc;
    json members; /* of the policy; borrowed */
};

/** Checks what a policy must say; `members` is the value of `oauth2` or `oidc`. INVALID_ARGUMENT
 * names what is missing (the error is `configuration`). */
status oauth2_read(json members, bool is_oidc, struct oauth2_policy *ret_policy,
                   struct error *reterr);

/** Names the policy with its credentials: equal ones share a token. For tables in memory. */
void oauth2_key(const struct oauth2_policy *policy, char ret_key[static OAUTH2_KEY_SIZE]);

/** Where the discovery document is; false: none is needed, or `out` is full. */
bool oauth2_discovery_url(const struct oauth2_policy *policy, struct buf *out);

/** The token endpoint without discovery. */
status oauth2_token_url(const struct oauth2_policy *policy, struct buf *out, struct error *reterr);

/** The token endpoint from a discovery document. UNAVAILABLE: it is none; PERMISSION_DENIED: of a
 * wrong issuer. */
status oauth2_discovered_url(const struct oauth2_policy *policy, str document, struct buf *out,
                             struct error *reterr);

struct oauth2_request {
    struct buf body;
    struct buf authorization; /* empty: none */
    const char *content_type; /* static */
};
void oauth2_request_done(struct oauth2_request *request);

/** What is posted to the token endpoint at `url`. `refresh_token` (may be empty) is a newer one
 * than the policy's. `now_s`, `nonce` (hexadecimal): of a client's own JWT. */
status oauth2_request_make(const struct oauth2_policy *policy, str url, str refresh_token,
                           int64_t now_s, str nonce, struct oauth2_request *ret_request,
                           struct error *reterr);

struct oauth2_token {
    str access_token;  /* owned */
    str refresh_token; /* owned; empty: none */
    int64_t lives_s;   /* from now on, with the margin taken off */
};
void oauth2_token_done(struct oauth2_token *token);

/** Reads the answer of the token endpoint. UNAUTHENTICATED: it refused (the text has the error's
 * code); UNAVAILABLE: it is no answer; PERMISSION_DENIED: a wrong issuer. Owned:
 * oauth2_token_done(). */
status oauth2_answer_read(const struct oauth2_policy *policy, int http_status, str body,
                          struct oauth2_token *ret_token, struct error *reterr);

#endif
