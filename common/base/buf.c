#include "base/buf.h"

#include "base/assert.h"
#include "base/mem.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

enum { CAPACITY_MIN = 64 }; /* bytes */

void buf_done(struct buf *buf)
{
    free(buf->ptr);
    *buf = buf_init(buf->len_max);
}

void buf_clear(struct buf *buf)
{
    buf->len     = 0;
    buf->is_full = false;
    if (buf->ptr) buf->ptr[0] = '\0';
}

char *buf_reserve(struct buf *buf, size_t size)
{
    ASSERT(buf->len <= buf->len_max);
    if (buf->is_full || size > buf->len_max - buf->len || buf->len_max == SIZE_MAX) {
        buf->is_full = true;
        return NULL;
    }
    size_t needed = buf->len + size + 1;
    if (needed <= buf->capacity) return buf->ptr + buf->len;

    size_t largest  = buf->len_max + 1;
    size_t capacity = buf->capacity > CAPACITY_MIN ? buf->capacity : CAPACITY_MIN;
    while (capacity < needed && capacity <= largest / 2) capacity *= 2;
    if (capacity < needed || capacity > largest) capacity = largest;

    buf->ptr           = mem_resize(buf->ptr, capacity, 1);
    buf->capacity      = capacity;
    buf->ptr[buf->len] = '\0';
    return buf->ptr + buf->len;
}

void buf_commit(struct buf *buf, size_t size)
{
    ASSERT(buf->ptr != NULL);
    ASSERT(size < buf->capacity - buf->len);
    buf->len += size;
    buf->ptr[buf->len] = '\0';
}

void buf_consume(struct buf *buf, size_t size)
{
    ASSERT(size <= buf->len);
    if (size == 0) return;
    buf->len -= size;
    memmove(buf->ptr, buf->ptr + size, buf->len);
    buf->ptr[buf->len] = '\0';
}

bool buf_put(struct buf *buf, const void *data, size_t size)
{
    /* Nearly always: rows and answers are put together of many small pieces. */
    if (size < buf->capacity - buf->len && !buf->is_full) {
        if (size > 0) memcpy(buf->ptr + buf->len, data, size);
        buf->len += size;
        buf->ptr[buf->len] = '\0';
        return true;
    }
    char *end = buf_reserve(buf, size);
    if (!end) return false;
    if (size > 0) memcpy(end, data, size);
    buf_commit(buf, size);
    return true;
}

bool buf_put_str(struct buf *buf, str text)
{
    return buf_put(buf, text.ptr, text.len);
}

bool buf_put_text(struct buf *buf, const char *text)
{
    return buf_put(buf, text, strlen(text));
}

bool buf_put_byte(struct buf *buf, char byte)
{
    return buf_put(buf, &byte, 1);
}

bool buf_printf(struct buf *buf, const char *format, ...)
{
    /* Once if there is room already, else a second time. */
    size_t room = buf->ptr && !buf->is_full ? buf->capacity - buf->len : 0;
    va_list args;
    va_start(args, format);
    int len = vsnprintf(room > 0 ? buf->ptr + buf->len : NULL, room, format, args);
    va_end(args);
    ASSERT(len >= 0);
    if ((size_t)len >= room) {
        if (room > 0) buf->ptr[buf->len] = '\0';
        char *end = buf_reserve(buf, (size_t)len);
        if (!end) return false;
        va_start(args, format);
        (void)vsnprintf(end, (size_t)len + 1, format, args);
        va_end(args);
    }
    buf_commit(buf, (size_t)len);
    return true;
}

bool buf_put_number(struct buf *buf, uint64_t value)
{
    char digits[20]; /* of the largest one */
    size_t at = sizeof digits;
    do {
        digits[--at] = (char)('0' + value % 10);
        value /= 10;
    } while (value > 0);
    return buf_put(buf, digits + at, sizeof digits - at);
}

bool buf_put_u16(struct buf *buf, uint16_t value)
{
    uint8_t raw[2] = {(uint8_t)(value >> 8), (uint8_t)value};
    return buf_put(buf, raw, sizeof raw);
}

bool buf_put_u32(struct buf *buf, uint32_t value)
{
    uint8_t raw[4];
    for (size_t i = 0; i < sizeof raw; i++) raw[i] = (uint8_t)(value >> (24 - 8 * i));
    return buf_put(buf, raw, sizeof raw);
}

bool buf_put_u64(struct buf *buf, uint64_t value)
{
    uint8_t raw[8];
    for (size_t i = 0; i < sizeof raw; i++) raw[i] = (uint8_t)(value >> (56 - 8 * i));
    return buf_put(buf, raw, sizeof raw);
}

char *buf_take(struct buf *buf)
{
    char *taken = buf->ptr ? buf->ptr : mem_dup("", 0);
    *buf        = buf_init(buf->len_max);
    return taken;
}

static uint64_t big_endian(const uint8_t *raw, size_t size)
{
    uint64_t value = 0;
    for (size_t i = 0; i < size; i++) value = value << 8 | raw[i];
    return value;
}

uint16_t u16_from(const void *raw)
{
    return (uint16_t)big_endian(raw, sizeof(uint16_t));
}

uint32_t u32_from(const void *raw)
{
    return (uint32_t)big_endian(raw, sizeof(uint32_t));
}

uint64_t u64_from(const void *raw)
{
    return big_endian(raw, sizeof(uint64_t));
}
