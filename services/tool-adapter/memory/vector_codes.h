/**
 * vector_codes: a vector of length 1 in a byte per dimension, and by how much it may be off.
 *
 * A search is as fast as memory can be read, and codes are a quarter of it. What a code says of a
 * score is off by `error` at most, so it tells which vectors cannot be among the nearest; the
 * others are looked at themselves, and the answer is as exact as without codes.
 *
 * x = step * code + rest, so that q * x = step * (q * code) + q * rest, and for a q of length 1 the
 * last is at most the length of the rest (Cauchy and Schwarz).
 */
#ifndef TOOL_ADAPTER_MEMORY_VECTOR_CODES_H
#define TOOL_ADAPTER_MEMORY_VECTOR_CODES_H

#include <stddef.h>
#include <stdint.h>

struct vector_code {
    float step;
    float error; /* of a score; what sums of floats are off by is in it */
};

/** Writes `count` codes of a vector of length 1. */
struct vector_code vector_encode(const float *vector, size_t count, int8_t *codes);

typedef float vector_dot_codes_fn(const float *query, const int8_t *codes, size_t count);

/** The sum of the products, without the step; the fastest that this processor can do. */
vector_dot_codes_fn *vector_dot_codes_of(void);

#endif
