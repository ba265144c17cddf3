#include "adapter/jwt.h"

#include "base/attr.h"
#include "base/hash.h"
#include "base/private_key.h"
#include "json/json_text.h"

static void put_encoded(struct buf *out, bytes data)
{
    size_t size = base64_size(data.len);
    char *to    = buf_reserve(out, size + 1);
    if (to) buf_commit(out, base64url_encode(data.ptr, data.len, to));
}

static void put_json(struct buf *out, json value)
{
    CLEANUP(buf_done) struct buf text = buf_init(JWT_MAX);
    (void)json_print(value, JSON_COMPACT, &text);
    if (text.is_full) out->is_full = true;
    put_encoded(out, bytes_from(buf_str(&text)));
}

/* `alg` cannot be set from outside: it says how the signature is made. */
static json header_new(const struct jwt *jwt)
{
    static const char *const names[] = {"HS256", "RS256", "ES256"};
    json header                      = json_object_new(4);
    json_object_put_text(&header, "alg", json_null()); /* its place is the first */
    json_object_put_text(&header, "typ", json_text_from("JWT"));
    for (size_t i = 0; i < json_count(jwt->header); i++) {
        json_object_put(&header, json_key_at(jwt->header, i),
                        json_ref(json_value_at(jwt->header, i)));
    }
    json_object_put_text(&header, "alg", json_text_from(names[jwt->algorithm]));
    return header;
}

static status sign(const struct jwt *jwt, bytes text, struct buf *out, struct error *reterr)
{
    uint8_t signature[PRIVATE_KEY_SIGNATURE_MAX];
    size_t size = SHA256_SIZE;
    str pem     = {.ptr = jwt->key.ptr, .len = jwt->key.len};
    switch (jwt->algorithm) {
    case JWT_HS256: hmac_sha256(jwt->key, text, signature); break;
    case JWT_RS256:
        TRY(private_key_sign(pem, PRIVATE_KEY_RSA, text, signature, &size, reterr));
        break;
    case JWT_ES256:
        TRY(private_key_sign(pem, PRIVATE_KEY_P256, text, signature, &size, reterr));
        break;
    }
    put_encoded(out, (bytes){.ptr = signature, .len = size});
    return STATUS_OK;
}

status jwt_put(const struct jwt *jwt, struct buf *out, struct error *reterr)
{
    CLEANUP(json_unrefp) json header  = header_new(jwt);
    CLEANUP(buf_done) struct buf text = buf_init(JWT_MAX);
    if (jwt->algorithm == JWT_HS256 && jwt->key.len == 0) {
        return fail(reterr, STATUS_INVALID_ARGUMENT, "a token cannot be signed with an empty key");
    }
    put_json(&text, header);
    (void)buf_put_byte(&text, '.');
    put_json(&text, jwt->claims);
    CLEANUP(buf_done) struct buf signature = buf_init(JWT_MAX);
    TRY(sign(jwt, bytes_from(buf_str(&text)), &signature, reterr));
    (void)buf_put_byte(&text, '.');
    (void)buf_put_str(&text, buf_str(&signature));
    if (text.is_full || !buf_put_str(out, buf_str(&text))) {
        return fail(reterr, STATUS_RESOURCE_EXHAUSTED, "the token is longer than %d bytes",
                    JWT_MAX);
    }
    return STATUS_OK;
}
