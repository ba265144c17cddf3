/**
 * openapi_find: what stands where in a description: OpenAPI 3.x or Swagger 2.0.
 *
 * References are followed inside of the description alone, and not in circles. Views of the
 * description throughout. Pure; any thread.
 */
#ifndef ADAPTER_OPENAPI_FIND_H
#define ADAPTER_OPENAPI_FIND_H

#include "base/status.h"
#include "json/json.h"

enum { OPENAPI_REFS_MAX = 32 /* `$ref` behind `$ref` */ };

struct openapi_operation {
    const char *method; /* "get" */
    str path;           /* as the description has it: "/pets/{petId}" */
    json item, self;    /* of the path, and of the method */
};

/** INVALID_ARGUMENT: it is neither of the two. */
status openapi_check(json root, bool *ret_is_swagger, struct error *reterr);

/** What a reference means; JSON_INVALID for those into other files, and in circles. What is none
 * means itself. */
json openapi_resolve(json root, json node);
json openapi_member(json root, json map, const char *name);

/** A text of a map; empty if there is none. */
str openapi_text(json map, const char *name);

/** The operation of that operationId. NOT_FOUND. */
status openapi_find(json root, str id, struct openapi_operation *ret_operation,
                    struct error *reterr);

#endif
