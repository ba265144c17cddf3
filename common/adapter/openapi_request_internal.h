/* openapi_request_internal: a request while it is put together. */
#ifndef ADAPTER_OPENAPI_REQUEST_INTERNAL_H
#define ADAPTER_OPENAPI_REQUEST_INTERNAL_H

#include "adapter/openapi_find.h"
#include "adapter/openapi_request.h"
#include "adapter/openapi_style.h"
#include "base/attr.h"
#include "base/buf.h"

struct openapi_making {
    const struct openapi_call *call;
    struct openapi_library library; /* of the call */
    size_t followed;                /* references */
    bool is_swagger;
    struct openapi_operation operation;
    json listed[OPENAPI_LISTED_MAX]; /* parameters, references resolved */
    size_t listed_count;
    bool is_used[OPENAPI_GIVEN_MAX]; /* of the call's parameters */
    struct buf query, cookies;
    json headers, body; /* owned */
};

/* How much of a name stands in an error. */
int openapi_shown(str name);

/* The value that the call gives; it counts as used. JSON_INVALID: none, null included. */
json openapi_given(struct openapi_making *making, str name);

status openapi_missing(const struct openapi_making *making, str name, const char *place,
                       struct error *reterr);

/* Sets `body` and its header Content-Type from what no parameter has used, and refuses what has no
 * place there either (openapi_body.c). */
status openapi_put_body(struct openapi_making *making, struct error *reterr);

#endif
