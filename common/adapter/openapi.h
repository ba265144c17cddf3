/**
 * openapi: the skeleton of a manifest from an official description: OpenAPI 3.x or Swagger 2.0.
 *
 * What a description says is taken over: paths, parameters, the members of JSON and form bodies,
 * what answers hold, how callers prove who they are. What it cannot say is guessed and marked as
 * such (effects, by the method) or left out, so that the linter asks for it: `idempotency` and the
 * undo of every action that writes. Members deeper than the first level of a body are one value.
 *
 * Nothing of the description is more than a text in what is written. Pure; any thread.
 */
#ifndef ADAPTER_OPENAPI_H
#define ADAPTER_OPENAPI_H

#include "base/buf.h"
#include "base/status.h"
#include "json/json.h"

enum {
    OPENAPI_OPERATIONS_MAX = 200, /* in one manifest */
    OPENAPI_PARAMS_MAX     = 100, /* of one operation */
    OPENAPI_NAME_MAX       = 63,  /* bytes of a name in a manifest */
};

struct openapi_options {
    const char *name;       /* of the adapter; a name as manifests have them */
    const char *operations; /* operationIds, of those without one "get/path", separated by commas;
                             * NULL: all */
};

/** Appends the manifest. INVALID_ARGUMENT: it is no description that is understood, or has no
 * operations; NOT_FOUND: it lacks one of those that are named; RESOURCE_EXHAUSTED: too many
 * operations at once. */
status openapi_skeleton(json description, const struct openapi_options *options, struct buf *out,
                        struct error *reterr);

#endif
