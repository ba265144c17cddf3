#include "base/seal.h"

#include "base/attr.h"
#include "base/random.h"

#include <openssl/err.h>
#include <openssl/evp.h>
#include <string.h>

enum { VERSION = 1, NONCE_SIZE = 12, TAG_SIZE = 16 };

static void cipher_freep(EVP_CIPHER_CTX **cipher)
{
    EVP_CIPHER_CTX_free(*cipher);
}

static bool authenticate(EVP_CIPHER_CTX *cipher, bytes context)
{
    static const uint8_t version = VERSION;
    int size                     = 0;
    return EVP_CipherUpdate(cipher, NULL, &size, &version, sizeof version) == 1 &&
           (context.len == 0 ||
            EVP_CipherUpdate(cipher, NULL, &size, context.ptr, (int)context.len) == 1);
}

bool seal_close(const uint8_t key[static SEAL_KEY_SIZE], bytes context, bytes text,
                uint8_t *ret_sealed)
{
    CLEANUP(cipher_freep) EVP_CIPHER_CTX *cipher = EVP_CIPHER_CTX_new();
    uint8_t *nonce                               = ret_sealed + 1;
    uint8_t *out                                 = nonce + NONCE_SIZE;
    int size                                     = 0;
    int rest                                     = 0;
    if (!cipher || text.len == 0 || text.len > SEAL_TEXT_MAX || context.len > SEAL_TEXT_MAX) {
        return false;
    }
    ret_sealed[0] = VERSION;
    random_bytes(nonce, NONCE_SIZE);
    bool is_sealed =
        EVP_EncryptInit_ex(cipher, EVP_aes_256_gcm(), NULL, key, nonce) == 1 &&
        authenticate(cipher, context) &&
        EVP_EncryptUpdate(cipher, out, &size, text.ptr, (int)text.len) == 1 &&
        EVP_EncryptFinal_ex(cipher, out + size, &rest) == 1 &&
        EVP_CIPHER_CTX_ctrl(cipher, EVP_CTRL_GCM_GET_TAG, TAG_SIZE, out + text.len) == 1;
    ERR_clear_error();
    return is_sealed;
}

bool seal_open(const uint8_t key[static SEAL_KEY_SIZE], bytes context, bytes sealed,
               uint8_t *ret_text)
{
    CLEANUP(cipher_freep) EVP_CIPHER_CTX *cipher = EVP_CIPHER_CTX_new();
    const uint8_t *raw                           = sealed.ptr;
    int size                                     = 0;
    int rest                                     = 0;
    uint8_t tag[TAG_SIZE];
    if (!cipher || sealed.len <= SEAL_OVERHEAD || sealed.len > SEAL_TEXT_MAX + SEAL_OVERHEAD ||
        context.len > SEAL_TEXT_MAX || raw[0] != VERSION) {
        return false;
    }
    size_t length = sealed.len - SEAL_OVERHEAD;
    memcpy(tag, raw + sealed.len - TAG_SIZE, sizeof tag);
    bool is_ours =
        EVP_DecryptInit_ex(cipher, EVP_aes_256_gcm(), NULL, key, raw + 1) == 1 &&
        authenticate(cipher, context) &&
        EVP_DecryptUpdate(cipher, ret_text, &size, raw + 1 + NONCE_SIZE, (int)length) == 1 &&
        EVP_CIPHER_CTX_ctrl(cipher, EVP_CTRL_GCM_SET_TAG, TAG_SIZE, tag) == 1 &&
        EVP_DecryptFinal_ex(cipher, ret_text + size, &rest) == 1;
    if (!is_ours) explicit_bzero(ret_text, length);
    ERR_clear_error();
    return is_ours;
}
