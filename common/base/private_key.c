#include "base/private_key.h"

#include "base/attr.h"

#include <openssl/bio.h>
#include <openssl/bn.h>
#include <openssl/ec.h>
#include <openssl/ecdsa.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <string.h>

enum { P256_NUMBER = 32 /* bytes of one of the two numbers of a signature */, GROUP_NAME_MAX = 32 };

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

static void pair_freep(ECDSA_SIG **pair)
{
    ECDSA_SIG_free(*pair);
}

/* Without this libcrypto asks at the terminal. */
static int no_password(char *, int, int, void *)
{
    return 0;
}

static EVP_PKEY *key_new(str pem)
{
    if (pem.len > PRIVATE_KEY_PEM_MAX) return NULL;
    CLEANUP(bio_freep) BIO *bio = BIO_new_mem_buf(pem.ptr, (int)pem.len);
    EVP_PKEY *key = bio ? PEM_read_bio_PrivateKey(bio, NULL, no_password, NULL) : NULL;
    ERR_clear_error();
    return key;
}

static bool is_p256(const EVP_PKEY *key)
{
    char group[GROUP_NAME_MAX] = "";
    size_t size                = 0;
    return EVP_PKEY_get_base_id(key) == EVP_PKEY_EC &&
           EVP_PKEY_get_group_name(key, group, sizeof group, &size) == 1 &&
           strcmp(group, SN_X9_62_prime256v1) == 0;
}

static enum private_key_kind kind_of(const EVP_PKEY *key)
{
    if (!key) return PRIVATE_KEY_NONE;
    if (is_p256(key)) return PRIVATE_KEY_P256;
    int bits    = EVP_PKEY_get_bits(key);
    bool is_rsa = EVP_PKEY_get_base_id(key) == EVP_PKEY_RSA && bits >= PRIVATE_KEY_RSA_BITS_MIN &&
                  bits <= PRIVATE_KEY_RSA_BITS_MAX;
    return is_rsa ? PRIVATE_KEY_RSA : PRIVATE_KEY_NONE;
}

enum private_key_kind private_key_kind(str pem)
{
    CLEANUP(key_freep) EVP_PKEY *key = key_new(pem);
    enum private_key_kind kind       = kind_of(key);
    ERR_clear_error();
    return kind;
}

/* libcrypto writes the two numbers as ASN.1 has them, JWT without. */
static bool unwrap(uint8_t signature[static PRIVATE_KEY_SIGNATURE_MAX], size_t *size)
{
    const unsigned char *at             = signature;
    CLEANUP(pair_freep) ECDSA_SIG *pair = d2i_ECDSA_SIG(NULL, &at, (long)*size);
    if (!pair) return false;
    *size = (size_t)2 * P256_NUMBER;
    return BN_bn2binpad(ECDSA_SIG_get0_r(pair), signature, P256_NUMBER) == P256_NUMBER &&
           BN_bn2binpad(ECDSA_SIG_get0_s(pair), signature + P256_NUMBER, P256_NUMBER) ==
               P256_NUMBER;
}

status private_key_sign(str pem, enum private_key_kind kind, bytes data,
                        uint8_t ret_signature[static PRIVATE_KEY_SIGNATURE_MAX], size_t *ret_size,
                        struct error *reterr)
{
    CLEANUP(key_freep) EVP_PKEY *key           = key_new(pem);
    CLEANUP(context_freep) EVP_MD_CTX *context = EVP_MD_CTX_new();
    *ret_size                                  = PRIVATE_KEY_SIGNATURE_MAX;
    bool is_signed = kind != PRIVATE_KEY_NONE && kind_of(key) == kind && context &&
                     EVP_DigestSignInit(context, NULL, EVP_sha256(), NULL, key) == 1 &&
                     EVP_DigestSign(context, ret_signature, ret_size, data.ptr, data.len) == 1 &&
                     (kind != PRIVATE_KEY_P256 || unwrap(ret_signature, ret_size));
    ERR_clear_error();
    if (is_signed) return STATUS_OK;
    if (kind == PRIVATE_KEY_P256) {
        return fail(reterr, STATUS_INVALID_ARGUMENT,
                    "the key is no private P-256 key in PEM, without a password");
    }
    return fail(reterr, STATUS_INVALID_ARGUMENT,
                "the key is no private RSA key in PEM of %d to %d bits, without a password",
                PRIVATE_KEY_RSA_BITS_MIN, PRIVATE_KEY_RSA_BITS_MAX);
}
