/** credentials: how a request proves who makes it, by the `auth` of its manifest, action or step.
 */
#ifndef ADAPTER_CREDENTIALS_H
#define ADAPTER_CREDENTIALS_H

#include "adapter/outgoing.h"

/** The auth that counts for a step: its own, else its action's, else the manifest's. */
const struct manifest_auth *credentials_of(const struct manifest_action *action,
                                           const struct manifest_step *step);

/**
 * Adds them, unless the request goes to another origin than `base_url`: then it goes without.
 * An optional secret that is not set means none. FAILED_PRECONDITION: one that must be set is not.
 * UNIMPLEMENTED: kinds whose proof is made while sending (jwt, oauth2, sigv4, hmac).
 */
status credentials_add(const struct outgoing_source *source, str base_url,
                       struct outgoing *outgoing, struct error *reterr);

#endif
