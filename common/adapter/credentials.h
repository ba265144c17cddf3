/** credentials: how a request proves who makes it, by the `auth` of its manifest, action or step.
 */
#ifndef ADAPTER_CREDENTIALS_H
#define ADAPTER_CREDENTIALS_H

#include "adapter/outgoing.h"

/** The auth that counts for a step: its own, else its action's, else the manifest's. */
const struct manifest_auth *credentials_of(const struct manifest_action *action,
                                           const struct manifest_step *step);

/** The value of a slot. `*ret_has` is false for an optional secret that is not set.
 * FAILED_PRECONDITION: one that must be set is not. */
status credentials_secret(const struct manifest *manifest, const char *slot,
                          const struct secret_source *secrets, str *ret_value, bool *ret_has,
                          struct error *reterr);

/**
 * Adds them, unless the request goes to another origin than `base_url`: then it goes without, but
 * for a message that is signed by `hmac`, since its signature tells nothing of the secret.
 * An optional secret that is not set means none. FAILED_PRECONDITION: one that must be set is not.
 * Of `oauth2` the token is the source's `access_token`; FAILED_PRECONDITION without one. Statuses
 * of signature_add() too.
 */
status credentials_add(const struct outgoing_source *source, str base_url,
                       struct outgoing *outgoing, struct error *reterr);

#endif
