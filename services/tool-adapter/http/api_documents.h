/**
 * api_documents: descriptions of APIs (OpenAPI, Swagger), fetched when a call needs them.
 *
 * A description is kept for API_DOCUMENT_KEPT_MS and shared by all who name it with the same
 * credentials; whoever asks while it is on its way waits for that one. JSON, or YAML, which may
 * have YAML_SIZE_MAX bytes only. What failed is not remembered.
 *
 * Every request passes the egress guard of the HTTP client. Reading a large description keeps the
 * loop for that long: about 10 ms per MiB.
 *
 * Threads: belongs to the loop of its HTTP client.
 */
#ifndef TOOL_ADAPTER_API_DOCUMENTS_H
#define TOOL_ADAPTER_API_DOCUMENTS_H

#include "http/http.h"
#include "tool-adapter/authorization/tokens.h"
#include "json/json.h"

enum {
    API_DOCUMENTS_MAX      = 160,      /* kept; the one unused longest goes */
    API_DOCUMENT_SIZE_MAX  = 16 << 20, /* bytes: GitHub's has 12 MiB */
    API_DOCUMENTS_SIZE_MAX = 32 << 20, /* bytes of all that are kept, as they came */
    API_DOCUMENT_KEPT_MS   = 300'000,
    API_DOCUMENT_FETCH_MS  = 30'000,
};

struct api_documents;
struct api_document_wait;

struct api_documents *api_documents_new(struct http_client *http,
                                        struct tokens *tokens); /* owned */
void api_documents_freep(struct api_documents **documents);     /* nobody is told */

/** `code` OK: `description` is a view for the call, `url` is where it came from, `size` its bytes
 * as they came. UNAVAILABLE and DEADLINE_EXCEEDED may pass; UNAUTHENTICATED, PERMISSION_DENIED,
 * NOT_FOUND, INVALID_ARGUMENT, RESOURCE_EXHAUSTED do not. `error` names the origin at most. */
typedef void api_document_fn(status code, json description, str url, size_t size,
                             const struct error *error, void *context);

/** `endpoint` is {uri, authentication?}. `done` is called once: before this returns, which is then
 * with NULL, or later. */
struct api_document_wait *api_documents_ask(struct api_documents *documents, json endpoint,
                                            api_document_fn *done, void *context);

/** `done` is not called any more. The fetch goes on. */
void api_documents_cancel(struct api_document_wait *wait);

#endif
