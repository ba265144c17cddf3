/** picture_file: what a browser makes of a page, as adapters take it: {base64, mime, size}. Pure.
 */
#ifndef TOOL_ADAPTER_BROWSER_PICTURE_FILE_H
#define TOOL_ADAPTER_BROWSER_PICTURE_FILE_H

#include "base/str.h"
#include "json/json.h"

enum picture_format { PICTURE_PNG, PICTURE_JPEG, PICTURE_WEBP, PICTURE_PDF };

/** Owned; JSON_INVALID: it does not begin as one of this format does. */
json picture_file_new(enum picture_format format, str base64);

#endif
