#include "tool-adapter/memory/vectors.h"

#include <math.h>

float vector_dot_plain(const float *a, const float *b, size_t count)
{
    float sum = 0;
    for (size_t i = 0; i < count; i++) sum += a[i] * b[i];
    return sum;
}

static float dot_lanes(const float *a, const float *b, size_t count)
{
    float sum = 0;
#pragma omp simd reduction(+ : sum)
    for (size_t i = 0; i < count; i++) sum += a[i] * b[i];
    return sum;
}

#if defined(__x86_64__)
/* Four sums at a time: one alone waits for itself. */
__attribute__((target("avx2,fma"))) static float dot_avx2(const float *a, const float *b,
                                                          size_t count)
{
    enum { LANES = 32 };
    float sums[LANES] = {};
    size_t whole      = count / LANES * LANES;
    for (size_t i = 0; i < whole; i += LANES) {
#pragma omp simd
        for (size_t lane = 0; lane < LANES; lane++) sums[lane] += a[i + lane] * b[i + lane];
    }
    float sum = 0;
    for (size_t lane = 0; lane < LANES; lane++) sum += sums[lane];
    for (size_t i = whole; i < count; i++) sum += a[i] * b[i];
    return sum;
}
#endif

vector_dot_fn *vector_dot_of(void)
{
#if defined(__x86_64__)
    if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")) return dot_avx2;
#endif
    return dot_lanes;
}

bool vector_normalise(float *vector, size_t count)
{
    double sum = 0;
    for (size_t i = 0; i < count; i++) sum += (double)vector[i] * (double)vector[i];
    double length = sqrt(sum);
    if (!isfinite(length) || length <= 0) return false;
    for (size_t i = 0; i < count; i++) vector[i] = (float)((double)vector[i] / length);
    return true;
}
