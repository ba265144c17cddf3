/**
 * cloud_events: a request with CloudEvents 1.0 in it, in one of the three modes of HTTP.
 *
 *     binary      attributes in headers `ce-<name>`, percent-encoded; the body is the data
 *     structured  application/cloudevents+json: the body is the event
 *     batch       application/cloudevents-batch+json: an array of them
 *
 * Only what HTTP adds is judged here. Whether an event has what it must have, says the scheduler.
 */
#ifndef GATEWAY_CLOUD_EVENTS_H
#define GATEWAY_CLOUD_EVENTS_H

#include "base/status.h"
#include "httpd/httpd.h"
#include "json/json.h"

enum {
    CLOUD_EVENTS_MAX          = 500,   /* of a batch */
    CLOUD_EVENT_ATTRIBUTE_MAX = 4'096, /* bytes of a header, decoded */
};

/** `*ret_events` (owned) is an array of 1 to CLOUD_EVENTS_MAX values, as the client sent them.
 * INVALID_ARGUMENT, with the code of the problem: unsupported_media_type (no mode at all),
 * invalid_json, invalid_request. */
status cloud_events_read(const struct httpd_request *request, json *ret_events,
                         struct error *reterr);

#endif
