/*
 * SHA-256 by OpenSSL's plain functions. Its newer interface looks the algorithm up by name, takes
 * locks and allocates at every call: for our short texts that is several times the work itself,
 * and every lease token is signed and checked on the engine's thread.
 */
#define OPENSSL_SUPPRESS_DEPRECATED
#include "base/hash.h"

#include "base/assert.h"
#include "base/attr.h"

#include <openssl/crypto.h>
#include <openssl/md5.h>
#include <openssl/sha.h>
#include <string.h>

enum { BLOCK_SIZE = SHA256_CBLOCK };
static_assert(SHA256_SIZE == SHA256_DIGEST_LENGTH);

/* --- a stream ----------------------------------------------------------------------------------
 */

static_assert(sizeof(SHA256_CTX) <= sizeof((struct sha256_stream){}.state));
static_assert(alignof(SHA256_CTX) <= alignof(struct sha256_stream));

static SHA256_CTX *context_of(struct sha256_stream *stream)
{
    return (SHA256_CTX *)(void *)stream->state;
}

void sha256_begin(struct sha256_stream *stream)
{
    int is_done = SHA256_Init(context_of(stream));
    ASSERT(is_done);
}

void sha256_add(struct sha256_stream *stream, bytes data)
{
    int is_done = SHA256_Update(context_of(stream), data.ptr, data.len);
    ASSERT(is_done);
}

void sha256_end(struct sha256_stream *stream, uint8_t ret_digest[static SHA256_SIZE])
{
    int is_done = SHA256_Final(ret_digest, context_of(stream));
    ASSERT(is_done);
}

void sha256_parts(const bytes *parts, size_t count, uint8_t ret_digest[static SHA256_SIZE])
{
    struct sha256_stream stream;
    sha256_begin(&stream);
    for (size_t i = 0; i < count; i++) sha256_add(&stream, parts[i]);
    sha256_end(&stream, ret_digest);
}

void sha256(bytes data, uint8_t ret_digest[static SHA256_SIZE])
{
    sha256_parts(&data, 1, ret_digest);
}

/* RFC 2104: H(key ^ opad, H(key ^ ipad, data)). */
void hmac_sha256(bytes key, bytes data, uint8_t ret_digest[static SHA256_SIZE])
{
    uint8_t block[BLOCK_SIZE] = {};
    if (key.len > BLOCK_SIZE) {
        sha256(key, block);
    } else if (key.len > 0) {
        memcpy(block, key.ptr, key.len);
    }
    uint8_t inner[SHA256_SIZE];
    const bytes inside[]  = {{block, BLOCK_SIZE}, data};
    const bytes outside[] = {{block, BLOCK_SIZE}, {inner, SHA256_SIZE}};
    for (size_t i = 0; i < BLOCK_SIZE; i++) block[i] ^= 0x36;
    sha256_parts(inside, ARRAY_LEN(inside), inner);
    for (size_t i = 0; i < BLOCK_SIZE; i++) block[i] ^= 0x36 ^ 0x5c;
    sha256_parts(outside, ARRAY_LEN(outside), ret_digest);
    explicit_bzero(block, sizeof block);
}

void md5(bytes data, uint8_t ret_digest[static MD5_SIZE])
{
    MD5_CTX context;
    int is_done = MD5_Init(&context) && MD5_Update(&context, data.ptr, data.len) &&
                  MD5_Final(ret_digest, &context);
    ASSERT(is_done);
}

void uuid5(const uint8_t namespace[static UUID_SIZE], str name, char text[static UUID_TEXT_SIZE])
{
    enum { VERSION = 6, VARIANT = 8 }; /* the bytes that hold them */
    static const size_t groups[] = {4, 2, 2, 2, 6};
    uint8_t digest[SHA_DIGEST_LENGTH];
    SHA_CTX context;
    int is_done = SHA1_Init(&context) && SHA1_Update(&context, namespace, UUID_SIZE) &&
                  SHA1_Update(&context, name.ptr, name.len) && SHA1_Final(digest, &context);
    ASSERT(is_done);
    digest[VERSION]     = (uint8_t)((digest[VERSION] & 0x0F) | 0x50);
    digest[VARIANT]     = (uint8_t)((digest[VARIANT] & 0x3F) | 0x80);
    const uint8_t *from = digest;
    for (size_t i = 0; i < ARRAY_LEN(groups); i++) {
        hex_encode(from, groups[i], text);
        from += groups[i];
        text += 2 * groups[i];
        if (i + 1 < ARRAY_LEN(groups)) *text++ = '-';
    }
}

bool bytes_equal_constant_time(const void *a, const void *b, size_t size)
{
    return CRYPTO_memcmp(a, b, size) == 0;
}
