/**
 * authorization: how one call proves who makes it (C4): basic, bearer, digest, oauth2, oidc.
 *
 * basic and bearer are headers from the start. A digest answers the challenge of a first refusal.
 * OAuth2 and OpenID Connect need a token, which tokens.h gets; a refused one is replaced once.
 *
 * Arguments, made by the engine: {basic: {username, password}} | {bearer: {token}} | {digest:
 * {username, password}} | {oauth2: {…}} | {oidc: {…}}, and `placeholder`: a text in the other
 * arguments in whose place the token stands. A bearer's secret may be the token itself.
 */
#ifndef TOOL_ADAPTER_AUTHORIZATION_H
#define TOOL_ADAPTER_AUTHORIZATION_H

#include "base/arena.h"
#include "http/http.h"
#include "tool-adapter/authorization/oauth2.h"
#include "json/json_mask.h"

struct authorization {
    enum authorization_kind {
        AUTHORIZATION_NONE,
        AUTHORIZATION_BASIC,
        AUTHORIZATION_BEARER,
        AUTHORIZATION_DIGEST,
        AUTHORIZATION_TOKEN, /* oauth2, oidc */
    } kind;
    str username, password; /* views of the arguments, as all that follows */
    str token;              /* of bearer */
    struct oauth2_policy policy;
    str placeholder; /* empty: none */
};

/** INVALID_ARGUMENT names the member; the error kind is `configuration`. */
status authorization_read(json authentication, struct authorization *ret_authorization,
                          struct error *reterr);

/** The value of Authorization for the first request; `token` is that of AUTHORIZATION_TOKEN.
 * Empty: none. In the arena. RESOURCE_EXHAUSTED. */
status authorization_header(const struct authorization *authorization, str token,
                            struct arena *arena, str *ret_value, struct error *reterr);

/** Copies headers with that value of Authorization in place of one that they may have (an empty
 * value: as they are). `ret_headers` has room for one more, and may be `headers`; returns how many
 * there are. */
size_t authorization_replace(const struct http_header *headers, size_t count, str value,
                             struct http_header *ret_headers);

/** The value that answers a 401 with its challenges. NOT_FOUND: there is none to be answered. */
status authorization_answer(const struct authorization *authorization,
                            const struct http_request *request, const struct http_answer *answer,
                            str cnonce, struct arena *arena, str *ret_value, struct error *reterr);

/** Hides in `mask` what the call proves itself with. */
void authorization_hide(const struct authorization *authorization, str token,
                        struct json_mask *mask);

#endif
