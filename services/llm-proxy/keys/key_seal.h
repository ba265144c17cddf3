/**
 * key_seal: keys of providers, so that only who has the master secret can read them.
 *
 * Sealed as base/seal.h says; what seals, and what makes fingerprints, is derived from the master
 * secret by HMAC-SHA256 (the first block of HKDF's second step, RFC 5869). The name of the provider
 * and the fingerprint are authenticated with it: what was sealed for one provider opens for no
 * other.
 *
 * Threads: constant after key_seal_new(); any.
 */
#ifndef LLM_PROXY_KEY_SEAL_H
#define LLM_PROXY_KEY_SEAL_H

#include "base/arena.h"
#include "base/seal.h"
#include "base/status.h"

enum {
    KEY_SEAL_MASTER_MIN  = 32,     /* bytes */
    KEY_FINGERPRINT_SIZE = 12 + 1, /* lower-case hexadecimal, and NUL */
};

struct key_seal;

/** Whether it may be a master secret; empty: there is none. INVALID_ARGUMENT. */
status key_seal_check(str master, struct error *reterr);

/** Owned: key_seal_freep(), which wipes it. */
struct key_seal *key_seal_new(str master);
void key_seal_freep(struct key_seal **seal);

/** Tells one key from another, and nothing more without the master secret. */
void key_seal_fingerprint(const struct key_seal *seal, str value,
                          char ret_text[static KEY_FINGERPRINT_SIZE]);

/** Seals `value` for that provider. `ret_sealed` has room for SEAL_OVERHEAD bytes more than
 * `value`; all of it is written. False: libcrypto failed. */
bool key_seal_close(const struct key_seal *seal, str provider, str value, uint8_t *ret_sealed);

/** The value lives as long as `arena`, NUL-terminated. INVALID_ARGUMENT: it was sealed with another
 * master secret or for another provider, or was changed. */
status key_seal_open(const struct key_seal *seal, str provider, str fingerprint, bytes sealed,
                     struct arena *arena, str *ret_value, struct error *reterr);

#endif
