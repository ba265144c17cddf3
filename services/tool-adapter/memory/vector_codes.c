#include "tool-adapter/memory/vector_codes.h"

#include <math.h>

enum { CODE_MAX = 127 };

/* A sum of floats is off by half an ulp per addition at most, for terms that come to 1 together:
 * those of the codes and those of the exact score. */
static const float SLACK = 2.5e-7F;

static float greatest(const float *vector, size_t count)
{
    float most = 0;
    for (size_t i = 0; i < count; i++) most = fmaxf(most, fabsf(vector[i]));
    return most;
}

struct vector_code vector_encode(const float *vector, size_t count, int8_t *codes)
{
    float step   = greatest(vector, count) / CODE_MAX;
    double error = 0;
    for (size_t i = 0; i < count; i++) {
        codes[i]    = step > 0 ? (int8_t)lrintf(vector[i] / step) : 0;
        double rest = (double)vector[i] - (double)step * codes[i];
        error += rest * rest;
    }
    return (struct vector_code){.step  = step,
                                .error = (float)sqrt(error) * 1.00001F + (float)count * SLACK};
}

static float dot_lanes(const float *query, const int8_t *codes, size_t count)
{
    float sum = 0;
#pragma omp simd reduction(+ : sum)
    for (size_t i = 0; i < count; i++) sum += query[i] * (float)codes[i];
    return sum;
}

#if defined(__x86_64__)
/* As vectors.c does it. */
__attribute__((target("avx2,fma"))) static float dot_avx2(const float *query, const int8_t *codes,
                                                          size_t count)
{
    enum { LANES = 32 };
    float sums[LANES] = {};
    size_t whole      = count / LANES * LANES;
    for (size_t i = 0; i < whole; i += LANES) {
#pragma omp simd
        for (size_t lane = 0; lane < LANES; lane++) {
            sums[lane] += query[i + lane] * (float)codes[i + lane];
        }
    }
    float sum = 0;
    for (size_t lane = 0; lane < LANES; lane++) sum += sums[lane];
    for (size_t i = whole; i < count; i++) sum += query[i] * (float)codes[i];
    return sum;
}
#endif

vector_dot_codes_fn *vector_dot_codes_of(void)
{
#if defined(__x86_64__)
    if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")) return dot_avx2;
#endif
    return dot_lanes;
}
