#include "llm-proxy/keys/key_seal.h"

#include "base/attr.h"
#include "base/buf.h"
#include "base/hash.h"
#include "base/mem.h"

#include <stdlib.h>
#include <string.h>

enum { FINGERPRINT_BYTES = 6, CONTEXT_MAX = 1'024 };

struct key_seal {
    uint8_t key[SHA256_SIZE];
    uint8_t print[SHA256_SIZE];
};

status key_seal_check(str master, struct error *reterr)
{
    if (master.len == 0 || master.len >= KEY_SEAL_MASTER_MIN) return STATUS_OK;
    return fail(reterr, STATUS_INVALID_ARGUMENT,
                "llm.key_seal: the secret has less than %d bytes; `openssl rand -hex 32` makes one",
                KEY_SEAL_MASTER_MIN);
}

struct key_seal *key_seal_new(str master)
{
    struct key_seal *seal = mem_new(1, sizeof *seal);
    hmac_sha256(bytes_from(master), bytes_from(str_from("tutti provider keys: sealing\x01")),
                seal->key);
    hmac_sha256(bytes_from(master), bytes_from(str_from("tutti provider keys: fingerprints\x01")),
                seal->print);
    return seal;
}

void key_seal_freep(struct key_seal **ref)
{
    if (!*ref) return;
    explicit_bzero(*ref, sizeof **ref);
    free(*ref);
    *ref = NULL;
}

void key_seal_fingerprint(const struct key_seal *seal, str value,
                          char ret_text[static KEY_FINGERPRINT_SIZE])
{
    uint8_t digest[SHA256_SIZE];
    hmac_sha256((bytes){seal->print, sizeof seal->print}, bytes_from(value), digest);
    hex_encode(digest, FINGERPRINT_BYTES, ret_text);
}

/* The provider with its end, the fingerprint. */
static bool put_context(struct buf *context, str provider, str fingerprint)
{
    return buf_put_str(context, provider) && buf_put_byte(context, '\0') &&
           buf_put_str(context, fingerprint);
}

bool key_seal_close(const struct key_seal *seal, str provider, str value, uint8_t *ret_sealed)
{
    CLEANUP(buf_done) struct buf context = buf_init(CONTEXT_MAX);
    char fingerprint[KEY_FINGERPRINT_SIZE];
    key_seal_fingerprint(seal, value, fingerprint);
    return put_context(&context, provider, str_from(fingerprint)) &&
           seal_close(seal->key, bytes_from(buf_str(&context)), bytes_from(value), ret_sealed);
}

status key_seal_open(const struct key_seal *seal, str provider, str fingerprint, bytes sealed,
                     struct arena *arena, str *ret_value, struct error *reterr)
{
    CLEANUP(buf_done) struct buf context = buf_init(CONTEXT_MAX);
    size_t length  = sealed.len > SEAL_OVERHEAD ? sealed.len - SEAL_OVERHEAD : 0;
    uint8_t *value = arena_alloc(arena, length + 1);
    if (!value) return fail(reterr, STATUS_RESOURCE_EXHAUSTED, "no memory");
    if (!put_context(&context, provider, fingerprint) ||
        !seal_open(seal->key, bytes_from(buf_str(&context)), sealed, value)) {
        return fail(reterr, STATUS_INVALID_ARGUMENT,
                    "it cannot be opened with the secret of llm.key_seal: set it again");
    }
    value[length] = '\0';
    *ret_value    = (str){.ptr = (const char *)value, .len = length};
    return STATUS_OK;
}
