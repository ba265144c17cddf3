#include "base/attr.h"
#include "base/buf.h"
#include "base/hash.h"
#include "rpc/security.h"

static uint32_t secret_id(str secret)
{
    static const char purpose[] = "tutti rpc secret id";
    uint8_t digest[SHA256_SIZE];
    const bytes parts[] = {{.ptr = purpose, .len = sizeof purpose}, bytes_from(secret)};
    sha256_parts(parts, ARRAY_LEN(parts), digest);
    return u32_from(digest);
}

struct rpc_identity rpc_identity_of(const char *service, str current, str previous)
{
    struct rpc_identity identity = {.service = str_from(service)};
    const str secrets[]          = {current, previous};
    for (size_t i = 0; i < ARRAY_LEN(secrets); i++) {
        if (secrets[i].len == 0) continue;
        identity.secrets[identity.secret_count++] =
            (struct rpc_secret){.id = secret_id(secrets[i]), .key = bytes_from(secrets[i])};
    }
    return identity;
}
