/**
 * answer_body: what an HTTP answer says, as `.response.body` of a manifest: JSON and XML where it
 * calls itself so or the action says so, a file as {base64, mime, size}, else text.
 *
 * Pure; any thread.
 */
#ifndef TOOL_ADAPTER_ANSWER_BODY_H
#define TOOL_ADAPTER_ANSWER_BODY_H

#include "adapter/manifest.h"
#include "http/http.h"
#include "media/media_type.h"

/** The media type, without its parameters; a view. */
str answer_media_type(const struct http_answer *answer);

/** Says whether a successful answer is a file: whatever its bytes are, it is no text. */
bool answer_body_is_file(enum response_form form, const struct http_result *http);

/** Owned. False: it calls itself JSON, or is to be JSON or XML, and is none. `types` look at a file
 * that is said to be something else; NULL: the service is believed. */
bool answer_body_read(enum response_form form, const struct http_result *http,
                      struct media_types *types, json *ret_body);

/** The answer as `.response`: {status, headers, body}; takes `body`. Owned. */
json answer_new(const struct http_result *http, json body);

#endif
