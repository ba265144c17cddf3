#include "base/utf8.h"

#include "base/assert.h"

enum { REPLACEMENT = 0xFFFD, CODE_POINT_MAX = 0x10FFFF };

static bool is_tail(uint8_t byte)
{
    return (byte & 0xC0) == 0x80;
}

/* Bytes of the sequence at `s`, or 0 if it is not one. The second byte's range depends on the
 * first: RFC 3629 section 4. */
static size_t sequence_len(const uint8_t *s, size_t left)
{
    uint8_t lead = s[0];
    if (lead < 0x80) return 1;
    if (lead < 0xC2 || lead > 0xF4) return 0;
    if (lead < 0xE0) return left >= 2 && is_tail(s[1]) ? 2 : 0;

    uint8_t lowest  = lead == 0xE0 ? 0xA0 : lead == 0xF0 ? 0x90 : 0x80;
    uint8_t highest = lead == 0xED ? 0x9F : lead == 0xF4 ? 0x8F : 0xBF;
    if (left < 3 || s[1] < lowest || s[1] > highest || !is_tail(s[2])) return 0;
    if (lead < 0xF0) return 3;
    return left >= 4 && is_tail(s[3]) ? 4 : 0;
}

size_t utf8_valid_prefix(str text)
{
    enum { WORD = sizeof(uint64_t) };
    const uint64_t high_bits = 0x8080808080808080u;
    const uint8_t *s         = (const uint8_t *)text.ptr;
    size_t at                = 0;
    while (at < text.len) {
        uint64_t word;
        while (text.len - at >= WORD) { /* eight ASCII bytes at a time */
            memcpy(&word, s + at, WORD);
            if (word & high_bits) break;
            at += WORD;
        }
        if (at == text.len) break;
        size_t len = sequence_len(s + at, text.len - at);
        if (len == 0) break;
        at += len;
    }
    return at;
}

uint32_t utf8_next(str text, size_t *offset)
{
    ASSERT(*offset < text.len);
    const uint8_t *s = (const uint8_t *)text.ptr + *offset;
    size_t len       = sequence_len(s, text.len - *offset);
    ASSERT(len > 0);
    *offset += len;
    switch (len) {
    case 1: return s[0];
    case 2: return (uint32_t)(s[0] & 0x1F) << 6 | (s[1] & 0x3F);
    case 3: return (uint32_t)(s[0] & 0x0F) << 12 | (uint32_t)(s[1] & 0x3F) << 6 | (s[2] & 0x3F);
    default:
        return (uint32_t)(s[0] & 0x07) << 18 | (uint32_t)(s[1] & 0x3F) << 12 |
               (uint32_t)(s[2] & 0x3F) << 6 | (s[3] & 0x3F);
    }
}

size_t utf8_encode(uint32_t code_point, char ret_bytes[static UTF8_BYTES_MAX])
{
    uint32_t c = code_point;
    if (c > CODE_POINT_MAX || (c >= 0xD800 && c <= 0xDFFF)) c = REPLACEMENT;
    if (c < 0x80) {
        ret_bytes[0] = (char)c;
        return 1;
    }
    if (c < 0x800) {
        ret_bytes[0] = (char)(0xC0 | c >> 6);
        ret_bytes[1] = (char)(0x80 | (c & 0x3F));
        return 2;
    }
    if (c < 0x10000) {
        ret_bytes[0] = (char)(0xE0 | c >> 12);
        ret_bytes[1] = (char)(0x80 | (c >> 6 & 0x3F));
        ret_bytes[2] = (char)(0x80 | (c & 0x3F));
        return 3;
    }
    ret_bytes[0] = (char)(0xF0 | c >> 18);
    ret_bytes[1] = (char)(0x80 | (c >> 12 & 0x3F));
    ret_bytes[2] = (char)(0x80 | (c >> 6 & 0x3F));
    ret_bytes[3] = (char)(0x80 | (c & 0x3F));
    return 4;
}

size_t utf8_length(str text)
{
    size_t count = 0;
    for (size_t i = 0; i < text.len; i++) count += !is_tail((uint8_t)text.ptr[i]);
    return count;
}
