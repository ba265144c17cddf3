/** private_key: signatures with private keys in PEM (libcrypto behind). Any thread; error texts
 * hold nothing of a key. */
#ifndef BASE_PRIVATE_KEY_H
#define BASE_PRIVATE_KEY_H

#include "base/status.h"
#include "base/str.h"

#include <stddef.h>
#include <stdint.h>

enum {
    PRIVATE_KEY_PEM_MAX       = 16 << 10, /* bytes */
    PRIVATE_KEY_RSA_BITS_MIN  = 2'048,    /* RFC 7518, section 3.3 */
    PRIVATE_KEY_RSA_BITS_MAX  = 8'192,
    PRIVATE_KEY_SIGNATURE_MAX = PRIVATE_KEY_RSA_BITS_MAX / 8, /* bytes */
};

/** What signs with it; both with SHA-256 (RFC 7518, sections 3.3 and 3.4). */
enum private_key_kind {
    PRIVATE_KEY_NONE, /* it is no such key, or asks for a password */
    PRIVATE_KEY_RSA,  /* RS256: RSASSA-PKCS1-v1_5 */
    PRIVATE_KEY_P256, /* ES256: ECDSA with the curve P-256 */
};

enum private_key_kind private_key_kind(str pem);

/** Signs as JWT has it: of ES256 both numbers behind each other, 32 bytes each. INVALID_ARGUMENT:
 * `pem` is no key of that kind. */
status private_key_sign(str pem, enum private_key_kind kind, bytes data,
                        uint8_t ret_signature[static PRIVATE_KEY_SIGNATURE_MAX], size_t *ret_size,
                        struct error *reterr);

#endif
