/**
 * mem: heap memory that is there, or the process ends.
 *
 * Running out of memory is no state that code could handle sensibly piece by piece: every buffer,
 * queue and arena is bounded, so it means a wrong limit. The process ends as after a failed
 * assertion, which durable state makes safe. Where a size comes from outside, check it first.
 */
#ifndef BASE_MEM_H
#define BASE_MEM_H

#include <stddef.h>

/** Zeroed memory, never NULL; freed with free(). The product is checked for overflow. */
[[nodiscard]] void *mem_new(size_t count, size_t size);

/** Memory with any content, never NULL; freed with free(). */
[[nodiscard]] void *mem_alloc(size_t size);

/** Grows `memory` to `count * size` bytes; the new part is not zeroed. Takes `memory`. */
[[nodiscard]] void *mem_resize(void *memory, size_t count, size_t size);

/** Copies `size` bytes and appends a NUL. */
[[nodiscard]] char *mem_dup(const void *data, size_t size);

#endif
