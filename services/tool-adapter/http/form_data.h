/**
 * form_data: a map as the body of a request in multipart/form-data.
 *
 *     {n: 1.5}                                       a part with the text 1.5
 *     {l: [a, b]}                                    a part `l` for each
 *     {m: {k: true}}                                 a part with JSON, which says so
 *     {f: {base64: JVBERi0=, name: a.pdf, mime: application/pdf}}
 *                                                    a file; `name` (else that of the member) and
 *                                                    `mime` may be missing, `size` may be there
 *     {f: {file: 01M8...}}                           a stored file, with its name and media type;
 *                                                    `name` and `mime` may say others, and what is
 *                                                    shown of stored files may be there
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
#include "tool-adapter/files/file_set.h"
#include "json/json.h"

enum { FORM_DATA_TYPE_SIZE = 80 /* bytes of a Content-Type, its NUL included */ };

/** The ids of stored files in it, views; returns how many: FILE_SET_MAX + 1 means too many. */
size_t form_data_files(json map, str ret_ids[FILE_SET_MAX + 1]);

/** `files` are those of form_data_files(); NULL: none. Appends the body; `ret_type` is its
 * Content-Type. INVALID_ARGUMENT names what is wrong with a file: "/body/f: `base64` is none";
 * RESOURCE_EXHAUSTED: it does not fit. */
status form_data_write(json map, const struct file_set *files, struct buf *out,
                       char ret_type[static FORM_DATA_TYPE_SIZE], struct error *reterr);

#endif
