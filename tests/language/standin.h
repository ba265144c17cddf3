/** standin: HTTP requests and answers as scripts see them; shared by both back-ends. */
#ifndef LANGUAGE_STANDIN_H
#define LANGUAGE_STANDIN_H

#include "base/buf.h"
#include "http/http.h"
#include "language/script.h"

/** A request that has reached the world outside. */
struct standin_request {
    str method, host, path, query; /* the path as it was sent */
    const struct http_header *headers;
    size_t header_count;
    str body;
};

/** The answer of the script, 404 with an explanation if it has none. Texts are valid until
 * script_clear(). */
struct script_answer standin_answer(struct script *script, const struct standin_request *request);

#endif
