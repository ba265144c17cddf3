/**
 * form_data: a map as the body of a request in multipart/form-data.
 *
 *     {n: 1.5}                                       a part with the text 1.5
 *     {l: [a, b]}                                    a part `l` for each
 *     {m: {k: true}}                                 a part with JSON, which says so
 *     {f: {base64: JVBERi0=, name: a.pdf, mime: application/pdf}}
 *                                                    a file; `name` (else that of the member) and
 *                                                    `mime` may be missing, `size` may be there
 *     {x: null}                                      nothing
 *
 * Names are escaped as browsers do it. Sources: RFC 7578; OpenAPI 3.1, "Encoding Object", for what
 * a value goes as.
 *
 * Pure but for the boundary, which chance makes; any thread.
 */
#ifndef TOOL_ADAPTER_FORM_DATA_H
#define TOOL_ADAPTER_FORM_DATA_H

#include "base/buf.h"
#include "base/status.h"
#include "json/json.h"

enum { FORM_DATA_TYPE_SIZE = 80 /* bytes of a Content-Type, its NUL included */ };

/** Appends the body; `ret_type` is its Content-Type. INVALID_ARGUMENT names what is wrong with a
 * file: "/body/f: `base64` is none"; RESOURCE_EXHAUSTED: it does not fit. */
status form_data_write(json map, struct buf *out, char ret_type[static FORM_DATA_TYPE_SIZE],
                       struct error *reterr);

#endif
