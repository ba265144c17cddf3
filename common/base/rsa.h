/** rsa: signatures with private RSA keys (libcrypto behind). */
#ifndef BASE_RSA_H
#define BASE_RSA_H

#include "base/status.h"
#include "base/str.h"

#include <stddef.h>
#include <stdint.h>

enum {
    RSA_PEM_MAX       = 16 << 10, /* bytes */
    RSA_BITS_MIN      = 2'048,    /* RFC 7518, section 3.3 */
    RSA_BITS_MAX      = 8'192,
    RSA_SIGNATURE_MAX = RSA_BITS_MAX / 8, /* bytes */
};

/**
 * Signs with RSASSA-PKCS1-v1_5 and SHA-256, which JWT calls RS256. INVALID_ARGUMENT: `pem` holds no
 * private RSA key of RSA_BITS_MIN to RSA_BITS_MAX bits, or one that asks for a password. Error
 * texts hold nothing of the key. Any thread.
 */
status rsa_sha256_sign(str pem, bytes data, uint8_t ret_signature[static RSA_SIGNATURE_MAX],
                       size_t *ret_size, struct error *reterr);

#endif
