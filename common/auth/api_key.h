/**
 * api_key: the keys of the HTTP API: `tutti_<key id>_<secret>`.
 *
 * The key id (12 base62 characters) is public: look-up, logs, audit. The secret is 32 random bytes
 * in 43 base62 characters. Only SHA-256 of the secret's text is ever stored: 256 random bits need
 * no slow hash. Keys never stand in URLs or cookies.
 */
#ifndef AUTH_API_KEY_H
#define AUTH_API_KEY_H

#include "base/hash.h"
#include "base/str.h"

#include <stdbool.h>
#include <stdint.h>

enum {
    API_KEY_ID_LEN     = 12,
    API_KEY_SECRET_LEN = 43,
    API_KEY_RANDOM     = 44,                                          /* bytes: 12 and 32 */
    API_KEY_LEN        = 6 + API_KEY_ID_LEN + 1 + API_KEY_SECRET_LEN, /* "tutti_", "_" */
};

struct api_key {
    char text[API_KEY_LEN + 1];
    char id[API_KEY_ID_LEN + 1];
    uint8_t secret_sha256[SHA256_SIZE];
};

/** Makes a key from random bytes, which come from the caller (random_bytes()). */
void api_key_make(const uint8_t random[static API_KEY_RANDOM], struct api_key *ret_key);

/** The same with an id that there is: another secret for it. False: that is no id. */
bool api_key_remake(str id, const uint8_t random[static API_KEY_RANDOM], struct api_key *ret_key);

/** Reads a key; false if the text does not have its form. */
bool api_key_parse(str text, struct api_key *ret_key);

/** Whether the secret of `key` is the one whose hash is stored; in constant time. */
bool api_key_matches(const struct api_key *key, const uint8_t secret_sha256[static SHA256_SIZE]);

/**
 * The key in the values of the three headers it may come in; those not sent are empty. The first
 * that is there counts: `Authorization: Bearer`, `X-API-Key`, `X-Goog-Api-Key`. False if none is.
 */
bool api_key_from_headers(str authorization, str x_api_key, str x_goog_api_key, str *ret_text);

#endif
