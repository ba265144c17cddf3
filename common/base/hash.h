/** hash: SHA-256, HMAC-SHA256 and the text forms of bytes (libcrypto behind). */
#ifndef BASE_HASH_H
#define BASE_HASH_H

#include "base/str.h"

#include <stdalign.h>
#include <stdbool.h>
#include <stdint.h>

enum { SHA256_SIZE = 32, MD5_SIZE = 16 };

void sha256(bytes data, uint8_t ret_digest[static SHA256_SIZE]);

/** What is hashed as it comes by: begin, add any number of times, end. */
struct sha256_stream {
    alignas(8) uint8_t state[112];
};
void sha256_begin(struct sha256_stream *stream);
void sha256_add(struct sha256_stream *stream, bytes data);
void sha256_end(struct sha256_stream *stream, uint8_t ret_digest[static SHA256_SIZE]);

/** Several pieces as if they were one. */
void sha256_parts(const bytes *parts, size_t count, uint8_t ret_digest[static SHA256_SIZE]);
void hmac_sha256(bytes key, bytes data, uint8_t ret_digest[static SHA256_SIZE]);

/** For protocols that still ask for it (RFC 7616), never for anything of our own. */
void md5(bytes data, uint8_t ret_digest[static MD5_SIZE]);

/** A UUID of version 5 (RFC 9562): the same name in the same namespace is the same id. */
enum { UUID_SIZE = 16, UUID_TEXT_SIZE = 37 };
void uuid5(const uint8_t namespace[static UUID_SIZE], str name, char text[static UUID_TEXT_SIZE]);

/** Compares in time that depends on `size` only. */
bool bytes_equal_constant_time(const void *a, const void *b, size_t size);

/** Lower-case hexadecimal; `text` has room for 2 * size + 1 bytes. */
void hex_encode(const void *data, size_t size, char *text);
bool hex_decode(str text, void *ret_data, size_t size);

/** Standard base64 with padding. Encoded length: base64_size() without NUL. */
size_t base64_size(size_t size);
void base64_encode(const void *data, size_t size, char *text);
/** For URLs, without padding (RFC 4648, section 5); `text` has room as for base64_encode(). Returns
 * the length. */
size_t base64url_encode(const void *data, size_t size, char *text);
/** Decodes strict base64 into `ret_data` (at least 3/4 of the text); false if it is not base64:
 * then `ret_data` may have been written to. Missing padding and stray last bits are refused. */
bool base64_decode(str text, void *ret_data, size_t *ret_size);

#endif
