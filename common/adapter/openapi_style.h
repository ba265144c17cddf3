/**
 * openapi_style: one parameter of an operation as the text that stands for it in a request.
 *
 * Styles of OpenAPI 3 (simple, label, matrix, form, spaceDelimited, pipeDelimited, deepObject, each
 * with and without `explode`), formats of collections in Swagger 2.0 (csv, ssv, tsv, pipes, multi),
 * and `content`, which is JSON. What stands deeper than the items of a list or the members of a map
 * goes as JSON; null is nothing. Source: OpenAPI 3.1.1, "Style Values"; Swagger 2.0, "Parameter".
 *
 * Pure; any thread.
 */
#ifndef ADAPTER_OPENAPI_STYLE_H
#define ADAPTER_OPENAPI_STYLE_H

#include "base/buf.h"
#include "json/json.h"

enum openapi_place {
    OPENAPI_IN_PATH,
    OPENAPI_IN_QUERY,
    OPENAPI_IN_HEADER,
    OPENAPI_IN_COOKIE,
    OPENAPI_IN_NOTHING, /* a body, a form, or no place that is known */
};

/** The place that `in` of a parameter names. */
enum openapi_place openapi_place_of(json parameter);

/**
 * Appends the parameter `self`, called `name`, with `value`: in a path what replaces its braces, in
 * a query "name=value" pairs with `&` between, in a header the value, in a cookie "name=value"
 * pairs with "; " between. Nothing for an empty list or map. False if `out` is full.
 */
bool openapi_put(json self, bool is_swagger, str name, json value, struct buf *out);

#endif
