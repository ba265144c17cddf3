/**
 * resource_metadata: which authorization server a protected resource says it has, and how a client
 * of that server (client_credentials) gets a token for the resource: what a 401 says, where the
 * documents are, and what they mean.
 *
 * Source: RFC 9728 (metadata of the resource), RFC 8414 and OpenID Connect Discovery (of the
 * server), RFC 8707 (`resource`), and how modelcontextprotocol.io, specification 2026-07-28,
 * "Authorization", puts them together. Pure.
 */
#ifndef TOOL_ADAPTER_RESOURCE_METADATA_H
#define TOOL_ADAPTER_RESOURCE_METADATA_H

#include "base/buf.h"
#include "base/status.h"
#include "json/json.h"

enum {
    RESOURCE_METADATA_SIZE_MAX = 64 << 10, /* bytes of a document */
    RESOURCE_URL_MAX           = 4'096,    /* bytes */
    RESOURCE_SCOPES_MAX        = 50,
};

/** What the Bearer challenge of a 401 says; views of the header. */
struct resource_challenge {
    str metadata_url; /* empty: it names none */
    str scope;        /* empty: none */
};
void resource_challenge_read(str header, struct resource_challenge *ret_challenge);

/** Where the metadata of `resource` may be, the first place at `attempt` 0: where the challenge
 * says, or else two well-known ones. False: there is no such place, or `out` is full. */
bool resource_metadata_url(str resource, const struct resource_challenge *challenge,
                           unsigned attempt, struct buf *out);

/** Reads it: of a resource that `resource` is, or is below, of the same origin. `issuer` is the
 * server that must be among its authorization servers; empty: the first is taken. Owned.
 * UNAVAILABLE: it is no metadata; PERMISSION_DENIED: of another resource or issuer. */
status resource_metadata_read(str resource, str issuer, str document, json *ret_metadata,
                              json *ret_issuer, struct error *reterr);

/** Where the metadata of the authorization server may be; as above. */
bool server_metadata_url(str issuer, unsigned attempt, struct buf *out);

/** Reads it, and makes the policy of OAuth 2 (oauth2.h) of it. `client` is {id, secret?, key?,
 * key_id?, scopes?}: with a key (a private one, in PEM) it proves itself by private_key_jwt if the
 * server takes that. `resource_metadata` is what was read before; scopes are the client's own, or
 * those that the challenge asks for, or else all of the resource. UNAVAILABLE: it is no metadata;
 * PERMISSION_DENIED: of another issuer; FAILED_PRECONDITION: the server takes no such client.
 * Owned. */
status server_metadata_read(str issuer, str document, json client, json resource_metadata,
                            str scope, json *ret_policy, struct error *reterr);

#endif
