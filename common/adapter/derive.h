/** derive: values that are made of texts by a fixed function: keys, ids, signatures. */
#ifndef ADAPTER_DERIVE_H
#define ADAPTER_DERIVE_H

#include "adapter/scope.h"
#include "base/hash.h"

/** The UUID that `derive: {uuid5}` makes of a text. */
void derive_uuid(str name, char text[static UUID_TEXT_SIZE]);

/**
 * Sets `derived` of the scope: of each text the SHA-256 (hexadecimal), a UUID of version 5 in one
 * fixed namespace (RFC 9562), base64, or an HMAC-SHA256 with a secret. A list of texts gives a
 * list. Or an address that is signed (signature_presign()). INVALID_ARGUMENT: it is no text.
 */
status derive_all(const struct manifest_action *action, const struct secret_source *secrets,
                  struct arena *arena, json *scope, struct error *reterr);

#endif
