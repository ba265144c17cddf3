/* Calls that may be sent again: what stands for an Idempotency-Key. */
#include "base/hash.h"
#include "gateway/api/api.h"

enum {
    IDEMPOTENCY_MAX = 255, /* characters */
    DIGEST_PART     = 16,  /* bytes of a digest that are told, in hexadecimal */
};

status api_idempotency_key(struct api_call *call, str *ret_key, struct error *reterr)
{
    str key    = httpd_request_field(call->request, "idempotency-key");
    bool is_ok = !key.ptr || (key.len >= 1 && key.len <= IDEMPOTENCY_MAX);
    for (size_t i = 0; i < key.len; i++) is_ok = is_ok && key.ptr[i] > 0x20 && key.ptr[i] < 0x7f;
    if (!is_ok) {
        return fail(reterr, STATUS_INVALID_ARGUMENT,
                    "Idempotency-Key: 1 to %d visible ASCII characters", IDEMPOTENCY_MAX);
    }
    *ret_key = key;
    return STATUS_OK;
}

bool api_make_repeatable(struct api_call *call)
{
    return api_make_repeatable_as(call, buf_str(&call->request->body));
}

bool api_make_repeatable_as(struct api_call *call, str asked)
{
    str key            = {};
    struct error error = {};
    if (api_idempotency_key(call, &key, &error) != STATUS_OK) {
        api_fail(call, STATUS_INVALID_ARGUMENT, &error);
        return false;
    }
    if (key.len == 0) return true;
    uint8_t digest[SHA256_SIZE];
    const bytes separator = {.ptr = "\x1f", .len = 1};
    const bytes whose[]   = {
          bytes_from(str_from(api_namespace(call))),
          separator,
          bytes_from(str_from(call->identity.key_id)),
          separator,
          bytes_from(key),
    };
    const bytes what[] = {
        bytes_from(str_from(call->path)),
        separator,
        bytes_from(asked),
    };
    /* What stands for the key, and for what is asked: engine_is_keyed(). */
    sha256_parts(whose, ARRAY_LEN(whose), digest);
    hex_encode(digest, DIGEST_PART, call->rpc_id);
    sha256_parts(what, ARRAY_LEN(what), digest);
    call->rpc_id[2 * DIGEST_PART] = ':';
    hex_encode(digest, DIGEST_PART, call->rpc_id + 2 * DIGEST_PART + 1);
    return true;
}
