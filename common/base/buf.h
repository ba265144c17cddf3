/**
 * buf: a growing buffer of bytes that is born with its maximum.
 *
 * Appending past the maximum fails once and for all: the buffer stays as it was, `is_full` is set,
 * and later appends do nothing. So a writer may append many pieces and check once, at the end.
 *
 * Not thread-safe.
 */
#ifndef BASE_BUF_H
#define BASE_BUF_H

#include "base/attr.h"
#include "base/str.h"

#include <stdbool.h>
#include <stdint.h>

struct buf {
    char *ptr;       /* owned; NUL-terminated whenever it is not NULL */
    size_t len;      /* bytes, without the NUL */
    size_t capacity; /* bytes allocated */
    size_t len_max;  /* bytes */
    bool is_full;    /* an append did not fit */
};

/** An empty buffer for at most `len_max` bytes. Allocates nothing. Release: buf_done(). */
static inline struct buf buf_init(size_t len_max)
{
    return (struct buf){.len_max = len_max};
}

/** Frees the memory; the buffer is empty and usable again. CLEANUP form: buf_done itself. */
void buf_done(struct buf *buf);

/** Empties the buffer and keeps its memory. */
void buf_clear(struct buf *buf);

/** Appends; false if it does not fit. */
bool buf_put(struct buf *buf, const void *data, size_t size);
bool buf_put_str(struct buf *buf, str text);
bool buf_put_text(struct buf *buf, const char *text);
bool buf_put_byte(struct buf *buf, char byte);
PRINTF_LIKE(2, 3) bool buf_printf(struct buf *buf, const char *format, ...);
bool buf_put_number(struct buf *buf, uint64_t value); /* in decimal digits */

/** Big-endian integers, for keys and frames. */
bool buf_put_u16(struct buf *buf, uint16_t value);
bool buf_put_u32(struct buf *buf, uint32_t value);
bool buf_put_u64(struct buf *buf, uint64_t value);

/** Makes room for `size` more bytes and returns where they go; NULL if they do not fit.
 * Follow with buf_commit() of what was really written. */
char *buf_reserve(struct buf *buf, size_t size);
void buf_commit(struct buf *buf, size_t size);

/** Drops the first `size` bytes; the rest moves to the front. */
void buf_consume(struct buf *buf, size_t size);

/** A view, valid until the next append. */
static inline str buf_str(const struct buf *buf)
{
    return (str){.ptr = buf->ptr ? buf->ptr : "", .len = buf->len};
}

/** Hands the memory over: the caller frees it with free(). Never NULL. The buffer is empty. */
char *buf_take(struct buf *buf);

/** Integers from big-endian bytes. The caller has checked that they are there. */
uint16_t u16_from(const void *raw);
uint32_t u32_from(const void *raw);
uint64_t u64_from(const void *raw);

#endif
