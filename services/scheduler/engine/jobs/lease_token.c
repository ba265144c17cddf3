#include "scheduler/engine/jobs/lease_token.h"

#include "base/buf.h"
#include "base/hash.h"

#include <assert.h>
#include <endian.h>

enum { NUMBER_AT = ID_BYTES, EXPIRY_AT = NUMBER_AT + 4, MAC_AT = EXPIRY_AT + 8 };
static_assert(MAC_AT + LEASE_MAC_SIZE == LEASE_TOKEN_SIZE);

static void sign(const uint8_t *body, const struct lease_key *key, uint8_t *ret_mac)
{
    uint8_t digest[SHA256_SIZE];
    hmac_sha256((bytes){key->data, sizeof key->data}, (bytes){body, MAC_AT}, digest);
    memcpy(ret_mac, digest, LEASE_MAC_SIZE);
}

struct lease_token lease_sign(const struct lease *lease, const struct lease_key *key)
{
    struct lease_token token;
    uint32_t number = htobe32(lease->number);
    uint64_t expiry = htobe64((uint64_t)lease->expires_us);
    id_pack(str_from(lease->job.text), token.data);
    memcpy(token.data + NUMBER_AT, &number, sizeof number);
    memcpy(token.data + EXPIRY_AT, &expiry, sizeof expiry);
    sign(token.data, key, token.data + MAC_AT);
    return token;
}

bool lease_is_signed(const struct lease_token *token, uint32_t number, bytes given)
{
    /* Leases are counted from 1: what was never signed is no lease's. */
    if (number == 0 || u32_from(token->data + NUMBER_AT) != number) return false;
    return given.len == sizeof token->data &&
           bytes_equal_constant_time(token->data, given.ptr, sizeof token->data);
}

bool lease_verify(bytes token, const struct lease_key *key, struct lease *ret_lease)
{
    if (token.len != LEASE_TOKEN_SIZE) return false;

    const uint8_t *data = token.ptr;
    uint8_t mac[LEASE_MAC_SIZE];
    sign(data, key, mac);
    if (!bytes_equal_constant_time(mac, data + MAC_AT, LEASE_MAC_SIZE)) return false;

    *ret_lease = (struct lease){
        .job        = id_unpack(data),
        .number     = u32_from(data + NUMBER_AT),
        .expires_us = (int64_t)u64_from(data + EXPIRY_AT),
    };
    return true;
}
