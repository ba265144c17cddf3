/*
 * Keys come from disk: whatever they hold, reading them stays within them, and a part that is
 * accepted is written back as the same bytes.
 */
#include "base/assert.h"
#include "store/key.h"

#include <stdint.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void put_back(struct key *key, const struct key_text *text)
{
    if (!text->is_digest) key_put_text(key, (str){.ptr = text->data, .len = text->len});
}

/* Which part comes next is said by the byte before it. */
static bool take_part(uint8_t kind, bytes *rest, struct key *key)
{
    uint8_t u8   = 0;
    uint32_t u32 = 0;
    uint64_t u64 = 0;
    struct id id;
    struct key_text text;
    switch (kind % 5) {
    case 0:
        if (!key_take_u8(rest, &u8)) return false;
        key_put_u8(key, u8);
        return true;
    case 1:
        if (!key_take_u32(rest, &u32)) return false;
        key_put_u32(key, u32);
        return true;
    case 2:
        if (!key_take_u64(rest, &u64)) return false;
        key_put_u64(key, u64);
        return true;
    case 3:
        if (!key_take_id(rest, &id)) return false;
        key_put_id(key, str_from(id.text));
        return true;
    default:
        if (!key_take_text(rest, &text)) return false;
        ASSERT(text.len <= KEY_TEXT_MAX);
        put_back(key, &text);
        return true;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    bytes rest = {.ptr = data, .len = size};
    uint8_t kind;
    while (key_take_u8(&rest, &kind)) {
        const uint8_t *begin = rest.ptr;
        struct key key;
        key_begin(&key);
        if (!take_part(kind, &rest, &key)) break;
        size_t taken = (size_t)((const uint8_t *)rest.ptr - begin);
        if (key.len == 0) continue; /* a digest: there is no way back */
        ASSERT(key.len == taken);
        ASSERT(memcmp(key.data, begin, taken) == 0);
    }
    return 0;
}
