/**
 * labels: `key=value` pairs of a request, as messages carry them.
 *
 *     struct labels labels = labels_of_body(call, json_get_text(call->body, "labels"));
 *     message.labels = labels.items, message.n_labels = labels.count;
 *
 * What is returned lives as long as the call.
 */
#ifndef GATEWAY_LABELS_H
#define GATEWAY_LABELS_H

#include "common.pb-c.h"
#include "gateway/api/api.h"

enum { LABELS_MAX = 16 }; /* the contract's limit for a body, and for filters of a list */

struct labels {
    Pb__Label **items; /* not NULL */
    size_t count;
};

/** Members of the object `from`, whose form the contract has checked; none if it is not there. */
struct labels labels_of_body(struct api_call *call, json from);

/** `?label=key=value`, as often as one likes. INVALID_ARGUMENT: one is not of that form, or there
 * are more than LABELS_MAX. */
status labels_of_query(struct api_call *call, struct labels *ret_labels, struct error *reterr);

#endif
