#include "store/key.h"

#include "base/assert.h"
#include "base/hash.h"

#include <endian.h>

enum {
    ESCAPE     = 0x00,
    ZERO       = 0xff, /* behind ESCAPE: a zero byte of the text */
    END_TEXT   = 0x01, /* behind ESCAPE: the text ends */
    END_DIGEST = 0x02, /* behind ESCAPE: the digest ends */
};

/* The digest may consist of zeros only, and must fit a part nevertheless. */
static_assert(2 * SHA256_SIZE <= KEY_TEXT_MAX);

/* --- Building --------------------------------------------------------------------------------- */

void key_begin(struct key *key)
{
    key->len     = 0;
    key->is_full = false;
}

static void put(struct key *key, const void *data, size_t size)
{
    if (key->is_full || size > sizeof key->data - key->len) {
        key->is_full = true;
        return;
    }
    memcpy(key->data + key->len, data, size);
    key->len += size;
}

void key_put_u8(struct key *key, uint8_t value)
{
    put(key, &value, sizeof value);
}

void key_put_u16(struct key *key, uint16_t value)
{
    uint16_t big = htobe16(value);
    put(key, &big, sizeof big);
}

void key_put_u32(struct key *key, uint32_t value)
{
    uint32_t big = htobe32(value);
    put(key, &big, sizeof big);
}

void key_put_u64(struct key *key, uint64_t value)
{
    uint64_t big = htobe64(value);
    put(key, &big, sizeof big);
}

void key_put_id(struct key *key, str id)
{
    uint8_t packed[ID_BYTES];
    id_pack(id, packed);
    put(key, packed, sizeof packed);
}

static size_t escaped_len(str text)
{
    size_t len = text.len;
    for (size_t i = 0; i < text.len; i++) len += text.ptr[i] == ESCAPE;
    return len;
}

static void put_escaped(struct key *key, str text, uint8_t end)
{
    for (size_t i = 0; i < text.len; i++) {
        key_put_u8(key, (uint8_t)text.ptr[i]);
        if (text.ptr[i] == ESCAPE) key_put_u8(key, ZERO);
    }
    key_put_u8(key, ESCAPE);
    key_put_u8(key, end);
}

void key_put_text(struct key *key, str text)
{
    if (text.len <= KEY_TEXT_MAX && escaped_len(text) <= KEY_TEXT_MAX) {
        put_escaped(key, text, END_TEXT);
        return;
    }
    uint8_t digest[SHA256_SIZE];
    sha256(bytes_from(text), digest);
    put_escaped(key, (str){.ptr = (const char *)digest, .len = sizeof digest}, END_DIGEST);
}

bytes key_bytes(const struct key *key)
{
    ASSERT(!key->is_full);
    ASSERT(key->len > 0);
    return (bytes){.ptr = key->data, .len = key->len};
}

struct key_u64 key_of_u64(uint64_t value)
{
    struct key_u64 key;
    uint64_t big = htobe64(value);
    memcpy(key.data, &big, sizeof key.data);
    return key;
}

/* --- Reading ---------------------------------------------------------------------------------- */

static bool take(bytes *rest, void *ret_data, size_t size)
{
    if (rest->len < size) return false;
    memcpy(ret_data, rest->ptr, size);
    rest->ptr = (const uint8_t *)rest->ptr + size;
    rest->len -= size;
    return true;
}

bool key_take_u8(bytes *rest, uint8_t *ret_value)
{
    return take(rest, ret_value, sizeof *ret_value);
}

bool key_take_u16(bytes *rest, uint16_t *ret_value)
{
    uint16_t big = 0;
    if (!take(rest, &big, sizeof big)) return false;
    *ret_value = be16toh(big);
    return true;
}

bool key_take_u32(bytes *rest, uint32_t *ret_value)
{
    uint32_t big = 0;
    if (!take(rest, &big, sizeof big)) return false;
    *ret_value = be32toh(big);
    return true;
}

bool key_take_u64(bytes *rest, uint64_t *ret_value)
{
    uint64_t big = 0;
    if (!take(rest, &big, sizeof big)) return false;
    *ret_value = be64toh(big);
    return true;
}

bool key_take_id(bytes *rest, struct id *ret_id)
{
    uint8_t packed[ID_BYTES];
    if (!take(rest, packed, sizeof packed)) return false;
    *ret_id = id_unpack(packed);
    return true;
}

/* Only what key_put_text() could have written is read, so that every text has one key. */
bool key_take_text(bytes *rest, struct key_text *ret_text)
{
    const uint8_t *data  = rest->ptr;
    struct key_text text = {};
    for (size_t i = 0; i + 1 < rest->len && i <= KEY_TEXT_MAX;) {
        bool is_escape = data[i] == ESCAPE;
        if (is_escape && (data[i + 1] == END_TEXT || data[i + 1] == END_DIGEST)) {
            text.is_digest = data[i + 1] == END_DIGEST;
            if (text.is_digest && text.len != SHA256_SIZE) return false;
            *rest     = (bytes){.ptr = data + i + 2, .len = rest->len - i - 2};
            *ret_text = text;
            return true;
        }
        if (is_escape && data[i + 1] != ZERO) return false;
        if (text.len == KEY_TEXT_MAX) return false;
        text.data[text.len++] = (char)data[i];
        i += is_escape ? 2 : 1;
    }
    return false;
}
