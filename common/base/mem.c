#include "base/mem.h"

#include "base/assert.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

enum { CACHED_SIZE_MAX = 1032 /* bytes: glibc keeps freed ones of that size for their thread */ };

/* Small ones do not come from calloc(): glibc's looks at what the thread keeps since 2.41 only. */
void *mem_new(size_t count, size_t size)
{
    size_t bytes = 0;
    if (!__builtin_mul_overflow(count, size, &bytes) && bytes <= CACHED_SIZE_MAX) {
        return memset(mem_alloc(bytes), 0, bytes);
    }
    void *memory = calloc(count, size);
    ASSERT(memory && "out of memory");
    return memory;
}

void *mem_alloc(size_t size)
{
    void *memory = malloc(size > 0 ? size : 1); /* malloc(0) may answer NULL */
    ASSERT(memory && "out of memory");
    return memory;
}

void *mem_resize(void *memory, size_t count, size_t size)
{
    if (count == 0 || size == 0) count = size = 1; /* realloc(p, 0) would free */
    void *resized = reallocarray(memory, count, size);
    ASSERT(resized && "out of memory");
    return resized;
}

char *mem_dup(const void *data, size_t size)
{
    ASSERT(size < SIZE_MAX);
    char *copy = malloc(size + 1);
    ASSERT(copy && "out of memory");
    if (size > 0) memcpy(copy, data, size);
    copy[size] = '\0';
    return copy;
}
