/* Bytes as text: hexadecimal and base64 (RFC 4648 section 4); declared in hash.h. */
#include "base/assert.h"
#include "base/hash.h"

static const char hex_digits[] = "0123456789abcdef";
static const char base64_digits[] =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

void hex_encode(const void *data, size_t size, char *text)
{
    const uint8_t *raw = data;
    for (size_t i = 0; i < size; i++) {
        text[2 * i]     = hex_digits[raw[i] >> 4];
        text[2 * i + 1] = hex_digits[raw[i] & 15];
    }
    text[2 * size] = '\0';
}

static int hex_value(char c)
{
    if (c >= '0' && c <= '9') return c - '0';
    if (c >= 'a' && c <= 'f') return c - 'a' + 10;
    if (c >= 'A' && c <= 'F') return c - 'A' + 10;
    return -1;
}

bool hex_decode(str text, void *ret_data, size_t size)
{
    if (text.len % 2 != 0 || text.len / 2 != size) return false;
    for (size_t i = 0; i < text.len; i++) {
        if (hex_value(text.ptr[i]) < 0) return false;
    }
    uint8_t *raw = ret_data;
    for (size_t i = 0; i < size; i++) {
        raw[i] = (uint8_t)(hex_value(text.ptr[2 * i]) << 4 | hex_value(text.ptr[2 * i + 1]));
    }
    return true;
}

size_t base64_size(size_t size)
{
    ASSERT(size <= SIZE_MAX / 4 * 3 - 3);
    return (size + 2) / 3 * 4;
}

void base64_encode(const void *data, size_t size, char *text)
{
    const uint8_t *raw = data;
    for (size_t i = 0; i < size; i += 3) {
        size_t left    = size - i;
        uint32_t group = (uint32_t)raw[i] << 16;
        if (left > 1) group |= (uint32_t)raw[i + 1] << 8;
        if (left > 2) group |= raw[i + 2];
        *text++ = base64_digits[group >> 18];
        *text++ = base64_digits[group >> 12 & 63];
        *text++ = left > 1 ? base64_digits[group >> 6 & 63] : '=';
        *text++ = left > 2 ? base64_digits[group & 63] : '=';
    }
    *text = '\0';
}

size_t base64url_encode(const void *data, size_t size, char *text)
{
    base64_encode(data, size, text);
    size_t len = 0;
    for (; text[len] && text[len] != '='; len++) {
        if (text[len] == '+') text[len] = '-';
        if (text[len] == '/') text[len] = '_';
    }
    text[len] = '\0';
    return len;
}

static int base64_value(char c)
{
    if (c >= 'A' && c <= 'Z') return c - 'A';
    if (c >= 'a' && c <= 'z') return c - 'a' + 26;
    if (c >= '0' && c <= '9') return c - '0' + 52;
    if (c == '+') return 62;
    return c == '/' ? 63 : -1;
}

bool base64_decode(str text, void *ret_data, size_t *ret_size)
{
    if (text.len % 4 != 0) return false;
    size_t digits = text.len;
    while (digits > 0 && text.len - digits < 2 && text.ptr[digits - 1] == '=') digits--;

    uint8_t *raw   = ret_data;
    size_t size    = 0;
    uint32_t bits  = 0;
    unsigned count = 0;
    for (size_t i = 0; i < digits; i++) {
        int value = base64_value(text.ptr[i]);
        if (value < 0) return false;
        bits = bits << 6 | (uint32_t)value;
        count += 6;
        if (count < 8) continue;
        count -= 8;
        raw[size++] = (uint8_t)(bits >> count);
        bits &= (1u << count) - 1;
    }
    if (bits != 0) return false; /* two texts for the same bytes would not be strict */
    *ret_size = size;
    return true;
}
