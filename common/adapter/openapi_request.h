/**
 * openapi_request: one operation of a description with its parameters, as a plain HTTP request.
 *
 * Each parameter goes to the place and in the style that the description says. What stands in no
 * parameter is the body: the member `body` of the parameters is the whole of it; else those members
 * that no parameter takes are its members. Keys of `securitySchemes` may be given as parameters by
 * their names. Parameters without a place are refused, and so are required ones that are missing.
 *
 * Bodies: JSON, forms (a map and its Content-Type; whoever sends it writes them), and any other
 * media type as a text. Not supported: parameters whose values would change which path is called
 * (empty, `.` and `..`). References into other documents are followed if these are given; else
 * `wanted` says which one is missed, whatever came of the request.
 *
 * The description may be a stranger's: nothing of it is more than a text in what is made. Pure.
 */
#ifndef ADAPTER_OPENAPI_REQUEST_H
#define ADAPTER_OPENAPI_REQUEST_H

#include "adapter/openapi_find.h"
#include "json/json.h"

enum {
    OPENAPI_LISTED_MAX = 200,       /* parameters of one operation, its path's included */
    OPENAPI_GIVEN_MAX  = 1'000,     /* parameters of one call */
    OPENAPI_URL_MAX    = 16 * 1024, /* bytes of path, of query, of all cookies */
};

struct openapi_call {
    json description;
    str document_url; /* where the description came from: servers may be relative to it */
    str operation_id;
    json parameters;                  /* a map; JSON_INVALID, null: none */
    const struct openapi_part *parts; /* openapi_find.h, as the next three */
    size_t part_count;
    struct buf *wanted;
    bool *is_search;
};

/**
 * `*ret_request` is {method, endpoint, headers, body?}, owned: arguments of `call: http`. A text
 * that begins with `/` names the argument that is wrong: "/operationId", "/parameters/petId".
 * INVALID_ARGUMENT, NOT_FOUND (no such operation), UNIMPLEMENTED, RESOURCE_EXHAUSTED.
 */
status openapi_request_new(const struct openapi_call *call, json *ret_request,
                           struct error *reterr);

#endif
