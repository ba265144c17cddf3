/**
 * signature: proofs that are made of the request or of the time, not just put in: `jwt`, `sigv4`,
 * `hmac`. Called by credentials_add(), after all else of the request is written.
 *
 * In a dry run (secrets that are hidden) a token or signature is `***`.
 */
#ifndef ADAPTER_SIGNATURE_H
#define ADAPTER_SIGNATURE_H

#include "adapter/outgoing.h"

/** INVALID_ARGUMENT (an expression, a key that is none), FAILED_PRECONDITION (a secret is not
 * set), RESOURCE_EXHAUSTED. */
status signature_add(const struct manifest_auth *auth, const struct outgoing_source *source,
                     struct outgoing *outgoing, struct error *reterr);

/**
 * An address signed by the manifest's `sigv4`, which needs no credentials then. `request` is
 * {url, method? (GET), expires? (900 seconds)}. `*ret_text` is owned. INVALID_ARGUMENT also if the
 * manifest signs in another way.
 */
status signature_presign(const struct manifest *manifest, const struct secret_source *secrets,
                         json scope, json request, struct arena *arena, json *ret_text,
                         struct error *reterr);

#endif
