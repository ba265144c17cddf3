/**
 * api_library: the description of an API for one call, with those other documents that its
 * operation refers to.
 *
 * Which they are shows when the request is made: as long as a reference leads to a document that is
 * not there it is fetched, as descriptions are (api_documents.h), relative to where it is referred
 * to. Credentials of the description go to its origin alone.
 *
 * If the paths themselves lead into other documents, these are looked through until one has the
 * operation, first those whose names are like its own: at most API_LIBRARY_SEARCHED_MAX. It may
 * refer to API_LIBRARY_PARTS_MAX more. All of them have API_LIBRARY_VALUES_MAX values and
 * API_LIBRARY_SIZE_MAX bytes at most.
 *
 * Threads: belongs to the loop of the documents.
 */
#ifndef TOOL_ADAPTER_API_LIBRARY_H
#define TOOL_ADAPTER_API_LIBRARY_H

#include "tool-adapter/http/api_documents.h"

enum {
    API_LIBRARY_PARTS_MAX    = 32, /* besides the description */
    API_LIBRARY_SEARCHED_MAX = 128,
    API_LIBRARY_VALUES_MAX   = 2'000'000,
    API_LIBRARY_SIZE_MAX     = 64 << 20, /* as they came, with the description */
};

struct api_library;

/** Once, at the end of the last thing that the library does; it is still the caller's, who may free
 * it from inside. As api_document_fn; the text begins with the argument that is wrong. */
typedef void api_library_fn(status code, const struct error *error, void *context);

/** Of {document: {endpoint}, operationId, parameters?}. Owned: api_library_freep(), at any time. */
struct api_library *api_library_new(struct api_documents *documents, json arguments,
                                    api_library_fn *done, void *context);
void api_library_freep(struct api_library **library);

/** Fetches what is needed; `done` may come from inside. Once. */
void api_library_gather(struct api_library *library);

/** The operation as the request that it is, with arguments as above, which may differ in values
 * alone. Owned. As openapi_request_new(). */
status api_library_request_new(const struct api_library *library, json arguments, json *ret_request,
                               struct error *reterr);

#endif
