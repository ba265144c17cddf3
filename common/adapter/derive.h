/** derive: values that are made of texts by a fixed function: keys, ids, signatures. */
#ifndef ADAPTER_DERIVE_H
#define ADAPTER_DERIVE_H

#include "adapter/scope.h"

/**
 * Sets `derived` of the scope: of each text the SHA-256 (hexadecimal), a UUID of version 5 in one
 * fixed namespace (RFC 9562), base64, or an HMAC-SHA256 with a secret. A list of texts gives a
 * list. INVALID_ARGUMENT: it is no text.
 */
status derive_all(const struct manifest_action *action, const struct secret_source *secrets,
                  json *scope, struct error *reterr);

#endif
