/**
 * seal: bytes that only who has the key can read or make (AES-256-GCM; libcrypto behind).
 *
 * Each seal has a fresh random nonce; that is safe for 2^32 seals under one key (NIST SP 800-38D,
 * 8.3). Layout: version (1 byte), nonce (12), ciphertext, tag (16).
 */
#ifndef BASE_SEAL_H
#define BASE_SEAL_H

#include "base/str.h"

#include <stdbool.h>
#include <stdint.h>

enum {
    SEAL_KEY_SIZE = 32,
    SEAL_OVERHEAD = 1 + 12 + 16, /* bytes more than what is sealed */
    SEAL_TEXT_MAX = 1 << 20,     /* bytes; of `context` too */
};

/** Seals `text`, which is not empty. `context` is authenticated with it, and not kept: it must be
 * the same to open it. `ret_sealed` has room for SEAL_OVERHEAD bytes more than `text`. False: too
 * long, or libcrypto failed. */
bool seal_close(const uint8_t key[static SEAL_KEY_SIZE], bytes context, bytes text,
                uint8_t *ret_sealed);

/** `ret_text` has room for SEAL_OVERHEAD bytes less than `sealed`, or for one. False: it was sealed
 * with another key or context, or changed; then `ret_text` is wiped. */
bool seal_open(const uint8_t key[static SEAL_KEY_SIZE], bytes context, bytes sealed,
               uint8_t *ret_text);

#endif
