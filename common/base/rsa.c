#include "base/rsa.h"

#include "base/attr.h"

#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>

static void key_freep(EVP_PKEY **key)
{
    EVP_PKEY_free(*key);
}

static void bio_freep(BIO **bio)
{
    (void)BIO_free(*bio);
}

static void context_freep(EVP_MD_CTX **context)
{
    EVP_MD_CTX_free(*context);
}

/* Without this libcrypto asks at the terminal. */
static int no_password(char *, int, int, void *)
{
    return 0;
}

static EVP_PKEY *key_new(str pem)
{
    if (pem.len > RSA_PEM_MAX) return NULL;
    CLEANUP(bio_freep) BIO *bio = BIO_new_mem_buf(pem.ptr, (int)pem.len);
    return bio ? PEM_read_bio_PrivateKey(bio, NULL, no_password, NULL) : NULL;
}

static bool is_usable(const EVP_PKEY *key)
{
    return key && EVP_PKEY_get_base_id(key) == EVP_PKEY_RSA &&
           EVP_PKEY_get_bits(key) >= RSA_BITS_MIN && EVP_PKEY_get_bits(key) <= RSA_BITS_MAX;
}

status rsa_sha256_sign(str pem, bytes data, uint8_t ret_signature[static RSA_SIGNATURE_MAX],
                       size_t *ret_size, struct error *reterr)
{
    CLEANUP(key_freep) EVP_PKEY *key           = key_new(pem);
    CLEANUP(context_freep) EVP_MD_CTX *context = EVP_MD_CTX_new();
    *ret_size                                  = RSA_SIGNATURE_MAX;
    bool is_signed                             = is_usable(key) && context &&
                     EVP_DigestSignInit(context, NULL, EVP_sha256(), NULL, key) == 1 &&
                     EVP_DigestSign(context, ret_signature, ret_size, data.ptr, data.len) == 1;
    ERR_clear_error();
    if (is_signed) return STATUS_OK;
    return fail(reterr, STATUS_INVALID_ARGUMENT,
                "the key is no private RSA key in PEM of %d to %d bits, without a password",
                RSA_BITS_MIN, RSA_BITS_MAX);
}
