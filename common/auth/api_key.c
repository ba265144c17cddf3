#include "auth/api_key.h"

#include "base/buf.h"

#include <string.h>
#include <strings.h>

enum { BASE = 62, SECRET_BYTES = 32, LIMBS = SECRET_BYTES / 4 };

static const char PREFIX[]   = "tutti_";
static const char alphabet[] = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

static bool is_base62(str text)
{
    for (size_t i = 0; i < text.len; i++) {
        char c = text.ptr[i];
        if (!((c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z'))) {
            return false;
        }
    }
    return true;
}

/* 256 bits as one number in base 62, by long division: 43 digits hold 256.03 bits. */
static void encode_secret(const uint8_t random[static SECRET_BYTES], char *text)
{
    uint32_t limbs[LIMBS];
    for (size_t i = 0; i < LIMBS; i++) limbs[i] = u32_from(random + 4 * i);
    for (size_t digit = API_KEY_SECRET_LEN; digit-- > 0;) {
        uint64_t rest = 0;
        for (size_t i = 0; i < LIMBS; i++) {
            uint64_t value = rest << 32 | limbs[i];
            limbs[i]       = (uint32_t)(value / BASE);
            rest           = value % BASE;
        }
        text[digit] = alphabet[rest];
    }
    explicit_bzero(limbs, sizeof limbs);
}

static void hash_secret(const char *secret, uint8_t digest[static SHA256_SIZE])
{
    sha256((bytes){.ptr = secret, .len = API_KEY_SECRET_LEN}, digest);
}

static void fill_in(const uint8_t random[static SECRET_BYTES], struct api_key *key)
{
    char *text = key->text;
    memcpy(text, PREFIX, sizeof PREFIX - 1);
    char *id     = text + sizeof PREFIX - 1;
    char *secret = id + API_KEY_ID_LEN + 1;
    memcpy(id, key->id, API_KEY_ID_LEN);
    id[API_KEY_ID_LEN] = '_';
    encode_secret(random, secret);
    hash_secret(secret, key->secret_sha256);
}

void api_key_make(const uint8_t random[static API_KEY_RANDOM], struct api_key *ret_key)
{
    *ret_key = (struct api_key){};
    /* 256 mod 62 is not 0: a bias of the public id, which is no secret, does no harm. */
    for (size_t i = 0; i < API_KEY_ID_LEN; i++) ret_key->id[i] = alphabet[random[i] % BASE];
    fill_in(random + API_KEY_ID_LEN, ret_key);
}

bool api_key_remake(str id, const uint8_t random[static API_KEY_RANDOM], struct api_key *ret_key)
{
    if (id.len != API_KEY_ID_LEN || !is_base62(id)) return false;
    *ret_key = (struct api_key){};
    memcpy(ret_key->id, id.ptr, id.len);
    fill_in(random + API_KEY_ID_LEN, ret_key);
    return true;
}

bool api_key_parse(str text, struct api_key *ret_key)
{
    str prefix = str_from(PREFIX);
    if (text.len != API_KEY_LEN || !str_starts_with(text, prefix)) return false;
    str id     = str_slice(text, prefix.len, prefix.len + API_KEY_ID_LEN);
    str secret = str_slice(text, prefix.len + API_KEY_ID_LEN + 1, text.len);
    if (text.ptr[prefix.len + API_KEY_ID_LEN] != '_') return false;
    if (!is_base62(id) || !is_base62(secret)) return false;

    *ret_key = (struct api_key){};
    memcpy(ret_key->text, text.ptr, text.len);
    memcpy(ret_key->id, id.ptr, id.len);
    hash_secret(secret.ptr, ret_key->secret_sha256);
    return true;
}

bool api_key_matches(const struct api_key *key, const uint8_t secret_sha256[static SHA256_SIZE])
{
    return bytes_equal_constant_time(key->secret_sha256, secret_sha256, SHA256_SIZE);
}

bool api_key_from_headers(str authorization, str x_api_key, str x_goog_api_key, str *ret_text)
{
    static const char bearer[] = "Bearer ";
    size_t length              = sizeof bearer - 1;
    if (authorization.len > length && strncasecmp(authorization.ptr, bearer, length) == 0) {
        *ret_text = str_slice(authorization, length, authorization.len);
        return true;
    }
    if (x_api_key.len > 0) {
        *ret_text = x_api_key;
        return true;
    }
    *ret_text = x_goog_api_key;
    return x_goog_api_key.len > 0;
}
