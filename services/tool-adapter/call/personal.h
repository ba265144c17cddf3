/**
 * personal: personal data in the arguments of a call.
 *
 * A manifest says of a parameter what it may hold: `pii: scrub` (texts for people: the connection's
 * rule decides, without one it is masked), `pii: block` (it must hold none). Others are left: an
 * address that mail goes to is what the call is for. It happens before anything is derived, kept or
 * sent.
 */
#ifndef TOOL_ADAPTER_PERSONAL_H
#define TOOL_ADAPTER_PERSONAL_H

#include "adapter/manifest.h"
#include "pii/scrub.h"

enum {
    PERSONAL_NAMES_MAX = 64, /* marked parameters of an action */
    PERSONAL_DEPTH_MAX = 8,  /* of them */
};

/**
 * What may leave of `params` (a map or JSON_INVALID); owned. A mark counts for the member of that
 * name at any depth. INVALID_ARGUMENT: it is blocked; the text names members and kinds, no values.
 */
status personal_apply(const struct scrub_options *rule, const struct manifest_action *action,
                      json params, json *ret_params, struct error *reterr);

#endif
