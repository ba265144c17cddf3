#include "base/id.h"

#include "base/assert.h"

#include <endian.h>
#include <string.h>

enum { BITS = 5, ALPHABET_LEN = 32, TOP_DIGIT_MAX = 7 /* 26 digits hold 130 bits, an id 128 */ };

static const char alphabet[ALPHABET_LEN + 1] = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";
static const int64_t ms_max                  = (INT64_C(1) << 48) - 1;

enum { IS_DIGIT = 0x80 };

/* The digits' values, marked as digits; 0: not a digit. Every row and lease packs ids, so this is a
 * table. */
static const uint8_t digits[256] = {
    ['0'] = IS_DIGIT | 0,  ['1'] = IS_DIGIT | 1,  ['2'] = IS_DIGIT | 2,  ['3'] = IS_DIGIT | 3,
    ['4'] = IS_DIGIT | 4,  ['5'] = IS_DIGIT | 5,  ['6'] = IS_DIGIT | 6,  ['7'] = IS_DIGIT | 7,
    ['8'] = IS_DIGIT | 8,  ['9'] = IS_DIGIT | 9,  ['A'] = IS_DIGIT | 10, ['B'] = IS_DIGIT | 11,
    ['C'] = IS_DIGIT | 12, ['D'] = IS_DIGIT | 13, ['E'] = IS_DIGIT | 14, ['F'] = IS_DIGIT | 15,
    ['G'] = IS_DIGIT | 16, ['H'] = IS_DIGIT | 17, ['J'] = IS_DIGIT | 18, ['K'] = IS_DIGIT | 19,
    ['M'] = IS_DIGIT | 20, ['N'] = IS_DIGIT | 21, ['P'] = IS_DIGIT | 22, ['Q'] = IS_DIGIT | 23,
    ['R'] = IS_DIGIT | 24, ['S'] = IS_DIGIT | 25, ['T'] = IS_DIGIT | 26, ['V'] = IS_DIGIT | 27,
    ['W'] = IS_DIGIT | 28, ['X'] = IS_DIGIT | 29, ['Y'] = IS_DIGIT | 30, ['Z'] = IS_DIGIT | 31,
};

/* Returns the value of a digit, or -1. */
static int digit_value(char c)
{
    return (int)digits[(uint8_t)c] - IS_DIGIT;
}

struct id id_unpack(const uint8_t packed[static ID_BYTES])
{
    struct id id   = {};
    uint32_t bits  = 0; /* what is not written yet, `count` bits; starts with the two spare ones */
    unsigned count = 2;
    size_t at      = 0;
    for (size_t i = 0; i < ID_BYTES; i++) {
        bits = bits << 8 | packed[i];
        for (count += 8; count >= BITS; count -= BITS) {
            id.text[at++] = alphabet[bits >> (count - BITS) & (ALPHABET_LEN - 1)];
        }
        bits &= (1u << count) - 1;
    }
    ASSERT(at == ID_LEN && count == 0);
    return id;
}

/* The value of digits of an id; `*all` loses IS_DIGIT if one of them is none. */
static inline uint64_t digits_value(const char *text, size_t count, uint8_t *all)
{
    uint64_t value = 0;
#pragma GCC unroll 13
    for (size_t i = 0; i < count; i++) {
        uint8_t digit = digits[(uint8_t)text[i]];
        *all &= digit;
        value = value << BITS | (digit & (ALPHABET_LEN - 1));
    }
    return value;
}

/* Rows, keys and entries pack ids all the time, so digits are checked while they are read. 13
 * digits are 65 bits: the one in the middle belongs to both halves. */
bool id_try_pack(str id, uint8_t ret_bytes[static ID_BYTES])
{
    enum { HALF = ID_LEN / 2 };
    if (id.len != ID_LEN || digit_value(id.ptr[0]) > TOP_DIGIT_MAX) return false;
    uint8_t all   = IS_DIGIT;
    uint64_t high = digits_value(id.ptr, HALF, &all); /* 63 bits: the first digit has three */
    uint64_t low  = digits_value(id.ptr + HALF, HALF, &all); /* its 65th bit fell out */
    if (!all) return false;
    high = htobe64(high << 1 | (uint64_t)digit_value(id.ptr[HALF]) >> (BITS - 1));
    low  = htobe64(low);
    memcpy(ret_bytes, &high, sizeof high);
    memcpy(ret_bytes + sizeof high, &low, sizeof low);
    return true;
}

void id_pack(str id, uint8_t ret_bytes[static ID_BYTES])
{
    bool is_packed = id_try_pack(id, ret_bytes);
    ASSERT(is_packed);
}

bool id_is_valid(str text)
{
    if (text.len != ID_LEN) return false;
    for (size_t i = 0; i < ID_LEN; i++) {
        if (!digits[(uint8_t)text.ptr[i]]) return false;
    }
    return digit_value(text.ptr[0]) <= TOP_DIGIT_MAX;
}

struct id id_next(struct id_source *source, int64_t unix_ms, uint32_t random)
{
    if (unix_ms > source->last_ms) source->last_ms = unix_ms;
    source->counter++;
    if (source->counter == 0) source->last_ms++; /* so that ids still sort where it wraps */
    ASSERT(source->last_ms >= 0);
    ASSERT(source->last_ms <= ms_max);

    uint64_t high = (uint64_t)source->last_ms << 16 | source->partition;
    uint64_t low  = (uint64_t)source->counter << 32 | random;
    uint8_t packed[ID_BYTES];
    for (size_t i = 0; i < 8; i++) {
        packed[i]     = (uint8_t)(high >> (56 - 8 * i));
        packed[8 + i] = (uint8_t)(low >> (56 - 8 * i));
    }
    return id_unpack(packed);
}

uint16_t id_partition(str id)
{
    uint8_t packed[ID_BYTES];
    id_pack(id, packed);
    return (uint16_t)(packed[6] << 8 | packed[7]);
}

int64_t id_unix_ms(str id)
{
    uint8_t packed[ID_BYTES];
    id_pack(id, packed);
    int64_t ms = 0;
    for (size_t i = 0; i < 6; i++) ms = ms << 8 | packed[i];
    return ms;
}
