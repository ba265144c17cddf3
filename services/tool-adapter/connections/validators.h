/**
 * validators: by which an answer that was kept can be asked after (RFC 9110, 8.8 and 13.1): `ETag`
 * and `Last-Modified`. A service that says 304 then spares the answer; what was made of it still
 * holds.
 *
 * Pure. Threads: any.
 */
#ifndef TOOL_ADAPTER_VALIDATORS_H
#define TOOL_ADAPTER_VALIDATORS_H

#include "adapter/manifest.h"
#include "http/http.h"

enum {
    VALIDATOR_SIZE_MAX = 1'024 /* bytes of one; a longer one is not kept */,
    VALIDATORS_MAX     = 2
};

/** Says whether what the action answers is made of one answer to one GET. */
bool validators_apply(const struct manifest_action *action);

/** Of an answer {status, headers, body}: {etag, last_modified}; one that is not of printable ASCII
 * is passed over. JSON_INVALID: it has none. Owned. */
json validators_new(json response);

/** The headers that ask by them, behind the `count` that are there; those that are named already
 * stay as they are. Views. Returns the new count. */
size_t validators_put(json validators, struct http_header *headers, size_t count);

/** Says whether the answer means that what was kept still holds. */
bool validators_hold(json validators, json response);

#endif
