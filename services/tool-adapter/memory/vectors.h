/**
 * vectors: arithmetic on embeddings: length 1, and the cosine of two of them, which then is their
 * dot product.
 *
 * The sum is taken in several lanes, so its last digits depend on the machine; with AVX2 where the
 * processor has it. -O3 alone does not vectorise a sum of floats.
 */
#ifndef TOOL_ADAPTER_MEMORY_VECTORS_H
#define TOOL_ADAPTER_MEMORY_VECTORS_H

#include <stdbool.h>
#include <stddef.h>

typedef float vector_dot_fn(const float *a, const float *b, size_t count);

/** The fastest that this processor can do. */
vector_dot_fn *vector_dot_of(void);

/** The plain one: what the others are compared with. */
float vector_dot_plain(const float *a, const float *b, size_t count);

/** Makes its length 1. False: it has none, or holds what is no number; nothing has changed. */
bool vector_normalise(float *vector, size_t count);

#endif
