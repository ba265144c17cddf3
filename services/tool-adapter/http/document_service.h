/**
 * document_service: reads the documents that definitions name by URL, for gateways (Documents of
 * proto/document.proto): catalogs, functions, schemas.
 *
 * A document is a GET through the egress guard, with the operator's rules of `tools.egress`; what
 * it is not allowed to be is said as a failure, which becomes a finding of the definition. Nothing
 * is kept: whoever registers a workflow keeps what it names.
 *
 * Threads: the methods come on RPC threads and are carried to the loop; the rest is there.
 */
#ifndef TOOL_ADAPTER_DOCUMENT_SERVICE_H
#define TOOL_ADAPTER_DOCUMENT_SERVICE_H

#include "http/http.h"
#include "rpc/rpc.h"

enum {
    DOCUMENT_FETCH_SIZE_MAX  = 512 << 10, /* bytes, decompressed: as of a definition */
    DOCUMENT_FETCH_REDIRECTS = 3,
    DOCUMENT_FETCH_MS        = 10'000, /* all of it, redirects included */
    DOCUMENT_FETCHES_MAX     = 64,     /* at once */
};

struct document_service;

/** Owned: document_service_freep(); borrows the others. */
struct document_service *document_service_new(struct http_client *http, struct loop *loop);

/** Once nobody serves it any more: what is under way is given up without an answer. */
void document_service_freep(struct document_service **service);

extern const struct rpc_method document_service_methods[]; /* context: a struct document_service */

#endif
