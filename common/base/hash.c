#include "base/hash.h"

#include "base/assert.h"
#include "base/attr.h"

#include <limits.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/sha.h>

static_assert(SHA256_SIZE == SHA256_DIGEST_LENGTH);

void sha256(bytes data, uint8_t ret_digest[static SHA256_SIZE])
{
    const uint8_t *done = SHA256(data.ptr, data.len, ret_digest);
    ASSERT(done != NULL);
}

static void context_freep(EVP_MD_CTX **context)
{
    EVP_MD_CTX_free(*context);
}

void sha256_parts(const bytes *parts, size_t count, uint8_t ret_digest[static SHA256_SIZE])
{
    CLEANUP(context_freep) EVP_MD_CTX *context = EVP_MD_CTX_new();
    ASSERT(context != NULL);
    int is_done = EVP_DigestInit_ex(context, EVP_sha256(), NULL);
    for (size_t i = 0; is_done && i < count; i++) {
        is_done = EVP_DigestUpdate(context, parts[i].ptr, parts[i].len);
    }
    is_done = is_done && EVP_DigestFinal_ex(context, ret_digest, NULL);
    ASSERT(is_done); /* fails without memory only */
}

void hmac_sha256(bytes key, bytes data, uint8_t ret_digest[static SHA256_SIZE])
{
    ASSERT(key.len <= INT_MAX);
    const void *key_start = key.len > 0 ? key.ptr : ""; /* NULL would mean "the key of before" */
    const uint8_t *done =
        HMAC(EVP_sha256(), key_start, (int)key.len, data.ptr, data.len, ret_digest, NULL);
    ASSERT(done != NULL);
}

bool bytes_equal_constant_time(const void *a, const void *b, size_t size)
{
    return CRYPTO_memcmp(a, b, size) == 0;
}
